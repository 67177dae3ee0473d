"""A TCP server that sends what a test wants, byte by byte, and transports and clients for it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

from linq_provider.api.client import LinqClient
from linq_provider.api.transport import Answer, Transport
from linq_provider.config import Settings

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
        self.closing = threading.Event()

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
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
                if server.closing.wait(pause):
                    return

    return serve


def silent(server: RawServer, connection: socket.socket) -> None:
    """Reads, and never sends anything."""
    while chunk := connection.recv(65536):
        server.received.append(chunk)


def reset(server: RawServer, connection: socket.socket) -> None:
    """RST in place of an answer."""
    server.received.append(read_request(connection))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


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
