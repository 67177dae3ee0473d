"""One HTTP exchange: what goes over the wire, what does not, and that it ends."""

from __future__ import annotations

import contextlib
import gc
import gzip
import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_provider._version import __version__
from linq_provider.api.client import LinqClient
from linq_provider.api.transport import CONNECT_TIMEOUT, READ_TIMEOUT, Answer, Transport
from linq_provider.config import Settings
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIResponseValidationError,
    LinqError,
)

KEY = "canary-5d0e7c913f"
LIST = "/v3/phone_numbers"
EMPTY = b'{"phone_numbers": []}'


def http(body: bytes = EMPTY, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer; `headers` are lines that end in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("utf-8") + body


def read_request(connection: socket.socket) -> bytes:
    """One request with its body, b"" at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0].split(b":")[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class RawServer:
    """A TCP server on 127.0.0.1 that hands each connection to `serve`; counts them and keeps what it read."""

    def __init__(self, serve: Callable[[RawServer, socket.socket], None], *, tls: ssl.SSLContext | None = None) -> None:
        self._serve, self._tls = serve, tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.received: list[bytes] = []
        self.ended = threading.Event()

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._serve(self, connection)
        with contextlib.suppress(OSError):
            connection.close()
        self.ended.set()


def answering(*answers: bytes) -> Callable[[RawServer, socket.socket], None]:
    """Keep-alive: the answers in turn, the last one for ever."""
    left = list(answers)

    def serve(server: RawServer, connection: socket.socket) -> None:
        while request := read_request(connection):
            server.received.append(request)
            connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    return serve


def sending(head: bytes, *chunks: bytes, pause: float = 0.0, times: int = 1) -> Callable[[RawServer, Any], None]:
    """After one request: `head`, then the chunks `times` over with pauses, then the end of the connection."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(read_request(connection))
        connection.sendall(head)
        for _ in range(times):
            for chunk in chunks:
                connection.sendall(chunk)
                time.sleep(pause)

    return serve


def silent(server: RawServer, connection: socket.socket) -> None:
    """Reads, and never says anything."""
    while chunk := connection.recv(65536):
        server.received.append(chunk)


def reset(server: RawServer, connection: socket.socket) -> None:
    """RST in place of an answer."""
    server.received.append(read_request(connection))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def tunnel_to(port: int) -> Callable[[RawServer, socket.socket], None]:
    """An HTTP proxy that grants every CONNECT and leads it to a local port."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as target:
            threading.Thread(target=pump, args=(server, connection, target), daemon=True).start()
            pump(server, target, connection)

    return serve


def pump(server: RawServer, source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the end; keeps them."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            server.received.append(chunk)
            target.sendall(chunk)


class Waits:
    """Stands in for `sleep`: returns at once, and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        """Do not wait."""
        self.seconds.append(seconds)


def client_to(base_url: str, *, timeout: float = 5.0, max_retries: int = 7) -> LinqClient:
    """A client that does not really wait between attempts."""
    settings = Settings(
        api_key=KEY, api_key_source="linq:apiKey", base_url=base_url, timeout=timeout, max_retries=max_retries
    )
    return LinqClient(settings, sleep=Waits())


def get(transport: Transport, *, seconds: float = 5.0, max_bytes: int = 1_000_000) -> Answer:
    """`GET /v3/phone_numbers`."""
    return transport.exchange("GET", LIST, json=None, seconds=seconds, max_bytes=max_bytes)


def put(transport: Transport, *, seconds: float = 5.0) -> Answer:
    """`PUT /v3/phone_numbers/line`."""
    body = {"forwarding_number": "+12025559999"}
    return transport.exchange("PUT", f"{LIST}/line", json=body, seconds=seconds, max_bytes=1_000_000)


def transport_to(server: RawServer, *, scheme: str = "http") -> Transport:
    """A transport to a local server."""
    return Transport(base_url=f"{scheme}://127.0.0.1:{server.port}", api_key=KEY)


def headers_of(request: bytes) -> dict[str, str]:
    """Header names in lower case."""
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.fixture(autouse=True)
def _no_network_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


# What is sent


def test_a_get_carries_the_key_the_user_agent_and_no_body() -> None:
    """The request line is the API root's path and the call's; the key goes as a bearer token."""
    with RawServer(answering(http())) as server:
        get(Transport(base_url=f"http://127.0.0.1:{server.port}/api/partner", api_key=KEY))
    headers = headers_of(server.received[0])
    assert server.received[0].startswith(b"GET /api/partner/v3/phone_numbers HTTP/1.1\r\n")
    assert server.received[0].endswith(b"\r\n\r\n")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"] == f"linq-provider/{__version__}"
    assert headers["accept"] == "application/json"


def test_a_put_carries_json() -> None:
    """One object with one member, as Linq's API reference shows it."""
    with RawServer(answering(http())) as server:
        put(transport_to(server))
    assert headers_of(server.received[0])["content-type"] == "application/json"
    assert json.loads(server.received[0].partition(b"\r\n\r\n")[2]) == {"forwarding_number": "+12025559999"}


def test_row_30_netrc_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login that ~/.netrc or $NETRC holds for the host does not replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(answering(http())) as server:
        get(transport_to(server))
    assert headers_of(server.received[0])["authorization"] == f"Bearer {KEY}"


def test_cookies_of_the_server_do_not_stop_the_next_call() -> None:
    """Whatever a gateway sets, the next request is answered the same."""
    with RawServer(answering(http(headers="Set-Cookie: a=b; Path=/\r\n"))) as server:
        transport = transport_to(server)
        assert [get(transport).status_code, get(transport).status_code] == [200, 200]


# Connections


def test_row_20_each_thread_keeps_one_connection_alive() -> None:
    """Many calls of one thread use one connection; two threads use two."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        for _ in range(5):
            get(transport)
        assert server.connections == 1
        other = threading.Thread(target=lambda: [put(transport) for _ in range(5)])
        other.start()
        other.join()
        assert server.connections == 2
        assert len(server.received) == 10


def test_the_connection_of_a_thread_that_ended_is_closed() -> None:
    """A process that uses many short-lived threads does not collect sockets."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        thread = threading.Thread(target=get, args=(transport,))
        thread.start()
        thread.join()
        deadline = time.monotonic() + 2  # Python 3.13 may clear what was the thread's own only after the join
        while not server.ended.wait(0.05) and time.monotonic() < deadline:
            gc.collect()
        assert server.ended.is_set()


def test_close_closes_the_connections_of_all_threads() -> None:
    """Nothing stays open behind a closed transport."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        get(transport)
        transport.close()
        assert server.ended.wait(2)


# The answer and its size


def test_an_answer_of_exactly_the_limit_is_read() -> None:
    """The limit is inclusive."""
    with RawServer(answering(http(b"x" * 1000))) as server:
        assert get(transport_to(server), max_bytes=1000).body == b"x" * 1000


@pytest.mark.parametrize(
    "answer",
    [
        http(b"x" * 1001),
        http(gzip.compress(b"\0" * 1_000_000), headers="Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
    ],
    ids=["plain", "gzip", "chunked"],
)
def test_an_answer_larger_than_the_limit_is_marked_as_such(answer: bytes) -> None:
    """Counted in decoded bytes, however it is packed."""
    with RawServer(answering(answer)) as server:
        assert get(transport_to(server), max_bytes=1000).problem == "an answer larger than 1000 bytes"


def test_the_list_may_have_8_mib_and_no_byte_more() -> None:
    """8 MiB pass the client, one byte more is a typed error after one request."""
    padding = b" " * (8 * 1024 * 1024 - len(EMPTY))
    with RawServer(answering(http(EMPTY + padding), http(EMPTY + padding + b" "))) as server:
        client = client_to(f"http://127.0.0.1:{server.port}")
        assert client.list_phone_numbers() == []
        with pytest.raises(APIResponseValidationError, match="larger than 8388608 bytes"):
            client.list_phone_numbers()
        assert len(server.received) == 2


def test_row_06_of_an_error_page_only_the_beginning_is_read() -> None:
    """A page larger than the limit still tells its status."""
    with RawServer(answering(http(b"<" * 300_000, status="502 Bad Gateway"))) as server:
        answer = get(transport_to(server), max_bytes=1000)
    assert answer.status_code == 502
    assert len(answer.body) < 200_000


def test_row_13_of_a_redirect_that_never_ends_only_the_beginning_is_read() -> None:
    """A redirect's body has the same limit as any other, and does not last until the deadline."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"
    with RawServer(sending(head, b"x" * 65536, pause=0.001, times=100_000)) as server:
        started = time.monotonic()
        assert get(transport_to(server), seconds=3.0, max_bytes=1000).status_code == 302
        assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(
    "answer",
    [
        http(b"this is no gzip", headers="Content-Encoding: gzip\r\n"),
        http(gzip.compress(EMPTY)[:-3] + b"abc", headers="Content-Encoding: gzip\r\n"),
    ],
    ids=["not-gzip", "checksum"],
)
def test_row_07_a_success_that_cannot_be_decoded_is_a_typed_error(answer: bytes) -> None:
    """Not retried, and never success; after a PUT the outcome is open."""
    with RawServer(answering(answer)) as server:
        with pytest.raises(APIResponseValidationError):
            client_to(f"http://127.0.0.1:{server.port}").list_phone_numbers()
        assert len(server.received) == 1


# The end of an exchange


@pytest.mark.parametrize(
    "serve",
    [
        sending(b"", *[bytes([b]) for b in http()], pause=0.02, times=100),
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x", pause=0.02, times=5000),
        sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.02, times=5000),
        sending(b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n", pause=0.02, times=90),
        sending(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02, times=5000),
        silent,
    ],
    ids=["all-drips", "body-drips", "chunks-drip", "headers-drip", "continues", "hangs"],
)
def test_row_11_an_answer_that_never_ends_ends_at_the_deadline(
    serve: Callable[[RawServer, Any], None],
) -> None:
    """Byte by byte, chunk by chunk, header by header or not at all: the thread is free again in time."""
    with RawServer(serve) as server:
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(transport_to(server), seconds=0.2)
        assert 0.15 < time.monotonic() - started < 1.2


def test_row_11_a_server_that_never_accepts_ends_at_the_deadline() -> None:
    """The connection stands, in the backlog, and nobody reads from it."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        transport = Transport(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", api_key=KEY)
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            put(transport, seconds=0.2)
        assert time.monotonic() - started < 1.2


def test_row_11_a_tls_handshake_that_hangs_ends_at_the_deadline() -> None:
    """Also before there is an encrypted connection."""
    with RawServer(silent) as server:
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(transport_to(server, scheme="https"), seconds=0.2)
        assert time.monotonic() - started < 1.2


def test_row_11_the_deadline_holds_on_a_connection_that_was_used_before() -> None:
    """Keep-alive: the second answer drips, and ends in time too."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(http())
        sending(b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n", pause=0.02, times=90)(server, connection)

    with RawServer(serve) as server:
        transport = transport_to(server)
        assert get(transport).status_code == 200
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(transport, seconds=0.2)
        assert time.monotonic() - started < 1.2
        assert server.connections == 1


def test_row_11_the_deadline_holds_while_a_proxy_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers CONNECT header by header: there is no tunnel yet, and the call ends in time."""
    with RawServer(sending(b"HTTP/1.1 200 OK\r\n", b"X-Header: x\r\n", pause=0.02, times=90)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url="https://api.linq.example", api_key=KEY), seconds=0.2)
        assert time.monotonic() - started < 1.2


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

    with RawServer(serve) as server, pytest.raises(APIConnectionTimeoutError, match="no complete answer in time"):
        get(transport_to(server), seconds=20.0)


@pytest.mark.skipif(sys.platform != "linux", reason="fills a queue of connections as Linux keeps it")
def test_row_11_a_connection_that_is_never_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has a short limit of its own, long before the deadline, and is told as a timeout."""
    monkeypatch.setattr("linq_provider.api.transport.CONNECT_TIMEOUT", 0.2)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url=f"http://127.0.0.1:{full.getsockname()[1]}", api_key=KEY), seconds=20.0)
        assert time.monotonic() - started < 5


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


