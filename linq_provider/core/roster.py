"""Reads a roster file, YAML or CSV, into the map of lines to numbers that `PhoneNumberForwardings` takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path

from linq_provider.core.destinations import Destinations
from linq_provider.core.e164 import e164_problem, line_problem
from linq_provider.core.roster_csv import NOT_FORWARDED, csv_rows
from linq_provider.core.roster_file import Cell, Problem, Row, Unreadable, read_text, shown
from linq_provider.core.roster_yaml import yaml_rows
from linq_provider.errors import ConfigurationError

SHOWN = 10  # how many problems of a file its error shows
# What people write in a cell for a line that is not forwarded, other than the word that is accepted.
_NOWHERE = frozenset({"-", "--", "n/a", "na", "none", "not forwarded", "off"})


class RosterError(ConfigurationError):
    """A roster file cannot be used; `problems` has everything that is wrong with it, without forwarding numbers."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.file: str = shown(path)
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(f"{self.file}, {self.problems[0]}.")

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return super().__str__()
        more = len(self.problems) - SHOWN
        listed = [*map(str, self.problems[:SHOWN]), *([f"and {more} more"] if more > 0 else [])]
        return "\n  - ".join([f"{self.file} has {len(self.problems)} problems:", *listed])


def load_roster(file: str | PathLike[str], *, destinations: Destinations | None = None) -> dict[str, str]:
    """Read a roster; where calls may go is checked only with `destinations`.

    Raises:
        ConfigurationError: the file cannot be read, names no lines, or is wrong somewhere. The message gives the line
            and column (in CSV, the cell of the row) of each problem, and never a forwarding number.
    """
    path = Path(file)
    rows = read_roster(path)
    if destinations and (problems := destination_problems(rows, destinations)):
        raise RosterError(path, problems)
    return forwardings(rows)


def read_roster(path: Path) -> dict[str, Row]:
    """The rows of a well-formed roster, by the name of the line.

    Raises:
        ConfigurationError: see `load_roster`.
    """
    roster: dict[str, Row] = {}
    problems: list[Problem] = []
    try:
        for row in _rows(path):
            problems += _row_problems(row, roster, path)
            roster.setdefault((row.line.text or "").lower(), row)
    except Unreadable as error:
        problems.append(error.problem)
    if problems:
        raise RosterError(path, problems)
    if not roster:
        raise ConfigurationError(
            f"{shown(path)} names no lines.",
            next_step="An empty roster is refused: it would clear every line of a fleet.",
        )
    return roster


def forwardings(roster: Mapping[str, Row]) -> dict[str, str]:
    """Each line and its number, as `PhoneNumberForwardings` takes them."""
    return {line: row.number.text or "" for line, row in roster.items()}


def destination_problems(roster: Mapping[str, Row], destinations: Destinations) -> list[Problem]:
    """The numbers of a well-formed roster that break the rule about where calls may go."""
    problems = []
    for row in roster.values():
        if row.line.text and row.line.text[0] == "+" and (found := destinations.line_problem(row.line.text)):
            problems.append(Problem(f"the phone line {found}", row.line.row, row.line.column))
        if row.number.text and (found := destinations.problem(row.number.text)):
            problems.append(Problem(f"the forwarding number {found}", row.number.row, row.number.column))
    return problems


def _rows(path: Path) -> Iterator[Row]:
    rows = {".yaml": yaml_rows, ".yml": yaml_rows, ".csv": csv_rows}.get(path.suffix.lower())
    if rows is None:
        raise ConfigurationError(f"{shown(path)} is not a roster: its name must end in .yaml, .yml or .csv.")
    return rows(read_text(path))


def _row_problems(row: Row, before: Mapping[str, Row], path: Path) -> list[Problem]:
    """What is wrong with a row, given the rows before it."""
    if row.problem:
        return [row.problem]
    nowhere = NOT_FORWARDED if path.suffix.lower() == ".csv" else '""'
    found = ((row.line, _line_problem(row.line, before)), (row.number, _number_problem(row.number, nowhere)))
    return [Problem(problem, cell.row, cell.column) for cell, problem in found if problem]


def _line_problem(line: Cell, before: Mapping[str, Row]) -> str | None:
    if not line.text:
        return "the phone line is missing"
    if problem := line_problem(line.text):
        return f"the phone line {problem}"
    first = before.get(line.text.lower())
    return f"the same phone line is in {first.line.place} already" if first else None


def _number_problem(number: Cell, nowhere: str) -> str | None:
    """What is wrong with a number; `nowhere` is how this format writes not forwarded."""
    if number.text is None:
        return f"the forwarding number is missing; write {nowhere} for not forwarded"
    if number.text.lower() in _NOWHERE:
        return f"this is not a forwarding number; write {nowhere} for not forwarded"
    problem = number.text and e164_problem(number.text)
    return f"the forwarding number {problem}" if problem else None
