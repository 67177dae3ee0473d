"""The two calls of the emulated API, and its errors: turns a request into an answer, without a network.

Paths, statuses, codes and messages are those of Linq's public documentation and SDKs.
"""

import json
import random
import re
import threading
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from linq_provider.emulator.lists import ListView, Row
from linq_provider.emulator.numbers import EmulatedNumber
from linq_provider.emulator.state import Account, Token

BASE_PATH = "/api/partner"
PHRASES = {status.value: status.phrase for status in HTTPStatus}
LIST_PATH = f"{BASE_PATH}/v3/phone_numbers"
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_REPUTATION = {
    "status": "HEALTHY",
    "doc_url": "https://docs.linqapp.com/channel/imessage/guides/phone-numbers/phone-reputation",
}


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` is as sent, with its query and not decoded."""

    method: str
    path: str
    authorization: str | None = field(default=None, repr=False)
    body: bytes = b""

    @property
    def parsed_body(self) -> Any:
        """The JSON value of the body, its text when it is not JSON, None when it is empty."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `headers` may replace the default Content-Type or Content-Length."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ApiError:
    """An error of the API, without its trace_id."""

    status: int
    code: int
    message: str
    retry_after: float | str | None = None

    def body(self, *, trace_id: str) -> bytes:
        """The error body as the API documents it."""
        error: dict[str, Any] = {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "doc_url": f"https://docs.linqapp.com/error/codes/{self.code // 1000}xxx/{self.code}/",
        }
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return to_json({"error": error, "success": False, "trace_id": trace_id})


NOT_E164 = ApiError(400, 1002, "Phone number must be in E.164 format")
UNAUTHORIZED = ApiError(401, 2004, "Unauthorized - missing or invalid authentication token")
ACCESS_DENIED = ApiError(403, 2005, "Access denied - insufficient permissions for this resource")
NOT_FOUND = ApiError(404, 2001, "Resource not found")
RATE_LIMITED = ApiError(429, 1007, "Rate limit exceeded")
SERVER_ERROR = ApiError(500, 3006, "Internal server error")


class Api:
    """The two calls on one account; safe to use from several threads."""

    def __init__(self, account: Account, *, seed: int = 0) -> None:
        self._account = account
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._listed_lines: dict[str, EmulatedNumber] = {}
        self._lists: dict[Token, bytes] = {}

    def respond(self, request: Request, *, view: ListView | None = None) -> Answer:
        """Carry out the request; `view` can change what a list shows."""
        token = self.token(request.authorization)
        if token is None:
            return self.error(UNAUTHORIZED)
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == LIST_PATH:
            return Answer(200, self._list(token) if view is None else self._changed_list(token, view))
        if request.method == "PUT" and path.startswith(f"{LIST_PATH}/"):
            return self._update(token, path[len(LIST_PATH) + 1 :], request.parsed_body)
        return self.error(NOT_FOUND)

    def error(self, error: ApiError) -> Answer:
        """The answer that reports this error, with a trace_id of its own."""
        with self._lock:
            trace_id = uuid.UUID(int=self._random.getrandbits(128), version=4)
        return Answer(error.status, error.body(trace_id=str(trace_id)))

    def token(self, authorization: str | None) -> Token | None:
        """The token that an Authorization header names; None when the header is missing or the token unknown."""
        scheme, _, secret = (authorization or "").partition(" ")
        return self._account.tokens.get(secret) if scheme.lower() == "bearer" else None

    def _list(self, token: Token) -> bytes:
        # Encoding ten thousand rows takes 30 ms, so the body is cached until the account replaces its dict of lines.
        with self._lock:
            if self._listed_lines is not self._account.lines:
                self._listed_lines, self._lists = self._account.lines, {}
            if token not in self._lists:
                self._lists[token] = _list_body(_rows(self._listed_lines, token))
            return self._lists[token]

    def _changed_list(self, token: Token, view: ListView) -> bytes:
        account = self._account
        lines = account.lines_before_last_change() if view.before_last_change else account.lines_ago(view.lag)
        return _list_body(view.shown(_rows(lines, token)))

    def _update(self, token: Token, phone_number_id: str, body: Any) -> Answer:
        if phone_number_id not in self._account.lines or not token.sees(phone_number_id):
            return self.error(NOT_FOUND)
        if not token.can_write:
            return self.error(ACCESS_DENIED)
        if not is_update(body):
            return self.error(NOT_E164)
        try:
            number = self._account.set_forwarding(phone_number_id, body["forwarding_number"])
        except KeyError:
            return self.error(NOT_FOUND)
        return Answer(200, to_json(_identity(number)))


def to_json(value: object) -> bytes:
    """The value as JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def is_update(body: Any) -> bool:
    """Whether a body has a valid `forwarding_number`: E.164, or "" or null for not forwarded."""
    if not isinstance(body, dict) or "forwarding_number" not in body:
        return False
    number = body["forwarding_number"]
    return number is None or number == "" or (isinstance(number, str) and bool(_E164.fullmatch(number)))


def _identity(number: EmulatedNumber) -> dict[str, Any]:
    return {
        "id": number.id,
        "phone_number": number.phone_number,
        "forwarding_number": number.forwarding_number,
    }


def _rows(lines: dict[str, EmulatedNumber], token: Token) -> list[Row]:
    return [
        {**_identity(number), "line_type": number.line_type, "reputation": _REPUTATION}
        for number in lines.values()
        if token.sees(number.id)
    ]


def _list_body(rows: list[Row]) -> bytes:
    return to_json({"phone_numbers": rows})
