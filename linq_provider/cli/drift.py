"""`linq-provider drift`: how the live forwardings differ from the declared ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from linq_provider.cli.lines import list_lines, load_settings, stack_option
from linq_provider.cli.output import forwards_to, json_option, print_json, print_rows, say, working
from linq_provider.cli.stack import stack_resources
from linq_provider.cli.state import Account, Declared, State
from linq_provider.core.destinations import Destinations
from linq_provider.core.roster import load_roster
from linq_provider.errors import LinqError
from linq_provider.phone_number import PhoneNumber

DRIFT = 2  # exit status
SECRET = "[secret]"
# The kinds of difference, and the fields that `--json` prints for each.
FIELDS: dict[str, tuple[str, ...]] = {
    "changed": ("line", "declared", "live", "declared_by"),
    "gone": ("line", "declared", "declared_by"),
    "undeclared": ("line", "id", "live"),
}
HELP = """Compare what is declared with what is live, and show what differs. Nothing is changed.

For a stack, the declared numbers are those in its state: the numbers of the last `pulumi up`. Resources of
a linq.Provider are compared with the account of that provider. If you give both --roster and --stack, both
are compared with the account of the stack, and must agree with each other.

\b
Each row begins with one of these words. In a pipe, tabs separate: what, line, declared, live, declared by.
  changed     the line forwards to another number than declared; a secret number is not shown
  gone        the line is declared, but this key does not see it
  undeclared  the line forwards, but nothing here declares it (only with --undeclared)

\b
Exit status: 0 nothing differs; 2 something differs; 1 an error, so the lines were not compared.
stderr says how many lines were compared.
"""


@dataclass(frozen=True)
class Difference:
    """One line; `declared` is "-" if nothing declares it, `live` is "-" if the key does not see it."""

    kind: str  # of `FIELDS`
    line: str
    declared: str
    live: str
    declared_by: str
    id: str = ""  # only for an undeclared line


Pairs = Sequence[tuple[Declared, PhoneNumber | None]]


@click.command(help=HELP)
@click.option(
    "--roster", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Compare with this roster."
)
@stack_option
@click.option("--undeclared", is_flag=True, help="Also list lines that forward although nothing here declares them.")
@json_option
@click.pass_context
def drift(context: click.Context, *, roster: Path | None, stack: str | None, undeclared: bool, as_json: bool) -> None:
    """Compare, print, and exit with the status that `HELP` describes."""
    if roster is None and stack is None:
        raise click.UsageError("Say what is declared, with --roster or --stack.")
    live: list[PhoneNumber] = []
    pairs: list[tuple[Declared, PhoneNumber | None]] = []
    for account, declared in _declared_in(roster, stack, every_account=undeclared).items():
        lines, found = _compared(account, declared)
        live += lines
        pairs += found
    differences = [*_differences(pairs), *(_undeclared(pairs, live) if undeclared else ())]
    differences.sort(key=lambda each: (each.kind, each.line))
    if as_json:
        print_json(_as_json(differences, declared=len(pairs), undeclared=undeclared))
    else:
        _print(differences)
        say(_summary(differences, stack, declared=len(pairs), undeclared=undeclared))
    context.exit(DRIFT if differences else 0)


def _declared_in(roster: Path | None, stack: str | None, *, every_account: bool) -> dict[Account, list[Declared]]:
    """What is declared, for each account that has declarations, or with `every_account` for all accounts."""
    own = Account("", load_settings(stack))
    found: dict[Account, list[Declared]] = {}
    if roster is not None:
        with working(f"Reading {roster}"):
            lines = load_roster(roster, destinations=Destinations(own.settings.allowed_forwardings))
        found[own] = [Declared(line, line, number, False, roster.name) for line, number in lines.items()]
    if stack is not None:
        state = State(stack_resources(stack), own)
        for account, declared in state.declarations():
            found.setdefault(account, []).append(declared)
        if every_account:
            found = {account: [] for account in state.accounts()} | found
    # A stack that uses only accounts of a `linq.Provider` needs no key of its own.
    if not found or (every_account and own.settings.api_key):
        found.setdefault(own, [])
    return found


def _compared(account: Account, declared: Sequence[Declared]) -> tuple[Sequence[PhoneNumber], Pairs]:
    """The lines of an account, and each declared line with its live one."""
    try:
        lines = list_lines(account.settings, required=bool(declared))
        return lines, _paired(declared, lines)
    except LinqError as error:
        if account.name:
            raise LinqError(f"linq.Provider '{account.name}': {error.message}", next_step=error.next_step) from error
        raise


def _paired(declared: Iterable[Declared], lines: Iterable[PhoneNumber]) -> Pairs:
    names = {name: line for line in lines for name in (line.id, line.phone_number)}
    first: dict[str, tuple[Declared, PhoneNumber | None]] = {}
    for each in declared:
        line = names.get(each.line)
        earlier, _ = first.setdefault(line.id if line else each.line, (each, line))
        if earlier.number != each.number:
            raise LinqError(
                f"{_shown(each, line)} is declared with two numbers: by {earlier.by} and by {each.by}.",
                next_step="Run `pulumi up` where the stack is behind its roster, or remove one of the two.",
            )
    return list(first.values())


def _differences(pairs: Pairs) -> Iterator[Difference]:
    for each, line in pairs:
        if line is None or line.forwarding_number != each.number:
            kind, now = ("changed", line.forwarding_number) if line else ("gone", "-")
            yield Difference(kind, _shown(each, line), SECRET if each.secret else each.number, now, each.by)


def _undeclared(pairs: Pairs, live: Iterable[PhoneNumber]) -> Iterator[Difference]:
    declared = {line.id for _, line in pairs if line}
    for line in {line.id: line for line in live}.values():  # two keys can see one line
        if line.forwarding_number and line.id not in declared:
            yield Difference("undeclared", line.phone_number, "-", line.forwarding_number, "-", line.id)


def _shown(declared: Declared, line: PhoneNumber | None) -> str:
    """A name of the line that may be shown: an id is never secret."""
    return declared.label or (line.id if line else SECRET)


def _as_json(differences: Sequence[Difference], *, declared: int, undeclared: bool) -> dict[str, Any]:
    """The result for `--json`; `undeclared` is null if such lines were not looked for."""
    lists = {
        kind: [{name: getattr(each, name) for name in fields} for each in differences if each.kind == kind]
        for kind, fields in FIELDS.items()
    }
    looked_for = {} if undeclared else {"undeclared": None}
    return {"drift": bool(differences), "declared": declared, **lists, **looked_for}


def _print(differences: Sequence[Difference]) -> None:
    if differences:
        rows = [(d.kind, d.line, forwards_to(d.declared), forwards_to(d.live), d.declared_by) for d in differences]
        print_rows(("What", "Line", "Declared", "Live", "Declared by"), rows)


def _summary(differences: Sequence[Difference], stack: str | None, *, declared: int, undeclared: bool) -> str:
    others = sum(each.kind == "undeclared" for each in differences)
    changes = len(differences) - others
    said = f"Compared {_count(declared, 'declared line')} with what is live: {_count(changes, 'difference')}."
    if not declared:
        said = f"Nothing was compared: stack {stack} declares no line."
    if changes:
        said += " `pulumi up --refresh` writes what is declared."
    return f"{said} Lines that forward and are declared nowhere: {others:,}." if undeclared else said


def _count(number: int, noun: str) -> str:
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"
