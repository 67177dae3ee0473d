"""The lines of one account as this process sees them: one list call shared by all, kept current by our own writes."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from linq_provider.errors import APIResponseValidationError, LinqError, RefusedError
from linq_provider.phone_number import PhoneNumber

FRESH = 30.0  # seconds; nothing is decided on a list older than this
FAILURE_SHARED = 5.0  # seconds for which callers that queue behind a failed list call share its error
NAMED_LINES = 3  # how many visible lines an error names


class Client(Protocol):
    """What an account needs of `LinqClient`."""

    def list_phone_numbers(self) -> Sequence[PhoneNumber]:
        """Every line that the key sees."""

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        """Write one forwarding; the line as the API confirms it."""


def list_lines(client: Client) -> Sequence[PhoneNumber]:
    """Every line that the key sees, asked for again where the answer is empty or malformed.

    Both can be a server's mistake, which must not look like lost lines.

    Raises:
        LinqError: the list could not be had.
    """
    try:
        lines = client.list_phone_numbers()
    except APIResponseValidationError:
        lines = []
    return lines or client.list_phone_numbers()


def require_lines(client: Client) -> Sequence[PhoneNumber]:
    """Every line that the key sees.

    Raises:
        LinqError: the list could not be had, or is empty, which says nothing about any one line.
    """
    if lines := list_lines(client):
        return lines
    raise LinqError(
        "This key sees no lines at all: is it the right account?",
        next_step="Nothing was changed. Check linq:apiKey and linq:baseUrl with `linq-provider numbers`.",
    )


def not_seen(line: str, lines: Iterable[PhoneNumber]) -> RefusedError:
    """The error for a line that is not among those of the key; names a few that are."""
    seen = sorted(each.phone_number for each in lines)
    more = ", …" if len(seen) > NAMED_LINES else ""
    return RefusedError(
        f"This key does not see {line}; it sees {len(seen)}: {', '.join(seen[:NAMED_LINES])}{more}.",
        next_step="Keys are scoped to a set of lines: check the line against `linq-provider numbers`, and"
        " linq:apiKey for the right account.",
    )


@dataclass(frozen=True)
class _Snapshot:
    taken_at: float
    by_id: dict[str, PhoneNumber] = field(default_factory=dict)
    by_number: dict[str, PhoneNumber] = field(default_factory=dict)

    def find(self, identity: str) -> PhoneNumber | None:
        return self.by_id.get(identity) or self.by_number.get(identity)

    def put(self, line: PhoneNumber) -> None:
        self.by_id[line.id] = self.by_number[line.phone_number] = line


class Account:
    """One account, shared by all resources and threads of a provider process.

    A line is named by its `phone_number_id` in lower case or by its `phone_number`. `clock`: monotonic seconds.
    """

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._listing = threading.Lock()
        self._changing = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._writes: dict[str, tuple[float, PhoneNumber]] = {}
        self._failure: tuple[float, LinqError] | None = None
        self._doubted_at = -math.inf

    def find(self, identity: str) -> PhoneNumber | None:
        """The line, or None where a list not older than `FRESH` seconds does not hold it.

        Raises:
            LinqError: the list could not be had, or is empty: that says nothing about any one line.
        """
        return self._fresh().find(identity)

    def require(self, identity: str) -> PhoneNumber:
        """The line.

        Raises:
            RefusedError: this key does not see it; names a few lines that it sees.
            LinqError: the list could not be had.
        """
        snapshot = self._fresh()
        line = snapshot.find(identity)
        if line is None:
            raise not_seen("the declared line", snapshot.by_number.values())
        return line

    def refresh(self) -> None:
        """See to it that the lines are known, so that an error of the account is reported once, not for each line.

        Raises:
            LinqError: the list could not be had, or is empty.
        """
        self._fresh()

    def known(self, identity: str) -> PhoneNumber | None:
        """The line as last seen, however long ago, without a request; None where it was never seen."""
        return self._snapshot.find(identity) if self._snapshot is not None else None

    def names(self, identity: str) -> tuple[str, ...]:
        """Every name of a line, as far as is known; the given one first."""
        line = self.known(identity)
        return (identity, line.id, line.phone_number) if line else (identity,)

    def set_forwarding_number(self, line: PhoneNumber, forwarding_number: str) -> PhoneNumber:
        """Write a line's forwarding and remember what the API confirmed.

        Raises:
            LinqError: the write failed, or its outcome is unknown.
        """
        try:
            written = self._client.set_forwarding_number(line.id, forwarding_number)
        except LinqError as error:
            if error.may_be_applied:  # the list from before it may be wrong about the line
                self._doubted_at = self._clock()
            raise
        with self._changing:
            self._writes[written.id] = (self._clock(), written)
            if self._snapshot is not None:
                self._snapshot.put(written)
        return written

    def _fresh(self) -> _Snapshot:
        with self._listing:
            now = self._clock()
            if self._snapshot is not None and self._snapshot.taken_at > max(now - FRESH, self._doubted_at):
                return self._snapshot
            if self._failure is not None and now - self._failure[0] < FAILURE_SHARED:
                raise self._failure[1]
            try:
                return self._take()
            except LinqError as error:
                self._failure = (self._clock(), error)
                raise

    def _take(self) -> _Snapshot:
        snapshot = _Snapshot(self._clock())
        for line in require_lines(self._client):
            snapshot.put(line)
        with self._changing:
            for written_at, line in self._writes.values():
                if written_at >= snapshot.taken_at:  # the answer may be older than our write
                    snapshot.put(line)
            self._snapshot = snapshot
        return snapshot
