"""How the list of lines can differ from the truth, each as a value that a `Fault` carries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
# From one row to the rows that are shown in its place.
RowChange = Callable[[Row], list[Row]]


@dataclass(frozen=True)
class ListView:
    """What a list shows: of which time, how many rows, and how `change` alters rows.

    `change` alters the row of `line` (an id or phone number), or every row, or else the one that `draw` chooses,
    a number from 0 up to 1.
    """

    lag: float = 0.0
    before_last_change: bool = False
    keep: int | None = None
    change: RowChange | None = None
    line: str | None = None
    every: bool = False
    draw: float = 0.0

    def shown(self, rows: list[Row]) -> list[Row]:
        """The rows as this list shows them."""
        change = self.change
        if change is not None:
            hit = self._chosen(rows)
            rows = [new for row in rows for new in (change(row) if self.every or row is hit else [row])]
        return rows[: self.keep]

    def _chosen(self, rows: list[Row]) -> Row | None:
        if self.line is None:
            return rows[int(self.draw * len(rows))] if rows else None
        return next((row for row in rows if self.line in (row["id"], row["phone_number"])), None)


def drop(row: Row) -> list[Row]:
    """No row."""
    return []


def repeat(row: Row) -> list[Row]:
    """The same row twice."""
    return [row, row]


def omit_forwarding(row: Row) -> list[Row]:
    """The row without its field `forwarding_number`."""
    return [{name: value for name, value in row.items() if name != "forwarding_number"}]


def omit_null_forwarding(row: Row) -> list[Row]:
    """The same for a line that is not forwarded, as of a server that leaves out what is null."""
    return omit_forwarding(row) if row["forwarding_number"] is None else [row]


@dataclass(frozen=True)
class Set:
    """The row with another value in one field."""

    field: str
    value: str

    def __call__(self, row: Row) -> list[Row]:
        """The row that is shown."""
        return [{**row, self.field: self.value}]
