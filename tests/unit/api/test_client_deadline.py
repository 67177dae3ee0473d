"""LinqClient and time: every call ends at its deadline, and every wait when the client is closed."""

from __future__ import annotations

import threading
import time

import pytest
from clients import LINE, NEW, FakeTime, client_of, methods
from waiting import wait_until

from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIConnectionTimeoutError,
    LinqError,
)


@pytest.mark.parametrize(
    "fault",
    [Fault.hang(), Fault.hang_after_headers(), Fault.drip(0.02), Fault.delay(5.0)],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_11_a_call_ends_at_the_timeout_whatever_the_server_does(
    own_emulator: Emulator, method: str, fault: Fault
) -> None:
    """No byte, no body, one byte at a time, too late: retries, look and all, the call ends in time."""
    own_emulator.fail(fault, times=None)
    client = client_of(own_emulator, timeout=0.1)
    started = time.monotonic()
    with pytest.raises(APIConnectionTimeoutError):
        client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)
    assert time.monotonic() - started < 1.25


def test_row_11_a_later_attempt_has_only_the_time_that_is_left(
    own_emulator: Emulator, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a wait of almost 5 of 5 seconds the next attempt ends at once."""
    monkeypatch.setattr("random.uniform", max)
    own_emulator.fail(Fault.rate_limited("4.7"))
    own_emulator.fail(Fault.hang(), times=None)
    started = time.monotonic()
    with pytest.raises(APIConnectionTimeoutError):
        client_of(own_emulator, fake, timeout=5.0, max_retries=1).list_phone_numbers()
    assert time.monotonic() - started < 1.2
    assert methods(own_emulator) == ["GET", "GET"]


def test_row_11_a_write_that_timed_out_and_was_applied_is_success(own_emulator: Emulator) -> None:
    """A quarter of the time is kept for finding out."""
    own_emulator.fail(Fault.hang_after_headers(), times=None, method="PUT")
    assert client_of(own_emulator, timeout=0.4).set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(own_emulator)[-1] == "GET"


def test_close_ends_every_wait(own_emulator: Emulator) -> None:
    """A thread that waits for a minute is free at once, with an error."""
    own_emulator.fail(Fault.rate_limited("50"), times=None)
    client = client_of(own_emulator)
    errors: list[LinqError] = []

    def call() -> None:
        try:
            client.list_phone_numbers()
        except LinqError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: client.retries)  # counted where the wait begins
    client.close()
    thread.join(1)
    assert not thread.is_alive()
    assert "closed" in str(errors[0])
    assert len(own_emulator.requests) == 1
