"""An emulator with two lines, and a client of it that does not really wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clients import LINE, LINES, OLD, OTHER, FakeTime, client_of

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator


@pytest.fixture(autouse=True)
def _no_network_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def shared_emulator() -> Iterator[Emulator]:
    """Two lines, the first of them forwarded to OLD."""
    with Emulator(LINES) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    """The same, as if it had just been started."""
    shared_emulator.clear_faults()
    shared_emulator.clear_requests()
    shared_emulator.set_forwarding(LINE, OLD)
    shared_emulator.set_forwarding(OTHER, None)
    return shared_emulator


@pytest.fixture
def own_emulator() -> Iterator[Emulator]:
    """The same, for a test after which requests may still arrive, or that changes more than forwardings."""
    with Emulator(LINES) as running:
        yield running


@pytest.fixture
def fake() -> FakeTime:
    """The time of the client."""
    return FakeTime()


@pytest.fixture
def client(emulator: Emulator, fake: FakeTime) -> Iterator[LinqClient]:
    """A client that does not really wait between attempts."""
    with_fake_time = client_of(emulator, fake)
    yield with_fake_time
    with_fake_time.close()
