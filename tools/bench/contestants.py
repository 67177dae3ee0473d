"""The contestants: for each, the files of its folder, the commands of its verbs, and the place of its state."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Counted, Run, Server, run
from bench.results import VERBS
from bench.server import BASE_PATH, bench_lines
from pulumi_environment import pulumi_environment

SOURCES = Path(__file__).with_name("contestants")
NUMBER, OTHER_NUMBER = "+12125559999", "+12125558888"
CHANGED_SHARE = 100  # one line in so many
APPLY = ("terraform", "apply", "-auto-approve", "-input=false", "-no-color")
TERRAFORM = {
    **dict.fromkeys(("up", "up again", "change"), APPLY),
    "refresh": (*APPLY, "-refresh-only"),
    "destroy": ("terraform", "destroy", *APPLY[2:]),
}


@dataclass(frozen=True)
class Contestant:
    """One way to forward lines; `files` of the folder `contestants` are copied under the names given."""

    label: str
    files: Mapping[str, str]
    commands: Mapping[str, Sequence[str]]
    setup: Sequence[str] = ()
    state: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)  # of the stack
    environment: Mapping[str, str] = field(default_factory=dict)
    compared: bool = True

    @property
    def missing(self) -> str | None:
        """The program that this machine would need."""
        programs = [command[0] for command in self.commands.values()]
        return next((program for program in programs if shutil.which(program) is None), None)


def _pulumi(label: str, program: str, *others: str, options: Sequence[str] = (), **more: object) -> Contestant:
    def command(verb: str, *further: str) -> Sequence[str]:
        return ("pulumi", verb, "--yes", "--skip-preview", "--non-interactive", *options, *further)

    commands = {
        **dict.fromkeys(("up", "change"), command("up")),
        "up again": command("up", "--expect-no-changes"),
        "refresh": command("refresh"),
        "destroy": command("destroy"),
    }
    files = {program: "__main__.py", **{other: other for other in others}}
    init = ("pulumi", "stack", "init", "dev", "--non-interactive")
    return Contestant(label, files, commands, init, "backend/.pulumi/stacks/bench/dev.json", **more)  # type: ignore[arg-type]


def _script(label: str, *, threads: int) -> Contestant:
    commands = {verb: (sys.executable, "script.py", verb, str(threads)) for verb in VERBS}
    return Contestant(label, {"script.py": "script.py"}, commands)


ONE_WRITE = {"PULUMI_SKIP_CHECKPOINTS": "true"}
NOOP_FILES = ("noop.py", "noop_provider.py")
CONTESTANTS = {
    "noop": _pulumi("no-op resources", *NOOP_FILES),
    "single": _pulumi("single resources", "single.py"),
    "skip": _pulumi("single resources, skip checkpoints", "single.py", environment=ONE_WRITE),
    "native": _pulumi("native package", "native.py"),
    "native_32": _pulumi("native package, --parallel 32", "native.py", options=("--parallel", "32")),
    "fleet": _pulumi("fleet", "fleet.py"),
    "naive": _pulumi("naive provider", "naive.py"),
    "script": _script("script", threads=1),
    "threads": _script("script, 16 threads", threads=16),
    "terraform": Contestant(
        "Terraform, curl", {"lines.tf": "lines.tf"}, TERRAFORM, ("terraform", "init"), "terraform.tfstate"
    ),
    "noop_skip": _pulumi("no-op resources, skip checkpoints", *NOOP_FILES, environment=ONE_WRITE, compared=False),
    **{
        f"fleet_{calls}": _pulumi(
            f"fleet, {calls} calls at a time",
            "fleet.py",
            settings={"linq:maxConcurrency": str(calls)},
            compared=False,
        )
        for calls in (8, 16, 32, 64)
    },
}


class Entrant:
    """A contestant with so many lines, in a separate folder and with a separate account."""

    def __init__(self, name: str, folder: Path, server: Server, *, lines: int, **service: float) -> None:
        self.name, self.lines = name, lines
        self.problem: str | None = None
        self._contestant = CONTESTANTS[name]
        self._folder, self._server = folder, server
        self._token = f"{name}-{lines}"
        server.open_account(self._token, lines=lines, **service)
        folder.mkdir(parents=True)
        for source, copy in self._contestant.files.items():
            shutil.copy(SOURCES / source, folder / copy)
        plugin = {"name": "linq", "path": str(Path(sys.executable).parent)}
        project = {"name": "bench", "runtime": "python", "plugins": {"providers": [plugin]}}
        (folder / "Pulumi.yaml").write_text(json.dumps(project))
        (folder / "Pulumi.dev.yaml").write_text(json.dumps({"config": dict(self._contestant.settings)}))
        (folder / "ids.json").write_text(json.dumps({number: line for line, number in bench_lines(lines)}))
        self._environment = pulumi_environment(
            folder,
            LINQ_API_V3_BASE_URL=server.url + BASE_PATH,
            LINQ_API_V3_API_KEY=self._token,
            CHECKPOINT_DISABLE="1",
            **self._contestant.environment,
        )
        if self._contestant.setup and (problem := self._run(self._contestant.setup).problem):
            raise SystemExit(f"{self._contestant.label} could not be set up: {problem}")

    def measure(self, verb: str) -> tuple[Run, Counted, int]:
        """Run one verb: how it ran, what arrived, and the bytes of the state after it. After a failure it is out."""
        self._declare(changed=-(-self.lines // CHANGED_SHARE) if verb == "change" else 0, verb=verb)
        self._server.start_counting(self._token)
        ended = self._run(self._contestant.commands[verb])
        self.problem = ended.problem
        return ended, self._server.counted(self._token), self._state_bytes()

    def _declare(self, *, changed: int, verb: str) -> None:
        """Write what the program declares; refresh and destroy come after a change and leave it."""
        if verb not in ("refresh", "destroy"):
            numbers = [number for _, number in bench_lines(self.lines)]
            declared = {number: OTHER_NUMBER if i < changed else NUMBER for i, number in enumerate(numbers)}
            (self._folder / "lines.json").write_text(json.dumps(declared))

    def _run(self, command: Sequence[str]) -> Run:
        return run(command, folder=self._folder, environment=self._environment)

    def _state_bytes(self) -> int:
        state = self._folder / self._contestant.state
        return os.path.getsize(state) if self._contestant.state and state.exists() else 0
