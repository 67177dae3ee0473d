"""`linq-provider check`: rosters, without key, engine or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from linq_provider.cli.output import json_option, print_json, working
from linq_provider.cli.stack_files import destinations_beside
from linq_provider.core.destinations import Destinations, metadata_version
from linq_provider.core.roster import RosterError, destination_problems, read_roster
from linq_provider.core.roster_file import Problem, Row
from linq_provider.errors import ConfigurationError, plain


@dataclass(frozen=True)
class Checked:
    """The findings for one file; `error` if it cannot be read at all."""

    file: str
    lines: int = 0
    problems: Sequence[Problem] = field(default=())
    notes: Sequence[Problem] = field(default=())
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the file can be declared as it is."""
        return not self.problems and not self.error


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_context
def check(context: click.Context, *, files: tuple[Path, ...], as_json: bool) -> None:
    """Check rosters as `pulumi preview` would, without a key, the engine or the network.

    The command checks the format of each file, its lines and numbers, and where calls may go:
    LINQ_ALLOWED_FORWARDINGS, and linq:allowedForwardings in Pulumi.yaml and in every Pulumi.*.yaml next to the file.

    It prints each finding on a line: file, line, column and what is wrong. A note is not an error.

    Exit status: 1 if a file has an error, else 0.
    """
    checked = [_checked(file) for file in files]
    if as_json:
        print_json({"ok": all(each.ok for each in checked), "files": [_as_json(each) for each in checked]})
    else:
        for each in checked:
            _print(each)
    context.exit(int(not all(each.ok for each in checked)))


def _checked(file: Path) -> Checked:
    name = plain(str(file), limit=200)
    try:
        with working(f"Reading {name}"):
            roster = read_roster(file)
        destinations = destinations_beside(file)
    except RosterError as error:
        return Checked(name, problems=error.problems)
    except ConfigurationError as error:
        return Checked(name, error=str(error))
    problems = destination_problems(roster, destinations)
    notes = [note for row in roster.values() if (note := _note(row, destinations))]
    return Checked(name, len(roster), problems, notes)


def _note(row: Row, destinations: Destinations) -> Problem | None:
    country = destinations.doubt(row.number.text) if row.number.text else None
    if country is None:
        return None
    text = (
        f"numbers like this one are not in use in {country}, according to version {metadata_version()} of the phone"
        " number metadata"
    )
    return Problem(text, row.number.row, row.number.column)


def _as_json(checked: Checked) -> dict[str, object]:
    def places(problems: Sequence[Problem]) -> list[dict[str, object]]:
        return [{"line": each.row, "column": each.column, "text": each.text} for each in problems]

    return {
        "file": checked.file,
        "ok": checked.ok,
        "lines": checked.lines,
        "error": checked.error,
        "problems": places(checked.problems),
        "notes": places(checked.notes),
    }


def _print(checked: Checked) -> None:
    if checked.error:
        click.echo(checked.error, err=True)
    for each in checked.problems:
        click.echo(f"{checked.file}:{each.row}:{each.column}: {each.text}")
    for each in checked.notes:
        click.echo(f"{checked.file}:{each.row}:{each.column}: note: {each.text}")
