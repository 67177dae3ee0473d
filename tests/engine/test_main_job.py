"""The main job with the real engine: create, nothing, update, drift, destroy."""

from __future__ import annotations

import pytest
from workspace import Workspace

pytestmark = pytest.mark.engine


def test_create_update_destroy(stack: Workspace) -> None:
    """up writes once for each line, up again asks nothing of the server, a changed line is one write, destroy clears."""
    first, second, _ = stack.emulator.phone_numbers
    program = """
        a = linq.PhoneNumberForwarding("a", phone_number="{a}", forwarding_number="{to}")
        b = linq.PhoneNumberForwarding("b", phone_number_id="{b}", forwarding_number="+12025559999")
        pulumi.export("to", a.forwarding_number)
        pulumi.export("ids", [a.id, b.phone_number_id, a.phone_number, b.phone_number])
    """
    stack.program(program.format(a=first.phone_number, b=second.id.upper(), to="+12025558888"))
    assert stack.up().changes == {"created": 3}
    assert sorted(stack.writes()) == sorted([(first.id, "+12025558888"), (second.id, "+12025559999")])
    assert stack.methods().count("GET") <= 2
    assert stack.outputs("a") == {
        "phone_number_id": first.id,
        "phone_number": first.phone_number,
        "forwarding_number": "+12025558888",
        "declared_by": "phone_number",
    }
    assert stack.inputs("b") == {"phone_number_id": second.id, "forwarding_number": "+12025559999"}
    assert stack.state()["a"]["id"] == first.id

    stack.emulator.clear_requests()
    assert stack.up().changes == {}
    stack.empty_preview()
    assert stack.emulator.requests == []

    stack.program(program.format(a=first.phone_number, b=second.id, to="+12025557777"))
    assert '"+12025558888" => "+12025557777"' in stack.preview().output
    assert stack.up().changes == {"updated": 1}
    assert stack.writes() == [(first.id, "+12025557777")]
    assert stack.emulator.forwarding(first.id) == "+12025557777"
    stack.empty_preview()

    stack.emulator.clear_requests()
    stack.destroy()
    assert sorted(stack.writes()) == sorted([(first.id, ""), (second.id, "")])
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [None, None, None]
    assert stack.state() == {}
