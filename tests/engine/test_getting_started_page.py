"""docs/getting-started.md, followed from an empty folder: every file and every command, and what it prints."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
import yaml
from conftest import API_KEY
from reader import Reader, written
from snippets import CHECKOUT, Command, commands_of, files, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PAGE = "getting-started.md"
OFFICE = "+12025559999"
TEMPLATE = "The next project, with `pulumi new`"
HEADINGS = re.findall(r"^## (\d\. .*)$", (CHECKOUT / "docs" / PAGE).read_text(), re.MULTILINE)


def test_from_an_empty_folder_to_an_own_line(newcomer: Reader, own: Emulator) -> None:
    """The page as it is written: on the emulator, then with the own key, and back; nothing is written before `up`."""
    line = own.phone_numbers[0].id
    newcomer.own["pulumi stack rm dev"] = "pulumi stack rm dev --yes"
    with ExitStack() as terminals:
        for block in [block for n in HEADINGS for block in section(PAGE, n)]:
            if "linq-provider emulator" in block.text:
                terminals.enter_context(newcomer.in_another_terminal(block))
            elif block.title:
                (newcomer.folder / block.title).write_text(block.text)
            else:
                for command in commands_of(block):
                    writes = len(written(own))
                    newcomer.follow(command)
                    if "init production" in command.text:
                        newcomer.answers["pulumi config set --secret linq:apiKey"] = f"{API_KEY}\n"
                        assert own.requests == []
                    assert len(written(own)) == writes or command.words[1] in ("up", "destroy"), command
    assert written(own) == [OFFICE, ""]
    assert not own.forwarding(line)


def test_a_project_from_the_template(newcomer: Reader, own: Emulator) -> None:
    """`pulumi new` makes a project whose packages install, which needs no login, and which forwards a line as it is."""
    for block in section(PAGE, TEMPLATE):
        newcomer.environment["PULUMI_CONFIG_PASSPHRASE"] = "a passphrase"
        newcomer.follow(block)
    assert "name: front-desk\n" in (newcomer.folder / "Pulumi.yaml").read_text()
    newcomer.answers["pulumi config set --secret linq:apiKey"] = API_KEY
    for text in (
        "config set --secret linq:apiKey",
        "config set line +12025550100",
        f"config set forwardTo {OFFICE}",
        "up",
    ):
        newcomer.type(Command(PAGE, f"pulumi {text}", ""))
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
