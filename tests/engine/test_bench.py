"""The contestants of the benchmark do what is measured: they forward the lines, with the requests that their way takes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench.contestants import CONTESTANTS, Entrant
from bench.measure import Server
from bench.results import VERBS
from bench.server import BASE_PATH

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings

pytestmark = pytest.mark.engine


def forwards(server: Server, token: str) -> list[str]:
    """Where each line of an account forwards, "" for nowhere."""
    client = LinqClient(Settings(api_key=token, api_key_source="here", base_url=server.url + BASE_PATH))
    numbers = [line.forwarding_number for line in client.list_phone_numbers()]
    client.close()
    return numbers


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        ("noop", [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]),
        ("single", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("fleet", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("skip", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("native", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("native_32", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("fleet_8", [(1, 3), (0, 0), (1, 1), (1, 0), (1, 3)]),
        ("noop_skip", [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]),
        ("naive", [(0, 3), (0, 0), (0, 1), (3, 0), (0, 3)]),
        ("script", [(1, 3), (1, 0), (1, 1), (1, 0), (1, 3)]),
        ("threads", [(1, 3), (1, 0), (1, 1), (1, 0), (1, 3)]),
        ("terraform", [(0, 3), (0, 0), (0, 2), (0, 0), (0, 3)]),
    ],
)
def test_every_contestant_forwards_the_lines(tmp_path: Path, name: str, requests: list[tuple[int, int]]) -> None:
    """Each makes the expected requests, and leaves no line forwarded."""
    if name == "terraform" and shutil.which("terraform") is None:
        pytest.skip("no terraform on this machine")
    assert CONTESTANTS[name].missing is None
    seen, forwarded = [], {}
    with Server() as server:
        entrant = Entrant(name, tmp_path / name, server, lines=3)
        assert entrant.problem is None
        for verb in VERBS:
            ran, counted, _ = entrant.measure(verb)
            assert ran.problem is None
            seen.append((counted.gets, counted.puts))
            forwarded[verb] = forwards(server, f"{name}-3")
    assert seen == requests
    if not name.startswith("noop"):
        assert forwarded["up"] == ["+12125559999", "+12125559999", "+12125559999"]
        assert forwarded["change"] == ["+12125558888", "+12125559999", "+12125559999"]
    assert forwarded["destroy"] == ["", "", ""]
