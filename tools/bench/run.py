"""Measure the parts of a plan, in turns."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.capacity import capacities
from bench.contestants import CONTESTANTS, Entrant, Measured
from bench.measure import Server
from bench.plan import Part, left_out
from bench.results import VERBS, Results, Sample, save
from bench.small import small_figures


def run(parts: Sequence[Part], *, note: str, path: Path) -> Results:
    """Measure, and write after each part, so that nothing is lost when the run is interrupted."""
    started = time.monotonic()
    results = Results(about(parts, note), capacities(), [], small_figures())
    path.parent.mkdir(exist_ok=True)
    for done, part in enumerate(parts):
        minutes = part.rounds * part.seconds / 60
        say(f"{part}: {part.rounds} rounds, about {minutes:.1f} minutes")
        with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder, Server() as server:
            results.samples.extend(measure(part, Path(folder), server))
        results.run["minutes"] = round((time.monotonic() - started) / 60, 1)
        results.run["unfinished"] = [str(later) for later in parts[done + 1 :]]
        save(results, path)
    return results


def measure(part: Part, folder: Path, server: Server) -> Iterator[Sample]:
    """Every round of a part; who failed, or lacks a program, is left out of the rest."""
    entrants = [
        Entrant(CONTESTANTS[name], folder / f"{name}-{lines}", server, lines=lines, delay=part.delay_ms / 1000)
        for name, lines in part.entries
        if CONTESTANTS[name].missing is None
    ]
    for index in range(part.rounds):
        first = index % len(entrants)
        for verb in VERBS:
            for entrant in entrants[first:] + entrants[:first]:
                if entrant.problem is None:
                    yield _sample(part, entrant, index, verb, entrant.measure(verb))
                    if entrant.problem:
                        say(f"{part}: {entrant.contestant.name} failed and is out: {entrant.problem}")


def _sample(part: Part, entrant: Entrant, index: int, verb: str, measured: Measured) -> Sample:
    run, counted = measured.run, measured.counted
    return Sample(
        part=part.name,
        contestant=entrant.contestant.name,
        lines=entrant.lines,
        delay_ms=part.delay_ms,
        round=index,
        verb=verb,
        seconds=round(run.seconds, 3),
        gets=counted.gets,
        puts=counted.puts,
        span=round(counted.span, 4),
        busy=round(counted.busy, 4),
        client_mb=round(run.peaks.get("client", 0), 1),
        engine_mb=round(run.peaks.get("engine", 0), 1),
        program_mb=round(run.peaks.get("program", 0), 1),
        state_bytes=measured.state_bytes,
        problem=run.problem,
    )


def about(parts: Sequence[Part], note: str) -> dict[str, Any]:
    """What the run is, and on what."""
    absent = {name: program for name, one in CONTESTANTS.items() if (program := one.missing)}
    return {
        "id": uuid.uuid4().hex[:12],
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "minutes": 0.0,
        "versions": {
            "linq-provider": version("linq-provider"),
            "Python": platform.python_version(),
            "pulumi": version("pulumi"),
            "Pulumi CLI": _version_of("pulumi", "version"),
            "linq-python": version("linq-python"),
            "Terraform": _version_of("terraform", "version"),
        },
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load": os.getloadavg()[0],
        "missing": left_out(parts) + [f"{name} (no {program} on this machine)" for name, program in absent.items()],
        "note": note,
    }


def _version_of(program: str, command: str) -> str | None:
    if shutil.which(program) is None:
        return None
    answer = subprocess.run([program, command], capture_output=True, text=True, check=False).stdout
    return answer.split("\n")[0].split()[-1].removeprefix("v")


def hear_sigint() -> None:
    """Hear SIGINT, in the commands too, where a shell started this in the background with the signal ignored.

    The engine ends its plugins with it, and waits 5 seconds for those that ignore it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
