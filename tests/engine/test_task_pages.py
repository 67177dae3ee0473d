"""docs/try.md, docs/leaving.md and docs/upgrade.md: every command as written, and what Linq and the state hold then."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import matrix
import pytest
from conftest import API_KEY
from pulumi_environment import pulumi_environment
from reader import GIT_URL, Reader, written
from snippets import CHECKOUT, Command, commands_of, files, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

DESK = "+12025559999"
PASSPHRASE = "a passphrase"


@pytest.fixture
def reader(newcomer: Reader, own: Emulator) -> Reader:
    """Has an account whose first line is forwarded."""
    own.set_forwarding(own.phone_numbers[0].id, DESK)
    newcomer.answers["read -rs LINQ_API_V3_API_KEY"] = f"{API_KEY}\n"
    return newcomer


def type_in(reader: Reader, *texts: str) -> str:
    """Type commands that are not on the page; what the last one printed."""
    return [reader.type(Command("test", text, "")) for text in texts][-1]


def refused(reader: Reader, text: str) -> str:
    """What a command prints that fails."""
    return type_in(reader, f"! {text}")


def forwardings(own: Emulator) -> list[str]:
    """Where each line forwards."""
    return [line.forwarding_number or "" for line in own.phone_numbers]


def test_the_page_about_trying(reader: Reader, own: Emulator) -> None:
    """docs/try.md: with the real key nothing is written, what reads and what asks nobody is as the table says."""
    methods: dict[str, set[str]] = {}
    page = "try.md"
    steps = re.findall(r"^## (\d\. .*)$", (CHECKOUT / "docs" / page).read_text(), re.MULTILINE)
    for block in [block for step in steps[:4] for block in section(page, step)]:
        for command in commands_of(block):
            own.clear_requests()
            reader.follow(command)
            methods.setdefault(" ".join(command.words[:2]), set()).update(request.method for request in own.requests)
    quiet = ("linq-provider check", "pulumi stack")
    reading = (
        "linq-provider numbers",
        "linq-provider init",
        "linq-provider drift",
        "linq-provider doctor",
        "pulumi preview",
    )
    assert [name for name in quiet if methods[name]] == []
    assert [name for name in reading if methods[name] != {"GET"}] == []

    roster = reader.folder / "lines.yaml"
    declared = roster.read_text()
    roster.write_text(declared.replace(DESK, "+12025558888"))
    own.clear_requests()
    assert f"already forwards to {DESK}" in refused(reader, "pulumi preview")
    roster.write_text(declared)
    type_in(reader, "linq-provider export -o everything.yaml", "pulumi refresh --yes")
    assert {request.method for request in own.requests} == {"GET"}

    (last,) = section(page, steps[4])
    reader.follow(last)
    assert list(reader.folder.glob("linq-trial")) == []
    assert forwardings(own) == [DESK, "", ""]


NIGHT = '\nlinq.PhoneNumberForwarding("night-line", phone_number="+12025550101", forwarding_number="+12025558888")\n'
EMPTY = "import pulumi\n"


@pytest.fixture
def project(reader: Reader) -> Reader:
    """The reader of a page that begins where the first one ends: with a project `phone-lines`, and the package."""
    install = section("getting-started.md", "1. Install it")
    for block in install:
        reader.follow(block)
    (reader.folder / "Pulumi.yaml").write_text(files("getting-started.md")["Pulumi.yaml"])
    reader.environment["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
    reader.answers["pulumi config set --secret linq:apiKey"] = API_KEY
    return reader


def deploy(project: Reader, program: str) -> None:
    """Make the stack `production`, and the program its own."""
    (project.folder / "__main__.py").write_text(program)
    type_in(project, "pulumi stack init production", "pulumi config set --secret linq:apiKey", "pulumi up")


def test_the_page_about_leaving(project: Reader, own: Emulator) -> None:
    """docs/leaving.md: lines that are given up keep their forwarding, and the next preview is empty."""
    page = "leaving.md"
    program = project.folder / "__main__.py"
    keep, record, remove, by_urn = section(page, "One line, and its forwarding stays")
    both = keep.text.replace('    removed="keep",\n', "") + NIGHT
    deploy(project, both)
    assert forwardings(own) == [DESK, "+12025558888", ""]
    own.clear_requests()

    program.write_text(keep.text + NIGHT)
    project.follow(record)
    program.write_text(f"import linq_provider as linq\n{NIGHT}")
    project.follow(remove)
    type_in(project, "pulumi preview --expect-no-changes")
    program.write_text(EMPTY)
    project.follow(by_urn)
    assert "linq" not in type_in(project, "pulumi stack export | grep urn")
    program.write_text(both)
    type_in(project, "pulumi up")  # adopts both
    for block in section(page, "All lines of a stack, and their forwarding stays"):
        project.follow(block)
    assert written(own) == []
    assert forwardings(own) == [DESK, "+12025558888", ""]

    deploy(project, both)
    for block in section(page, "All lines of a stack, cleared"):
        project.follow(block)
    assert forwardings(own) == ["", "", ""]

    own.set_forwarding(own.phone_numbers[0].id, "+12025557777")
    campaign, export, decide = section(page, "What a line is left with")
    deploy(project, campaign.text)
    (exported,) = commands_of(export)
    assert "+12025557777" in project.type(exported).partition('"replaced_number"')[2]
    own.set_forwarding(own.phone_numbers[0].id, "+12025556666")
    own.clear_requests()
    assert "now forwards to +12025556666" in refused(project, "pulumi destroy")
    project.follow(decide)
    assert (written(own), forwardings(own)[0]) == ([], "+12025556666")
    type_in(project, "pulumi stack rm production --yes")

    own.set_forwarding(own.phone_numbers[0].id, None)
    deploy(project, both)
    own.clear_requests()
    type_in(project, "pip uninstall --yes linq-provider")
    assert "No module named 'linq_provider'" in refused(project, "pulumi destroy")
    (last,) = section(page, "Uninstall")
    project.follow(last)
    assert own.requests == []
    assert forwardings(own) == [DESK, "+12025558888", ""]


@pytest.fixture
def versions(repository: Path, tmp_path: Path) -> Path:
    """A repository with two versions that have the same number: v0.1.0, and v0.2.0, whose module says that it is newer."""
    folder = tmp_path / "versions"
    git(tmp_path, "clone", "--quiet", str(repository), str(folder))
    git(folder, "tag", "v0.1.0")
    with (folder / "linq_provider" / "_version.py").open("a") as module:
        module.write("NEWER = True\n")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "--quiet", "-am", "Newer")
    git(folder, "tag", "v0.2.0")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git there."""
    subprocess.run(["git", *words], cwd=folder, check=True)


