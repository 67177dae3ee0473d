"""LinqClient and answers that cannot be trusted: never success, never an empty list, and after a write a look."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import pytest
from clients import LINE, NEW, OLD, FakeTime, client_of, methods, put_answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIResponseValidationError,
    LinqError,
)

GENERATED = settings(
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def linq_error_of(call: Callable[[], object]) -> LinqError | None:
    """What the call raises, None for nothing."""
    try:
        call()
    except LinqError as error:
        return error
    return None


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


def test_row_07_success_false_beside_a_whole_answer(client: LinqClient, emulator: Emulator) -> None:
    """An answer that reports a failure itself is not a success, whatever else it contains."""
    for said in ('"success": false', '"success": "false"', '"success": 0', '"error": {"code": 1}'):
        emulator.fail(Fault.raw(f'{{{said}, "phone_numbers": []}}'.encode()))
        with pytest.raises(APIResponseValidationError):
            client.list_phone_numbers()


def test_row_07_one_line_twice_is_no_list(client: LinqClient, emulator: Emulator) -> None:
    """Two rows about one line are an error, whether they agree or not."""
    row = {"id": LINE, "phone_number": "+12025551234", "forwarding_number": OLD}
    for second in (row, row | {"forwarding_number": NEW}):
        emulator.fail(Fault.raw(json.dumps({"phone_numbers": [row, second]}).encode()))
        with pytest.raises(APIResponseValidationError, match=f"line {LINE} twice"):
            client.list_phone_numbers()


def test_an_answer_of_a_mebibyte_is_read(client: LinqClient, emulator: Emulator) -> None:
    """The limit for one line is 1 MiB, and not less."""
    body = put_answer()
    emulator.fail(Fault.raw(b" " * (2**20 - len(body)) + body), method="PUT")
    assert client.set_forwarding_number(LINE, NEW).forwarding_number == NEW
    assert methods(emulator) == ["PUT"]
