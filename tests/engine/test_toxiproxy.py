"""Faults below HTTP: a real TCP proxy between provider and server, which delays, cuts and resets.

Expected each time: success after retries, or an error within the deadline and a true state; and the next up is right.
"""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from waiting import wait_until
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"
TIMEOUT = 5.0  # seconds, linq:timeout
ENGINE = 20.0  # seconds that an `up` may take beside what the deadline allows, on a busy machine


class Proxy:
    """One proxy of a toxiproxy server: `url` is the API seen through it."""

    def __init__(self, api: str, name: str, upstream: str) -> None:
        self._path = f"{api}/proxies/{name}"
        parts = urlsplit(upstream)
        made = request(f"{api}/proxies", name=name, listen="127.0.0.1:0", upstream=parts.netloc, enabled=True)
        self.url = f"http://{made['listen']}{parts.path}"
        self._toxics: list[str] = []

    def poison(self, kind: str, attributes: dict[str, int], *, stream: str, toxicity: float = 1.0) -> None:
        """Add a toxic, also to the connections that are open; `toxicity` is the share of connections it hits."""
        request(f"{self._path}/toxics", type=kind, stream=stream, toxicity=toxicity, attributes=attributes)
        self._toxics.append(f"{kind}_{stream}")

    def cure(self) -> None:
        """Take every toxic away."""
        while self._toxics:
            request(f"{self._path}/toxics/{self._toxics.pop()}", method="DELETE")


