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
        entrant = Entrant(CONTESTANTS[name], tmp_path / name, server, lines=3, delay=0)
        assert entrant.problem is None
        for verb in VERBS:
            measured = entrant.measure(verb)
            assert measured.run.problem is None
            seen.append((measured.counted.gets, measured.counted.puts))
            forwarded[verb] = forwards(server, f"{name}-3-0")
    assert seen == requests
    if name != "noop":
        assert forwarded["up"] == ["+12025559999", "+12025559999", "+12025559999"]
        assert forwarded["change"] == ["+12025558888", "+12025559999", "+12025559999"]
    assert forwarded["destroy"] == ["", "", ""]
