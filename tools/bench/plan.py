"""What `make bench` measures: who, with how many lines, against which server, which commands, how often."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contestants import CONTESTANTS
from bench.results import COMPARED, VERBS, Sample

# How the server answers; for the arguments see `bench.server.Account`.
SERVICES: dict[str, dict[str, float]] = {
    "0 ms": {},
    "100 ms": {"delay": 0.1},
    "429 above 20 a second": {"rate": 20},
    "10 ms for each call under way": {"load": 0.01},
}
AT_ONCE, SLOW = "0 ms", "100 ms"
FLEET, LARGE, ONE, HUNDRED, THOUSAND, WIRE = "fleet", "large", "one line", "100 lines", "1,000 lines", "wire"
PAIRS = 9  # the lowest number whose second and eighth value enclose the median with 95 %
UNCHANGED = ("up", "up again")


@dataclass(frozen=True)
class Part:
    """So many rounds, each with new stacks and a new server; a round takes about `seconds` on two cores.

    In a round every contestant runs a verb before anyone runs the next one.
    """

    name: str
    entries: tuple[tuple[str, int], ...]
    service: str
    seconds: int
    rounds: int = 1
    verbs: tuple[str, ...] = tuple(VERBS)

    def __str__(self) -> str:
        most = max(lines for _, lines in self.entries)
        return f"{self.name} ({self.entries[0][0]} first), up to {most:,} lines, {self.service}"

    def is_named(self, hole: str) -> bool:
        """Whether a hole of a run is one of this part."""
        return hole.startswith((f"{self}: ", f"{self} was"))

    def has(self, sample: Sample) -> bool:
        """Whether a sample was measured in this part."""
        is_same = (sample.part, sample.service) == (self.name, self.service)
        return is_same and (sample.contestant, sample.lines) in self.entries


def compare(lines: int, service: str, names: str, *, seconds: int, **more: object) -> Part:
    """Contestants with so many lines."""
    return Part(COMPARED, tuple((name, lines) for name in names.split()), service, seconds, **more)  # type: ignore[arg-type]


# No-op resources ask no server, so they are not measured against a slow one.
ALL = " ".join(name for name, one in CONTESTANTS.items() if one.compared)
ASKING = ALL.replace("noop ", "")
TENS = compare(10, AT_ONCE, ALL, seconds=50)
HUNDREDS = (compare(100, AT_ONCE, ALL, seconds=75), compare(100, SLOW, ASKING, seconds=120))
QUICK = (TENS, *HUNDREDS)
PLAN = (
    TENS,
    compare(10, SLOW, ASKING, seconds=50),
    *HUNDREDS,
    compare(300, AT_ONCE, ALL, seconds=110, verbs=UNCHANGED),
    compare(300, SLOW, ASKING.replace("naive ", ""), seconds=100, verbs=UNCHANGED),
    compare(1000, AT_ONCE, ALL.replace("naive ", ""), seconds=360, verbs=UNCHANGED),
    compare(1000, SLOW, ASKING.replace("naive ", "").replace("script ", ""), seconds=300, verbs=UNCHANGED),
    compare(3000, AT_ONCE, "single", seconds=450, verbs=("up",)),
    compare(3000, AT_ONCE, "skip fleet", seconds=50, verbs=UNCHANGED),
    Part(FLEET, (("fleet", 1000), ("noop", 1)), AT_ONCE, 9, PAIRS, ("up", "up again", "change")),
    Part(FLEET, (("fleet", 1000), ("noop", 1)), SLOW, 15, PAIRS, UNCHANGED),
    Part(ONE, (("single", 1), ("noop", 1)), AT_ONCE, 80, 1, ("up", *["up again"] * 2 * PAIRS)),
    Part(HUNDRED, (("single", 100), ("noop", 100)), AT_ONCE, 16, PAIRS),
    Part(THOUSAND, (("skip", 1000), ("noop_skip", 1000)), AT_ONCE, 160, 1, ("up", *["up again"] * PAIRS)),
    Part(LARGE, (("fleet", 10000), ("noop", 1)), AT_ONCE, 24, 6, ("up", "up again", "change")),
    *(
        Part(WIRE, tuple((f"fleet_{calls}", 300) for calls in (8, 16, 32, 64)), service, 20, 3, ("up",))
        for service in SERVICES
        if service != SLOW
    ),
)
