"""What counts as a phone number in E.164 format."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_provider.core.e164 import e164_problem, line_problem

GENERATED = settings(database=None, deadline=None, derandomize=True)


@GENERATED
@given(st.text("0123456789", min_size=1, max_size=14), st.sampled_from("123456789"))
def test_row_29_a_plus_and_2_to_15_digits_are_a_number(rest: str, first: str) -> None:
    """Every number that ITU-T E.164 allows passes."""
    assert e164_problem(f"+{first}{rest}") is None


@GENERATED
@given(st.text())
def test_row_29_nothing_else_is_a_number(text: str) -> None:
    """Accepted text is ASCII, a plus and 2 to 15 digits without a leading zero, to the last character."""
    accepted = (
        text[:1] == "+"
        and 2 <= len(text) - 1 <= 15
        and text[1] in "123456789"
        and all(character in "0123456789" for character in text[1:])
    )
    assert (e164_problem(text) is None) == accepted


@GENERATED
@given(st.integers(10, 10**15 - 1).map("+{}".format), st.characters(), st.integers(0, 16))
def test_row_29_one_character_more_that_is_no_digit_is_refused(number: str, extra: str, at: int) -> None:
    """A digit of another script, a newline, a space or a letter anywhere makes it no number."""
    text = number[:at] + extra + number[at:]
    assert extra in "0123456789" or e164_problem(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "+1202555١٢٣٤",
        "+１２０２５５５１２３４",
        "+14155550100\n",
        "\n+14155550100",
        "+04155550100",
        "+1234567890123456",
        "+1",
        "+",
        "",
        "+1 415 555 0100",
        "tel:+14155550100",
        "++14155550100",
        "0014155550100",
        "+1415555010O",
        "+14155550100;ext=1",
    ],
)
def test_row_29_look_alikes_are_refused(text: str) -> None:
    """Other scripts' digits, a newline, a leading zero, 16 digits, spaces and `tel:` do not pass."""
    assert e164_problem(text) is not None


# How numbers are damaged, and the hints

REMOVE = {
    "+1 415 555 0100": "spaces",
    "+1-415-555-0100": "dashes",
    "+1 (415) 555-0100": "spaces, dashes and brackets",
    "+1 [415] 555 0100": "spaces and brackets",
    "+1.415.555.0100": "dots",
    "+1/415/5550100": "slashes",
    "+1,415,555,0100": "commas",
    "tel:+1-415-555-0100": "word in front (such as tel:) and dashes",
    "TEL:+14155550100": "word in front (such as tel:)",
    "Tel.: +14155550100": "word in front (such as tel:)",
    "Büro: +14155550100": "word in front (such as tel:)",
    "+1\u00a0415\u00a0555\u00a00100": "spaces",
    "+1 415\u2011555\u20110100": "spaces and dashes",
    "+1\u2212415\u22125550100": "minus signs",
    "+1\u00ad415\u00ad5550100": "soft hyphens (invisible)",
    "\u202a+14155550100\u202c": "text direction marks (invisible)",
    "\u2068+14155550100\u2069": "text direction marks (invisible)",
    "+14155550100\u200b": "zero-width characters (invisible)",
    "\ufeff+14155550100": "zero-width characters (invisible)",
    "\u260e\ufe0f+14155550100": "emoji selectors (invisible) and emoji",
    "\U0001f4de +14155550100": "emoji and spaces",
    "+1\ufe0f\u20e34155550100": "emoji selectors (invisible)",
    "'+14155550100": "apostrophe in front",
    "\u2019+14155550100": "apostrophe in front",
    '"+14155550100"': "quotes",
    "\u201c+14155550100\u201d": "quotes",
    "+14155550100\n": "line breaks",
    "+49 (0)30 1234567": "(0) after the country code and spaces",
}
NAMED = {
    '="+14155550100"': 'it is a formula (="…"): keep only the number in it, and format the column as text',
    "=+14155550100": 'it is a formula (="…"): keep only the number in it, and format the column as text',
    "1.41556E+10": "it is in scientific notation, which has lost digits",
    "1,41556E+10": "it is in scientific notation, which has lost digits",
    "1e10": "it is in scientific notation, which has lost digits",
    "14155550100.0": "it ends in .0, like a decimal number",
    "-856": "it is the result of a calculation",
    "#NAME?": "it is an error of a spreadsheet",
    "#N/A": "it is an error of a spreadsheet",
    "########": "the column was too narrow when the file was saved",
    "+1 415 555 0100 / +1 415 555 0101": "it holds two numbers: keep one",
    "+14155550100;+14155550101": "it holds two numbers: keep one",
    "+1 415 555 0100 or 555 0101": "it holds two numbers: keep one",
    "+1 415 555 0100 ext. 12": "it has an extension, which calls cannot be forwarded to: leave it out",
    "+14155550100;ext=12": "it has an extension, which calls cannot be forwarded to: leave it out",
    "+14155550100 x12": "it has an extension, which calls cannot be forwarded to: leave it out",
    "+14155550100,,12#": "it has an extension",
    "0014155550100": "write + in place of the 00 in front",
    "01114155550100": "write + in place of the 011 in front",
    "+04155550100": "after + comes the country code, which never begins with 0",
    "++14155550100": "write + once",
    "+1234567890123456": "it has more than 15 digits",
    "+1": "it has too few digits: write '+', country code and number",
    "": "it is blank: write '+', country code and number",
    " \u00a0": "it is blank: write '+', country code and number",
    "+1415555010O": "write digits in place of the letters",
    "+1-800-FLOWERS": "write digits in place of the letters; and remove the dashes",
    "+1202555\u0661\u0662\u0663\u0664": "type it again: it has characters that only look like the digits 0 to 9 or like +",
    "\uff0b14155550100": "type it again: it has characters that only look like the digits 0 to 9 or like +",
    "+1_415_555": "write '+', country code and number, 2 to 15 digits in all, like +12025551234",
    "1" * 101: "it is longer than any phone number",
}


