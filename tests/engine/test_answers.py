"""What the API answers with, as `pulumi` shows it."""

from __future__ import annotations

import json

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine


def test_what_a_list_may_leave_out_and_what_it_may_not_hold(stack: Workspace) -> None:
    """Another line without forwarding_number causes no error; a number with a line break stops the run in one sentence."""
    ours, other, _ = stack.emulator.phone_numbers
    stack.program(
        f'linq.PhoneNumberForwarding("x", phone_number="{ours.phone_number}", forwarding_number="+12025559999")'
    )
    rows = [
        {"id": ours.id, "phone_number": ours.phone_number, "forwarding_number": None},
        {"id": other.id, "phone_number": other.phone_number},
    ]
    stack.emulator.fail(Fault.raw(json.dumps({"phone_numbers": rows}).encode()), method="GET", times=None)
    stack.up()
    assert stack.writes() == [(ours.id, "+12025559999")]
    stack.emulator.clear_faults()
    stack.empty_preview()
    rows[1]["phone_number"] = "+12025550101\n::error::owned\n```"
    stack.emulator.fail(Fault.raw(json.dumps({"phone_numbers": rows}).encode()), method="GET", times=None)
    said = stack.refresh(fails=True).output
    assert f"line {other.id}, whose phone_number has characters that no phone number has" in said
    assert "owned" not in said
    assert "```" not in said
    stack.emulator.clear_faults()
    stack.empty_preview()
