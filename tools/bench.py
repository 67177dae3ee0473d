"""What linq-provider costs, beside the engine itself and beside other ways to forward lines: `make bench`.

    python tools/bench.py [--only PART ...] [--pairs N] [--quick]     measure; writes bench/performance.json
    python tools/bench.py --report FILE.json                          make docs/performance.* from it

Everything is measured in one run, in turns: in each round every contestant of a part runs the same verb before anyone
runs the next, and in each round somebody else goes first, so that a machine that slows down is not held against one
of them. The claims rest on nine pairs. A run is never put together from several: the tables say what was left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bench_plot
import bench_report
from bench_plan import PAIRS, PLAN, QUICK_PAIRS, planned
from bench_results import Results, load, save
from bench_run import hear_sigint, run, say

CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = CHECKOUT / "bench" / "performance.json"
DOCUMENT = CHECKOUT / "docs" / "performance.md"


def main() -> None:
    """Print the plan, measure, print the tables."""
    parser = argparse.ArgumentParser(description="Measure linq-provider beside the engine's floor and its peers.")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help="such as: fleet single 10 1000 large")
    parser.add_argument("--pairs", type=int, metavar="N", help=f"rounds of the parts with a claim; {PAIRS} by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and no peers beyond 300 lines")
    parser.add_argument("--note", default="", help="a sentence for the document, such as what else the machine did")
    parser.add_argument("--report", type=Path, metavar="FILE", help="measure nothing: make docs/performance.* from it")
    wanted = parser.parse_args()
    hear_sigint()
    bench_plot.require()
    if wanted.report:
        report(load(wanted.report))
        return
    pairs = wanted.pairs or (QUICK_PAIRS if wanted.quick else PAIRS)
    parts = planned(only=wanted.only, pairs=pairs, quick=wanted.quick)
    if not parts:
        raise SystemExit(f"No part is called so. The parts: {', '.join(dict.fromkeys(part.name for part in PLAN))}.")
    for part in parts:
        who = ", ".join(f"{name} {lines:,}" for name, lines in part.entries)
        say(f"planned: {part}, {part.rounds} rounds of {who}")
    say(f"about {sum(part.rounds * part.seconds for part in parts) / 60:.0f} minutes on two cores")
    results = run(parts, note=wanted.note, path=RESULTS)
    for text in bench_report.render(results).values():
        print(f"{text}\n")
    bench_plot.draw(results, RESULTS.with_suffix(".png"))
    say("written to bench/performance.json, with a picture; `bench.py --report` makes docs/performance.* from it")


def report(results: Results) -> None:
    """Make the document, its JSON and its picture from a run."""
    save(results, DOCUMENT.with_suffix(".json"))
    bench_report.update(DOCUMENT, results)
    bench_plot.draw(results, DOCUMENT.with_suffix(".png"))
    say(f"written: {', '.join(f'docs/{DOCUMENT.stem}.{kind}' for kind in ('md', 'json', 'png'))}")


if __name__ == "__main__":
    main()
