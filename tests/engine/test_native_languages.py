"""The native package in other languages: the examples, from up to destroy, with the plugin as pip installs it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sdks
from test_examples import EXAMPLES, FIRST, SECOND, STRANGER, THIRD, Example

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"
PROGRAMS = {"yaml": "Pulumi.yaml", "typescript": "index.ts"}
HOSTS = {"yaml": "pulumi-language-yaml", "typescript": "pulumi-language-nodejs"}
NEEDED = {"yaml": (), "typescript": ("node", "npm", "gen-sdk")}


@pytest.fixture(scope="session")
def node_package(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes the SDK for Node.js, as `make sdks` does, once."""
    folder = tmp_path_factory.mktemp("sdks")

    def made() -> Path:
        if not list(folder.glob("*.tgz")):
            sdks.generate(folder)
            sdks.node_package(folder)
        return next(folder.glob("*.tgz"))

    return made


@pytest.fixture(params=PROGRAMS)
def language(request: pytest.FixtureRequest) -> str:
    """A language whose host is on PATH; the reason is shown where it is not."""
    missing = [name for name in (HOSTS[request.param], *NEEDED[request.param]) if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{request.param}: {', '.join(missing)} not on PATH; `make test` builds the language hosts")
    return str(request.param)


@pytest.fixture
def project(
    tmp_path: Path, language: str, linq_emulator: Emulator, node_package: Callable[[], Path]
) -> Iterator[Example]:
    """A copy of the example with a virtual environment, its SDK, and the stack `dev`."""
    folder = tmp_path / language
    shutil.copytree(EXAMPLES / f"native-{language}", folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / ".venv").symlink_to(sys.prefix)
    if language == "typescript":
        package = node_package()
        assert package.name in (folder / "README.md").read_text()
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", str(package)]
        subprocess.run(npm, cwd=folder, check=True, capture_output=True)
    made = Example(folder, linq_emulator)
    made.run("stack", "init", "dev")
    yield made
    for provider in made.providers():
        os.kill(provider, signal.SIGKILL)


def test_the_life_of_lines(project: Example, language: str) -> None:
    """Up, no change, a hand edit, refresh, up, another number, import, destroy; each write is made once."""
    emulator = project.emulator
    project.up()
    assert sorted(project.bodies()) == [OFFICE, OFFICE]
    assert [emulator.forwarding(line) for line in (FIRST, SECOND, THIRD)] == [OFFICE, OFFICE, ""]
    project.empty_preview()
    assert {resource["type"].partition(":")[0] for resource in project.resources()} == {"linq"}

    emulator.set_forwarding(FIRST, STRANGER)
    assert f'~ forwardingNumber: "{OFFICE}" => "{STRANGER}"' in project.refresh().output
    assert project.bodies() == []
    project.up()
    assert project.bodies() == [OFFICE]

    program = project.folder / PROGRAMS[language]
    program.write_text(re.sub(r'(forwardingNumber: )"\+\d+"', rf'\1"{DESK}"', program.read_text()))
    assert f'~ forwardingNumber: "{OFFICE}" => "{DESK}"' in project.up("--diff").output
    assert project.bodies() == [DESK]

    emulator.set_forwarding(THIRD, STRANGER)
    imported = ("import", "linq:index:PhoneNumberForwarding", "nightLine", THIRD, "--yes", "--protect=false")
    project.run(*imported, "--generate-code=false", "--skip-preview")
    assert project.bodies() == []
    assert project.state()["nightLine"]["id"] == next(x.id for x in emulator.phone_numbers if x.phone_number == THIRD)

    project.destroy()
    assert [emulator.forwarding(line) for line in (FIRST, SECOND, THIRD)] == ["", "", ""]
