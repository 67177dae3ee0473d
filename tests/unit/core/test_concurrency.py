"""Many calls side by side: all are made, failures are gathered, and an outage ends the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from linq_provider.core.concurrency import run_concurrently, run_in_turn
from linq_provider.errors import (
    APIConnectionError,
    AuthenticationError,
    InternalServerError,
    LinqError,
    NotFoundError,
    RateLimitError,
    RefusedError,
)


def run(
    limit: int, calls: Mapping[str, Callable[[], object]], *, notify: Callable[[str], None] = print
) -> dict[str, LinqError]:
    """Runs calls, and reports nothing for an hour."""
    return run_concurrently(calls, limit=limit, notify=notify, retries=lambda: 3, notify_every=3600)


ONE_AT_A_TIME = pytest.mark.parametrize("run_all", [partial(run, 1), run_in_turn], ids=["pool", "in-turn"])


def failing(error: Exception) -> Callable[[], object]:
    """A call that fails."""

    def call() -> object:
        raise error

    return call


def answered(cls: type[LinqError], status_code: int) -> LinqError:
    """The error for an answer of the API."""
    return cls("PUT", "/v3/phone_numbers/x", status_code)  # type: ignore[arg-type]


def test_one_failure_does_not_stop_the_others() -> None:
    """Every call is made; the failures are returned by line, in the order of the calls."""
    made: list[str] = []
    refused, gone = RefusedError("no"), answered(NotFoundError, 404)
    calls = {f"line-{n}": (lambda n=n: made.append(n)) for n in range(20)}
    errors = run(4, {"z": failing(refused), **calls, "a": failing(gone)})
    assert list(errors.items()) == [("z", refused), ("a", gone)]
    assert sorted(made) == list(range(20))


def test_as_many_at_a_time_as_allowed() -> None:
    """Four calls are under way at the same time, and a fifth begins only where one of them has ended."""
    four, five, release, lock = threading.Event(), threading.Event(), threading.Event(), threading.Lock()
    running = 0

    def call() -> None:
        nonlocal running
        with lock:
            running += 1
            (five if running > 4 else four if running == 4 else threading.Event()).set()
        release.wait(10)
        with lock:
            running -= 1

    with ThreadPoolExecutor(1) as pool:
        errors = pool.submit(run, 4, {str(n): call for n in range(8)})
        assert four.wait(10)
        assert not five.wait(0.1)
        release.set()
        assert errors.result(10) == {}
    assert not five.is_set()


@ONE_AT_A_TIME
@pytest.mark.parametrize(
    ("error", "made"),
    [
        (APIConnectionError("down"), 3),
        (answered(InternalServerError, 503), 3),
        (answered(RateLimitError, 429), 3),
        (answered(AuthenticationError, 401), 1),
    ],
)
def test_a_service_that_is_down_stops_them_all(run_all: Any, error: LinqError, made: int) -> None:
    """After failures in a row, or one refused key, the rest is not tried, and the error of each line says so."""
    tried: list[int] = []

    def fail(n: int) -> object:
        tried.append(n)
        raise error

    errors = run_all({str(n): (lambda n=n: fail(n)) for n in range(50)})
    assert len(errors) == 50
    assert len(tried) == made
    untried = [str(e) for e in errors.values() if e is not error]
    assert len(untried) == 50 - len(tried)
    assert set(untried) == {"It was not tried, because the requests for earlier lines failed."}


@ONE_AT_A_TIME
@pytest.mark.parametrize("error", [RefusedError("somebody else's"), answered(NotFoundError, 404)])
def test_failures_of_single_lines_never_stop_a_run(run_all: Any, error: LinqError) -> None:
    """A failure of one line only does not stop the others, however often it happens."""
    errors = run_all({str(n): failing(error) for n in range(50)})
    assert list(errors.values()) == [error] * 50


@ONE_AT_A_TIME
@pytest.mark.parametrize("between", [failing(RefusedError("somebody else's")), lambda: None])
def test_failures_that_are_not_in_a_row_stop_nothing(run_all: Any, between: Callable[[], object]) -> None:
    """If a line was written, or failed for its own reason, the service is not down."""
    down = answered(InternalServerError, 503)
    errors = run_all({str(n): between if n % 3 == 2 else failing(down) for n in range(30)})
    assert [error for error in errors.values() if error is down] == [down] * 20


@ONE_AT_A_TIME
def test_an_error_that_is_not_ours_is_raised(run_all: Any) -> None:
    """A defect is not a line that failed."""
    with pytest.raises(ZeroDivisionError):
        run_all({"a": failing(ZeroDivisionError()), "b": lambda: None})


def test_it_says_how_far_it_is() -> None:
    """During a long call the user sees how many lines are done, and how many requests were sent again."""
    told = threading.Event()
    said: list[str] = []
    counts = iter([2, 5])

    def notify(text: str) -> None:
        said.append(text)
        told.set()

    calls = {"a": lambda: None, "b": lambda: told.wait(10)}
    assert run_concurrently(calls, limit=1, notify=notify, retries=lambda: next(counts, 5), notify_every=0.01) == {}
    assert said[0] == "1 of 2 lines written, 3 retried."


def test_a_short_run_says_nothing() -> None:
    """The progress of a run that ends at once is not reported."""
    said: list[str] = []
    run(2, {"a": lambda: None}, notify=said.append)
    assert said == []
