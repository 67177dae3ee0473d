"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def wait_until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Look again and again until the condition is true; fail after so many seconds."""
    ending = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ending, f"the condition did not come true within {seconds} s"
        time.sleep(0.005)


@contextmanager
def ending_within(seconds: float = 5) -> Iterator[None]:
    """Fail if the block takes longer. What it must not wait for takes far longer, since a test machine can be busy."""
    started = time.monotonic()
    yield
    assert (took := time.monotonic() - started) < seconds, f"{took:.1f} s instead of less than {seconds}"
