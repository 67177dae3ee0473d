"""The tables of docs/performance.md, made from the JSON of a run."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.claims import findings
from bench.results import LABELS, VERBS, Results, Sample

OURS = ("single", "fleet")
PEERS = ("naive", "script", "threads", "terraform")


def render(results: Results) -> dict[str, str]:
    """Each table by its name."""
    return {name: "\n".join(rows(results)) for name, rows in TABLES.items()}


def rewrite(document: str, results: Results) -> str:
    """The document with each table between its two markers generated again."""
    for name, text in render(results).items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(document)) != 1:
            raise SystemExit(f"The document needs the markers {begin} and {end} once.")
        document = pattern.sub(lambda _, new=f"{begin}\n{text}\n{end}": new, document)  # type: ignore[misc]
    return document


def update(path: Path, results: Results) -> None:
    """Rewrite a document in place."""
    path.write_text(rewrite(path.read_text(), results))


def run_rows(results: Results) -> Iterator[str]:
    """What was run, where, and what of the plan is missing."""
    run = results.run
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    yield f"Run `{run['id']}` of {run['date']}, {run['minutes']:.0f} minutes: {versions}; {run['cores']} cores,"
    yield f"{run['memory_gb']} GB, load {run['load']:.1f} before it began; file backend, every command with"
    yield "`--skip-preview`, packages from PyPI."
    if missing := run["missing"] + run["unfinished"]:
        yield ""
        yield f"**Not in this run: {', '.join(missing)}.** A figure of another run is never put in its place."
    if run["note"]:
        yield ""
        yield f"**{run['note']}**"


def claim_rows(results: Results) -> Iterator[str]:
    """Each claim, and the result of the run for it."""
    yield "| claim | measured | lowest to highest | 95 % interval | bound | n | |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for one in findings(results):
        cells = (one.claim, one.measured, one.spread, one.interval, one.bound, one.count, one.verdict)
        yield f"| {' | '.join(map(str, cells))} |"


def time_rows(results: Results) -> Iterator[str]:
    """Wall time of every contestant, size and verb."""
    yield "| delay | lines | contestant | " + " | ".join(f"{shown}, s" for shown in VERBS.values()) + " | runs |"
    yield "|---:|---:|---|" + "---:|" * len(VERBS) + "---:|"
    for delay_ms, lines, contestant in results.compared():
        cells = [
            _seconds_cell(results.entries(contestant, lines=lines, delay_ms=delay_ms, verb=verb)) for verb in VERBS
        ]
        runs = len({sample.round for sample in results.entries(contestant, lines=lines, delay_ms=delay_ms)})
        yield f"| {delay_ms} ms | {lines:,} | {LABELS[contestant]} | " + " | ".join(cells) + f" | {runs} |"
    for sample in results.samples:
        if sample.problem:
            yield ""
            yield f"The {LABELS[sample.contestant]} failed with {sample.lines:,} lines at {sample.delay_ms} ms, after"
            yield f"{sample.puts:,} PUT and {_shown(sample.seconds)} s: `{sample.problem}`"


def cost_rows(results: Results) -> Iterator[str]:
    """Requests by method, peak memory, and bytes of state, at 0 ms."""
    yield (
        "| lines | contestant | "
        + " | ".join(f"{shown}: GET, PUT" for shown in VERBS.values())
        + " | provider or script, MB | engine, MB | program, MB | state, kB |"
    )
    yield "|---:|---|" + "---:|" * (len(VERBS) + 4)
    for delay_ms, lines, contestant in results.compared():
        if delay_ms == 0:
            samples = results.entries(contestant, lines=lines, delay_ms=delay_ms)
            cells = [
                _requests_cell(results.entries(contestant, lines=lines, delay_ms=delay_ms, verb=verb)) for verb in VERBS
            ]
            cells += [_peak(sample.client_mb for sample in samples), _peak(sample.engine_mb for sample in samples)]
            cells += [_peak(sample.program_mb for sample in samples)]
            cells += [_peak(sample.state_bytes / 1000 for sample in samples)]
            yield f"| {lines:,} | {LABELS[contestant]} | " + " | ".join(cells) + " |"


def growth_rows(results: Results) -> Iterator[str]:
    """The engine's own cost, what each line more than in the row before adds, and what our resource adds to it."""
    yield "| lines | verb | no-op, s | each further line, ms | single on top, per line, ms | fleet, s |"
    yield "|---:|---|---:|---:|---:|---:|"
    for verb, shown in VERBS.items():
        before: tuple[int, float] | None = None
        for lines in results.sizes("noop"):
            floor, ours, fleet = (results.median(name, lines=lines, verb=verb) for name in ("noop", "single", "fleet"))
            if floor is None:
                continue
            further = f"{(floor - before[1]) / (lines - before[0]) * 1000:.1f}" if before else "-"
            on_top = f"{(ours - floor) / lines * 1000:.1f}" if ours else "-"
            yield f"| {lines:,} | {shown} | {_shown(floor)} | {further} | {on_top} | {_shown(fleet)} |"
            before = (lines, floor)


