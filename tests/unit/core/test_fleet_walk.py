"""A random walk over fleets and single forwardings in one stack, on the lifecycles alone.

The walk calls them in the order of the engine: refresh; then check, diff, and create or update for each resource; then
the deletes. The resources of a run may belong to two providers, each a process with a list of its own.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from random_walk import run_walks
from walk_server import BREAKS, Killed, SharedLog, WalkServer

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations, Event
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator.state import Account as ServerAccount
from linq_provider.emulator.state import build_numbers
from linq_provider.errors import FleetError, LinqError

WALKS = int(os.environ.get("WALKS", "40"))
STEPS_A_WALK = 20
LINES = 6
NUMBERS = ["+13035559991", "+13035559992", ""]
HAND_NUMBERS = [*NUMBERS, "+13035550666"]
FLEETS, SINGLES = ("a", "b"), ("one", "two")
FOREIGN = re.compile("which this stack did not set|although this stack forwarded it|which failed in this run")
REFUSALS = re.compile(f"already forwards to|was changed outside Pulumi|declared by another resource|{FOREIGN.pattern}")


@dataclass(frozen=True)
class Program:
    """What the program declares. Lines are named by their index; `owner` maps each to the resource that declares it."""

    owner: Mapping[int, str]
    number: Mapping[int, str]
    by_id: frozenset[int]
    overwrite: bool
    removed: str
    order: tuple[str, ...]
    provider: Mapping[str, int]

    @property
    def resources(self) -> list[str]:
        """The names of the resources, in the order in which the program declares them."""
        return [name for name in self.order if name in self.owner.values()]

    def lines(self, name: str) -> list[int]:
        """The lines of one resource."""
        return sorted(line for line, owner in self.owner.items() if owner == name)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Each line belongs to one of two fleets, to a single resource, or to none."""
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
        {name: draw(st.integers(0, 1)) for name in (*FLEETS, *SINGLES)},
    )


NOTHING = Program({}, {}, frozenset(), False, "clear", (), {})


@dataclass
class Stack:
    """What the state records, by the name of each resource."""

    fleets: dict[str, Fleet] = field(default_factory=dict)
    singles: dict[str, Outputs] = field(default_factory=dict)
    replaced: list[tuple[Outputs, int]] = field(default_factory=list)  # and not deleted yet; each with its provider
    provider: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Stack:
        """The state as it is now."""
        return Stack(dict(self.fleets), dict(self.singles), list(self.replaced), dict(self.provider))

    def inputs(self, name: str) -> Fleet | Inputs | None:
        """What a resource was declared as; None where it is not in the state."""
        resource = self.singles.get(name) or self.fleets.get(name)
        return resource.inputs if resource else None


class Refused(Exception):
    """A check found a problem, which ends the run."""


@dataclass
class Process:
    """One provider process."""

    fleet: FleetLifecycle
    single: ForwardingLifecycle


@dataclass(frozen=True)
class UpOptions:
    """How `up` is run, and what happens to one of its writes."""

    refresh: bool
    continue_on_error: bool
    on_conflict: str
    broken: str
    spared: int


conflicts = st.sampled_from(["", "", "", "keep", "overwrite"])
breaks = st.sampled_from(["", "", "", *BREAKS])
up_options = st.builds(UpOptions, st.booleans(), st.booleans(), conflicts, breaks, st.integers(0, 3))


