"""A roster file, YAML or CSV, as the map of lines to numbers that `PhoneNumberForwardings` takes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from linq_provider.core.e164 import e164_problem, line_problem
from linq_provider.errors import ConfigurationError, plain

LINE_COLUMNS = ("line", "phone_number", "phone_number_id")
NUMBER_COLUMN = "forwarding_number"
SHOWN = 10  # problems of one file that its error shows
_MAPPING = "a roster is one mapping of lines to numbers, like +12025550100: +12025559999"
_NULLS = ("", "~", "null", "Null", "NULL")  # https://yaml.org/type/null.html


class RosterError(ConfigurationError):
    """A roster file that cannot be used; `problems` is all that was found in it, without any forwarding number."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.file: str = plain(str(path), limit=200)
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__(f"{self.file}, {problems[0]}.")

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return super().__str__()
        more = len(self.problems) - SHOWN
        shown = [*self.problems[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
        return "\n  - ".join([f"{self.file} has {len(self.problems)} problems:", *shown])


@dataclass(frozen=True)
class _Cell:
    """A text of the file, None where it is missing, and where it begins, counted from 1."""

    text: str | None
    row: int
    column: int

    @property
    def place(self) -> str:
        return f"line {self.row}, column {self.column}"


class _UnreadableError(Exception):
    """Nothing after this place of the file can be read."""


def load_roster(file: str | PathLike[str]) -> dict[str, str]:
    """Read a roster: each line of the account (E.164 or phone_number_id) and the number it forwards to.

    YAML (`.yaml`, `.yml`) is one mapping; `""` declares: not forwarded. CSV (`.csv`, comma-separated) has a header
    with `forwarding_number` and one of `line`, `phone_number`, `phone_number_id`; other columns and empty rows are
    ignored, and an empty cell declares: not forwarded. A phone_number_id is returned in lower case.

    Raises:
        ConfigurationError: the file cannot be read, names no lines, or something in it cannot be. Names the line and
            column (in CSV, which cell of the row) of all that is wrong, and never a forwarding number.
    """
    path = Path(file)
    roster: dict[str, str] = {}
    places: dict[str, _Cell] = {}
    problems: list[str] = []
    try:
        for line, number in _rows(path):
            found = [(line, _line_problem(line, places)), (number, _number_problem(number))]
            problems += [f"{cell.place}: {problem}" for cell, problem in found if problem]
            roster[(line.text or "").lower()] = number.text or ""
    except _UnreadableError as error:
        problems.append(str(error))
    if problems:
        raise RosterError(path, problems)
    if not roster:
        raise ConfigurationError(
            f"{plain(str(path), limit=200)} names no lines.",
            next_step="An empty roster is refused: it would silence every line of a fleet.",
        )
    return roster


def _rows(path: Path) -> Iterator[tuple[_Cell, _Cell]]:
    name = plain(str(path), limit=200)
    rows = {".yaml": _yaml_rows, ".yml": _yaml_rows, ".csv": _csv_rows}.get(path.suffix.lower())
    if rows is None:
        raise ConfigurationError(f"{name} is no roster: its name must end in .yaml, .yml or .csv.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} cannot be read: save it as UTF-8.") from None
    return rows(text)


def _line_problem(line: _Cell, places: dict[str, _Cell]) -> str | None:
    """What is wrong with the name of a line; `places` is where each was named first."""
    if not line.text:
        return "the line is missing"
    if problem := line_problem(line.text):
        return f"the line {problem}"
    first = places.setdefault(line.text.lower(), line)
    return None if first is line else f"the same phone line is in {first.place} already"


def _number_problem(number: _Cell) -> str | None:
    if number.text is None:
        return 'the forwarding number is missing; write "" for not forwarded'
    problem = number.text and e164_problem(number.text)
    return f"the forwarding number {problem}" if problem else None


def _yaml_rows(text: str) -> Iterator[tuple[_Cell, _Cell]]:
    """Rows from the parser's events: nothing is nested or expanded, whatever the file holds."""
    import yaml  # a program without a roster has no use for it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = (e for e in yaml.parse(text, Loader=loader) if not isinstance(e, yaml.StreamStartEvent))
        if isinstance(next(events), yaml.StreamEndEvent):
            return
        root = next(events)
        if _is_null(root):
            return
        if not isinstance(_untagged(root), yaml.MappingStartEvent):
            _stop(_at(root), _MAPPING)
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            yield _scalar(key), _scalar(next(events))
        next(events)  # the end of the document
        if not isinstance(after := next(events), yaml.StreamEndEvent):
            _stop(_at(after), "a roster is one YAML document")
    except yaml.MarkedYAMLError as error:
        # A key without a colon is noticed only in the next line.
        begun = error.context_mark if str(error.context).endswith("simple key") else None
        _stop(_at(begun or error), "this is not YAML: " + re.sub(r"\d+", "…", str(error.problem)))
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore").split("\n")
        _stop(_Cell(None, len(before), len(before[-1]) + 1), "YAML must not contain this character")


def _scalar(event: Any) -> _Cell:
    """The text as written: unquoted, +12025550100 would be a whole number to YAML."""
    at = _at(_untagged(event))
    if not hasattr(event, "value"):
        _stop(at, f"{_MAPPING}, without lists or levels")
    if event.end_mark.line > event.start_mark.line and event.style in ("'", '"'):
        _stop(at, f"a quote seems to be missing: this text goes on to line {event.end_mark.line + 1}")
    return _Cell(None if _is_null(event) else event.value, at.row, at.column)


def _untagged(event: Any) -> Any:
    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        _stop(_at(event), "a roster has no anchors, aliases or tags: write out each number, in quotes")
    return event


def _is_null(event: Any) -> bool:
    return getattr(event, "value", None) in _NULLS and event.style not in ("'", '"')


def _at(marked: Any) -> _Cell:
    """Where an event begins, or where an error was found."""
    mark = getattr(marked, "start_mark", None) or getattr(marked, "problem_mark", marked)
    return _Cell(None, mark.line + 1, mark.column + 1)


def _csv_rows(text: str) -> Iterator[tuple[_Cell, _Cell]]:
    """Rows of the table. Columns count cells, as spreadsheets do."""
    rows = _csv_texts(text)
    begun, header = next(rows, (1, []))
    lines = [i for i, name in enumerate(header) if name in LINE_COLUMNS]
    if header and (len(lines) != 1 or header.count(NUMBER_COLUMN) != 1):
        wanted = f"{NUMBER_COLUMN} and exactly one of {', '.join(LINE_COLUMNS)}, separated by commas"
        _stop(_Cell(None, begun, 1), f"the header must have {wanted}")
    for begun, row in rows:
        if len(row) > len(header):
            _stop(
                _Cell(None, begun, len(header) + 1), "the row has more cells than the header: quote a text with a comma"
            )
        line, number = (
            _Cell(row[i] if i < len(row) else None, begun, i + 1) for i in (lines[0], header.index(NUMBER_COLUMN))
        )
        yield line, number


def _csv_texts(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line of the file where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    begun = 1
    try:
        for row in reader:
            texts = [cell.strip() for cell in row]
            if any(texts):
                yield begun, texts
            begun = reader.line_num + 1
    except csv.Error as error:
        _stop(_Cell(None, begun, 1), f"this is not CSV: {error}")


def _stop(cell: _Cell, reason: str) -> NoReturn:
    raise _UnreadableError(f"{cell.place}: {reason}")
