"""docs/installation.md: every way to install, typed as it is written, in an empty folder and an empty environment."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reader import Reader, put_python, reach_the_index
from snippets import CHECKOUT, Command, commands_of, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PAGE = "installation.md"
URL = "https://git.example.com/linq-provider.git"
WAYS = ("from the git URL", "from a checkout", "from a wheel in your project")
TOOLS = (
    "uv==0.13.9",
    "poetry==2.5.1",
    "poetry-plugin-pypi-mirror==0.6.5",
)  # the plugin: poetry alone knows no other index than PyPI
PROGRAM = 'import linq_provider as linq\n\nlinq.PhoneNumberForwarding("x", phone_number="+12025550100", forwarding_number="+12025559999")\n'


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the git URL leads to: a repository with what a wheel is built from, as it is now."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("pyproject.toml", "README.md", "LICENSE", "pytest_linq_provider.py"):
        shutil.copy(CHECKOUT / name, folder)
    shutil.copytree(CHECKOUT / "linq_provider", folder / "linq_provider", ignore=shutil.ignore_patterns("__pycache__"))
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "--quiet", "."], ["add", "."], [*identity, "commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def tools() -> Path:
    """The programs uv and poetry, in an environment of their own that is kept in the user's cache."""
    folder = Path.home() / ".cache" / "linq-provider" / "-".join(["python", *TOOLS]).replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            python = folder / "bin" / "python"
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *TOOLS], check=True)
            (folder / "done").touch()
    return folder


@pytest.fixture
def reader(tmp_path: Path, repository: Path, tools: Path) -> Reader:
    """With Python, git, Pulumi, uv and poetry, and nothing of this checkout but what the URL leads to."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    put_python(programs)
    for name in ("uv", "poetry"):
        (programs / name).symlink_to(tools / "bin" / name)
    (home / ".gitconfig").write_text(f'[url "file://{repository}"]\n  insteadOf = {URL}\n')
    index = reach_the_index()
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    own_index = re.search(r"index-url='([^']+)'", pip.stdout)
    mirror = own_index[1] if own_index else "https://pypi.org/simple"
    pulumi = Path(shutil.which("pulumi") or "pulumi").parent
    return Reader(
        home,
        {"UV_DEFAULT_INDEX": mirror, "POETRY_PYPI_MIRROR_URL": mirror}
        | index
        | {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(map(str, [programs, pulumi, "/usr/bin", "/bin"])),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "POETRY_CACHE_DIR": str(Path.home() / ".cache" / "pypoetry"),
            "POETRY_VIRTUALENVS_PATH": str(home / "environments"),
            "PULUMI_BACKEND_URL": f"file://{home}",
            "PULUMI_CONFIG_PASSPHRASE": "local",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        },
    )


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


def run_pulumi(reader: Reader, tool: str) -> None:
    """Forward a line with the command of the page."""
    (block,) = section(PAGE, f"{tool}, running Pulumi")
    *before, command = commands_of(block)
    for each in before:
        reader.type(each)
    (reader.folder / "Pulumi.yaml").write_text("name: phone-lines\nruntime: python\n")
    (reader.folder / "__main__.py").write_text(PROGRAM)
    with Emulator(numbers=1) as emulator:
        reader.environment |= {"LINQ_API_V3_BASE_URL": emulator.url, "LINQ_API_V3_API_KEY": emulator.api_key}
        # It would be asked for in a terminal: which stack, and whether to go on.
        reader.type(Command(PAGE, f"pulumi stack init dev && {command.text} --yes --skip-preview", ""))
        assert emulator.phone_numbers[0].forwarding_number == "+12025559999"


def test_what_the_command_needs_is_added_later(reader: Reader) -> None:
    """As the message says: `pip install 'linq-provider[cli]'` adds to a package that is there, from whatever place."""
    for text in (
        "python3 -m venv .venv && . .venv/bin/activate",
        f"pip install --quiet git+{URL}",
        "! linq-provider --version",
        "pip install --quiet 'linq-provider[cli]'",
        "linq-provider --version",
    ):
        printed = reader.type(Command(PAGE, text, ""))
    assert printed.startswith("linq-provider, version ")
