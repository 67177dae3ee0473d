"""What counts as a phone number in E.164 format."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_provider.core.e164 import e164_problem

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


@pytest.mark.parametrize(
    "text",
    [
        "+1 415 555 0100",
        "+1-415-555-0100",
        "+1 (415) 555-0100",
        "+1 [415] 555 0100",
        "+1.415.555.0100",
        "tel:+1-415-555-0100",
        "+1\u00a0415\u00a0555\u00a00100",
        "+1 415\u2011555\u20110100",
        "\u202a+14155550100\u202c",
        "+14155550100\n",
    ],
)
def test_a_number_with_decoration_is_told_what_to_remove(text: str) -> None:
    """As people copy them from a web page or a phone book, with invisible characters too."""
    problem = e164_problem(text) or ""
    assert problem.startswith("is not in E.164 format: remove the spaces, dashes, dots, brackets")


def test_a_number_without_plus_is_told_to_put_it() -> None:
    """The commonest mistake has a hint of its own."""
    assert e164_problem("14155550100") == "is not in E.164 format: put '+' before the country code"


def test_row_29_digits_of_another_script_do_not_only_lack_the_plus() -> None:
    """A number without '+' in other digits is not told that '+' is all it lacks."""
    assert "put '+'" not in str(e164_problem("1٤155550123"))


@GENERATED
@given(st.from_regex(r"[0-9 ()+-]{5,20}", fullmatch=True))
def test_the_problem_never_repeats_the_number(text: str) -> None:
    """A declared number may be secret: the hint is one of three fixed texts, whatever was declared."""
    assert e164_problem(text) in {
        None,
        "is not in E.164 format: remove the spaces, dashes, dots, brackets and any 'tel:'",
        "is not in E.164 format: put '+' before the country code",
        "is not in E.164 format: '+', country code and number, 2 to 15 digits in all, like +12025551234",
    }
