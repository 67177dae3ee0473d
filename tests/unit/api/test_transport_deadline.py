"""One HTTP exchange ends at its deadline, whatever the server does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from raw_server import (
    KEY,
    LIST,
    RawServer,
    answering,
    client_to,
    get,
    http,
    put,
    read_request,
    sending,
    silent,
    transport_to,
)
from waiting import ending_within, wait_until

from linq_provider.api.transport import CONNECT_TIMEOUT, READ_TIMEOUT, Transport
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError

# A header that lasts 20 s. Its pauses are shorter than any deadline here, so that each byte starts the wait again.
DRIPPING = sending(b"HTTP/1.1 200 OK\r\nX-Header: ", b"x", pause=0.02, times=1000)


@pytest.mark.parametrize(
    "serve",
    [
        sending(b"", *[bytes([b]) for b in http(b"x" * 1000)], pause=0.02),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x", pause=0.02, times=1000),
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.02, times=1000),
        sending(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.02, times=1000),
        DRIPPING,
        sending(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02, times=1000),
        silent,
    ],
    ids=["all-drips", "body-drips", "chunks-drip", "body-without-length-drips", "headers-drip", "continues", "hangs"],
)
def test_row_11_an_answer_that_never_ends_ends_at_the_deadline(
    serve: Callable[[RawServer, Any], None],
) -> None:
    """Byte by byte, chunk by chunk or not at all: the thread is free again in time."""
    with RawServer(serve) as server:
        started = time.monotonic()
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(transport_to(server), seconds=0.1)
        assert time.monotonic() - started > 0.08


def test_row_11_a_server_that_never_accepts_ends_at_the_deadline() -> None:
    """The connection is open, in the backlog, but nothing reads from it."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        transport = Transport(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", api_key=KEY)
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            put(transport, seconds=0.1)


def test_row_11_a_tls_handshake_that_hangs_ends_at_the_deadline() -> None:
    """Also before there is an encrypted connection."""
    with RawServer(silent) as server, ending_within(5), pytest.raises(APIConnectionTimeoutError):
        get(transport_to(server, scheme="https"), seconds=0.1)


def test_row_11_the_deadline_holds_on_a_connection_that_was_used_before() -> None:
    """Keep-alive: the second answer drips, and ends in time too."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(http())
        DRIPPING(server, connection)

    with RawServer(serve) as server:
        transport = transport_to(server)
        assert get(transport).status_code == 200
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(transport, seconds=0.1)
        assert server.connections == 1


def test_row_11_the_deadline_holds_while_a_proxy_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers CONNECT byte by byte: there is no tunnel yet, and the call ends in time."""
    with RawServer(DRIPPING) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url="https://api.linq.example", api_key=KEY), seconds=0.1)


def test_row_11_silence_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte within the read timeout, with time left: the next attempt succeeds."""
    monkeypatch.setattr("linq_provider.api.transport.READ_TIMEOUT", 0.3)
    hang_once = iter([True])

    def serve(server: RawServer, connection: socket.socket) -> None:
        (silent if next(hang_once, False) else answering(http()))(server, connection)

    with RawServer(serve) as server:
        assert client_to(f"http://127.0.0.1:{server.port}").list_phone_numbers() == []
        assert server.connections >= 2


@pytest.mark.parametrize("sent", [b"", http(b"x" * 100)[:-50]], ids=["no byte", "half a body"])
def test_row_11_silence_is_told_as_a_timeout(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Before the first byte or in the middle of the body, long before the deadline."""
    monkeypatch.setattr("linq_provider.api.transport.READ_TIMEOUT", 0.2)

    def serve(server: RawServer, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(sent)
        silent(server, connection)

    with (
        RawServer(serve) as server,
        pytest.raises(APIConnectionTimeoutError, match="no complete answer arrived in time"),
    ):
        get(transport_to(server), seconds=20.0)


@pytest.mark.skipif(sys.platform != "linux", reason="fills a queue of connections as Linux keeps it")
def test_row_11_a_connection_that_is_never_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has its own short limit, long before the deadline, and is reported as a timeout."""
    monkeypatch.setattr("linq_provider.api.transport.CONNECT_TIMEOUT", 0.2)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url=f"http://127.0.0.1:{full.getsockname()[1]}", api_key=KEY), seconds=20.0)


def test_row_11_after_the_deadline_the_same_thread_can_go_on() -> None:
    """The connection that was ended is not used again."""
    hang_once = iter([True])

    def serve(server: RawServer, connection: socket.socket) -> None:
        (silent if next(hang_once, False) else answering(http()))(server, connection)

    with RawServer(serve) as server:
        transport = transport_to(server)
        with pytest.raises(APIConnectionTimeoutError):
            get(transport, seconds=0.1)
        assert get(transport).status_code == 200


def test_row_11_an_exchange_in_time_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread watches the exchanges of all threads; nothing acts on an exchange that is over."""
    messages: list[str] = []
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        get(transport)
        started: list[str] = []
        monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread.name))
        for _ in range(20):
            after = (0.2, lambda: messages.append("still waiting"))
            transport.exchange("GET", LIST, json=None, seconds=5.0, max_bytes=1000, after=after)
        time.sleep(0.3)
    assert started == []
    assert messages == []


