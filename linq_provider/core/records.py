"""One forwarding as plain records: what is declared, what is recorded, what differs; and what can never be right."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from linq_provider.core.e164 import e164_problem, is_uuid
from linq_provider.phone_number import PhoneNumber


class Unknown(enum.Enum):
    """A value that is not known before the run, at preview."""

    UNKNOWN = "unknown"


Text = str | Unknown | None


@dataclass(frozen=True)
class Inputs:
    """What the program declares; None for what it does not say. Exactly one of the first two."""

    phone_number_id: Text = None
    phone_number: Text = None
    forwarding_number: Text = None
    overwrite: bool | Unknown | None = None

    @property
    def identity(self) -> Text:
        """The line, as the program names it."""
        return self.phone_number if self.phone_number_id is None else self.phone_number_id

    @property
    def declared_by(self) -> str:
        """Which input names the line."""
        return "phone_number" if self.phone_number_id is None else "phone_number_id"


@dataclass(frozen=True)
class Outputs:
    """What the state records. `forwarding_number` is "" for not forwarded.

    `declared_by` and `overwrite` are kept because `read` is told outputs only, and has to return the inputs.
    """

    phone_number_id: str
    phone_number: str
    forwarding_number: str
    declared_by: str
    overwrite: bool | None = None

    @property
    def inputs(self) -> Inputs:
        """The inputs that lead to these outputs."""
        names = {self.declared_by: getattr(self, self.declared_by)}
        return Inputs(forwarding_number=self.forwarding_number, overwrite=self.overwrite, **names)


@dataclass(frozen=True)
class Diff:
    """`changes` in place, or a replacement because of the inputs named in `replaces`.

    `cleared`: the inputs are the same, but this run cleared the line before it was known to be declared here.
    """

    changes: bool
    replaces: tuple[str, ...] = ()
    cleared: bool = False


def outputs(line: PhoneNumber, declared_by: str, overwrite: bool | Unknown | None) -> Outputs:
    """The one mapping of a line as the API shows it to what the state records."""
    kept = overwrite if isinstance(overwrite, bool) else None
    return Outputs(line.id, line.phone_number, line.forwarding_number, declared_by, kept)


def validate(news: Inputs) -> list[str]:
    """Everything wrong with the declaration, told without repeating a number: it may be secret."""
    texts = ("phone_number_id", "phone_number", "forwarding_number")
    problems = [f"{name} is not text: put it in quotes" for name in texts if not isinstance(getattr(news, name), Text)]
    if not isinstance(news.overwrite, bool | Unknown | None):
        problems.append("overwrite is neither True nor False")
    if (news.phone_number_id is None) == (news.phone_number is None):
        problems.append("declare the line by exactly one of phone_number and phone_number_id")
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
