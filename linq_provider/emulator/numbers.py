"""The lines of an emulated account: each seed has its own block of phone numbers, and its own ids."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "emulator.linq-provider.invalid")
# Area codes of the United States. In each of them, 555-0100 to 555-0199 are reserved for fiction.
_AREA_CODES = (
    *(202, 205, 206, 208, 210, 212, 213, 214, 215, 216, 217, 218, 219, 225, 228, 229, 231, 234, 239, 240),
    *(248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308),
    *(309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 330, 334, 336, 337, 347, 351, 352),
    *(360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 425),
    *(432, 434, 440, 443, 469, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513),
)
_FICTION = 555_0100
_BLOCK = 100


@dataclass(frozen=True)
class EmulatedNumber:
    """One line of the emulated account; `forwarding_number` is None when calls are not forwarded."""

    id: str
    phone_number: str
    forwarding_number: str | None = None
    line_type: str | None = "iMessage"


def default_id(phone_number: str, *, seed: int = 0) -> str:
    """The id of a number that is given without one: the same on every machine."""
    return str(uuid.uuid5(NAMESPACE, f"{seed}/{phone_number}"))


def build_numbers(numbers: int | Iterable[Mapping[str, Any]], *, seed: int = 0) -> list[EmulatedNumber]:
    """The lines that an emulator starts with: so many, or exactly these; ValueError if a number is given twice."""
    if isinstance(numbers, int):
        first = _first_number(seed)
        numbers = [{"phone_number": f"+{first + index}"} for index in range(numbers)]
    built = [_build_number(row, seed=seed) for row in numbers]
    seen: set[str] = set()
    for number in built:
        if number.phone_number in seen:
            raise already_there(number)
        seen.add(number.phone_number)
    return built


def _build_number(row: Mapping[str, Any], *, seed: int) -> EmulatedNumber:
    number = EmulatedNumber(**{"id": default_id(row["phone_number"], seed=seed), **row})
    return replace(number, forwarding_number=number.forwarding_number or None)


def already_there(number: EmulatedNumber) -> ValueError:
    """The error for adding a line whose number or id is taken."""
    return ValueError(f"the emulator already has a line {number.phone_number} or its id {number.id}")


def _first_number(seed: int) -> int:
    """The number of the first line, without its `+`; the other lines have the numbers after it.

    Each of the first 100 seeds has 100 numbers for fiction; later seeds, and larger accounts, use other numbers too.
    """
    turn, index = divmod(seed, len(_AREA_CODES))
    # A local number has seven digits and does not begin with 0 or 1.
    local = 200_0000 + (_FICTION - 200_0000 + turn * _BLOCK) % 800_0000
    return int(f"1{_AREA_CODES[index]}{local}")
