"""The claims about linq-provider's speed, and whether a run confirms each of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from bench.results import Results, Sample, interval, ratios

FLEET_PART, SINGLE_PART, LARGE_PART = "fleet", "single", "large"
AT_A_TIME = 16  # calls in flight of a fleet, by default
PROVIDER_MB = 250.0
STATE_RATIO = 1.15


@dataclass(frozen=True)
class Finding:
    """The result of a run for one claim."""

    claim: str
    measured: str
    spread: str
    interval: str
    bound: str
    count: int
    verdict: str


def findings(results: Results) -> list[Finding]:
    """One for each claim, in the order of the document."""
    return [*_fleet(results), *_large(results), *_single(results)]


def _fleet(results: Results) -> Iterator[Finding]:
    def ours(verb: str, delay_ms: int) -> list[Sample]:
        return results.of(FLEET_PART, "fleet", verb, delay_ms=delay_ms)

    def floor(delay_ms: int) -> list[Sample]:
        return results.of(FLEET_PART, "noop", "up again", delay_ms=delay_ms)

    one = "`up` without change of one no-op resource"
    yield _ratio(f"fleet of 1,000, 0 ms: `up`, to {one}", 2.5, ratios(ours("up", 0), floor(0), _seconds))
    waiting = 1000 / AT_A_TIME * 0.1
    yield _ratio(
        f"fleet of 1,000, 100 ms: `up`, to 1,000 / {AT_A_TIME} x 0.1 s and {one}",
        1.3,
        ratios(ours("up", 100), floor(100), lambda a, b: a.seconds / (waiting + b.seconds)),
    )
    for delay_ms in (0, 100):
        again = ratios(ours("up again", delay_ms), floor(delay_ms), _seconds)
        yield _ratio(f"fleet of 1,000, {delay_ms} ms: `up` without change, to {one}", 1.3, again)
    both = [0, 100]
    again_samples = [sample for delay_ms in both for sample in ours("up again", delay_ms)]
    changes = [sample for delay_ms in both for sample in ours("change", delay_ms)]
    requests = [sample.gets + sample.puts for sample in again_samples]
    yield _most("fleet of 1,000: requests of an `up` without change", 0, requests)
    yield _most("fleet of 1,000: PUT for 1 % changed", 10, [sample.puts for sample in changes], exactly=True)
    yield _most("fleet of 1,000: GET for 1 % changed", 2, [sample.gets for sample in changes])


def _large(results: Results) -> Iterator[Finding]:
    large = [sample for sample in results.samples if sample.part == LARGE_PART]
    yield _most("fleet of 10,000: failures of a command", 0, [int(sample.problem is not None) for sample in large])
    yield _most("fleet of 10,000: peak memory of the provider, MB", PROVIDER_MB, [sample.client_mb for sample in large])


def _single(results: Results) -> Iterator[Finding]:
    for verb, bound in {"up": 1.15, "up again": 1.08, "refresh": 1.15, "destroy": 1.15}.items():
        ours, floor = (results.of(SINGLE_PART, name, verb) for name in ("single", "noop"))
        name = "`up` without change" if verb == "up again" else f"`{verb}`"
        yield _ratio(
            f"300 single resources, 0 ms: {name}, to 300 no-op resources", bound, ratios(ours, floor, _seconds)
        )
    ours, floor = (results.of(SINGLE_PART, name, "up") for name in ("single", "noop"))
    bytes_ratio = ratios(ours, floor, lambda a, b: a.state_bytes / b.state_bytes)
    yield _ratio("300 single resources: bytes of state, to 300 no-op resources", STATE_RATIO, bytes_ratio)


def _seconds(ours: Sample, floor: Sample) -> float:
    return ours.seconds / floor.seconds


def _ratio(claim: str, bound: float, values: list[float]) -> Finding:
    """A ratio falls short only if the lower end of its interval is above the bound."""
    if not values:
        return Finding(claim, "-", "-", "-", f"{bound:.2f}", 0, "not measured")
    median, enclosed = statistics.median(values), interval(values)
    if enclosed is None:
        shown, verdict = "-", f"open: {len(values)} pairs are too few"
    else:
        shown = f"{enclosed[0]:.2f} to {enclosed[1]:.2f}"
        within = "holds" if median <= bound else "holds within the interval"
        verdict = "falls short" if enclosed[0] > bound else within
    spread = f"{min(values):.2f} to {max(values):.2f}"
    return Finding(claim, f"{median:.2f}", spread, shown, f"{bound:.2f}", len(values), verdict)


def _most(claim: str, bound: float, values: list[int] | list[float], *, exactly: bool = False) -> Finding:
    """The highest of all rounds."""
    limit = f"{bound:g}" if exactly else f"at most {bound:g}"
    if not values:
        return Finding(claim, "-", "-", "-", limit, 0, "not measured")
    holds = set(values) == {bound} if exactly else max(values) <= bound
    spread = f"{min(values):.0f} to {max(values):.0f}"
    return Finding(claim, f"{max(values):.0f}", spread, "-", limit, len(values), "holds" if holds else "falls short")
