"""What linq-provider costs beside the engine itself: `make bench`.

Each measurement is a pair in one run: a program of N lines, and one of N no-op dynamic resources with the same
inputs and outputs, which is the floor that Pulumi sets. The pairs take turns in who goes first, so that a machine
that slows down is not held against one of them. Prints a table and writes it, with the raw figures, to `bench/`.

BENCH_PAIRS (default 5) and BENCH_LINES (default "100 300") make a run shorter or longer.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pulumi_environment import pulumi_environment

from linq_provider.emulator import Emulator

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
LINES = [int(n) for n in os.environ.get("BENCH_LINES", "100 300").split()]
DELAYS = (0.0, 0.1)  # seconds that the server takes for each answer
RESULTS = Path(__file__).resolve().parent.parent / "bench"

# By reference, like our own provider: a provider written in the program dies in the SDK's pickler at resource 313.
NOOP = """\
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult


class NoopProvider(ResourceProvider):
    serialize_as_secret_always = False

    def __reduce__(self):
        return NoopProvider, ()

    def diff(self, _id, olds, news):
        return DiffResult(changes=olds["forwarding_number"] != news["forwarding_number"])

    def create(self, props):
        return CreateResult(props["phone_number"], {**props, "phone_number_id": props["phone_number"]})

    def update(self, _id, olds, news):
        return UpdateResult({**olds, **news})

    def read(self, id_, props):
        return ReadResult(id_, props)


class Noop(Resource, module="noop", name="Noop"):
    def __init__(self, name, **props):
        super().__init__(NoopProvider(), name, {"phone_number_id": None, **props})
"""
PROGRAM = """\
{imports}

for i in range({lines}):
    {resource}(f"line-{{i}}", phone_number=f"+1202555{{i:05}}", forwarding_number="+12025559999")
"""
VERBS = {
    "up": ["up", "--yes", "--skip-preview"],
    "up again": ["up", "--yes", "--skip-preview", "--expect-no-changes"],
    "refresh": ["refresh", "--yes", "--skip-preview"],
    "destroy": ["destroy", "--yes", "--skip-preview"],
}


@dataclass(frozen=True)
class Sample:
    """One CLI call: seconds of wall time, and the requests that reached the server."""

    subject: str
    lines: int
    delay: float
    verb: str
    seconds: float
    gets: int
    puts: int


class Subject:
    """A stack of N resources, ours or no-ops."""

    def __init__(self, name: str, folder: Path, lines: int, emulator: Emulator) -> None:
        self.name, self.folder, self.lines, self.emulator = name, folder, lines, emulator
        ours = name == "linq"
        folder.mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
        (folder / "noop.py").write_text(NOOP)
        imports = "import linq_provider as linq" if ours else "from noop import Noop"
        resource = "linq.PhoneNumberForwarding" if ours else "Noop"
        program = PROGRAM.format(imports=imports, resource=resource, lines=lines)
        (folder / "__main__.py").write_text(program)
        self.environment = pulumi_environment(
            folder, LINQ_API_V3_BASE_URL=emulator.url, LINQ_API_V3_API_KEY=emulator.api_key
        )
        self.pulumi("stack", "init", "dev")

    def pulumi(self, *args: str) -> float:
        """Run the CLI; returns its wall time in seconds, and ends the bench where it fails."""
        started = time.perf_counter()
        done = subprocess.run(
            ["pulumi", *args, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"pulumi {' '.join(args)} failed for {self.name}:\n{done.stdout}{done.stderr}")
        return time.perf_counter() - started

    def measure(self, verb: str) -> Sample:
        """Run one verb and count what reached the server."""
        self.emulator.clear_requests()
        seconds = self.pulumi(*VERBS[verb])
        methods = [request.method for request in self.emulator.requests]
        counts = methods.count("GET"), methods.count("PUT")
        return Sample(self.name, self.lines, self.emulator.delay, verb, seconds, *counts)


def run_pairs(folder: Path, lines: int, delay: float) -> Iterator[Sample]:
    """All verbs, pair by pair."""
    numbers = [{"id": f"00000000-0000-4000-8000-{i:012}", "phone_number": f"+1202555{i:05}"} for i in range(lines)]
    with Emulator(numbers=numbers, delay=delay) as emulator:
        subjects = [Subject(name, folder / name, lines, emulator) for name in ("linq", "no-op")]
        for pair in range(PAIRS):
            for verb in VERBS:
                for subject in subjects if pair % 2 == 0 else reversed(subjects):
                    yield subject.measure(verb)


def table(samples: list[Sample]) -> str:
    """Medians, spread and the ratio pair by pair, as Markdown."""
    rows = [
        "| lines | server delay | verb | linq, s | no-op, s | ratio: median (lowest to highest pair) | GET | PUT |",
        "|---:|---:|---|---:|---:|---|---:|---:|",
    ]
    for lines, delay, verb in dict.fromkeys((s.lines, s.delay, s.verb) for s in samples):
        same = [s for s in samples if (s.lines, s.delay, s.verb) == (lines, delay, verb)]
        ours = [s for s in same if s.subject == "linq"]
        floor = [s for s in same if s.subject == "no-op"]
        ratios = [a.seconds / b.seconds for a, b in zip(ours, floor, strict=True)]
        medians = [statistics.median(s.seconds for s in of) for of in (ours, floor)]
        rows.append(
            f"| {lines} | {delay * 1000:.0f} ms | {verb} | {medians[0]:.2f} | {medians[1]:.2f} |"
            f" {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
            f" {max(s.gets for s in ours)} | {max(s.puts for s in ours)} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure, print, write."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder:
        for lines in LINES:
            for delay in DELAYS:
                print(f"{PAIRS} pairs of {lines} lines at {delay * 1000:.0f} ms", file=sys.stderr, flush=True)
                samples += run_pairs(Path(folder) / f"{lines}-{delay}", lines, delay)
    text = f"{PAIRS} pairs, Python {platform.python_version()}, {os.cpu_count()} cores.\n\n{table(samples)}\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "overhead.md").write_text(text)
    (RESULTS / "overhead.json").write_text(json.dumps([asdict(sample) for sample in samples], indent=1) + "\n")
    print(f"written to {RESULTS.name}/overhead.md and overhead.json", file=sys.stderr)


if __name__ == "__main__":
    main()
