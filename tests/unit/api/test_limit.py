"""How many requests of one client may be under way after a 429."""

from __future__ import annotations

import threading
import time

from clients import LINE, NEW, client_of
from waiting import wait_until

from linq_provider.api.limit import AdaptiveLimit
from linq_provider.emulator import Emulator, Fault


def allowed_now(limit: AdaptiveLimit) -> int:
    """How many more requests may begin."""
    begun = 0
    while begun < 100 and limit.begin(0) is not None:
        begun += 1
    for _ in range(begun):
        limit.end()
    return begun


def after_one_429(under_way: int) -> AdaptiveLimit:
    """A limit after a 429 to each of so many requests that were under way at the same time."""
    limit = AdaptiveLimit()
    began = [limit.begin(0) for _ in range(under_way)]
    for each in began:
        assert each is not None
        limit.refused(each)
        limit.end()
    return limit


def test_there_is_no_limit_before_the_first_429() -> None:
    """The callers alone decide how many requests are under way."""
    assert allowed_now(AdaptiveLimit()) == 100


def test_a_429_halves_what_was_under_way() -> None:
    """Requests that were refused at the same time count as one; at least one is always allowed."""
    assert allowed_now(after_one_429(16)) == 8
    assert allowed_now(after_one_429(1)) == 1


def test_a_later_429_halves_it_again() -> None:
    """A request that began after the limit was lowered counts as the next one."""
    limit = after_one_429(16)
    began = [limit.begin(0) for _ in range(8)]
    assert began[-1] is not None
    limit.refused(began[-1])
    for _ in began:
        limit.end()
    assert allowed_now(limit) == 4


def test_successes_raise_it_slowly() -> None:
    """As many successes as the limit allows raise it by one."""
    limit = after_one_429(8)
    for _ in range(4):
        limit.succeeded()
    assert allowed_now(limit) == 4  # 1/4, 1/4.25, ... add up to a little less than one
    limit.succeeded()
    assert allowed_now(limit) == 5


def test_a_request_waits_until_another_one_is_over() -> None:
    """It does not wait longer than it has time."""
    limit = after_one_429(1)
    assert limit.begin(0) is not None
    assert limit.begin(0.01) is None
    waiting = threading.Thread(target=limit.begin, args=(20,))
    waiting.start()
    limit.end()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_client_sends_half_as_many_at_a_time_after_a_429(own_emulator: Emulator) -> None:
    """Eight writes that are refused at once are sent again four at a time at most, and all of them succeed."""
    client = client_of(own_emulator)
    for _ in range(8):
        own_emulator.fail(Fault.rate_limited("0.5"))
    threads = [threading.Thread(target=client.set_forwarding_number, args=(LINE, NEW)) for _ in range(8)]
    under_way, most, lock = [0], [0], threading.Lock()
    exchange = client._exchange

    def counting(call: object) -> object:
        with lock:
            under_way[0] += 1
            if len(own_emulator.requests) >= 8:
                most[0] = max(most[0], under_way[0])
        try:
            if len(own_emulator.requests) < 8:
                wait_until(lambda: under_way[0] == 8 or len(own_emulator.requests) > 0)
            else:
                time.sleep(0.05)
            return exchange(call)  # type: ignore[arg-type]
        finally:
            with lock:
                under_way[0] -= 1

    client._exchange = counting  # type: ignore[method-assign,assignment]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(own_emulator.requests) == 16
    assert most[0] <= 4
    assert own_emulator.forwarding(LINE) == NEW


def test_a_request_that_waited_for_another_one_waits_for_its_429_too(own_emulator: Emulator) -> None:
    """A request for which there was no room is not sent in the pause that began meanwhile."""
    now, asleep = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        now[0] += seconds

    client = client_of(own_emulator, clock=lambda: now[0], sleep=sleep)
    client._limit = after_one_429(1)
    assert client._limit.begin(0) is not None
    waiting = threading.Thread(target=client.list_phone_numbers)
    waiting.start()
    time.sleep(0.2)
    client._pause(7)
    client._limit.end()
    waiting.join(10)
    assert sum(asleep) >= 7
    assert len(own_emulator.requests) == 1
