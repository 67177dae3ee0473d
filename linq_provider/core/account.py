"""The lines of one account as this process sees them: one list call for all resources, updated by our own writes.

The list may lag behind a write, or lack a line once. So one list is not enough to contradict the state: what it says
must hold for a few seconds, see `Account.confirmed`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from linq_provider.core.e164 import line_problem
from linq_provider.errors import APIResponseValidationError, LinqError, RefusedError
from linq_provider.phone_number import PhoneNumber

FRESH = 30.0  # seconds; nothing is decided on a list older than this
FAILURE_SHARED = 5.0  # seconds for which callers that wait behind a failed list call get the same error
ASKED_AGAIN = (1.0, 3.0)  # seconds to wait before each further list, if the last one contradicts the state
LISTS = 10  # give up after so many lists that agree neither with the state nor with each other
LAG = 5.0  # seconds for which our own write overrides a list
NAMED_LINES = 3  # how many visible lines an error names
LOOK_UP = "See the account's lines with `linq-provider numbers`."
NO_LINES = "This key sees no lines at all: is it the right account?"


class Client(Protocol):
    """The part of `LinqClient` that an account needs."""

    def list_phone_numbers(self) -> Sequence[PhoneNumber]:
        """Every line that the key sees."""

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        """Write one forwarding, and return the line as the API confirms it."""


class NoLinesError(LinqError):
    """The key sees no lines, which says nothing about any one line."""


def list_lines(client: Client) -> Sequence[PhoneNumber]:
    """Every line that the key sees; one more request if the answer is empty or malformed.

    Both can be a server's mistake, which must not look like lost lines.

    Raises:
        LinqError: the list could not be read.
    """
    try:
        lines = client.list_phone_numbers()
    except APIResponseValidationError:
        lines = []
    return lines or client.list_phone_numbers()


def require_lines(client: Client) -> Sequence[PhoneNumber]:
    """Every line that the key sees.

    Raises:
        NoLinesError: there are none.
        LinqError: the list could not be read.
    """
    if lines := list_lines(client):
        return lines
    raise NoLinesError(
        NO_LINES,
        next_step="Nothing was changed. Check linq:apiKey and linq:baseUrl with `linq-provider numbers`.",
    )


def not_seen(line: str, lines: Iterable[PhoneNumber]) -> RefusedError:
    """The error for a line that the key does not see; names a few that it sees."""
    seen = sorted(each.phone_number for each in lines)
    more = ", …" if len(seen) > NAMED_LINES else ""
    return RefusedError(
        f"This key does not see {line}; it sees {len(seen)}: {', '.join(seen[:NAMED_LINES])}{more}.",
        next_step="A key can be limited to some lines: compare the line with the list of `linq-provider numbers`, and"
        " check that linq:apiKey is the key of the right account.",
    )


def find_line(line: str, list_lines: Callable[[], Sequence[PhoneNumber]], *, asked: str) -> PhoneNumber:
    """One line of a list, by its number (E.164) or its phone_number_id in any case; `asked` is the function it is for.

    Raises:
        RefusedError: the text does not name a line, and nothing was listed; or the list does not have the line.
        LinqError: whatever `list_lines` raises.
    """
    if problem := line_problem(line):
        raise RefusedError(f"The line given to {asked} {problem}.", next_step=LOOK_UP)
    lines = list_lines()
    for found in lines:
        if line.lower() in (found.id, found.phone_number):
            return found
    raise not_seen(f"the line {line}", lines)


@dataclass(frozen=True)
class _Snapshot:
    """One list. `since`: the time since which a line has been as it is here, under its id and under its number."""

    taken_at: float
    by_id: dict[str, PhoneNumber] = field(default_factory=dict)
    by_number: dict[str, dict[str, PhoneNumber]] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)

    def find(self, identity: str) -> PhoneNumber | None:
        found = self.lines(identity)
        if len(found) > 1:
            raise RefusedError(
                f"The number {identity} belongs to {len(found)} lines at Linq: {', '.join(sorted(found))}.",
                next_step="Declare the line by phone_number_id.",
            )
        return next(iter(found.values()), None)

    def lines(self, identity: str) -> Mapping[str, PhoneNumber]:
        line = self.by_id.get(identity)
        return {line.id: line} if line else self.by_number.get(identity, {})

    def put(self, line: PhoneNumber, *, since: float) -> None:
        self.by_id[line.id] = line
        self.by_number.setdefault(line.phone_number, {})[line.id] = line
        self.since[line.id] = self.since[line.phone_number] = since

    def keep_since(self, before: _Snapshot) -> None:
        """Copy the time since which each line has not changed, or has been gone."""
        for identity, since in before.since.items():
            unchanged = self.lines(identity) == before.lines(identity)
            self.since[identity] = since if unchanged else self.since.get(identity, self.taken_at)


class Account:
    """One account, shared by all resources and threads of a provider process.

    A line is named by its `phone_number_id` in lower case or by its `phone_number`. `clock`: monotonic seconds;
    `sleep`: seconds.
    """

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._listing = threading.Lock()
        self._changing = threading.Lock()
        self._asking_again = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._first_at = math.inf
        self._writes: dict[str, tuple[float, PhoneNumber]] = {}
        self._failure: tuple[float, LinqError] | None = None
        self._doubted_at = -math.inf

    def find(self, identity: str) -> PhoneNumber | None:
        """The line, or None if it is missing from a list that is at most `FRESH` seconds old.

        Raises:
            RefusedError: the number belongs to two lines.
            LinqError: the list could not be read, or is empty, which says nothing about any one line.
        """
        return self._fresh().find(identity)

    def confirmed(self, identity: str, expected: Callable[[PhoneNumber | None], bool]) -> PhoneNumber | None:
        """The line if it is as `expected`, else as the lists of several seconds agree that it is.

        All resources of the process share the repeated lists, so a thousand surprises cost two more requests.

        Raises:
            RefusedError: as `find`, or the lists never agree.
            LinqError: as `find`.
        """
        for _ in range(LISTS):
            snapshot = self._fresh()
            line, unchanged = snapshot.find(identity), self._seconds_unchanged(snapshot, identity)
            if expected(line) or unchanged >= sum(ASKED_AGAIN):
                return line
            self._ask_again(snapshot, ASKED_AGAIN[0] if unchanged < ASKED_AGAIN[0] else sum(ASKED_AGAIN) - unchanged)
        raise RefusedError(
            "Within a few seconds, Linq's list showed this line in different ways, so nothing was changed.",
            next_step="Run the same command again in a minute.",
        )

    def require(self, identity: str) -> PhoneNumber:
        """The line that a new resource declares.

        Raises:
            RefusedError: this key does not see it; the message names a few lines that it sees.
            LinqError: the list could not be read.
        """
        line = self.find(identity)
        if line is None:
            raise self.not_seen()
        return line

    def not_seen(self) -> RefusedError:
        """The error for a declared line that is not in the list."""
        return not_seen("the declared line", self._fresh().by_id.values())

    def refresh(self) -> None:
        """Load the lines, so that an error of the account is reported once and not for each line.

        Raises:
            LinqError: the list could not be read, or is empty.
        """
        self._fresh()

    def lines(self) -> list[PhoneNumber]:
        """Every line, from a list that is at most `FRESH` seconds old.

        Raises:
            LinqError: the list could not be read, or is empty.
        """
        return list(self._fresh().by_id.values())

    def known(self, identity: str) -> PhoneNumber | None:
        """The line as last seen, however long ago, without a request; None if never seen, or if two have its number."""
        lines = self._snapshot.lines(identity) if self._snapshot is not None else {}
        return next(iter(lines.values())) if len(lines) == 1 else None

    def names(self, identity: str) -> tuple[str, ...]:
        """Every known name of a line, the given one first."""
        line = self.known(identity)
        return (identity, *self.names_of(line)) if line else (identity,)

    def names_of(self, line: PhoneNumber) -> tuple[str, ...]:
        """The id and the number of a line; only the id if the number also belongs to another line."""
        is_shared = self._snapshot is not None and len(self._snapshot.lines(line.phone_number)) > 1
        return (line.id,) if is_shared else (line.id, line.phone_number)

    def wrote(self, line: PhoneNumber) -> bool:
        """Whether the line forwards to what this process wrote last."""
        written = self._writes.get(line.id)
        return written is not None and written[1].forwarding_number == line.forwarding_number

    def doubt(self, line: PhoneNumber) -> None:
        """Another process of this run writes this line, so the lists up to now say nothing about it."""
        if line.id in self._writes:  # this process has written it, and knows
            return
        now = self._doubted_at = self._clock()
        with self._changing:
            if self._snapshot is not None:
                self._snapshot.since[line.id] = self._snapshot.since[line.phone_number] = now

    def set_forwarding_number(self, line: PhoneNumber, forwarding_number: str) -> PhoneNumber:
        """Write a line's forwarding and remember what the API confirmed.

        Raises:
            LinqError: the write failed, or its outcome is unknown.
        """
        try:
            written = self._client.set_forwarding_number(line.id, forwarding_number)
        except LinqError as error:
            error.message = error.message.replace(line.id, f"{line.id} ({line.phone_number})", 1)
            if error.may_be_applied:  # an older list may be wrong about the line
                self._doubted_at = self._clock()
            raise
        with self._changing:
            self._writes[written.id] = (self._clock(), written)
            if self._snapshot is not None:
                self._snapshot.put(written, since=self._clock())
        return written

    def _seconds_unchanged(self, snapshot: _Snapshot, identity: str) -> float:
        """For how many seconds all lists have agreed about a line, or that it is missing."""
        return snapshot.taken_at - snapshot.since.get(identity, self._first_at)

    def _ask_again(self, last: _Snapshot, wait: float) -> None:
        """Read the list again, `wait` seconds after the last one; callers that arrive meanwhile share it."""
        with self._asking_again:
            if self._snapshot is not last:
                return
            rest = last.taken_at + wait - self._clock()
            if rest > 0:
                self._sleep(rest)
            with self._listing:
                self._take()

    def _fresh(self) -> _Snapshot:
        with self._listing:
            now = self._clock()
            if self._snapshot is not None and self._snapshot.taken_at > max(now - FRESH, self._doubted_at):
                return self._snapshot
            if self._failure is not None and now - self._failure[0] < FAILURE_SHARED:
                raise self._failure[1]
            return self._take()

    def _take(self) -> _Snapshot:
        taken_at = self._clock()
        try:
            lines = require_lines(self._client)
        except LinqError as error:
            self._failure = (self._clock(), error)
            raise
        with self._changing:
            self._first_at = min(self._first_at, taken_at)
            snapshot = _Snapshot(taken_at)
            for line in lines:
                snapshot.put(line, since=taken_at)
            for written_at, line in self._writes.values():
                if written_at > taken_at - LAG:  # the answer may be older than our write
                    snapshot.put(line, since=written_at)
            if self._snapshot is not None:
                snapshot.keep_since(self._snapshot)
            self._snapshot = snapshot
        return snapshot
