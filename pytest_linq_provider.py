"""The pytest fixture `linq_emulator`; pytest finds it once the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from linq_provider.emulator.server import Emulator


@pytest.fixture
def linq_emulator() -> Iterator[Emulator]:
    """A running emulator of Linq's API with three lines, fresh for each test."""
    from linq_provider.emulator.server import Emulator

    with Emulator() as emulator:
        yield emulator
