"""`linq-provider drift`: what differs between what is declared and what is live."""

import sys
from pathlib import Path

import click

from linq_provider.cli.declared import Account, Declared, declared_in
from linq_provider.cli.difference import Difference, difference
from linq_provider.cli.lines import list_lines
from linq_provider.cli.output import forwards_to, json_option, print_json, print_rows
from linq_provider.errors import LinqError

DRIFT = 2  # exit status
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


@click.command(help=HELP)
@click.option(
    "--roster",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with this roster; key and settings from the environment.",
)
@click.option(
    "--stack",
    metavar="NAME",
    help="Compare with the state of this stack of the project in this folder; key and settings from it.",
)
@json_option
@click.pass_context
def drift(context: click.Context, *, roster: Path | None, stack: str | None, as_json: bool) -> None:
    """Compare, print, and end with the exit status that `HELP` promises."""
    if roster is None and stack is None:
        raise click.UsageError("Say what is declared, with --roster or --stack.")
    accounts = declared_in(roster, stack)
    found = sum((_of_account(*account) for account in accounts.items()), Difference())
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
    context.exit(DRIFT if found.changes else 0)


def _of_account(account: Account, declared: list[Declared]) -> Difference:
    try:
        lines = list_lines(account.settings)
        if declared and not lines:
            raise LinqError(
                "The key sees no lines at all, which says nothing about any one of them.",
                next_step="Check key and base URL with `linq-provider doctor`.",
            )
        return difference(declared, lines)
    except LinqError as error:
        if account.name:
            raise LinqError(f"linq.Provider '{account.name}': {error.message}", next_step=error.next_step) from error
        raise


def _as_json(found: Difference) -> dict[str, object]:
    return {
        "drift": bool(found.changes),
        "declared": found.declared,
        "changed": [
            {"line": each.line, "declared": each.declared, "live": each.live, "declared_by": each.by}
            for each in found.changed
        ],
        "gone": [{"line": each.line, "declared": each.declared, "declared_by": each.by} for each in found.gone],
        "undeclared": [
            {"line": line.phone_number, "id": line.id, "live": line.forwarding_number} for line in found.undeclared
        ],
    }


def _print(found: Difference) -> None:
    rows = [
        *(
            ("changed", each.line, forwards_to(each.declared), forwards_to(each.live or ""), each.by)
            for each in found.changed
        ),
        *(("gone", each.line, forwards_to(each.declared), "-", each.by) for each in found.gone),
        *(("undeclared", line.phone_number, "-", line.forwarding_number, "-") for line in found.undeclared),
    ]
    if rows:
        print_rows(("What", "Line", "Declared", "Live", "Declared by"), rows)
    if sys.stdout.isatty():
        lines = "line is" if found.declared == 1 else "lines are"
        changes = len(found.changes)
        differ = "none differs" if not changes else f"{changes:,} differs" if changes == 1 else f"{changes:,} differ"
        mend = " `pulumi up --refresh` writes what is declared." if changes else ""
        click.echo(f"{found.declared:,} {lines} declared, {differ}.{mend}")
