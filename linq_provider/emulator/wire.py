"""Serves HTTP/1.1 on 127.0.0.1: reads requests, and sends the replies of a `Service` with their faults."""

import contextlib
import io
import select
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from linq_provider.emulator.api import PHRASES, Answer, ApiError, Request
from linq_provider.emulator.faults import NO_FAULT
from linq_provider.emulator.incoming import Incoming, Limits, RequestRefused
from linq_provider.emulator.page import Page
from linq_provider.emulator.service import Reply, Service
from linq_provider.emulator.visit import Hosts, Visit, refusal

HOST = "127.0.0.1"
# Closing a socket with this option sends RST instead of FIN.
_LINGER_0 = struct.pack("ii", 1, 0)
# How often the accept loop checks for stop(), and a hanging reply checks whether its client is gone.
_POLL_SECONDS = 0.02
_STOP_SECONDS = 2.0


class Server(ThreadingHTTPServer):
    """Listens from its construction, serves from `start()` to `stop()`, with one daemon thread per connection."""

    server_name: str
    server_port: int
    daemon_threads = True
    block_on_close = False
    # The default of 5 drops connections if a fleet opens many at once.
    request_queue_size = 1024

    def __init__(self, service: Service, page: Page, hosts: Hosts, *, port: int, limits: Limits) -> None:
        self.service = service
        self.page = page
        self.hosts = hosts
        self.limits = limits
        self.stopping: threading.Event = threading.Event()
        self.accepted_connections: int = 0
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        super().__init__((HOST, port), Handler)
        hosts.port = self.port

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Accept connections, in a separate thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the listener and every connection, even those that are idle or hang, and wait for their threads."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        self._thread.join(_STOP_SECONDS)
        with self._changed:
            for connection in self._open:
                _shut(connection, socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, _STOP_SECONDS)

    def server_bind(self) -> None:
        """Bind without a DNS query for the name of this host, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection that was accepted, and remember it for `stop()`."""
        with self._changed:
            self.accepted_connections += 1
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, without the FIN of the base class, which would hide a reset."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_LINGER_0)) != _LINGER_0:
            _shut(request, socket.SHUT_WR)
        self.close_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that goes away is not an error here."""


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    server: Server
    close_connection: bool
    command = ""
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _closes_on_reuse = False
    _expects_continue = False
    _has_unread = False

    def setup(self) -> None:
        """Take over a connection that was accepted."""
        super().setup()
        self.rfile.close()  # Requests are read from the socket directly, within limits.
        self._incoming = Incoming(self.connection, self.server.limits)

    def handle_one_request(self) -> None:
        """Read one request and answer it; sets `close_connection` when it was the last."""
        self.close_connection = True
        try:
            if self._read_head():
                self._answer()
        except RequestRefused as refused:
            self._refuse(refused.error)
        if self._has_unread:
            self._incoming.discard()

    def handle_expect_100(self) -> bool:
        """Do not send 100 yet: it is sent only if the body is wanted."""
        self._expects_continue = True
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request that the base class cannot parse."""
        raise RequestRefused(code, f"{message or explain or 'the request is not valid'}.")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def _read_head(self) -> bool:
        self._expects_continue = False
        self.rfile: io.BytesIO = io.BytesIO(self._incoming.read_head())
        self.raw_requestline = self.rfile.readline()
        return bool(self.raw_requestline) and self.parse_request()

    def _answer(self) -> None:
        visit = Visit.of(self.command, self.path, self.headers)
        if self.server.page.takes(visit):
            answer = self.server.page.respond(visit, body=self._read_body())
            self._put_answer(Reply(answer, NO_FAULT))
        elif error := refusal(visit, self.server.hosts):
            self._refuse(error)
        else:
            self._answer_api(Request(self.command, self.path, self.headers.get("Authorization")))

    def _answer_api(self, request: Request) -> None:
        if self._closes_on_reuse:
            self.server.service.log_unanswered(request)
            self.close_connection = True
        else:
            self._put(self.server.service.take(request, read_body=self._read_body))

    def _read_body(self) -> bytes:
        try:
            return self._incoming.read_body(self.headers, expects_continue=self._expects_continue)
        except RequestRefused:
            self._leave_unread()
            raise

    def _leave_unread(self) -> None:
        self._has_unread = self.close_connection = True

    def _refuse(self, error: ApiError) -> None:
        self._leave_unread()
        self._put_answer(Reply(self.server.service.api.error(error), NO_FAULT))

    def _put(self, reply: Reply) -> None:
        fault, stopping = reply.fault, self.server.stopping
        wait = self.server.service.delay + (0 if fault.wire == "drip" else fault.seconds)
        if (wait and stopping.wait(wait)) or stopping.is_set():
            self.close_connection = True
        elif reply.answer is None:
            self._give_no_answer(reply)
        else:
            self._put_answer(reply)

    def _give_no_answer(self, reply: Reply) -> None:
        if reply.fault.wire == "hang":
            self._hang()
        else:
            self._reset()

    def _put_answer(self, reply: Reply) -> None:
        assert reply.answer is not None
        head, body = _encode(reply.answer, with_body=self.command != "HEAD", is_last=self._has_unread)
        wire, half = reply.fault.wire, body[: len(body) // 2]
        if wire == "drip":
            self._drip(head + body, interval=reply.fault.seconds)
        elif wire == "hang-after-headers":
            self.connection.sendall(head)
            self._hang()
        elif wire == "reset-mid-body":
            self.connection.sendall(head + half)
            self._reset()
        elif wire == "truncated":
            self.connection.sendall(head + half)
            self.close_connection = True
        else:
            # One call, because a second small segment would wait 40 ms for the client's delayed ACK.
            self.connection.sendall(head + body)
            self.close_connection |= wire == "close-idle"
            self._closes_on_reuse = wire == "close-on-reuse"

    def _drip(self, data: bytes, *, interval: float) -> None:
        for index in range(len(data)):
            self.connection.sendall(data[index : index + 1])
            if self.server.stopping.wait(interval):
                return

    def _hang(self) -> None:
        self.close_connection = True
        while not self.server.stopping.wait(_POLL_SECONDS) and not _peer_is_gone(self.connection):
            pass

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self.close_connection = True


def _encode(answer: Answer, *, with_body: bool, is_last: bool) -> tuple[bytes, bytes]:
    """Headers and body; the headers are UTF-8, because Retry-After may be any text."""
    headers = {"content-type": ("Content-Type", "application/json")}
    headers["content-length"] = ("Content-Length", str(len(answer.body)))
    if is_last:
        headers["connection"] = ("Connection", "close")
    headers.update({name.lower(): (name, value) for name, value in answer.headers})
    status_line = f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Error')}"
    lines = [status_line, *(f"{name}: {value}" for name, value in headers.values())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(), answer.body if with_body else b""


def _peer_is_gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):  # The peer may have closed first.
        connection.shutdown(how)
