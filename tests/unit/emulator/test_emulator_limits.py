"""What one client can use of the emulator: bodies, headers, time and the log are limited."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from waiting import wait_until

from linq_provider.emulator import Emulator, RecordedRequest
from linq_provider.emulator.api import Api
from linq_provider.emulator.incoming import Limits
from linq_provider.emulator.log import RequestLog
from linq_provider.emulator.page import Page
from linq_provider.emulator.service import RateLimit, Service
from linq_provider.emulator.state import open_account
from linq_provider.emulator.visit import Hosts
from linq_provider.emulator.wire import Server

LIST = "/api/partner/v3/phone_numbers"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
OFFICE = "+12025559999"
UPDATE = b'{"forwarding_number":"+12025559999"}'
MEGABYTE = 1_000_000


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator() as running:
        yield running


@contextmanager
def served(*, numbers: int = 3, **limits: float) -> Iterator[int]:
    """The port of a server with other limits."""
    account, hosts = open_account(None, numbers=numbers, api_key="key", seed=0), Hosts()
    service = Service(Api(account), RateLimit(None))
    chosen = Limits(**limits)  # type: ignore[arg-type]
    server = Server(service, Page(account, service, hosts), hosts, port=0, limits=chosen)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def head(port: int, *headers: str, method: str = "PUT", path: str = f"{LIST}/{FIRST_ID}", key: str = "key") -> bytes:
    """The head of a request with the key and these headers."""
    lines = (f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {key}", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def update(emulator: Emulator, *headers: str) -> bytes:
    """The head of a write to the first line."""
    return head(port_of(emulator), *headers, key=emulator.api_key)


def port_of(emulator: Emulator) -> int:
    """The port that the emulator listens on."""
    return urlsplit(emulator.url).port or 0


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection; waiting for data fails after 5 s."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        yield connection


def talk(port: int, request: bytes) -> bytes:
    """Send bytes as they are; everything that comes back until the server closes."""
    with connected(port) as connection:
        connection.sendall(request)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """Everything that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def statuses(answers: bytes) -> list[int]:
    """The status of each answer."""
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


# Bodies


def padded(size: int) -> bytes:
    """An update whose body has this many bytes."""
    return UPDATE + b" " * (size - len(UPDATE))


def test_a_body_of_one_megabyte_is_read(emulator: Emulator) -> None:
    """A body up to the limit is read, and the request is carried out."""
    request = update(emulator, f"Content-Length: {MEGABYTE}", "Connection: close") + padded(MEGABYTE)
    assert statuses(talk(port_of(emulator), request)) == [200]
    assert emulator.forwarding(FIRST_ID) == OFFICE


@pytest.mark.parametrize("size", [MEGABYTE + 1, 5 * MEGABYTE, 10**12, 10**17])
def test_a_larger_body_is_refused_before_it_is_sent(emulator: Emulator, size: int) -> None:
    """A body that is announced as larger gets 413 at once, without a byte of it."""
    answer = talk(port_of(emulator), update(emulator, f"Content-Length: {size}"))
    assert statuses(answer) == [413]
    assert b"Connection: close\r\n" in answer
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert (error["status"], error["code"]) == (413, 1000)
    assert "1000000 bytes" in error["message"]
    assert [(request.method, request.body, request.status) for request in emulator.requests] == [("PUT", None, 413)]


@pytest.mark.parametrize("path", [f"{LIST}/{FIRST_ID}", "/emulator/forwarding", "/elsewhere"])
def test_a_client_that_sends_it_all_the_same_reads_the_refusal(emulator: Emulator, path: str) -> None:
    """A client that sends a large body before it reads gets the 413, not a reset; on the page, too."""
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port_of(emulator), timeout=5)
        connection.request("POST" if "emulator" in path else "PUT", path, padded(5 * MEGABYTE))
        assert connection.getresponse().status == 413
        connection.close()
    assert emulator.forwarding(FIRST_ID) == ""


