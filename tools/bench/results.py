"""What a run of `make bench` measured, as it lies in its JSON file."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

LABELS = {
    "noop": "no-op resources",
    "single": "single resources",
    "fleet": "fleet",
    "naive": "naive provider",
    "script": "script",
    "threads": "script, 16 threads",
    "terraform": "Terraform, curl",
}
VERBS = {"up": "up", "up again": "up, no change", "change": "1 % changed", "refresh": "refresh", "destroy": "destroy"}
BIG = ("peers", "large")  # how the names of the parts begin that compare everybody


@dataclass(frozen=True)
class Sample:
    """One command of one contestant.

    `span` is the seconds from the first request to the last, `busy` those of them that the server computed. Memory is
    the peak of a process in MB: `client` talks to Linq, `engine` is Pulumi or Terraform, `program` the user's program;
    0 where there is none. `problem` says why the command failed.
    """

    part: str
    contestant: str
    lines: int
    delay_ms: int
    round: int
    verb: str
    seconds: float
    gets: int
    puts: int
    span: float
    busy: float
    client_mb: float
    engine_mb: float
    program_mb: float
    state_bytes: int
    problem: str | None


COLUMNS = [field.name for field in fields(Sample)]


@dataclass(frozen=True)
class Results:
    """One run: what it ran on and with, what the servers can do, every sample, and small figures in seconds."""

    run: dict[str, Any]
    requests_per_second: dict[str, float]
    samples: list[Sample]
    small: dict[str, list[float]] = field(default_factory=dict)  # empty where it was not measured

    def of(self, part: str, contestant: str, verb: str, **where: Any) -> list[Sample]:
        """The samples of one measurement of a part, by round; those that failed are not among them."""
        return [
            sample
            for sample in self.samples
            if (sample.part, sample.contestant, sample.verb) == (part, contestant, verb)
            and sample.problem is None
            and all(getattr(sample, name) == value for name, value in where.items())
        ]

    def compared(self) -> list[tuple[int, int, str]]:
        """Delay, lines and contestant of everything in the parts that compare everybody, in the order of tables."""
        rows = {(s.delay_ms, s.lines, s.contestant) for s in self.samples if s.part.startswith(BIG)}
        order = list(LABELS)
        return sorted(rows, key=lambda row: (row[0], row[1], order.index(row[2])))

    def sizes(self, contestant: str, *, delay_ms: int = 0) -> list[int]:
        """The numbers of lines that a contestant was compared with."""
        return [lines for delay, lines, name in self.compared() if (name, delay) == (contestant, delay_ms)]

    def entries(self, contestant: str, *, lines: int, delay_ms: int = 0, verb: str | None = None) -> list[Sample]:
        """Its samples in the parts that compare everybody, failed ones too."""
        return [
            sample
            for sample in self.samples
            if sample.part.startswith(BIG)
            and (sample.contestant, sample.lines, sample.delay_ms) == (contestant, lines, delay_ms)
            and verb in (None, sample.verb)
        ]

    def median(self, contestant: str, *, lines: int, verb: str, delay_ms: int = 0) -> float | None:
        """The median wall time of these, None where nothing was measured or it failed."""
        samples = self.entries(contestant, lines=lines, delay_ms=delay_ms, verb=verb)
        seconds = [sample.seconds for sample in samples if sample.problem is None]
        return statistics.median(seconds) if seconds else None


def load(path: Path) -> Results:
    """Read a run."""
    saved = json.loads(path.read_text())
    if saved["columns"] != COLUMNS:
        raise SystemExit(f"{path} was written by another version of the benchmark. Run `make bench` again.")
    samples = [Sample(*row) for row in saved["samples"]]
    return Results(saved["run"], saved["requests_per_second"], samples, saved.get("small", {}))


def save(results: Results, path: Path) -> None:
    """Write a run, one sample a line."""
    head = {
        "run": results.run,
        "requests_per_second": results.requests_per_second,
        "small": results.small,
        "columns": COLUMNS,
    }
    rows = [json.dumps([getattr(sample, name) for name in COLUMNS]) for sample in results.samples]
    text = json.dumps(head, indent=1).removesuffix("\n}")
    path.write_text(text + ',\n "samples": [\n' + ",\n".join(rows) + "\n]}\n")


def ratios(ours: Iterable[Sample], theirs: Iterable[Sample], of: Callable[[Sample, Sample], float]) -> list[float]:
    """The ratio of each pair, which is what was measured in the same round."""
    by_round = {sample.round: sample for sample in theirs}
    return [of(sample, by_round[sample.round]) for sample in ours if sample.round in by_round]


def interval(values: Iterable[float]) -> tuple[float, float] | None:
    """Where the median lies with at least 95 % confidence, by order statistics; None for fewer than six values.

    Nothing is assumed about how the values scatter: of n values, the k-th lowest and the k-th highest enclose the
    median unless fewer than k fall on one side of it.
    """
    ordered = sorted(values)
    count = len(ordered)
    outside, rank = 0.0, 0
    while 2 * (outside + math.comb(count, rank) / 2**count) <= 0.05:
        outside += math.comb(count, rank) / 2**count
        rank += 1
    return (ordered[rank - 1], ordered[count - rank]) if rank else None
