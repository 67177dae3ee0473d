"""Reads requests from a socket within limits of size and time, so that no client can use up memory or threads."""

import re
import select
import socket
import time
from dataclasses import dataclass
from email.message import Message

from linq_provider.emulator.api import PHRASES, ApiError

_RECEIVE_BYTES = 65_536
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


@dataclass(frozen=True)
class Limits:
    """What one connection may use."""

    # For request line and headers. A Linq client sends less than 1 kB, and servers commonly allow 8 to 64 kB.
    head_bytes: int = 65_536
    # A Linq client sends 40 bytes. The limit allows tests that send far too much.
    body_bytes: int = 1_000_000
    # From the first byte of a request, or the start of a connection, to the last byte. Clients send it all at once.
    request_seconds: float = 10.0
    # Between two requests. Longer than the pauses of a Pulumi run, so that a run keeps its connections.
    idle_seconds: float = 60.0
    # For the client to receive an answer. As long as a Linq client waits for one by default.
    answer_seconds: float = 120.0
    # For the client to read a refusal while it still sends: closing with unread bytes would destroy the answer.
    linger_seconds: float = 2.0


class RequestRefused(Exception):
    """The request violates HTTP or a limit: it is answered with `error`, and the connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.error: ApiError = ApiError(status, 1000, f"{PHRASES[status]}: {message}")


class Incoming:
    """Reads the requests that a client sends over one connection."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._received = bytearray()
        # The socket's timeout is for answers; changing it for each read would be slow with many threads.
        connection.settimeout(limits.answer_seconds)
        self._readable = select.poll()
        self._readable.register(connection, select.POLLIN)
        self._patience = limits.request_seconds
        self._deadline = 0.0

    def read_head(self) -> bytes:
        """Request line and headers of the next request; b"" if the client closes, or sends nothing in time."""
        if not self._wait_for_request():
            return b""
        searched = 0
        while (end := _BLANK_LINE.search(self._received, max(0, searched - 2))) is None:
            searched = len(self._received)
            self._check_head(searched)
            if not self._receive():
                return b""
        self._check_head(end.end())
        return self._take(end.end())

    def read_body(self, headers: Message, *, expects_continue: bool) -> bytes:
        """The body that the headers announce; `expects_continue`: the client sends it only after a 100."""
        chunked, length = _framing(headers)
        self._check_body(length)
        if expects_continue:
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._read_chunks() if chunked else self._read_exactly(length)

    def discard(self) -> None:
        """End our side of the connection, and continue to read briefly, so that the client can read the answer."""
        self._received.clear()
        self._set_deadline(self._limits.linger_seconds)
        try:
            self._connection.shutdown(socket.SHUT_WR)
            while self._receive():
                self._received.clear()
        except (OSError, RequestRefused):
            pass  # The client is gone, or still sends after its time is up.

    def _wait_for_request(self) -> bool:
        self._set_deadline(self._patience)
        self._patience = self._limits.idle_seconds
        try:
            while not self._skip_blank_lines():
                if not self._receive():
                    return False
        except RequestRefused:
            return False
        self._set_deadline(self._limits.request_seconds)
        if not chr(self._received[0]).isalpha():
            raise RequestRefused(400, "this is no HTTP request. The emulator takes http://, not https://.")
        return True

    def _skip_blank_lines(self) -> bool:
        self._received = self._received.lstrip(b"\r\n")
        return bool(self._received)

    def _set_deadline(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def _receive(self) -> bool:
        """Wait for more; False if the client closes, RequestRefused if its time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0 or not self._readable.poll(left * 1000):
            seconds = self._limits.request_seconds
            raise RequestRefused(408, f"the request was not complete after {seconds:g} seconds.")
        more = self._connection.recv(_RECEIVE_BYTES)
        self._received += more
        return bool(more)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _read_exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            if not self._receive():
                raise RequestRefused(400, "the connection ended before the body was complete.")
        return self._take(size)

    def _read_line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            self._check_head(len(self._received))
            if not self._receive():
                raise RequestRefused(400, "the connection ended before the body was complete.")
        self._check_head(end)
        return self._take(end + 1).strip()

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := self._read_chunk_size():
            self._check_body(len(body) + size)
            body += self._read_exactly(size)
            if self._read_line():
                raise RequestRefused(400, "a chunk of the body is longer than its size says.")
        self._skip_trailers()
        return bytes(body)

    def _read_chunk_size(self) -> int:
        text = self._read_line().partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(text):
            raise RequestRefused(400, "a chunk of the body has no valid size.")
        return int(text, 16)

    def _skip_trailers(self) -> None:
        size = 0
        while line := self._read_line():
            size += len(line)
            self._check_head(size)

    def _check_head(self, size: int) -> None:
        if size > self._limits.head_bytes:
            raise RequestRefused(431, f"headers of more than {self._limits.head_bytes} bytes are not read.")

    def _check_body(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise RequestRefused(413, f"a body of more than {self._limits.body_bytes} bytes is not read.")


def _framing(headers: Message) -> tuple[bool, int]:
    """Whether the body is sent in chunks, and if not, its length. Without either header there is no body."""
    lengths = {value.strip() for value in headers.get_all("Content-Length", [])}
    encodings = [value.strip().lower() for value in headers.get_all("Transfer-Encoding", [])]
    if encodings:
        if lengths:
            raise RequestRefused(400, "Content-Length and Transfer-Encoding cannot both be given.")
        if encodings != ["chunked"]:
            raise RequestRefused(501, "the only transfer encoding that the emulator knows is chunked.")
        return True, 0
    length = lengths.pop() if lengths else "0"
    if lengths or not _LENGTH.fullmatch(length):
        raise RequestRefused(400, "Content-Length is not one whole number.")
    return False, int(length)
