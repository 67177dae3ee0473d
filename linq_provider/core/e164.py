"""Does a string name a line: a phone number in E.164 format, or a phone_number_id."""

import re

from linq_provider.phone_number import is_uuid

__all__ = ["e164_problem", "is_uuid", "line_problem"]

# ITU-T E.164: a plus sign, then 2 to 15 digits, the first of them not 0. `fullmatch` and ASCII, because
# `match` with `$` accepts a trailing newline, and `\d` alone accepts the digits of other scripts.
_E164 = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
# How people write numbers, and what a copy from a page or a phone book brings along unseen.
_DECORATION = re.compile(r"[\s().\-/\[\]\u200b-\u2015\u202a-\u202e\u2060-\u2069\ufeff]|^tel:")


def e164_problem(text: str) -> str | None:
    """Why `text` is not an E.164 number, or None where it is; never repeats the text: it may be secret."""
    if _E164.fullmatch(text):
        return None
    if _E164.fullmatch(_DECORATION.sub("", text)):
        return "is not in E.164 format: remove the spaces, dashes, dots, brackets and any 'tel:'"
    if re.fullmatch(r"[1-9]\d{1,14}", text, re.ASCII):
        return "is not in E.164 format: put '+' before the country code"
    return "is not in E.164 format: '+', country code and number, 2 to 15 digits in all, like +12025551234"


def line_problem(text: str) -> str | None:
    """Why `text` names no line of an account, or None where it does."""
    problem = None if is_uuid(text) else e164_problem(text)
    return problem and f"is no phone_number_id and {problem}"