def test_a_chunked_body_is_read(emulator: Emulator) -> None:
    """A body in chunks is put together, with extensions and trailers, and the connection goes on."""
    chunks = b"5;name=value\r\n" + UPDATE[:5] + b"\r\n1F\r\n" + UPDATE[5:] + b"\r\n0\r\nTrailer: x\r\n\r\n"
    last = update(emulator, "Content-Length: 24", "Connection: close") + b'{"forwarding_number":""}'
    answers = talk(port_of(emulator), update(emulator, "Transfer-Encoding: chunked") + chunks + last)
    assert statuses(answers) == [200, 200]
    assert [request.body for request in emulator.requests] == [
        {"forwarding_number": OFFICE},
        {"forwarding_number": ""},
    ]


@pytest.mark.parametrize("chunk", [b"f4241\r\n", b"FFFFFFFFFFFFFFF\r\n", b"f4240\r\n" + b" " * MEGABYTE + b"\r\n1\r\n"])
def test_chunks_of_more_than_a_megabyte_are_refused(emulator: Emulator, chunk: bytes) -> None:
    """One chunk, or all together, that announce more than the limit get 413."""
    assert statuses(talk(port_of(emulator), update(emulator, "Transfer-Encoding: chunked") + chunk)) == [413]


def test_a_body_without_end_is_not_kept_in_memory() -> None:
    """Of 100 MB in chunks, and of 100 MB more than was announced, no more is kept than the limit."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with served(linger_seconds=5) as port:
        for framing in ("Transfer-Encoding: chunked", f"Content-Length: {10**9}"):
            tracemalloc.start()
            with connected(port) as connection:
                connection.sendall(head(port, framing))
                for _ in range(1600):
                    connection.sendall(chunk)
                connection.shutdown(socket.SHUT_WR)
                assert statuses(rest(connection)) == [413]
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 5 * MEGABYTE


@pytest.mark.parametrize(
    ("framing", "body", "status"),
    [
        ("Content-Length: ten", b"", 400),
        ("Content-Length: -1", b"", 400),
        ("Content-Length: +36", UPDATE, 400),
        ("Content-Length: 3_6", UPDATE, 400),
        ("Content-Length: 36, 36", UPDATE, 400),
        ("Content-Length:", UPDATE, 400),
        ("Content-Length: " + "9" * 5000, b"", 400),
        ("Content-Length: 36\r\nContent-Length: 0", UPDATE, 400),
        ("Content-Length: 36\r\nTransfer-Encoding: chunked", UPDATE, 400),
        ("Transfer-Encoding: gzip", UPDATE, 501),
        ("Transfer-Encoding: gzip, chunked", UPDATE, 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", UPDATE, 501),
        ("Transfer-Encoding: chunked", b"ten\r\n", 400),
        ("Transfer-Encoding: chunked", b"-1\r\n", 400),
        ("Transfer-Encoding: chunked", b"\r\n", 400),
        ("Transfer-Encoding: chunked", b"5\r\n" + UPDATE, 400),
        ("Transfer-Encoding: chunked", b"0" * 70_000, 431),
        ("Transfer-Encoding: chunked", b"0\r\n" + b"Trailer: x\r\n" * 10_000, 431),
    ],
)
def test_a_body_of_no_certain_length_is_refused(emulator: Emulator, framing: str, body: bytes, status: int) -> None:
    """Where a body ends cannot be in doubt: it is refused, and nothing after it is taken for a request."""
    request = update(emulator, framing) + body + update(emulator, "Content-Length: 36") + UPDATE
    assert statuses(talk(port_of(emulator), request)) == [status]
    assert emulator.forwarding(FIRST_ID) == ""
    assert [(request.body, request.status) for request in emulator.requests] == [(None, status)]


def test_a_body_that_is_shorter_than_announced_is_refused(emulator: Emulator) -> None:
    """A client that ends in the middle of the body gets 400, although what came would be an update."""
    for framing, body in [
        ("Content-Length: 37", UPDATE),
        ("Transfer-Encoding: chunked", b"24\r\n" + UPDATE + b"\r\n"),
        ("Transfer-Encoding: chunked", b"25\r\n" + UPDATE),
    ]:
        with connected(port_of(emulator)) as connection:
            connection.sendall(update(emulator, framing) + body)
            connection.shutdown(socket.SHUT_WR)
            assert statuses(rest(connection)) == [400]
    assert emulator.forwarding(FIRST_ID) == ""


def test_a_body_that_is_longer_than_announced_is_no_request(emulator: Emulator) -> None:
    """What follows the announced length is taken for the next request, and refused where it is none."""
    request = update(emulator, "Content-Length: 36") + UPDATE + b'{"and": "more"}\r\n\r\n'
    assert statuses(talk(port_of(emulator), request)) == [200, 400]


def test_without_a_length_there_is_no_body(emulator: Emulator) -> None:
    """A write without Content-Length has an empty body, as in HTTP, and is not an update."""
    assert statuses(talk(port_of(emulator), update(emulator, "Connection: close"))) == [400]
    assert emulator.requests[0].body is None


def test_a_body_is_asked_for_only_where_it_is_wanted(emulator: Emulator) -> None:
    """A client that waits for 100 Continue gets it for a usual body, and for a large one 413 instead."""
    expect = "Expect: 100-continue"
    with connected(port_of(emulator)) as connection:
        connection.sendall(update(emulator, "Content-Length: 36", expect, "Connection: close"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(UPDATE)
        assert statuses(rest(connection)) == [200]
    assert statuses(talk(port_of(emulator), update(emulator, "Content-Length: 1000001", expect))) == [413]
    foreign = update(emulator, "Content-Length: 36", expect).replace(b"Host: 127.0.0.1", b"Host: evil.example")
    assert statuses(talk(port_of(emulator), foreign)) == [403]


# Headers


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /" + b"x" * 70_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 200 + b"\r\n",
    ],
    ids=["path", "header", "headers", "hundreds"],
)
def test_huge_headers_are_refused(emulator: Emulator, request_head: bytes) -> None:
    """More than 64 kB before the body, or more than 100 headers, get 431, whether they end or not."""
    answer = talk(port_of(emulator), request_head)
    assert statuses(answer) == [431]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["status"] == 431
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x00", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / HTTP/x\r\n\r\n", 400),
        (b"GET / x HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_at_once(emulator: Emulator, request_head: bytes, status: int) -> None:
    """A TLS handshake, or anything else that is no HTTP/1.1, gets an error in Linq's form."""
    answer = talk(port_of(emulator), request_head)
    assert statuses(answer) == [status]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["success"] is False