def faster_rows(results: Results) -> Iterator[str]:
    """Where a peer needs less time than the faster one of our two."""
    yield "| delay | lines | peer | " + " | ".join(VERBS.values()) + " |"
    yield "|---:|---:|---|" + "---:|" * len(VERBS)
    for delay_ms, lines, peer in results.compared():
        if peer in PEERS:
            cells = [_faster_cell(results, peer, lines, delay_ms, verb) for verb in VERBS]
            if set(cells) != {"-"}:
                yield f"| {delay_ms} ms | {lines:,} | {LABELS[peer]} | " + " | ".join(cells) + " |"


def small_rows(results: Results) -> Iterator[str]:
    """What is paid once."""
    if not results.small:
        yield "Not measured in this run."
        return
    yield "| what | median, ms | lowest to highest | n |"
    yield "|---|---:|---:|---:|"
    for what, seconds in results.small.items():
        middle, low, high = (of(seconds) * 1000 for of in (statistics.median, min, max))
        yield f"| {what} | {middle:.1f} | {low:.1f} to {high:.1f} | {len(seconds)} |"


def server_rows(results: Results) -> Iterator[str]:
    """What the server can do, what it was asked, and how busy it was."""
    able = results.requests_per_second
    yield f"16 clients that do nothing else get {able['lean']:,.0f} answers a second from this server, and"
    yield f"{able['emulator']:,.0f} from the emulator."
    busiest = [sample for sample in results.samples if sample.puts >= 100 and sample.span > 0]
    if busiest:
        asked = max(busiest, key=lambda sample: sample.puts / sample.span)
        busy = max(busiest, key=lambda sample: sample.busy / sample.span)
        yield f"The most that was asked of it, by the {LABELS[asked.contestant]} with {asked.lines:,} lines, was"
        yield f"{asked.puts / asked.span:,.0f} PUT a second. Between the first request of a command and the last it"
        share = f"{busy.busy / busy.span:.0%}"
        yield f"computed for at most {share} of the time ({LABELS[busy.contestant]}, {busy.lines:,} lines)."


def guide_rows(results: Results) -> Iterator[str]:
    """The guidance, in figures."""
    for lines in results.sizes("single"):
        cells = []
        for verb in ("up", "up again", "refresh"):
            ours, fleet = (results.median(name, lines=lines, verb=verb) for name in OURS)
            cells.append(f"{VERBS[verb]} {_shown(ours)} s, as a fleet {_shown(fleet)} s")
        yield f"- {lines:,} lines as single resources: {'; '.join(cells)}."
    for lines in results.sizes("fleet"):
        if lines not in results.sizes("single"):
            cells = [
                f"{shown} {_shown(results.median('fleet', lines=lines, verb=verb))} s" for verb, shown in VERBS.items()
            ]
            yield f"- {lines:,} lines as a fleet: {'; '.join(cells)}."
    whole, split = 300, 100
    if (one := results.median("single", lines=whole, verb="up")) and (
        part := results.median("single", lines=split, verb="up")
    ):
        yield f"- {whole} single resources in one stack: `up` {_shown(one)} s; in three stacks of {split}: three times"
        yield f"  {_shown(part)} s, one after the other, and what changes is in one of them."


TABLES: dict[str, Callable[[Results], Iterator[str]]] = {
    "run": run_rows,
    "claims": claim_rows,
    "guide": guide_rows,
    "growth": growth_rows,
    "faster": faster_rows,
    "times": time_rows,
    "costs": cost_rows,
    "small": small_rows,
    "server": server_rows,
}


def _seconds_cell(samples: list[Sample]) -> str:
    if any(sample.problem for sample in samples):
        return "failed"
    if not samples:
        return "-"
    seconds = [sample.seconds for sample in samples]
    spread = f" ({_shown(min(seconds))} to {_shown(max(seconds))})" if len(seconds) > 1 else ""
    return f"{_shown(statistics.median(seconds))}{spread}"


def _requests_cell(samples: list[Sample]) -> str:
    if not samples:
        return "-"
    return f"{max(sample.gets for sample in samples):,}, {max(sample.puts for sample in samples):,}"


def _faster_cell(results: Results, peer: str, lines: int, delay_ms: int, verb: str) -> str:
    theirs = results.median(peer, lines=lines, verb=verb, delay_ms=delay_ms)
    ours = [seconds for name in OURS if (seconds := results.median(name, lines=lines, verb=verb, delay_ms=delay_ms))]
    if theirs is None or not ours or theirs >= min(ours):
        return "-"
    return f"{_shown(theirs)} s for {_shown(min(ours))} s"


def _peak(values: Iterable[float]) -> str:
    highest = max(values, default=0)
    return f"{highest:,.0f}" if highest else "-"


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"
