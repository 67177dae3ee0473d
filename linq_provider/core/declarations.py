"""What the program of this run declares and who holds which line, as far as one provider process is told.

The engine creates the new resource before it deletes the old one, and tells neither of the other. A rename
without alias is therefore a create followed by a delete of the same line, which would silence it.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from linq_provider.errors import RefusedError


class Declarations:
    """Remembered for the life of the process, which is one run; nothing is ever forgotten.

    A line is named as the program does: by `phone_number_id` or by `phone_number`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forwarding: dict[str, str | None] = {}
        self._kept: set[str] = set()
        self._held: set[str] = set()
        self._taken: set[str] = set()
        self._written: set[str] = set()
        self._changing: dict[str, str] = {}
        self._clears: dict[str, threading.Event] = {}

    def declare(self, identity: str, forwarding_number: str | None, *, keeps: bool = False) -> None:
        """The program declares this line; None for a number that is not known yet.

        `keeps`: for a resource that has the line in the state already.
        """
        with self._lock:
            self._forwarding[identity] = forwarding_number
            if keeps:
                self._kept.add(identity)

    def declares(self, *identities: str) -> bool:
        """Whether the program declares a line under any of its names."""
        with self._lock:
            return any(identity in self._forwarding for identity in identities)

    def forwarding_of(self, *identities: str) -> str | None:
        """The number declared for a line under any of its names; None where there is none or it is unknown."""
        with self._lock:
            return next((self._forwarding[i] for i in identities if i in self._forwarding), None)

    def keeps(self, identity: str) -> bool:
        """Whether a resource that the program still has keeps this line, named as it names it."""
        with self._lock:
            return identity in self._kept

    def mark_unchanged(self, *identities: str) -> None:
        """A resource that does not change holds this line, given under the names that are known.

        Raises:
            RefusedError: another resource took it in this run, before this one was known to be there.
        """
        with self._lock:
            if (self._taken | self._written).intersection(identities):
                raise _second_owner(identities[0])
            self._hold(identities)

    def release(self, *identities: str) -> None:
        """Whoever took this line in this run failed as a whole, and may try again."""
        with self._lock:
            self._held.difference_update(identities)
            self._written.difference_update(identities)

    def _hold(self, identities: Iterable[str]) -> None:
        self._held.update(identities)
        for identity in identities:
            self._changing.pop(identity, None)

    def change(self, identity: str, recorded: str) -> None:
        """A resource is about to change this line, from the number that the state records."""
        with self._lock:
            self._changing[identity] = recorded

    def recorded(self, *identities: str) -> str | None:
        """The recorded number of a line that is about to change: with `replace_on_changes` its own create asks."""
        with self._lock:
            return next((self._changing[i] for i in identities if i in self._changing), None)

    @contextmanager
    def try_clear(self, *identities: str) -> Iterator[bool]:
        """Whether a line may be cleared, which is so unless the program declares it; all its names are given.

        Who declares it later finds out with `cleared`, and waits in `claim` until the clear is over.
        """
        over = threading.Event()
        with self._lock:
            free = not any(identity in self._forwarding for identity in identities)
            if free:
                self._clears.update(dict.fromkeys(identities, over))
        try:
            yield free
        finally:
            over.set()

    def cleared(self, *identities: str) -> bool:
        """Whether a resource gave this line up in this run, before another was known to declare it."""
        with self._lock:
            return any(identity in self._clears for identity in identities)

    @contextmanager
    def claim(self, *identities: str) -> Iterator[None]:
        """Hold a line while it is written and, unless that fails, from then on; all its names are given.

        Raises:
            RefusedError: another resource kept, created or updated it in this run, or is about to.
        """
        for over in [self._clears[identity] for identity in identities if identity in self._clears]:
            over.wait()
        with self._lock:
            if (self._held | self._taken).intersection(identities):
                raise _second_owner(identities[0])
            self._taken.update(identities)
        try:
            yield
            with self._lock:
                self._hold(identities)
                self._written.update(identities)
        finally:
            with self._lock:
                self._taken.difference_update(identities)


def _second_owner(line: str) -> RefusedError:
    return RefusedError(
        f"Line {line} is declared by another resource of this program too.",
        next_step="Remove one of the two; which one's number would win is not defined.",
    )
