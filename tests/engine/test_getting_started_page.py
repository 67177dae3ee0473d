"""docs/getting-started.md, followed from an empty folder: every file and every command, and what it prints."""

from __future__ import annotations

import re
import socket
import subprocess

import pytest
import yaml
from conftest import API_KEY
from reader import Reader
from snippets import CHECKOUT, Block, Command, commands_of, files, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PAGE = "getting-started.md"
OFFICE = "+12025559999"
TEMPLATE = "The next project, with `pulumi new`"
HEADINGS = re.findall(r"^## (\d\. .*)$", (CHECKOUT / "docs" / PAGE).read_text(), re.MULTILINE)


@pytest.fixture
def reader(stranger: Reader) -> Reader:
    """Says yes where Pulumi asks, and has a port of their own for the emulator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stranger.own = {"8099": str(free.getsockname()[1])}
    stranger.own |= {f"pulumi {verb}": f"pulumi {verb} --yes" for verb in ("up", "destroy")}
    stranger.answers = {"read -rs PULUMI_CONFIG_PASSPHRASE": "a passphrase\n"}
    return stranger


def start(reader: Reader, block: Block) -> subprocess.Popen[str]:
    """Run the emulator of the page in another terminal, until it has printed what the page shows."""
    (command,) = commands_of(block)
    running = subprocess.Popen(
        ["bash", "-c", f"exec {reader.with_own(command.text)}"],
        cwd=reader.folder,
        env=reader.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    printed = "".join(running.stdout.readline() for _ in range(7))
    assert reader.is_shown(command, printed), printed
    key = re.search(r"^API key: +(\S+)$", printed, re.MULTILINE)
    assert key
    reader.answers["pulumi config set --secret linq:apiKey"] = f"{key[1]}\n"
    return running


def test_from_an_empty_folder_to_an_own_line(reader: Reader, own: Emulator) -> None:
    """The page as it is written: on the emulator, then with the own key, and back; nothing is written before `up`."""
    emulator, steps = None, [block for n in HEADINGS for block in section(PAGE, n)]
    line = own.phone_numbers[0].id
    try:
        for block in steps:
            if "linq-provider emulator" in block.text:
                emulator = start(reader, block)
            elif block.language != "console":
                name = next(name for name, text in files(PAGE).items() if text == block.text)
                (reader.folder / name).write_text(block.text)
            else:
                for command in commands_of(block):
                    writes = len(written(own))
                    reader.follow(command)
                    if "init production" in command.text:
                        reader.answers["pulumi config set --secret linq:apiKey"] = f"{API_KEY}\n"
                        assert own.requests == []
                    assert len(written(own)) == writes or command.words[1] in ("up", "destroy"), command
    finally:
        if emulator:
            emulator.terminate()
            emulator.wait(30)
    assert written(own) == [OFFICE, ""]
    assert not own.forwarding(line)


def test_a_project_from_the_template(reader: Reader, own: Emulator) -> None:
    """`pulumi new` makes a project whose packages install, which needs no login, and which forwards a line as it is."""
    for block in section(PAGE, TEMPLATE):
        reader.environment["PULUMI_CONFIG_PASSPHRASE"] = "a passphrase"
        reader.follow(block)
    assert "name: front-desk\n" in (reader.folder / "Pulumi.yaml").read_text()
    reader.answers["pulumi config set --secret linq:apiKey"] = API_KEY
    for text in (
        "config set --secret linq:apiKey",
        "config set line +12025550100",
        f"config set forwardTo {OFFICE}",
        "up",
    ):
        reader.type(Command(PAGE, f"pulumi {text}", ""))
    assert written(own) == [OFFICE]
    assert own.forwarding(own.phone_numbers[0].id) == OFFICE


def test_the_template_has_the_program_of_the_page() -> None:
    """The page and the template do not drift apart, and the template names the settings that the program reads."""
    template = CHECKOUT / "templates" / "linq-python"
    assert (template / "__main__.py").read_text() == files(PAGE)["__main__.py"]
    project = yaml.safe_load((template / "Pulumi.yaml").read_text())
    shown = yaml.safe_load(files(PAGE)["Pulumi.yaml"])
    assert {key: project[key] for key in ("runtime", "backend", "options")} == {
        key: shown[key] for key in ("runtime", "backend", "options")
    }
    assert set(project["template"]["config"]) == {"line", "forwardTo", "linq:apiKey"}


def written(own: Emulator) -> list[str]:
    """The numbers that were written to the own account."""
    return [request.body["forwarding_number"] for request in own.requests if request.method == "PUT"]
