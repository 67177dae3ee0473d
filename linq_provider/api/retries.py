"""Which requests are sent again, when, and for how long; the attempts of one call.

Writing a forwarding twice has the same result as writing it once, so every call may be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linq_provider.api.answers import Request
from linq_provider.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    ConflictError,
    InternalServerError,
    LinqError,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

BACKOFF_BASE = 0.5  # seconds, doubled for each attempt, full jitter
BACKOFF_CAP = 30.0  # seconds
LONGEST_WAIT = 60.0  # seconds; a longer Retry-After is reported and not waited for, as in Linq's own SDKs
_RETRIED = frozenset({408, 425, 429})  # and every 5xx


def is_transient(error: BaseException) -> bool:
    """Whether another attempt can help."""
    if isinstance(error, APIConnectionError):
        return error.transient
    if not isinstance(error, APIError) or isinstance(error, ConflictError):
        return False
    if error.should_retry is not None:  # the header decides, as in Linq's own SDKs
        return error.should_retry
    if isinstance(error, APIResponseValidationError):
        return error.truncated
    return isinstance(error, InternalServerError) or error.status_code in _RETRIED


def leaves_doubt(error: LinqError) -> bool:
    """Whether a write that ended with this error may have been applied."""
    if isinstance(error, APIConnectionError):
        return error.transient and not error.unreachable
    # A gateway that answers 408 may have forwarded the request.
    timed_out = isinstance(error, APIError) and error.status_code == 408
    return timed_out or isinstance(error, InternalServerError | APIResponseValidationError)


@dataclass
class Call:
    """One call and its attempts: backoff with full jitter, Retry-After, deadline.

    `deadline` is in seconds of `clock`. `error` is that of the last attempt; `in_doubt`: the request of some attempt
    may have been carried out.
    """

    method: str
    path: str
    clock: Callable[[], float]
    deadline: float
    max_retries: int
    json: Mapping[str, Any] | None = None
    attempts: int = 0
    error: LinqError | None = None
    in_doubt: bool = False

    def __post_init__(self) -> None:
        self.began: float = self.clock()

    @property
    def seconds_so_far(self) -> float:
        """Seconds since the call began, with all attempts and waits."""
        return self.clock() - self.began

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock()

    @property
    def request(self) -> Request:
        """The request, with the attempts so far."""
        return Request(self.method, self.path, self.attempts)

    def note(self, error: LinqError) -> None:
        """Remember how an attempt failed."""
        self.error = error
        self.in_doubt |= leaves_doubt(error)

    def wait(self, state: RetryCallState) -> float:
        """Seconds to wait before the next attempt."""
        asked = getattr(error_of(state), "retry_after", None) or 0.0
        if asked > 0:
            return asked * random.uniform(1.0, 1.05)  # never early, and not all threads at once
        return random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (state.attempt_number - 1)))

    def is_over(self, state: RetryCallState) -> bool:
        """Whether to stop trying. If Linq asks for too long a wait, the error's next step says so."""
        error = error_of(state)
        asked = getattr(error, "retry_after", None) or 0.0
        if asked <= LONGEST_WAIT and state.upcoming_sleep <= self.seconds_left:
            return self.attempts > self.max_retries
        if isinstance(error, APIError) and asked > 0:
            error.next_step = f"Linq asks to wait {round(asked):.10g} s: run the command again after that."
        return True


def error_of(state: RetryCallState) -> BaseException | None:
    """The error of the last attempt."""
    return state.outcome.exception() if state.outcome is not None else None
