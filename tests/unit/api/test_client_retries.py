"""LinqClient and errors that pass: what is tried again, how often, and after which wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from clients import LINE, NEW, FakeTime, client_of, methods

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIError,
    InternalServerError,
    RateLimitError,
)

# 429


@pytest.mark.parametrize(("header", "seconds"), [("1", 1.0), ("0.2", 0.2), ("2 ", 2.0), ("60", 60.0)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_01_retry_after_is_waited_for_and_hardly_longer(
    client: LinqClient, emulator: Emulator, fake: FakeTime, *, method: str, header: str, seconds: float
) -> None:
    """At least the asked time and at most a tenth more, then success with the second request."""
    emulator.fail(Fault.rate_limited(header))
    client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == [method, method]
    assert seconds <= sum(fake.slept) <= seconds * 1.1


def test_row_02_a_date_is_waited_for(client: LinqClient, emulator: Emulator, fake: FakeTime) -> None:
    """An HTTP date two to three seconds ahead."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=3)
    emulator.fail(Fault.rate_limited(format_datetime(moment, usegmt=True)))
    client.list_phone_numbers()
    assert 1.5 <= sum(fake.slept) <= 3.3
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("wrong_by", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_row_02_a_server_whose_clock_is_wrong_is_waited_for(
    client: LinqClient, emulator: Emulator, fake: FakeTime, wrong_by: timedelta
) -> None:
    """Three seconds after its own Date header are three seconds, even if its clock is an hour ahead or behind."""
    now = datetime.now(timezone.utc) + wrong_by
    dates = {"Date": format_datetime(now, usegmt=True)}
    dates["Retry-After"] = format_datetime(now + timedelta(seconds=3), usegmt=True)
    emulator.fail(Fault.error(429, headers=dates))
    client.list_phone_numbers()
    assert 3 <= sum(fake.slept) <= 3.3
    assert len(emulator.requests) == 2


def test_row_02_a_date_in_the_past_is_backed_off(client: LinqClient, emulator: Emulator, fake: FakeTime) -> None:
    """As if it were absent: at most half a second before the second attempt."""
    emulator.fail(Fault.rate_limited("Wed, 21 Oct 2015 07:28:00 GMT"))
    client.list_phone_numbers()
    assert 0 < sum(fake.slept) <= 0.5
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("header", "named"),
    [("Thu, 01 Jan 2099 00:00:00 GMT", r"\d{10}"), ("61", "61"), ("99999", "99999"), ("1e308", r"1e\+308")],
)
def test_row_02_a_wait_of_more_than_a_minute_fails_at_once_and_is_named(
    client: LinqClient, emulator: Emulator, fake: FakeTime, header: str, named: str
) -> None:
    """Nobody sleeps for hours inside `pulumi up`: one request, no wait, the time in the message."""
    emulator.fail(Fault.rate_limited(header), times=None)
    with pytest.raises(
        RateLimitError, match=f"Linq asks to wait {named} s: run the command again after that"
    ) as caught:
        client.list_phone_numbers()
    assert (len(emulator.requests), fake.slept) == (1, [])
    assert caught.value.retry_after > 60


@pytest.mark.parametrize("header", ["soon", "-5", "", "1e309", "NaN", "٣", "1_0", "\x0b", "Mon, 99 Foo"])
def test_row_03_an_unusable_retry_after_is_backed_off(
    client: LinqClient, emulator: Emulator, fake: FakeTime, header: str
) -> None:
    """Garbage in the header makes neither an exception nor a long wait."""
    emulator.fail(Fault.rate_limited(header))
    assert len(client.list_phone_numbers()) == 2
    assert 0 < sum(fake.slept) <= 0.5
    assert len(emulator.requests) == 2


def test_row_03_retry_after_in_the_body_alone_is_honoured(
    client: LinqClient, emulator: Emulator, fake: FakeTime
) -> None:
    """Linq's error body documents it."""
    emulator.fail(Fault.rate_limited(body_retry_after=3))
    client.list_phone_numbers()
    assert 3 <= sum(fake.slept) <= 3.3


@pytest.mark.parametrize(
    ("header", "attempts"), [("7", 8), ("30", 4), (None, 8)], ids=["by-attempts", "by-deadline", "by-backoff"]
)
def test_row_04_429_for_ever_ends_before_the_deadline_and_tells_everything(
    client: LinqClient, emulator: Emulator, fake: FakeTime, header: str | None, attempts: int
) -> None:
    """After 8 attempts or 120 s, whichever is first; the message has code, trace_id, doc_url and attempts."""
    emulator.fail(Fault.rate_limited(header), times=None)
    with pytest.raises(RateLimitError) as caught:
        client.list_phone_numbers()
    assert fake.now - 1000 <= 120
    assert len(emulator.requests) == attempts
    assert caught.value.trace_id
    for fact in (
        "HTTP 429",
        "1007",
        caught.value.trace_id,
        "https://docs.linqapp.com/error/codes/1xxx/1007/",
    ):
        assert fact in str(caught.value)
    assert f"after {attempts} attempts" in str(caught.value)


def test_row_04_the_timeout_setting_moves_the_deadline(emulator: Emulator, fake: FakeTime) -> None:
    """With 20 s, a wait of 15 s is sat out once and not twice."""
    emulator.fail(Fault.rate_limited("15"), times=None)
    with pytest.raises(RateLimitError, match="Linq asks to wait 15 s"):
        client_of(emulator, fake, timeout=20.0).list_phone_numbers()
    assert len(emulator.requests) == 2


