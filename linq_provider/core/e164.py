"""Whether a text names a line (a phone number in E.164 format, or a phone_number_id) and, if not, what is wrong.

The hints cover the ways in which spreadsheets, web pages and phone books damage numbers. A correction is only
suggested, never made; and no hint repeats the text, because it may be secret.
"""

import re
import unicodedata

from linq_provider.phone_number import is_uuid

__all__ = ["e164_problem", "is_uuid", "line_problem"]

# ITU-T E.164: a plus sign, then 2 to 15 digits, the first of them not 0. `fullmatch` and ASCII, because
# `match` with `$` accepts a trailing newline, and `\d` alone accepts the digits of other scripts.
_E164 = re.compile(r"\+[1-9]\d{1,14}", re.ASCII)
_FORM = "write '+', country code and number, 2 to 15 digits in all, like +12025551234"
LONGEST = 100  # characters; a longer text is not a damaged number, and is not examined

# What removing characters cannot correct. The message names the first that matches.
_SPOILED: tuple[tuple[str, str], ...] = (
    (r"\s*", f"it is blank: {_FORM}"),
    (r"#+", "the column was too narrow when the file was saved: widen it, and save the file again"),
    (r"#[A-Z0-9/]+[!?]?", "it is an error of a spreadsheet: format the column as text, and enter the number again"),
    (r"=.*", 'it is a formula (="…"): keep only the number in it, and format the column as text'),
    (
        r"\s*[+-]?[0-9]+([.,][0-9]+)?\s*E\s*[+]?[0-9]+\s*",
        "it is in scientific notation, which has lost digits: format the column as text, and enter the number again",
    ),
    (
        r"\s*[+]?[0-9]{5,}[.,]0+\s*",
        "it ends in .0, like a decimal number: format the column as text, and enter the number again",
    ),
    (r"-[0-9]+", "it is the result of a calculation: format the column as text, and enter the number again"),
)
_EXTENSION = r".*[0-9]{2}.*(ext|x|#|;|,,).*[0-9]+[\s#]*"
_BETWEEN_NUMBERS = r"[/;,|&\n]|\bor\b|\boder\b"

# What is removed, in this order, before the rest is examined.
_REMOVABLE: tuple[tuple[str, str], ...] = (
    ("\u00ad", "soft hyphens (invisible)"),
    ("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", "text direction marks (invisible)"),
    ("[\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\ufeff]", "zero-width characters (invisible)"),
    ("[\u20e3\ufe00-\ufe0f]", "emoji selectors (invisible)"),
    ("[\u2190-\u21ff\u2600-\u27bf\U0001f000-\U0001faff]", "emoji"),
    ("^\\s*['`\u00b4\u2018\u2019\u02bc]", "apostrophe in front"),
    ('["“”„«»]', "quotes"),
    (r"^\s*[^\W\d_]+\.?\s*:\s*", "word in front (such as tel:)"),
    (r"\(\s*0\s*\)", "(0) after the country code"),
    (r"[\r\n\v\f\x85\u2028\u2029]", "line breaks"),
    (r"\s", "spaces"),
    ("[\u2212\ufe63\uff0d]", "minus signs"),
    ("[-\u2010-\u2015]", "dashes"),
    ("[.\u00b7\u2022\u2219]", "dots"),
    ("[,]", "commas"),
    (r"[()\[\]{}]", "brackets"),
    ("[/\u2044]", "slashes"),
)

# What the rest is, once everything removable is gone.
_REST: tuple[tuple[str, str], ...] = (
    (r"00[1-9]\d+", "write + in place of the 00 in front"),
    (r"011[1-9]\d+", "write + in place of the 011 in front"),
    (
        r"\d{10}",
        "if it is a number of the US or Canada, put +1 in front (+1…); if not, put + and its country code in front",
    ),
    (
        r"1\d{10}",
        "if it is a number of the US or Canada, put + in front (+1…); if not, put + and its country code in front",
    ),
    (r"0\d+", "begin with + and the country code, in place of the 0 in front"),
    (r"\d{2,15}", "begin with + and the country code"),
    (r"\+0\d*", "after + comes the country code, which never begins with 0"),
    (r"\+?\d{16,}", "it has more than 15 digits"),
    (r"\+?\d?", f"it has too few digits: {_FORM}"),
    (r"\+{2,}\d+", "write + once"),
)


def e164_problem(text: str) -> str | None:
    """Why `text` is not an E.164 number; None if it is. Never repeats the text, because it may be secret."""
    if _E164.fullmatch(text):
        return None
    return f"is not in E.164 format: {_hint(text)}"


def line_problem(text: str) -> str | None:
    """Why `text` does not name a line of an account; None if it does."""
    if is_uuid(text) or not (problem := e164_problem(text)):
        return None
    if re.fullmatch(r"(?=.*[a-f])[0-9a-f{}\s-]{8,}", text[:LONGEST], re.IGNORECASE):
        return "is not a complete phone_number_id: copy it again from `linq-provider numbers`"
    return f"is not a phone_number_id and {problem}"


def _hint(text: str) -> str:
    """What is wrong, and what to do."""
    if len(text) > LONGEST:
        return "it is longer than any phone number"
    if spoiled := _spoiled(text):
        return spoiled
    rest, removed = _bare(text)
    if removed and _E164.fullmatch(rest):
        return f"remove the {_listed(removed)}"
    hint = next((hint for pattern, hint in _REST if re.fullmatch(pattern, rest, re.ASCII)), "") or _foreign(rest)
    return f"{hint}; and remove the {_listed(removed)}" if removed else hint


def _spoiled(text: str) -> str:
    """What is wrong with a text that has lost its number, or has more than one."""
    for pattern, hint in _SPOILED:
        if re.fullmatch(pattern, text, re.DOTALL | re.IGNORECASE):
            return hint
    if sum(len(re.findall("[0-9]", part)) >= 7 for part in re.split(_BETWEEN_NUMBERS, text)) > 1:
        return "it holds two numbers: keep one"
    if re.fullmatch(_EXTENSION, text, re.DOTALL | re.IGNORECASE):
        return "it has an extension, which calls cannot be forwarded to: leave it out"
    return ""


def _bare(text: str) -> tuple[str, list[str]]:
    """The text without everything removable, and the names of what was removed."""
    removed = []
    for pattern, name in _REMOVABLE:
        bare = re.sub(pattern, "", text)
        if bare != text:
            removed.append(name)
        text = bare
    return text, removed


def _foreign(rest: str) -> str:
    """What is wrong with characters that do not belong in a number."""
    if any(character.isalpha() for character in rest):
        return "write digits in place of the letters"
    if any(each.isdigit() or unicodedata.normalize("NFKC", each) == "+" for each in rest if not each.isascii()):
        return "type it again: it has characters that only look like the digits 0 to 9 or like +"
    return _FORM


def _listed(names: list[str]) -> str:
    """Names, joined for a sentence."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