def is_newer(reader: Reader) -> bool:
    """Whether v0.2.0 is what is installed."""
    return "True" in type_in(reader, "python -c 'import linq_provider._version as v; print(hasattr(v, \"NEWER\"))'")


def test_the_page_about_upgrades(stranger: Reader, versions: Path) -> None:
    """docs/upgrade.md, on a state of 0.1.0: forth and back nothing is written, and the last preview is empty."""
    page, home = "upgrade.md", stranger.home
    (home / ".gitconfig").write_text(f'[url "file://{versions}"]\n  insteadOf = {GIT_URL}\n')
    shutil.copytree(CHECKOUT / "tests" / "engine" / "states" / "0.1.0", home / "stack")
    with Emulator(numbers=5, api_key=API_KEY) as emulator:
        for n, line in enumerate(emulator.phone_numbers, start=1):
            emulator.set_forwarding(line.id, f"+1202555999{n}")
        declared = forwardings(emulator)
        stranger.environment |= pulumi_settings(home) | {"LINQ_API_V3_BASE_URL": emulator.url}
        stranger.own = {"production": "dev", "pulumi up": "pulumi up --yes"}
        type_in(
            stranger,
            "cd stack && sed -i '/linq:baseUrl/d' Pulumi.dev.yaml",
            "python3 -m venv .venv && . .venv/bin/activate",
            f"pip install --quiet 'linq-provider[cli] @ git+{GIT_URL}@v0.1.0'",
            "pulumi stack init dev && pulumi stack import --file state.json",
        )
        assert not is_newer(stranger)
        for block in section(page, "The steps"):
            stranger.follow(block)
        assert is_newer(stranger)
        back, restore = section(page, "Go back")
        stranger.follow(back)
        assert not is_newer(stranger)
        stranger.follow(restore)
        assert written(emulator) == []
        assert forwardings(emulator) == declared
    assert API_KEY not in (stranger.folder / "before-upgrade.json").read_text()


def pulumi_settings(home: Path) -> dict[str, str]:
    """The passphrase of the recorded state, and a backend in the reader's home."""
    settings = pulumi_environment(home)
    return {"PULUMI_CONFIG_PASSPHRASE": settings["PULUMI_CONFIG_PASSPHRASE"], "PULUMI_BACKEND_URL": f"file://{home}"}


def test_the_page_names_the_versions_that_are_tested() -> None:
    """The table of docs/upgrade.md has the oldest and the newest of `make test-matrix`, and the CLI of every test."""
    rows = re.findall(
        r"^\| ([\w `()]+) \| (3\.\S+) \| (3\.\S+) \|$", (CHECKOUT / "docs" / "upgrade.md").read_text(), re.MULTILINE
    )
    (oldest,) = (pin.partition("==")[2] for pin in matrix.OLDEST if pin.startswith("pulumi=="))
    (newest,) = re.findall(r"^pulumi==(\S+)$", (CHECKOUT / "constraints.txt").read_text(), re.MULTILINE)
    module = (CHECKOUT / "tools" / "bootstrap" / "pulumi-cli" / "engine" / "go.mod").read_text()
    (cli,) = re.findall(r"github.com/pulumi/pulumi/pkg/v3 v(\S+)", module)
    assert rows == [
        ("Python", matrix.PYTHONS[0], matrix.PYTHONS[-1]),
        ("package `pulumi` (the SDK)", oldest, newest),
        ("Pulumi CLI", cli, cli),
    ]
