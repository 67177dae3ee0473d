"""LinqClient: its two calls, what is never tried again, and what never leaves or gets in."""

from __future__ import annotations

import pickle

import pytest
from clients import LINE, NEW, OLD, OTHER, FakeTime, client_of, methods, writes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    LinqError,
    NotFoundError,
    PermissionDeniedError,
)

GENERATED = settings(
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


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


# Definite answers


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
    """Escape, bell, carriage return and direction override are removed; 100 kB become one short paragraph."""
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