def test_a_timeout_says_what_to_do() -> None:
    """Which call, and which setting gives it more time."""
    with RawServer(silent) as server, pytest.raises(APIConnectionTimeoutError) as caught:
        get(transport_to(server), seconds=0.05)
    assert str(caught.value).startswith("GET /v3/phone_numbers: no complete answer in time. ")
    assert "linq:timeout" in caught.value.next_step


def test_a_refused_connection_is_transient_and_says_so_plainly() -> None:
    """In the words of the operating system, without addresses of objects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(APIConnectionError, match=r"the connection failed \(Connection refused\)") as caught:
        get(Transport(base_url=f"http://127.0.0.1:{port}", api_key=KEY))
    assert caught.value.transient
    assert caught.value.next_step.endswith(".")


def test_a_name_that_cannot_be_resolved_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS may be back in a moment: max_retries more attempts, then a plain sentence."""
    asked: list[object] = []

    def unresolved(*args: object, **_: object) -> None:
        asked.append(args[0])
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", unresolved)
    with pytest.raises(APIConnectionError, match="Temporary failure in name resolution"):
        client_to("https://api.linq.example", max_retries=2).list_phone_numbers()
    assert asked == ["api.linq.example"] * 3


@settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.binary(max_size=100)
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 302 Found\r\nLocation: " + tail + b"\r\n\r\n")
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail)
    | st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n{}",
            b"HTTP/1.1 99999 \r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n{}",
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
            b"HTTP/1.1 429 Slow\r\nRetry-After: \xd9\xa3\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
        ]
    )
)
def test_row_07_whatever_bytes_come_back_nothing_but_linq_error_leaves(data: bytes) -> None:
    """Status line, headers and body may be anything: an exception of another type never escapes."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)

    with RawServer(serve) as server:
        client = client_to(f"http://127.0.0.1:{server.port}", timeout=1.0, max_retries=0)
        with pytest.raises(LinqError) as caught:
            client.set_forwarding_number("line", "+12025559999")
        assert KEY not in str(caught.value)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("location", [b"http://[", b"http://\xff\xfe/", b"//", b"", b"http://a:b:c/"])
def test_row_13_a_redirect_to_no_address_is_still_an_answer(location: bytes) -> None:
    """Nothing tries to make sense of where it points."""
    with RawServer(
        sending(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
    ) as server:
        assert get(transport_to(server)).status_code == 302


# Proxies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_row_30_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """With every proxy variable set, what is meant for this machine stays on it."""
    with RawServer(answering(http())) as server, RawServer(silent) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        transport = Transport(base_url=f"http://{host}:{server.port}", api_key=KEY)
        assert get(transport).status_code == 200
        assert put(transport).status_code == 200
        assert (proxy.connections, proxy.received) == (0, [])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts."""
    return trustme.CA()


