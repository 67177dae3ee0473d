"""What the program of this run declares, and which resource has which line, for all provider processes of the run.

The engine creates a new resource before it deletes the old one, and neither knows of the other. A rename without an
alias is therefore a create followed by a delete of the same line, which would clear it.

All provider processes of the run share a log of events, so each of them comes to the same answer. A line is named as
in the program: by `phone_number_id` or by `phone_number`.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from linq_provider.errors import RefusedError

Event = Sequence[Any]  # its kind, the names of the lines, and its values; all of it can be written as JSON


class Log(Protocol):
    """The events of a run, in the same order for every process."""

    def exchange(self, event: Event) -> Sequence[Event]:
        """Add an event, and return the events since the last call, this one included."""

    def read(self) -> Sequence[Event]:
        """The events since the last call."""


class MemoryLog:
    """The log of a run that has only one process."""

    def exchange(self, event: Event) -> Sequence[Event]:
        """The event itself."""
        return (event,)

    def read(self) -> Sequence[Event]:
        """Nothing: there are no other processes."""
        return ()


@dataclass
class _Line:
    """What is known about a line under one of its names."""

    declared: bool = False
    number: str | None = None  # the declared one; None if not known yet
    kept: bool = False  # the state already has the line in its resource
    owned: bool = False  # its resource did not change, or wrote the line in this run
    failed: bool = False  # its resource failed in this run
    claim: str | None = None  # token of the create or update that took it in this run
    recorded: str | None = None  # its number in the state, if this run replaces or changes its resource
    replaced: str | None = None  # what it forwarded to before this stack managed it, as its old resource recorded
    inherited: bool = False  # its new resource records `replaced` too
    left: str | None = None  # the number with which this run gave it up, before a declaration of it was known


@dataclass(frozen=True)
class Owner:
    """The resource of the program that declares a line; `number` is None if not known yet.

    `lost`: the resource failed, or was never tried in a run that failed, so no state will have it. `pending`: it has
    not written the line yet.
    """

    number: str | None
    lost: bool
    pending: bool = False


class Declarations:
    """The declarations of a run; nothing is forgotten before it ends.

    `hears_program`: the program itself reports what it declares. Otherwise only the engine does, which drops from a map
    the values that depend on a resource that failed.
    """

    _tokens = itertools.count()

    def __init__(self, log: Log | None = None, *, hears_program: bool = True) -> None:
        self._log = log or MemoryLog()
        self._hears_program = hears_program
        self._lock = threading.RLock()
        self._paused = threading.local()
        self._lines: dict[str, _Line] = defaultdict(_Line)
        self._planned: dict[str, str | None] = {}
        self._allowed_clears: int | None = None
        self._failed = False
        self._clears: dict[str, threading.Event] = {}

    def plan(self, lines: Mapping[str, str | None]) -> None:
        """The program will declare these lines; None for a number that is not plain text."""
        self._add("plan", list(lines), list(lines.values()))

    def planned(self, *names: str) -> bool:
        """Whether the program declares a line, or will."""
        self._catch_up()
        return any(name in self._planned or self._lines[name].declared for name in names if self._knows(name))

    def declare(self, lines: Mapping[str, str | None], *, kept: Collection[str] = ()) -> None:
        """The program declares these lines; None for a number that is not known yet.

        `kept`: the lines that the state already has in the same resource.

        Raises:
            RefusedError: another resource declares one of them with another number.
        """
        with self._lock:
            self._catch_up()
            for name, number in lines.items():
                earlier = self._lines[name].number
                if None not in (earlier, number) and earlier != number:
                    raise second_owner(name)
            kept = frozenset(kept)
            self._add("declare", list(lines), list(lines.values()), [name in kept for name in lines])

    def declares(self, *names: str) -> bool:
        """Whether the program declares a line under any of its names."""
        return any(line.declared for line in self._known(names))

    def forwarding_of(self, *names: str) -> str | None:
        """The number declared for a line under any of its names; None if there is none or it is not known yet."""
        declared = [line.number for line in self._known(names) if line.declared]
        return next(iter(declared or [self._planned[name] for name in names if name in self._planned]), None)

    def keeps(self, name: str) -> bool:
        """Whether a resource that stays in the program keeps this line, under this name."""
        return any(line.kept for line in self._known([name]))

    def mark_unchanged(self, *names: str) -> None:
        """A resource that does not change has these lines, each named once."""
        self._add("own", names)

    def change(self, name: str, recorded: str) -> None:
        """A resource will change or give up this line, for which the state records this number."""
        self._add("record", [name], recorded)

    def bequeath(self, name: str, replaced: str | None) -> None:
        """The resource of this line records what it forwarded to before; a new resource for it must take that over."""
        if replaced is not None:
            self._add("bequeath", [name], replaced)

    def inherit(self, *names: str) -> str | None:
        """What a line forwarded to before this stack managed it, for the resource that records it from now on."""
        replaced = next((line.replaced for line in self._known(names) if line.replaced is not None), None)
        if replaced is not None:
            self._add("inherit", names)
        return replaced

    def inherited(self, *names: str) -> bool:
        """Whether another resource now records what a line forwarded to before."""
        return any(line.inherited for line in self._known(names))

    def recorded(self, *names: str) -> str | None:
        """The number in the state for a line that this run changes or replaces; a create of the line needs it."""
        return next((line.recorded for line in self._known(names) if line.recorded is not None), None)

    def fail(self, *names: str) -> None:
        """The resource that declares these lines failed in this run; it may try again."""
        self._add("fail", names)

    @property
    def in_doubt(self) -> bool:
        """Whether a resource failed in this run, so that the program may declare lines that were not reported."""
        with self._lock:
            self._catch_up()
            return not self._hears_program and any(line.failed for line in self._lines.values())

    def owner(self, *names: str) -> Owner | None:
        """The resource that declares a line under any of its names."""
        declared = [line for line in self._known(names) if line.declared]
        if not declared:
            return None
        untried = self._failed and not any(line.owned or line.kept or line.recorded is not None for line in declared)
        lost = untried or any(line.failed and not line.kept for line in declared)
        pending = not any(line.owned or line.failed for line in declared)
        return Owner(next((line.number for line in declared if line.number is not None), None), lost, pending)

    def new_fleet(self, allow_clearing: int) -> None:
        """The program creates a fleet, which may be an old one under a new name."""
        self._add("fleet", (), allow_clearing)

    @property
    def allowed_clears(self) -> int | None:
        """How many lines the new fleets of this run allow to be cleared; None if it creates no fleet."""
        self._catch_up()
        return self._allowed_clears

    @contextmanager
    def try_clear(self, *names: str, left_with: str = "") -> Iterator[Owner | None]:
        """None if a line (given with all its names) may be cleared or restored, else the resource that declares it.

        A resource that declares it later learns of it from `left_with`, and waits in `claim` until the clear is over.
        """
        over = threading.Event()
        with self._lock:
            owner = self.owner(*names)
            if owner is None:
                self._clears.update(dict.fromkeys(names, over))
                self._add("clear", names, left_with)
        try:
            yield owner
        finally:
            over.set()

    def left_with(self, *names: str) -> str | None:
        """The number with which a resource gave up this line in this run, before another declaration was known.

        "" if it was cleared, None if no resource gave it up.
        """
        return next((line.left for line in self._known(names) if line.left is not None), None)

    def cleared(self, *names: str) -> bool:
        """Whether a resource gave up this line in this run, before another declaration was known."""
        return self.left_with(*names) is not None

    @contextmanager
    def claim(self, *names: str, declared_as: str) -> Iterator[None]:
        """Reserve a line (given with all its names) while it is written and, unless that fails, until the run ends.

        The engine may create a resource again that did not change, to complete an interrupted replacement. It then
        names its line as before, with the same number.

        Raises:
            RefusedError: another resource has it under another name, or has created or updated it in this run, or is
                doing so.
        """
        for over in [self._clears[name] for name in names if name in self._clears]:
            over.wait()
        token = f"{os.getpid()}-{next(self._tokens)}"
        with self._lock:
            self._add("claim", names, token)
            lines = {name: self._lines[name] for name in names}
        taken = any(line.claim != token for line in lines.values())
        if taken or any(line.declared and line.owned for name, line in lines.items() if name != declared_as):
            self._add("unclaim", names, token)
            raise second_owner(*names)
        try:
            with self.as_of_now():
                yield
        except BaseException:
            self._add("unclaim", names, token)
            raise
        self._add("own", names)

    @contextmanager
    def as_of_now(self) -> Iterator[None]:
        """In this block, this thread does not look for new events of other processes, which is slow for many lines.

        A process that adds an event meanwhile sees what this one added before the block.
        """
        self._paused.reads = True
        try:
            yield
        finally:
            self._paused.reads = False

    def _add(self, kind: str, names: Collection[str], *values: Any) -> None:
        with self._lock:
            self._apply(self._log.exchange([kind, list(names), *values]))

    def _known(self, names: Collection[str]) -> list[_Line]:
        self._catch_up()
        return [self._lines[name] for name in names if name in self._lines]

    def _knows(self, name: str) -> bool:
        return name in self._planned or name in self._lines

    def _catch_up(self) -> None:
        if not getattr(self._paused, "reads", False):
            with self._lock:
                self._apply(self._log.read())

    def _apply(self, events: Sequence[Event]) -> None:
        for kind, names, *values in events:
            getattr(self, f"_on_{kind}")(names, *values)

    def _on_plan(self, names: list[str], numbers: list[str | None]) -> None:
        self._planned.update(zip(names, numbers, strict=True))

    def _on_declare(self, names: list[str], numbers: list[str | None], kept: list[bool]) -> None:
        for name, number, keeps in zip(names, numbers, kept, strict=True):
            line = self._lines[name]
            line.declared, line.number, line.failed = True, number, False
            line.kept |= keeps

    def _on_record(self, names: list[str], recorded: str) -> None:
        for name in names:
            self._lines[name].recorded = recorded

    def _on_own(self, names: list[str]) -> None:
        for name in names:
            line = self._lines[name]
            line.owned, line.failed, line.recorded = True, False, None

    def _on_fail(self, names: list[str]) -> None:
        self._failed = True
        for name in names:
            line = self._lines[name]
            line.failed, line.owned, line.claim = True, False, None

    def _on_clear(self, names: list[str], left_with: str) -> None:
        for name in names:
            self._lines[name].left = left_with

    def _on_bequeath(self, names: list[str], replaced: str) -> None:
        for name in names:
            self._lines[name].replaced = replaced

    def _on_inherit(self, names: list[str]) -> None:
        for name in names:
            self._lines[name].inherited = True

    def _on_claim(self, names: list[str], token: str) -> None:
        for name in names:
            self._lines[name].claim = self._lines[name].claim or token

    def _on_unclaim(self, names: list[str], token: str) -> None:
        for name in names:
            if self._lines[name].claim == token:
                self._lines[name].claim = None

    def _on_fleet(self, _names: list[str], allow_clearing: int) -> None:
        self._allowed_clears = max(self._allowed_clears or 0, allow_clearing)


def second_owner(name: str, *others: str) -> RefusedError:
    """The error for a line that two resources of a program declare; its id comes first, if it is known."""
    line = f"{name} ({', '.join(others)})" if others else name
    return RefusedError(
        f"Line {line} is declared by another resource of this program too.",
        next_step="Remove one of the two: otherwise either number could be used.",
    )
