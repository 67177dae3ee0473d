"""What a refused setting, answer or number says, word for word, and the bounds at which it is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from linq_provider.api.answers import Answer, Request, error_from, payload_from, retry_after
from linq_provider.api.retries import is_transient
from linq_provider.config import Settings
from linq_provider.core.e164 import e164_problem
from linq_provider.errors import APIResponseValidationError, ConfigurationError

SETTINGS = Settings(api_key="key", api_key_source="linq:apiKey")


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    monkeypatch.setenv("TZ", "XXX-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("linq:apiKey", "", "linq:apiKey is empty."),
        ("linq:apiKey", "k" * 4097, "linq:apiKey is longer than 4096 characters; that is no API key."),
        (
            "linq:apiKey",
            "a b",
            "linq:apiKey contains a space, a line break or a non-ASCII character; copy the key again.",
        ),
        ("linq:baseUrl", "https://[::1", "linq:baseUrl (environment: LINQ_API_V3_BASE_URL) is not a URL."),
        ("linq:baseUrl", "https://", "linq:baseUrl (environment: LINQ_API_V3_BASE_URL) is not a URL."),
        (
            "linq:baseUrl",
            "https://a.example/?x",
            "linq:baseUrl (environment: LINQ_API_V3_BASE_URL) must be scheme, host and path only.",
        ),
        (
            "linq:baseUrl",
            "http://a.example",
            "linq:baseUrl (environment: LINQ_API_V3_BASE_URL) must begin with https://"
            " (http:// is allowed for this machine only).",
        ),
    ],
)
def test_a_refused_setting_says_why(key: str, text: str, said: str) -> None:
    """The whole message: the setting's name and the reason."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.load({key: text}, environ={})
    assert str(refused.value) == said


@pytest.mark.parametrize("key", ["k" * 4096, "!key", "key~"], ids=["longest", "first-printable", "last-printable"])
def test_a_key_at_the_bounds_is_taken(key: str) -> None:
    """4096 characters, and every printable one, are allowed."""
    assert Settings.load({"linq:apiKey": key}, environ={}).api_key == key


def test_a_base_url_loses_nothing_but_slashes() -> None:
    """Slashes at the end go, however many; a letter before them stays."""
    assert Settings.load({"linq:baseUrl": "https://a.example/X//"}, environ={}).base_url == "https://a.example/X"


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0200"])
def test_row_02_a_date_is_read_in_its_own_zone(zone: str) -> None:
    """A date of GMT, of no known zone, which counts as UTC, or of another zone, wherever the machine is."""
    hours = 2 if zone == "+0200" else 0
    moment = datetime.now(timezone.utc) + timedelta(seconds=30, hours=hours)
    seconds = retry_after({"retry-after": moment.strftime("%a, %d %b %Y %H:%M:%S ") + zone})
    assert seconds is not None
    assert 25 < seconds <= 30


def said(status: int, headers: dict[str, str], *, method: str = "GET", body: bytes = b"") -> str:
    """What an error says."""
    return str(error_from(Answer(status, headers, body), request=Request(method, "/x"), settings=SETTINGS))


def test_row_13_a_redirect_is_told_by_its_status() -> None:
    """300 to 399 are redirects, whatever Location says; 400 is none."""
    assert "redirected to b.example, which is not followed" in said(300, {"location": "https://b.example/x"})
    assert "redirected to no host, which is not followed" in said(399, {})
    assert "redirected to no host, which is not followed" in said(302, {"location": "https://[::1"})
    assert "redirected" not in said(400, {"location": "https://b.example/x"})


def test_row_13_a_long_host_is_cut() -> None:
    """80 characters of a host are enough to know it."""
    assert "h" * 79 in said(302, {"location": f"https://{'h' * 500}/"})
    assert "h" * 81 not in said(302, {"location": f"https://{'h' * 500}/"})


def test_an_answer_without_a_body_names_its_type() -> None:
    """The content type without its parameters, cut; or that there is none."""
    assert "an answer without Linq's error body (text/html)" in said(400, {"content-type": "text/html; charset=x"})
    assert "an answer without Linq's error body (no content type)" in said(400, {})
    assert "t" * 39 in said(400, {"content-type": "t" * 500})
    assert "t" * 41 not in said(400, {"content-type": "t" * 500})


def test_row_07_a_string_that_is_cut_after_a_brace_is_truncated() -> None:
    """An answer that breaks off inside a string is cut, even where the last character is a closing brace."""
    with pytest.raises(APIResponseValidationError) as refused:
        payload_from(b'{"a": "b}', Request("GET", "/x"))
    assert refused.value.truncated
    assert is_transient(refused.value)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_row_07_what_is_no_json_is_named(constant: str) -> None:
    """Python's own constants are refused by name."""
    with pytest.raises(APIResponseValidationError, match=f"{constant}, which is no JSON"):
        payload_from(f'{{"a": {constant}}}'.encode(), Request("GET", "/x"))


def test_row_29_digits_of_another_script_only_lack_no_plus() -> None:
    """A number without '+' in other digits is not told that '+' is all it lacks."""
    assert "put + in front" in str(e164_problem("14155550123"))
    assert "put + in front" not in str(e164_problem("1٤155550123"))


@pytest.mark.parametrize(
    ("method", "status", "next_step"),
    [
        ("PUT", 400, "Linq does not take this: mend the forwarding_number that is declared for the line."),
        ("PUT", 422, "Linq does not take this: mend the forwarding_number that is declared for the line."),
        ("GET", 400, "Check linq:baseUrl: Linq's API would not answer so."),
        ("PUT", 403, "Ask the owner of the Linq account for a key that may write this line."),
        ("PUT", 404, "See which lines this key sees with `linq-provider numbers`."),
        ("GET", 404, "Check linq:baseUrl: Linq's API would not answer so."),
        ("PUT", 429, "Run the command again later."),
        ("GET", 300, "Set linq:baseUrl to the final address."),
        ("GET", 502, " Run the command again."),
    ],
)
def test_row_14_each_status_has_its_next_step(method: str, status: int, next_step: str) -> None:
    """The last sentence of an error is what to do about this status."""
    assert said(status, {}, method=method).endswith(next_step)


def test_a_trace_id_is_spoken_of_where_there_is_one() -> None:
    """What Linq's support needs is named only if the answer had it."""
    ending = "Run the command again; with the trace_id Linq's support can find the request."
    assert said(500, {}, body=b'{"trace_id": "t-1"}').endswith(ending)
    assert "trace_id" not in said(500, {})


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"a": 1, "a": 2}', "JSON with a key twice"), (b"[]", "JSON, but no object")],
)
def test_row_07_an_answer_that_cannot_be_trusted_says_why(body: bytes, why: str) -> None:
    """The reason stands in the message."""
    with pytest.raises(APIResponseValidationError, match=f"HTTP 200, {why}"):
        payload_from(body, Request("GET", "/x"))


@pytest.mark.parametrize(("header", "wanted"), [("true", True), ("True", True), ("false", False), ("maybe", None)])
def test_x_should_retry_is_read_in_any_case(header: str, wanted: bool | None) -> None:
    """Linq's word on whether to try again, or none."""
    error = error_from(Answer(400, {"x-should-retry": header}, b""), request=Request("GET", "/x"), settings=SETTINGS)
    assert error.should_retry is wanted
