"""The native package in every language: each example is installed as its README says, and goes from up to destroy."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sdks
from reader import Reader
from snippets import blocks_of
from test_examples import EXAMPLES, FIRST, SECOND, STRANGER, THIRD, Example

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"


@dataclass(frozen=True)
class Language:
    """What an example in a language needs on PATH, and its file with the numbers."""

    program: str
    needs: tuple[str, ...]

    @property
    def folders(self) -> list[str]:
        """Where those programs are."""
        return [str(Path(found).parent) for name in self.needs if (found := shutil.which(name))]


LANGUAGES = {
    "yaml": Language("Pulumi.yaml", ("pulumi-language-yaml",)),
    "python": Language("__main__.py", ("gen-sdk",)),
    "typescript": Language("index.ts", ("pulumi-language-nodejs", "gen-sdk", "node", "npm")),
    "go": Language("main.go", ("pulumi-language-go", "gen-sdk", "go")),
}


def require(*programs: str) -> None:
    """Skip the test, and say why, if a program is not on PATH."""
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)} not on PATH; `make test` builds the language hosts")


def caches() -> dict[str, str]:
    """How this machine reaches npm and Go modules, and its caches of them, for a reader with a home of their own."""
    shown = {}
    if shutil.which("go"):
        for name in ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN", "GOCACHE", "GOMODCACHE"):
            value = subprocess.run(["go", "env", name], capture_output=True, text=True, check=True).stdout.strip()
            shown |= {name: value} if value else {}
    npm = {"NPM_CONFIG_USERCONFIG": str(Path.home() / ".npmrc"), "NPM_CONFIG_CACHE": str(Path.home() / ".npm")}
    return shown | npm | {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")}


@pytest.fixture(params=LANGUAGES)
def name(request: pytest.FixtureRequest) -> str:
    """A language whose programs are on PATH; the reason is shown if they are not."""
    require(*LANGUAGES[request.param].needs)
    return str(request.param)


@pytest.fixture
def checkout(tmp_path: Path, repository: Path, name: str) -> Path:
    """A checkout in which `make sdks` has made the SDK of the language."""
    folder = tmp_path / "checkout"
    shutil.copytree(repository, folder)
    made = folder / "dist" / "sdks"
    if name != "yaml":
        sdks.generate(made)
    if name == "python":
        sdks.wheel(made)
    if name == "typescript":
        sdks.node_package(made)
    return folder


@pytest.fixture
def project(stranger: Reader, name: str, checkout: Path, linq_emulator: Emulator) -> Iterator[Example]:
    """A copy of the example, installed as its README says, with the stack `dev`."""
    folder = stranger.folder / f"native-{name}"
    shutil.copytree(EXAMPLES / folder.name, folder, ignore=shutil.ignore_patterns("node_modules"))
    (stranger.home / "folder").write_text(str(folder))
    path = os.pathsep.join([stranger.environment["PATH"], *LANGUAGES[name].folders])
    stranger.environment |= caches() | {"linq": str(checkout), "PATH": path}
    install, *_ = blocks_of("README.md", (folder / "README.md").read_text())
    stranger.follow(install)
    made = Example(folder, linq_emulator)
    made.environment.pop("PYTHONPATH", None)  # the plugin is the one that was installed
    made.environment |= caches() | {"PATH": os.pathsep.join([str(folder / ".venv" / "bin"), path])}
    made.run("stack", "init", "dev")
    yield made
    for provider in made.providers():
        os.kill(provider, signal.SIGKILL)


def test_the_life_of_lines(project: Example, name: str) -> None:
    """Up, no change, a hand edit, refresh, up, another number, import, destroy; each write is made once."""
    emulator = project.emulator
    shown = project.up().output
    # The hosts that `make` builds are not beside the CLI, as those of a release are.
    assert re.findall(r"warning: (?!using pulumi-language-).*", shown) == []
    assert sorted(project.bodies()) == [OFFICE, OFFICE]
    assert [emulator.forwarding(line) for line in (FIRST, SECOND, THIRD)] == [OFFICE, OFFICE, ""]
    project.empty_preview()
    assert {resource["type"].partition(":")[0] for resource in project.resources()} == {"linq"}

    emulator.set_forwarding(FIRST, STRANGER)
    assert f'~ forwardingNumber: "{OFFICE}" => "{STRANGER}"' in project.refresh().output
    assert project.bodies() == []
    project.up()
    assert project.bodies() == [OFFICE]

    program = project.folder / LANGUAGES[name].program
    declared = r'((?i:forwarding_?number)["\w.]*[:=] *(?:pulumi\.String\()?)"\+\d+"'
    text, replaced = re.subn(declared, rf'\1"{DESK}"', program.read_text())
    assert replaced == 1
    program.write_text(text)
    assert f'~ forwardingNumber: "{OFFICE}" => "{DESK}"' in project.up("--diff").output
    assert project.bodies() == [DESK]

    emulator.set_forwarding(THIRD, STRANGER)
    (command,) = re.findall(r"^\$ pulumi (import .*)$", (project.folder / "README.md").read_text(), re.MULTILINE)
    project.run(*command.split(), "--yes", "--protect=false", "--generate-code=false", "--skip-preview")
    assert project.bodies() == []
    assert project.state()["nightLine"]["id"] == next(x.id for x in emulator.phone_numbers if x.phone_number == THIRD)

    project.destroy()
    assert [emulator.forwarding(line) for line in (FIRST, SECOND, THIRD)] == ["", "", ""]
