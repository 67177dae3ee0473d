"""Many calls at the same time: one that fails does not stop the others, but a service that is down stops them all."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from linq_provider.errors import APIError, AuthenticationError, LinqError, RefusedError

NOTIFY_EVERY = 5.0  # seconds between two progress messages
IN_A_ROW = 3  # consecutive failures that end a run, or `limit` if that is higher
NOT_TRIED = "It was not tried, because the requests for earlier lines failed."


def run_concurrently(
    calls: Mapping[str, Callable[[], object]],
    *,
    limit: int,
    notify: Callable[[str], None],
    retries: Callable[[], int],
    notify_every: float = NOTIFY_EVERY,
) -> dict[str, LinqError]:
    """Make every call, `limit` at a time, each for one line; return the error of each that failed, in their order.

    A refused key, or as many consecutive failures of the service as there are calls at a time, ends the run: lines
    that were not tried count as failed. `notify` receives the progress every `notify_every` seconds; `retries` returns
    how many requests were sent again so far.
    """
    breaker = _Breaker(max(limit, IN_A_ROW))
    with ThreadPoolExecutor(limit) as pool:
        under_way = {line: pool.submit(breaker.attempt, call) for line, call in calls.items()}
        with _progress(under_way.values(), notify=notify, retries=retries, every=notify_every):
            ended = {line: future.exception() for line, future in under_way.items()}
    for error in ended.values():
        if error is not None and not isinstance(error, LinqError):
            raise error
    return {line: error for line, error in ended.items() if isinstance(error, LinqError)}


def run_in_turn(calls: Mapping[str, Callable[[], object]]) -> dict[str, LinqError]:
    """Make every call in this thread, which is faster for calls that send nothing; else as `run_concurrently`."""
    breaker, errors = _Breaker(IN_A_ROW), {}
    for line, call in calls.items():
        try:
            breaker.attempt(call)
        except LinqError as error:
            errors[line] = error
    return errors


@contextmanager
def _progress(
    under_way: Collection[Future[None]], *, notify: Callable[[str], None], retries: Callable[[], int], every: float
) -> Iterator[None]:
    """Report the progress every few seconds, even while no call ends."""
    over = threading.Event()
    before = retries()

    def report() -> None:
        while not over.wait(every):
            ended = [future.exception() for future in under_way if future.done()]
            written = ended.count(None)
            failed = f", {len(ended) - written:,} failed" if len(ended) > written else ""
            notify(f"{written:,} of {len(under_way):,} lines written, {retries() - before:,} retried{failed}.")

    reporter = threading.Thread(target=report, name="linq-fleet-progress", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        over.set()
        reporter.join()


class _Breaker:
    """Makes calls until the service has failed for `allowed` consecutive ones, or has refused the key."""

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
    """Whether the error is a failure of the service, and not only of one line."""
    if isinstance(error, RefusedError):
        return False
    return not isinstance(error, APIError) or error.status_code >= 429
