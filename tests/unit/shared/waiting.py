"""Waiting for what another thread or process brings about."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again until the condition is true; fail after 20 s."""
    ending = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ending, "the condition did not come true within 20 s"
        time.sleep(0.005)
