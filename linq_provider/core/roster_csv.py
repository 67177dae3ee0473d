"""Reads a roster in CSV, as Excel, LibreOffice and Google Sheets save it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from linq_provider.core.roster_file import Cell, Problem, Row, Unreadable, unreadable

LINE_COLUMNS = ("line", "phone_number", "phone_number_id")
NUMBER_COLUMN = "forwarding_number"
NOT_FORWARDED = "none"  # the word in a cell; a blank cell may be a mistake
# Spreadsheets write semicolons if the comma is the decimal sign.
SEPARATORS: dict[str, str] = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


@dataclass(frozen=True)
class _Header:
    """The columns, counted from 0; `row` is the line of the file where the header begins."""

    separator: str
    row: int
    width: int
    line: int
    number: int


def csv_rows(text: str) -> Iterator[Row]:
    """Rows of the table. Columns are counted in cells, as in spreadsheets."""
    text = re.sub(r"\Asep=.(?=\r?\n)", "", text, flags=re.IGNORECASE)  # Excel's own first line
    if header := _header(text):
        for row, texts in _table(text, header.separator):
            if row > header.row:
                yield _row(row, texts, header)


def _row(row: int, texts: list[str], header: _Header) -> Row:
    line, number = (
        Cell(texts[at] or None if at < len(texts) else None, row, at + 1) for at in (header.line, header.number)
    )
    if (number.text or "").lower() == NOT_FORWARDED:
        number = Cell("", row, number.column)
    if len(texts) > header.width:
        return Row(line, number, Problem(_too_many(header), row, header.width + 1))
    return Row(line, number)


def _too_many(header: _Header) -> str:
    return (
        f"the row has more cells than the header: if a text contains {SEPARATORS[header.separator]}, put it in quotes"
    )


def _header(text: str) -> _Header | None:
    """The header, read with the separator that fits it; None if the file has only blank rows."""
    begun = 1
    for separator in SEPARATORS:
        try:
            begun, texts = next(_table(text, separator))
        except StopIteration:
            return None
        except Unreadable:
            if separator == [*SEPARATORS][-1]:
                raise
            continue
        names = [_bare(name) for name in texts]
        lines = [at for at, name in enumerate(names) if name in map(_bare, LINE_COLUMNS)]
        if len(lines) == 1 and names.count(_bare(NUMBER_COLUMN)) == 1:
            return _Header(separator, begun, len(texts), lines[0], names.index(_bare(NUMBER_COLUMN)))
    wanted = f"{NUMBER_COLUMN} and exactly one of {', '.join(LINE_COLUMNS)}"
    raise unreadable(Cell(None, begun, 1), f"the header must have {wanted}, separated by commas, semicolons or tabs")


def _bare(name: str) -> str:
    """The name of a column without differences of case, spaces, dashes and underscores."""
    return re.sub(r"[\s_-]", "", name).lower()


def _table(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line of the file where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    begun = 1
    try:
        for row in reader:
            texts = [cell.strip() for cell in row]
            if any(texts):
                yield begun, texts
            begun = reader.line_num + 1
    except csv.Error as error:
        raise unreadable(Cell(None, begun, 1), f"this is not CSV: {error}") from None
