"""LinqClient and writes whose outcome is in doubt: the outcome is found out, or the error says it is unknown."""

from __future__ import annotations

import json

import pytest
from clients import LINE, NEW, OLD, OTHER, FakeTime, client_of, methods, put_answer, writes

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIError,
    APIResponseValidationError,
    ConflictError,
    InternalServerError,
    LinqError,
)

# Answers about something else


MISMATCHES = {
    "other-id": put_answer(id=OTHER),
    "other-number": put_answer(forwarding_number=OLD),
    "null": put_answer(forwarding_number=None),
    "no-number": json.dumps({"id": LINE, "phone_number": "+12025551234"}).encode(),
}


@pytest.mark.parametrize("body", MISMATCHES.values(), ids=MISMATCHES)
def test_row_08_an_answer_about_something_else_is_verified(client: LinqClient, emulator: Emulator, body: bytes) -> None:
    """One PUT, then a GET: equal is success, different is an error that says what may have happened."""
    emulator.fail(Fault.raw(body).applying(), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    emulator.set_forwarding(LINE, OLD)
    emulator.fail(Fault.raw(body), method="PUT")
    with pytest.raises(APIResponseValidationError, match="may have been applied"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["PUT", "GET", "PUT", "GET"]


def test_row_08_an_answer_with_the_id_in_capitals_is_the_same_line(client: LinqClient, emulator: Emulator) -> None:
    """UUIDs are compared without case."""
    emulator.fail(Fault.raw(put_answer(id=LINE.upper())), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).id == LINE
    assert methods(emulator) == ["PUT"]


# Answers that are lost


@pytest.mark.parametrize(
    "fault",
    [
        Fault.reset_before_read(),
        Fault.reset_after_write(),
        Fault.reset_mid_body(),
        Fault.truncated(),
        Fault.close_idle(),
        Fault.server_error().applying(),
        Fault.bad_gateway_html(size=2000).applying(),
    ],
    ids=lambda fault: fault.name,
)
def test_row_09_a_write_survives_one_lost_answer(client: LinqClient, emulator: Emulator, fault: Fault) -> None:
    """Before the request, after it was applied, amid the answer: success, at most two equal PUTs."""
    emulator.fail(fault, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert emulator.forwarding(LINE) == NEW
    assert set(methods(emulator)) == {"PUT"}
    assert 1 <= len(emulator.requests) <= 2
    assert all(body == {"forwarding_number": NEW} for body in writes(emulator))


@pytest.mark.parametrize(
    "fault",
    [Fault.reset_after_write(), Fault.reset_mid_body(), Fault.truncated(), Fault.server_error().applying()],
    ids=lambda fault: fault.name,
)
def test_row_09_reset_after_apply_is_success_when_the_list_shows_it(
    client: LinqClient, emulator: Emulator, fault: Fault
) -> None:
    """Every answer is lost: after 8 PUTs one GET finds the write applied."""
    emulator.fail(fault, times=None, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT"] * 8 + ["GET"]


@pytest.mark.parametrize("fault", [Fault.reset_before_read(), Fault.server_error()], ids=lambda fault: fault.name)
def test_row_09_a_write_that_never_arrives_is_an_error_that_says_may_have_been_applied(
    client: LinqClient, emulator: Emulator, fault: Fault
) -> None:
    """The list shows the old number, which may be old news: the next step looks before it writes."""
    emulator.fail(fault, times=None, method="PUT")
    with pytest.raises(LinqError, match=r"may have been applied: run `pulumi preview --refresh`"):
        client.set_forwarding_number(LINE, NEW)
    assert emulator.forwarding(LINE) == OLD
    assert methods(emulator) == ["PUT"] * 8 + ["GET"]


def test_row_09_where_the_list_fails_too_the_first_error_is_told(client: LinqClient, emulator: Emulator) -> None:
    """The error of the write, not that of the look after it."""
    emulator.fail(Fault.server_error(), times=None, method="PUT")
    emulator.fail(Fault.error(403), times=None, method="GET")
    with pytest.raises(InternalServerError, match=r"PUT .*3006.*may have been applied"):
        client.set_forwarding_number(LINE, NEW)


@pytest.mark.parametrize(
    "last", [Fault.rate_limited("600"), Fault.error(401), Fault.error(403)], ids=lambda fault: fault.name
)
def test_row_09_reset_after_apply_is_not_forgotten_behind_a_definite_answer(
    client: LinqClient, emulator: Emulator, last: Fault
) -> None:
    """First answer lost, second attempt refused: the result of the first is looked up, or reported as unknown."""
    emulator.fail(Fault.reset_after_write(), method="PUT")
    emulator.fail(last, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT", "PUT", "GET"]
    emulator.fail(Fault.reset_before_read(), method="PUT")
    emulator.fail(last, method="PUT")
    with pytest.raises(APIError, match="may have been applied") as caught:
        client.set_forwarding_number(LINE, OLD)
    assert caught.value.status_code == int(last.name)


def test_row_09_a_408_leaves_doubt(client: LinqClient, emulator: Emulator) -> None:
    """A gateway that gave up may have passed the write on: a read decides."""
    emulator.fail(Fault.error(408).applying(), times=None, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator)[-1] == "GET"


def test_row_10_stale_keep_alive_connections_are_never_seen(own_emulator: Emulator) -> None:
    """1,000 calls to a server that closes idle connections: no error, and every write arrives."""
    client = client_of(own_emulator, FakeTime(), timeout=600.0)
    own_emulator.fail_randomly(0.3, [Fault.close_idle(), Fault.close_on_reuse()], seed=7)
    for count in range(500):
        number = f"+1202555{count:04d}"
        assert client.set_forwarding_number(LINE, number).forwarding_number == number
        assert client.list_phone_numbers()[0].forwarding_number == number
    assert len(own_emulator.requests) > 1100  # those that met a close among them


# 409


def test_a_conflict_that_passes_is_success(client: LinqClient, emulator: Emulator) -> None:
    """409, a look, and the second write goes through."""
    emulator.fail(Fault.error(409), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT", "GET", "PUT"]


def test_a_conflict_with_our_own_earlier_write_is_success(client: LinqClient, emulator: Emulator) -> None:
    """Where the list shows the number already, nothing more is written."""
    emulator.fail(Fault.error(409).applying(), times=None, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT", "GET"]


@pytest.mark.parametrize("headers", [{}, {"x-should-retry": "true"}])
def test_a_conflict_that_stays_ends_after_three_writes(
    client: LinqClient, emulator: Emulator, headers: dict[str, str]
) -> None:
    """Each followed by a look; a 409 was not applied, so the message does not say that it may have been."""
    emulator.fail(Fault.error(409, headers=headers), times=None, method="PUT")
    with pytest.raises(ConflictError) as caught:
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["PUT", "GET"] * 3
    assert caught.value.attempts == 3
    assert "may have been applied" not in str(caught.value)


def test_conflicts_and_waits_together_keep_to_the_one_deadline(emulator: Emulator, fake: FakeTime) -> None:
    """Three writes share the time of one call."""
    client = client_of(emulator, fake, timeout=20.0)
    for _ in range(3):
        emulator.fail(Fault.rate_limited("13"), method="PUT")
        emulator.fail(Fault.error(409), method="PUT")
    with pytest.raises(LinqError):
        client.set_forwarding_number(LINE, NEW)
    assert fake.now - 1000 <= 20


def test_conflicts_and_errors_share_the_attempts(client: LinqClient, emulator: Emulator) -> None:
    """409s after server errors do not add attempts to those that are allowed."""
    emulator.fail(Fault.server_error(), times=7, method="PUT")
    emulator.fail(Fault.error(409), times=None, method="PUT")
    with pytest.raises(ConflictError):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator).count("PUT") == 8


def test_the_look_after_a_conflict_keeps_to_the_deadline_and_its_error_is_told(
    emulator: Emulator, fake: FakeTime
) -> None:
    """With no time left for another write, the 409 itself is what the user reads."""
    emulator.fail(Fault.rate_limited("14.2"), method="PUT")
    emulator.fail(Fault.error(409), method="PUT")
    emulator.fail(Fault.rate_limited("4"), times=None, method="GET")
    with pytest.raises(ConflictError):
        client_of(emulator, fake, timeout=20.0).set_forwarding_number(LINE, NEW)
    assert fake.now - 1000 <= 20
    assert len(writes(emulator)) == 2
