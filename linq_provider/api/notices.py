"""Messages to the user about calls that take long."""

import threading
from collections.abc import Callable

TELL_AFTER = 5.0  # seconds of a call; after a longer silence users think that nothing happens
TELL_EVERY = 10.0  # seconds; many calls wait for the same reason


class Notices:
    """Reports what is waited for, at most once in `TELL_EVERY` seconds. Safe to share between threads."""

    def __init__(self, notify: Callable[[str], object], *, clock: Callable[[], float]) -> None:
        self._notify = notify
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at: float | None = None

    def is_long(self, seconds: float) -> bool:
        """Whether a call that takes so long should be reported."""
        return seconds >= TELL_AFTER

    def due_in(self, seconds_so_far: float) -> float:
        """Seconds until a call that has taken so long should be reported."""
        return TELL_AFTER - seconds_so_far if seconds_so_far < TELL_AFTER else TELL_AFTER

    def tell(self, text: str) -> None:
        """Send the message, unless another was sent a moment ago."""
        now = self._clock()
        with self._lock:
            if self._told_at is not None and now < self._told_at + TELL_EVERY:
                return
            self._told_at = now
        self._notify(text)
