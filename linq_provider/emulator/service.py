"""Decides which fault and which answer a request gets, and logs the request."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import lru_cache
from random import Random

from linq_provider.emulator.api import RATE_LIMITED, Answer, Api, ApiError, Request
from linq_provider.emulator.faults import NO_FAULT, Fault
from linq_provider.emulator.incoming import RequestRefused
from linq_provider.emulator.log import RECENT_REQUESTS, RecordedRequest, RequestLog
from linq_provider.emulator.state import Clock


@dataclass(frozen=True)
class ActiveFault:
    """A fault that requests can still get: the next `times` (None: every one), or a share `rate` of them."""

    name: str
    times: int | None = None
    method: str | None = None
    rate: float | None = None


@dataclass(frozen=True)
class Reply:
    """What is sent: `answer`, in the way that `fault` describes; nothing if `answer` is None."""

    answer: Answer | None
    fault: Fault


@dataclass
class _ScriptedFault:
    fault: Fault
    times: int | None
    method: str | None
    path_contains: str | None

    def takes(self, method: str, path: str) -> bool:
        """Whether the request gets this fault; if so, counts it."""
        wanted = (None, method)
        if self.times == 0 or self.method not in wanted or self.fault.method not in wanted:
            return False
        if self.path_contains is not None and self.path_contains not in path:
            return False
        self.times = None if self.times is None else self.times - 1
        return True


@dataclass(frozen=True)
class _RandomFaults:
    rate: float
    faults: tuple[Fault, ...]
    random: Random
    draws: Random

    def next(self, method: str) -> Fault | None:
        # Every request uses the same random numbers, so that the sequence depends only on the seed.
        hit, index = self.random.random() < self.rate, self.random.randrange(len(self.faults))
        fault = self.faults[index].drawn(self.draws.random())
        return fault if hit and fault.method in (None, method) else None


class FaultScript:
    """Which request gets which fault: first those set with `add`, in that order, then random ones."""

    def __init__(self, *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._draws = Random(seed)
        self._scripted: list[_ScriptedFault] = []
        self._random: list[_RandomFaults] = []

    def add(self, fault: Fault, *, times: int | None, method: str | None, path_contains: str | None) -> None:
        """Give the fault to the next `times` matching requests; None means to all."""
        with self._lock:
            self._scripted.append(_ScriptedFault(fault, times, method, path_contains))

    def add_random(self, rate: float, faults: Iterable[Fault], *, seed: int) -> None:
        """Give one of the faults to a share `rate` (0 to 1) of the requests."""
        chosen = tuple(faults)
        if not chosen or not 0 <= rate <= 1:
            raise ValueError("random faults need at least one fault and a rate from 0 to 1")
        with self._lock:
            self._random.append(_RandomFaults(rate, chosen, Random(seed), Random(f"{seed}/row")))

    def clear(self) -> None:
        """Forget every fault, scripted and random."""
        with self._lock:
            self._scripted.clear()
            self._random.clear()

    def active(self) -> list[ActiveFault]:
        """The faults that requests can still get, in the order in which they are tried."""
        with self._lock:
            scripted = [
                ActiveFault(each.fault.name, each.times, each.method or each.fault.method)
                for each in self._scripted
                if each.times != 0
            ]
            return scripted + [
                ActiveFault(", ".join(fault.name for fault in each.faults), rate=each.rate) for each in self._random
            ]

    def next(self, method: str, path: str) -> Fault:
        """The fault of this request, NO_FAULT for most."""
        with self._lock:
            for scripted in self._scripted:
                if scripted.takes(method, path):
                    return scripted.fault.drawn(self._draws.random())
            hits = [fault for source in self._random if (fault := source.next(method))]
            return hits[0] if hits else NO_FAULT


class RateLimit:
    """A token bucket that holds one second's worth of requests; `rate` None means no limit."""

    def __init__(self, rate: float | None, *, clock: Clock = time.monotonic) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("rate_limit must be more than 0 requests per second")
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._size = max(1.0, rate or 0.0)
        self._at = clock()

    def excess(self) -> float:
        """Count one request; return 0 if it may pass, else the seconds until one may."""
        if self.rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._left = min(self._size, self._left + (now - self._at) * self.rate)
            self._at = now
            if self._left < 1:
                return (1 - self._left) / self.rate
            self._left -= 1
            return 0.0


@dataclass
class Service:
    """Decides the reply to each request; safe to use from several threads."""

    api: Api
    limit: RateLimit
    faults: FaultScript = field(default_factory=FaultScript)
    delay: float = 0.0
    clock: Clock = time.monotonic
    wall_clock: Clock = time.time
    log: RequestLog = field(default_factory=RequestLog)
    recent: RequestLog = field(default_factory=lambda: RequestLog(requests=RECENT_REQUESTS))

    def take(self, request: Request, *, read_body: Callable[[], bytes]) -> Reply:
        """The reply to a request whose body is not read yet; also logs the request."""
        at = self.clock()
        excess = self.limit.excess()
        fault = self.faults.next(request.method, request.path)
        if fault.wire == "reset-unread":
            return self._logged(request, Reply(None, fault), at=at)
        try:
            request = replace(request, body=read_body())
        except RequestRefused as refused:
            return self._logged(request, Reply(self.api.error(refused.error), NO_FAULT), at=at)
        answer = self._throttled(excess) if excess and fault is NO_FAULT else self._answer(request, fault)
        return self._logged(request, Reply(answer, fault), at=at)

    def log_unanswered(self, request: Request) -> None:
        """Log a request that gets no answer, because the connection is closed."""
        self._logged(request, Reply(None, NO_FAULT), at=self.clock())

    def _answer(self, request: Request, fault: Fault) -> Answer | None:
        own = self.api.respond(request, view=fault.view) if fault.applied else None
        replaces = fault.replaces
        answer = self.api.error(replaces) if isinstance(replaces, ApiError) else replaces or own
        if answer is None or fault.wire in ("hang", "reset"):
            return None
        headers = (*self._dates(fault), *answer.headers, *fault.headers)
        return replace(answer, status=fault.status or answer.status, headers=headers)

    def _dates(self, fault: Fault) -> tuple[tuple[str, str], ...]:
        now = int(self.wall_clock()) + fault.clock_offset
        date = ("Date", _http_date(now))
        return (date,) if fault.retry_in is None else (date, ("Retry-After", _http_date(now + fault.retry_in)))

    def _throttled(self, seconds: float) -> Answer:
        wait = math.ceil(seconds)
        answer = self.api.error(replace(RATE_LIMITED, retry_after=wait))
        return replace(answer, headers=(*self._dates(NO_FAULT), ("Retry-After", str(wait))))

    def _logged(self, request: Request, reply: Reply, *, at: float) -> Reply:
        token = self.api.token(request.authorization)
        complete = reply.answer is not None and not reply.fault.cuts_answer
        status = reply.answer.status if complete and reply.answer else None
        label = token.label if token else None
        record = RecordedRequest(request.method, request.path, request.parsed_body, status, label, at)
        for log in (self.log, self.recent):
            log.add(record, size=len(request.path) + len(request.body))
        return reply


@lru_cache(maxsize=8)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
