"""LinqClient: the two documented calls of Linq's API, with retries and a deadline.

Idempotent by nature: writing a forwarding twice leaves what writing it once leaves, so every call may be
repeated, and after a write whose outcome is unknown a read decides.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from linq_provider.answers import PhoneNumber, error_from, payload_from, phone_number_from, phone_numbers_from
from linq_provider.config import Settings
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIError,
    APIResponseValidationError,
    ConflictError,
    Failure,
    InternalServerError,
    LinqError,
    RateLimitError,
)

if TYPE_CHECKING:
    from linq_provider.transport import Transport

LIST_PATH = "/v3/phone_numbers"
MAX_LIST_BYTES = 8 * 1024 * 1024  # 10,000 lines are about 3 MB
MAX_BODY_BYTES = 1024 * 1024
BACKOFF_BASE = 0.5  # seconds, doubled for each attempt, full jitter
BACKOFF_CAP = 30.0  # seconds
LONGEST_WAIT = 60.0  # seconds; a longer Retry-After is reported instead of slept, as Linq's own SDKs do
RETRIED_STATUS = frozenset({408, 425, 429})  # and every 5xx
CONFLICT_ATTEMPTS = 3  # writes answered with 409, each followed by a read
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)  # nothing that could change the path


class LinqClient:
    """One account's API. Safe to share between threads; each thread keeps one connection alive.

    `clock` (monotonic seconds) and `sleep` (seconds) are for tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._closed = threading.Event()
        self._sleep = sleep if sleep is not None else self._closed.wait
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._paused_until = 0.0

    def list_phone_numbers(self) -> list[PhoneNumber]:
        """`GET /v3/phone_numbers`: every line that the key sees; the API has no read of one line.

        Raises:
            LinqError: see `linq_provider.errors`; an answer of another shape is an error, never an empty list.
        """
        return self._list(self._settings.timeout)

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        """`PUT /v3/phone_numbers/{id}`: forward the line to an E.164 number, or "" to clear it.

        Returns the line as the API confirms it. Where the outcome is unknown a list call decides.

        Raises:
            LinqError: see `linq_provider.errors`; "may have been applied" where even the list call cannot tell.
        """
        if not _SAFE_ID.fullmatch(phone_number_id):
            raise LinqError("A phone_number_id may hold letters, digits, '-' and '_' only.")
        for _ in range(CONFLICT_ATTEMPTS):
            doubt = self._try_to_set(phone_number_id, forwarding_number)
            if isinstance(doubt, PhoneNumber):
                return doubt
            line = self._look(phone_number_id)
            if line is not None and line.forwarding_number == forwarding_number:
                return line
            if not isinstance(doubt, ConflictError):
                break
        doubt.next_step = (
            "The write may have been applied: run `pulumi preview --refresh` to see what the line does now,"
            " then `pulumi up --refresh`."
        )
        raise doubt

    def close(self) -> None:
        """End every wait and close every connection."""
        self._closed.set()
        if self._transport is not None:
            self._transport.close()

    def _try_to_set(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber | LinqError:
        """The confirmed line, or the error that leaves the outcome open."""
        path = f"{LIST_PATH}/{phone_number_id}"
        try:
            payload = self._call(
                "PUT",
                path,
                json={"forwarding_number": forwarding_number},
                seconds=self._settings.timeout - self._reserve,
            )
            line = phone_number_from(payload, Failure("PUT", path, 200))
        except (APIConnectionError, InternalServerError, APIResponseValidationError, ConflictError) as error:
            if isinstance(error, APIConnectionError) and not error.transient:
                raise
            return error
        if (line.id.lower(), line.forwarding_number) == (phone_number_id.lower(), forwarding_number):
            return line
        return LinqError(f"PUT {path} was answered with success, but for another line or number than was sent.")

    def _look(self, phone_number_id: str) -> PhoneNumber | None:
        """The line as the list shows it now, or None where that cannot be told."""
        try:
            lines = self._list(self._reserve)
        except LinqError:
            return None
        return next((line for line in lines if line.id.lower() == phone_number_id.lower()), None)

    def _list(self, seconds: float) -> list[PhoneNumber]:
        return phone_numbers_from(self._call("GET", LIST_PATH, seconds=seconds), Failure("GET", LIST_PATH, 200))

    @property
    def _reserve(self) -> float:
        """Seconds of a write's time that are kept for finding out what became of it."""
        return min(10.0, self._settings.timeout / 4)

    def _call(self, method: str, path: str, *, json: Mapping[str, Any] | None = None, seconds: float) -> dict[str, Any]:
        policy = _Policy(self._clock, self._clock() + seconds, self._settings.max_retries)
        retrying = Retrying(
            retry=retry_if_exception(is_transient),
            wait=policy.wait,
            stop=policy.stop,
            sleep=self._sleep,
            before_sleep=self._pause_all,
            reraise=True,
        )
        return retrying(self._attempt, method, path, json, policy)

    def _attempt(self, method: str, path: str, json: Mapping[str, Any] | None, policy: _Policy) -> dict[str, Any]:
        policy.attempts += 1
        self._sit_out_pause(policy)
        left = policy.deadline - self._clock()
        if left <= 0 or self._closed.is_set():
            raise APIConnectionTimeoutError(f"{method} {path}: no time left for another attempt.", transient=False)
        limit = MAX_LIST_BYTES if method == "GET" else MAX_BODY_BYTES
        answer = self._ready_transport().exchange(method, path, json=json, seconds=left, max_bytes=limit)
        asked = Failure(method, path, answer.status_code, attempts=policy.attempts)
        if answer.status_code != 200:
            raise error_from(
                answer.status_code, answer.headers, answer.body, asked=asked, settings=self._settings
            )
        return payload_from(answer.body, asked)

    def _ready_transport(self) -> Transport:
        with self._lock:
            if self._transport is None:
                from linq_provider.transport import Transport  # noqa: PLC0415 - `requests` is slow to import

                self._transport = Transport(
                    base_url=self._settings.base_url, api_key=self._settings.require_api_key()
                )
            return self._transport

    def _pause_all(self, state: RetryCallState) -> None:
        """After a 429 no thread of this process sends before the wait is over."""
        if isinstance(_error_of(state), RateLimitError):
            self._paused_until = max(self._paused_until, self._clock() + state.upcoming_sleep)

    def _sit_out_pause(self, policy: _Policy) -> None:
        while (rest := min(self._paused_until, policy.deadline) - self._clock()) > 0 and not self._closed.is_set():
            self._sleep(rest)


@dataclass
class _Policy:
    """When one call is tried again: attempts, backoff with full jitter, Retry-After, deadline."""

    clock: Callable[[], float]
    deadline: float
    max_retries: int
    attempts: int = 0

    def wait(self, state: RetryCallState) -> float:
        asked = getattr(_error_of(state), "retry_after", None)
        if asked is not None and asked > 0:
            return float(asked) * random.uniform(1.0, 1.05)  # never early, and not all threads at once
        return random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (state.attempt_number - 1)))

    def stop(self, state: RetryCallState) -> bool:
        error = _error_of(state)
        if state.upcoming_sleep > min(LONGEST_WAIT * 1.05, self.deadline - self.clock()):
            if isinstance(error, APIError) and error.retry_after:
                error.next_step = f"Linq asks to wait {error.retry_after:.0f} s: run the command again after that."
            return True
        return stop_after_attempt(self.max_retries + 1)(state)


def is_transient(error: BaseException) -> bool:
    """Whether another attempt can help."""
    if isinstance(error, APIConnectionError):
        return error.transient
    if not isinstance(error, APIError):
        return False
    if error.failure.should_retry is not None:  # Linq's own SDKs let the header decide
        return error.failure.should_retry
    if isinstance(error, APIResponseValidationError):
        return error.failure.truncated
    return error.failure.status_code in RETRIED_STATUS or error.failure.status_code >= 500


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
