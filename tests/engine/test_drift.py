"""Drift: what refresh shows, what corrects it, and which lines never count as gone."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

PROPERTIES = ("phone_number_id", "phone_number", "overwrite", "declared_by", "__provider")


def adopted(stack: Workspace, arguments: str = "") -> str:
    """Run a program of one forwarded line; returns the line's id."""
    line = stack.emulator.phone_numbers[0]
    identity = arguments or f'phone_number="{line.phone_number}"'
    stack.program(f'linq.PhoneNumberForwarding("x", {identity}, forwarding_number="+12025559999")')
    stack.up()
    stack.emulator.clear_requests()
    return line.id


@pytest.mark.parametrize("live", ["+12025550003", ""], ids=["changed", "cleared"])
@pytest.mark.parametrize("named_by", ["number", "id", "overwrite"])
def test_a_hand_edit_is_shown_alone_and_healed(stack: Workspace, live: str, named_by: str) -> None:
    """Changed or cleared by hand: the nightly check exits 7 and shows just that; up --refresh heals; then nothing."""
    line = stack.emulator.phone_numbers[0]
    identity = {
        "number": "",
        "id": f'phone_number_id="{line.id}"',
        "overwrite": f'phone_number="{line.phone_number}", overwrite=True',
    }[named_by]
    adopted(stack, identity)
    stack.emulator.set_forwarding(line.id, live)
    shown = stack.run("preview", "--refresh", "--diff", "--expect-no-changes", fails=7).output
    # The engine shows a change to the empty text as a property taken away.
    assert ('"+12025559999" => "+12025550003"' if live else '- forwarding_number: "+12025559999"') in shown
    assert not any(f"+ {name}" in shown or f"- {name}" in shown or f"~ {name}" in shown for name in PROPERTIES)
    assert set(stack.methods()) == {"GET"}
    stack.up("--refresh")
    assert stack.writes() == [(line.id, "+12025559999")]
    stack.run("preview", "--refresh", "--expect-no-changes")


def test_a_line_that_is_gone(stack: Workspace) -> None:
    """Refresh removes a line that is missing from a well-formed list, and a message says what that means."""
    line = adopted(stack)
    stack.emulator.remove_number(line)
    shown = stack.refresh().output
    assert f"Line {line} (+12025550100) is no longer among the lines of this key" in shown
    assert stack.state() == {}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "HTTP 401"),
        ("403", "HTTP 403"),
        ("500", "HTTP 500, 3006 Internal server error"),
        ("empty-list", "sees no lines at all: is it the right account?"),
        ("success-false", "This is not Linq's documented answer"),
    ],
)
def test_what_is_no_answer_is_never_gone(stack: Workspace, fault: str, said: str) -> None:
    """401, 403, 5xx, an empty or malformed list fail the refresh and leave the state untouched; then all is well."""
    adopted(stack)
    before = stack.outputs("x")
    stack.configure("linq:maxRetries", "1")
    stack.emulator.fail(Fault.parse(fault), times=None)
    shown = stack.refresh(fails=True).output
    assert said in shown
    assert "Traceback" not in shown
    assert stack.outputs("x") == before
    stack.emulator.clear_faults()
    stack.run("preview", "--refresh", "--expect-no-changes")
    assert stack.writes() == []


def test_delete_of_a_line_that_is_not_there(stack: Workspace) -> None:
    """404 on delete counts as done, with an info line."""
    line = adopted(stack)
    stack.emulator.remove_number(line)
    assert f"Line {line} (+12025550100) is no longer among the lines of this key" in stack.destroy().output
    assert stack.state() == {}
