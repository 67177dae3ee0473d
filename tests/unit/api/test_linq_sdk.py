"""Linq's own Python SDK against the emulator: proof that the emulator behaves like Linq's API."""

from __future__ import annotations

from collections.abc import Iterator

import linq
import pytest

from linq_provider.emulator import Emulator, Fault

FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator() as running:
        yield running


def sdk(emulator: Emulator, *, token: str | None = None) -> linq.LinqAPIV3:
    """A client that does not retry and that checks every answer against Linq's own models."""
    return linq.LinqAPIV3(
        api_key=emulator.api_key if token is None else token,
        base_url=emulator.url,
        max_retries=0,
        _strict_response_validation=True,
    )


def test_the_sdk_lists_the_lines(emulator: Emulator) -> None:
    """Linq's models accept every field of a row, line type and reputation included."""
    emulator.add_number("+12025551234", "+12025559999", line_type="RCS")
    rows = sdk(emulator).phone_numbers.list().phone_numbers
    assert [(row.id, row.phone_number) for row in rows] == [
        (number.id, number.phone_number) for number in emulator.phone_numbers
    ]
    assert (rows[0].forwarding_number, rows[0].line_type) == (None, "iMessage")
    assert (rows[3].forwarding_number, rows[3].line_type) == ("+12025559999", "RCS")
    assert rows[0].reputation.status == "HEALTHY"
    assert rows[0].reputation.doc_url.startswith("https://docs.linqapp.com/")


@pytest.mark.parametrize("cleared", ["", None])
def test_the_sdk_sets_and_clears_a_number(emulator: Emulator, cleared: str | None) -> None:
    """An update through the SDK arrives, and both ways to clear read back as None."""
    client = sdk(emulator)
    answer = client.phone_numbers.update(FIRST_ID, forwarding_number="+12025559999")
    assert (answer.id, answer.phone_number, answer.forwarding_number) == (
        FIRST_ID,
        "+12025550100",
        "+12025559999",
    )
    assert emulator.forwarding(FIRST_ID) == "+12025559999"
    assert client.phone_numbers.update(FIRST_ID, forwarding_number=cleared).forwarding_number is None
    assert emulator.forwarding(FIRST_ID) == ""


def test_the_sdk_finds_address_and_key_in_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two variables that the emulator is announced with are the ones that Linq's SDK reads."""
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", emulator.url)
    monkeypatch.setenv("LINQ_API_V3_API_KEY", emulator.api_key)
    assert len(linq.LinqAPIV3(max_retries=0).phone_numbers.list().phone_numbers) == 3


def update(client: linq.LinqAPIV3, line: str = FIRST_ID, number: str = "+12025559999") -> linq.APIStatusError:
    """The typed error of an update that must fail."""
    with pytest.raises(linq.APIStatusError) as caught:
        client.phone_numbers.update(line, forwarding_number=number)
    return caught.value


def test_the_sdk_raises_400(emulator: Emulator) -> None:
    """A number that is not E.164 is BadRequestError with status 400."""
    error = update(sdk(emulator), number="2025559999")
    assert isinstance(error, linq.BadRequestError)
    assert code_and_link(error) == (1002, "https://docs.linqapp.com/error/codes/1xxx/1002/")


def test_the_sdk_raises_401(emulator: Emulator) -> None:
    """An unknown token is AuthenticationError."""
    error = update(sdk(emulator, token="wrong"))
    assert isinstance(error, linq.AuthenticationError)
    assert code_and_link(error) == (2004, "https://docs.linqapp.com/error/codes/2xxx/2004/")


def test_the_sdk_raises_403(emulator: Emulator) -> None:
    """A read-only token is PermissionDeniedError."""
    error = update(sdk(emulator, token=emulator.create_token(can_write=False)))
    assert isinstance(error, linq.PermissionDeniedError)
    assert code_and_link(error) == (2005, "https://docs.linqapp.com/error/codes/2xxx/2005/")


def test_the_sdk_raises_404(emulator: Emulator) -> None:
    """An unknown line is NotFoundError."""
    error = update(sdk(emulator), line="00000000-0000-0000-0000-000000000000")
    assert isinstance(error, linq.NotFoundError)
    assert code_and_link(error) == (2001, "https://docs.linqapp.com/error/codes/2xxx/2001/")


def test_the_sdk_raises_429(emulator: Emulator) -> None:
    """A rate limit is RateLimitError, with the wait in the body and in the Retry-After header."""
    emulator.fail(Fault.rate_limited("3", body_retry_after=3))
    error = update(sdk(emulator))
    assert isinstance(error, linq.RateLimitError)
    assert code_and_link(error) == (1007, "https://docs.linqapp.com/error/codes/1xxx/1007/")
    assert (error.retry_after, error.response.headers["retry-after"]) == (3, "3")


def test_the_sdk_raises_500(emulator: Emulator) -> None:
    """A server error is InternalServerError."""
    emulator.fail(Fault.server_error())
    error = update(sdk(emulator))
    assert isinstance(error, linq.InternalServerError)
    assert code_and_link(error) == (3006, "https://docs.linqapp.com/error/codes/3xxx/3006/")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_sdk_recovers_with_one_retry(emulator: Emulator, status: int) -> None:
    """Linq's own retry policy takes a passing fault for what it is, and honours `retry-after-ms`."""
    emulator.fail(Fault.error(status, headers={"retry-after-ms": "10"}))
    client = sdk(emulator).with_options(max_retries=1)
    assert client.phone_numbers.update(FIRST_ID, forwarding_number="+12025559999").forwarding_number
    assert emulator.forwarding(FIRST_ID) == "+12025559999"
    assert [request.status for request in emulator.requests] == [status, 200]


def code_and_link(error: linq.APIStatusError) -> tuple[int | None, str | None]:
    """Code and doc_url as the SDK itself read them out of the body."""
    return error.code, error.doc_url