def test_blank_lines_before_a_request_do_no_harm(emulator: Emulator) -> None:
    """Empty lines before a request are skipped, and a head may end its lines with LF alone."""
    request = update(emulator, "Content-Length: 36", "Connection: close")
    assert statuses(talk(port_of(emulator), b"\r\n\n" + request.replace(b"\r\n", b"\n") + UPDATE)) == [200]


# Time


def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    """A client that connects and is silent is closed without an answer, also after blank lines."""
    with served(request_seconds=0.2) as port:
        assert talk(port, b"") == b""
        assert talk(port, b"\r\n") == b""


@pytest.mark.parametrize("start", ["GET / HTTP/1.1\r\nX: ", "body", "chunks"])
def test_a_request_byte_by_byte_is_ended(start: str) -> None:
    """A client that sends head or body one byte at a time for ever gets 408 when its time is up, and is closed."""
    with served(request_seconds=0.3) as port, connected(port) as connection:
        framing = {"body": "Content-Length: 1000", "chunks": "Transfer-Encoding: chunked"}.get(start)
        connection.sendall(head(port, framing) if framing else start.encode())
        answers = trickle(connection, b"1" if start == "chunks" else b" ")
    assert statuses(answers) == [408]
    assert b"not complete after 0.3 seconds" in answers


def trickle(connection: socket.socket, byte: bytes) -> bytes:
    """Send this byte for ever, with pauses, until the server has closed; what it answered."""
    connection.settimeout(0.02)
    answers, deadline = b"", time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            connection.sendall(byte)
            if not (more := connection.recv(65536)):
                return answers
            answers += more
        except TimeoutError:
            continue
        except OSError:
            return answers
    raise AssertionError("the server did not close")


