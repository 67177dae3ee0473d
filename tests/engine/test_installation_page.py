"""docs/installation.md: every way to install, typed as it is written, in an empty folder and an empty environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reader import GIT_URL, Reader
from snippets import CHECKOUT, Command, commands_of, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PAGE = "installation.md"
WAYS = ("from the git URL", "from a checkout", "from a wheel in your project")
PROGRAM = 'import linq_provider as linq\n\nlinq.PhoneNumberForwarding("x", phone_number="+12025550100", forwarding_number="+12025559999")\n'


@pytest.fixture
def reader(stranger: Reader, python_tools: Path) -> Reader:
    """With uv and poetry, too."""
    for name in ("uv", "poetry"):
        (stranger.home.with_name("programs") / name).symlink_to(python_tools / "bin" / name)
    return stranger


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", ["pip", "uv", "Poetry"])
def test_a_way_to_install(reader: Reader, tool: str, way: str) -> None:
    """From an empty folder to the command `linq-provider`; the last way of each tool goes on to `pulumi up`."""
    reader.type(Command(PAGE, "mkdir phone-lines && cd phone-lines", ""))
    below = [block for place in (*WAYS, "running Pulumi") for block in section(PAGE, f"{tool}, {place}")]
    for block in [block for block in section(PAGE, f"With {tool}") if block not in below]:
        if block.language == "toml":
            (reader.folder / "pyproject.toml").write_text(block.text)
        else:
            reader.follow(block)
    (commands,) = section(PAGE, f"{tool}, {way}")
    reader.follow(commands)
    if way == WAYS[-1]:
        run_pulumi(reader, tool)
        uninstall(reader, tool)


def run_pulumi(reader: Reader, tool: str) -> None:
    """Forward a line with the command of the page."""
    (block,) = section(PAGE, f"{tool}, running Pulumi")
    *before, command = commands_of(block)
    for each in before:
        reader.type(each)
    (reader.folder / "Pulumi.yaml").write_text("name: phone-lines\nruntime: python\n")
    (reader.folder / "__main__.py").write_text(PROGRAM)
    with Emulator(numbers=1) as emulator:
        reader.environment |= {"PULUMI_BACKEND_URL": f"file://{reader.home}", "PULUMI_CONFIG_PASSPHRASE": "local"}
        reader.environment |= {"LINQ_API_V3_BASE_URL": emulator.url, "LINQ_API_V3_API_KEY": emulator.api_key}
        # It would be asked for in a terminal: which stack, and whether to go on.
        reader.type(Command(PAGE, f"pulumi stack init dev && {command.text} --yes --skip-preview", ""))
        assert emulator.phone_numbers[0].forwarding_number == "+12025559999"


def uninstall(reader: Reader, tool: str) -> None:
    """Take the package away with the command of docs/leaving.md."""
    (command,) = re.findall(
        rf"^\| {tool} \| `([^`]+)` \|$", (CHECKOUT / "docs" / "leaving.md").read_text(), re.MULTILINE
    )
    python = {"pip": "python", "uv": "uv run python", "Poetry": "poetry run python"}[tool]
    reader.type(Command("leaving.md", f"{python} -c 'import linq_provider'", ""))
    reader.type(Command("leaving.md", command, ""))
    reader.type(Command("leaving.md", f"! {python} -c 'import linq_provider'", ""))


def test_what_the_command_needs_is_added_later(reader: Reader) -> None:
    """As the message says: `pip install 'linq-provider[cli]'` adds to a package that is there, from whatever place."""
    for text in (
        "python3 -m venv .venv && . .venv/bin/activate",
        f"pip install --quiet git+{GIT_URL}",
        "! linq-provider --version",
        "pip install --quiet 'linq-provider[cli]'",
        "linq-provider --version",
    ):
        printed = reader.type(Command(PAGE, text, ""))
    assert printed.startswith("linq-provider, version ")
