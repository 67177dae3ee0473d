"""The claims about linq-provider's speed, and whether a run confirms each of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.plan import AT_ONCE, FLEET, HUNDRED, LARGE, ONE, SLOW, THOUSAND
from bench.results import Results, Sample, interval

AT_A_TIME = 16  # calls of a fleet under way, by default
WAITING = 1000 / AT_A_TIME * 0.1  # seconds that a fleet of 1,000 lines waits for answers after 100 ms
NOTHING = "`up` without change of one no-op resource"


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


def findings(results: Results) -> Iterator[Finding]:
    """One for each claim, in the order of the document."""

    def pairs(part: str, ours: str, floor: str, verb: str, *, to: str = "", service: str = AT_ONCE) -> Pairs:
        """The commands that ran in the same turn, or in the same round if the floor ran another verb."""
        own = results.of(part, ours, verb=verb, service=service)
        other = results.of(part, floor, verb=to or verb, service=service)
        return list(zip(own, other, strict=True))

    fleet, large = "fleet of 1,000", "fleet of 10,000"
    up = pairs(FLEET, "fleet", "noop", "up", to="up again")
    yield _median(f"{fleet}: `up`, to {NOTHING}", 2.5, up, _seconds)
    slow = pairs(FLEET, "fleet", "noop", "up", to="up again", service=SLOW)
    claim = f"{fleet}, {SLOW}: `up`, to 1,000 / {AT_A_TIME} x 0.1 s and {NOTHING}"
    yield _median(claim, 1.3, slow, lambda ours, floor: ours.seconds / (WAITING + floor.seconds))
    again = pairs(FLEET, "fleet", "noop", "up again")
    yield _median(f"{fleet}: `up` without change, to {NOTHING}", 1.3, again, _seconds)
    yield _most(f"{fleet}: requests of an `up` without change", 0, [ours.gets + ours.puts for ours, _ in again])
    change = results.of(FLEET, "fleet", verb="change")
    yield _most(f"{fleet}: PUT for 1 % changed", 10, [one.puts for one in change], exactly=True)
    yield _most(f"{fleet}: GET for 1 % changed", 2, [one.gets for one in change])
    up = pairs(LARGE, "fleet", "noop", "up", to="up again")
    yield _median(f"{large}: `up`, to {NOTHING}", 9, up, _seconds)
    again = pairs(LARGE, "fleet", "noop", "up again")
    yield _median(f"{large}: `up` without change, to {NOTHING}", 2.5, again, _seconds)
    memory = [one.client_mb for one in results.of(LARGE, "fleet")]
    yield _most(f"{large}: peak memory of the provider, MB", 250, memory)
    one = pairs(ONE, "single", "noop", "up again")
    claim = "one single resource: `up` without change, more than one no-op resource, ms"
    yield _median(claim, 50, one, lambda ours, floor: (ours.seconds - floor.seconds) * 1000)
    thousand = pairs(THOUSAND, "skip", "noop_skip", "up again")
    yield _median("1,000 single resources: `up` without change, to 1,000 no-op resources", 1.15, thousand, _seconds)
    for verb in ("up", "refresh", "destroy"):
        hundred = pairs(HUNDRED, "single", "noop", verb)
        yield _median(f"100 single resources: `{verb}`, to 100 no-op resources", 1.15, hundred, _seconds)
    state = pairs(HUNDRED, "single", "noop", "up")
    claim = "100 single resources: bytes of state, to 100 no-op resources"
    yield _median(claim, 1.15, state, lambda ours, floor: ours.state_bytes / floor.state_bytes)


Pairs = list[tuple[Sample, Sample]]


def _seconds(ours: Sample, floor: Sample) -> float:
    return ours.seconds / floor.seconds


def _median(claim: str, bound: float, pairs: Pairs, of: Callable[[Sample, Sample], float]) -> Finding:
    """A claim falls short only if the lower end of the median's interval is above the bound."""
    values = [of(ours, floor) for ours, floor in pairs]
    median, enclosed = statistics.median(values), interval(values)
    if enclosed is None:
        shown, verdict = "-", f"open: {len(values)} pairs are too few"
    else:
        shown = f"{enclosed[0]:.2f} to {enclosed[1]:.2f}"
        within = "holds" if median <= bound else "holds within the interval"
        verdict = "falls short" if enclosed[0] > bound else within
    spread = f"{min(values):.2f} to {max(values):.2f}"
    return Finding(claim, f"{median:.2f}", spread, shown, f"{bound:g}", len(values), verdict)


def _most(claim: str, bound: float, values: list[int] | list[float], *, exactly: bool = False) -> Finding:
    """The highest of all rounds."""
    holds = set(values) == {bound} if exactly else max(values) <= bound
    limit = f"{bound:g}" if exactly else f"at most {bound:g}"
    spread = f"{min(values):.0f} to {max(values):.0f}"
    verdict = "holds" if holds else "falls short"
    return Finding(claim, f"{max(values):.0f}", spread, "-", limit, len(values), verdict)
