"""LinqClient against the emulator and its faults: retries, deadline, and what became of a write."""

from __future__ import annotations

import contextlib
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

LINE = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
OTHER = "2f9c7a10-0b1e-4c57-9d7b-6f3f6a1d2c44"
OLD, NEW = "+12025550000", "+12025559999"
GENERATED = settings(
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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


LINES = (
    {"id": LINE, "phone_number": "+12025551234", "forwarding_number": OLD},
    {"id": OTHER, "phone_number": "+12025551235"},
)


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


def client_of(emulator: Emulator, fake: FakeTime | None = None, **changes: Any) -> LinqClient:
    """A client of the emulator, in real time without `fake`."""
    given_settings = {"api_key": emulator.api_key, "api_key_source": "linq:apiKey", "base_url": emulator.url}
    configured = Settings(**{**given_settings, **changes})
    return LinqClient(configured, clock=fake.clock, sleep=fake.sleep) if fake else LinqClient(configured)


def methods(emulator: Emulator) -> list[str]:
    """The methods of the requests that arrived, in order."""
    return [request.method for request in emulator.requests]


def writes(emulator: Emulator) -> list[Any]:
    """The bodies of the PUTs that arrived with one, in order."""
    return [request.body for request in emulator.requests if request.method == "PUT" and request.body]


def linq_error_of(call: Callable[[], object]) -> LinqError | None:
    """What the call raises, None for nothing."""
    try:
        call()
    except LinqError as error:
        return error
    return None


def put_answer(**changes: object) -> bytes:
    """The answer to a write of NEW, with changes."""
    row = {"id": LINE, "phone_number": "+12025551234", "forwarding_number": NEW, **changes}
    return json.dumps(row).encode()


# The two calls


def test_list_phone_numbers_returns_every_line(client: LinqClient, emulator: Emulator) -> None:
    """One request, one record a line."""
    first, second = client.list_phone_numbers()
    assert (first.id, first.phone_number, first.forwarding_number) == (LINE, "+12025551234", OLD)
    assert (second.id, second.forwarding_number, second.line_type) == (OTHER, "", "iMessage")
    assert methods(emulator) == ["GET"]


def test_set_forwarding_number_returns_the_confirmed_line(client: LinqClient, emulator: Emulator) -> None:
    """One PUT, no GET; the body is the number alone."""
    line = client.set_forwarding_number(LINE, NEW)
    assert (line.id, line.phone_number, line.forwarding_number) == (LINE, "+12025551234", NEW)
    assert emulator.forwarding(LINE) == NEW
    assert methods(emulator) == ["PUT"]
    assert writes(emulator) == [{"forwarding_number": NEW}]


def test_the_empty_number_clears_a_line(client: LinqClient, emulator: Emulator) -> None:
    """What the API confirms with null is "" in the record."""
    assert client.set_forwarding_number(LINE, "").forwarding_number == ""
    assert emulator.forwarding(LINE) == ""
    assert writes(emulator) == [{"forwarding_number": ""}]


def test_without_key_nothing_is_sent(emulator: Emulator) -> None:
    """The error is about the configuration, and comes with the first call."""
    with pytest.raises(ConfigurationError, match="LINQ_API_V3_API_KEY"):
        client_of(emulator, api_key=None).list_phone_numbers()
    assert emulator.requests == []


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


# Server errors


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
    """As in Linq's own SDKs; any other value of the header says nothing."""
    emulator.fail(Fault.error(503, headers={"x-should-retry": header}), times=None)
    with pytest.raises(InternalServerError):
        client.list_phone_numbers()
    assert len(emulator.requests) == requests


# Answers that cannot be trusted

UNTRUSTED = {
    "array": b"[]",
    "success-false": b'{"success": false}',
    "nan": b'{"phone_numbers": NaN}',
    "nested": b'{"a":' * 100_000,
    "utf-16": '{"phone_numbers": []}'.encode("utf-16"),
    "duplicate-keys": b'{"phone_numbers": [], "phone_numbers": []}',
    "html": b"<html>Sign in</html>",
    "digits": b'{"a": ' + b"9" * 5000 + b"}",
    "other-shape": b'{"data": []}',
    "no-list": b'{"phone_numbers": null}',
    "row-without-id": b'{"phone_numbers": [{"phone_number": "+12025551234", "forwarding_number": null}]}',
}
TRUNCATED = {
    "empty": b"",
    "blank": b" \n",
    "object": b'{"phone_numbers": [{"id": "18',
    "literal": b'{"phone_numbers": nul',
    "character": '{"phone_numbers": "é'.encode()[:-1],
}


@pytest.mark.parametrize("body", UNTRUSTED.values(), ids=UNTRUSTED)
def test_row_07_a_list_of_another_shape_is_a_typed_error_after_one_request(
    client: LinqClient, emulator: Emulator, body: bytes
) -> None:
    """Never success, never an empty list, never asked again."""
    emulator.fail(Fault.raw(body), times=None)
    with pytest.raises(APIResponseValidationError):
        client.list_phone_numbers()
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("body", TRUNCATED.values(), ids=TRUNCATED)
def test_row_07_a_truncated_list_is_asked_for_again(client: LinqClient, emulator: Emulator, body: bytes) -> None:
    """Success where the next answer is whole, a typed error where none is."""
    emulator.fail(Fault.raw(body), times=2)
    assert len(client.list_phone_numbers()) == 2
    assert len(emulator.requests) == 3
    emulator.fail(Fault.raw(body), times=None)
    with pytest.raises(APIResponseValidationError, match="after 8 attempts"):
        client.list_phone_numbers()


@pytest.mark.parametrize("body", [*UNTRUSTED.values(), *TRUNCATED.values()], ids=[*UNTRUSTED, *TRUNCATED])
def test_row_07_a_write_with_an_untrusted_answer_is_looked_up(
    client: LinqClient, emulator: Emulator, body: bytes
) -> None:
    """Not applied: an error that says it may have been; applied: success. The list decides."""
    emulator.fail(Fault.raw(body), times=None, method="PUT")
    with pytest.raises(APIResponseValidationError, match="may have been applied"):
        client.set_forwarding_number(LINE, NEW)
    assert emulator.forwarding(LINE) == OLD
    emulator.clear_faults()
    emulator.fail(Fault.raw(body).applying(), times=None, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_row_07_a_success_other_than_200_is_looked_up(client: LinqClient, emulator: Emulator, status: int) -> None:
    """One PUT and one GET, whether the write was applied or not; for a list it is an error."""
    emulator.fail(Fault.raw(b"", status=status).applying(), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    emulator.fail(Fault.raw(b"", status=status), method="PUT")
    with pytest.raises(APIResponseValidationError, match="may have been applied"):
        client.set_forwarding_number(LINE, OLD)
    assert methods(emulator) == ["PUT", "GET", "PUT", "GET"]
    emulator.fail(Fault.raw(b'{"phone_numbers": []}', status=201))
    with pytest.raises(APIResponseValidationError):
        client.list_phone_numbers()


def test_row_07_a_write_answered_with_too_much_is_looked_up(client: LinqClient, emulator: Emulator) -> None:
    """More than 1 MiB for one line: the outcome is unknown, so the list decides."""
    emulator.fail(Fault.raw(b" " * 1024 * 1024 + put_answer()).applying(), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT", "GET"]


def test_row_07_the_content_type_does_not_matter(client: LinqClient, emulator: Emulator) -> None:
    """JSON labelled as HTML is still Linq's JSON."""
    emulator.fail(Fault.wrong_content_type("text/html; charset=utf-16"))
    assert len(client.list_phone_numbers()) == 2


@settings(GENERATED, max_examples=80)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["phone_numbers", "id", "phone_number", "forwarding_number", "success", "error", "code"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([200, 400, 401, 404, 409, 429, 500]),
)
def test_row_07_whatever_body_comes_nothing_but_linq_error_leaves(emulator: Emulator, body: bytes, status: int) -> None:
    """Any bytes and any JSON, with any status: records or a LinqError, and success for 200 only."""
    client = client_of(emulator, FakeTime(), max_retries=1)
    emulator.fail(Fault.raw(body, status=status), times=None)
    for call in (client.list_phone_numbers, lambda: client.set_forwarding_number(LINE, NEW)):
        error = linq_error_of(call)
        assert (error is None) <= (status == 200)
        assert len(str(error)) <= 500
        assert str(error).isprintable()
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    emulator.clear_faults()


# What became of a write

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
    """First answer lost, second attempt refused: what the first did is looked up, or told as unknown."""
    emulator.fail(Fault.reset_after_write(), method="PUT")
    emulator.fail(last, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT", "PUT", "GET"]
    emulator.fail(Fault.reset_before_read(), method="PUT")
    emulator.fail(last, method="PUT")
    with pytest.raises(APIError, match="may have been applied") as caught:
        client.set_forwarding_number(LINE, OLD)
    assert caught.value.status_code == int(last.name)


def test_row_10_stale_keep_alive_connections_are_never_seen(own_emulator: Emulator) -> None:
    """1,000 calls to a server that closes idle connections: no error, and every write arrives."""
    client = client_of(own_emulator, FakeTime(), timeout=600.0)
    own_emulator.fail_randomly(0.3, [Fault.close_idle(), Fault.close_on_reuse()], seed=7)
    for count in range(500):
        number = f"+1202555{count:04d}"
        assert client.set_forwarding_number(LINE, number).forwarding_number == number
        assert client.list_phone_numbers()[0].forwarding_number == number
    assert len(own_emulator.requests) > 1100  # those that met a close among them


# The deadline


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
    client = client_of(own_emulator, timeout=0.25)
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


def test_row_11_no_thread_is_left_behind(own_emulator: Emulator) -> None:
    """The timer of a call ends with it."""
    client = client_of(own_emulator, timeout=30.0)
    client.list_phone_numbers()
    before = {thread.name for thread in threading.enumerate()}
    for _ in range(20):
        client.list_phone_numbers()
    time.sleep(0.05)
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and t.name not in before]


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
    while not own_emulator.requests:
        time.sleep(0.001)
    time.sleep(0.05)
    client.close()
    thread.join(1)
    assert not thread.is_alive()
    assert "closed" in str(errors[0])
    assert len(own_emulator.requests) == 1


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_13_a_redirect_is_an_error_that_names_the_host(
    client: LinqClient, emulator: Emulator, method: str, status: int
) -> None:
    """One request to the configured host; the other host receives nothing, above all no key."""
    with Emulator(1) as other:
        emulator.fail(Fault.redirect(status, location=f"{other.url}/v3/phone_numbers"), times=None)
        with pytest.raises(APIError, match=rf"HTTP {status}, redirected to 127\.0\.0\.1, which is not followed"):
            client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)
        assert methods(emulator) == [method]
        assert other.requests == []
    assert emulator.forwarding(LINE) == OLD


@pytest.mark.parametrize("location", ["/api/partner/v3/phone_numbers", "", "http://[", "https://x\x1b[2J.example/"])
def test_row_13_a_redirect_on_the_same_host_or_to_nowhere_is_not_followed_either(
    client: LinqClient, emulator: Emulator, location: str
) -> None:
    """Followed, a PUT would become a GET, whose 200 looks like success."""
    emulator.fail(Fault.redirect(302, location=location), times=None)
    with pytest.raises(APIError, match=r"HTTP 302.*Set linq:baseUrl to the final address\.$"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["PUT"]


# Definite errors


def test_row_14_a_wrong_key_is_told_with_its_source_after_one_request(emulator: Emulator) -> None:
    """401 is never retried, for a list or a write."""
    client = client_of(emulator, FakeTime(), api_key="wrong", api_key_source="LINQ_API_KEY_OVERRIDE")
    with pytest.raises(AuthenticationError, match=r"2004 .*The key came from LINQ_API_KEY_OVERRIDE"):
        client.list_phone_numbers()
    with pytest.raises(AuthenticationError, match="The key came from LINQ_API_KEY_OVERRIDE"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["GET", "PUT"]


def test_row_14_a_key_that_may_not_write_is_403_after_one_request(emulator: Emulator) -> None:
    """With Linq's code and message."""
    client = client_of(emulator, FakeTime(), api_key=emulator.create_token(can_write=False))
    with pytest.raises(PermissionDeniedError, match="2005 Access denied"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["PUT"]


def test_row_14_an_unknown_line_is_404_after_one_request(client: LinqClient, emulator: Emulator) -> None:
    """The caller decides what that means for a delete."""
    with pytest.raises(NotFoundError, match="2001 Resource not found"):
        client.set_forwarding_number("00000000-0000-4000-8000-000000000000", "")
    assert methods(emulator) == ["PUT"]


def test_row_14_a_number_that_linq_refuses_is_400_after_one_request(client: LinqClient, emulator: Emulator) -> None:
    """Linq's own message reaches the user."""
    with pytest.raises(BadRequestError, match=r"1002 Phone number must be in E\.164 format"):
        client.set_forwarding_number(LINE, "12")
    assert methods(emulator) == ["PUT"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 407, 410, 413, 422, 451])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_row_14_definite_errors_are_one_request(
    client: LinqClient, emulator: Emulator, fake: FakeTime, method: str, status: int
) -> None:
    """No retry, no look, no wait."""
    emulator.fail(Fault.error(status), times=None)
    with pytest.raises(APIError, match=f"HTTP {status}") as caught:
        client.list_phone_numbers() if method == "GET" else client.set_forwarding_number(LINE, NEW)
    assert methods(emulator) == [method]
    assert fake.slept == []
    assert "may have been applied" not in str(caught.value)


def test_row_15_an_empty_list_is_told_as_it_is(client: LinqClient, emulator: Emulator) -> None:
    """Well-formed and empty: the account decides what that means."""
    emulator.fail(Fault.empty_list())
    assert client.list_phone_numbers() == []


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


# Many threads


def test_row_20_50_threads_share_one_client_without_mixing(own_emulator: Emulator) -> None:
    """Each gets the answer to its own request; no more connections than threads."""
    ids = [own_emulator.add_number(f"+1303555{n:04d}").id for n in range(50)]
    client = client_of(own_emulator)
    wrong: list[object] = []

    def work(n: int) -> None:
        for round_ in range(4):
            number = f"+1404555{n * 10 + round_:04d}"
            line = client.set_forwarding_number(ids[n], number)
            if (line.id, line.forwarding_number) != (ids[n], number):
                wrong.append(line)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [own_emulator.forwarding(line) for line in ids] == [f"+1404555{n * 10 + 3:04d}" for n in range(50)]
    assert len(own_emulator.requests) == 200
    server = own_emulator._server
    assert server is not None
    assert server.accepted_connections <= 50


def test_row_20_a_429_in_one_thread_pauses_all_threads(own_emulator: Emulator) -> None:
    """Between the 429 and the end of its Retry-After no thread of the client sends anything."""
    paused = threading.Event()

    def sleep(seconds: float) -> None:
        paused.set()
        time.sleep(seconds)

    key = Settings(api_key=own_emulator.api_key, api_key_source="linq:apiKey", base_url=own_emulator.url)
    client = LinqClient(key, sleep=sleep)
    own_emulator.fail(Fault.rate_limited("0.2"))
    threads = [threading.Thread(target=client.list_phone_numbers) for _ in range(5)]
    threads[0].start()
    assert paused.wait(5)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    first, *rest = sorted(request.at for request in own_emulator.requests)
    assert len(rest) == 5
    assert min(rest) - first >= 0.2


def test_row_20_a_pause_beyond_the_deadline_of_another_call_is_told(own_emulator: Emulator) -> None:
    """A call whose whole time passes in somebody else's pause sends nothing and says why."""
    now = [0.0]
    paused = threading.Event()
    release = threading.Event()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is first:
            paused.set()
            release.wait(5)
        else:
            now[0] += seconds

    def call() -> None:
        with contextlib.suppress(LinqError):
            client.list_phone_numbers()

    minute = Settings(
        api_key=own_emulator.api_key, api_key_source="linq:apiKey", base_url=own_emulator.url, timeout=60.0
    )
    client = LinqClient(minute, clock=lambda: now[0], sleep=sleep)
    own_emulator.fail(Fault.rate_limited("50"))
    first = threading.Thread(target=call)
    first.start()
    assert paused.wait(5)
    now[0] = -20.0  # the second call's 60 s end before the pause does
    with pytest.raises(APIConnectionTimeoutError, match="Linq asked for a longer wait"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(own_emulator) == ["GET"]
    release.set()
    client.close()
    first.join(5)


# What never leaves, and what never gets in


@pytest.mark.parametrize(
    "bad",
    [
        "..",
        ".",
        "a/b",
        "%2e%2e",
        "a?b",
        "a#b",
        "a\r\nX: y",
        "a\0",
        "é",
        "a b",
        "",
        "a" * 129,
        "a\n",
        "\u0661",
    ],
)
def test_row_28_an_id_that_could_change_the_path_is_refused(client: LinqClient, emulator: Emulator, bad: str) -> None:
    """Nothing is sent."""
    with pytest.raises(LinqError, match="phone_number_id"):
        client.set_forwarding_number(bad, NEW)
    assert emulator.requests == []


@GENERATED
@given(st.text(max_size=140) | st.text("aZ09_-./%\r\n", min_size=1, max_size=10))
def test_row_28_only_ids_of_letters_digits_dash_and_underscore_reach_the_server(
    emulator: Emulator, phone_number_id: str
) -> None:
    """Either nothing is sent, or exactly the path with this id."""
    emulator.clear_requests()
    safe = 1 <= len(phone_number_id) <= 128 and all(c.isascii() and (c.isalnum() or c in "-_") for c in phone_number_id)
    with pytest.raises(NotFoundError if safe else LinqError):
        client_of(emulator, FakeTime()).set_forwarding_number(phone_number_id, NEW)
    paths = [request.path for request in emulator.requests]
    assert paths == ([f"/api/partner/v3/phone_numbers/{phone_number_id}"] if safe else [])


@pytest.mark.parametrize(
    "message", ["\x1b[31mred", "bell\a", "over\rwritten", "\u202egnp", "x" * 100_000, "two\nlines", "\ud800"]
)
def test_row_31_a_server_message_cannot_write_to_the_terminal(
    client: LinqClient, emulator: Emulator, message: str
) -> None:
    """Escape, bell, carriage return and direction override are gone; 100 kB become one short paragraph."""
    emulator.fail(Fault.error(400, message=message))
    with pytest.raises(BadRequestError) as caught:
        client.list_phone_numbers()
    assert len(str(caught.value)) <= 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "fault",
    [
        Fault.rate_limited("600"),
        Fault.server_error(),
        Fault.bad_gateway_html(size=500),
        Fault.error(401),
        Fault.redirect(),
        Fault.raw(b""),
        Fault.raw(b"[]"),
        Fault.reset_before_read(),
        Fault.truncated(),
        Fault.hang(),
    ],
    ids=lambda fault: fault.name,
)
def test_no_error_holds_the_key(own_emulator: Emulator, fault: Fault) -> None:
    """Not in the text, the repr, the data or the pickle of any error."""
    own_emulator.fail(fault, times=None)
    with pytest.raises(LinqError) as caught:
        client_of(own_emulator, timeout=0.2, max_retries=1).set_forwarding_number(LINE, NEW)
    key = own_emulator.api_key
    for text in (
        str(caught.value),
        repr(caught.value),
        repr(vars(caught.value)),
        repr(pickle.dumps(caught.value)),
    ):
        assert not any(key[i : i + 8] in text for i in range(len(key) - 7))


def test_a_connection_error_says_what_to_check(own_emulator: Emulator, fake: FakeTime) -> None:
    """Nobody listens: eight attempts, then a plain sentence."""
    client = client_of(own_emulator, fake)
    own_emulator.stop()
    with pytest.raises(APIConnectionError, match=r"connection failed \(Connection refused\)"):
        client.list_phone_numbers()
    assert len(fake.slept) == 7


# Bounds and mixtures


def test_row_07_success_false_beside_a_whole_answer(client: LinqClient, emulator: Emulator) -> None:
    """An answer that says itself that it is no success is none, whatever else it holds."""
    for said in ('"success": false', '"success": "false"', '"success": 0', '"error": {"code": 1}'):
        emulator.fail(Fault.raw(f'{{{said}, "phone_numbers": []}}'.encode()))
        with pytest.raises(APIResponseValidationError):
            client.list_phone_numbers()


def test_row_07_one_line_twice_is_no_list(client: LinqClient, emulator: Emulator) -> None:
    """Two rows that say different things of one line say nothing of it; the same row twice says the same."""
    row = {"id": LINE, "phone_number": "+12025551234", "forwarding_number": OLD}
    emulator.fail(Fault.raw(json.dumps({"phone_numbers": [row, row]}).encode()))
    assert {line.forwarding_number for line in client.list_phone_numbers()} == {OLD}
    emulator.fail(Fault.raw(json.dumps({"phone_numbers": [row, row | {"forwarding_number": NEW}]}).encode()))
    with pytest.raises(APIResponseValidationError, match="one line twice"):
        client.list_phone_numbers()


def test_row_09_a_408_leaves_doubt(client: LinqClient, emulator: Emulator) -> None:
    """A gateway that gave up may have passed the write on: a read decides."""
    emulator.fail(Fault.error(408).applying(), times=None, method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator)[-1] == "GET"


def test_row_20_a_pause_that_grows_is_sat_out(emulator: Emulator, fake: FakeTime) -> None:
    """A call that waits for somebody's pause goes on waiting where another 429 makes it longer."""
    client = client_of(emulator, fake)
    client._pause(5)

    def sleep(seconds: float) -> None:
        fake.sleep(seconds)
        if fake.now == 1005.0:
            client._pause(7)

    client._sleep = sleep
    client.list_phone_numbers()
    assert fake.slept == [5.0, 7.0]
    client.close()


def test_row_20_a_shorter_429_does_not_shorten_the_pause(client: LinqClient, fake: FakeTime) -> None:
    """The longest wait counts."""
    client._pause(50)
    client._pause(1)
    client.list_phone_numbers()
    assert sum(fake.slept) == 50


def test_row_20_a_pause_never_outlasts_the_deadline(emulator: Emulator, fake: FakeTime) -> None:
    """A call ends at its own deadline, however long the pause is."""
    client = client_of(emulator, fake, timeout=60.0)
    client._pause(500)
    with pytest.raises(APIConnectionTimeoutError, match="longer wait"):
        client.list_phone_numbers()
    assert fake.now == 1060.0
    assert emulator.requests == []
    client.close()


def test_row_20_the_last_429_pauses_the_others_too(emulator: Emulator, fake: FakeTime) -> None:
    """A 429 that is not tried again still says when the next request may be sent; one of more than a minute does not."""
    client = client_of(emulator, fake, max_retries=0)
    for wait, paused in (("30", 30.0), ("600", 0.0)):
        fake.slept.clear()
        emulator.fail(Fault.rate_limited(wait))
        with pytest.raises(RateLimitError):
            client.list_phone_numbers()
        client.list_phone_numbers()
        assert sum(fake.slept) == pytest.approx(paused)
    client.close()


def test_row_20_only_a_429_pauses_the_others(client: LinqClient, emulator: Emulator) -> None:
    """A server error slows down the call that met it, and nobody else."""
    emulator.fail(Fault.server_error(), times=3)
    client.list_phone_numbers()
    assert client._paused_until == 0.0


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


def test_the_server_may_ask_for_another_attempt(client: LinqClient, emulator: Emulator) -> None:
    """`x-should-retry: true` has even a 400 tried again, as in Linq's own SDKs."""
    emulator.fail(Fault.error(400, headers={"x-should-retry": "true"}))
    client.list_phone_numbers()
    assert methods(emulator) == ["GET", "GET"]


def test_conflicts_and_errors_share_the_attempts(client: LinqClient, emulator: Emulator) -> None:
    """409s after server errors do not add attempts to those that are allowed."""
    emulator.fail(Fault.server_error(), times=7, method="PUT")
    emulator.fail(Fault.error(409), times=None, method="PUT")
    with pytest.raises(ConflictError):
        client.set_forwarding_number(LINE, NEW)
    assert methods(emulator).count("PUT") == 8


def test_an_answer_of_a_mebibyte_is_read(client: LinqClient, emulator: Emulator) -> None:
    """The limit for one line is 1 MiB, and not less."""
    line = {"id": LINE, "phone_number": "+12025551234", "forwarding_number": NEW}
    body = json.dumps(line).encode()
    emulator.fail(Fault.raw(b" " * (2**20 - len(body)) + body), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT"]
