"""Clients of the emulator, whose time only passes where they sleep."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.emulator import Emulator

LINE = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
OTHER = "2f9c7a10-0b1e-4c57-9d7b-6f3f6a1d2c44"
OLD, NEW = "+12025550000", "+12025559999"
LINES = (
    {"id": LINE, "phone_number": "+12025551234", "forwarding_number": OLD},
    {"id": OTHER, "phone_number": "+12025551235"},
)


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Return at once, later."""
        self.slept.append(seconds)
        self.now += seconds


def client_of(
    emulator: Emulator,
    fake: FakeTime | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    notify: Callable[[str], object] = lambda _: None,
    **changes: Any,
) -> LinqClient:
    """A client of the emulator with its key, and settings that are changed; in real time without any other."""
    settings = {"api_key": emulator.api_key, "api_key_source": "linq:apiKey", "base_url": emulator.url} | changes
    if fake is not None:
        clock, sleep = fake.clock, fake.sleep
    return LinqClient(Settings(**settings), clock=clock, sleep=sleep, notify=notify)


def methods(emulator: Emulator) -> list[str]:
    """The methods of the requests that arrived, in order."""
    return [request.method for request in emulator.requests]


def writes(emulator: Emulator) -> list[Any]:
    """The bodies of the PUTs that arrived with one, in order."""
    return [request.body for request in emulator.requests if request.method == "PUT" and request.body]


def put_answer(**changes: object) -> bytes:
    """The answer to a write of NEW, with changes."""
    row = {"id": LINE, "phone_number": "+12025551234", "forwarding_number": NEW, **changes}
    return json.dumps(row).encode()
