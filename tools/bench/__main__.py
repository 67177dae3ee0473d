"""What linq-provider costs, beside the engine itself and beside other ways to forward lines: `make bench`.

    cd tools && python -m bench [--only PART ...] [--pairs N] [--quick]     measure; writes bench/performance.json
    cd tools && python -m bench --report FILE.json                          make docs/performance.* from it

Everything is measured in one run, in turns: in each round every contestant of a part runs the same verb before anyone
runs the next, and in each round somebody else goes first, so that a machine that slows down is not held against one
of them. The claims rest on nine pairs. A run is never put together from several: the tables say what was left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import plot, report
from bench.plan import PAIRS, PLAN, QUICK_PAIRS, planned
from bench.results import Results, load, save
from bench.run import hear_sigint, run, say

CHECKOUT = Path(__file__).resolve().parents[2]
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
    plot.require()
    if wanted.report:
        publish(load(wanted.report))
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
    for text in report.render(results).values():
        print(f"{text}\n")
    plot.draw(results, RESULTS.with_suffix(".png"))
    say(
        "written to bench/performance.json, with a picture; `python -m bench --report` makes docs/performance.* from it"
    )


def publish(results: Results) -> None:
    """Make the document, its JSON and its picture from a run."""
    save(results, DOCUMENT.with_suffix(".json"))
    report.update(DOCUMENT, results)
    plot.draw(results, DOCUMENT.with_suffix(".png"))
    say(f"written: {', '.join(f'docs/{DOCUMENT.stem}.{kind}' for kind in ('md', 'json', 'png'))}")


if __name__ == "__main__":
    main()
