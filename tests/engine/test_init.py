"""`linq-provider init` makes a project that runs as it is: every command of its README, run in order as written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pulumi_environment import pulumi_environment
from snippets import CHECKOUT, _blocks, commands_of

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

PASSPHRASE = "a passphrase"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `make build` writes it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(CHECKOUT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("linq_provider-*.whl"))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What linq-provider needs, and not linq-provider itself: so that pip downloads nothing, and installs the wheel."""
    folder = tmp_path_factory.mktemp("packages")
    for path in Path(pytest.__file__).parent.parent.iterdir():
        if not path.name.startswith(("linq_provider", "pytest_linq_provider", "__editable__", "_linq")):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("from_account", [False, True], ids=["emulator", "account"])
def test_the_readme_runs_as_written(tmp_path: Path, wheel: Path, packages: Path, from_account: bool) -> None:
    """Installed from its wheel, the project previews and deploys without a write at Linq, and drift finds nothing."""
    with Emulator(3) as emulator:
        emulator.set_forwarding("+12025550100", "+12025559999")
        environment = _environment(tmp_path) | {"LINQ_API_V3_BASE_URL": emulator.url}
        with_key = environment | {"LINQ_API_V3_API_KEY": emulator.api_key}
        option = ["--from-account"] if from_account else []
        _run([sys.executable, "-m", "linq_provider", "init", "phones", *option], tmp_path, environment=with_key)
        (tmp_path / "phones" / "wheels").mkdir()
        (tmp_path / "phones" / "wheels" / wheel.name).write_bytes(wheel.read_bytes())
        emulator.clear_requests()
        answers = f"{PASSPHRASE}\n" + (emulator.api_key if from_account else "")
        script = _script(tmp_path / "phones", packages, with_key=not from_account)
        said = _run(
            ["bash", "-c", script],
            tmp_path / "phones",
            environment=environment if from_account else with_key,
            answers=answers,
        )
        assert {request.method for request in emulator.requests} == {"GET"}
    if from_account:
        assert "Compared 3 declared lines with what is live: no differences." in said
    else:
        assert "Nothing was compared: stack production declares no line." in said
        assert json.loads(said.rpartition("OUTPUTS")[2])["lines"]["+12025550100"] == "+12025559999"


def _environment(folder: Path) -> dict[str, str]:
    """That of a new user: nothing of Pulumi, an empty home, and packages from the wheel alone."""
    left_out = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK", "VIRTUAL_ENV")
    environment = pulumi_environment(folder, PULUMI_SKIP_CONFIRMATIONS="true", HOME=str(folder), PIP_NO_INDEX="1")
    return {name: value for name, value in environment.items() if name not in left_out}


def _script(folder: Path, packages: Path, *, with_key: bool) -> str:
    """The commands of the README; where the key is in the environment, as the README says, without that of the stack.

    The wheel is there already: tests of the page about installing make it with this command.
    """
    blocks = _blocks("README.md", (folder / "README.md").read_text())
    commands = [command.text for block in blocks if block.language == "console" for command in commands_of(block)]
    assert len(commands) == 11
    lines = ["set -euo pipefail", "unset PYTHONPATH"]
    for command in commands[1:]:
        lines += [] if with_key and "linq:apiKey" in command else [command]
        if "-m venv" in command:
            lines.append(f"echo {packages} > $(echo .venv/lib/python*/site-packages)/packages.pth")
    return "\n".join([*lines, "echo OUTPUTS; pulumi stack output --json"])


def _run(command: list[str], folder: Path, *, environment: dict[str, str], answers: str = "") -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=answers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
