"""What the random walks share: the server's side of an account, writes that fail half way, and the log of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from linq_provider.core.declarations import Event
from linq_provider.emulator.api import LIST_PATH, Api, Request
from linq_provider.emulator.state import Account as ServerAccount
from linq_provider.errors import InternalServerError, api_error_class
from linq_provider.phone_number import PhoneNumber

BREAKS = ("fails", "is applied and fails", "is killed", "is applied and killed")  # what the next write may do


class Killed(BaseException):
    """The provider process ended in the middle of a write."""


class SharedLog:
    """One process's view of the events of a run."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._read = 0

    def exchange(self, event: Event) -> Sequence[Event]:
        """Add an event, as the other processes will read it, and return the events since the last call."""
        self._events.append(json.loads(json.dumps(event)))
        return self.read()

    def read(self) -> Sequence[Event]:
        """The events since the last call."""
        events = self._events[self._read :]
        self._read += len(events)
        return events


class WalkServer:
    """The emulator's API without a socket; it reports each write to the walk, and which were applied."""

    def __init__(
        self,
        account: ServerAccount,
        *,
        before_write: Callable[[str, str], object],
        after_write: Callable[[str], object],
    ) -> None:
        self.api = Api(account)
        self.broken = 0  # writes that did not end well
        self.before_write = before_write
        self.after_write = after_write
        self._breaks: list[str] = []  # what happens to the next writes

    @contextmanager
    def breaking(self, how: str, *, spared: int = 0) -> Iterator[None]:
        """Let a write go wrong, one of BREAKS, after so many that go well."""
        self._breaks = [*[""] * spared, how]
        try:
            yield
        finally:
            self._breaks = []

    def break_next(self) -> str:
        """How the write that has come goes wrong, if it does."""
        how = self._breaks.pop(0) if self._breaks else ""
        self.broken += bool(how)
        return how

    def client(self, key: str) -> WalkClient:
        """What an account needs, with this key."""
        return WalkClient(self, key)


class WalkClient:
    """The client that an account needs."""

    def __init__(self, server: WalkServer, key: str) -> None:
        self._server = server
        self._key = key

    def list_phone_numbers(self) -> list[PhoneNumber]:
        rows = self._call("GET", LIST_PATH)["phone_numbers"]
        return [PhoneNumber(row["id"], row["phone_number"], row["forwarding_number"] or "") for row in rows]

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        server = self._server
        server.before_write(phone_number_id, forwarding_number)
        broken = server.break_next()
        path = f"{LIST_PATH}/{phone_number_id}"
        if broken in ("", *BREAKS[1::2]):
            row = self._call("PUT", path, json.dumps({"forwarding_number": forwarding_number}).encode())
            server.after_write(phone_number_id)
        if "killed" in broken:
            raise Killed
        if broken:
            error = InternalServerError("PUT", path, 500)
            error.may_be_applied = True
            raise error
        return PhoneNumber(row["id"], row["phone_number"], forwarding_number)

    def _call(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        answer = self._server.api.respond(Request(method, path, f"Bearer {self._key}", body))
        if answer.status != 200:
            raise api_error_class(answer.status)(method, path, answer.status)
        return json.loads(answer.body)  # type: ignore[no-any-return]
