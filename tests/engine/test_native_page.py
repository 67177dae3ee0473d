"""docs/native.md, followed from top to bottom with the files and the commands as they are written there."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from reader import Reader
from snippets import CHECKOUT, Command, commands_of, section
from test_native_languages import LANGUAGES, caches, require
from workspace import Workspace

pytestmark = pytest.mark.engine

PAGE = "native.md"
OFFICE = "+12025559999"
BEFORE = f"""
linq.PhoneNumberForwarding("supportLine", phone_number="+12025550100", forwarding_number="{OFFICE}")
linq.PhoneNumberForwardings("branches", forwardings={{"+12025550101": "{OFFICE}"}})
"""


@pytest.fixture
def reader(newcomer: Reader) -> Reader:
    """Has Pulumi print no code for an import, which older language hosts cannot."""
    newcomer.own["pulumi import"] = "pulumi import --yes --generate-code=false --protect=false"
    return newcomer


@pytest.mark.parametrize("name", ["YAML", "TypeScript", "Python"])
def test_from_an_empty_folder(reader: Reader, name: str) -> None:
    """The page as it is written, to a line that forwards on the emulator, an import, and an empty preview."""
    language = LANGUAGES[name.lower()]
    require(*(() if name == "Python" else language.needs))  # the page's way in Python needs no SDK
    reader.environment |= caches()
    reader.environment["PATH"] = os.pathsep.join([reader.environment["PATH"], *language.folders])
    with ExitStack() as terminals:
        for block in [*section(PAGE, "Install the plugin"), *section(PAGE, name), *section(PAGE, "Run it")]:
            if "linq-provider emulator" in block.text:
                terminals.enter_context(reader.in_another_terminal(block))
            elif block.language == "console":
                reader.follow(block)
            elif block.title:
                (reader.folder / block.title).write_text(block.text)
        single, _ = section(PAGE, "Import")
        reader.follow(single)
        assert '"+12025550102"' in reader.type(Command(PAGE, "pulumi stack export", ""))


@pytest.fixture
def project(stack: Workspace) -> Workspace:
    """A project with a virtual environment, as `pip install` leaves it."""
    (stack.folder / ".venv").symlink_to(Path(sys.prefix))
    return stack


def write(stack: Workspace) -> None:
    """The files of the page for Python; the name of the project stays that of the stack."""
    for block in section(PAGE, "Python"):
        (stack.folder / block.title).write_text(block.text.replace("name: phone-lines", "name: engine-test"))


def type_in(stack: Workspace, place: str) -> str:
    """Run every command below a heading, as Pulumi runs it without questions; what they printed."""
    shown = ""
    for block in [block for block in section(PAGE, place) if block.language == "console"]:
        for command in commands_of(block):
            words = command.words[1:]
            # Older language hosts import, and fail only to print the code.
            fails = None if words[0] == "import" else False
            shown += stack.run(*words, *([] if words[0] == "preview" else ["--yes"]), fails=fails).output
    return shown


def test_importing(project: Workspace) -> None:
    """A line, and the whole account: imports write nothing and print the code."""
    write(project)
    project.up()
    a, b, c = project.emulator.phone_numbers
    assert [line.forwarding_number or "" for line in (a, b, c)] == [OFFICE, OFFICE, ""]
    project.empty_preview()
    project.emulator.set_forwarding(c.id, OFFICE)
    project.emulator.clear_requests()
    shown = type_in(project, "Import")
    assert project.writes() == []
    assert {"nightLine", "everything"} < project.state().keys()
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
