"""LinqClient: the two documented calls of Linq's API, with retries and a deadline."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from linq_provider.api.answers import (
    error_from,
    invalid_answer,
    payload_from,
    phone_number_from,
    phone_numbers_from,
)
from linq_provider.api.limit import AdaptiveLimit
from linq_provider.api.notices import Notices
from linq_provider.api.retries import LONGEST_WAIT, Call, is_transient, leaves_doubt
from linq_provider.config import Settings
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    ConflictError,
    LinqError,
    RateLimitError,
)
from linq_provider.phone_number import PhoneNumber

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from linq_provider.api.transport import Transport

LIST_PATH = "/v3/phone_numbers"
MAX_LIST_BYTES = 8 * 1024 * 1024  # 10,000 lines are about 3 MB
MAX_BODY_BYTES = 1024 * 1024
UNREACHED = 15.0  # seconds until a host that was never reached is given up; most often its address is wrong
CONFLICT_ATTEMPTS = 3  # writes answered with 409, each followed by a read
MAY_BE_APPLIED = (
    "The write may have been applied: run `pulumi preview --refresh` to see what the line does now,"
    " then `pulumi up --refresh`."
)
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)  # nothing that could change the path


class LinqClient:
    """One account's API. Safe to share between threads; each thread keeps one connection alive.

    `notify` receives a line of text for the user if a call takes long. `clock` (monotonic seconds) and `sleep`
    (seconds) are for tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] | None = None,
        notify: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._closed = threading.Event()
        self._sleep: Callable[[float], Any] = sleep or self._closed.wait
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._notices = Notices(notify, clock=clock)
        self._paused_until = 0.0
        self._limit = AdaptiveLimit()
        self._reached = False
        self.retries: int = 0  # requests sent again so far

    def list_phone_numbers(self) -> list[PhoneNumber]:
        """`GET /v3/phone_numbers`: every line that the key sees; the API has no read of one line.

        Raises:
            LinqError: see `linq_provider.errors`; an answer of another shape is an error, never an empty list.
        """
        return self._list(self._clock() + self._settings.timeout)

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        """`PUT /v3/phone_numbers/{id}`: forward the line to an E.164 number, or "" to clear it.

        Returns the line as the API confirms it. If the outcome is unknown, a list call finds it out.

        Raises:
            LinqError: see `linq_provider.errors`; `may_be_applied` is True if the list call cannot find it out.
        """
        if not _SAFE_ID.fullmatch(phone_number_id):
            raise LinqError("A phone_number_id may contain only letters, digits, '-' and '_'.")
        deadline = self._clock() + self._settings.timeout
        call = self._call("PUT", f"{LIST_PATH}/{phone_number_id}", deadline - self._reserve)
        call.json = {"forwarding_number": forwarding_number}
        for attempt in range(1, CONFLICT_ATTEMPTS + 1):
            try:
                return self._put(phone_number_id, forwarding_number, call)
            except LinqError as error:
                in_doubt = call.in_doubt or leaves_doubt(error)
                if not in_doubt and not isinstance(error, ConflictError):
                    raise
                line = self._read_back(phone_number_id, min(self._clock() + self._reserve, deadline))
                if line is not None and line.forwarding_number == forwarding_number:
                    return line
                if in_doubt:
                    error.may_be_applied, error.next_step = True, MAY_BE_APPLIED
                last = attempt == CONFLICT_ATTEMPTS or call.attempts > self._settings.max_retries
                if last or not isinstance(error, ConflictError):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """End every wait between attempts and close idle connections; a running request ends at its deadline."""
        self._closed.set()
        if self._transport is not None:
            self._transport.close()

    def _put(self, phone_number_id: str, forwarding_number: str, call: Call) -> PhoneNumber:
        line = phone_number_from(self._retrying(call), call.request)
        if (line.id, line.forwarding_number) != (phone_number_id.lower(), forwarding_number):
            raise invalid_answer(call.request, "success, but the answer has another line or number than the request")
        return line

    def _read_back(self, phone_number_id: str, deadline: float) -> PhoneNumber | None:
        """The line as the list shows it now, or None if that cannot be found out."""
        try:
            lines = {line.id: line for line in self._list(deadline)}
        except LinqError:
            return None
        return lines.get(phone_number_id.lower())

    def _list(self, deadline: float) -> list[PhoneNumber]:
        call = self._call("GET", LIST_PATH, deadline)
        return phone_numbers_from(self._retrying(call), call.request)

    @property
    def _reserve(self) -> float:
        """Seconds of a write's time that are reserved for finding out whether it was applied."""
        return min(10.0, self._settings.timeout / 4)

    def _call(self, method: str, path: str, deadline: float) -> Call:
        return Call(method, path, self._clock, deadline, self._settings.max_retries)

    def _retrying(self, call: Call) -> dict[str, Any]:
        from tenacity import Retrying, retry_if_exception  # slow to import, and not needed without a request

        retrying = Retrying(
            retry=retry_if_exception(is_transient),
            wait=call.wait,
            stop=call.is_over,
            sleep=self._sleep,
            before_sleep=lambda state: self._before_retry(call, state),
            reraise=True,
        )
        return retrying(self._attempt, call)

    def _attempt(self, call: Call) -> dict[str, Any]:
        began = self._begin(call)
        try:
            answer = self._exchange(call)
            self._limit.succeeded()
            return answer
        except LinqError as error:
            call.note(error)
            if isinstance(error, APIConnectionError) and error.unreachable and not self._reached:
                call.deadline = min(call.deadline, call.began + UNREACHED)
            if isinstance(error, RateLimitError):
                self._limit.refused(began)
                if (error.retry_after or 0.0) <= LONGEST_WAIT:
                    self._pause(error.retry_after or 0.0)
            raise
        finally:
            self._limit.end()

    def _begin(self, call: Call) -> int:
        """Wait until the request may be sent; return what the limit needs to know about it."""
        asked = f"{call.method} {call.path}"
        while True:
            self._sit_out_pause(call)
            if self._closed.is_set():
                raise APIConnectionError(f"{asked}: the client was closed.", transient=False)
            if call.seconds_left <= 0:
                raise call.error or APIConnectionTimeoutError(
                    f"{asked}: Linq asked for a longer wait.", next_step="Run the command again later."
                )
            began = self._limit.begin(call.seconds_left)
            if began is None:
                continue  # the time ran out
            if self._paused_until <= self._clock():
                call.attempts += 1
                return began
            self._limit.end()  # another request was answered with 429 meanwhile

    def _exchange(self, call: Call) -> dict[str, Any]:
        transport = self._ready_transport()
        asked = f"{call.method} {call.path}"
        waiting = f"Still waiting for the answer of {transport.host_and_port} to {asked}."
        answer = transport.exchange(
            call.method,
            call.path,
            json=call.json,
            seconds=max(call.seconds_left, 0.001),  # the time may have run out since the check
            connect_seconds=math.inf if self._reached else UNREACHED,
            max_bytes=MAX_LIST_BYTES if call.method == "GET" else MAX_BODY_BYTES,
            after=(self._notices.due_in(call.seconds_so_far), lambda: self._notices.tell(waiting)),
        )
        self._reached = True
        if answer.status_code != 200:
            raise error_from(answer, request=call.request, settings=self._settings, sent=call.json)
        if answer.problem:
            raise invalid_answer(call.request, answer.problem)
        return payload_from(answer.body, call.request)

    def _ready_transport(self) -> Transport:
        with self._lock:
            if self._transport is None:
                from linq_provider.api.transport import Transport  # `requests` is slow to import

                api_key = self._settings.require_api_key()
                self._transport = Transport(
                    base_url=self._settings.base_url,
                    base_url_source=self._settings.base_url_source,
                    api_key=api_key,
                )
            return self._transport

    def _before_retry(self, call: Call, state: RetryCallState) -> None:
        with self._lock:
            self.retries += 1
        error, seconds = call.error, state.upcoming_sleep
        if isinstance(error, RateLimitError):
            self._pause(seconds)
        if error is not None and self._notices.is_long(call.seconds_so_far + seconds):
            asked = getattr(error, "retry_after", None)
            then = (
                f"Linq asks for a pause: trying again in {seconds:.0f} s."
                if asked
                else (f"Trying again, for at most {call.seconds_left:.0f} s more.")
            )
            self._notices.tell(f"{error.message} {then}")

    def _pause(self, seconds: float) -> None:
        """After a 429, no thread of this client sends a request until the wait is over, even without a retry."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _sit_out_pause(self, call: Call) -> None:
        if (rest := min(self._paused_until - self._clock(), call.seconds_left)) > 0 and not self._closed.is_set():
            if self._notices.is_long(call.seconds_so_far + rest):
                self._notices.tell(f"Linq asks for a pause: {call.method} {call.path} waits for {rest:.0f} s.")
            self._sleep(rest)