def tls_for(authority: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
    """A server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=not_after).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REQUESTS_CA_BUNDLE names the authority."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.mark.usefixtures("trusted")
def test_row_30_https_proxy_is_honoured_and_never_sees_the_key(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is asked for a tunnel to the host, and what it carries is encrypted."""
    tls = tls_for(authority, "api.linq.example")
    with RawServer(answering(http()), tls=tls) as server, RawServer(tunnel_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert get(Transport(base_url="https://api.linq.example", api_key=KEY)).status_code == 200
        assert proxy.received[0].startswith(b"CONNECT api.linq.example:443 HTTP/1.")
        assert KEY.encode() not in b"".join(proxy.received)
        assert headers_of(server.received[0])["authorization"] == f"Bearer {KEY}"


@pytest.mark.usefixtures("trusted")
def test_row_11_the_deadline_holds_through_a_proxy(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted answer that drips through a tunnel ends in time too."""
    drip = sending(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x", pause=0.02, times=5000)
    tls = tls_for(authority, "api.linq.example")
    with RawServer(drip, tls=tls) as server, RawServer(tunnel_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        started = time.monotonic()
        with pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url="https://api.linq.example", api_key=KEY), seconds=0.25)
        assert time.monotonic() - started < 1.2


def test_row_30_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that NO_PROXY names is asked for directly, any other through the proxy."""
    with RawServer(reset) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.2")
        with pytest.raises(APIConnectionError, match="Connection refused"):
            get(Transport(base_url="https://127.0.0.2:1", api_key=KEY))
        assert proxy.connections == 0
        with pytest.raises(APIConnectionError):
            get(Transport(base_url="https://127.0.0.3:1", api_key=KEY))
        assert proxy.received[0].startswith(b"CONNECT 127.0.0.3:1 HTTP/1.")


def test_row_30_a_proxy_that_asks_for_a_login_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """407: one attempt, and the hint names the variables; the proxy's own login is not printed."""
    asks = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with RawServer(asks) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError, match=r"407.*Check HTTPS_PROXY") as caught:
            client_to("https://api.linq.example").set_forwarding_number("line", "")
        assert proxy.connections == 1
    assert "hunter2" not in str(caught.value)
    assert KEY.encode() not in b"".join(proxy.received)


def test_row_30_a_proxy_that_resets_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like any other connection error: max_retries more attempts; the proxy's login is not printed."""
    with RawServer(reset) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError) as caught:
            client_to("https://api.linq.example", max_retries=2).list_phone_numbers()
        assert proxy.connections == 3
    assert "hunter2" not in str(caught.value)


def test_row_30_a_proxy_on_a_port_that_looks_like_407_is_not_taken_for_a_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the proxy's answer says 407, not its address."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:407")
    with pytest.raises(APIConnectionError, match="Connection refused") as caught:
        get(Transport(base_url="https://api.linq.example", api_key=KEY))
    assert caught.value.transient


@pytest.mark.parametrize("proxy", ["http://", "http://[", "http:///", "nonsense://x"])
def test_row_30_a_proxy_that_is_no_address_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """One attempt that sends nothing, and a hint at the variable."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(APIConnectionError, match="HTTPS_PROXY") as caught:
        get(Transport(base_url="https://api.linq.example", api_key=KEY))
    assert not caught.value.transient


# TLS


def test_row_12_an_unknown_authority_is_refused_in_one_attempt(authority: trustme.CA) -> None:
    """For a list and for a write: no byte of the request is sent, and the hint names REQUESTS_CA_BUNDLE."""
    with RawServer(answering(http()), tls=tls_for(authority, "127.0.0.1")) as server:
        client = client_to(f"https://127.0.0.1:{server.port}")
        with pytest.raises(APIConnectionError, match=r"TLS.*REQUESTS_CA_BUNDLE"):
            client.list_phone_numbers()
        assert server.connections == 1
        with pytest.raises(APIConnectionError, match=r"TLS.*REQUESTS_CA_BUNDLE") as caught:
            client.set_forwarding_number("line", "+12025559999")
        assert server.connections == 2
        assert server.received == []
    assert "may have been applied" not in str(caught.value)


def test_row_12_a_self_signed_certificate_is_refused_in_one_attempt(authority: trustme.CA) -> None:
    """What a server shows that signed its certificate itself; the message says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as certificate, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    with RawServer(answering(http()), tls=context) as server:
        with pytest.raises(APIConnectionError, match=r"TLS.*self.signed certificate.*REQUESTS_CA_BUNDLE"):
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert (server.connections, server.received) == (1, [])


@pytest.mark.usefixtures("trusted")
def test_row_12_requests_ca_bundle_is_honoured(authority: trustme.CA) -> None:
    """A company's own authority can be trusted."""
    with RawServer(answering(http()), tls=tls_for(authority, "127.0.0.1")) as server:
        assert client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers() == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("names", "not_after", "said"),
    [
        (("127.0.0.1",), datetime(2020, 1, 1, tzinfo=timezone.utc), "expired"),
        (("other.example",), None, "not valid for|mismatch|doesn't match"),
    ],
    ids=["expired", "wrong-host"],
)
def test_row_12_a_certificate_that_does_not_fit_is_refused_in_one_attempt(
    authority: trustme.CA, names: tuple[str, ...], not_after: datetime | None, said: str
) -> None:
    """Expired or for another host, from an authority that is trusted: the message says which."""
    with RawServer(answering(http()), tls=tls_for(authority, *names, not_after=not_after)) as server:
        with pytest.raises(APIConnectionError, match=f"TLS.*({said}).*Check linq:baseUrl"):
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert server.connections == 1
        assert server.received == []


