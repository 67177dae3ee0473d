"""A write that fails: one paragraph, a true state, and the next up finishes."""

from __future__ import annotations

import base64

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine


def program(stack: Workspace, to: str) -> str:
    line = stack.emulator.phone_numbers[0]
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number_id="{line.id}", forwarding_number="{to}")')
    return line.id


def paragraph(output: str) -> str:
    """The error as the user sees it, from the method of the request on."""
    return output.partition("error: ")[2].partition("\n")[0]


def test_failing_create_update_delete(stack: Workspace) -> None:
    """500 for ever on create, update and delete: an error of one paragraph each time, a true state, the next up mends."""
    stack.configure("linq:maxRetries", "1")
    line = program(stack, "+12025559999")
    for verb, to, held in (("create", "+12025559999", None), ("update", "+12025558888", "+12025559999")):
        program(stack, to)
        stack.emulator.fail(Fault.parse("500"), times=None, method="PUT")
        shown = stack.up(fails=True).output
        assert f"PUT /v3/phone_numbers/{line} failed: HTTP 500, 3006 Internal server error" in shown, verb
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


def test_the_key_appears_nowhere(stack: Workspace) -> None:
    """No output, state or backup holds the key, its base64 or any 8 characters of it, with --debug and a failing run."""
    program(stack, "+12025559999")
    shown = stack.run("preview", "--diff", "--debug").output
    shown += stack.up("--debug", "--diff", "--event-log", "events.json", PULUMI_DEBUG_COMMANDS="1").output
    stack.emulator.fail(Fault.parse("401"), times=None)
    program(stack, "+12025558888")
    shown += stack.up("--debug", fails=True).output
    stack.emulator.clear_faults()
    shown += stack.run("stack", "export").output + stack.run("preview", "--json").output
    files = [f for f in stack.folder.rglob("*") if f.is_file() and f.name != "Pulumi.dev.yaml"]
    everything = shown + "".join(f.read_text(errors="replace") for f in files)
    pieces = {API_KEY[i : i + 8] for i in range(len(API_KEY) - 7)}
    encoded = base64.b64encode(API_KEY.encode()).decode()
    assert [piece for piece in [*pieces, encoded] if piece in everything] == []
