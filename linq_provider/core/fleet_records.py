"""Many forwardings as one plain record: what is declared, what is recorded; and what can never be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from linq_provider.core.e164 import is_uuid
from linq_provider.core.records import Inputs, Text, Unknown, validate
from linq_provider.phone_number import PhoneNumber


@dataclass(frozen=True)
class Fleet:
    """What the program declares and, with every value known, what the state records: both have the same shape.

    `forwardings` maps each line, named by phone_number or phone_number_id, to its number. `overwrite` is a bool or the
    lines that it is meant for, `removed` "clear" or "keep", `allow_clearing` a number of lines.
    """

    forwardings: Mapping[str, Text] | Unknown | None = None
    overwrite: bool | tuple[str | Unknown, ...] | Unknown | None = None
    removed: str | Unknown | None = None
    allow_clearing: float | Unknown | None = None

    @property
    def lines(self) -> Mapping[str, Text]:
        """The map, or an empty one where it is not known yet."""
        return self.forwardings if isinstance(self.forwardings, Mapping) else {}

    def inputs(self, line: str) -> Inputs:
        """One line of the map as a declaration of its own."""
        name = "phone_number_id" if is_uuid(line) else "phone_number"
        lines = self.lines
        if line not in lines:
            return Inputs()
        return Inputs(**{name: line}, forwarding_number=lines[line], overwrite=self.may_overwrite(line) or None)

    def may_overwrite(self, line: str) -> bool:
        """Whether this line may be taken over, as far as is known yet."""
        if isinstance(self.overwrite, tuple):
            return line in self.overwrite or Unknown.UNKNOWN in self.overwrite
        return bool(self.overwrite)  # Unknown is true: what is not known yet is not refused

    def recorded(self, line: PhoneNumber) -> str | None:
        """The number of a line under either of its names; None where it is not in the map."""
        known = (self.lines.get(name) for name in (line.id, line.phone_number))
        return next((number for number in known if isinstance(number, str)), None)


def validate_fleet(news: Fleet) -> list[str]:
    """What is wrong with the declaration as a whole; the lines are validated one by one."""
    problems = []
    if not isinstance(news.forwardings, Mapping | Unknown):
        problems.append("forwardings is missing, or is no map of lines to numbers")
    if not isinstance(news.overwrite, bool | tuple | Unknown | None):
        problems.append("overwrite is neither True, False nor a list of lines")
    if news.removed not in ("clear", "keep", None, Unknown.UNKNOWN):
        problems.append('removed is neither "clear" nor "keep"')
    if not isinstance(news.allow_clearing, float | int | Unknown | None):
        problems.append("allow_clearing is not a number of lines")
    if isinstance(news.forwardings, Mapping) and isinstance(news.overwrite, tuple):
        problems += [
            f"{line}: overwrite names it, forwardings does not"
            for line in news.overwrite
            if line not in news.forwardings and line is not Unknown.UNKNOWN
        ]
    return problems


def validate_lines(news: Fleet) -> list[str]:
    """What is wrong with each line, told without repeating a forwarding number."""
    return [f"{line}: {problem}" for line in news.lines for problem in validate(news.inputs(line))]
