"""What `make bench` measures: who, with how many lines, at which delay, how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.claims import FLEET_PART, LARGE_PART, SINGLE_PART
from bench.contestants import CONTESTANTS

PAIRS = 9  # the lowest number whose second and eighth value enclose the median with 95 %
QUICK_PAIRS, QUICK_LINES = 3, 300


@dataclass(frozen=True)
class Part:
    """So many rounds of contestants, each with its number of lines; a round takes about `seconds` on two cores."""

    name: str
    entries: tuple[tuple[str, int], ...]
    delay_ms: int
    rounds: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.name} at {self.delay_ms} ms"

    @property
    def lines(self) -> int:
        """The most lines of a contestant."""
        return max(lines for _, lines in self.entries)


def peers(lines: int, *, delay_ms: int, rounds: int, seconds: int) -> Part:
    """Everybody with so many lines; the floor asks no server, so that it is measured without delay only."""
    names = [name for name in CONTESTANTS if delay_ms == 0 or name != "noop"]
    return Part(f"peers-{lines}", tuple((name, lines) for name in names), delay_ms, rounds, seconds)


PLAN = (
    peers(10, delay_ms=0, rounds=3, seconds=24),
    peers(10, delay_ms=100, rounds=3, seconds=28),
    peers(100, delay_ms=0, rounds=3, seconds=40),
    peers(100, delay_ms=100, rounds=3, seconds=75),
    Part(FLEET_PART, (("fleet", 1000), ("noop", 1)), 0, PAIRS, 12),
    Part(FLEET_PART, (("fleet", 1000), ("noop", 1)), 100, PAIRS, 26),
    Part(SINGLE_PART, (("single", 300), ("noop", 300)), 0, PAIRS, 35),
    peers(300, delay_ms=0, rounds=3, seconds=75),
    peers(300, delay_ms=100, rounds=3, seconds=160),
    peers(1000, delay_ms=0, rounds=1, seconds=450),
    peers(1000, delay_ms=100, rounds=1, seconds=650),
    Part(LARGE_PART, (("fleet", 10000),), 0, 3, 50),
    Part(LARGE_PART, (("fleet", 10000),), 100, 1, 160),
)


def planned(*, only: Sequence[str], pairs: int, quick: bool) -> list[Part]:
    """The parts of a run that was asked for."""
    parts = [part for part in PLAN if not only or any(word in (part.name, *part.name.split("-")) for word in only)]
    if quick:
        parts = [replace(part, rounds=1) if part.name not in (FLEET_PART, SINGLE_PART) else part for part in parts]
        parts = [part for part in parts if part.lines <= QUICK_LINES or not part.name.startswith("peers")]
    return [replace(part, rounds=pairs) if part.name in (FLEET_PART, SINGLE_PART) else part for part in parts]


def left_out(parts: Sequence[Part]) -> list[str]:
    """What of the plan these parts lack."""
    return [str(part) for part in PLAN if str(part) not in map(str, parts)]
