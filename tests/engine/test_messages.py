"""How long a message is, and that none stops the work that it speaks of."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

OFFICE, ELSEWHERE = "+12025559999", "+12025557777"


@pytest.fixture
def ids(stack: Workspace) -> list[str]:
    """Twelve lines that somebody else points elsewhere, by their ids; the stack has a fleet that replaces them all."""
    stack.declare_lines(12)
    stack.configure("linq:maxRetries", "0")
    lines = [line.id for line in stack.emulator.phone_numbers]
    for line in lines:
        stack.emulator.set_forwarding(line, ELSEWHERE)
    stack.program(
        f'linq.PhoneNumberForwardings("fleet", forwardings=dict.fromkeys({lines!r}, "{OFFICE}"), overwrite=True)'
    )
    return sorted(lines)


def test_a_stdout_that_is_not_utf_8_refuses_nothing(stack: Workspace, ids: list[str]) -> None:
    """Info lines about many long names are shown whole, and the fleet is written."""
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = stack.preview(**ascii_only).output
    assert f"{ids[0]} (now {ELSEWHERE})" in shown
    assert " and 10 more." in shown
    stack.up(**ascii_only)
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [OFFICE] * 12
    stack.empty_preview()


def test_an_error_about_many_lines_names_as_many_as_fit(stack: Workspace, ids: list[str]) -> None:
    """500 characters in all: how many failed, some of them with their reason, how many more, and the next step."""
    stack.emulator.fail(Fault.error(400), method="PUT", times=None)
    _, first, rest = stack.up(fails=True).output.rpartition("12 of 12 lines are not as declared:")
    before, last, _ = rest.partition("nothing else.")
    paragraph = [line.strip() for line in f"{first}{before}{last}".splitlines()]
    named = [line for line in paragraph if line.startswith("- ") and "HTTP 400" in line]
    assert len(named) >= 3
    assert [line.split()[1].rstrip(":") for line in named] == ids[: len(named)]
    assert f"- and {12 - len(named)} more" in paragraph
    assert paragraph[-1].startswith("Run `pulumi up --refresh`")
    assert sum(len(line) + 1 for line in paragraph) <= 500
    stack.emulator.clear_faults()
    stack.up("--refresh")
    stack.empty_preview()
