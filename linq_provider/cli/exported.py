"""The lines of an account as they can be declared: under which name, to which number, or why not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linq_provider.core.destinations import UNRESTRICTED, Destinations
from linq_provider.core.e164 import e164_problem, is_uuid
from linq_provider.errors import plain
from linq_provider.phone_number import PhoneNumber


@dataclass(frozen=True)
class ExportedLine:
    """One line: `identity` is its phone_number, or its phone_number_id where the number cannot name it."""

    identity: str
    forwarding_number: str
    phone_number_id: str
    line_type: str

    @property
    def by(self) -> str:
        """Which argument of a resource takes the identity."""
        return "phone_number" if self.identity.startswith("+") else "phone_number_id"

    @property
    def resource_name(self) -> str:
        """A name that no other line has."""
        return f"line-{self.identity.removeprefix('+')}"

    @property
    def remark(self) -> str:
        """What else is known of the line."""
        return ", ".join(filter(None, (self.line_type, self.phone_number_id)))


@dataclass(frozen=True)
class ExportedAccount:
    """All lines in the order of their numbers; `left_out` says which cannot be declared as they are, and why."""

    lines: Sequence[ExportedLine]
    left_out: Sequence[str]

    @property
    def summary(self) -> str:
        """How many lines there are, and how many of them forward."""
        forwarded = sum(bool(line.forwarding_number) for line in self.lines)
        lines = "1 line" if len(self.lines) == 1 else f"{len(self.lines):,} lines"
        return f"{lines}, {forwarded:,} of them forwarded"


def exported(lines: Sequence[PhoneNumber], *, destinations: Destinations = UNRESTRICTED) -> ExportedAccount:
    """What can be declared of `lines`, and what cannot: declaring the rest would fail at `pulumi preview`."""
    listed = Counter(line.phone_number for line in lines)
    targets = {line.phone_number: line.forwarding_number for line in lines}
    declared: list[ExportedLine] = []
    left_out: list[str] = []
    for line in sorted(lines, key=lambda line: (line.phone_number, line.id)):
        number = line.phone_number
        named_by_number = listed[number] == 1 and not (e164_problem(number) or destinations.line_problem(number))
        if problem := _problem(line, targets, destinations, named_by_number=named_by_number):
            left_out.append(plain(f"{line.phone_number} ({line.id}): {problem}", limit=300))
            continue
        identity = line.phone_number if named_by_number else line.id
        kind = plain(line.line_type or "", limit=40)
        declared.append(ExportedLine(identity, line.forwarding_number, plain(line.id), kind))
    return ExportedAccount(declared, left_out)


def _problem(
    line: PhoneNumber, targets: Mapping[str, str], destinations: Destinations, *, named_by_number: bool
) -> str:
    if not named_by_number and not is_uuid(line.id):
        return "neither its number nor its id is well-formed"
    number = line.forwarding_number
    if number and (problem := e164_problem(number) or destinations.problem(number)):
        return f"where it forwards {problem}"
    if _goes_round(line.phone_number, targets):
        return f"it forwards to {line.forwarding_number}, from where calls come back, and never ring"
    return ""


def _goes_round(phone_number: str, targets: Mapping[str, str]) -> bool:
    step, seen = targets.get(phone_number), set[str]()
    while step and step not in seen:
        if step == phone_number:
            return True
        seen.add(step)
        step = targets.get(step)
    return False