def test_a_request_that_stops_half_way_is_ended() -> None:
    """A client that stops in the middle of the head or the body gets 408."""
    with served(request_seconds=0.2) as port:
        for request in (b"GET", head(port, "Content-Length: 36"), head(port, "Content-Length: 36") + UPDATE[:9]):
            assert statuses(talk(port, request)) == [408]


def test_an_idle_connection_is_closed_without_an_answer() -> None:
    """Between two requests a client may pause longer than within one, and is closed then."""
    with served(request_seconds=0.1, idle_seconds=0.5) as port, connected(port) as connection:
        connection.sendall(head(port, method="GET", path=LIST))
        started = time.monotonic()
        answers = rest(connection)
    assert statuses(answers) == [200]
    assert time.monotonic() - started >= 0.5


def test_a_client_that_does_not_read_is_closed() -> None:
    """A client that never takes its answer holds no thread for ever."""
    with served(numbers=20_000, answer_seconds=0.3) as port:
        threads = threading.active_count()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(head(port, method="GET", path=LIST))
            wait_until(lambda: threading.active_count() > threads)
            wait_until(lambda: threading.active_count() == threads)


def test_a_client_that_goes_on_sending_is_closed() -> None:
    """After a refusal the rest of a body is read for a moment only."""
    with served(linger_seconds=0.2) as port, connected(port) as connection:
        connection.sendall(head(port, "Content-Length: 1000000000000"))
        assert statuses(trickle(connection, b" ")) == [413]


def test_stop_does_not_wait_for_slow_clients(emulator: Emulator) -> None:
    """Connections in the middle of a request end with the emulator."""
    threads = threading.active_count()
    with connected(port_of(emulator)) as silent, connected(port_of(emulator)) as half:
        half.sendall(b"GET")
        wait_until(lambda: threading.active_count() == threads + 2)
        emulator.stop()
        assert silent.recv(1) == half.recv(1) == b""
        wait_until(lambda: threading.active_count() == threads - 1)


# The log


def record(number: int) -> RecordedRequest:
    """A request that its path distinguishes from others."""
    return RecordedRequest("GET", f"/{number}", None, 200, "default", 0.0)


def test_the_log_keeps_the_newest_requests() -> None:
    """The newest 50,000 requests are kept, oldest first; the numbers count all."""
    log = RequestLog()
    for number in range(1, 50_004):
        log.add(record(number), size=100)
    first, kept = log.numbered()
    assert (first, len(kept), kept[0].path, kept[-1].path) == (4, 50_000, "/4", "/50003")
    log.clear()
    assert log.numbered() == (50_004, [])


def test_the_log_is_limited_in_bytes(emulator: Emulator) -> None:
    """Requests of many megabytes drop older ones: of 14 with 900 kB, 10 MB are kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(emulator), timeout=5)
    for number in range(14):
        connection.request("PUT", f"{LIST}/{number}", b"x" * 900_000, {"Authorization": "Bearer x"})
        connection.getresponse().read()
    connection.close()
    assert [request.path for request in emulator.requests] == [f"{LIST}/{number}" for number in range(3, 14)]


def test_one_large_request_leaves_the_log_empty_or_whole() -> None:
    """What alone is more than the limit is not kept, and the next one is."""
    log = RequestLog(requests=2, size=10)
    log.add(record(1), size=11)
    assert log.kept() == []
    log.add(record(2), size=10)
    assert log.kept() == [record(2)]


def test_the_log_can_be_read_while_requests_arrive() -> None:
    """Reading and clearing the log does not disturb those that write it."""
    log, errors = RequestLog(requests=50), []

    def write() -> None:
        for number in range(2000):
            log.add(record(number), size=1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            assert len(log.kept()) <= 50
        except RuntimeError as error:
            errors.append(error)
    assert errors == []
    assert log.numbered()[0] + len(log.kept()) == 8001
