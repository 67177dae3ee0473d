"""Linq's JSON is read strictly: what becomes a record, what becomes an error, and the meaning of each field."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linq_provider.api.answers import (
    Answer,
    PhoneNumber,
    Request,
    error_from,
    payload_from,
    phone_number_from,
    phone_numbers_from,
    retry_after,
)
from linq_provider.api.retries import is_transient
from linq_provider.config import Settings
from linq_provider.errors import APIError, APIResponseValidationError

GENERATED = settings(database=None, deadline=None, derandomize=True)
ASKED = Request("GET", "/v3/phone_numbers", attempts=2)
SETTINGS = Settings(api_key="key", api_key_source="linq:apiKey")
LINE = {
    "id": "182BD5E5-6e1a-4fe4-a799-aa6d9a6ab26e",
    "phone_number": "+12025551234",
    "forwarding_number": None,
    "line_type": "iMessage",
    "reputation": {"status": "HEALTHY", "doc_url": "https://docs.linqapp.com/é東"},
}
ANSWER = json.dumps({"phone_numbers": [LINE]}, ensure_ascii=False).encode()


def error_of(
    status: int,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    method: str = "GET",
    settings: Settings = SETTINGS,
) -> APIError:
    """The exception for an answer to a request of this method."""
    return error_from(
        Answer(status, headers or {}, body), request=Request(method, "/v3/phone_numbers"), settings=settings
    )


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    monkeypatch.setenv("TZ", "XXX-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_list_becomes_records() -> None:
    """Ids in lower case, null as "", unknown fields ignored."""
    assert phone_numbers_from(payload_from(ANSWER, ASKED), ASKED) == [
        PhoneNumber("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234", "", "iMessage")
    ]


@pytest.mark.parametrize("line_type", [None, 7, {}, "RCS"])
def test_line_type_is_optional(line_type: object) -> None:
    """Stored documents disagree about it, and nothing depends on it."""
    line = phone_number_from({**LINE, "line_type": line_type}, ASKED)
    assert line.line_type == ("RCS" if line_type == "RCS" else None)


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"id": ""},
        {"id": 7},
        {"phone_number": None},
        {"phone_number": ""},
        {"forwarding_number": 12025559999},
        {"forwarding_number": False},
        {"forwarding_number": ["+12025559999"]},
    ],
)
def test_row_15_a_line_of_another_shape_is_an_error(broken: dict[str, object]) -> None:
    """One malformed row makes the whole list untrusted: skipping it would look like a lost line."""
    with pytest.raises(APIResponseValidationError):
        phone_numbers_from({"phone_numbers": [LINE, {**LINE, **broken}]}, ASKED)


@pytest.mark.parametrize("missing", ["id", "phone_number", "forwarding_number"])
def test_row_15_a_line_without_a_documented_field_is_an_error(missing: str) -> None:
    """An absent forwarding_number is not "not forwarded"."""
    with pytest.raises(APIResponseValidationError):
        phone_number_from({key: value for key, value in LINE.items() if key != missing}, ASKED)


@pytest.mark.parametrize(
    "payload", [{}, {"phone_numbers": None}, {"phone_numbers": {}}, {"phone_numbers": [None]}, {"data": []}]
)
def test_row_15_an_answer_without_list_is_an_error_and_no_empty_list(payload: dict[str, Any]) -> None:
    """An account without lines says `[]`; anything else says nothing about lines."""
    with pytest.raises(APIResponseValidationError):
        phone_numbers_from(payload, ASKED)
    assert phone_numbers_from({"phone_numbers": []}, ASKED) == []


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"ok"',
        b"1",
        b"NaN",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"success": false}',
        b"{'a': 1}",
        b"<html><body>Sign in</body></html>",
        ANSWER.decode().encode("utf-16"),
        ANSWER.decode().encode("cp932", "replace"),
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"{}{}",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_row_07_a_body_of_another_shape_is_a_typed_error(body: bytes) -> None:
    """Array, NaN, duplicate keys, success:false, wrong charset, HTML, deep nesting, 5,000 digits."""
    with pytest.raises(APIResponseValidationError) as caught:
        payload_from(body, ASKED)
    assert (caught.value.status_code, caught.value.attempts) == (200, 2)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a": NaN}', "NaN, which is not JSON"),
        (b'{"a": Infinity}', "Infinity, which is not JSON"),
        (b'{"a": -Infinity}', "-Infinity, which is not JSON"),
        (b'{"a": 1, "a": 2}', "JSON in which a key occurs twice"),
        (b"[]", "JSON, but not an object"),
    ],
)
def test_row_07_an_answer_that_cannot_be_trusted_says_why(body: bytes, why: str) -> None:
    """The message gives the reason; Python's own constants are refused by name."""
    with pytest.raises(APIResponseValidationError, match=f"HTTP 200, {why}"):
        payload_from(body, ASKED)


