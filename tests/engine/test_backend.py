"""State that a team shares: a PostgreSQL backend, and two pipelines on one stack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from conftest import API_KEY
from postgres import PASSWORD, Postgres, postgres_server
from workspace import PROJECT, Run, Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"
LOCKED = "the stack is currently locked by 1 lock(s)"


def forwarding(stack: Workspace, to: str) -> None:
    """A program of one line."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{to}")')


def two_pipelines(stack: Workspace) -> Run:
    """Two runs of `up` at once: what the second one printed, once the first has ended well."""
    forwarding(stack, OFFICE)
    stack.up()
    forwarding(stack, DESK)
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.parse("delay=6"), times=1, method="PUT")
    first = stack.start("up", "--yes", "--skip-preview")
    while "PUT" not in stack.methods():
        assert first.poll() is None, first.communicate()[0]
    second = stack.up(fails=True)
    printed, _ = first.communicate(timeout=60)
    assert first.returncode == 0, printed
    return second


def test_two_pipelines_on_one_stack(stack: Workspace) -> None:
    """The second of two runs at once fails at once and cleanly, writes nothing, and works when the first has ended."""
    shown = two_pipelines(stack).output
    assert LOCKED in shown
    assert API_KEY not in shown
    assert [number for _, number in stack.writes()] == [DESK]
    forwarding(stack, OFFICE)
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    stack.empty_preview()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server for the tests of this file, which have a database each."""
    with postgres_server() as server:
        yield server


def test_state_in_postgresql(stack: Workspace, postgres: Postgres) -> None:
    """`pulumi login postgres://…` holds the state: up, drift, a second pipeline that fails cleanly, destroy."""
    stack.environment |= {"PULUMI_BACKEND_URL": postgres.url(), "PGPASSWORD": PASSWORD}
    shutil.rmtree(stack.folder / "backend")
    stack.run("stack", "init", f"organization/{PROJECT}/dev")
    stack.configure("linq:baseUrl", stack.emulator.url)
    stack.unset("linq:apiKey")
    stack.run("config", "set", "--secret", "linq:apiKey", API_KEY)
    assert LOCKED in two_pipelines(stack).output
    assert stack.emulator.phone_numbers[0].forwarding_number == DESK
    stack.empty_preview()
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, OFFICE)
    stack.run("preview", "--refresh", "--expect-no-changes", fails=7)
    stack.up("--refresh")
    assert stack.emulator.phone_numbers[0].forwarding_number == DESK
    assert API_KEY not in stack.run("stack", "export").output
    stack.destroy()
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert not (stack.folder / "backend").exists()