class Walk(RuleBasedStateMachine):
    """One stack, and what somebody else does to its lines."""

    def __init__(self) -> None:
        """Six lines, none forwarded, and an empty stack."""
        super().__init__()
        self.lines = build_numbers(LINES)
        self.account = ServerAccount(self.lines, api_key="key")
        self.foreign: set[str] = set()  # lines whose number somebody else set
        self.server = WalkServer(self.account, before_write=self.note_write, after_write=self.foreign.discard)
        self.stack = Stack()
        self.unknown: set[str] = set()  # lines that may be in no state, after a write that went wrong
        self.ever_declared: set[str] = set()
        self.now = 0.0

    # What a team does

    @rule(line=st.integers(0, LINES - 1), number=st.sampled_from(HAND_NUMBERS))
    def hand_edit(self, line: int, number: str) -> None:
        """Somebody changes a line at Linq."""
        id_ = self.lines[line].id
        if self.live()[id_] != number:
            self.account.set_forwarding(id_, number)
            self.foreign.add(id_)

    @rule(program=programs(), options=up_options)
    def up(self, program: Program, options: UpOptions) -> None:
        """`pulumi up` of any program after any other; it is refused for a known reason only."""
        self.start_run(options.on_conflict)
        if options.refresh:
            self.read_all()
        before, live = self.stack.copy(), self.live()
        self.ever_declared |= {self.lines[line].id for line in program.owner}
        with self.server.breaking(options.broken, spared=options.spared):
            errors = self.apply(program, continue_on_error=options.continue_on_error)
        self.check_writes(program, before, live, options)
        self.note_left(before, program, live, options.on_conflict)
        if errors:
            self.check_failure(program, errors, options)
            return
        self.check_success(program, before, live, options)
        if options.refresh:
            self.check_nothing_to_do(program)

    @rule(on_conflict=conflicts, broken=breaks, spared=st.integers(0, 3), continue_on_error=st.booleans())
    def destroy(self, on_conflict: str, broken: str, spared: int, continue_on_error: bool) -> None:
        """`pulumi destroy` clears the stack's lines, except those to be kept, and changes nothing else."""
        before, live = self.stack.copy(), self.live()
        owned = {id_ for id_, _ in self.clears(before, NOTHING)}
        self.start_run(on_conflict)
        with self.server.breaking(broken, spared=spared):
            errors = self.delete_all([*FLEETS, *SINGLES], continue_on_error=continue_on_error)
        self.check_cleared(before, NOTHING, live, on_conflict)
        self.note_left(before, NOTHING, live, on_conflict)
        foreign = [id_ for id_ in owned if not self.is_ours(before, id_, live[id_])]
        disputed = self.disputed(before)
        if self.server.broken == self.broken_before and not disputed:
            assert bool(errors) == (bool(foreign) and not on_conflict)
        if errors:
            return
        assert not self.stack.fleets
        assert not self.stack.singles
        for id_ in owned - (disputed if on_conflict == "keep" else set()):
            assert self.live()[id_] == (live[id_] if id_ in foreign and on_conflict == "keep" else "")
        self.check_no_line_is_lost()

    # How the engine does it

    def start_run(self, on_conflict: str = "") -> None:
        """New provider processes, which remember nothing and share what the program declares."""
        events: list[Event] = []
        self.processes = [self.process(Declarations(SharedLog(events)), on_conflict) for _ in range(2)]
        self.writes: Counter[tuple[str, str]] = Counter()
        self.broken_before = self.server.broken

    def process(self, declarations: Declarations, on_conflict: str) -> Process:
        """One provider process."""
        account = Account(self.server.client("key"), clock=lambda: self.now, sleep=self.sleep)
        common: Any = {"live_check": True, "on_conflict": on_conflict, "notify": lambda _text: None}
        return Process(
            FleetLifecycle(account, declarations, run=one_after_the_other, **common),
            ForwardingLifecycle(account, declarations, **common),
        )

    def sleep(self, seconds: float) -> None:
        """Time that passes at once."""
        self.now += seconds

    def note_write(self, id_: str, number: str) -> None:
        """Remember a write that is sent."""
        self.writes[id_, number] += 1
        assert id_ in self.ever_declared, "a line that this stack never declared is written"

    def of(self, name: str) -> Process:
        """The process of a resource's provider."""
        return self.processes[self.stack.provider.get(name, 0)]

    def read_all(self) -> None:
        """Record what each line forwards to."""
        self.stack.fleets = {name: self.of(name).fleet.read(fleet) for name, fleet in self.stack.fleets.items()}
        for name, outputs in self.stack.singles.items():
            read = self.of(name).single.read(outputs)
            assert read is not None
            self.stack.singles[name] = read

    def apply(self, program: Program, *, continue_on_error: bool) -> list[BaseException]:
        """Register the resources in the program's order, then delete what it replaced or no longer declares."""
        errors: list[BaseException] = []
        for name in program.resources:
            try:
                (self.apply_fleet if name in FLEETS else self.apply_single)(name, program)
            except (Refused, Killed) as error:
                return [*errors, error]
            except LinqError as error:
                errors.append(error)
                if not continue_on_error:
                    return errors
        gone = [name for name in (*FLEETS, *SINGLES) if name not in program.resources]
        return [*errors, *self.delete_all(gone, continue_on_error=continue_on_error)]

    def apply_fleet(self, name: str, program: Program) -> None:
        """Check, diff, create or update."""
        lifecycle = self.processes[program.provider[name]].fleet
        olds, news = self.stack.fleets.get(name), self.declared_fleet(name, program)
        refuse(lifecycle.check(olds.inputs if olds else Fleet(), news)[1])
        if olds is None:
            self.stack.fleets[name] = lifecycle.create(news)
        elif lifecycle.diff(olds, news).changes:
            self.stack.fleets[name] = lifecycle.update(olds, news)
        self.stack.provider[name] = program.provider[name]

    def apply_single(self, name: str, program: Program) -> None:
        """Check, diff, create or update; what was replaced is deleted later."""
        lifecycle = self.processes[program.provider[name]].single
        olds, news = self.stack.singles.get(name), self.declared_single(name, program)
        refuse(lifecycle.check(olds.inputs if olds else Inputs(), news)[1])
        diff = lifecycle.diff(olds, news) if olds else None
        if olds is None or (diff and diff.replaces):
            refuse(lifecycle.check(Inputs(), news)[1])
            self.stack.singles[name] = lifecycle.create(news)
            if olds:
                self.stack.replaced.append((olds, self.stack.provider[name]))
        elif diff and diff.changes:
            self.stack.singles[name] = lifecycle.update(olds, news)
        self.stack.provider[name] = program.provider[name]

    def delete_all(self, names: list[str], *, continue_on_error: bool) -> list[BaseException]:
        """Delete what was replaced, and the named resources as far as they are there; what went wrong."""
        errors: list[BaseException] = []
        for item in [*self.stack.replaced, *names]:
            try:
                self.delete(item)
            except Killed as error:
                return [*errors, error]
            except LinqError as error:
                errors.append(error)
                if not continue_on_error:
                    return errors
        return errors

    def delete(self, item: str | tuple[Outputs, int]) -> None:
        """Delete one resource, if it is there."""
        if not isinstance(item, str):
            self.processes[item[1]].single.delete(item[0])
            self.stack.replaced.remove(item)
        elif item in self.stack.fleets:
            self.of(item).fleet.delete(self.stack.fleets[item])
            del self.stack.fleets[item]
        elif item in self.stack.singles:
            self.of(item).single.delete(self.stack.singles[item])
            del self.stack.singles[item]

    # What must hold

    def check_writes(self, program: Program, before: Stack, live: dict[str, str], options: UpOptions) -> None:
        """Each line is written with its declared number, or cleared by who gives it up; no unseen edit is lost."""
        declared = {self.lines[line].id: number for line, number in program.number.items()}
        owner = {self.lines[line].id: name for line, name in program.owner.items()}
        clears = self.clears(before, program)
        assert self.writes.keys() <= {*declared.items(), *clears}
        self.check_cleared(before, program, live, options.on_conflict)
        for id_, number in self.writes:
            if number != declared.get(id_) or program.overwrite or options.on_conflict == "overwrite":
                continue
            recorded = self.held(before, owner[id_]).get(id_)
            known = {"", number} if recorded is None else {recorded, number}
            assert live[id_] in known or self.is_ours(before, id_, live[id_]), "a number is lost that nobody has seen"

    def check_cleared(self, before: Stack, program: Program, live: dict[str, str], on_conflict: str) -> None:
        """Nothing is cleared that this stack neither recorded nor wrote, and nothing that stays declared."""
        declared = {self.lines[line].id: number for line, number in program.number.items()}
        for id_, now in self.live().items():
            if now == "" != live[id_] and declared.get(id_) != "":
                assert self.is_ours(before, id_, live[id_]) or on_conflict == "overwrite", "a foreign number is cleared"

    def check_failure(self, program: Program, errors: list[BaseException], options: UpOptions) -> None:
        """A run fails for a known reason only, and each line that this stack wrote keeps an owner."""
        if self.server.broken != self.broken_before:
            self.unknown |= {id_ for id_, _ in self.writes} - self.all_held(
                self.stack
            )  # no state records what was under way
            return
        reasons = [reason for error in errors for reason in reasons_of(error)]
        assert all(REFUSALS.search(reason) for reason in reasons), reasons
        # A fleet that failed in part is recorded as it was: its new lines are in no state.
        self.unknown |= {id_ for id_, _ in self.writes} - self.all_held(self.stack)
        if program.overwrite or options.on_conflict == "overwrite":
            assert all(FOREIGN.search(reason) for reason in reasons), reasons
            assert not options.on_conflict, errors

    def note_left(self, before: Stack, program: Program, live: dict[str, str], on_conflict: str) -> None:
        """Remember the lines that were left on purpose: by removed="keep", or by the operator."""
        cleared = {id_ for id_, _ in self.clears(before, program)}
        self.unknown |= self.all_held(before) - cleared - self.all_held(self.stack)
        if on_conflict == "keep":
            foreign = {id_ for id_ in cleared if not self.is_ours(before, id_, live[id_])}
            self.unknown |= foreign | (cleared & self.disputed(before))

    def check_no_line_is_lost(self) -> None:
        """A number that this stack set and no state records was cleared, unless no state could record it."""
        self.unknown -= self.all_held(self.stack)
        for id_ in self.ever_declared - self.all_held(self.stack) - self.foreign - self.unknown:
            assert self.live()[id_] == "", "a line forwards, and no state has an owner for it"

    def disputed(self, stack: Stack) -> set[str]:
        """The lines that have two resources in the state, of which only one wrote it last."""
        holders = Counter(outputs.phone_number_id for outputs, _ in stack.replaced)
        for name in (*FLEETS, *SINGLES):
            holders.update(self.held(stack, name).keys())
        return {id_ for id_, count in holders.items() if count > 1}

    def is_ours(self, stack: Stack, id_: str, number: str) -> bool:
        """Whether a number is what some resource of the state last wrote to a line."""
        singles = [*stack.singles.values(), *(outputs for outputs, _ in stack.replaced)]
        applied = {outputs.applied for outputs in singles if outputs.phone_number_id == id_}
        for fleet in stack.fleets.values():
            applied |= {fleet.applied(line) for line in fleet.lines if self.id_of(line) == id_}
        return number in {"", *applied}

    def clears(self, stack: Stack, program: Program) -> Counter[tuple[str, str]]:
        """The clears that may be sent: one by each resource for each line that it gives up.

        The new owner may declare the line, too: a fleet that gives it up before that is known clears it for a moment.
        """
        owner = {self.lines[line].id: name for line, name in program.owner.items()}
        clears = Counter((outputs.phone_number_id, "") for outputs, _ in stack.replaced)
        for name in (*FLEETS, *SINGLES):
            kept = name in stack.fleets and self.removed(name, stack, program) == "keep"
            clears.update((id_, "") for id_ in self.held(stack, name) if owner.get(id_) != name and not kept)
        return clears

    def check_success(self, program: Program, before: Stack, live: dict[str, str], options: UpOptions) -> None:
        """The state holds the program; each line its number, unless it was edited and nothing asked for it."""
        assert {*self.stack.fleets, *self.stack.singles} == set(program.resources)
        assert self.stack.replaced == []
        for line, name in program.owner.items():
            id_, declared = self.lines[line].id, self.declared(name, program)
            assert self.stack.inputs(name) == declared
            unseen = {live[id_]} if before.inputs(name) == declared and not options.refresh else set()
            assert self.live()[id_] in {program.number[line]} | unseen, id_
        self.check_no_line_is_lost()

    def check_nothing_to_do(self, program: Program) -> None:
        """The next run of the same program changes nothing."""
        self.start_run()
        assert self.apply(program, continue_on_error=False) == []
        assert not self.writes

    # What is declared, and what is there

    def declared(self, name: str, program: Program) -> Fleet | Inputs:
        """The declaration of a resource."""
        return self.declared_fleet(name, program) if name in FLEETS else self.declared_single(name, program)

    def declared_fleet(self, name: str, program: Program) -> Fleet:
        """The declaration of a fleet."""
        forwardings = {self.identity(line, program): program.number[line] for line in program.lines(name)}
        return Fleet(forwardings, program.overwrite or None, None if program.removed == "clear" else "keep", 100)

    def declared_single(self, name: str, program: Program) -> Inputs:
        """The declaration of a single forwarding."""
        (line,) = program.lines(name)
        identity = {"phone_number_id" if line in program.by_id else "phone_number": self.identity(line, program)}
        return Inputs(forwarding_number=program.number[line], overwrite=program.overwrite or None, **identity)

    def identity(self, line: int, program: Program) -> str:
        """The line as the program names it."""
        return self.lines[line].id if line in program.by_id else self.lines[line].phone_number

    def removed(self, name: str, stack: Stack, program: Program) -> str | None:
        """What a fleet does with a line that it gives up; taken from the state if the program has no such fleet."""
        return program.removed if name in program.resources else stack.fleets[name].removed

    def held(self, stack: Stack, name: str) -> dict[str, str]:
        """The ids of the lines that a resource of the state holds, and the number recorded for each."""
        if name in stack.singles:
            return {stack.singles[name].phone_number_id: stack.singles[name].forwarding_number}
        lines = stack.fleets[name].lines if name in stack.fleets else {}
        return {self.id_of(line): str(number) for line, number in lines.items()}

    def id_of(self, line: str) -> str:
        """The id of a line, as a fleet names it."""
        return next(each.id for each in self.lines if line in (each.id, each.phone_number))

    def all_held(self, stack: Stack) -> set[str]:
        """Every line that a resource of a state holds, with what was replaced and not deleted yet."""
        replaced = {outputs.phone_number_id for outputs, _ in stack.replaced}
        return replaced.union(*(self.held(stack, name) for name in (*FLEETS, *SINGLES)))

    def live(self) -> dict[str, str]:
        """What each line forwards to."""
        return {line.id: self.account.find(line.id).forwarding_number or "" for line in self.lines}


def refuse(problems: list[str]) -> None:
    """End the run where a check found a problem."""
    if problems:
        raise Refused("\n".join(problems))


def reasons_of(error: BaseException) -> list[str]:
    """Why a resource failed; a fleet has a reason for each line, which may not all fit into its message."""
    return [str(each) for each in error.errors.values()] if isinstance(error, FleetError) else [str(error)]


def one_after_the_other(calls: Mapping[str, Callable[[], object]]) -> dict[str, LinqError]:
    """Make the calls of a fleet; why it failed, for each that did."""
    errors = {}
    for line, call in calls.items():
        try:
            call()
        except LinqError as error:
            errors[line] = error
    return errors


def test_a_random_walk() -> None:
    """After a run that succeeded, every line does what is declared, and has an owner; no other was touched.

    A run that fails clears no number of somebody else's, and loses no owner. `WALKS` asks for more walks.
    """
    run_walks(Walk, walks=WALKS, steps=STEPS_A_WALK)
