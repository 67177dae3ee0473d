"""Connections with a deadline for each exchange, even during the DNS look-up or if single bytes arrive slowly."""

from __future__ import annotations

import math
import os
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
        began = time.monotonic()
        self._connect_by, self._ends_by = began + connect_seconds, began + seconds
        tell_after, self._tell = after
        self.acts_at: float = began + min(tell_after, seconds)

    def __enter__(self) -> Watchdog:
        self._of_thread.watchdog = self
        _rounds.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        _rounds.end(self)
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

    def act(self) -> None:
        """Tell that the exchange takes long, and end it at its deadline, unless it ends itself before that."""
        if self.acts_at < self._ends_by:
            self._tell()
        if not self._over.wait(max(self._ends_by - time.monotonic(), 0)):
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


class _Rounds:
    """One thread for the watchdogs of all exchanges. A watchdog gets a separate thread only when it has to act.

    To start a thread for each exchange took a third of the time of a fleet.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Forget everything, as in a process that was just forked, which has no threads."""
        self._changed = threading.Condition()
        self._watchdogs: set[Watchdog] = set()
        self._looks_at = -math.inf  # when the thread looks at the watchdogs next; before it has started, never

    def begin(self, watchdog: Watchdog) -> None:
        """Have it act when its time comes."""
        with self._changed:
            self._watchdogs.add(watchdog)
            if self._looks_at == -math.inf:
                self._looks_at = watchdog.acts_at
                threading.Thread(target=self._look, name="linq-deadlines", daemon=True).start()
            elif watchdog.acts_at < self._looks_at:
                self._changed.notify()

    def end(self, watchdog: Watchdog) -> None:
        """Its exchange is over."""
        with self._changed:
            self._watchdogs.discard(watchdog)

    def _look(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for watchdog in [each for each in self._watchdogs if each.acts_at <= now]:
                    self._watchdogs.remove(watchdog)
                    threading.Thread(target=watchdog.act, name="linq-deadline", daemon=True).start()
                self._looks_at = min((each.acts_at for each in self._watchdogs), default=math.inf)
                self._changed.wait(min(self._looks_at - now, threading.TIMEOUT_MAX))


_rounds = _Rounds()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_rounds.start_over)


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
