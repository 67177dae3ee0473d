"""Many calls side by side: one that fails does not stop the others, but a service that is down stops them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from linq_provider.errors import APIError, AuthenticationError, LinqError, RefusedError

TELL_EVERY = 5.0  # seconds between two words about how far a run is
IN_A_ROW = 3  # failures that end a run where fewer calls than that are made at a time
NOT_TRIED = "It was not tried, because the calls before it failed."


class Together:
    """Runs up to `at_a_time` calls at a time, each for one line.

    `notify` receives how far it is; `retries` tells how many requests were sent again so far.
    """

    def __init__(
        self,
        at_a_time: int,
        *,
        notify: Callable[[str], None],
        retries: Callable[[], int],
        tell_every: float = TELL_EVERY,
    ) -> None:
        self._at_a_time = at_a_time
        self._notify = notify
        self._retries = retries
        self._tell_every = tell_every

    def run(self, calls: Mapping[str, Callable[[], object]]) -> dict[str, LinqError]:
        """Make every call; why each line that failed did, in the order of the calls.

        A refused key, or as many failures of the service in a row as there are calls at a time, end the run: the lines
        that were not tried are among the failures.
        """
        breaker = _Breaker(max(self._at_a_time, IN_A_ROW))
        with ThreadPoolExecutor(self._at_a_time, "linq-fleet") as pool:
            under_way = {line: pool.submit(breaker.attempt, call) for line, call in calls.items()}
            with self._telling(under_way.values()):
                ended = {line: future.exception() for line, future in under_way.items()}
        for error in ended.values():
            if error is not None and not isinstance(error, LinqError):
                raise error
        return {line: error for line, error in ended.items() if isinstance(error, LinqError)}

    @contextmanager
    def _telling(self, under_way: Collection[Future[None]]) -> Iterator[None]:
        """Say every few seconds how far the calls are, also while none of them ends."""
        over = threading.Event()

        def tell() -> None:
            before = self._retries()
            while not over.wait(self._tell_every):
                ended = [future.exception() for future in under_way if future.done()]
                failed = len(ended) - ended.count(None)
                said = (
                    f"{ended.count(None):,} of {len(under_way):,} lines written, {self._retries() - before:,} retried"
                )
                self._notify(f"{said}, {failed:,} failed." if failed else f"{said}.")

        teller = threading.Thread(target=tell, name="linq-fleet-progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()


class _Breaker:
    """Lets calls through until `allowed` of them in a row have failed for a reason that is not their own."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._broken = False

    def attempt(self, call: Callable[[], object]) -> None:
        if self._broken:
            raise RefusedError(NOT_TRIED)
        try:
            call()
        except Exception as error:
            with self._lock:
                self._in_a_row = self._in_a_row + 1 if _is_of_the_service(error) else 0
                self._broken |= self._in_a_row >= self._allowed or isinstance(error, AuthenticationError)
            raise
        with self._lock:
            self._in_a_row = 0


def _is_of_the_service(error: Exception) -> bool:
    """Whether it says something of the service, and not of one line only."""
    if isinstance(error, RefusedError):
        return False
    return not isinstance(error, APIError) or error.failure.status_code >= 429
