"""A random walk over fleets and single forwardings in one stack, on the lifecycles alone.

The walk calls them in the order of the engine: refresh; then check, diff, and create or update for each resource; then
the deletes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from random_walk import run_walks

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
NUMBERS = ["+13035559991", "+13035559992", ""]
HAND_NUMBERS = [*NUMBERS, "+13035550666"]
FLEETS, SINGLES = ("a", "b"), ("one", "two")
REFUSALS = re.compile(r"already forwards to|was changed outside Pulumi|declared by another resource")


@dataclass(frozen=True)
class Program:
    """What the program declares. Lines are named by their index; `owner` maps each to the resource that declares it."""

    owner: Mapping[int, str]
    number: Mapping[int, str]
    by_id: frozenset[int]
    overwrite: bool
    removed: str
    order: tuple[str, ...]

    @property
    def resources(self) -> list[str]:
        """The names of the resources, in the order in which the program declares them."""
        return [name for name in self.order if name in self.owner.values()]

    def lines(self, name: str) -> list[int]:
        """The lines of one resource."""
        return sorted(line for line, owner in self.owner.items() if owner == name)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Each line belongs to one of two fleets, to a single resource, or to nobody."""
    owners = draw(st.lists(st.sampled_from(["a", "a", "a", "b", "one", "two", ""]), min_size=LINES, max_size=LINES))
    owner: dict[int, str] = {}
    for line, name in enumerate(owners):
        if name in FLEETS or (name in SINGLES and name not in owner.values()):
            owner[line] = name
    return Program(
        owner,
        {line: draw(st.sampled_from(NUMBERS)) for line in owner},
        frozenset(draw(st.sets(st.integers(0, LINES - 1)))),
        draw(st.booleans()),
        draw(st.sampled_from(["clear", "clear", "keep"])),
        tuple(draw(st.permutations([*FLEETS, *SINGLES]))),
    )


@dataclass
class Stack:
    """What the state records, by the name of each resource."""

    fleets: dict[str, Fleet] = field(default_factory=dict)
    singles: dict[str, Outputs] = field(default_factory=dict)
    replaced: list[Outputs] = field(default_factory=list)  # and not deleted yet

    def copy(self) -> Stack:
        """The state as it is now."""
        return Stack(dict(self.fleets), dict(self.singles), list(self.replaced))

    def inputs(self, name: str) -> Fleet | Inputs | None:
        """What a resource was declared as; None where it is not in the state."""
        return self.singles[name].inputs if name in self.singles else self.fleets.get(name)


class Refused(Exception):
    """A check found a problem, which ends the run."""


