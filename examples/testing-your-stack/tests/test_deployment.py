"""Tests of the stack on the real engine, against the emulator that comes with linq-provider."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from pulumi import automation

from linq_provider.emulator import Emulator

PROJECT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the Pulumi CLI on PATH")


@pytest.fixture
def stack(tmp_path: Path, linq_emulator: Emulator) -> automation.Stack:
    """The stack in a copy of the project, with a state of its own; `linq_emulator` comes with linq-provider."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("Pulumi.*.yaml", "tests"))
    (tmp_path / "state").mkdir()
    environment = {
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_PYTHON_CMD": sys.executable,
        "LINQ_API_V3_BASE_URL": linq_emulator.url,
        "LINQ_API_V3_API_KEY": linq_emulator.api_key,
    }
    options = automation.LocalWorkspaceOptions(env_vars=environment)
    return automation.create_stack("test", work_dir=str(folder), opts=options)


def writes(linq_emulator: Emulator) -> list[object]:
    """The bodies of all writes so far."""
    return [request.body for request in linq_emulator.requests if request.method == "PUT"]


def test_the_life_of_the_stack(stack: automation.Stack, linq_emulator: Emulator) -> None:
    """Support is forwarded, sales is not; again writes nothing; an edit by hand is corrected; destroy clears."""
    stack.up()
    assert linq_emulator.forwarding("+12025550100") == "+12025550190"
    assert linq_emulator.forwarding("+12025550101") == ""
    linq_emulator.clear_requests()
    stack.up(expect_no_changes=True)
    assert writes(linq_emulator) == []

    linq_emulator.set_forwarding("+12025550101", "+12025550177")
    stack.up(refresh=True)
    assert writes(linq_emulator) == [{"forwarding_number": ""}]
    stack.destroy()
    assert [line.forwarding_number for line in linq_emulator.phone_numbers] == [None, None, None]


def test_a_line_that_somebody_else_uses(stack: automation.Stack, linq_emulator: Emulator) -> None:
    """A line that is already forwarded elsewhere is not taken over, and the error names its number."""
    linq_emulator.set_forwarding("+12025550100", "+12025550177")
    with pytest.raises(automation.CommandError, match=r"\+12025550177"):
        stack.preview()
    assert linq_emulator.forwarding("+12025550100") == "+12025550177"
