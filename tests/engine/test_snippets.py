"""The programs and the Pulumi commands of README.md and docs/, on the real engine."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache

import pytest
from conftest import API_KEY
from snippets import Block, Command, commands, programs
from workspace import Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PULUMI = [command for command in commands() if command.words[0] == "pulumi"]
# Run once each, in this order, where no other stack is named. Other commands are checked by name and flags.
RUN = ["up", "preview", "refresh", "cancel", "destroy"]


@pytest.mark.parametrize("program", programs(), ids=str)
def test_a_program_of_the_documents(stack: Workspace, program: Block) -> None:
    """Each program of the documents is deployed as it stands: every line that it declares forwards there afterwards."""
    (stack.folder / "lines.yaml").write_text('"+12025550100": "+12025559999"\n')
    (stack.folder / "lines.csv").write_text("line,forwarding_number\n+12025550100,+12025559999\n")
    with Emulator([{"id": "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "phone_number": "+442071838750"}]) as emea:
        stack.configure("engine-test:emeaKey", emea.api_key)
        text = program.text.replace('linq.Provider("emea", ', f'linq.Provider("emea", base_url="{emea.url}", ')
        (stack.folder / "__main__.py").write_text(text)
        stack.up()
        live = {line.phone_number: line.forwarding_number or "" for line in stack.emulator.phone_numbers}
        live |= {line.id: line.forwarding_number or "" for line in stack.emulator.phone_numbers}
        live |= {line.phone_number: line.forwarding_number or "" for line in emea.phone_numbers}
    pairs = re.findall(r'phone_number="(\+\d+)",[^+]*?forwarding_number="(\+?\d*)"', program.text)
    pairs += re.findall(r'"(\+\d+|[0-9a-f-]{36})": "(\+?\d*)"', program.text)
    pairs += [("+12025550100", "+12025559999")] if "lines." in program.text else []
    assert pairs or "get_phone_number" in program.text
    assert {line: live[line] for line, _ in pairs} == dict(pairs)


@cache
def help_of(words: tuple[str, ...]) -> str:
    """What `pulumi WORDS --help` prints."""
    done = subprocess.run(["pulumi", *words, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def test_pulumi_commands_are_accepted() -> None:
    """Each `pulumi …` of the documents names a command and flags that the CLI has."""
    assert len(PULUMI) > 15
    for command in PULUMI:
        words = [word for word in command.words[1:] if not word.startswith("-")]
        text = help_of(tuple(words[:2]))
        usage = re.findall(r"^  pulumi(.*)$", text.partition("Usage:")[2], re.MULTILINE)[0]
        path = re.findall(r"(?<= )[a-z]+(?=[ \n]|$)", usage.partition("[")[0].partition("<")[0])
        aliases = re.findall(r"[\w-]+", text.partition("Aliases:")[2].partition("\n\n")[0])
        *before, last = path
        assert words[: len(before)] == before, command
        assert words[len(before)] in (last, *aliases), command
        takes_arguments = re.search(r"[\[<](?!flags|command)[\w-]+[\]>]", usage)
        assert len(words) == len(path) or takes_arguments, f"{command}: {usage}"
        for flag in [word.partition("=")[0] for word in command.words if word.startswith("-")]:
            assert re.search(rf"(?:^|\s){flag}[\s,]", text), f"{command}: {flag}"


def yes(command: Command) -> list[str]:
    """The words of a command, which is not asked for its consent."""
    words = command.words[1:]
    asks = words[0] in ("up", "destroy") and "--yes" not in words
    return [*words, "--yes"] if asks else words


def test_pulumi_commands_run(stack: Workspace) -> None:
    """Each `pulumi up`, `preview`, `refresh`, `cancel` and `destroy` of the documents runs on a real stack, and succeeds."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="+12025559999")')
    found = {shlex.join(yes(command)): yes(command) for command in PULUMI}
    wanted = sorted((words for words in found.values() if words[0] in RUN), key=lambda words: RUN.index(words[0]))
    assert {words[0] for words in wanted} == set(RUN)
    for words in wanted:
        if "--stack" not in words:
            stack.run(*words)


def test_doctor_prints_what_is_shown(stack: Workspace) -> None:
    """`linq-provider doctor` prints what the page shows, where all is well."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, "+12025559999")
    account = {"LINQ_API_V3_BASE_URL": stack.emulator.url, "LINQ_API_V3_API_KEY": API_KEY}
    done = subprocess.run(
        [sys.executable, "-m", "linq_provider", "doctor"],
        cwd=stack.folder,
        env=stack.environment | account,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = next(
        command.output for command in commands() if command.place.startswith("cli.md") and "doctor" in command.text
    )
    assert re.fullmatch(re.escape(shown.strip()).replace("…", ".*"), done.stdout.strip()), done.stdout
    assert done.returncode == 0
