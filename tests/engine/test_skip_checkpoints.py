"""Many single lines with PULUMI_SKIP_CHECKPOINTS, which writes the state once, at the end; and what a kill costs then."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from test_kill import wait_for
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skins,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the provider's processes in /proc"),
]

LINES = 100
OFFICE, DESK = "+12025559999", "+12025558888"
SKIP = {"PULUMI_SKIP_CHECKPOINTS": "true"}
# verb: what every line forwarded to before, and what is declared now
VERBS = {"create": ("", OFFICE), "update": (OFFICE, DESK), "delete": (OFFICE, "")}


@pytest.fixture
def lines(stack: Workspace) -> list[str]:
    """The numbers of a hundred lines."""
    for n in range(LINES - len(stack.emulator.phone_numbers)):
        stack.emulator.add_number(f"+1303555{n:04}")
    return [line.phone_number for line in stack.emulator.phone_numbers]


def declare(stack: Workspace, lines: list[str], number: str) -> None:
    """A program with a resource for each line; without any for "", which clears them all."""
    stack.program(
        f"""
        for line in {lines if number else []!r}:
            linq.PhoneNumberForwarding(line, phone_number=line, forwarding_number={number!r})
        """
    )


def live(stack: Workspace) -> set[str]:
    """Every number that some line forwards to."""
    return {line.forwarding_number or "" for line in stack.emulator.phone_numbers}


def stop_half_way(stack: Workspace, number: signal.Signals) -> None:
    """Start `pulumi up`, and send the engine a signal as soon as a third of the lines is written."""
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.parse("delay=0.05"), times=None, method="PUT")
    engine = stack.start("up", "--yes", "--skip-preview", **SKIP)
    wait_for(lambda: stack.methods().count("PUT") > LINES // 3)
    engine.send_signal(number)
    try:
        engine.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        engine.kill()
        raise
    wait_for(lambda: not stack.providers())
    assert 0 < stack.methods().count("PUT") < LINES
    stack.emulator.clear_faults()


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_was_killed_is_finished_by_the_documented_commands(
    stack: Workspace, lines: list[str], verb: str
) -> None:
    """After kill -9 amid a hundred lines: cancel, refresh and `up` of the same program bring every line right."""
    before, after = VERBS[verb]
    declare(stack, lines, before)
    stack.up(**SKIP)
    assert live(stack) == {before}
    declare(stack, lines, after)
    stop_half_way(stack, signal.SIGKILL)
    assert live(stack) == {before, after}
    stack.run("cancel", "--yes")
    stack.run("refresh", "--yes", "--clear-pending-creates", **SKIP)
    stack.run("up", "--yes", **SKIP)
    assert live(stack) == {after}
    assert set(stack.state()) == set(lines if after else [])
    assert stack.pending() == []
    stack.empty_preview()


def test_ctrl_c_records_what_was_written(stack: Workspace, lines: list[str]) -> None:
    """SIGINT amid a hundred lines: the state has those that were written, and the next `up` writes the rest alone."""
    declare(stack, lines, OFFICE)
    stop_half_way(stack, signal.SIGINT)
    forwarded = [line.phone_number for line in stack.emulator.phone_numbers if line.forwarding_number]
    assert set(stack.state()) == set(forwarded)
    stack.emulator.clear_requests()
    stack.up(**SKIP)
    assert live(stack) == {OFFICE}
    assert len(stack.writes()) == LINES - len(forwarded)
    stack.empty_preview()


@pytest.mark.skins("dynamic")
def test_drift_finds_the_lines_that_a_changed_program_forgets(stack: Workspace, lines: list[str]) -> None:
    """The bad case: the program lost the lines before the killed run was finished. `drift --undeclared` names them."""
    declare(stack, lines, OFFICE)
    stop_half_way(stack, signal.SIGKILL)
    declare(stack, lines, "")
    stack.run("cancel", "--yes")
    stack.run("refresh", "--yes", "--clear-pending-creates", **SKIP)
    stack.up(**SKIP)
    left = {line.phone_number for line in stack.emulator.phone_numbers if line.forwarding_number}
    assert left
    done = subprocess.run(
        [sys.executable, "-m", "linq_provider", "drift", "--stack", "dev", "--undeclared", "--json"],
        cwd=stack.folder,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert {row["line"] for row in json.loads(done.stdout)["undeclared"]} == left
