"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Look again and again until the condition is true; fail after so many seconds."""
    ending = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ending, f"the condition did not come true within {seconds} s"
        time.sleep(0.005)
