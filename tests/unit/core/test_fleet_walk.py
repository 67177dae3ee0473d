"""A random walk over fleets and single forwardings in one stack: whatever a team declares, no line is lost.

The engine's order is played: refresh, then check, diff and create or update for each resource, deletes at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from seeded import seeded

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator import Emulator
from linq_provider.errors import FleetError, RefusedError

STEPS = int(os.environ.get("FLEET_WALK_STEPS", "600"))
STEPS_A_WALK = 20
LINES = 6
PHASES = [Phase.generate, Phase.shrink]
NUMBERS = ["+13035559991", "+13035559992", ""]
HAND_EDITS = [*NUMBERS, "+13035550666"]


@dataclass(frozen=True)
class Program:
    """Which line each resource declares: "a" and "b" are fleets, "one" and "two" single forwardings."""

    owner: Mapping[int, str]
    number: Mapping[int, str]
    by_id: frozenset[int]
    overwrite: bool
    removed: str
    order: tuple[str, ...]

    def lines(self, name: str) -> list[int]:
        """The lines of one resource."""
        return sorted(line for line, owner in self.owner.items() if owner == name)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Each line belongs to one of two fleets, to a single resource, or to nobody."""
    owners = draw(st.lists(st.sampled_from(["a", "a", "a", "b", "one", "two", ""]), min_size=LINES, max_size=LINES))
    owner: dict[int, str] = {}
    for line, name in enumerate(owners):
        if name and (name in ("a", "b") or name not in owner.values()):
            owner[line] = name
    return Program(
        owner,
        {line: draw(st.sampled_from(NUMBERS)) for line in owner},
        frozenset(draw(st.sets(st.integers(0, LINES - 1)))),
        draw(st.booleans()),
        draw(st.sampled_from(["clear", "clear", "keep"])),
        tuple(draw(st.permutations(["a", "b", "one", "two"]))),
    )


@dataclass
class Stack:
    """What the state records."""

    fleets: dict[str, Fleet] = field(default_factory=dict)
    singles: dict[str, Outputs] = field(default_factory=dict)


class Refused(Exception):
    """The run ended with an error."""