def test_row_07_only_an_end_that_is_missing_counts_as_truncated() -> None:
    """A body that is wrong but whole is not asked for again."""
    for body in (b"[]", b'{"a": 1, "a": 2}', b"<html></html>", b"{'a': 1}", b'{"a" 1}'):
        with pytest.raises(APIResponseValidationError) as caught:
            payload_from(body, ASKED)
        assert not caught.value.truncated, body


def test_row_07_an_answer_cut_anywhere_counts_as_truncated() -> None:
    """Every proper beginning of an answer may be retried, cut in a literal, a string, also after a brace, or a character."""
    for cut in (*(ANSWER[:length] for length in range(len(ANSWER))), b'{"a": "b}'):
        with pytest.raises(APIResponseValidationError) as caught:
            payload_from(cut, ASKED)
        assert caught.value.truncated, cut
        assert is_transient(caught.value)


def test_row_07_a_byte_order_mark_is_no_part_of_the_json() -> None:
    """RFC 8259, section 8.1: a parser may ignore it; the rest is as documented."""
    assert payload_from(b"\xef\xbb\xbf" + ANSWER, ASKED) == payload_from(ANSWER, ASKED)


@GENERATED
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=20).map(str)
)
@example("9" * 5000)
@example('{"error": {"code": ' + "9" * 4000 + "}}")
@example('{"error": {"retry_after": ' + "9" * 4000 + "}}")
def test_row_07_any_body_of_an_error_gives_an_error(body: bytes | str) -> None:
    """Reading the details of a failure never fails itself."""
    error = error_of(500, body=body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    assert len(str(error)) <= 500
    assert str(error).isprintable()


def test_the_error_body_of_linq_is_read_in_full() -> None:
    """Code, message, doc_url, trace_id and retry_after become fields."""
    body = b"""{"error": {"status": 429, "code": 1007, "message": "Rate limit exceeded", "retry_after": 3,
        "doc_url": "https://docs.linqapp.com/error/codes/1xxx/1007/"}, "success": false, "trace_id": "t-1"}"""
    error = error_of(429, headers={"x-should-retry": "FALSE"}, body=body)
    assert type(error).__name__ == "RateLimitError"
    assert (error.code, error.detail) == ("1007", "Rate limit exceeded")
    assert (error.doc_url, error.trace_id) == ("https://docs.linqapp.com/error/codes/1xxx/1007/", "t-1")
    assert (error.retry_after, error.should_retry) == (3.0, False)


def test_row_14_a_401_says_where_the_key_came_from() -> None:
    """The next step names the source, how to set a key there, and the override for after a rotation."""
    said = str(error_of(401))
    assert "The key came from linq:apiKey." in said
    assert "`pulumi config set --secret linq:apiKey`" in said
    assert "`pulumi up --refresh=false`, or set LINQ_API_KEY_OVERRIDE." in said


@pytest.mark.parametrize(
    ("source", "next_step"),
    [
        ("LINQ_API_V3_API_KEY", "Set this variable to a valid key; `linq-provider doctor` tries it."),
        (
            "LINQ_API_KEY_OVERRIDE",
            "Set this variable to a valid key, or unset it, so that the key of the stack or of the environment is used.",
        ),
        ("the argument api_key", "Give a valid one."),
    ],
)
def test_a_401_of_another_key_says_nothing_about_stacks(source: str, next_step: str) -> None:
    """A key from the environment is in no stack, so nothing about a rotation there can help."""
    error = error_of(401, settings=replace(SETTINGS, api_key_source=source))
    assert error.next_step == f"The key came from {source}. {next_step}"


def test_a_401_of_another_address_than_linqs_names_it() -> None:
    """A key of Linq's that went to an emulator is a mistake that the message has to show."""
    elsewhere = replace(SETTINGS, base_url="http://127.0.0.1:8099/api/partner", base_url_source="LINQ_API_V3_BASE_URL")
    assert error_of(401, settings=elsewhere).next_step.endswith(
        " The key was sent to 127.0.0.1:8099, the address in LINQ_API_V3_BASE_URL."
    )
    assert "was sent to" not in error_of(401, settings=SETTINGS).next_step


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 409, 418, 422, 429, 500, 503])
def test_every_error_ends_with_a_next_step(status: int) -> None:
    """No status leaves the user without one."""
    error = error_of(status)
    assert error.next_step.endswith(".")
    assert str(error).endswith(error.next_step)


