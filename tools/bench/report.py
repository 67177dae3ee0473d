"""The tables of docs/performance.md, made from the JSON of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from bench.claims import findings
from bench.contestants import CONTESTANTS
from bench.measure import ROLES
from bench.plan import AT_ONCE, SERVICES, WIRE
from bench.results import COMPARED, VERBS, Results, Sample


def render(results: Results, *only: str) -> dict[str, str]:
    """Each table by its name, or only those that are named."""
    return {name: "\n".join(TABLES[name](results)) for name in only or TABLES}


def rewrite(document: str, results: Results) -> str:
    """The document with each table between its two markers generated again."""
    for name, text in render(results).items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if (document.count(begin), document.count(end)) != (1, 1):
            raise SystemExit(f"The document needs the markers {begin} and {end} once.")
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n{text}\n{end}{after}"
    return document


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1) -> Iterator[str]:
    """A table in Markdown; its first columns are words, the others are figures."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * words}{'---:|' * (len(heads) - words)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def run_rows(results: Results) -> Iterator[str]:
    """What was run, and where."""
    run = results.run
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    disturbance = max(one.foreign for one in results.samples)
    yield f"Run `{run['id']}` of {run['date']}, {run['minutes']:.0f} minutes: {versions}; {run['cores']} cores,"
    yield f"{run['memory_gb']} GB, load {run['load']:.1f} before it began; file backend, every command with"
    yield f"`--skip-preview`. During a command, other work used at most {disturbance:.2f} cores on average."
    if run["missing"]:
        yield f"Not on this machine: {', '.join(run['missing'])}."


def claim_rows(results: Results) -> Iterator[str]:
    """Each claim, and the result of the run for it."""
    heads = ("claim", "", "measured", "lowest to highest", "95 % interval", "bound", "n")
    rows = (
        (one.claim, one.verdict, one.measured, one.spread, one.interval, one.bound, one.count)
        for one in findings(results)
    )
    yield from table(heads, rows, words=2)


def compared(results: Results) -> Iterator[tuple[str, int, str]]:
    """Service, lines and contestant of everything that was compared, in the order of tables."""
    for service in SERVICES:
        for lines in sorted({one.lines for one in results.samples if one.part == COMPARED}):
            for name in CONTESTANTS:
                if results.of(COMPARED, name, lines=lines, service=service):
                    yield service, lines, name


def time_rows(results: Results) -> Iterator[str]:
    """Wall time of every contestant, size and verb."""
    rows = []
    for service, lines, name in compared(results):
        cells = [_time(results, name, lines=lines, service=service, verb=verb) for verb in VERBS]
        rows.append((CONTESTANTS[name].label, service, f"{lines:,}", *cells))
    yield from table(("contestant", "server", "lines", *(f"{verb}, s" for verb in VERBS.values())), rows)
    for one in results.samples:
        if one.problem:
            yield ""
            yield f"The {CONTESTANTS[one.contestant].label} failed with {one.lines:,} lines after {one.puts:,} PUT"
            yield f"and {_shown(one.seconds)} s: `{one.problem}`"


def cost_rows(results: Results) -> Iterator[str]:
    """Requests by method, peak memory and bytes of state, if the server answers at once."""
    rows = []
    for service, lines, name in compared(results):
        samples = results.of(COMPARED, name, lines=lines, service=service)
        if service == AT_ONCE:
            requests = [_requests([one for one in samples if one.verb == verb]) for verb in VERBS]
            peaks = [_peak(getattr(one, f"{role}_mb") for one in samples) for role in ROLES]
            state = _peak(one.state_bytes / 1000 for one in samples)
            rows.append((CONTESTANTS[name].label, f"{lines:,}", *requests, *peaks, state))
    memory = ("provider or script, MB", "program, MB", "engine, MB", "state, kB")
    yield from table(("contestant", "lines", *(f"{verb}: GET, PUT" for verb in VERBS.values()), *memory), rows)


def growth_rows(results: Results) -> Iterator[str]:
    """What one more line costs an `up`, compared with the size before."""
    rows = []
    for name in ("noop", "single", "skip", "fleet"):
        known: tuple[int, float] | None = None
        for lines in results.sizes(name, AT_ONCE):
            seconds = results.median(name, lines=lines, service=AT_ONCE, verb="up")
            if seconds is None:
                continue
            further = f"{(seconds - known[1]) / (lines - known[0]) * 1000:.1f}" if known else "-"
            rows.append((CONTESTANTS[name].label, f"{lines:,}", _shown(seconds), further))
            known = (lines, seconds)
    yield from table(("contestant", "lines", "up, s", "each further line, ms"), rows)


def wire_rows(results: Results) -> Iterator[str]:
    """The calls of a fleet under way, against each kind of server."""
    rows = []
    for service in SERVICES:
        for name, one in CONTESTANTS.items():
            if samples := results.of(WIRE, name, service=service):
                refused = statistics.median(sample.refused for sample in samples)
                rows.append((service, one.label, _spread([sample.seconds for sample in samples]), f"{refused:.0f}"))
    yield from table(("server", "contestant", "up, s", "answers 429"), rows, words=2)


def server_rows(results: Results) -> Iterator[str]:
    """What was asked of the server, and how busy it was."""
    busiest = [one for one in results.samples if one.puts >= 100 and one.span > 0]
    asked = max(busiest, key=lambda one: one.puts / one.span)
    busy = max(busiest, key=lambda one: one.busy / one.span)
    yield f"The most that was asked of it, by the {_named(asked)}, was {asked.puts / asked.span:,.0f} PUT a second."
    yield "Between the first request of a command and the last one, it computed for at most"
    yield f"{busy.busy / busy.span:.0%} of the time ({_named(busy)})."


TABLES = {
    "run": run_rows,
    "claims": claim_rows,
    "growth": growth_rows,
    "times": time_rows,
    "costs": cost_rows,
    "wire": wire_rows,
    "server": server_rows,
}


def _named(sample: Sample) -> str:
    return f"{CONTESTANTS[sample.contestant].label} with {sample.lines:,} lines"


def _time(results: Results, name: str, **where: object) -> str:
    samples = results.of(COMPARED, name, **where)
    if not samples:
        return "-"
    return "failed" if any(one.problem for one in samples) else _spread([one.seconds for one in samples])


def _spread(seconds: list[float]) -> str:
    spread = f" ({_shown(min(seconds))} to {_shown(max(seconds))})" if len(seconds) > 1 else ""
    return f"{_shown(statistics.median(seconds))}{spread}"


def _requests(samples: list[Sample]) -> str:
    return f"{max(one.gets for one in samples):,}, {max(one.puts for one in samples):,}" if samples else "-"


def _peak(values: Iterable[float]) -> str:
    highest = max(values)
    return f"{highest:,.0f}" if highest else "-"


def _shown(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"
