"""Measure linq-provider beside the engine itself and beside other ways to forward lines.

    make bench          the whole plan; writes bench/performance.json
    make bench-quick    every contestant with 10 and 100 lines, and no claims; writes bench/quick.json
    make bench-again    the parts of the last run that were disturbed or not reached
    make bench-report   makes docs/performance.md and its pictures from bench/performance.json

In each turn every contestant of a part runs the same verb before anyone runs the next one, and in each turn another one
goes first, so that a machine that slows down is not held against one of them. If other work ran beside a command, its
round is measured again, and if it stays disturbed, its part at the end of the run. What is disturbed or missing after
that makes the run fail.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import plot, report
from bench.contestants import CONTESTANTS, Entrant
from bench.measure import ROLES, Server
from bench.plan import PLAN, QUICK, SERVICES, Part
from bench.results import Results, Sample, load, save

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "bench" / "performance.json"
DOCUMENT = CHECKOUT / "docs" / "performance.md"
FOREIGN_CORES = 0.2  # more than this, on average during a command, is a disturbance
ATTEMPTS = 3  # of a round


def main() -> None:
    """Measure, or make the document from what was measured."""
    parser = argparse.ArgumentParser(description="Measure linq-provider beside the engine and beside its peers.")
    parser.add_argument("--quick", action="store_true", help="10 and 100 lines, without claims")
    parser.add_argument("--again", action="store_true", help="only what was disturbed or missing in the last run")
    parser.add_argument("--report", action="store_true", help="measure nothing: make docs/performance.md")
    wanted = parser.parse_args()
    # A shell that starts this in the background ignores SIGINT. Pulumi ends its plugins with it, and waits for them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if wanted.report:
        publish(load(RESULTS))
        return
    parts, path = (QUICK, RESULTS.with_name("quick.json")) if wanted.quick else (PLAN, RESULTS)
    if wanted.again:
        results = same_machine(load(path))
    else:
        say(f"about {sum(part.rounds * part.seconds for part in parts) / 60:.0f} minutes on two cores")
        results = measure(parts, path, start(parts))
    results = measure(parts, path, results)
    # Claims compare pairs, which a quick run does not measure, and a run with holes may lack.
    only = ("times", "costs") if wanted.quick or results.run["holes"] else ()
    print("\n\n".join(report.render(results, *only).values()))
    refuse_holes(results)


def refuse_holes(results: Results) -> None:
    """Exit with what is missing or disturbed in a run."""
    if results.run["holes"]:
        raise SystemExit(f"The run has holes: {'; '.join(results.run['holes'])}. Measure again on a quiet machine.")


def publish(results: Results) -> None:
    """Make the document, its JSON and its pictures from a run without holes."""
    refuse_holes(results)
    save(results, DOCUMENT.with_suffix(".json"))
    DOCUMENT.write_text(report.rewrite(DOCUMENT.read_text(), results))
    plot.draw(results, DOCUMENT.parent)


def start(parts: Sequence[Part]) -> Results:
    """A run in which nothing has been measured yet."""
    return Results({**about(), "holes": [f"{part} was not measured" for part in parts]}, [])


def same_machine(results: Results) -> Results:
    """The results, if this machine and its versions are those of their run."""
    now = about()
    if any(results.run[name] != now[name] for name in ("versions", "cores", "memory_gb", "missing")):
        raise SystemExit("The last run was made with other versions, or on another machine. Run `make bench`.")
    return results


def measure(parts: Sequence[Part], path: Path, results: Results) -> Results:
    """Measure the parts with holes, and save after each part, so that nothing is lost if the run is interrupted."""
    started, minutes = time.monotonic(), results.run["minutes"]
    for part in [part for part in parts if any(part.is_named(hole) for hole in results.run["holes"])]:
        say(f"{part}: {part.rounds} rounds, about {part.rounds * part.seconds / 60:.1f} minutes")
        samples = [sample for index in range(part.rounds) for sample in quiet_round(part, index)]
        results.samples[:] = [each for each in results.samples if not part.has(each)] + samples
        problems = dict.fromkeys(f"{part}: {problem}" for sample in samples if (problem := hole(sample)))
        others = [each for each in results.run["holes"] if not part.is_named(each)]
        results.run["holes"] = [*others, *problems]
        results.run["minutes"] = round(minutes + (time.monotonic() - started) / 60, 1)
        save(results, path)
    return results


def hole(sample: Sample) -> str | None:
    """Why a sample cannot be used. Only the naive provider may fail."""
    if sample.problem and sample.contestant != "naive":
        return f"{sample.contestant} failed: {sample.problem}"
    return f"other work ran beside {sample.contestant}" if sample.foreign > FOREIGN_CORES else None


def quiet_round(part: Part, index: int) -> list[Sample]:
    """The samples of a round; it is measured again while other work runs beside it, up to three times."""
    for _ in range(ATTEMPTS):
        samples = one_round(part, index)
        disturbed = [sample for sample in samples if sample.foreign > FOREIGN_CORES]
        if not disturbed:
            break
        worst = max(disturbed, key=lambda sample: sample.foreign)
        say(f"{part}: other work used {worst.foreign:.2f} cores beside {worst.contestant}, {worst.verb}")
    return samples


def one_round(part: Part, index: int) -> list[Sample]:
    """Every verb of a part, with new stacks and a new server; who failed is left out of the rest."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder, Server() as server:
        entrants = [
            Entrant(name, Path(folder) / f"{name}-{lines}", server, lines=lines, **SERVICES[part.service])
            for name, lines in part.entries
            if CONTESTANTS[name].missing is None
        ]
        for step, verb in enumerate(part.verbs):
            turn = index * len(part.verbs) + step
            first = (turn + index) % len(entrants)
            for entrant in entrants[first:] + entrants[:first]:
                if entrant.problem is None:
                    samples.append(_sample(part, entrant, turn, verb))
    return samples


def _sample(part: Part, entrant: Entrant, turn: int, verb: str) -> Sample:
    run, counted, state_bytes = entrant.measure(verb)
    return Sample(
        part=part.name,
        contestant=entrant.name,
        lines=entrant.lines,
        service=part.service,
        turn=turn,
        verb=verb,
        seconds=round(run.seconds, 3),
        gets=counted.gets,
        puts=counted.puts,
        refused=counted.refused,
        span=round(counted.span, 4),
        busy=round(counted.busy, 4),
        **{f"{role}_mb": round(run.peaks.get(role, 0), 1) for role in ROLES},
        state_bytes=state_bytes,
        foreign=round(max(0, run.elsewhere - counted.busy) / run.seconds, 3),
        problem=run.problem,
    )


def about() -> dict[str, Any]:
    """What the run is, and on what."""
    return {
        "id": uuid.uuid4().hex[:12],
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "minutes": 0.0,
        "versions": {
            "linq-provider": version("linq-provider"),
            "Python": platform.python_version(),
            "pulumi": version("pulumi"),
            "Pulumi CLI": _version_of("pulumi"),
            "linq-python": version("linq-python"),
            "Terraform": _version_of("terraform"),
        },
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "load": os.getloadavg()[0],
        "missing": [f"{one.label} (no {one.missing})" for one in CONTESTANTS.values() if one.missing],
    }


def _version_of(program: str) -> str | None:
    if shutil.which(program) is None:
        return None
    answer = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    return answer.split("\n")[0].split()[-1].removeprefix("v")


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
