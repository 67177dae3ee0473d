"""The log of requests, which tests count and the page shows."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

# More than a test of a large account makes: listing, writing and clearing 10,000 lines takes about 20,000 requests.
KEPT_REQUESTS = 50_000
# All paths and bodies together; one body may have 1 MB, and 50,000 usual writes have 5 MB.
KEPT_BYTES = 10_000_000
# How many requests the page shows.
RECENT_REQUESTS = 200


@dataclass(frozen=True)
class RecordedRequest:
    """One request that arrived; the bearer token itself is never kept, only its label.

    `path` is as sent. `body` is the JSON value, or the text of a body that is not JSON, or None.
    `status` is None when no complete answer was sent. `at` is the time of arrival on the emulator's
    clock, by default `time.monotonic()`.
    """

    method: str
    path: str
    body: Any
    status: int | None
    token_label: str | None
    at: float


class RequestLog:
    """The newest requests, numbered from 1 in the order of their arrival; safe to use from several threads."""

    def __init__(self, *, requests: int = KEPT_REQUESTS, size: int = KEPT_BYTES) -> None:
        self._most = requests
        self._most_bytes = size
        self._lock = threading.Lock()
        self._kept: deque[tuple[RecordedRequest, int]] = deque()
        self._bytes = 0
        self._count = 0

    def add(self, request: RecordedRequest, *, size: int) -> None:
        """Keep one more request, of `size` bytes; if that is too much, drop the oldest ones."""
        with self._lock:
            self._kept.append((request, size))
            self._bytes += size
            self._count += 1
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                self._bytes -= self._kept.popleft()[1]

    def clear(self) -> None:
        """Drop all requests; the numbering continues."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def kept(self) -> list[RecordedRequest]:
        """The requests that are kept, oldest first."""
        return self.numbered()[1]

    def numbered(self) -> tuple[int, list[RecordedRequest]]:
        """The number of the oldest request that is kept (or of the next one), and all that are kept, oldest first."""
        with self._lock:
            return self._count - len(self._kept) + 1, [request for request, _ in self._kept]
