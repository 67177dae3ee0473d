"""What the emulated account holds: lines, and the tokens that see them."""

import json
import os
import secrets
import tempfile
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from linq_provider.emulator.numbers import NAMESPACE, EmulatedNumber, already_there, build_numbers


@dataclass(frozen=True)
class Token:
    """What a bearer token may do; `lines` None means every line, later ones included."""

    label: str
    lines: frozenset[str] | None = None
    can_write: bool = True

    def sees(self, phone_number_id: str) -> bool:
        """Whether the line is in the scope of this token."""
        return self.lines is None or phone_number_id in self.lines


def default_api_key(*, seed: int = 0) -> str:
    """The API key of an emulator that was not given one: the same on every machine."""
    return uuid.uuid5(NAMESPACE, f"{seed}/api_key").hex


class Account:
    """Lines and tokens; safe to use from several threads.

    Every change puts a new dict in place of the old one, so a reader needs no lock. With `path`,
    the account is read from that file if it exists, and the file is replaced after each change.
    Raises ValueError when the file is not one that an emulator wrote.
    """

    def __init__(self, numbers: Iterable[EmulatedNumber], *, api_key: str, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._path = path
        self.api_key = api_key
        self.lines: dict[str, EmulatedNumber] = {}
        self.tokens: dict[str, Token] = {api_key: Token("default")}
        self._ids: dict[str, str] = {}
        self._created_tokens = 0
        for number in numbers:
            self._register(number)
            self.lines[number.id] = number
        # The lines as they were before the last change: what a list that lags behind still shows.
        self.previous_lines: dict[str, EmulatedNumber] = dict(self.lines)

    def save(self) -> None:
        """Replace the state file, if there is one, as a whole."""
        if self._path is None:
            return
        with self._lock:
            _write_atomically(self._path, json.dumps(self._as_json(), indent=1))

    def find(self, line: str) -> EmulatedNumber:
        """The line with this id or phone number; raises KeyError when there is none."""
        phone_number_id = self._ids.get(line, line)
        try:
            return self.lines[phone_number_id]
        except KeyError:
            raise KeyError(f"the emulator has no line {line}") from None

    def set_forwarding(self, line: str, number: str | None) -> EmulatedNumber:
        """Point the line elsewhere; None or "" clears it. Returns the line as it is then."""
        with self._lock:
            old = self.find(line)
            new = replace(old, forwarding_number=number or None)
            if new != old:
                self._change({**self.lines, new.id: new})
            return new

    def add(self, number: EmulatedNumber) -> None:
        """Put one more line on the account; raises ValueError for a known id or number."""
        with self._lock:
            self._register(number)
            self._change({**self.lines, number.id: number})

    def remove(self, line: str) -> None:
        """Take a line off the account."""
        with self._lock:
            number = self.find(line)
            del self._ids[number.phone_number]
            self._change({key: value for key, value in self.lines.items() if key != number.id})

    def create_token(self, lines: Iterable[str] | None, *, can_write: bool) -> str:
        """A new token for these lines (ids or phone numbers), or for all."""
        with self._lock:
            scope = None if lines is None else frozenset(self.find(line).id for line in lines)
            secret = secrets.token_hex(16)
            self._created_tokens += 1
            token = Token(f"token-{self._created_tokens}", scope, can_write)
            self.tokens = {**self.tokens, secret: token}
            self.save()
            return secret

    def revoke_token(self, secret: str) -> None:
        """Make the token unknown; raises KeyError when it already is."""
        with self._lock:
            if secret not in self.tokens:
                raise KeyError("the emulator has no such token")
            self.tokens = {key: token for key, token in self.tokens.items() if key != secret}
            self.save()

    def restore_tokens(self, tokens: dict[str, Token]) -> None:
        """Put these tokens in place of all others."""
        self.tokens = tokens
        self._created_tokens = len(tokens)

    def _register(self, number: EmulatedNumber) -> None:
        if number.id in self.lines or number.phone_number in self._ids:
            raise already_there(number)
        self._ids[number.phone_number] = number.id

    def _change(self, lines: dict[str, EmulatedNumber]) -> None:
        self.previous_lines, self.lines = self.lines, lines
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
    path: Path | None, *, numbers: int | Iterable[Mapping[str, Any]], api_key: str | None, seed: int
) -> Account:
    """The account in the state file, else a new one. A given `api_key` becomes the default key of both."""
    if path is not None and path.exists():
        account = _load(path, api_key=api_key)
    else:
        key = default_api_key(seed=seed) if api_key is None else api_key
        account = Account(build_numbers(numbers, seed=seed), api_key=key, path=path)
    account.save()
    return account


def _load(path: Path, *, api_key: str | None) -> Account:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        numbers = [EmulatedNumber(**row) for row in saved["phone_numbers"]]
        tokens = {row["token"]: _token(row) for row in saved["tokens"]}
        account = Account(numbers, api_key=api_key or saved["api_key"], path=path)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a state file of the emulator") from error
    if api_key is not None:
        tokens.pop(saved["api_key"], None)
        tokens[api_key] = Token("default")
    account.restore_tokens(tokens)
    return account


def _token(row: Mapping[str, Any]) -> Token:
    lines = None if row["lines"] is None else frozenset(row["lines"])
    return Token(row["label"], lines, row["can_write"])


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
