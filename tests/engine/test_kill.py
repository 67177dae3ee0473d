"""Runners are killed mid-run: nothing stays behind, and the documented commands bring the account right.

`KILL_ROUNDS` repeats each cell (`make soak`).
"""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from waiting import wait_until
from workspace import Workspace, wait_for_end

from linq_provider.emulator import Fault

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skins,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the provider's processes in /proc"),
]

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
each_round = pytest.mark.parametrize("attempt", range(ROUNDS))
OFFICE, DESK = "+12025559999", "+12025558888"
PROVIDER_ENDS_WITHIN = 2.0  # seconds


def forwarding(stack: Workspace, to: str | None) -> None:
    """A program of one line that forwards to `to`; None for a program without it."""
    line = stack.emulator.phone_numbers[0].phone_number
    declared = f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{to}")'
    stack.program(declared if to else "")


def take_empty_attributes_away(stack: Workspace) -> None:
    """What docs/operating.md says about `failed to load checkpoint: EOF`."""
    for file in (stack.folder / "backend").rglob("*.attrs"):
        if not file.read_bytes():
            file.unlink()


def recover(stack: Workspace, to: str | None) -> None:
    """The documented recovery: afterwards the line is as declared, and nothing is pending."""
    stack.emulator.clear_faults()
    take_empty_attributes_away(stack)
    stack.run("cancel", "--yes")
    stack.refresh("--clear-pending-creates")
    stack.up()
    assert (stack.emulator.phone_numbers[0].forwarding_number or None) == to
    assert stack.pending() == []
    stack.empty_preview()


# verb: what the line forwarded to before, and what is declared now
VERBS = {"create": (None, OFFICE), "update": (OFFICE, DESK), "delete": (OFFICE, None)}
MOMENTS = {
    "before-the-write": ("hang", "GET"),
    "during-the-write": ("hang", "PUT"),
    "after-the-write": ("hang-after-headers", "PUT"),
    "after-the-answer": (None, "PUT"),
}


@each_round
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("verb", VERBS)
def test_row_21_kill_9_of_the_engine(stack: Workspace, verb: str, moment: str, attempt: int) -> None:
    """kill -9 of the engine ends the provider within 2 s; cancel, refresh --clear-pending-creates and up recover."""
    before, after = VERBS[verb]
    fault, method = MOMENTS[moment]
    forwarding(stack, before)
    stack.up()
    forwarding(stack, after)
    stack.emulator.clear_requests()
    if fault:
        stack.emulator.fail(Fault.parse(fault), times=None, method=method)
    engine = stack.start("up", "--yes", "--skip-preview")
    stack.until_request(method)
    engine.send_signal(signal.SIGKILL)
    engine.communicate()
    wait_until(lambda: not stack.providers(), seconds=PROVIDER_ENDS_WITHIN)
    recover(stack, after)


@each_round
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["sigint", "sigterm"])
def test_row_22_one_signal(stack: Workspace, number: signal.Signals, attempt: int) -> None:
    """One SIGINT or SIGTERM: the engine waits for the write under way, records it, and leaves nothing pending."""
    forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.parse("delay=1.5"), times=None, method="PUT")
    engine = stack.start("up", "--yes", "--skip-preview")
    stack.until_request("PUT")
    engine.send_signal(number)
    engine.communicate(timeout=30)
    assert stack.outputs("x")["forwarding_number"] == OFFICE
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    assert stack.pending() == []
    wait_until(lambda: not stack.providers(), seconds=PROVIDER_ENDS_WITHIN)
    recover(stack, OFFICE)


@each_round
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["sigint", "sigterm"])
def test_row_22_a_second_signal(stack: Workspace, number: signal.Signals, attempt: int) -> None:
    """A second signal ends engine and provider although the server hangs; the recovery brings the line right."""
    forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.parse("hang"), times=None, method="PUT")
    engine = stack.start("up", "--yes", "--skip-preview")
    stack.until_request("PUT")
    engine.send_signal(number)
    time.sleep(0.5)  # the engine takes two signals at once for one
    engine.send_signal(number)
    wait_for_end(engine, seconds=40)
    wait_until(lambda: not stack.providers(), seconds=PROVIDER_ENDS_WITHIN)
    recover(stack, OFFICE)


@each_round
def test_row_23_kill_9_of_the_provider(stack: Workspace, attempt: int) -> None:
    """kill -9 of the provider in the middle of a write is an error that keeps the state; the next up converges."""
    forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.parse("hang-after-headers"), times=None, method="PUT")
    engine = stack.start("up", "--yes", "--skip-preview")
    stack.until_request("PUT")
    for provider in stack.providers():
        os.kill(provider, signal.SIGKILL)
    engine.communicate(timeout=60)
    assert engine.returncode != 0
    assert stack.state() == {}
    stack.emulator.clear_faults()
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    assert stack.pending() == []
    stack.empty_preview()


def test_row_21_killed_while_the_file_backend_wrote_its_attributes(stack: Workspace) -> None:
    """An empty .attrs file hides a whole state; without it everything goes on."""
    forwarding(stack, OFFICE)
    stack.up()
    stack.state_file.with_name("dev.json.attrs").write_bytes(b"")
    assert "failed to load checkpoint: EOF" in stack.up(fails=True).output
    recover(stack, OFFICE)
