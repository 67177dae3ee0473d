"""`linq-provider emulator`, in a separate process: it serves until it gets a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.emulator import Emulator
from linq_provider.errors import RateLimitError

EMULATOR = [sys.executable, "-m", "linq_provider", "emulator"]
# As a shell starts a background job.
WITH_SIGINT_IGNORED = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
    *EMULATOR,
]


@contextmanager
def started(*arguments: str, command: list[str] = EMULATOR) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed at the end, or after 15 s, so that a missing line fails and does not hang."""
    pipe = subprocess.PIPE
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen([*command, *arguments], env=buffered, stdout=pipe, stderr=pipe, text=True)
    watchdog = threading.Timer(15, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints; fails when it ended instead."""
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line


def exports(process: subprocess.Popen[str]) -> dict[str, str]:
    """What its export lines put into the environment."""
    found: dict[str, str] = {}
    while "LINQ_API_V3_API_KEY" not in found:
        line = read_line(process)
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            found[name] = value
    return found


@contextmanager
def client_of(exported: dict[str, str]) -> Iterator[LinqClient]:
    """A client that tries once, with the key and the URL of the export lines."""
    client = LinqClient(Settings.load(None, environ={**exported, "LINQ_MAX_RETRIES": "0"}))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("number", "command"),
    [(signal.SIGINT, EMULATOR), (signal.SIGTERM, EMULATOR), (signal.SIGINT, WITH_SIGINT_IGNORED)],
    ids=["SIGINT", "SIGTERM", "SIGINT-was-ignored"],
)
def test_it_runs_until_a_signal(number: signal.Signals, command: list[str]) -> None:
    """It announces itself at once in a pipe, serves the lines asked for, and a signal ends it with exit 0."""
    with started("--numbers", "5", command=command) as process:
        with client_of(exports(process)) as client:
            assert len(client.list_phone_numbers()) == 5
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_it_prints_address_and_key() -> None:
    """Base URL and key, the same as in the export lines, and the page to watch, on the port asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with started("--port", str(port)) as process:
        lines = [read_line(process).rstrip() for _ in range(7)]
    url, key = lines[0].removeprefix("Base URL: "), lines[1].removeprefix("API key:  ")
    assert url == f"http://127.0.0.1:{port}/api/partner"
    assert lines[2] == f"To watch: http://127.0.0.1:{port}/"
    assert lines[5:] == [f"export LINQ_API_V3_BASE_URL={url}", f"export LINQ_API_V3_API_KEY={key}"]


def test_it_keeps_its_state(tmp_path: Path) -> None:
    """With `--state`, key and forwarding survive even a kill -9."""
    state = str(tmp_path / "state.json")
    with started("--state", state, "--numbers", "1") as process:
        first = exports(process)
        with client_of(first) as client:
            (line,) = client.list_phone_numbers()
            client.set_forwarding_number(line.id, "+12025559999")
        process.kill()
    with started("--state", state) as process:
        second = exports(process)
        assert second["LINQ_API_V3_API_KEY"] == first["LINQ_API_V3_API_KEY"]
        with client_of(second) as client:
            assert [line.forwarding_number for line in client.list_phone_numbers()] == ["+12025559999"]


def test_it_fails_on_request_and_limits_the_rate() -> None:
    """`--fault` makes requests go wrong, and `--rate-limit` answers 429 to what comes faster."""
    with started("--fault", "empty-list", "--rate-limit", "0.01") as process, client_of(exports(process)) as client:
        assert client.list_phone_numbers() == []
        with pytest.raises(RateLimitError):
            client.set_forwarding_number("x", "")


@pytest.fixture
def _signals_as_before() -> Iterator[None]:
    """The command handles signals, so it cannot run in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, listener in before.items():
        signal.signal(number, listener)


@pytest.mark.usefixtures("_signals_as_before")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fault", "nonsense"], "reset-after-write"),
        (["--rate-limit", "0"], "x>0"),
        (["--state", "{folder}/missing/state.json"], "No such file"),
        (["--state", "{folder}/broken.json"], "not a state file"),
        (["--port", "{port}"], "in use"),
    ],
)
def test_it_refuses_in_one_line(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, arguments: list[str], words: str
) -> None:
    """What it cannot do is one line on stderr and exit 1."""
    (tmp_path / "broken.json").write_text("{")
    with Emulator() as other:
        port = other.url.split(":")[2].split("/")[0]
        code, shown, said = run("emulator", *(text.format(folder=tmp_path, port=port) for text in arguments))
    assert (code, shown) == (1, "")
    assert words in said
    assert said.count("\n") == 1
