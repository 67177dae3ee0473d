"""What all unit tests share."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Look again and again until another thread or process has made a condition true; fail after 20 s."""

    def wait_until(condition: Callable[[], object]) -> None:
        ending = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < ending, "the condition did not come true within 20 s"
            time.sleep(0.005)

    return wait_until
