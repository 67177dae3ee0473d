"""The native package on the engine: the plugin pulumi-resource-linq, with hand-written resource classes."""

from __future__ import annotations

import pytest
from workspace import Workspace

pytestmark = pytest.mark.engine

OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025557777"


@pytest.fixture
def native(stack: Workspace) -> Workspace:
    """A stack whose programs declare native resources."""
    stack.use_native()
    return stack


def program(stack: Workspace, text: str) -> None:
    """Make `text` the program; the lines are A, B, C by id and NA, NB, NC by number."""
    lines = stack.emulator.phone_numbers[:3]
    stack.program(
        f"A, B, C = {[line.id for line in lines]!r}\nNA, NB, NC = {[line.phone_number for line in lines]!r}\n"
        f"OFFICE, DESK, ELSEWHERE = {OFFICE!r}, {DESK!r}, {ELSEWHERE!r}\nOptions = pulumi.ResourceOptions\n"
        "def forward(name, line, number, **more):\n"
        "    return linq.PhoneNumberForwarding(name, phone_number=line, forwarding_number=number, **more)\n"
        "def fleet(name, forwardings, **more):\n"
        "    return linq.PhoneNumberForwardings(name, forwardings=forwardings, **more)\n" + text
    )


def live(stack: Workspace) -> list[str]:
    """Where the lines forward."""
    return [line.forwarding_number or "" for line in stack.emulator.phone_numbers]


def test_the_life_of_a_line(native: Workspace) -> None:
    """Create, no change, update, hand edit, refresh, heal, destroy."""
    program(native, 'x = forward("x", NA, OFFICE)\npulumi.export("id", x.id)\n')
    shown = native.preview().output
    print(shown)
    assert native.writes() == []
    print(native.up().output)
    assert live(native) == [OFFICE, "", ""]
    native.empty_preview()
    program(native, 'forward("x", NA, DESK)')
    print(native.preview().output)
    native.up()
    assert live(native) == [DESK, "", ""]
    native.emulator.set_forwarding(native.emulator.phone_numbers[0].id, ELSEWHERE)
    print(native.refresh().output)
    native.up()
    assert live(native) == [DESK, "", ""]
    native.empty_preview()
    native.destroy()
    assert live(native) == ["", "", ""]
