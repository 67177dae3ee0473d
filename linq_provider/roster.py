"""A roster file, YAML or CSV, as the map of lines to numbers that `PhoneNumberForwardings` takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from linq_provider.e164 import e164_problem, is_uuid
from linq_provider.errors import ConfigurationError

LINE_COLUMNS = ("line", "phone_number", "phone_number_id")
NUMBER_COLUMN = "forwarding_number"


@dataclass(frozen=True)
class _Cell:
    """A text of the file and where it begins, counted from 1; `text` None for a value that is missing."""

    text: str | None
    row: int
    column: int


def load_roster(file: str | PathLike[str]) -> dict[str, str]:
    """Read a roster: each line of the account (E.164 or phone_number_id) and the number it forwards to.

    YAML (`.yaml`, `.yml`) is one mapping; `""` declares: not forwarded. CSV (`.csv`) has a header with
    `forwarding_number` and one of `line`, `phone_number`, `phone_number_id`; other columns are ignored, and an empty
    cell declares: not forwarded.

    Raises:
        ConfigurationError: the file is empty, or something in it cannot be; names file, line and column, never a
            forwarding number.
    """
    path = Path(file)
    readers = {".yaml": _yaml_rows, ".yml": _yaml_rows, ".csv": _csv_rows}
    if path.suffix.lower() not in readers:
        raise ConfigurationError(f"{path} is no roster: its name must end in .yaml, .yml or .csv.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}.") from error
    roster: dict[str, str] = {}
    rows: dict[str, int] = {}
    for line, number in readers[path.suffix.lower()](path, text):
        identity = (line.text or "").lower()
        if not is_uuid(identity) and (problem := e164_problem(identity)):
            _refuse(path, line, f"the line is neither a phone_number_id, nor is it a number: it {problem}")
        if identity in rows:
            _refuse(path, line, f"this line stands in line {rows[identity]} already")
        if number.text is None:
            _refuse(path, number, 'the forwarding number is missing; write "" for not forwarded')
        if number.text and (problem := e164_problem(number.text)):
            _refuse(path, number, f"the forwarding number {problem}")
        roster[identity], rows[identity] = number.text, line.row
    if not roster:
        raise ConfigurationError(
            f"{path} names no lines.", next_step="An empty roster is refused: it would silence every line of a fleet."
        )
    return roster


def _yaml_rows(path: Path, text: str) -> Iterator[tuple[_Cell, _Cell]]:
    import yaml  # pulumi brings it along; a program without a roster has no use for it

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        _refuse(path, _at(mark), f"this is not YAML: {error.problem}")
    except yaml.YAMLError:
        _refuse(path, _Cell(None, 1, 1), "this is not YAML")
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        _refuse(
            path, _at(root.start_mark), "a roster is a mapping of lines to numbers, like +12025550100: +12025559999"
        )
    for key, value in root.value:
        for node in (key, value):
            if not isinstance(node, yaml.ScalarNode):
                _refuse(
                    path, _at(node.start_mark), "a roster is a mapping of lines to numbers, without lists or levels"
                )
        yield _scalar(key), _scalar(value)


def _scalar(node: Any) -> _Cell:
    """The text as written: unquoted, +12025550100 would be a whole number to YAML."""
    empty = node.tag == "tag:yaml.org,2002:null"
    return _Cell(None if empty else node.value, node.start_mark.line + 1, node.start_mark.column + 1)


def _at(mark: Any) -> _Cell:
    return _Cell(None, mark.line + 1, mark.column + 1)


def _csv_rows(path: Path, text: str) -> Iterator[tuple[_Cell, _Cell]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header:
            return
        lines = [i for i, name in enumerate(header) if name in LINE_COLUMNS]
        if len(lines) != 1 or header.count(NUMBER_COLUMN) != 1:
            _refuse(path, _Cell(None, 1, 1), f"the header needs {NUMBER_COLUMN} and one of {', '.join(LINE_COLUMNS)}")
        begun = reader.line_num + 1
        for row in reader:
            if row:
                yield _cell(row, lines[0], begun), _cell(row, header.index(NUMBER_COLUMN), begun)
            begun = reader.line_num + 1
    except csv.Error as error:
        _refuse(path, _Cell(None, reader.line_num, 1), f"this is not CSV: {error}")


def _cell(row: list[str], index: int, line: int) -> _Cell:
    """`column` counts cells, as spreadsheets do."""
    return _Cell(row[index].strip() if index < len(row) else None, line, index + 1)


def _refuse(path: Path, cell: _Cell, reason: str) -> NoReturn:
    raise ConfigurationError(f"{path}, line {cell.row}, column {cell.column}: {reason}.")
