"""The ways in which the list of lines can be wrong, each as a value for a `Fault`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
# Maps one row to the rows that are shown in its place.
RowChange = Callable[[Row], list[Row]]


@dataclass(frozen=True)
class ListView:
    """What a list shows: at which time, how many rows, and how `change` alters rows.

    `change` alters the row of `line` (an id or phone number), or every row, or the one that `draw` chooses, a number
    from 0 up to 1.
    """

    lag: float = 0.0
    before_last_change: bool = False
    keep: int | None = None
    change: RowChange | None = None
    line: str | None = None
    every: bool = False
    draw: float = 0.0

    def shown(self, rows: list[Row]) -> list[Row]:
        """The rows that this list shows."""
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
    """The row, without `forwarding_number` if that is null, like a server that leaves out null fields."""
    return omit_forwarding(row) if row["forwarding_number"] is None else [row]


@dataclass(frozen=True)
class Set:
    """Gives one field of the row another value."""

    field: str
    value: str

    def __call__(self, row: Row) -> list[Row]:
        """The row that is shown."""
        return [{**row, self.field: self.value}]
