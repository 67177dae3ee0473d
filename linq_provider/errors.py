"""The exceptions of linq-provider.

::

    LinqError
     +-- ConfigurationError                 a setting is missing or cannot be used
     +-- RefusedError                       the provider declined; nothing was sent
     +-- FleetError                         some lines of a fleet were refused or failed
     +-- APIConnectionError                 no complete answer arrived
     |    +-- APIConnectionTimeoutError     ... within `linq:timeout`
     +-- APIError                           the API did not answer with success
          +-- APIResponseValidationError    ... or its success cannot be trusted
          +-- BadRequestError               400, 422
          +-- AuthenticationError           401
          +-- PermissionDeniedError         403
          +-- NotFoundError                 404
          +-- ConflictError                 409
          +-- RateLimitError                429
          +-- InternalServerError           500 and above

The names are those of Linq's own SDKs. Every message is one paragraph of at most `MAX_MESSAGE` characters that ends
with the next step; that of a fleet has one line of text for each of its lines, as far as they fit. Control characters,
the key and phone numbers are removed from text that a server wrote.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

MAX_MESSAGE = 500  # characters; the engine passes any length on to the terminal
MAX_DETAIL = 160  # characters of server-written text inside a message
MAX_LIST = 160  # characters of a list inside a sentence, which leaves space for the rest of the message
NAMED = 10  # entries of a list inside a sentence
ENTRY_LENGTHS = (MAX_MESSAGE, 240, 160, 120, 80)  # characters of an entry of a list; the first that fits is used
PIECE = 8  # so many consecutive characters of a secret are hidden
HIDDEN = "[hidden]"
_PATH_OF_A_LINE = re.compile(r" /\S+/[0-9a-f-]{36}\b(?:\s\(\+\d+\))?")  # in a list, each entry begins with its line
# Seven digits or more as people write them; not inside a word or a UUID.
_PHONE_NUMBER = re.compile(r"(?<![\w-])[+(]*\d(?:[ ().-]{0,2}\d){6,}(?!-?\w)")


def plain(text: str, *, limit: int = MAX_DETAIL) -> str:
    """`text` as one line without control or formatting characters, cut to `limit` characters.

    The engine writes messages raw to the terminal, where an escape sequence would be obeyed.
    """
    head = text[: limit * 8]
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in head)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def listed(names: Sequence[str]) -> str:
    """A list inside a sentence: the first names, as many as fit, and how many more there are."""
    shown: list[str] = []
    for name in names[:NAMED]:
        shown.append(plain(name))
        if len(", ".join(shown)) > MAX_LIST:
            shown = shown[:-1] or shown
            break
    more = f" and {len(names) - len(shown):,} more" if len(shown) < len(names) else ""
    return ", ".join(shown) + more


def _entries(texts: Sequence[str], *, room: int) -> list[str]:
    """A list of at most `room` characters, one entry per line, each cut no more than necessary.

    If they do not all fit even when cut, the last line says how many more there are.
    """
    lines: list[str] = []
    first = texts[: room // 10]  # more than could fit
    for limit in ENTRY_LENGTHS:
        lines = [f"  - {plain(text, limit=limit)}" for text in first]
        if len(first) == len(texts) and len("\n".join(lines)) <= room:
            return lines
    left = room - len(f"  - and {len(texts):,} more")
    ends = accumulate(len(line) + 1 for line in lines)
    shown = [line for line, end in zip(lines, ends, strict=True) if end <= left]
    return [*shown, f"  - and {len(texts) - len(shown):,} more"]


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Server-written `text` without phone numbers and without any `PIECE` consecutive characters of `secrets`."""
    pieces = {secret.lower()[i : i + PIECE] for secret in secrets for i in range(len(secret) - PIECE + 1)}
    found = [at for at in range(len(text)) if text[at : at + PIECE].lower() in pieces]
    hidden = {at + i for at in found for i in range(PIECE)}
    kept = "".join("\0" if at in hidden else character for at, character in enumerate(text))
    return _PHONE_NUMBER.sub(HIDDEN, re.sub("\0+", HIDDEN, kept))


class LinqError(Exception):
    """Base class of everything that linq-provider raises.

    `may_be_applied`: the error ended a write which the API may have carried out nevertheless.
    """

    may_be_applied: bool = False

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        ending = plain(self.next_step, limit=MAX_MESSAGE - MAX_DETAIL)
        room = MAX_MESSAGE - len(ending) - 1 if ending else MAX_MESSAGE
        return f"{plain(self.message, limit=room)} {ending}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.__dict__.copy())


