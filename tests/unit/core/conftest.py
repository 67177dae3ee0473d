"""A world of three lines, for the tests of one forwarding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lifecycles import NUMBERS, Clock, World

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.emulator import Emulator


@pytest.fixture
def world() -> Iterator[World]:
    """Sales, support and night, none forwarded."""
    clock = Clock()
    with Emulator([{"id": id_, "phone_number": number} for id_, number in NUMBERS.items()], clock=clock) as emulator:
        client = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, timeout=10, max_retries=0))
        yield World(emulator, client, clock)
        client.close()


@pytest.fixture
def emulator(world: World) -> Emulator:
    """The server of the world."""
    return world.emulator


@pytest.fixture
def lifecycle(world: World) -> ForwardingLifecycle:
    """One provider process."""
    return world.process()