class Walk(RuleBasedStateMachine):
    """One stack, and what somebody else does to its lines."""

    @initialize()
    def start(self) -> None:
        """Six lines, none forwarded, and an empty stack."""
        self.emulator = Emulator(numbers=LINES)
        self.emulator.start()
        self.client = LinqClient(Settings(self.emulator.api_key, "test", base_url=self.emulator.url, max_retries=0))
        self.lines = list(self.emulator.phone_numbers)
        self.stack = Stack()

    def teardown(self) -> None:
        """Stop the server."""
        if hasattr(self, "emulator"):
            self.client.close()
            self.emulator.stop()

    # What a team does

    @rule(line=st.integers(0, LINES - 1), number=st.sampled_from(HAND_NUMBERS))
    def hand_edit(self, line: int, number: str) -> None:
        """Somebody changes a line at Linq."""
        self.emulator.set_forwarding(self.lines[line].id, number)

    @rule(program=programs(), refresh=st.booleans())
    def up(self, program: Program, refresh: bool) -> None:
        """`pulumi up` of any program after any other; it is refused for a known reason only."""
        before, live = self.stack.copy(), self.live()
        self.start_process()
        if refresh:
            self.read_all()
        try:
            self.apply(program)
            refusal = None
        except (Refused, RefusedError, FleetError) as error:
            refusal = error
        self.check_writes(program, before, live, refresh=refresh)
        if refusal:
            assert REFUSALS.search(str(refusal)), refusal
            assert not program.overwrite, refusal
            return
        self.check_success(program, before, live, refresh=refresh)
        if refresh:
            self.check_nothing_to_do(program)

    @rule()
    def destroy(self) -> None:
        """`pulumi destroy` clears what the state holds, except what is to be kept, and nothing else."""
        live, allowed = self.live(), self.clears(self.stack, Program({}, {}, frozenset(), False, "clear", ()))
        self.start_process()
        self.delete_all([*self.stack.fleets, *self.stack.singles])
        assert self.writes() <= allowed
        assert self.live() == live | {line: "" for line, _ in allowed}

    # How the engine does it

    def start_process(self) -> None:
        """A new provider process, which remembers nothing."""
        account, declarations = Account(self.client, sleep=lambda _seconds: None), Declarations()
        messages: list[str] = []
        run = partial(run_concurrently, limit=4, notify=messages.append, retries=lambda: 0)
        self.fleet = FleetLifecycle(account, declarations, live_check=True, run=run, notify=messages.append)
        self.single = ForwardingLifecycle(account, declarations, live_check=True, notify=messages.append)
        self.emulator.clear_requests()

    def read_all(self) -> None:
        """Record what each line forwards to."""
        self.stack.fleets = {name: self.fleet.read(fleet) for name, fleet in self.stack.fleets.items()}
        for name, outputs in self.stack.singles.items():
            read = self.single.read(outputs)
            assert read is not None
            self.stack.singles[name] = read

    def apply(self, program: Program) -> None:
        """Register the resources in the program's order, then delete what it replaced or no longer declares."""
        for name in program.resources:
            if name in FLEETS:
                self.apply_fleet(name, program)
            else:
                self.apply_single(name, program)
        self.delete_all([name for name in (*FLEETS, *SINGLES) if name not in program.resources])

    def apply_fleet(self, name: str, program: Program) -> None:
        """Check, diff, create or update."""
        olds, news = self.stack.fleets.get(name), self.declared_fleet(name, program)
        refuse(self.fleet.check(olds or Fleet(), news)[1])
        if olds is None:
            self.stack.fleets[name] = self.fleet.create(news)
        elif self.fleet.diff(olds, news).changes:
            self.stack.fleets[name] = self.fleet.update(olds, news)

    def apply_single(self, name: str, program: Program) -> None:
        """Check, diff, create or update; what was replaced is deleted later."""
        olds, news = self.stack.singles.get(name), self.declared_single(name, program)
        refuse(self.single.check(olds.inputs if olds else Inputs(), news)[1])
        if olds is None:
            self.stack.singles[name] = self.single.create(news)
            return
        diff = self.single.diff(olds, news)
        if diff.replaces:
            self.stack.singles[name] = self.single.create(news)
            self.stack.replaced.append(olds)
        elif diff.changes:
            self.stack.singles[name] = self.single.update(olds, news)

    def delete_all(self, names: list[str]) -> None:
        """Delete what was replaced, and the named resources as far as they are there."""
        while self.stack.replaced:
            self.single.delete(self.stack.replaced[0])
            del self.stack.replaced[0]
        for name in names:
            if name in self.stack.fleets:
                self.fleet.delete(self.stack.fleets[name])
                del self.stack.fleets[name]
            if name in self.stack.singles:
                self.single.delete(self.stack.singles[name])
                del self.stack.singles[name]

    # What must hold

    def check_writes(self, program: Program, before: Stack, live: dict[str, str], *, refresh: bool) -> None:
        """Each declared line is written once at most, each other one cleared by who holds it, no unseen edit lost."""
        declared = {self.lines[line].id: number for line, number in program.number.items()}
        writes, clears = self.writes(), self.clears(before, program)
        assert writes <= Counter(declared.items()) + clears
        for line, name in program.owner.items():
            id_ = self.lines[line].id
            was_cleared = (id_, "") in writes and (id_, "") in clears
            if (id_, declared[id_]) in writes and not was_cleared and not program.overwrite:
                recorded = self.held(before, name).get(id_)
                seen = "" if recorded is None else live[id_] if refresh else recorded
                assert live[id_] == seen, "a number is lost that nobody has seen"

    def clears(self, stack: Stack, program: Program) -> Counter[tuple[str, str]]:
        """The clears that may be sent: one by each resource for each line that it gives up.

        The new owner may declare the line, too: a fleet that gives it up before that is known clears it for a moment.
        """
        owner = {self.lines[line].id: name for line, name in program.owner.items()}
        clears = Counter((outputs.phone_number_id, "") for outputs in stack.replaced)
        for name in (*FLEETS, *SINGLES):
            kept = name in stack.fleets and self.removed(name, stack, program) == "keep"
            clears.update((id_, "") for id_ in self.held(stack, name) if owner.get(id_) != name and not kept)
        return clears

    def check_success(self, program: Program, before: Stack, live: dict[str, str], *, refresh: bool) -> None:
        """The state holds the program; each line its number, unless it was edited and nothing asked for it."""
        assert {*self.stack.fleets, *self.stack.singles} == set(program.resources)
        assert self.stack.replaced == []
        for line, name in program.owner.items():
            id_, declared = self.lines[line].id, self.declared(name, program)
            assert self.stack.inputs(name) == declared
            unseen = {live[id_]} if before.inputs(name) == declared and not refresh else set()
            assert self.emulator.forwarding(id_) in {program.number[line]} | unseen

    def check_nothing_to_do(self, program: Program) -> None:
        """The next run of the same program sends no request."""
        self.start_process()
        self.apply(program)
        assert list(self.emulator.requests) == []

    # What is declared, and what is there

    def declared(self, name: str, program: Program) -> Fleet | Inputs:
        """What the program says of a resource."""
        return self.declared_fleet(name, program) if name in FLEETS else self.declared_single(name, program)

    def declared_fleet(self, name: str, program: Program) -> Fleet:
        """What the program says of a fleet."""
        forwardings = {self.identity(line, program): program.number[line] for line in program.lines(name)}
        return Fleet(forwardings, program.overwrite or None, None if program.removed == "clear" else "keep", 100)

    def declared_single(self, name: str, program: Program) -> Inputs:
        """What the program says of a single forwarding."""
        (line,) = program.lines(name)
        identity = {"phone_number_id" if line in program.by_id else "phone_number": self.identity(line, program)}
        return Inputs(forwarding_number=program.number[line], overwrite=program.overwrite or None, **identity)

    def identity(self, line: int, program: Program) -> str:
        """The line as the program names it."""
        return self.lines[line].id if line in program.by_id else self.lines[line].phone_number

    def removed(self, name: str, stack: Stack, program: Program) -> str | None:
        """What a fleet does with a line that it gives up; the state says so where the program has no such fleet."""
        return program.removed if name in program.resources else stack.fleets[name].removed

    def held(self, stack: Stack, name: str) -> dict[str, str]:
        """The ids of the lines that a resource of the state holds, and the number recorded for each."""
        if name in stack.singles:
            return {stack.singles[name].phone_number_id: stack.singles[name].forwarding_number}
        ids = {line.phone_number: line.id for line in self.lines}
        lines = stack.fleets[name].lines if name in stack.fleets else {}
        return {ids.get(line, line): str(number) for line, number in lines.items()}

    def live(self) -> dict[str, str]:
        """What each line forwards to."""
        return {line.id: self.emulator.forwarding(line.id) for line in self.lines}

    def writes(self) -> Counter[tuple[str, str]]:
        """How often each number was written to each line since the process started."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        return Counter((put.path.rpartition("/")[2], put.body["forwarding_number"]) for put in puts)


def refuse(problems: list[str]) -> None:
    """End the run where a check found a problem."""
    if problems:
        raise Refused("\n".join(problems))


def test_a_random_walk() -> None:
    """Whatever a team does: after a run that succeeded, every line does what is declared, and no other was touched."""
    run_walks(Walk, walks=max(1, STEPS // STEPS_A_WALK), steps=STEPS_A_WALK)