class ConfigurationError(LinqError):
    """A setting is missing or cannot be used; the message names the config key and the variable."""


class RefusedError(LinqError):
    """The provider declined to act, and sent nothing."""


class FleetError(LinqError):
    """Some lines of a fleet were refused or failed, all others are as declared; `errors` has the reason for each.

    The message has one line of text for each, as far as they fit, and says how many more there are. `forwardings` is
    what each line of the fleet forwards to after the failure, as far as the fleet set or knew it; `replaced_numbers` is
    what lines forwarded to before the fleet managed them, if that must be recorded.
    """

    def __init__(
        self,
        message: str,
        errors: Mapping[str, LinqError],
        *,
        forwardings: Mapping[str, str] | None = None,
        replaced_numbers: Mapping[str, str] | None = None,
        next_step: str,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.errors: dict[str, LinqError] = dict(errors)
        self.forwardings: dict[str, str] = dict(forwardings or {})
        self.replaced_numbers: dict[str, str] = dict(replaced_numbers or {})

    def __str__(self) -> str:
        head = f"{plain(self.message, limit=MAX_DETAIL // 2)}:"
        ending = plain(self.next_step, limit=MAX_MESSAGE - MAX_DETAIL)
        reasons = [f"{line}: {_PATH_OF_A_LINE.sub('', str(error))}" for line, error in self.errors.items()]
        room = MAX_MESSAGE - len(f"{head}\n\n{ending}")
        return "\n".join([head, *_entries(reasons, room=room), ending])


class APIConnectionError(LinqError):
    """No complete answer arrived; a write may or may not have been applied.

    `transient`: another attempt can help, which is not so for a refused certificate. `unreachable`: there was no
    connection, so nothing was sent.
    """

    def __init__(self, message: str, *, next_step: str = "", transient: bool = True, unreachable: bool = False) -> None:
        super().__init__(message, next_step=next_step)
        self.transient = transient
        self.unreachable = unreachable


class APIConnectionTimeoutError(APIConnectionError):
    """No complete answer arrived within `linq:timeout` seconds."""


class APIError(LinqError):
    """The API did not answer with success.

    `status_code` is that of HTTP; `code`, `detail`, `doc_url` and `trace_id` are Linq's, "" if its answer has none.
    `retry_after` is in seconds, `should_retry` is the header `x-should-retry`; both are None if the answer has none.
    `attempts` counts the requests that were sent.
    """

    def __init__(
        self,
        method: str,
        path: str,
        status_code: int,
        *,
        code: str = "",
        detail: str = "",
        doc_url: str = "",
        trace_id: str = "",
        retry_after: float | None = None,
        should_retry: bool | None = None,
        attempts: int = 1,
        next_step: str = "",
    ) -> None:
        facts = [
            f"HTTP {status_code}",
            plain(f"{code} {detail}".strip()),
            f"trace_id {plain(trace_id, limit=64)}" if trace_id else "",
            f"see {plain(doc_url, limit=80)}" if doc_url else "",
            f"after {attempts} attempts" if attempts > 1 else "",
        ]
        super().__init__(f"{method} {path} failed: {', '.join(filter(None, facts))}.", next_step=next_step)
        self.method = method
        self.path = path
        self.status_code = status_code
        self.code = code
        self.detail = detail
        self.doc_url = doc_url
        self.trace_id = trace_id
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.attempts = attempts


class APIResponseValidationError(APIError):
    """The answer was not a 200 with JSON of the documented shape; it never counts as success.

    `truncated`: the end of the answer seems to be missing.
    """

    truncated: bool = False


class BadRequestError(APIError):
    """400 or 422: the request is wrong."""


class AuthenticationError(APIError):
    """401: the key is missing, wrong or revoked."""


class PermissionDeniedError(APIError):
    """403: the key may not do this."""


class NotFoundError(APIError):
    """404: this key sees no such line."""


class ConflictError(APIError):
    """409: somebody else is writing this line."""


class RateLimitError(APIError):
    """429: too many requests, and the retries are used up."""


class InternalServerError(APIError):
    """5xx: the server failed, and the retries are used up."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: BadRequestError,
    429: RateLimitError,
}


def api_error_class(status_code: int) -> type[APIError]:
    """The exception for an HTTP status other than 200, the only success that Linq documents."""
    if 200 <= status_code < 300:
        return APIResponseValidationError
    default = InternalServerError if status_code >= 500 else APIError
    return _BY_STATUS.get(status_code, default)


def _restore(cls: type[LinqError], state: dict[str, Any]) -> LinqError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error
