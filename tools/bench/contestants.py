"""The contestants: for each, a folder, the commands of its five verbs, and the place of its state."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pulumi_environment import pulumi_environment

from bench.measure import Counted, Run, Server, run
from bench.results import VERBS
from bench.server import BASE_PATH, bench_lines

SOURCES = Path(__file__).with_name("contestants")
NUMBER, OTHER_NUMBER = "+12025559999", "+12025558888"
CHANGED_SHARE = 100  # one line in so many

UP = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
PULUMI = {
    "up": UP,
    "up again": (*UP, "--expect-no-changes"),
    "change": UP,
    "refresh": ("pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive"),
    "destroy": ("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive"),
}
APPLY = ("terraform", "apply", "-auto-approve", "-input=false", "-no-color")
TERRAFORM = {
    "up": APPLY,
    "up again": APPLY,
    "change": APPLY,
    "refresh": (*APPLY, "-refresh-only"),
    "destroy": ("terraform", "destroy", "-auto-approve", "-input=false", "-no-color"),
}


@dataclass(frozen=True)
class Contestant:
    """One way to forward lines. `files` of `tools/bench` go into its folder under the names given."""

    name: str
    files: Mapping[str, str]
    commands: Mapping[str, Sequence[str]]
    setup: Sequence[str] = ()
    state: str = ""

    @property
    def missing(self) -> str | None:
        """The program that this machine would need."""
        programs = [command[0] for command in self.commands.values()]
        return next((program for program in programs if shutil.which(program) is None), None)


def _pulumi(name: str, *files: str) -> Contestant:
    """A Pulumi program; the first of its files is the program."""
    program, *others = files
    names = {program: "__main__.py", **{other: other for other in others}}
    init = ("pulumi", "stack", "init", "dev", "--non-interactive")
    return Contestant(name, names, PULUMI, init, f"backend/.pulumi/stacks/{name}/dev.json")


def _script(name: str, *, threads: int) -> Contestant:
    commands = {verb: (sys.executable, "script.py", verb, str(threads)) for verb in VERBS}
    return Contestant(name, {"script.py": "script.py"}, commands)


NOOP = _pulumi("noop", "noop.py", "noop_provider.py")
SINGLE = _pulumi("single", "single.py")
FLEET = _pulumi("fleet", "fleet.py")
NAIVE = _pulumi("naive", "naive.py")
SCRIPT = _script("script", threads=1)
THREADS = _script("threads", threads=16)
TERRAFORM_CURL = Contestant(
    "terraform", {"lines.tf": "lines.tf"}, TERRAFORM, ("terraform", "init"), "terraform.tfstate"
)
CONTESTANTS = {one.name: one for one in (NOOP, SINGLE, FLEET, NAIVE, SCRIPT, THREADS, TERRAFORM_CURL)}


@dataclass(frozen=True)
class Measured:
    """One command: how it ran, what arrived, and the bytes of the state after it."""

    run: Run
    counted: Counted
    state_bytes: int


class Entrant:
    """A contestant with so many lines, in a separate folder and with a separate account."""

    def __init__(self, contestant: Contestant, folder: Path, server: Server, *, lines: int, delay: float) -> None:
        self.contestant, self.lines = contestant, lines
        self._folder, self._server = folder, server
        self._token = f"{contestant.name}-{lines}-{delay}"
        server.open_account(self._token, lines=lines, delay=delay)
        folder.mkdir(parents=True)
        for source, name in contestant.files.items():
            shutil.copy(SOURCES / source, folder / name)
        (folder / "Pulumi.yaml").write_text(f"name: {contestant.name}\nruntime: python\n")
        (folder / "ids.json").write_text(json.dumps({number: line for line, number in bench_lines(lines)}))
        self._environment = pulumi_environment(
            folder, LINQ_API_V3_BASE_URL=server.url + BASE_PATH, LINQ_API_V3_API_KEY=self._token, CHECKPOINT_DISABLE="1"
        )
        self.problem: str | None = None
        if contestant.setup and (problem := self._run(contestant.setup).problem):
            raise SystemExit(f"{contestant.name} could not be set up: {problem}")

    def measure(self, verb: str) -> Measured:
        """Run one verb; after one that failed the entrant is out."""
        self._declare(changed=-(-self.lines // CHANGED_SHARE) if verb == "change" else 0, verb=verb)
        self._server.start_counting(self._token)
        ended = self._run(self.contestant.commands[verb])
        self.problem = ended.problem
        return Measured(ended, self._server.counted(self._token), self._state_bytes())

    def _declare(self, *, changed: int, verb: str) -> None:
        """Write what the program declares; refresh and destroy come after a change and leave it."""
        if verb not in ("refresh", "destroy"):
            numbers = [number for _, number in bench_lines(self.lines)]
            declared = {number: OTHER_NUMBER if i < changed else NUMBER for i, number in enumerate(numbers)}
            (self._folder / "lines.json").write_text(json.dumps(declared))

    def _run(self, command: Sequence[str]) -> Run:
        return run(command, folder=self._folder, environment=self._environment)

    def _state_bytes(self) -> int:
        state = self._folder / self.contestant.state
        return os.path.getsize(state) if self.contestant.state and state.exists() else 0
