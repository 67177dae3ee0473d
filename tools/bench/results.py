"""What a run of `make bench` measured, and the statistics of it."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

VERBS = {"up": "up", "up again": "up, no change", "change": "1 % changed", "refresh": "refresh", "destroy": "destroy"}
COMPARED = "compare"  # the part that compares every contestant


@dataclass(frozen=True)
class Sample:
    """One command of one contestant.

    `turn` is the same for the commands that were measured one after the other. `refused` counts the answers 429.
    `span` is the seconds from the first request to the last, `busy` the seconds of them that the server computed.
    Memory is the peak of a process in MB: `client` talks to Linq, `engine` is Pulumi or Terraform, `program` is the
    user's program; 0 where there is none. `foreign` is the average number of cores that other work used. `problem` says
    why the command failed.
    """

    part: str
    contestant: str
    lines: int
    service: str
    turn: int
    verb: str
    seconds: float
    gets: int
    puts: int
    refused: int
    span: float
    busy: float
    client_mb: float
    engine_mb: float
    program_mb: float
    state_bytes: int
    foreign: float
    problem: str | None


COLUMNS = [field.name for field in fields(Sample)]


@dataclass(frozen=True)
class Results:
    """One run: what it ran on and with, and every sample."""

    run: dict[str, Any]
    samples: list[Sample]

    def of(self, part: str, contestant: str, **where: Any) -> list[Sample]:
        """The samples of a contestant in a part, in the order of their turns; those that failed too."""
        wanted = {"part": part, "contestant": contestant, **where}
        return [one for one in self.samples if all(getattr(one, name) == value for name, value in wanted.items())]

    def sizes(self, contestant: str, service: str) -> list[int]:
        """The numbers of lines that a contestant was compared with."""
        return sorted({one.lines for one in self.of(COMPARED, contestant, service=service)})

    def median(self, contestant: str, **where: Any) -> float | None:
        """The median wall time where contestants are compared; None if nothing was measured or a command failed."""
        samples = self.of(COMPARED, contestant, **where)
        if not samples or any(one.problem for one in samples):
            return None
        return statistics.median(one.seconds for one in samples)


def load(path: Path) -> Results:
    """Read a run."""
    if not path.exists():
        raise SystemExit(f"There is no {path}. Run `make bench` first.")
    saved = json.loads(path.read_text())
    if saved["columns"] != COLUMNS:
        raise SystemExit(f"Another version of the benchmark wrote {path}. Run `make bench` again.")
    return Results(saved["run"], [Sample(*row) for row in saved["samples"]])


def save(results: Results, path: Path) -> None:
    """Write a run, one sample a line."""
    head = json.dumps({"run": results.run, "columns": COLUMNS}, indent=1).removesuffix("\n}")
    rows = ",\n".join(json.dumps([getattr(one, name) for name in COLUMNS]) for one in results.samples)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{head},\n "samples": [\n{rows}\n]}}\n')


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
