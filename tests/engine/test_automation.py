"""Inline programs of the Automation API: several runs in one Python process."""

from __future__ import annotations

import pulumi
import pytest
from pulumi import automation
from workspace import PROJECT, Workspace

import linq_provider as linq

pytestmark = pytest.mark.engine


def test_an_inline_program_run_twice(stack: Workspace) -> None:
    """A second run of an inline program does not meet the first; two resources on one line still meet."""
    line = stack.emulator.phone_numbers[0]
    declared: list[linq.PhoneNumberForwarding] = []
    names = ["sales"]

    def program() -> None:
        for name in names:
            declared.append(
                linq.PhoneNumberForwarding(name, phone_number=line.phone_number, forwarding_number="+12025559999")
            )
        pulumi.export("to", declared[-1].forwarding_number)

    options = automation.LocalWorkspaceOptions(work_dir=str(stack.folder), env_vars=stack.environment)
    inline = automation.select_stack("dev", project_name=PROJECT, program=program, opts=options)
    first, second = inline.up(), inline.up()
    assert first.outputs["to"].value == second.outputs["to"].value == "+12025559999"
    assert first.summary.resource_changes == {"create": 2}
    assert second.summary.resource_changes == {"same": 2}
    assert len(declared) == 2
    assert stack.writes() == [(line.id, "+12025559999")]

    names.append("support")
    with pytest.raises(automation.CommandError, match="'sales' and 'support' declare the same line"):
        inline.preview()