def request(url: str, *, method: str = "POST", **fields: Any) -> Any:
    """One call of toxiproxy's own API."""
    asked = urllib.request.Request(url, json.dumps(fields).encode() if fields else None, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(api: str) -> bool:
    """Whether the server's own API is there."""
    try:
        return bool(request(f"{api}/version", method="GET"))
    except OSError:
        return False


@pytest.fixture(scope="module")
def toxiproxy() -> Iterator[str]:
    """The address of a toxiproxy server of this module's own, on this machine only; it ends with the tests."""
    program = shutil.which("toxiproxy-server")
    if program is None:
        pytest.fail("no toxiproxy-server on PATH: run the tests with `make test`, which gets one")
    port = free_port()
    server = subprocess.Popen(
        [program, "-host=127.0.0.1", f"-port={port}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: server.poll() is not None or answers(f"http://127.0.0.1:{port}"), seconds=30)
        assert server.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def proxy(stack: Workspace, toxiproxy: str, tmp_path: Path) -> Proxy:
    """A proxy before the emulator, through which the stack sees it, with a short deadline."""
    proxy = Proxy(toxiproxy, tmp_path.name, stack.emulator.url)
    stack.emulator.allow_host(urlsplit(proxy.url).netloc)
    stack.configure("linq:baseUrl", proxy.url)
    stack.configure("linq:timeout", str(TIMEOUT))
    return proxy


def forwarding(stack: Workspace, to: str) -> str:
    """A program of one line that forwards to `to`; returns the line's id."""
    line = stack.emulator.phone_numbers[0]
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line.phone_number}", forwarding_number="{to}")')
    return line.id


# What only slows a connection down, or hits some of them: toxic, attributes, stream, share of connections.
SURVIVED = [
    ("latency", {"latency": 300, "jitter": 200}, "downstream", 1.0),
    ("bandwidth", {"rate": 1}, "downstream", 1.0),  # kB/s; the list of three lines has 0.7 kB
    ("slicer", {"average_size": 20, "size_variation": 10, "delay": 5000}, "downstream", 1.0),
    ("slicer", {"average_size": 20, "size_variation": 10, "delay": 5000}, "upstream", 1.0),
    ("timeout", {"timeout": 100}, "downstream", 0.5),
    ("reset_peer", {"timeout": 0}, "downstream", 0.5),
    ("limit_data", {"bytes": 400}, "downstream", 0.5),
]
# What hits every connection.
FATAL = [
    ("latency", {"latency": 60_000}, "downstream", "no complete answer arrived in time"),
    ("bandwidth", {"rate": 1}, "downstream", "no complete answer arrived in time"),
    ("timeout", {"timeout": 0}, "downstream", "no complete answer arrived in time"),
    ("reset_peer", {"timeout": 0}, "upstream", "the connection failed"),
    ("limit_data", {"bytes": 400}, "downstream", "the connection failed"),
]


def test_row_11_a_bad_connection_is_survived(stack: Workspace, proxy: Proxy) -> None:
    """Slow, sliced, and every second connection cut, reset or silent: each up succeeds, and the line holds its number."""
    stack.configure("linq:maxRetries", "50")
    stack.configure("linq:timeout", "60")
    for toxic, to in zip(SURVIVED, itertools.cycle([OFFICE, DESK])):
        line = forwarding(stack, to)
        proxy.poison(toxic[0], toxic[1], stream=toxic[2], toxicity=toxic[3])
        stack.up()
        assert stack.emulator.forwarding(line) == to, toxic
        assert stack.outputs("x")["forwarding_number"] == to, toxic
        proxy.cure()
    stack.empty_preview()


def test_row_11_a_dead_connection_ends_in_time(stack: Workspace, proxy: Proxy) -> None:
    """Where no answer gets through: an error within the deadline, nothing written, a true state; the next up is right."""
    for n in range(97):
        stack.emulator.add_number(f"+1303555{n:04}")  # at 1 kB/s the list would take 25 s
    line = forwarding(stack, OFFICE)
    stack.up()
    held = OFFICE
    for (kind, attributes, stream, said), to in zip(FATAL, itertools.cycle([DESK, OFFICE])):
        forwarding(stack, to)
        proxy.poison(kind, attributes, stream=stream)
        started = time.monotonic()
        shown = stack.up(fails=True).output
        assert time.monotonic() - started < TIMEOUT + ENGINE, kind
        assert said in shown, kind
        assert "Traceback" not in shown
        assert (stack.emulator.forwarding(line), stack.outputs("x")["forwarding_number"]) == (held, held), kind
        proxy.cure()
        stack.emulator.clear_requests()
        stack.up()
        assert stack.writes() == [(line, to)], kind
        held = to
    stack.run("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("reset_peer", {"timeout": 0}), ("timeout", {"timeout": 0}), ("limit_data", {"bytes": 150})],
    ids=["reset", "silence", "cut"],
)
def test_row_09_the_answer_to_a_write_is_lost(
    stack: Workspace, proxy: Proxy, kind: str, attributes: dict[str, int]
) -> None:
    """A write was applied, but its answer and all later ones are lost: the error says so, and the next up adopts."""
    line = forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.delay(1), method="PUT")  # carried out at once, answered later
    up = stack.start("up", "--yes", "--skip-preview")
    stack.until_request("PUT", seconds=30)
    proxy.poison(kind, attributes, stream="downstream")
    shown, _ = up.communicate(timeout=TIMEOUT + ENGINE)
    assert up.returncode != 0
    assert "The write may have been applied: run `pulumi preview --refresh`" in shown
    assert set(stack.writes()) == {(line, OFFICE)}
    assert stack.state() == {}
    assert stack.pending() == []
    proxy.cure()
    stack.emulator.clear_requests()
    stack.up()
    assert stack.writes() == []
    assert stack.emulator.forwarding(line) == OFFICE
    stack.run("preview", "--refresh", "--expect-no-changes")


def test_row_09_the_answer_to_a_write_is_lost_once(stack: Workspace, proxy: Proxy) -> None:
    """A reset in place of the answer to a write that was applied: up succeeds, and every write had the same number."""
    line = forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.delay(1), method="PUT")
    up = stack.start("up", "--yes", "--skip-preview")
    stack.until_request("PUT", seconds=30)
    proxy.poison("reset_peer", {"timeout": 0}, stream="downstream")
    proxy.cure()
    shown, _ = up.communicate(timeout=TIMEOUT + ENGINE)
    assert up.returncode == 0, shown
    assert set(stack.writes()) == {(line, OFFICE)}
    assert stack.outputs("x")["forwarding_number"] == OFFICE
    stack.run("preview", "--refresh", "--expect-no-changes")
