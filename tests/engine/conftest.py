"""Fixtures for the real Pulumi CLI: one workspace a test, copied from a template made once a session."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pip._internal.models.index import PyPI
from pulumi_environment import pulumi_environment
from reader import GIT_URL, Reader, put_python, reach_the_index
from snippets import CHECKOUT
from workspace import PROJECT, Workspace

from linq_provider.emulator import Emulator

API_KEY = "canary-4f9d2c71b8e35a60"
# The plugin is for another index than PyPI, of which poetry alone knows nothing.
PYTHON_TOOLS = ("uv==0.13.9", "poetry==2.5.1", "poetry-plugin-pypi-mirror==0.6.5")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised stack `dev` with a secret key, made once and copied for each test."""
    if shutil.which("pulumi") is None:
        pytest.fail("no pulumi on PATH: run the tests with `make test`, which gets one")
    folder = tmp_path_factory.mktemp("template")
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    environment = pulumi_environment(folder)
    for args in (["stack", "init", "dev"], ["config", "set", "--secret", "linq:apiKey", API_KEY]):
        command = ["pulumi", *args, "--non-interactive"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, none forwarded, seen by the key that the stack is configured with."""
    with Emulator(numbers=3, api_key=API_KEY) as running:
        yield running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that are marked `skins` over both skins, or over those that the mark names; SKIN=native runs all."""
    marker = metafunc.definition.get_closest_marker("skins")
    if "skin" in metafunc.fixturenames and ("SKIN" in os.environ or marker):
        marked = marker.args if marker and marker.args else ("dynamic", "native")
        metafunc.parametrize("skin", [os.environ["SKIN"]] if "SKIN" in os.environ else marked, indirect=True)


@pytest.fixture
def skin(request: pytest.FixtureRequest) -> str:
    """What the programs of the stack import as `linq`."""
    name: str = getattr(request, "param", "dynamic")
    return name


@pytest.fixture
def stack(tmp_path: Path, template: Path, emulator: Emulator, skin: str) -> Iterator[Workspace]:
    """A fresh stack, configured for the emulator; a provider that outlives the test is ended."""
    folder = tmp_path / "stack"
    shutil.copytree(template, folder)
    workspace = Workspace(folder, emulator)
    if skin == "native":
        workspace.use_native()
    yield workspace
    for provider in workspace.providers():
        os.kill(provider, signal.SIGKILL)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the git URL of the documentation leads to: a repository from which a wheel and SDKs are built, as it is now."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("pyproject.toml", "README.md", "LICENSE", "Makefile", "pytest_linq_provider.py"):
        shutil.copy(CHECKOUT / name, folder)
    for name in ("linq_provider", "templates", "tools"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for words in (["init", "--quiet", "."], ["add", "."], [*identity, "commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="session")
def python_tools() -> Path:
    """The programs uv and poetry, in an environment of their own that is kept in the user's cache."""
    folder = Path.home() / ".cache" / "linq-provider" / "-".join(["python", *PYTHON_TOOLS]).replace("==", "-")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *PYTHON_TOOLS], check=True)
            (folder / "done").touch()
    return folder


@pytest.fixture
def stranger(tmp_path: Path, repository: Path) -> Reader:
    """A reader with an empty home, Python, git and Pulumi, and nothing of this checkout but what the git URL leads to."""
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    put_python(programs)
    (home / ".gitconfig").write_text(
        f'[url "file://{repository}"]\n  insteadOf = {GIT_URL}\n[user]\n  name = a\n  email = a@b.example\n'
    )
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    index = re.search(r"index-url='([^']+)'", settings.stdout)
    mirror = index[1] if index else PyPI.simple_url
    pulumi = Path(shutil.which("pulumi") or "pulumi").parent
    return Reader(
        home,
        {"UV_DEFAULT_INDEX": mirror, "POETRY_PYPI_MIRROR_URL": mirror}
        | reach_the_index()
        | {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(map(str, [programs, pulumi, "/usr/bin", "/bin"])),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "POETRY_CACHE_DIR": str(Path.home() / ".cache" / "pypoetry"),
            "POETRY_VIRTUALENVS_PATH": str(home / "environments"),
            "PULUMI_HOME": str(home / ".pulumi"),  # without it the CLI takes that of the account, whatever HOME says
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        },
    )


@pytest.fixture
def newcomer(stranger: Reader) -> Reader:
    """A stranger who says yes where Pulumi asks, and has a port of their own for the emulator of a page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stranger.own = {"8099": str(free.getsockname()[1])}
    stranger.own |= {f"pulumi {verb}": f"pulumi {verb} --yes" for verb in ("up", "destroy")}
    stranger.answers = {"read -rs PULUMI_CONFIG_PASSPHRASE": "a passphrase\n"}
    return stranger


@pytest.fixture
def own(stranger: Reader) -> Iterator[Emulator]:
    """The account at Linq of the reader of a page."""
    with Emulator(numbers=3, api_key=API_KEY) as running:
        stranger.environment["LINQ_API_V3_BASE_URL"] = running.url
        yield running