@pytest.mark.parametrize(("text", "what"), REMOVE.items(), ids=ascii)
def test_a_number_with_decoration_is_told_what_to_remove(text: str, what: str) -> None:
    """As people copy them from a web page, a phone book or a spreadsheet; what cannot be seen is named, too."""
    assert e164_problem(text) == f"is not in E.164 format: remove the {what}"


@pytest.mark.parametrize(("text", "hint"), NAMED.items(), ids=ascii)
def test_a_spoiled_number_is_named_for_what_it_is(text: str, hint: str) -> None:
    """What cannot be put right by removing something, each with what to do."""
    assert (e164_problem(text) or "").startswith(f"is not in E.164 format: {hint}")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "4155550100",
            "if it is a number of the US or Canada, put +1 in front (+1…); if not, put + and its country code in front",
        ),
        (
            "14155550100",
            "if it is a number of the US or Canada, put + in front (+1…); if not, put + and its country code in front",
        ),
        ("493012345678", "begin with + and the country code"),
        ("030123456", "begin with + and the country code, in place of the 0 in front"),
    ],
)
def test_a_number_without_plus_is_never_only_told_to_put_it(text: str, hint: str) -> None:
    """+ in front of the ten digits of an American number would be a number in Egypt, or anywhere."""
    assert e164_problem(text) == f"is not in E.164 format: {hint}"
    spaced = f"({text[:3]}) {text[3:6]}-{text[6:]}"
    assert e164_problem(spaced) == f"is not in E.164 format: {hint}; and remove the spaces, dashes and brackets"


@pytest.mark.parametrize("text", ["182bd5e5-6e1a-4fe4-a799", "{182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e}", "182BD5E5 6E1A"])
def test_a_phone_number_id_that_was_cut_is_told_so(text: str) -> None:
    """What looks like an id is no number with letters in it."""
    assert line_problem(text) == "is not a complete phone_number_id: copy it again from `linq-provider numbers`"


PIECES = [
    *"0123456789" * 3,
    *"+-()., /;:'\"=#eExX\n",
    "\u00a0",
    "\u00ad",
    "\u2212",
    "\u202a",
    "\ufe0f",
    "\u0664",
    "tel:",
    "00",
]


def test_ten_thousand_strings_are_told_apart_and_not_repeated() -> None:
    """No traceback, and no four digits of the text in a row: a declared number may be secret."""
    draw = random.Random(16)
    for _ in range(10_000):
        text = draw.choice(["", "+"]) + "".join(draw.choices(PIECES, k=draw.randrange(25)))
        for problem in (e164_problem(text), line_problem(text)):
            said = (problem or "").replace("+12025551234", "")
            assert not [four for four in re.findall(r"(?=(\d{4}))", text) if four in said], text


def test_row_29_digits_of_another_script_do_not_only_lack_the_plus() -> None:
    """The hint for a number in other digits without '+' is not only to add '+'."""
    assert "put + in front" not in str(e164_problem("1٤155550123"))


@GENERATED
@given(st.text())
def test_any_text_gets_a_sentence(text: str) -> None:
    """Whatever Unicode holds."""
    for problem in (e164_problem(text), line_problem(text)):
        assert problem is None or problem.startswith("is ")


def test_a_long_text_is_no_long_wait() -> None:
    """A text of ten million characters is refused without being examined."""
    assert e164_problem("1 " * 5_000_000) == "is not in E.164 format: it is longer than any phone number"
