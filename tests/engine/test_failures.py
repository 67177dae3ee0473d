"""A write that fails: one paragraph, a true state, and the next up finishes."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = [pytest.mark.engine, pytest.mark.skins]


def program(stack: Workspace, to: str) -> str:
    line = stack.emulator.phone_numbers[0]
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number_id="{line.id}", forwarding_number="{to}")')
    return line.id


def paragraph(output: str) -> str:
    """The error as the user sees it, from the method of the request on."""
    return output.partition("error: ")[2].partition("\n")[0]


def test_failing_create_update_delete(stack: Workspace) -> None:
    """500 for ever on create, update and delete: an error of one paragraph each, a correct state, and the next up completes it."""
    stack.configure("linq:maxRetries", "1")
    line = program(stack, "+12025559999")
    for verb, to, held in (("create", "+12025559999", None), ("update", "+12025558888", "+12025559999")):
        program(stack, to)
        stack.emulator.fail(Fault.parse("500"), times=None, method="PUT")
        shown = stack.up(fails=True).output
        assert f"PUT /v3/phone_numbers/{line} (+12025550100) failed: HTTP 500, 3006 Internal server error" in shown, (
            verb
        )
        assert "after 2 attempts" in shown
        assert "may have been applied" in shown
        assert "Traceback" not in shown
        assert len(paragraph(shown)) <= 560  # 500 of ours behind the engine's own beginning
        assert stack.emulator.phone_numbers[0].forwarding_number == held
        stack.emulator.clear_faults()
        stack.up()
        assert stack.emulator.phone_numbers[0].forwarding_number == to
        stack.empty_preview()
    stack.emulator.fail(Fault.parse("500"), times=None, method="PUT")
    assert "HTTP 500" in stack.destroy(fails=True).output
    assert stack.outputs("x")["forwarding_number"] == "+12025558888"
    stack.emulator.clear_faults()
    stack.destroy()
    assert stack.emulator.phone_numbers[0].forwarding_number is None


def test_a_key_that_may_not_write(stack: Workspace) -> None:
    """403 on a write names what was asked and the next step; nothing is recorded."""
    program(stack, "+12025559999")
    shown = stack.up(fails=True, LINQ_API_KEY_OVERRIDE=stack.emulator.create_token(can_write=False)).output
    assert "HTTP 403, 2005 Access denied" in shown
    assert stack.state() == {}
