"""Random walks over fleets and single forwardings in one stack, on the lifecycles alone.

A walk calls them in the order of the engine: refresh; then check, diff, and create or update for each resource; then the
deletes.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random

from random_walk import flip, seeded_random

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import KEEP, OVERWRITE, ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator import Emulator
from linq_provider.errors import FleetError, RefusedError

STEPS = int(os.environ.get("FLEET_WALK_STEPS", "600"))
STEPS_A_WALK = 20
LINES = range(6)
NUMBERS = ["+13035559991", "+13035559992", ""]
HAND_NUMBERS = [*NUMBERS, "+13035550666"]
FLEETS, SINGLES = ("a", "b"), ("one", "two")
REFUSED_WRITE = re.compile(r"already forwards to|was changed outside Pulumi")
REFUSED_CLEAR = re.compile(r"which this stack did not set")
EVENTS = ("up done", "up refused", "destroy done")


@dataclass(frozen=True)
class Program:
    """What the program declares. Lines are named by their index; `owner` maps each to the resource that declares it."""

    owner: Mapping[int, str] = field(default_factory=dict)
    number: Mapping[int, str] = field(default_factory=dict)
    by_id: frozenset[int] = frozenset()
    overwrite: bool = False
    removed: str = "clear"
    order: tuple[str, ...] = (*FLEETS, *SINGLES)

    @property
    def resources(self) -> list[str]:
        """The names of the resources, in the order in which the program declares them."""
        return [name for name in self.order if name in self.owner.values()]

    def lines(self, name: str) -> list[int]:
        """The lines of one resource."""
        return sorted(line for line, owner in self.owner.items() if owner == name)


def random_program(chance: Random) -> Program:
    """Each line belongs to one of two fleets, to a single resource, or to nobody."""
    owner: dict[int, str] = {}
    for line in LINES:
        name = chance.choice(["a", "a", "a", "b", "one", "two", ""])
        if name in FLEETS or (name in SINGLES and name not in owner.values()):
            owner[line] = name
    return Program(
        owner,
        {line: chance.choice(NUMBERS) for line in owner},
        frozenset(line for line in LINES if flip(chance)),
        flip(chance),
        chance.choice(["clear", "clear", "keep"]),
        tuple(chance.sample([*FLEETS, *SINGLES], 4)),
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
        outputs = self.singles.get(name) or self.fleets.get(name)
        return outputs.inputs if outputs else None


@dataclass(frozen=True)
class Held:
    """A line that a resource of the state holds; `applied` is what the stack wrote last."""

    name: str
    line: str
    recorded: str
    applied: str


class Refused(Exception):
    """A check found a problem, which ends the run."""


class Walk:
    """One stack, and what somebody else does to its lines."""

    def __init__(self, emulator: Emulator, client: LinqClient, chance: Random, seen: Counter[str]) -> None:
        self.emulator, self.client, self.chance, self.seen = emulator, client, chance, seen
        self.lines = list(emulator.phone_numbers)
        self.stack = Stack()

    def take_step(self) -> None:
        """Do anything that a team may do."""
        self.chance.choice([self.hand_edit, self.up, self.up, self.up, self.destroy])()

    # What a team does

    def hand_edit(self) -> None:
        """Somebody changes a line at Linq."""
        line, number = self.chance.choice(self.lines), self.chance.choice(HAND_NUMBERS)
        print(f"hand edit: {line.phone_number} to {number!r}")
        self.emulator.set_forwarding(line.id, number)

    def up(self) -> None:
        """`pulumi up` of any program after any other."""
        program, refresh = random_program(self.chance), flip(self.chance)
        before, live = self.stack.copy(), self.live()
        self.start_process(program)
        print(f"up: {program}, refresh={refresh}, on_conflict={self.on_conflict!r}")
        if refresh:
            self.read_all()
        refusal = self.refusal(program)
        self.check_writes(program, before, live, refresh=refresh)
        if refusal:
            overwrite = program.overwrite or self.on_conflict == OVERWRITE
            assert (REFUSED_WRITE.search(refusal) and not overwrite) or (
                REFUSED_CLEAR.search(refusal) and not self.on_conflict
            ), refusal
            self.seen["up refused"] += 1
            return
        self.check_success(program, before, live, refresh=refresh)
        if refresh:
            self.check_nothing_to_do(program)
        self.seen["up done"] += 1

    def destroy(self) -> None:
        """`pulumi destroy` clears what the stack has set, except what is to be kept, and nothing else."""
        before, live = self.stack.copy(), self.live()
        self.start_process(Program())
        print(f"destroy, on_conflict={self.on_conflict!r}")
        refusal = self.refusal(Program())
        clears = self.clears(Program(), before, live)
        assert self.writes() <= clears
        if refusal:
            assert REFUSED_CLEAR.search(refusal), refusal
            assert not self.on_conflict
            return
        assert self.live() == live | {line: "" for line, _ in clears}
        assert self.stack == Stack()
        self.seen["destroy done"] += 1

    # How the engine does it

    def start_process(self, program: Program) -> None:
        """A new provider process, which remembers nothing, and knows what the program will declare."""
        self.on_conflict = self.chance.choice(["", "", "", KEEP, OVERWRITE])
        account, declarations = Account(self.client, sleep=lambda _seconds: None), Declarations()
        declarations.plan({self.identity(line, program): number for line, number in program.number.items()})
        messages: list[str] = []
        run = partial(run_concurrently, limit=4, notify=messages.append, retries=lambda: 0)
        common = {"live_check": True, "on_conflict": self.on_conflict, "notify": messages.append}
        self.fleet = FleetLifecycle(account, declarations, run=run, **common)
        self.single = ForwardingLifecycle(account, declarations, **common)
        self.emulator.clear_requests()

    def read_all(self) -> None:
        """Record what each line forwards to."""
        self.stack.fleets = {name: self.fleet.read(fleet) for name, fleet in self.stack.fleets.items()}
        for name, outputs in self.stack.singles.items():
            read = self.single.read(outputs)
            assert read is not None
            self.stack.singles[name] = read

    def refusal(self, program: Program) -> str:
        """Run the program: why it was refused, or "" where it was not."""
        try:
            self.apply(program)
        except (Refused, RefusedError, FleetError) as error:
            return str(error)
        return ""

    def apply(self, program: Program) -> None:
        """Register the resources in the program's order, then delete what it replaced or no longer declares."""
        for name in program.resources:
            if name in FLEETS:
                self.apply_fleet(name, program)
            else:
                self.apply_single(name, program)
        while self.stack.replaced:
            self.single.delete(self.stack.replaced[0])
            del self.stack.replaced[0]
        for name in [name for name in self.stack.fleets if name not in program.resources]:
            self.fleet.delete(self.stack.fleets[name])
            del self.stack.fleets[name]
        for name in [name for name in self.stack.singles if name not in program.resources]:
            self.single.delete(self.stack.singles[name])
            del self.stack.singles[name]

    def apply_fleet(self, name: str, program: Program) -> None:
        """Check, diff, create or update."""
        olds, news = self.stack.fleets.get(name), self.declared_fleet(name, program)
        refuse(self.fleet.check(olds.inputs if olds else Fleet(), news)[1])
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

    # What must hold

    def check_writes(self, program: Program, before: Stack, live: dict[str, str], *, refresh: bool) -> None:
        """Each declared line is written once at most, each other one cleared by who holds it, no unseen edit lost."""
        writes, clears = self.writes(), self.clears(program, before, live)
        declared = {self.lines[line].id: number for line, number in program.number.items()}
        assert writes <= Counter(declared.items()) + clears
        if program.overwrite or self.on_conflict == OVERWRITE:
            return
        for line, name in program.owner.items():
            id_ = self.lines[line].id
            was_cleared = (id_, "") in writes and (id_, "") in clears
            if (id_, declared[id_]) in writes and not was_cleared:
                own = [held.recorded for held in self.held(before) if (held.name, held.line) == (name, id_)]
                seen = [live[id_]] if refresh and own else own or [""]
                # Who gives the line up replaces what the stack wrote with what is declared.
                given_up = [held.applied for held in self.given_up(program, before) if held.line == id_]
                assert live[id_] in {*seen, *given_up, declared[id_]} or (given_up and not live[id_])

    def check_success(self, program: Program, before: Stack, live: dict[str, str], *, refresh: bool) -> None:
        """The state holds the program; each line its number, unless it was edited and nothing asked for it.

        Who gives up a line that another resource declares hands it over with the declared number.
        """
        assert {*self.stack.fleets, *self.stack.singles} == set(program.resources)
        assert self.stack.replaced == []
        declared = {self.lines[line].id for line in program.owner}
        for line, name in program.owner.items():
            id_, inputs = self.lines[line].id, self.declared(name, program)
            assert self.stack.inputs(name) == inputs
            unchanged = before.inputs(name) == inputs and not refresh
            given_up = [held.applied for held in self.given_up(program, before) if held.line == id_]
            handed_over = given_up and live[id_] in ("", *given_up)
            unseen = {live[id_]} if unchanged and not handed_over else set()
            assert self.emulator.forwarding(id_) in {program.number[line]} | unseen
        cleared = {line: "" for line, _ in self.clears(program, before, live)}
        for line in live.keys() - declared:
            assert self.emulator.forwarding(line) == cleared.get(line, live[line])

    def check_nothing_to_do(self, program: Program) -> None:
        """The next run of the same program sends no request."""
        self.start_process(program)
        self.apply(program)
        assert list(self.emulator.requests) == []

    def clears(self, program: Program, before: Stack, live: dict[str, str]) -> Counter[tuple[str, str]]:
        """The clears that may be sent: one by each resource for each line that it gives up, and that is the stack's.

        The new owner may declare the line, too: a fleet that gives it up before that is known clears it for a moment.
        """
        owner = {self.lines[line].id: program.order.index(name) for line, name in program.owner.items()}
        given_up = self.given_up(program, before)
        ours = {held.line for held in given_up if live[held.line] in ("", held.applied)}
        clears: Counter[tuple[str, str]] = Counter()
        for held in given_up:
            updated = held.name in FLEETS and held.name in program.resources
            early = updated and program.order.index(held.name) < owner.get(held.line, -1)
            if (held.line not in owner or early) and (held.line in ours or self.on_conflict == OVERWRITE):
                clears[held.line, ""] += 1
        return clears

    def given_up(self, program: Program, before: Stack) -> list[Held]:
        """What the resources of the state no longer declare, and do not keep."""
        owner = {self.lines[line].id: name for line, name in program.owner.items()}
        kept = {name for name, fleet in before.fleets.items() if self.removed(name, fleet, program) == "keep"}
        return [held for held in self.held(before) if held.name != owner.get(held.line) and held.name not in kept]

    def removed(self, name: str, fleet: Fleet, program: Program) -> object:
        """What a fleet does with a line that it gives up; the state says so where the program has no such fleet."""
        return program.removed if name in program.resources else fleet.removed

    # What is declared, and what is there

    def declared(self, name: str, program: Program) -> Fleet | Inputs:
        """What the program says of a resource."""
        return self.declared_fleet(name, program) if name in FLEETS else self.declared_single(name, program)

    def declared_fleet(self, name: str, program: Program) -> Fleet:
        """What the program says of a fleet."""
        forwardings = {self.identity(line, program): program.number[line] for line in program.lines(name)}
        return Fleet(forwardings, program.overwrite or None, None if program.removed == "clear" else "keep", 100.0)

    def declared_single(self, name: str, program: Program) -> Inputs:
        """What the program says of a single forwarding."""
        (line,) = program.lines(name)
        identity = {"phone_number_id" if line in program.by_id else "phone_number": self.identity(line, program)}
        return Inputs(forwarding_number=program.number[line], overwrite=program.overwrite or None, **identity)

    def identity(self, line: int, program: Program) -> str:
        """The line as the program names it."""
        return self.lines[line].id if line in program.by_id else self.lines[line].phone_number

    def held(self, stack: Stack) -> list[Held]:
        """Every line that a resource of the state holds. Two may hold the same, after a run that failed half way."""
        ids = {line.phone_number: line.id for line in self.lines}
        singles = [*stack.singles.items(), *(("", outputs) for outputs in stack.replaced)]
        return [
            Held(name, ids.get(line, line), str(number), fleet.applied(line))
            for name, fleet in stack.fleets.items()
            for line, number in fleet.lines.items()
        ] + [Held(name, each.phone_number_id, each.forwarding_number, each.applied) for name, each in singles]

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


@contextmanager
def served() -> Iterator[tuple[Emulator, LinqClient]]:
    """A server with six lines, none forwarded, and its client."""
    with Emulator(numbers=len(LINES)) as emulator:
        client = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, max_retries=0))
        yield emulator, client
        client.close()


def test_random_walks() -> None:
    """Whatever a team does: after a run that succeeded, every line does what is declared, and no other was touched."""
    seen: Counter[str] = Counter()
    for number in range(max(1, STEPS // STEPS_A_WALK)):
        with seeded_random(number) as chance, served() as (emulator, client):
            walk = Walk(emulator, client, chance, seen)
            for _ in range(STEPS_A_WALK):
                walk.take_step()
    print(dict(seen))
    assert [event for event in EVENTS if not seen[event]] == [], "the walks have seen too little"