@pytest.mark.parametrize(
    ("method", "status", "next_step"),
    [
        ("PUT", 400, "Linq does not accept this: correct the forwarding_number that is declared for the line."),
        ("PUT", 422, "Linq does not accept this: correct the forwarding_number that is declared for the line."),
        ("GET", 400, "Check linq:baseUrl: Linq's API does not send such an answer."),
        ("PUT", 403, "Ask the owner of the Linq account for a key that may write this line."),
        ("PUT", 404, "See which lines this key sees with `linq-provider numbers`."),
        ("GET", 404, "Check linq:baseUrl: Linq's API does not send such an answer."),
        ("PUT", 429, "Run the command again later."),
        ("GET", 300, "Set linq:baseUrl to the final address."),
        ("GET", 502, " Run the command again."),
    ],
)
def test_row_14_each_status_has_its_next_step(method: str, status: int, next_step: str) -> None:
    """The last sentence of an error is what to do about this status."""
    assert str(error_of(status, method=method)).endswith(next_step)


def test_a_trace_id_is_spoken_of_where_there_is_one() -> None:
    """What Linq's support needs is named only if the answer had it."""
    ending = "Run the command again. If it fails again, give the trace_id to Linq's support."
    assert str(error_of(500, body=b'{"trace_id": "t-1"}')).endswith(ending)
    assert "trace_id" not in str(error_of(500))


@pytest.mark.parametrize(("header", "wanted"), [("true", True), ("True", True), ("false", False), ("maybe", None)])
def test_x_should_retry_is_read_in_any_case(header: str, wanted: bool | None) -> None:
    """Linq's word on whether to try again, or none."""
    assert error_of(400, headers={"x-should-retry": header}).should_retry is wanted


@pytest.mark.parametrize(
    ("headers", "from_body", "seconds"),
    [
        ({"retry-after": "1"}, None, 1.0),
        ({"retry-after": "0.2"}, None, 0.2),
        ({"retry-after": "2 "}, None, 2.0),
        ({"retry-after": "0"}, None, 0.0),
        ({"retry-after": "99999"}, None, 99999.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, None, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, None, 7.0),
        ({"retry-after": "7"}, 3, 7.0),
        ({"retry-after": "soon"}, 3, 3.0),
        ({}, 3, 3.0),
        ({}, 0.5, 0.5),
        ({}, "4", 4.0),
        ({}, True, None),
        ({}, [3], None),
        ({}, 10**400, None),
        ({}, None, None),
    ],
)
def test_row_01_retry_after_is_read_where_linq_puts_it(
    headers: dict[str, str], from_body: object, seconds: float | None
) -> None:
    """Milliseconds before seconds before the body, as Linq's own SDKs do; what is unusable is passed over."""
    assert retry_after(headers, from_body) == seconds


@pytest.mark.parametrize(
    "garbage",
    [
        "soon",
        "-5",
        "",
        " ",
        "1e309",
        "nan",
        "inf",
        "-inf",
        "٣",
        "３",
        "1_0",
        "0x10",
        "1,5",
        "\ud800",
        "Tue, 99 Xyz",
    ],
)
def test_row_03_garbage_counts_as_absent(garbage: str) -> None:
    """Nothing that is neither seconds nor a date makes anybody wait."""
    assert retry_after({"retry-after": garbage}) is None
    assert retry_after({"retry-after-ms": garbage}) is None
    assert retry_after({}, garbage) is None


@GENERATED
@given(
    st.text() | st.from_regex(r"[0-9eE.+\- :,GMTaJn]{1,30}"),
    st.text() | st.none() | st.integers() | st.floats(),
)
@example("Mon, 01 Jan 0000 00:00:00 GMT", None)
@example("Mon, 01 Jan 2024 00:00:00 +9999", None)
@example("Mon, 31 Dec 9999 23:59:59 -2359", None)
@example("Mon, 01 Jan 99999999999 00:00:00 GMT", None)
@example("0", "")
def test_row_03_whatever_the_header_says_the_result_is_absent_or_a_finite_wait(header: str, body: object) -> None:
    """No header and no body field raises, and none gives a negative or endless wait."""
    seconds = retry_after({"retry-after": header, "retry-after-ms": header}, body)
    assert seconds is None or 0 <= seconds < float("inf")


