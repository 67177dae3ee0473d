"""The resource options that users expect."""

from __future__ import annotations

import pytest
from workspace import Workspace

pytestmark = pytest.mark.engine


def program(stack: Workspace, to: str, opts: str, *, name: str = "x") -> None:
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f"""
        linq.PhoneNumberForwarding("{name}", phone_number="{line}", forwarding_number="{to}",
            opts=pulumi.ResourceOptions({opts}))
        """
    )


def test_aliases(stack: Workspace) -> None:
    """A rename with an alias is no change at all."""
    program(stack, "+12025559999", "")
    stack.up()
    stack.emulator.clear_requests()
    program(stack, "+12025559999", 'aliases=[pulumi.Alias(name="x")]', name="y")
    stack.up()
    assert list(stack.state()) == ["y"]
    assert stack.emulator.requests == []


def test_protect_and_retain_on_delete(stack: Workspace) -> None:
    """protect blocks the removal; retain_on_delete leaves the forwarding where it is."""
    program(stack, "+12025559999", "protect=True")
    stack.up()
    assert "unprotect" in stack.destroy(fails=True).output
    program(stack, "+12025559999", "retain_on_delete=True")
    stack.up()
    stack.program("")
    stack.up()
    assert stack.state() == {}
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"


def test_ignore_changes(stack: Workspace) -> None:
    """With ignore_changes the program's number is not written, and drift seen by a refresh stays as it is."""
    program(stack, "+12025559999", "")
    stack.up()
    program(stack, "+12025551111", 'ignore_changes=["forwarding_number"]')
    assert stack.up().changes == {}
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, "+12025552222")
    stack.up("--refresh")
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025552222"
    stack.empty_preview()


def test_replace_on_changes(stack: Workspace) -> None:
    """replace_on_changes replaces; the line is written once and never cleared."""
    program(stack, "+12025559999", "")
    stack.up()
    stack.emulator.clear_requests()
    program(stack, "+12025551111", 'replace_on_changes=["forwarding_number"]')
    assert stack.preview().output.count("+-") > 0
    assert stack.up().changes == {"replaced": 1}
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, "+12025551111")]
    stack.empty_preview()


def test_overwrite_alone_writes_nothing(stack: Workspace) -> None:
    """Setting overwrite on a line that holds its number writes nothing, and a refresh shows nothing."""
    program(stack, "+12025559999", "")
    stack.up()
    stack.emulator.clear_requests()
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="+12025559999", overwrite=True)'
    )
    stack.up()
    assert stack.writes() == []
    stack.run("preview", "--refresh", "--expect-no-changes")


def test_get_and_import(stack: Workspace) -> None:
    """get reads a line and never writes it; get of a missing line and import_ fail with the way out."""
    line = stack.emulator.phone_numbers[0]
    stack.emulator.set_forwarding(line.id, "+12025559999")
    stack.program(
        f"""
        line = linq.PhoneNumberForwarding.get("x", "{line.id}")
        pulumi.export("to", line.forwarding_number)
        pulumi.export("number", line.phone_number)
        """
    )
    shown = stack.up().output
    assert '"+12025559999"' in shown
    assert f'"{line.phone_number}"' in shown
    stack.empty_preview()
    stack.program('linq.PhoneNumberForwarding.get("x", "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e")')
    assert "See the account's lines with `linq-provider numbers`" in stack.up(fails=True).output
    program(stack, "+12025559999", f'import_="{line.id}"')
    shown = stack.preview(fails=True).output
    assert "adoption is automatic" in shown
    assert "Traceback" not in shown
    stack.program("")
    stack.up()
    assert stack.writes() == []
