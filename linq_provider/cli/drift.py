"""`linq-provider drift`: what differs between what is declared and what is live."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from linq_provider.cli.declared import Account, Declared, declared_in
from linq_provider.cli.lines import list_lines, stack_option
from linq_provider.cli.output import forwards_to, json_option, print_json, print_rows
from linq_provider.errors import LinqError
from linq_provider.phone_number import PhoneNumber

DRIFT = 2  # exit status
SECRET = "[secret]"
# What can differ, and which fields `--json` prints of it.
FIELDS = {
    "changed": ("line", "declared", "live", "declared_by"),
    "gone": ("line", "declared", "declared_by"),
    "undeclared": ("line", "id", "live"),
}
HELP = """Show what differs between what is declared and what is live. Only reads.

What a stack declares is what its state records: that of the last `pulumi up`, or of a refresh after
it. Resources of a linq.Provider are compared with the account of that provider. With --roster and
--stack together, both are compared with the account of the stack, and have to agree.

\b
Each row is one of these; in a pipe: what, line, declared, live and declared by, between tabs.
  changed     the line forwards elsewhere than declared; a secret declared number is not shown
  gone        declared, and this key does not see the line
  undeclared  the line forwards and is declared nowhere: told, but no drift

\b
Exit status: 0 no drift; 2 drift: a line is changed or gone; 1 it could not be told.
"""


@dataclass(frozen=True)
class Difference:
    """One line; `declared` is "-" where nothing declares it, `live` where the key does not see it."""

    kind: str  # of `FIELDS`
    line: str
    declared: str
    live: str
    declared_by: str
    id: str = ""  # of one that nothing declares


Pairs = Sequence[tuple[Declared, PhoneNumber | None]]


@click.command(help=HELP)
@click.option(
    "--roster", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Compare with this roster."
)
@stack_option
@json_option
@click.pass_context
def drift(context: click.Context, *, roster: Path | None, stack: str | None, as_json: bool) -> None:
    """Compare, print, and end with the exit status that `HELP` promises."""
    if roster is None and stack is None:
        raise click.UsageError("Say what is declared, with --roster or --stack.")
    live: list[PhoneNumber] = []
    pairs: list[tuple[Declared, PhoneNumber | None]] = []
    for account, declared in declared_in(roster, stack).items():
        lines, found = _compared(account, declared)
        live += lines
        pairs += found
    differences = sorted(_differences(pairs, live), key=lambda each: (each.kind, each.line))
    changes = sum(each.kind != "undeclared" for each in differences)
    if as_json:
        lists = {
            kind: [{name: getattr(each, name) for name in fields} for each in differences if each.kind == kind]
            for kind, fields in FIELDS.items()
        }
        print_json({"drift": bool(changes), "declared": len(pairs), **lists})
    else:
        _print(differences, declared=len(pairs), changes=changes)
    context.exit(DRIFT if changes else 0)


def _compared(account: Account, declared: Sequence[Declared]) -> tuple[Sequence[PhoneNumber], Pairs]:
    """The lines of an account, and each declared line with what it is now."""
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


def _differences(pairs: Pairs, live: Iterable[PhoneNumber]) -> Iterator[Difference]:
    undeclared = {line.id: line for line in live if line.forwarding_number}
    for each, line in pairs:
        if line is not None:
            undeclared.pop(line.id, None)
        if line is None or line.forwarding_number != each.number:
            kind, now = ("changed", line.forwarding_number) if line else ("gone", "-")
            yield Difference(kind, _shown(each, line), SECRET if each.secret else each.number, now, each.by)
    for line in undeclared.values():
        yield Difference("undeclared", line.phone_number, "-", line.forwarding_number, "-", line.id)


def _shown(declared: Declared, line: PhoneNumber | None) -> str:
    """The line as it may be shown: an id is never secret."""
    return declared.label or (line.id if line else SECRET)


def _print(differences: Sequence[Difference], *, declared: int, changes: int) -> None:
    if differences:
        rows = [(d.kind, d.line, forwards_to(d.declared), forwards_to(d.live), d.declared_by) for d in differences]
        print_rows(("What", "Line", "Declared", "Live", "Declared by"), rows)
    if sys.stdout.isatty():
        lines = "line is" if declared == 1 else "lines are"
        differ = "none differs" if not changes else f"{changes:,} differs" if changes == 1 else f"{changes:,} differ"
        mend = " `pulumi up --refresh` writes what is declared." if changes else ""
        click.echo(f"{declared:,} {lines} declared, {differ}.{mend}")
