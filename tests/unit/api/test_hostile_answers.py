"""What an answer may hold: ids and numbers that are such, each line once, and nothing that writes beyond its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linq_provider.api.answers import Answer, Request, error_from, phone_number_from, phone_numbers_from
from linq_provider.config import Settings
from linq_provider.errors import APIResponseValidationError, FleetError
from linq_provider.phone_number import PhoneNumber

LIST, WRITE = Request("GET", "/v3/phone_numbers"), Request("PUT", "/v3/phone_numbers/x")
ID, OTHER_ID = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "2f9c7a10-0b1e-4c57-9d7b-6f3f6a1d2c44"
LINE: dict[str, Any] = {"id": ID, "phone_number": "+12025551234", "forwarding_number": "+12025559999"}
OTHER: dict[str, Any] = {"id": OTHER_ID, "phone_number": "+12025551235", "forwarding_number": None}

UNPRINTABLE = [
    "+1202555\n1234",
    "+12025551234\n::error::owned",
    "\r+12025551234",
    "+1202\x1b[2J5551234",
    "+12025551234\a",
    "\u202e+12025551234",
    "+1202\u200b5551234",
    "+1202\u20285551234",
    "+1202\u00a05551234",
    "+12025551234\0",
    "+1202\ud8005551234",
    "\ue000+12025551234",
]
FENCES = ["```", "`whoami`"]


def refused(rows: list[dict[str, Any]]) -> str:
    """The error message for a list of these rows."""
    with pytest.raises(APIResponseValidationError) as caught:
        phone_numbers_from({"phone_numbers": rows}, LIST)
    assert not caught.value.truncated
    text = str(caught.value)
    assert text.isprintable()
    return text


@pytest.mark.parametrize(
    "identity",
    [
        "line-1",
        "../../v3/other",
        f"{ID}\n",
        f" {ID}",
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID.replace("-", ""),
        ID[:-1],
        f"{ID}0",
        ID.replace("1", "١"),
        "```",
    ],
)
def test_an_id_that_is_no_uuid_makes_the_answer_malformed(identity: str) -> None:
    """In a list and in the answer to a write, in a sentence that does not repeat it."""
    said = refused([OTHER, LINE | {"id": identity}])
    assert "a line whose id is not a UUID" in said
    assert "line-1" not in said
    with pytest.raises(APIResponseValidationError, match="a line whose id is not a UUID"):
        phone_number_from(LINE | {"id": identity}, WRITE)


@pytest.mark.parametrize("field", ["phone_number", "forwarding_number"])
@pytest.mark.parametrize("number", [*UNPRINTABLE, *FENCES], ids=ascii)
def test_a_number_that_could_write_beyond_its_place_makes_the_answer_malformed(field: str, number: str) -> None:
    """Control and formatting characters, line breaks of any kind and backticks: no number has them."""
    assert f"line {ID}, whose {field} has characters that no phone number has" in refused(
        [OTHER, LINE | {field: number}]
    )
    with pytest.raises(APIResponseValidationError, match=f"line {ID}, whose {field} has characters"):
        phone_number_from(LINE | {field: number}, WRITE)


@pytest.mark.parametrize("number", ["+12025551234", "202-555-0107", "+1 (202) 555.0107", "+49 30 1234/5"])
def test_a_number_in_another_form_is_left_as_it_is(number: str) -> None:
    """What Linq lists is shown, also where it could not be declared so."""
    (line,) = phone_numbers_from({"phone_numbers": [LINE | {"phone_number": number}]}, LIST)
    assert line.phone_number == number


@pytest.mark.parametrize("line_type", [*UNPRINTABLE, *FENCES, ""], ids=ascii)
def test_a_line_type_that_could_write_beyond_its_place_is_left_out(line_type: str) -> None:
    """Nothing depends on it, so it makes no answer malformed."""
    assert phone_number_from(LINE | {"line_type": line_type}, LIST).line_type is None


@pytest.mark.parametrize(
    "second",
    [LINE, LINE | {"id": ID.upper()}, LINE | {"forwarding_number": None}, LINE | {"phone_number": "+12025551235"}],
    ids=["identical", "in capitals", "another forwarding", "another number"],
)
def test_one_line_twice_is_no_list(second: dict[str, Any]) -> None:
    """Identical rows too: a server that repeats itself may as well have left another line out."""
    assert f"line {ID} twice" in refused([LINE, OTHER, second])


def test_a_row_without_forwarding_number_is_not_forwarded() -> None:
    """Linq's own SDK for Python reads an absent field as null, wherever the row is in the list."""
    bare = {key: value for key, value in OTHER.items() if key != "forwarding_number"}
    forwarded = PhoneNumber(ID, "+12025551234", "+12025559999")
    silent = PhoneNumber(OTHER_ID, "+12025551235", "")
    assert phone_numbers_from({"phone_numbers": [LINE, bare]}, LIST) == [forwarded, silent]
    assert phone_numbers_from({"phone_numbers": [bare, LINE]}, LIST) == [silent, forwarded]


@pytest.mark.parametrize("count", [1, 2])
def test_a_list_in_which_no_row_has_forwarding_number_is_malformed(count: int) -> None:
    """All lines would seem not forwarded: a server that renames the field must not get an account cleared."""
    rows = [{k: v for k, v in row.items() if k != "forwarding_number"} for row in (LINE, OTHER)][:count]
    assert "no line has a forwarding_number" in refused(rows)


def test_the_answer_to_a_write_names_the_forwarding_number() -> None:
    """A write is confirmed by what the answer contains, not by what it omits."""
    with pytest.raises(APIResponseValidationError, match="a line without forwarding_number"):
        phone_number_from({"id": ID, "phone_number": "+12025551234"}, WRITE)


@pytest.mark.parametrize("field", ["code", "message", "doc_url", "trace_id"])
def test_what_an_error_says_stays_in_its_place(field: str) -> None:
    """No extra line and no code fence, in the message, in its fields, and in the list of a fleet's failures."""
    text = "no\n```\n~~~\n| a | b |\r\n# heading\n\n<!-- \x1b]8;;https://evil.example\a"
    body = {"error": {"status": 400, field: text}, "success": False, "trace_id": text if field == "trace_id" else "t"}
    error = error_from(
        Answer(400, {}, json.dumps(body).encode()),
        request=WRITE,
        settings=Settings(api_key="key", api_key_source="linq:apiKey"),
    )
    for said in (str(error), error.code, error.detail, error.doc_url, error.trace_id):
        assert said.isprintable()
        assert "```" not in said
    fleet = str(FleetError("1 of 2 lines are not as declared", {"+12025551234": error}, next_step="Run `pulumi up`."))
    starts = [line[:4] for line in fleet.splitlines()]
    assert starts == ["1 of", "  - ", "Run "]


@pytest.mark.parametrize("header", ["location", "content-type"])
def test_what_a_header_says_stays_in_its_place(header: str) -> None:
    """A redirect's host and the type of an error page are text of the server too."""
    headers = {header: "https://a\x1b[2J```\u2028evil.example/" if header == "location" else "text/```\x1b\u2028;a"}
    error = error_from(
        Answer(302 if header == "location" else 502, headers, b""),
        request=LIST,
        settings=Settings(api_key="key", api_key_source="linq:apiKey"),
    )
    assert str(error).isprintable()
    assert "```" not in str(error)
