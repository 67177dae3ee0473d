"""docs/native.md, followed from top to bottom with the files and the commands as they are written there."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from reader import Reader
from snippets import CHECKOUT, Block, commands_of, section
from test_native_languages import LANGUAGES, caches
from workspace import Workspace

pytestmark = pytest.mark.engine

PAGE = "native.md"
OFFICE = "+12025559999"
BEFORE = f"""
linq.PhoneNumberForwarding("supportLine", phone_number="+12025550100", forwarding_number="{OFFICE}")
linq.PhoneNumberForwardings("branches", forwardings={{"+12025550101": "{OFFICE}"}})
"""


def files(language: str) -> dict[str, str]:
    """The files that the page shows for a language, by their names."""
    text = (CHECKOUT / "docs" / PAGE).read_text().partition(f"\n### {language}\n")[2]
    titled = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    return dict(titled.findall(re.split(r"^##+ ", text, maxsplit=1, flags=re.MULTILINE)[0]))


@pytest.fixture
def reader(stranger: Reader) -> Reader:
    """Says yes where Pulumi asks, and has a port of their own for the emulator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stranger.own = {"8099": str(free.getsockname()[1]), "pulumi up": "pulumi up --yes"}
    stranger.own["pulumi import"] = "pulumi import --yes --generate-code=false --protect=false"
    stranger.answers = {"read -rs PULUMI_CONFIG_PASSPHRASE": "a passphrase\n"}
    return stranger


def in_another_terminal(reader: Reader, block: Block) -> subprocess.Popen[str]:
    """Run the emulator of the page, until it has printed its key."""
    (command,) = commands_of(block)
    terminal = ["bash", "-c", f"exec {reader.with_own(command.text)}"]
    environment = reader.environment | {"PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(terminal, cwd=reader.folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    printed = "".join(running.stdout.readline() for _ in range(7))
    assert reader.is_shown(command, printed), printed
    reader.answers["pulumi config set --secret linq:apiKey"] = re.findall(r"^API key: +(\S+)$", printed, re.MULTILINE)[
        0
    ]
    return running


@pytest.mark.parametrize("name", ["YAML", "TypeScript", "Python"])
def test_from_an_empty_folder(reader: Reader, name: str) -> None:
    """The page as it is written, to a line that forwards on the emulator, an import, and an empty preview."""
    language = LANGUAGES[name.lower()]
    missing = [program for program in language.needs if name != "Python" and shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not on PATH; `make test` builds the language hosts")
    reader.environment |= caches()
    reader.environment["PATH"] = os.pathsep.join([reader.environment["PATH"], *language.folders])
    terminals = []
    try:
        for block in [*section(PAGE, "Install the plugin"), *section(PAGE, name), *section(PAGE, "Run it")]:
            if "linq-provider emulator" in block.text:
                terminals.append(in_another_terminal(reader, block))
            elif block.language == "console":
                reader.follow(block)
            else:
                for file in [file for file, text in files(name).items() if text == block.text]:
                    (reader.folder / file).write_text(block.text)
        single, _ = section(PAGE, "Import")
        reader.follow(single)
        shown = subprocess.run(
            ["bash", "-c", f". {reader.home}/variables; pulumi stack export"],
            cwd=reader.folder,
            env=reader.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert '"+12025550102"' in shown
    finally:
        for terminal in terminals:
            terminal.terminate()
            terminal.wait(30)


@pytest.fixture
def project(stack: Workspace) -> Workspace:
    """A project with a virtual environment, as `pip install` leaves it."""
    (stack.folder / ".venv").symlink_to(Path(sys.prefix))
    return stack


def write(stack: Workspace) -> None:
    """The files of the page for Python; the name of the project stays that of the stack."""
    for name, text in files("Python").items():
        (stack.folder / name).write_text(text.replace("name: phone-lines", "name: engine-test"))


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
