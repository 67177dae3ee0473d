"""Forwardings as plain records: what is declared, what is recorded, what differs; and what is always invalid."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from linq_provider.core.e164 import e164_problem, is_uuid
from linq_provider.errors import RefusedError
from linq_provider.phone_number import PhoneNumber

T = TypeVar("T")


class Unknown(enum.Enum):
    """A value that is not known at preview."""

    UNKNOWN = "unknown"


MaybeText = str | Unknown | None

# What happens to a line that is given up: the values of `removed`, in which None means CLEAR.
CLEAR, KEEP, RESTORE = "clear", "keep", "restore"


@dataclass(frozen=True)
class Inputs:
    """What the program declares; None for what it does not set. Exactly one of the first two is set."""

    phone_number_id: MaybeText = None
    phone_number: MaybeText = None
    forwarding_number: MaybeText = None
    overwrite: bool | Unknown | None = None
    removed: MaybeText = None

    @property
    def identity(self) -> MaybeText:
        """The line as the program names it."""
        return self.phone_number if self.phone_number_id is None else self.phone_number_id

    @property
    def lines(self) -> tuple[str, ...]:
        """The name of the line, if known."""
        return (self.identity,) if isinstance(self.identity, str) else ()

    @property
    def declared_by(self) -> str:
        """Which input names the line."""
        return "phone_number" if self.phone_number_id is None else "phone_number_id"


@dataclass(frozen=True)
class Outputs:
    """What the state records. `forwarding_number` is "" for not forwarded.

    `declared_by`, `overwrite` and `removed` are recorded because `read` gets only outputs, and must return the inputs.
    `applied_number` is what this stack wrote last, if a refresh found something else; None if they agree.
    `replaced_number` is what the line forwarded to before this stack managed it, "" for not forwarded; None if it will
    not be needed, or is not known.
    """

    phone_number_id: str
    phone_number: str
    forwarding_number: str
    declared_by: str
    overwrite: bool | None = None
    applied_number: str | None = None
    removed: str | None = None
    replaced_number: str | None = None

    @property
    def applied(self) -> str:
        """What this stack wrote last."""
        return self.forwarding_number if self.applied_number is None else self.applied_number

    @property
    def id(self) -> str:
        """The id of the resource."""
        return self.phone_number_id

    @property
    def inputs(self) -> Inputs:
        """The inputs that lead to these outputs."""
        names = {self.declared_by: getattr(self, self.declared_by)}
        return Inputs(forwarding_number=self.forwarding_number, overwrite=self.overwrite, removed=self.removed, **names)

    @property
    def left_with(self) -> str:
        """What the line must forward to after this resource is deleted."""
        if self.removed == KEEP:
            return self.applied
        return (self.replaced_number or "") if self.removed == RESTORE else ""


@dataclass(frozen=True)
class Fleet:
    """What the program declares and, if every value is known, what the state records: both have the same shape.

    `forwardings` maps each line, named by phone_number or phone_number_id, to its number. `overwrite` is a bool or a
    list of lines, `allow_clearing` a number of lines. `applied_numbers` and `replaced_numbers` are only recorded: the
    `applied_number` and `replaced_number` of each line that has one.
    """

    forwardings: Mapping[str, MaybeText] | Unknown | None = None
    overwrite: bool | tuple[str | Unknown, ...] | Unknown | None = None
    removed: str | Unknown | None = None
    allow_clearing: float | Unknown | None = None
    applied_numbers: Mapping[str, str] | None = None
    replaced_numbers: Mapping[str, str] | None = None

    @property
    def lines(self) -> Mapping[str, MaybeText]:
        """The map, or an empty one if it is not known yet."""
        return self.forwardings if isinstance(self.forwardings, Mapping) else {}

    @property
    def id(self) -> str:
        """The id of the resource: always the same, because a fleet is not an object at Linq."""
        return "fleet"

    @property
    def inputs(self) -> Fleet:
        """The inputs that lead to these outputs."""
        return replace(self, applied_numbers=None, replaced_numbers=None)

    def declaration(self, line: str) -> Inputs:
        """One line of the map as a single declaration."""
        name = "phone_number_id" if is_uuid(line) else "phone_number"
        lines = self.lines
        if line not in lines:
            return Inputs()
        return Inputs(
            **{name: line},
            forwarding_number=lines[line],
            overwrite=self.may_overwrite(line) or None,
            removed=RESTORE if self.removed == RESTORE else None,
        )

    def may_overwrite(self, line: str) -> bool:
        """Whether this line may be overwritten."""
        if isinstance(self.overwrite, tuple):
            return line in self.overwrite or Unknown.UNKNOWN in self.overwrite
        return bool(self.overwrite)  # Unknown is true: nothing is refused before it is known

    def applied(self, line: str) -> str:
        """What this stack wrote last to a recorded line; "" if not known."""
        number = (self.applied_numbers or {}).get(line, self.lines.get(line))
        return number if isinstance(number, str) else ""

    def recorded(self, line: PhoneNumber) -> str | None:
        """The number of a line under either of its names; None if it is not in the map."""
        known = (self.lines.get(name) for name in (line.id, line.phone_number))
        return next((number for number in known if isinstance(number, str)), None)

    def replaced(self, *names: str) -> str | None:
        """What a line forwarded to before this stack managed it, under any of its names; None if not known."""
        known = self.replaced_numbers or {}
        return next((known[name] for name in names if name in known), None)


def lower_id(line: Any) -> Any:
    """The name of a line, with a phone_number_id in lower case, as the API writes it."""
    return line.lower() if isinstance(line, str) and is_uuid(line) else line


def lower_ids(forwardings: Mapping[str, T]) -> dict[str, T]:
    """The map with each phone_number_id in lower case.

    Raises:
        RefusedError: the map names one twice.
    """
    lowered = {lower_id(line): number for line, number in forwardings.items()}
    if len(lowered) < len(forwardings):
        raise RefusedError(
            "forwardings names a phone_number_id twice, in upper case and in lower case.",
            next_step="Keep only one of them: otherwise either number could be used.",
        )
    return lowered


@dataclass(frozen=True)
class Diff:
    """`changes` in place, or a replacement because of the inputs named in `replaces`.

    `cleared`: this run cleared the line before it was known to be declared here, so it must be written again.
    """

    changes: bool
    replaces: tuple[str, ...] = ()
    cleared: bool = False


def outputs(line: PhoneNumber, declared: Inputs, *, applied: str, replaced: str | None) -> Outputs:
    """What the state records for a line that the API returned; every verb uses this mapping."""
    live = line.forwarding_number
    return Outputs(
        line.id,
        line.phone_number,
        live,
        declared.declared_by,
        declared.overwrite if isinstance(declared.overwrite, bool) else None,
        None if applied == live else applied,
        declared.removed if isinstance(declared.removed, str) else None,
        replaced,
    )


def validate(news: Inputs) -> list[str]:
    """Everything wrong with the declaration, without repeating a number, because it may be secret."""
    texts = ("phone_number_id", "phone_number", "forwarding_number")
    problems = [
        f"{name} is not text: put it in quotes" for name in texts if not isinstance(getattr(news, name), MaybeText)
    ]
    if not isinstance(news.overwrite, bool | Unknown | None):
        problems.append("overwrite is neither True nor False")
    problems += _removed_problems(news.removed)
    if (news.phone_number_id is None) == (news.phone_number is None):
        problems.append(
            "declare the line by exactly one of phone_number and phone_number_id (if the program has only one,"
            " ignore_changes may have kept the other)"
        )
    if isinstance(news.phone_number_id, str) and not is_uuid(news.phone_number_id):
        problems.append("phone_number_id is not a UUID: see `linq-provider numbers`")
    if isinstance(news.phone_number, str) and (problem := e164_problem(news.phone_number)):
        problems.append(f"phone_number {problem}")
    if news.forwarding_number is None:
        problems.append('forwarding_number is missing; write "" for not forwarded')
    number = news.forwarding_number
    if isinstance(number, str) and number and (problem := e164_problem(number)):
        problems.append(f"forwarding_number {problem}")
    return problems


def validate_fleet(news: Fleet) -> list[str]:
    """What is wrong with the declaration as a whole; `validate_lines` checks each line."""
    problems = []
    if not isinstance(news.forwardings, Mapping | Unknown):
        problems.append("forwardings is missing, or is not a map of lines to numbers")
    if not isinstance(news.overwrite, bool | tuple | Unknown | None):
        problems.append("overwrite is neither True, False nor a list of lines")
    problems += _removed_problems(news.removed)
    if not isinstance(news.allow_clearing, float | int | Unknown | None):
        problems.append("allow_clearing is not a number of lines")
    if isinstance(news.forwardings, Mapping) and isinstance(news.overwrite, tuple):
        problems += [
            f"{line}: this line is in overwrite, but not in forwardings"
            for line in news.overwrite
            if line not in news.forwardings and line is not Unknown.UNKNOWN
        ]
    return problems


def _removed_problems(removed: object) -> list[str]:
    if removed in (CLEAR, KEEP, RESTORE, None, Unknown.UNKNOWN):
        return []
    return ['removed is neither "clear" nor "keep" nor "restore"']


def validate_lines(news: Fleet) -> list[str]:
    """What is wrong with each line, without repeating a forwarding number."""
    return [f"{line}: {problem}" for line in news.lines for problem in validate(news.declaration(line))]
