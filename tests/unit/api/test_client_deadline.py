"""LinqClient and time: every call ends at its deadline, and every wait when the client is closed."""

from __future__ import annotations

import threading

import pytest
from clients import LINE, NEW, FakeTime, client_of, methods
from waiting import ending_within, wait_until

from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIConnectionTimeoutError,
    LinqError,
)


@pytest.mark.parametrize(
    "fault",
    [Fault.hang(), Fault.hang_after_headers(), Fault.drip(0.02), Fault.delay(60.0)],
    ids=lambda fault: fault.name,
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_11_a_call_ends_at_the_timeout_whatever_the_server_does(
    own_emulator: Emulator, method: str, fault: Fault
) -> None:
    """No byte, no body, one byte at a time, too late: retries, look and all, the call ends in time."""
    own_emulator.fail(fault, times=None)
    client = client_of(own_emulator, timeout=0.1)
    with ending_within(5), pytest.raises(APIConnectionTimeoutError):
        client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)


def test_row_11_a_later_attempt_has_only_the_time_that_is_left(
    own_emulator: Emulator, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a wait of almost 20 of 20 seconds the next attempt ends at once."""
    monkeypatch.setattr("random.uniform", max)
    own_emulator.fail(Fault.rate_limited("18.8"))
    own_emulator.fail(Fault.hang(), times=None)
    with ending_within(5), pytest.raises(APIConnectionTimeoutError):
        client_of(own_emulator, fake, timeout=20.0, max_retries=1).list_phone_numbers()
    assert methods(own_emulator) == ["GET", "GET"]


def test_row_11_a_write_that_timed_out_and_was_applied_is_success(own_emulator: Emulator) -> None:
    """A quarter of the time is kept for finding out."""
    own_emulator.fail(Fault.hang_after_headers(), times=None, method="PUT")
    assert client_of(own_emulator, timeout=2.0).set_forwarding_number(LINE, NEW).forwarding_number == NEW
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
    thread.join(20)
    assert not thread.is_alive()
    assert "closed" in str(errors[0])
    assert len(own_emulator.requests) == 1