class Walk(RuleBasedStateMachine):
    """One stack, and what somebody else does to its lines."""

    @initialize()
    def start(self) -> None:
        """Six lines, none forwarded, an empty stack."""
        self.emulator = Emulator(numbers=LINES)
        self.emulator.start()
        self.client = LinqClient(Settings(self.emulator.api_key, "test", base_url=self.emulator.url, max_retries=0))
        self.lines = list(self.emulator.phone_numbers)
        self.stack = Stack()
        self.unseen: dict[str, str] = {}

    @rule(line=st.integers(0, LINES - 1), number=st.sampled_from(HAND_EDITS))
    def hand_edit(self, line: int, number: str) -> None:
        """Somebody changes a line at Linq."""
        id_ = self.lines[line].id
        if self.emulator.forwarding(id_) != number:
            self.emulator.set_forwarding(id_, number)
            self.unseen[id_] = number

    @rule(program=programs(), refresh=st.booleans())
    def up(self, program: Program, refresh: bool) -> None:
        """`pulumi up` of any program after any other."""
        before = self.owners()
        self.emulator.clear_requests()
        self.process()
        if refresh:
            self.refresh()
        try:
            self.apply(program)
            done = True
        except Refused:
            done = False
        self.judge_writes(program, before)
        if not done:
            return
        for line in program.owner:
            id_ = self.lines[line].id
            if self.holds(id_, program.number[line]):
                self.unseen.pop(id_, None)
            else:
                assert id_ in self.unseen
                assert not refresh
        if refresh:
            self.plans_nothing(program)

    @rule()
    def destroy(self) -> None:
        """`pulumi destroy` clears what is recorded, but what is to be kept."""
        before = self.owners()
        keeping = {name for name, fleet in self.stack.fleets.items() if fleet.removed == "keep"}
        gone = set().union(*(lines for name, lines in before.items() if name not in keeping))
        self.emulator.clear_requests()
        self.process()
        for name in list(self.stack.fleets):
            self.fleet.delete(self.stack.fleets.pop(name))
        for name in list(self.stack.singles):
            self.single.delete(self.stack.singles.pop(name))
        assert {line for line, _ in self.writes()} <= gone
        assert all(self.emulator.forwarding(line) == "" for line in gone)
        self.unseen = {line: number for line, number in self.unseen.items() if line not in gone}

    def teardown(self) -> None:
        """The walk is over."""
        if hasattr(self, "emulator"):
            self.client.close()
            self.emulator.stop()

    def process(self) -> None:
        """A new provider process."""
        account, declarations = Account(self.client), Declarations()
        said: list[str] = []
        run = partial(run_concurrently, limit=4, notify=said.append, retries=lambda: 0)
        self.fleet = FleetLifecycle(account, declarations, live_check=True, run=run, notify=said.append)
        self.single = ForwardingLifecycle(account, declarations, live_check=True, notify=said.append)

    def refresh(self) -> None:
        """Record what is live; what is shown by it counts as seen."""
        self.stack.fleets = {name: self.fleet.read(fleet) for name, fleet in self.stack.fleets.items()}
        for name, outputs in self.stack.singles.items():
            read = self.single.read(outputs)
            assert read is not None
            self.stack.singles[name] = read
        seen = set().union(*self.owners().values())
        self.unseen = {line: number for line, number in self.unseen.items() if line not in seen}

    def apply(self, program: Program) -> None:
        """Register each resource in the program's order, then delete what was replaced, and what it no longer has."""
        replaced: list[Outputs] = []
        for name in program.order:
            if program.lines(name) and name in ("a", "b"):
                self.apply_fleet(name, program)
            elif program.lines(name):
                replaced += self.apply_single(name, program)
        for outputs in replaced:
            self.run(self.single.delete, outputs)
        for name in [name for name in self.stack.fleets if not program.lines(name)]:
            self.run(self.fleet.delete, self.stack.fleets[name])
            del self.stack.fleets[name]
        for name in [name for name in self.stack.singles if not program.lines(name)]:
            self.run(self.single.delete, self.stack.singles[name])
            del self.stack.singles[name]

    def apply_fleet(self, name: str, program: Program) -> None:
        """Check, diff, create or update."""
        olds, news = self.stack.fleets.get(name), self.declared_fleet(name, program)
        self.accept(self.fleet.check(olds or Fleet(), news)[1])
        if olds is None:
            self.stack.fleets[name] = self.run(self.fleet.create, news)
        elif self.fleet.diff(olds, news).changes:
            self.stack.fleets[name] = self.run(self.fleet.update, olds, news)

    def apply_single(self, name: str, program: Program) -> list[Outputs]:
        """Check, diff, create or update; what was replaced is to be deleted."""
        olds, news = self.stack.singles.get(name), self.declared_single(name, program)
        self.accept(self.single.check(olds.inputs if olds else Inputs(), news)[1])
        if olds is None:
            self.stack.singles[name] = self.run(self.single.create, news)
            return []
        diff = self.single.diff(olds, news)
        if diff.replaces:
            self.stack.singles[name] = self.run(self.single.create, news)
            return [olds]
        if diff.changes:
            self.stack.singles[name] = self.run(self.single.update, olds, news)
        return []

    def plans_nothing(self, program: Program) -> None:
        """The next run of the same program asks for nothing and writes nothing."""
        self.emulator.clear_requests()
        self.process()
        self.apply(program)
        assert list(self.emulator.requests) == []

    def declared_fleet(self, name: str, program: Program) -> Fleet:
        """What the program says of a fleet."""
        forwardings = {self.named(line, program): program.number[line] for line in program.lines(name)}
        return Fleet(forwardings, program.overwrite or None, None if program.removed == "clear" else "keep", 100)

    def declared_single(self, name: str, program: Program) -> Inputs:
        """What the program says of a single forwarding."""
        (line,) = program.lines(name)
        identity = {"phone_number_id" if line in program.by_id else "phone_number": self.named(line, program)}
        return Inputs(forwarding_number=program.number[line], overwrite=program.overwrite or None, **identity)

    def named(self, line: int, program: Program) -> str:
        """The line by its id or by its number."""
        return self.lines[line].id if line in program.by_id else self.lines[line].phone_number

    def accept(self, problems: list[str]) -> None:
        """A refusal of check ends the run."""
        if problems:
            raise Refused

    def run(self, verb: Any, *args: Any) -> Any:
        """A refusal in the run ends it too."""
        try:
            return verb(*args)
        except (RefusedError, FleetError) as error:
            raise Refused from error

    def holds(self, id_: str, number: str) -> bool:
        """Whether a line forwards to a number."""
        return self.emulator.forwarding(id_) == number

    def owners(self) -> dict[str, set[str]]:
        """The ids of the lines that each resource of the state holds."""
        ids = {line.phone_number: line.id for line in self.lines}
        fleets = {name: {ids.get(line, line) for line in fleet.lines} for name, fleet in self.stack.fleets.items()}
        return fleets | {name: {outputs.phone_number_id} for name, outputs in self.stack.singles.items()}

    def writes(self) -> list[tuple[str, str]]:
        """What was written since the last `clear_requests`."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        return [(put.path.rpartition("/")[2], put.body["forwarding_number"]) for put in puts]

    def judge_writes(self, program: Program, before: dict[str, set[str]]) -> None:
        """No line outside the stack, no clear of what is declared, no unseen hand edit over what a resource holds."""
        declared = {self.lines[line].id: line for line in program.owner}
        recorded = set().union(*before.values())
        for id_, number in self.writes():
            assert id_ in recorded | declared.keys()
            if id_ not in declared:
                assert number == ""
                self.unseen.pop(id_, None)
                continue
            line = declared[id_]
            # A fleet that is registered before the new owner of its line is known may clear it for a moment.
            moved = any(id_ in lines for name, lines in before.items() if name != program.owner[line])
            assert number == program.number[line] or (moved and number == "")
            if id_ in self.unseen and not program.overwrite:
                assert moved or id_ not in before.get(program.owner[line], ())
                assert moved or self.unseen[id_] == ""
            self.unseen.pop(id_, None)


def test_a_random_walk() -> None:
    """After any program, hand edit, refresh and destroy: every line of a run that succeeded does what it declares."""
    run_state_machine_as_test(
        seeded(Walk),
        settings=settings(
            max_examples=max(1, STEPS // STEPS_A_WALK),
            stateful_step_count=STEPS_A_WALK,
            phases=PHASES,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
