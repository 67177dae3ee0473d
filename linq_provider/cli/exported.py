"""How the lines of an account can be declared, and the text of a program or roster that declares them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from linq_provider.cli.output import count_forwarded
from linq_provider.core.destinations import UNRESTRICTED, Destinations
from linq_provider.core.e164 import e164_problem, is_uuid
from linq_provider.core.roster_csv import NOT_FORWARDED
from linq_provider.errors import plain
from linq_provider.phone_number import PhoneNumber

MOST_RESOURCES = 50  # lines; one fleet for more is easier to read, and faster
PROGRAM = '''\
"""Where calls to the lines of a Linq account are forwarded: {summary}.

Written by `linq-provider export` from the live account. `pulumi up` adopts the lines as they are and writes
nothing. "" means: not forwarded. Removing a resource clears its forwarding, unless it has `retain_on_delete`.
"""

import linq_provider as linq
'''
PROGRAM_OF_NOTHING = '"""There is nothing to declare: `linq-provider export` found no line that can be declared."""\n'
ROSTER = """\
# Where calls to the lines of a Linq account are forwarded: {summary}.
#
# Written by `linq-provider export` from the live account. In a Pulumi program:
#
#     import linq_provider as linq
#
#     linq.ForwardingRoster("lines", file="{file}")
#
# `pulumi up` adopts the lines as they are and writes nothing. "" means: not forwarded.
# A line that is removed from this file later is cleared.
"""
ROSTER_OF_NOTHING = """\
# There is nothing to declare: `linq-provider export` found no line that can be declared.
# Pulumi refuses a roster without lines, because it would clear every line of a fleet.
"""
LEFT_OUT = "# Left out, because they cannot be declared as they are:\n"


@dataclass(frozen=True)
class ExportedLine:
    """`identity` is its phone_number, or its phone_number_id if the number cannot identify it."""

    identity: str
    forwarding_number: str
    phone_number_id: str
    line_type: str

    @property
    def remark(self) -> str:
        """What else is known about the line."""
        return ", ".join(filter(None, (self.line_type, self.phone_number_id)))


@dataclass(frozen=True)
class ExportedAccount:
    """All lines in the order of their numbers; `left_out` says which cannot be declared as they are, and why."""

    lines: Sequence[ExportedLine]
    left_out: Sequence[str]

    @property
    def summary(self) -> str:
        """How many lines there are, and how many of them are forwarded."""
        return count_forwarded([line.forwarding_number for line in self.lines])

    @property
    def summary_left_out(self) -> str:
        """How many lines cannot be declared."""
        total = len(self.left_out) + len(self.lines)
        return f"{len(self.left_out):,} of {total:,} lines cannot be declared as they are"

    @property
    def comment(self) -> str:
        """The lines that are left out, as comments."""
        return "".join([LEFT_OUT, *(f"# {line}\n" for line in self.left_out)]) if self.left_out else ""


def exported(lines: Sequence[PhoneNumber], *, destinations: Destinations = UNRESTRICTED) -> ExportedAccount:
    """Which of `lines` can be declared, and which cannot, because `pulumi preview` would refuse them."""
    listed = Counter(line.phone_number for line in lines)
    targets = {line.phone_number: line.forwarding_number for line in lines}
    declared: list[ExportedLine] = []
    left_out: list[str] = []
    for line in sorted(lines, key=lambda line: (line.phone_number, line.id)):
        number = line.phone_number
        named_by_number = listed[number] == 1 and not (e164_problem(number) or destinations.line_problem(number))
        if problem := _problem(line, targets, destinations, named_by_number=named_by_number):
            left_out.append(plain(f"{line.phone_number} ({line.id}): {problem}", limit=300))
        else:
            identity = line.phone_number if named_by_number else line.id
            kind = plain(line.line_type or "", limit=40)
            declared.append(ExportedLine(identity, line.forwarding_number, plain(line.id), kind))
    return ExportedAccount(declared, left_out)


def program_text(account: ExportedAccount) -> str:
    """A complete program, formatted as Ruff and Black do."""
    if not account.lines:
        return "\n".join(filter(None, (PROGRAM_OF_NOTHING, account.comment)))
    body = _resources if len(account.lines) <= MOST_RESOURCES else _fleet
    head = filter(None, (PROGRAM.format(summary=account.summary), account.comment))
    return "\n".join([*head, *body(account.lines)])


def roster_text(account: ExportedAccount, *, file: str) -> str:
    """A complete roster, with a comment that says how a program uses it under the name `file`."""
    head = ROSTER.format(summary=account.summary, file=plain(file)) if account.lines else ROSTER_OF_NOTHING
    left_out = f"#\n{account.comment}" if account.left_out else ""
    return head + left_out + "".join(map(_entry, account.lines))


def csv_text(account: ExportedAccount) -> str:
    """A complete roster for a spreadsheet; the last two columns are only information for people."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("line", "forwarding_number", "type", "id"))
    for line in account.lines:
        kind = re.sub(r"^[=+@-]+", "", line.line_type)  # text of the server must not become a formula
        rows.writerow((line.identity, line.forwarding_number or NOT_FORWARDED, kind, line.phone_number_id))
    return text.getvalue()


def _problem(
    line: PhoneNumber, targets: Mapping[str, str], destinations: Destinations, *, named_by_number: bool
) -> str:
    if not named_by_number and not is_uuid(line.id):
        return "neither its number nor its id is well-formed"
    number = line.forwarding_number
    if number and (problem := e164_problem(number) or destinations.problem(number)):
        return f"the number that it forwards to {problem}"
    if _goes_round(line.phone_number, targets):
        return f"it forwards to {line.forwarding_number}, which leads back to this line, so calls would never ring"
    return ""


def _goes_round(phone_number: str, targets: Mapping[str, str]) -> bool:
    step, seen = targets.get(phone_number), set[str]()
    while step and step not in seen:
        if step == phone_number:
            return True
        seen.add(step)
        step = targets.get(step)
    return False


def _resources(lines: Sequence[ExportedLine]) -> Iterator[str]:
    for line in lines:
        yield (
            f"# {line.remark}\n"
            "linq.PhoneNumberForwarding(\n"
            f'    "line-{line.identity.removeprefix("+")}",\n'
            f'    phone_number{"" if line.identity.startswith("+") else "_id"}="{line.identity}",\n'
            f'    forwarding_number="{line.forwarding_number}",\n'
            ")\n"
        )


def _fleet(lines: Sequence[ExportedLine]) -> Iterator[str]:
    entries = "".join(f"        {_entry(line, comma=',')}" for line in lines)
    yield f'linq.PhoneNumberForwardings(\n    "lines",\n    forwardings={{\n{entries}    }},\n)\n'


def _entry(line: ExportedLine, *, comma: str = "") -> str:
    return f'"{line.identity}": "{line.forwarding_number}"{comma}  # {line.remark}\n'