def test_a_short_wait_beyond_the_deadline_is_named(emulator: Emulator, fake: FakeTime) -> None:
    """A wait of one second that exceeds the time left is reported like an hour."""
    emulator.fail(Fault.rate_limited("1"), times=None)
    with pytest.raises(RateLimitError, match="Linq asks to wait 1 s"):
        client_of(emulator, fake, timeout=5.0, max_retries=100).list_phone_numbers()
    assert len(emulator.requests) == 5


def test_a_deadline_without_retry_after_names_no_wait(
    emulator: Emulator, fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only the backoff goes beyond the deadline, Linq asked for nothing."""
    monkeypatch.setattr("random.uniform", max)
    emulator.fail(Fault.server_error(), times=None)
    with pytest.raises(InternalServerError, match="after 6 attempts") as caught:
        client_of(emulator, fake, timeout=20.0).list_phone_numbers()
    assert fake.slept == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert "asks to wait" not in str(caught.value)


@pytest.mark.parametrize(("wait", "requests"), [("7", 2), ("600", 1)])
def test_retry_after_counts_with_every_status(
    client: LinqClient, emulator: Emulator, fake: FakeTime, wait: str, requests: int
) -> None:
    """A 503 with Retry-After is waited for like a 429, and refused like it where the wait is too long."""
    emulator.fail(Fault.error(503, headers={"Retry-After": wait}))
    if requests == 1:
        with pytest.raises(InternalServerError, match="asks to wait 600 s"):
            client.list_phone_numbers()
    else:
        client.list_phone_numbers()
        assert 7 <= sum(fake.slept) <= 7.7
    assert len(emulator.requests) == requests


# Servers and connections that fail


@pytest.mark.parametrize("fault", [Fault.server_error(), Fault.service_unavailable(), Fault.gateway_timeout()])
def test_row_05_two_server_errors_and_then_success_are_success(
    client: LinqClient, emulator: Emulator, fake: FakeTime, fault: Fault
) -> None:
    """Three requests for a list, three for a write; the waits have full jitter below 0.5 s and 1 s."""
    emulator.fail(fault, times=2)
    assert len(client.list_phone_numbers()) == 2
    emulator.fail(fault, times=2)
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["GET"] * 3 + ["PUT"] * 3
    assert [wait <= limit for wait, limit in zip(fake.slept, [0.5, 1.0, 0.5, 1.0], strict=True)] == [True] * 4


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 599])
def test_row_05_what_may_pass_is_tried_eight_times(
    client: LinqClient, emulator: Emulator, fake: FakeTime, status: int
) -> None:
    """Attempts end after 8, whose backoff is below 0.5 s doubled each time and never above 30 s."""
    emulator.fail(Fault.error(status), times=None)
    with pytest.raises(APIError, match="after 8 attempts"):
        client.list_phone_numbers()
    assert len(emulator.requests) == 8
    assert all(wait <= min(30, 0.5 * 2**n) for n, wait in enumerate(fake.slept))


@pytest.mark.parametrize(
    ("drawn", "waits"), [(max, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]), (min, [0.0] * 7)], ids=["longest", "shortest"]
)
def test_row_05_the_backoff_doubles_up_to_30_seconds_with_full_jitter(
    emulator: Emulator,
    fake: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
    drawn: Callable[[float, float], float],
    waits: list[float],
) -> None:
    """Each wait is drawn from 0 to 0.5 s, doubled for each attempt and never above 30 s."""
    monkeypatch.setattr("random.uniform", drawn)
    emulator.fail(Fault.server_error(), times=None)
    with pytest.raises(InternalServerError):
        client_of(emulator, fake).list_phone_numbers()
    assert fake.slept == waits


def test_row_05_max_retries_zero_means_one_attempt(emulator: Emulator, fake: FakeTime) -> None:
    """For a list; a write whose outcome is then unknown is still looked up."""
    emulator.fail(Fault.server_error(), times=None)
    client = client_of(emulator, fake, max_retries=0)
    with pytest.raises(InternalServerError):
        client.list_phone_numbers()
    with pytest.raises(InternalServerError, match="may have been applied"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["GET", "PUT", "GET"]
    assert fake.slept == []


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_06_5_mb_of_html_become_one_plain_sentence(
    emulator: Emulator, fake: FakeTime, method: str, status: int
) -> None:
    """As a proxy sends it: retried; no tag, no control character, at most 500 characters."""
    page = b"<html>\x1b[2J" + b"x" * 5_000_000 + b"</html>"
    emulator.fail(Fault.raw(page, status=status, content_type="text/html"), times=None, method=method)
    client = client_of(emulator, fake, max_retries=1)
    with pytest.raises(InternalServerError) as caught:
        client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)
    assert methods(emulator)[:2] == [method, method]
    assert f"failed: HTTP {status}, an answer without Linq's error body (text/html), after 2 attempts." in str(
        caught.value
    )
    assert len(str(caught.value)) <= 500
    assert str(caught.value).isprintable()
    assert "<" not in str(caught.value)


@pytest.mark.parametrize(("header", "requests"), [("true", 8), ("false", 1), ("perhaps", 8)])
def test_x_should_retry_decides(client: LinqClient, emulator: Emulator, header: str, requests: int) -> None:
    """As in Linq's own SDKs; any other value of the header is ignored."""
    emulator.fail(Fault.error(503, headers={"x-should-retry": header}), times=None)
    with pytest.raises(InternalServerError):
        client.list_phone_numbers()
    assert len(emulator.requests) == requests


def test_the_server_may_ask_for_another_attempt(client: LinqClient, emulator: Emulator) -> None:
    """`x-should-retry: true` has even a 400 tried again, as in Linq's own SDKs."""
    emulator.fail(Fault.error(400, headers={"x-should-retry": "true"}))
    client.list_phone_numbers()
    assert methods(emulator) == ["GET", "GET"]
