"""One LinqClient for many threads: each gets its own answer, and a 429 pauses them all."""

from __future__ import annotations

import contextlib
import threading

import pytest
from clients import LINE, NEW, FakeTime, client_of, methods
from waiting import wait_until

from linq_provider.api.client import LinqClient
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIConnectionTimeoutError,
    LinqError,
    RateLimitError,
)


def test_row_20_50_threads_share_one_client_without_mixing(own_emulator: Emulator) -> None:
    """Each gets the answer to its own request; no more connections than threads."""
    ids = [own_emulator.add_number(f"+1303555{n:04d}").id for n in range(50)]
    client = client_of(own_emulator)
    wrong: list[object] = []

    def work(n: int) -> None:
        for round_ in range(4):
            number = f"+1404555{n * 10 + round_:04d}"
            line = client.set_forwarding_number(ids[n], number)
            if (line.id, line.forwarding_number) != (ids[n], number):
                wrong.append(line)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [own_emulator.forwarding(line) for line in ids] == [f"+1404555{n * 10 + 3:04d}" for n in range(50)]
    assert len(own_emulator.requests) == 200
    server = own_emulator._server
    assert server is not None
    assert server.accepted_connections <= 50


def test_row_20_a_429_in_one_thread_pauses_all_threads(own_emulator: Emulator) -> None:
    """Between the 429 and the end of its Retry-After no thread of the client sends anything."""
    now, asleep, over = [0.0], list[float](), threading.Event()

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        assert over.wait(20)

    client = client_of(own_emulator, clock=lambda: now[0], sleep=sleep)
    own_emulator.fail(Fault.rate_limited("50"))
    threads = [threading.Thread(target=client.list_phone_numbers) for _ in range(5)]
    threads[0].start()
    wait_until(lambda: asleep)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(asleep) == 5)
    assert min(asleep) >= 50
    assert len(own_emulator.requests) == 1
    now[0] = 60.0
    over.set()
    for thread in threads:
        thread.join()
    assert len(own_emulator.requests) == 6


def test_row_20_a_pause_beyond_the_deadline_of_another_call_is_told(own_emulator: Emulator) -> None:
    """A call whose whole time passes in the pause of another call sends nothing, and its error says why."""
    now = [0.0]
    paused = threading.Event()
    release = threading.Event()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is first:
            paused.set()
            release.wait(5)
        else:
            now[0] += seconds

    def call() -> None:
        with contextlib.suppress(LinqError):
            client.list_phone_numbers()

    client = client_of(own_emulator, clock=lambda: now[0], sleep=sleep, timeout=60.0)
    own_emulator.fail(Fault.rate_limited("50"))
    first = threading.Thread(target=call)
    first.start()
    assert paused.wait(5)
    now[0] = -20.0  # the second call's 60 s end before the pause does
    with pytest.raises(APIConnectionTimeoutError, match="Linq asked for a longer wait"):
        client.set_forwarding_number(LINE, NEW)
    assert methods(own_emulator) == ["GET"]
    release.set()
    client.close()
    first.join(5)


def test_row_20_a_pause_that_grows_is_sat_out(emulator: Emulator, fake: FakeTime) -> None:
    """A call that waits for somebody's pause goes on waiting where another 429 makes it longer."""

    def sleep(seconds: float) -> None:
        fake.sleep(seconds)
        if fake.now == 1005.0:
            client._pause(7)

    client = client_of(emulator, clock=fake.clock, sleep=sleep)
    client._pause(5)
    client.list_phone_numbers()
    assert fake.slept == [5.0, 7.0]
    client.close()


def test_row_20_a_shorter_429_does_not_shorten_the_pause(client: LinqClient, fake: FakeTime) -> None:
    """The longest wait counts."""
    client._pause(50)
    client._pause(1)
    client.list_phone_numbers()
    assert sum(fake.slept) == 50


def test_row_20_a_pause_never_outlasts_the_deadline(emulator: Emulator, fake: FakeTime) -> None:
    """A call ends at its own deadline, however long the pause is."""
    client = client_of(emulator, fake, timeout=60.0)
    client._pause(500)
    with pytest.raises(APIConnectionTimeoutError, match="longer wait"):
        client.list_phone_numbers()
    assert fake.now == 1060.0
    assert emulator.requests == []
    client.close()


def test_row_20_the_last_429_pauses_the_others_too(emulator: Emulator, fake: FakeTime) -> None:
    """A 429 that is not tried again still says when the next request may be sent; unless that is more than a minute."""
    client = client_of(emulator, fake, max_retries=0)
    for wait, paused in (("30", 30.0), ("600", 0.0)):
        fake.slept.clear()
        emulator.fail(Fault.rate_limited(wait))
        with pytest.raises(RateLimitError):
            client.list_phone_numbers()
        client.list_phone_numbers()
        assert sum(fake.slept) == pytest.approx(paused)
    client.close()


def test_row_20_only_a_429_pauses_the_others(client: LinqClient, emulator: Emulator) -> None:
    """A server error slows down only the call that got it."""
    emulator.fail(Fault.server_error(), times=3)
    client.list_phone_numbers()
    assert client._paused_until == 0.0