def test_row_12_plain_http_on_a_tls_port_is_refused_in_one_attempt() -> None:
    """A server that does not speak TLS never gets the key in plaintext."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with RawServer(serve) as server:
        with pytest.raises(APIConnectionError, match=r"TLS.*linq:baseUrl"):
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert server.connections == 1
        assert KEY.encode() not in b"".join(server.received)


def test_row_12_a_tls_handshake_that_breaks_off_is_tried_again() -> None:
    """An end of the connection says nothing against the certificate: max_retries more attempts."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(connection.recv(65536))

    with RawServer(serve) as server:
        with pytest.raises(APIConnectionError, match="the connection failed"):
            client_to(f"https://127.0.0.1:{server.port}", max_retries=2).list_phone_numbers()
        assert server.connections == 3


def test_row_12_a_bundle_that_is_not_there_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mistyped REQUESTS_CA_BUNDLE is named, at once."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(APIConnectionError, match="REQUESTS_CA_BUNDLE") as caught:
        get(Transport(base_url="https://127.0.0.1:1", api_key=KEY))
    assert not caught.value.transient


def test_the_timeouts_are_those_of_the_policy() -> None:
    """docs/reliability.md promises 5 s to connect and 30 s without a byte."""
    assert (CONNECT_TIMEOUT, READ_TIMEOUT) == (5.0, 30.0)
