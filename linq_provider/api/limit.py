"""How many requests may be under way: fewer after a 429, then slowly more again, as TCP does."""

from __future__ import annotations

import math
import threading


class AdaptiveLimit:
    """The requests under way of one client. Safe to share between threads.

    There is no limit before the first 429. A 429 halves the number that was under way. As many successes as the limit
    allows raise it by one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._allowed = math.inf
        self._under_way = 0
        self._lowered = 0  # how often

    def begin(self, seconds: float) -> int | None:
        """Wait until one more request is allowed; return what `refused` needs, or None if the time runs out."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._under_way + 1 <= self._allowed, timeout=max(seconds, 0)):
                return None
            self._under_way += 1
            return self._lowered

    def end(self) -> None:
        """A request is over, or was not sent after all."""
        with self._changed:
            self._under_way -= 1
            self._changed.notify()

    def succeeded(self) -> None:
        """A request was answered with success."""
        with self._changed:
            self._allowed += 1 / self._allowed
            self._changed.notify()

    def refused(self, began: int) -> None:
        """A request was answered with 429; those that were under way at the same time count as one."""
        with self._changed:
            if began == self._lowered:
                self._lowered += 1
                self._allowed = max(min(self._allowed, self._under_way) / 2, 1.0)