@GENERATED
@given(st.floats(0, 1e6))
def test_row_01_seconds_are_read_exactly(seconds: float) -> None:
    """A whole or broken number of seconds is what the server wrote."""
    assert retry_after({"retry-after": repr(seconds)}) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Thu, 01 Jan 2099 00:00:00 GMT", 5.0),
        ("Wed, 31 Dec 2098 23:00:00 GMT", 3605.0),
        ("Thu, 01 Jan 2099 02:00:00 +0200", 5.0),
        ("Thu, 01 Jan 2099 00:00:06 GMT", 0.0),
    ],
)
def test_row_02_a_date_is_compared_with_the_clock_of_the_server(date: str, seconds: float) -> None:
    """The answer's Date is the server's time, however wrong its clock or ours is."""
    headers = {"retry-after": "Thu, 01 Jan 2099 00:00:05 GMT", "date": date}
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("date", ["", "soon", "99", "Thu, 99 Jan 2099 00:00:00 GMT", "\ud800"])
def test_row_02_a_date_of_the_answer_that_is_none_is_passed_over(date: str) -> None:
    """Then our own clock is used."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=30)
    seconds = retry_after({"retry-after": format_datetime(moment, usegmt=True), "date": date})
    assert seconds is not None
    assert 25 < seconds <= 30


def test_row_02_an_http_date_is_the_time_until_then() -> None:
    """In the future: that long; in the past: no wait; in 2099: very long."""

    def until(moment: datetime) -> float:
        return retry_after({"retry-after": format_datetime(moment, usegmt=True)}) or 0.0

    now = datetime.now(timezone.utc)
    assert 1 <= until(now + timedelta(seconds=3)) <= 3
    assert until(now - timedelta(days=1)) == 0.0
    assert until(datetime(2099, 1, 1, tzinfo=timezone.utc)) > 1e9


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0200"])
def test_row_02_a_date_is_read_in_its_own_zone(zone: str) -> None:
    """A date of GMT, of no known zone, which counts as UTC, or of another zone, wherever the machine is."""
    hours = 2 if zone == "+0200" else 0
    moment = datetime.now(timezone.utc) + timedelta(seconds=30, hours=hours)
    seconds = retry_after({"retry-after": moment.strftime("%a, %d %b %Y %H:%M:%S ") + zone})
    assert seconds is not None
    assert 25 < seconds <= 30


@pytest.mark.parametrize(
    ("status", "headers", "host"),
    [
        (302, {"location": "https://other.example/x"}, "other.example"),
        (300, {"location": "https://other.example/x"}, "other.example"),
        (399, {}, "no host"),
        (302, {"location": "/login"}, "no host"),
        (302, {"location": "http://["}, "no host"),
        (302, {"location": "https://\x07red\x1b.example/"}, "red .example"),
        (302, {"location": f"https://{'h' * 500}/"}, "h" * 79 + "…"),
    ],
)
def test_row_13_a_redirect_names_the_host_it_pointed_to(status: int, headers: dict[str, str], host: str) -> None:
    """From 300 to 399: without control characters, cut, and also where the address is no address."""
    error = error_of(status, headers=headers)
    assert error.detail == f"redirected to {host}, which is not followed"
    assert error.next_step == "Set linq:baseUrl to the final address."


def test_row_13_only_a_status_makes_a_redirect() -> None:
    """A 400 is not a redirect, even with a Location."""
    assert "redirected" not in str(error_of(400, headers={"location": "https://other.example/x"}))


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"content-type": "text/html; charset=utf-8"}, "text/html"),
        ({"content-type": "t" * 500}, "t" * 39 + "…"),
        ({}, "no content type"),
    ],
    ids=["html", "long", "none"],
)
def test_row_06_a_page_is_named_by_its_type_only(headers: dict[str, str], named: str) -> None:
    """No tag of a proxy's error page reaches the user; the type stands without its parameters, cut."""
    error = error_of(502, headers=headers, body=b"<html><h1>502</h1></html>")
    said = f"GET /v3/phone_numbers failed: HTTP 502, an answer without Linq's error body ({named})."
    assert str(error).startswith(said)
