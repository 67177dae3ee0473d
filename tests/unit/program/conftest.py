"""A program that runs against no engine."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
import pytest
from registered import Registered


@pytest.fixture
def registered() -> Iterator[Registered]:
    """A separate run of a program, without configuration."""
    mocks = Registered()
    pulumi.runtime.set_mocks(mocks)
    yield mocks
    pulumi.runtime.set_all_config({}, [])