def test_row_11_a_watch_ends_with_a_late_answer() -> None:
    """A late exchange is reported once, and leaves no thread behind."""
    messages: list[str] = []
    with RawServer(sending(http()[:1], b"", http()[1:], pause=0.3)) as server:
        after = (0.05, lambda: messages.append("still waiting"))
        transport_to(server).exchange("GET", LIST, json=None, seconds=30.0, max_bytes=1000, after=after)
    assert messages == ["still waiting"]
    wait_until(lambda: "linq-deadline" not in [thread.name for thread in threading.enumerate()])


def test_row_11_the_earliest_deadline_of_all_threads_holds() -> None:
    """A short exchange that begins after a long one does not wait for it; the long one ends at its own deadline."""
    with RawServer(DRIPPING) as server:
        transport = transport_to(server)

        errors: list[APIConnectionError] = []

        def wait_long() -> None:
            try:
                get(transport, seconds=7)
            except APIConnectionError as error:
                errors.append(error)

        long = threading.Thread(target=wait_long)
        long.start()
        time.sleep(0.1)
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(transport, seconds=0.1)
        assert long.is_alive()
        long.join()
    assert [type(error) for error in errors] == [APIConnectionTimeoutError]


def test_row_11_the_deadline_holds_after_a_fork(tmp_path: Path) -> None:
    """A server that forks its workers after a first request: the workers have no threads of their parent."""
    program = """
import os, signal, sys
from linq_provider.api.transport import Transport
from linq_provider.errors import APIConnectionTimeoutError

def times_out():
    try:
        transport = Transport(base_url=sys.argv[1], api_key="key")
        transport.exchange("GET", "/v3/phone_numbers", json=None, seconds=0.1, max_bytes=1000)
    except APIConnectionTimeoutError:
        return True

assert times_out()
child = os.fork()
if child == 0:
    signal.alarm(5)
    os._exit(0 if times_out() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    with RawServer(DRIPPING) as server:
        command = [sys.executable, "-c", program, f"http://127.0.0.1:{server.port}"]
        subprocess.run(command, cwd=tmp_path, check=True, timeout=30)


def test_a_timeout_says_what_to_do() -> None:
    """Which call, and which setting gives it more time."""
    with RawServer(silent) as server, pytest.raises(APIConnectionTimeoutError) as caught:
        get(transport_to(server), seconds=0.05)
    assert str(caught.value) == (
        "GET /v3/phone_numbers: no complete answer arrived in time. Check the network and linq:baseUrl, or allow more seconds with"
        " linq:timeout."
    )


def test_the_timeouts_are_those_of_the_policy() -> None:
    """docs/reliability.md promises 5 s to connect and 30 s without a byte."""
    assert (CONNECT_TIMEOUT, READ_TIMEOUT) == (5.0, 30.0)
