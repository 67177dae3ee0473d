"""docs/native.md, followed from top to bottom with the files and the commands as they are written there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from snippets import CHECKOUT, blocks, commands_of
from workspace import Workspace

pytestmark = pytest.mark.engine

OFFICE = "+12025559999"
BEFORE = f"""
linq.PhoneNumberForwarding("support-line", phone_number="+12025550100", forwarding_number="{OFFICE}")
linq.PhoneNumberForwardings("fleet", forwardings={{"+12025550101": "{OFFICE}", "+12025550102": ""}})
"""


def files() -> dict[str, str]:
    """The files of the page by their names."""
    titled = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    return dict(titled.findall((CHECKOUT / "docs" / "native.md").read_text()))


def type_in(stack: Workspace, place: str) -> str:
    """Run every command below a heading, as Pulumi runs it without questions; what they printed."""
    text = (CHECKOUT / "docs" / "native.md").read_text()
    begin = text.count("\n", 0, text.index(f"\n## {place}\n"))
    end = text.find("\n## ", text.index(f"\n## {place}\n") + 1)
    lines = range(begin, text.count("\n", 0, end))
    shown = ""
    for block in blocks():
        if block.page == "native.md" and block.language == "console" and block.line in lines:
            for command in commands_of(block):
                words = command.words[1:]
                # Older language hosts import, and fail only to print the code.
                fails = None if words[0] == "import" else False
                shown += stack.run(*words, *([] if words[0] == "preview" else ["--yes"]), fails=fails).output
    return shown


@pytest.fixture
def project(stack: Workspace) -> Workspace:
    """A project with a virtual environment, as `pip install` leaves it."""
    (stack.folder / ".venv").symlink_to(Path(sys.prefix))
    return stack


def write(stack: Workspace) -> None:
    """The files of the page; the name of the project stays that of the stack."""
    for name, text in files().items():
        (stack.folder / name).write_text(text.replace("name: phone-lines", "name: engine-test"))


def test_setting_it_up_and_importing(project: Workspace) -> None:
    """A project from the page alone, and imports that write nothing and print the code."""
    write(project)
    type_in(project, "Set it up")
    a, b, c = project.emulator.phone_numbers
    assert [line.forwarding_number or "" for line in (a, b, c)] == [OFFICE, OFFICE, ""]
    project.empty_preview()
    project.emulator.set_forwarding(project.emulator.add_number("+12025550103").id, OFFICE)
    project.emulator.clear_requests()
    shown = type_in(project, "Import")
    assert project.writes() == []
    assert {"night-line", "everything"} < project.state().keys()
    assert "2 imported" in shown or shown.count("1 imported") == 2


def test_changing_over_and_back(project: Workspace) -> None:
    """As the page says: neither direction makes a request."""
    project.program(BEFORE)
    project.up()
    project.emulator.clear_requests()
    write(project)
    type_in(project, "From the dynamic provider")
    assert project.emulator.requests == []
    assert {resource["type"].partition(":")[0] for resource in project.resources()} == {"linq"}
    project.empty_preview()
    alias = re.search(r"`(aliases=\[.*?\])`", (CHECKOUT / "docs" / "native.md").read_text())[1]
    options = f", opts=pulumi.ResourceOptions({alias}))"
    single, fleet = BEFORE.strip().splitlines()
    both = [single[:-1] + options, fleet[:-1] + options.replace("PhoneNumberForwarding", "PhoneNumberForwardings")]
    project.program("\n".join(both))
    project.up()
    assert project.emulator.requests == []
    project.empty_preview()
