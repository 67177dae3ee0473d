"""Connections with a deadline for each exchange, even during the DNS look-up or if single bytes arrive slowly."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError


class Watchdog:
    """Ends the calling thread's exchange after `seconds` by shutting its socket.

    A read timeout starts again with every byte, so a server that sends a byte now and then could keep a call open.
    """

    _of_thread = threading.local()

    def __init__(self, seconds: float, *, connect_seconds: float, after: tuple[float, Callable[[], None]]) -> None:
        self.expired: bool = False
        self.connection: HTTPConnection | None = None
        self.answering: socket.socket | None = None  # the connection drops it if the answer has no length
        self._over = threading.Event()
        self._connect_by = time.monotonic() + connect_seconds
        self._thread = threading.Thread(target=self._watch, args=(seconds, *after), name="linq-deadline", daemon=True)

    def __enter__(self) -> Watchdog:
        self._of_thread.watchdog = self
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._of_thread.watchdog = None

    @classmethod
    def of_this_thread(cls) -> Watchdog | None:
        """The watchdog of the calling thread, if any."""
        watchdog: Watchdog | None = getattr(cls._of_thread, "watchdog", None)
        return watchdog

    @property
    def connect_seconds(self) -> float:
        """Seconds left for looking the host up and connecting to it."""
        return max(self._connect_by - time.monotonic(), 0.001)

    def _watch(self, seconds: float, tell_after: float, tell: Callable[[], None]) -> None:
        if tell_after < seconds:
            if self._over.wait(tell_after):
                return
            tell()
            seconds -= tell_after
        if not self._over.wait(seconds):
            self._expire()

    def _expire(self) -> None:
        self.expired = True
        while not self._over.is_set():  # the socket may not exist yet
            sock = self.connection.sock if self.connection is not None else None
            if (sock := sock or self.answering) is not None:
                # Not SSLSocket.shutdown, which would continue in plaintext.
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            self._over.wait(0.05)


class _Watched:
    """A connection that registers with the thread's watchdog."""

    def connect(self) -> None:
        self._watch()
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._watch()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> Any:
        if watchdog := Watchdog.of_this_thread():
            watchdog.answering = self.sock  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]

    def _watch(self) -> None:
        if watchdog := Watchdog.of_this_thread():
            watchdog.connection = self  # type: ignore[assignment]

    def _new_conn(self: Any) -> socket.socket:
        """Connect within the time that is left, divided among all addresses of the host."""
        watchdog = Watchdog.of_this_thread()
        if watchdog is not None and not hasattr(self, "_socks_options"):  # a SOCKS proxy may resolve the name
            addresses = _count_addresses(self, watchdog.connect_seconds)
            self.timeout = min(self.timeout, watchdog.connect_seconds / addresses)
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        return connected


def _count_addresses(connection: Any, seconds: float) -> int:
    """Look the host up in a separate thread, because the system's look-up has no deadline."""
    found: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(len(socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, name="linq-look-up", daemon=True).start()
    try:
        result = found.get(timeout=seconds)
    except queue.Empty:
        raise ConnectTimeoutError(connection, "timed out") from None
    if isinstance(result, Exception):
        raise NewConnectionError(connection, "not found") from result
    return max(result, 1)


@cache
def watched(connection: Any) -> Any:
    """The same kind of connection (HTTP, HTTPS or SOCKS), with a watchdog."""
    return type(connection.__name__, (_Watched, connection), {})
