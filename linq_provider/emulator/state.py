"""The contents of the emulated account: lines, and the tokens that see them."""

import json
import os
import re
import secrets
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from linq_provider.emulator.history import History, Lines, replaced
from linq_provider.emulator.numbers import NAMESPACE, EmulatedNumber, already_there, build_numbers

Clock = Callable[[], float]
# Other characters cannot be sent in an Authorization header, or would end the key there.
_API_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Token:
    """What a bearer token may do; `lines` None means every line, including later ones."""

    label: str
    lines: frozenset[str] | None = None
    can_write: bool = True

    def sees(self, phone_number_id: str) -> bool:
        """Whether the line is in the scope of this token."""
        return self.lines is None or phone_number_id in self.lines


def default_api_key(*, seed: int = 0) -> str:
    """The default API key of an emulator: the same on every machine."""
    return uuid.uuid5(NAMESPACE, f"{seed}/api_key").hex


class Account:
    """Lines and tokens; safe to use from several threads.

    Every change replaces the dict by a new one, so readers need no lock. With `path`, that file is
    replaced after each change. Raises ValueError for two lines with one id, and for an API key that
    no client could send.
    """

    def __init__(
        self,
        numbers: Iterable[EmulatedNumber],
        *,
        api_key: str,
        path: Path | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        if not _API_KEY.fullmatch(api_key):
            raise ValueError("an API key of the emulator is one or more visible ASCII characters, without spaces")
        self._lock = threading.RLock()
        self._path = path
        self._clock = clock
        self.api_key = api_key
        self.lines: Lines = {}
        self.tokens: dict[str, Token] = {api_key: Token("default")}
        self._created_tokens = 0
        self._history = History()
        for number in numbers:
            self._require_new_id(number)
            self.lines[number.id] = number
        self._ids = _ids(self.lines)

    def save(self) -> None:
        """Replace the state file, if there is one, as a whole."""
        if self._path is None:
            return
        with self._lock:
            _write_atomically(self._path, json.dumps(self._as_json(), indent=1))

    def find(self, line: str) -> EmulatedNumber:
        """The line with this id or phone number; raises KeyError if there is none."""
        phone_number_id = self._ids.get(line, line)
        try:
            return self.lines[phone_number_id]
        except KeyError:
            raise KeyError(f"the emulator has no line {line}") from None

    def lines_ago(self, seconds: float) -> Lines:
        """The lines as they were `seconds` ago, or at the oldest change that is kept."""
        with self._lock:
            return self._history.lines_at(self._clock() - seconds, self.lines)

    def lines_before_last_change(self) -> Lines:
        """The lines as they were before the last change."""
        with self._lock:
            return self._history.lines_before_last_change(self.lines)

    def set_forwarding(self, line: str, number: str | None) -> EmulatedNumber:
        """Forward the line to this number; None or "" clears it. Returns the changed line."""
        with self._lock:
            old = self.find(line)
            new = replace(old, forwarding_number=number or None)
            if new != old:
                self._change(old, new)
            return new

    def add(self, number: EmulatedNumber) -> None:
        """Add a line to the account; raises ValueError if its id or number is already there."""
        with self._lock:
            if number.phone_number in self._ids:
                raise already_there(number)
            self.add_second_id(number)

    def add_second_id(self, number: EmulatedNumber) -> None:
        """Add a line whose number may be there already, under another id; raises ValueError for a known id."""
        with self._lock:
            self._require_new_id(number)
            self._change(None, number)

    def change_id(self, line: str, phone_number_id: str) -> EmulatedNumber:
        """Give the line another id, also in the scope of tokens; raises ValueError if another line has it."""
        with self._lock:
            old = self.find(line)
            new = replace(old, id=phone_number_id)
            self._require_new_id(new)
            self.tokens = {secret: _also_sees(token, old.id, new.id) for secret, token in self.tokens.items()}
            self._change(old, new)
            return new

    def remove(self, line: str) -> None:
        """Remove a line from the account."""
        with self._lock:
            self._change(self.find(line), None)

    def create_token(self, lines: Iterable[str] | None, *, can_write: bool) -> str:
        """A new token that sees these lines (ids or phone numbers; None: all)."""
        with self._lock:
            scope = None if lines is None else frozenset(self.find(line).id for line in lines)
            self._created_tokens += 1
            secret = secrets.token_hex(16)
            token = Token(f"token-{self._created_tokens}", scope, can_write)
            self.tokens = {**self.tokens, secret: token}
            self.save()
            return secret

    def revoke_token(self, secret: str) -> None:
        """Revoke the token; raises KeyError if it is unknown."""
        with self._lock:
            if secret not in self.tokens:
                raise KeyError("the emulator has no such token")
            self.tokens = {key: token for key, token in self.tokens.items() if key != secret}
            self.save()

    def restore_tokens(self, tokens: dict[str, Token]) -> None:
        """Replace all tokens by these."""
        self.tokens = tokens
        self._created_tokens = len(tokens)

    def _require_new_id(self, number: EmulatedNumber) -> None:
        if number.id in self.lines:
            raise already_there(number)

    def _change(self, before: EmulatedNumber | None, after: EmulatedNumber | None) -> None:
        self.lines = replaced(self.lines, before, after)
        if before is None or after is None or before.id != after.id:
            self._ids = _ids(self.lines)
        self._history.add(before, after, at=self._clock())
        self.save()

    def _as_json(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key,
            "phone_numbers": [asdict(number) for number in self.lines.values()],
            "tokens": [
                {
                    "token": secret,
                    **asdict(token),
                    "lines": None if token.lines is None else sorted(token.lines),
                }
                for secret, token in self.tokens.items()
            ],
        }


def open_account(
    path: Path | None,
    *,
    numbers: int | Iterable[Mapping[str, Any]],
    api_key: str | None,
    seed: int,
    clock: Clock = time.monotonic,
) -> Account:
    """The account in the state file, else a new one. A given `api_key` becomes the default key of either."""
    if path is not None and path.exists():
        account = _load(path, api_key=api_key, clock=clock)
    else:
        key = default_api_key(seed=seed) if api_key is None else api_key
        account = Account(build_numbers(numbers, seed=seed), api_key=key, path=path, clock=clock)
    account.save()
    return account


def _load(path: Path, *, api_key: str | None, clock: Clock) -> Account:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        numbers = [EmulatedNumber(**row) for row in saved["phone_numbers"]]
        tokens = {row["token"]: _token(row) for row in saved["tokens"]}
        account = Account(numbers, api_key=saved["api_key"], path=path, clock=clock)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a state file of the emulator") from error
    if api_key is not None:
        tokens.pop(account.api_key, None)
        account = Account(numbers, api_key=api_key, path=path, clock=clock)
        tokens[api_key] = Token("default")
    account.restore_tokens(tokens)
    return account


def _token(row: Mapping[str, Any]) -> Token:
    lines = None if row["lines"] is None else frozenset(row["lines"])
    return Token(row["label"], lines, row["can_write"])


def _also_sees(token: Token, old_id: str, new_id: str) -> Token:
    if token.lines is None or old_id not in token.lines:
        return token
    return replace(token, lines=token.lines | {new_id})


def _ids(lines: Mapping[str, EmulatedNumber]) -> dict[str, str]:
    """The id of each phone number; of a number with several ids, the first one."""
    return {number.phone_number: number.id for number in reversed(list(lines.values()))}


def _write_atomically(path: Path, text: str) -> None:
    # mkstemp makes the file readable by its owner only: it holds the tokens.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
