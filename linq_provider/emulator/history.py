"""The recent changes of the account, for lists that lag behind."""

from collections import deque
from dataclasses import dataclass

from linq_provider.emulator.numbers import EmulatedNumber

Lines = dict[str, EmulatedNumber]
# How many changes a list can lag behind: two writes to each line of a large account of 10,000.
KEPT_CHANGES = 20_000


@dataclass(frozen=True)
class _Change:
    """One line before and after a change at the time `at`; None if it was not, or is not, on the account."""

    at: float
    before: EmulatedNumber | None
    after: EmulatedNumber | None


class History:
    """The last changes of an account, oldest first."""

    def __init__(self) -> None:
        self._changes: deque[_Change] = deque(maxlen=KEPT_CHANGES)

    def add(self, before: EmulatedNumber | None, after: EmulatedNumber | None, *, at: float) -> None:
        """Add a change of one line; None if it was not, or is no longer, on the account."""
        self._changes.append(_Change(at, before, after))

    def lines_at(self, at: float, lines: Lines) -> Lines:
        """The lines as they were at that time, computed from the current `lines`."""
        return _undone([change for change in self._changes if change.at > at], lines)

    def lines_before_last_change(self, lines: Lines) -> Lines:
        """The lines as they were before the last change, computed from the current `lines`."""
        return _undone(list(self._changes)[-1:], lines)


def _undone(changes: list[_Change], lines: Lines) -> Lines:
    lines = dict(lines)
    for change in reversed(changes):
        if change.before and change.after and change.before.id == change.after.id:
            lines[change.before.id] = change.before
        else:
            lines = replaced(lines, change.after, change.before)
    return lines


def replaced(lines: Lines, before: EmulatedNumber | None, after: EmulatedNumber | None) -> Lines:
    """A new dict with `after` in the place of `before`, or at the end if `before` is None."""
    if after is not None and (before is None or before.id == after.id):
        return {**lines, after.id: after}
    old_id = before.id if before else None
    shown = (after if number.id == old_id else number for number in lines.values())
    return {number.id: number for number in shown if number is not None}
