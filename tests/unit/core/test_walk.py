"""A random walk over what teams do with their lines, on the lifecycle alone; tests/engine has one with the real engine.

The walk calls the lifecycle as the engine does: a preview is one run and `up` another; each provider of a run is a
process with its own list, and all of them share what the program declares. A run checks and diffs what the program
declares, creates before it deletes unless it is told otherwise, and stops at the first failure unless it is told to go
on. The server is the emulator's API, called without a socket, for speed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from random_walk import run_walks
from walk_server import BREAKS, Killed, SharedLog, WalkServer

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations, Event
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Inputs, Outputs
from linq_provider.emulator.state import Account as ServerAccount
from linq_provider.emulator.state import build_numbers
from linq_provider.errors import AuthenticationError, LinqError
from linq_provider.phone_number import PhoneNumber

MANY_WALKS = 300  # so many see also what is rare
WALKS = int(os.environ.get("WALKS", "40"))
STEPS_A_WALK = 50
LINES = build_numbers(4)  # the last one is never declared
BY_ID = {line.id: line for line in LINES}
NAMES, PROVIDERS = "abc", ("default", "other")
NUMBERS = ["", "+12025559991", "+12025559992", LINES[0].phone_number, LINES[1].phone_number]
HAND_NUMBERS = ["", "", "+12025559991", "+12025550666"]
COMMANDS = ("up done", "up --refresh done", "up failed", "refresh done")
WRITES = ("create writes", "update writes", "delete writes", "delete leaves a declared line")
REFUSALS = (
    "up refused at preview",
    "foreign number not cleared",
    "foreign number kept",
    "delete refused because its new owner failed",
)
INTERRUPTED = ("replacement interrupted", "replacement finished")
SEEN: Counter[str] = Counter()  # how often each of them happened
T = TypeVar("T")

seeds = st.integers(0, 2**32 - 1)  # each step takes its choices from a seed, so that it repeats alone


@dataclass(frozen=True)
class Declared:
    """What the program declares for one resource; `line` is an index into LINES.

    `delete_first` and `on_changes` are the options `delete_before_replace` and `replace_on_changes`.
    """

    line: int
    by_id: bool
    number: str
    overwrite: bool
    provider: str
    delete_first: bool
    on_changes: bool

    @property
    def id(self) -> str:
        return LINES[self.line].id

    @property
    def inputs(self) -> Inputs:
        line = {"phone_number_id": self.id} if self.by_id else {"phone_number": LINES[self.line].phone_number}
        return Inputs(forwarding_number=self.number, overwrite=self.overwrite or None, **line)


def any_declared(chance: Random) -> Declared:
    """Anything that a program may declare for one resource."""
    return Declared(
        line=chance.randrange(3),
        by_id=flip(chance),
        number=chance.choice(NUMBERS),
        overwrite=flip(chance),
        provider=chance.choice(PROVIDERS),
        delete_first=flip(chance, 0.3),
        on_changes=flip(chance, 0.2),
    )


class Resource(NamedTuple):
    """One resource of the state. `pending`: a replacement deleted it, and its create is still to come."""

    inputs: Inputs
    outputs: Outputs
    provider: str
    pending: bool = False


@dataclass(frozen=True)
class UpOptions:
    """How `up` is run, and what happens meanwhile."""

    skip_preview: bool
    continue_on_error: bool
    at_once: bool  # create each resource when it is registered, not after all are
    live_check: bool
    replace: bool  # `--replace` of every resource
    on_conflict: str  # LINQ_ON_CONFLICT
    broken: str  # how a write of the run goes wrong: one of BREAKS, or ""
    spared: int  # so many writes go well before
    hand_edit: tuple[PhoneNumber, str] | None  # between the preview and the run


def any_up(chance: Random) -> UpOptions:
    """Any way to run `up`; most go without a fault."""
    return UpOptions(
        skip_preview=flip(chance),
        continue_on_error=flip(chance),
        at_once=flip(chance),
        live_check=flip(chance, 0.7),
        replace=flip(chance, 0.15),
        on_conflict=any_on_conflict(chance),
        broken=chance.choice(BREAKS) if flip(chance, 0.3) else "",
        spared=chance.randrange(3),
        hand_edit=(chance.choice(LINES), chance.choice(HAND_NUMBERS)) if flip(chance, 0.2) else None,
    )


def any_on_conflict(chance: Random) -> str:
    """What the operator decides, which is mostly nothing."""
    return chance.choice(["", "", "", "keep", "overwrite"])


def flip(chance: Random, probability: float = 0.5) -> bool:
    """Whether it happens."""
    return chance.random() < probability


PLAIN = UpOptions(
    skip_preview=True,
    continue_on_error=False,
    at_once=False,
    live_check=True,
    replace=False,
    on_conflict="",
    broken="",
    spared=0,
    hand_edit=None,
)


@dataclass
class Operation:
    """The create, update or delete that is under way: what it may write, and how often it wrote."""

    verb: str
    line: str
    number: str | None = None  # None where it may write nothing
    may_replace: frozenset[str] | None = None  # the numbers that it may replace; None for any
    writes: int = 0


@dataclass
class Run:
    """One run of the engine: its provider processes, and what happened so far."""

    processes: dict[str, ForwardingLifecycle]
    program: dict[str, Declared]
    on_conflict: str = ""
    continue_on_error: bool = False
    registered: set[str] = field(default_factory=set)  # resources that the program has declared so far
    failed: set[str] = field(default_factory=set)  # resources whose create or update failed
    done: set[str] = field(default_factory=set)  # resources that are as declared
    touched: set[str] = field(default_factory=set)  # lines that a delete of this run wrote or handed over
    handed_over: dict[str, str] = field(default_factory=dict)  # what the state recorded for those handed over

    def declares(self, line: str) -> tuple[str, Declared] | None:
        """Which resource of the program declares a line, as far as the program has run."""
        return next(((name, self.program[name]) for name in self.registered if self.program[name].id == line), None)


class Refused(Exception):
    """A check found a problem, which ends the run."""


class Walk(RuleBasedStateMachine):
    """A program, a state and a server, and what may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.account = ServerAccount(LINES, api_key="first-key")
        self.foreign: set[str] = set()  # lines whose number somebody else set
        self.server = WalkServer(self.account, before_write=self.check_write, after_write=self.foreign.discard)
        self.key = self.state_key = "first-key"  # the one that Linq accepts, and the one that the last `up` recorded
        self.program: dict[str, Declared] = {}
        self.state: dict[str, Resource] = {}
        self.replaced: list[Resource] = []  # and not deleted yet
        self.unseen: set[str] = set()  # lines that may differ from the state, because nothing has shown it yet
        self.ownerless: set[str] = set()  # lines that no state can have: an unfinished create, a replacement given up
        self.ever_declared: set[str] = set()
        self.operation: Operation | None = None
        self.messages: list[str] = []
        self.now = 0.0

    # What a team changes in the program

    def edit(self, chance: Random) -> None:
        """Change the program as a team does."""
        change = chance.choice(
            [self.declare, self.move, self.remove, self.rename, self.renumber, self.swap, self.switch]
        )
        if self.program or change == self.declare:
            change(chance)
        if flip(chance, 0.3):
            self.put_back()

    def declare(self, chance: Random) -> None:
        """Add a resource, or change all of it but the line; another resource that declares the line is removed."""
        name, declared = chance.choice(NAMES), any_declared(chance)
        if name in self.program:
            declared = replace(declared, line=self.program[name].line)
        self.program = {n: d for n, d in self.program.items() if d.line != declared.line or n == name}
        self.program[name] = declared

    def move(self, chance: Random) -> None:
        """Move a resource to another line; another resource that declares the line is removed."""
        self.move_to(chance.choice(list(self.program)), chance.randrange(3))

    def move_to(self, name: str, line: int) -> None:
        """Declare another line; another resource that declares it is removed."""
        self.program = {n: d for n, d in self.program.items() if d.line != line or n == name}
        self.program[name] = replace(self.program[name], line=line)

    def remove(self, chance: Random) -> None:
        """Remove a resource."""
        del self.program[chance.choice(list(self.program))]

    def rename(self, chance: Random) -> None:
        """Rename a resource, perhaps into another provider; another resource of that name is removed."""
        renamed = self.program.pop(chance.choice(list(self.program)))
        provider = chance.choice([renamed.provider, *PROVIDERS])
        self.program[chance.choice(NAMES)] = replace(renamed, provider=provider)

    def renumber(self, chance: Random) -> None:
        """Declare another number."""
        name = chance.choice(list(self.program))
        self.program[name] = replace(self.program[name], number=chance.choice(NUMBERS))

    def swap(self, chance: Random) -> None:
        """Swap the lines of two resources."""
        a, b = chance.choice(list(self.program)), chance.choice(list(self.program))
        one, other = self.program[a], self.program[b]
        self.program |= {a: replace(one, line=other.line), b: replace(other, line=one.line)}

    def switch(self, chance: Random) -> None:
        """Turn overwrite or an option on or off, name a line by its other name, or take another provider."""
        name = chance.choice(list(self.program))
        old, new = self.program[name], any_declared(chance)
        self.program[name] = replace(new, line=old.line, number=old.number)

    def put_back(self) -> None:
        """Put a resource back as it was before a replacement that failed half way."""
        for name, resource in self.state.items():
            line = next(index for index, line in enumerate(LINES) if line.id == resource.outputs.phone_number_id)
            if resource.pending and all(one.line != line for n, one in self.program.items() if n != name):
                old, number = resource.inputs, str(resource.inputs.forwarding_number)
                by_id = old.phone_number_id is not None
                self.program[name] = Declared(line, by_id, number, bool(old.overwrite), resource.provider, True, False)

    # What happens outside Pulumi

    @rule(seed=seeds)
    def hand_edit(self, seed: int) -> None:
        """Somebody changes a line at Linq."""
        chance = Random(seed)
        self.hand_edited(chance.choice(LINES), chance.choice(HAND_NUMBERS))

    def hand_edited(self, line: PhoneNumber, number: str) -> None:
        """The edit, unless it changes nothing."""
        if self.live(line.id) != number:
            self.account.set_forwarding(line.id, number)
            self.unseen.add(line.id)
            self.foreign.add(line.id)

    @rule()
    def rotate_key(self) -> None:
        """The team gets a new key; the old one is refused from now on."""
        self.account.revoke_token(self.key)
        self.key = self.account.create_token(None, can_write=True)

    # Pulumi's commands

    @initialize(seed=seeds)
    def first_up(self, seed: int) -> None:
        """Begin with up to three resources."""
        chance = Random(seed)
        for _ in NAMES:
            self.declare(chance)
        self.run_up(chance, PLAIN, refresh=False)

    @rule(seed=seeds, edits=st.sampled_from([0, 1, 1, 2]))
    def up(self, seed: int, edits: int) -> None:
        """`pulumi up`, after some edits of the program."""
        chance = Random(seed)
        for _ in range(edits):
            self.edit(chance)
        self.run_up(chance, any_up(chance), refresh=False)

    @rule(seed=seeds, edits=st.sampled_from([0, 1]))
    def up_refresh(self, seed: int, edits: int) -> None:
        """`pulumi up --refresh`, after some edits of the program."""
        chance = Random(seed)
        for _ in range(edits):
            self.edit(chance)
        self.run_up(chance, any_up(chance), refresh=True)

    @rule(seed=seeds)
    def interrupt_a_replacement(self, seed: int) -> None:
        """A replacement that deletes first goes wrong half way; then the same program, the old one, or a third one."""
        chance, before = Random(seed), dict(self.program)
        if names := [name for name in self.state if name in self.program and not self.state[name].pending]:
            name = chance.choice(names)
            self.program[name] = replace(self.program[name], delete_first=True, on_changes=True)
            self.program[name] = replace(self.program[name], number=chance.choice(NUMBERS))
            if flip(chance):
                self.move_to(name, chance.randrange(3))
            self.run_up(chance, replace(PLAIN, broken=chance.choice(BREAKS), spared=chance.randrange(2)), refresh=False)
            self.program = before if flip(chance) else self.program
            if flip(chance):
                self.edit(chance)
            self.run_up(chance, PLAIN, refresh=flip(chance))

    @rule(seed=seeds)
    def edit_by_hand_and_remove(self, seed: int) -> None:
        """Somebody changes a line, and then the team takes it out of the program."""
        chance = Random(seed)
        if names := [name for name in self.state if name in self.program]:
            name = chance.choice(names)
            line = BY_ID[self.state[name].outputs.phone_number_id]
            self.hand_edited(line, chance.choice(HAND_NUMBERS))
            if flip(chance):
                self.refresh(seed)
            del self.program[name]
            self.run_up(chance, replace(PLAIN, on_conflict=any_on_conflict(chance)), refresh=flip(chance))

    @rule(seed=seeds)
    def refresh(self, seed: int) -> None:
        """`pulumi refresh` records what is live, with the key of the last `up` or LINQ_API_KEY_OVERRIDE."""
        chance, before = Random(seed), dict(self.state)
        override = flip(chance)
        try:
            self.state = self.read_all(self.new_run({}, self.key if override else self.state_key), chance)
        except AuthenticationError:
            assert self.key_is_refused(override=override)
            assert self.state == before
            SEEN["refresh refused"] += 1
            return
        self.mark_seen()
        assert self.state.keys() == before.keys()
        SEEN["refresh done"] += 1

    @rule(seed=seeds)
    def destroy(self, seed: int) -> None:
        """`pulumi destroy` clears what is this stack's, and touches nothing else."""
        chance = Random(seed)
        held, live, override = self.held(), self.all_live(), flip(chance)
        run = self.new_run({}, self.key if override else self.state_key, on_conflict=any_on_conflict(chance))
        run.continue_on_error = flip(chance)
        with self.server.breaking(chance.choice(["", "", *BREAKS])):
            succeeded = self.all_deleted(run, chance)
        assert {line: number for line, number in self.all_live().items() if number not in ("", live[line])} == {}
        assert all(self.live(line) == number for line, number in live.items() if line not in held)
        if not succeeded:
            self.mark_unseen()
            return
        assert self.state == {}
        self.check_no_line_is_lost()
        SEEN["destroy done"] += bool(held)

    # What must hold

    def check_write(self, line: str, number: str) -> None:
        """Whether this write may be sent."""
        operation = self.operation
        assert operation, "a preview, check, diff or read writes"
        assert line in self.ever_declared, "a line that this stack never declared is written"
        assert (line, number) == (operation.line, operation.number)
        allowed = operation.may_replace
        assert allowed is None or self.live(line) in {*allowed, number}, "a number that somebody else set is lost"
        operation.writes += 1
        SEEN[f"{operation.verb} writes"] += 1

    @invariant()
    def the_state_is_true(self) -> None:
        """Every line in the state forwards to what is recorded, except where something changed it outside Pulumi."""
        for resource in self.state.values():
            outputs = resource.outputs
            assert outputs.inputs == resource.inputs
            assert outputs.phone_number == BY_ID[outputs.phone_number_id].phone_number
            if outputs.phone_number_id not in self.unseen and not resource.pending:
                assert outputs.forwarding_number == self.live(outputs.phone_number_id)

    @invariant()
    def count_step(self) -> None:
        """Each step counts."""
        SEEN["steps"] += 1

    def check_no_line_is_lost(self) -> None:
        """A number that this stack set and no state records was cleared, unless no state could record it."""
        self.ownerless -= self.held()
        for line in self.ever_declared - self.held() - self.foreign - self.ownerless:
            assert self.live(line) == "", "a line forwards, and no state has an owner for it"

    # How the engine runs them

    def run_up(self, chance: Random, options: UpOptions, *, refresh: bool) -> None:
        """Preview and run; the run succeeds exactly if the contract says so."""
        note(f"{self.program}, {options}")
        self.ever_declared |= {declared.id for declared in self.program.values()}
        if not options.skip_preview and not self.preview_passes(chance, options, refresh=refresh):
            SEEN["up refused at preview"] += 1
            return
        if options.hand_edit:
            self.hand_edited(*options.hand_edit)
        held, broken = self.held(), self.server.broken
        run = self.new_run(self.program, self.key, live_check=options.live_check, on_conflict=options.on_conflict)
        run.continue_on_error, self.state_key = options.continue_on_error, self.key
        if refresh:
            self.state = self.read_all(run, chance)
            self.mark_seen()
        expected = self.should_pass(self.state, options)
        with self.server.breaking(options.broken, spared=options.spared):
            applied = self.all_applied(run, chance, options)
            unbroken = self.server.broken == broken
            assert expected in (None, bool(applied)) or not unbroken, (expected, applied, self.program)
            deleted = (applied or (options.continue_on_error and applied is not None)) and self.all_deleted(run, chance)
        if not (applied and deleted):
            self.mark_unseen()
            SEEN["up failed"] += 1
            return
        self.check_success(held, options, refresh=refresh)
        SEEN["up --refresh done" if refresh else "up done"] += bool(self.program)

    def check_success(self, held: set[str], options: UpOptions, *, refresh: bool) -> None:
        """The state holds the program, each declared line its number, and what the state held before is cleared."""
        assert {name: (resource.inputs, resource.pending) for name, resource in self.state.items()} == {
            name: (declared.inputs, False) for name, declared in self.program.items()
        }
        assert self.replaced == []
        for declared in self.program.values():
            assert self.live(declared.id) == declared.number or (declared.id in self.unseen and not refresh)
        for line in held - self.held() - self.ownerless:
            assert self.live(line) == "" or (options.on_conflict == "keep" and line in self.unseen | self.foreign)
        self.check_no_line_is_lost()
        self.check_nothing_to_do()

    def preview_passes(self, chance: Random, options: UpOptions, *, refresh: bool) -> bool:
        """Whether a preview passes; with a live check it must say what the run will say."""
        run = self.new_run(self.program, self.key, live_check=options.live_check, on_conflict=options.on_conflict)
        state = self.read_all(run, chance) if refresh else self.state
        expected = self.should_pass(state, options)
        try:
            for name in shuffled(self.program, chance):
                self.register(run, name, state.get(name), replace_all=options.replace)
        except Refused:
            assert expected is not True
            return False
        assert expected is not False or not options.live_check
        return True

    def all_applied(self, run: Run, chance: Random, options: UpOptions) -> bool | None:
        """Register all, create and update; whether all of it succeeded, None where the run ended at once."""
        waiting: dict[str, str] = {}
        succeeded = True
        try:
            for name in shuffled(self.program, chance):
                verb = self.register(run, name, self.state.get(name), replace_all=options.replace)
                if verb == "same":
                    self.state[name] = self.state[name]._replace(provider=self.program[name].provider)
                    run.done.add(name)
                else:
                    waiting[name] = verb
                while options.at_once and waiting:
                    succeeded &= self.applied(run, *waiting.popitem())
            for name in shuffled(waiting, chance):
                succeeded &= self.applied(run, name, waiting[name])
        except (Refused, LinqError, Killed):
            return None
        return succeeded

    def register(self, run: Run, name: str, old: Resource | None, *, replace_all: bool) -> str:
        """Check and diff; return what the resource needs."""
        declared = self.program[name]
        lifecycle, news = run.processes[declared.provider], declared.inputs
        run.registered.add(name)
        verb = "create" if old is None else "replace" if replace_all else "same"
        _, problems = lifecycle.check(old.inputs if old and verb == "same" else Inputs(), news)
        if not problems and old and verb == "same":
            diff = lifecycle.diff(old.outputs, news)
            assert bool(diff.replaces) == (old.outputs.phone_number_id != declared.id)
            assert diff.changes == (old.inputs != news) or diff.cleared
            if diff.replaces or (diff.changes and declared.on_changes):
                verb = "replace"
                _, problems = lifecycle.check(Inputs(), news)
            elif diff.changes:
                verb = "update"
        if problems:
            raise Refused(problems)
        return "recreate" if old and old.pending else verb

    def applied(self, run: Run, name: str, verb: str) -> bool:
        """Create, replace or update one resource; whether that succeeded. Raises where the run then stops."""
        old, declared = self.state.get(name), self.program[name]
        if verb == "replace" and declared.delete_first and old:
            if not self.deleted(run, old):
                return self.fail(run, name)
            self.state[name] = old = old._replace(pending=True)
        try:
            outputs = self.written(run, name, verb)
        except LinqError:
            if old and old.pending:
                SEEN["replacement interrupted"] += 1
            return self.fail(run, name)
        if verb == "replace" and old and not old.pending:
            self.replaced.append(old)
        if verb == "recreate":
            SEEN["replacement finished"] += 1
            if old and old.outputs.phone_number_id != declared.id:  # it is in no state any more
                self.ownerless.add(old.outputs.phone_number_id)
        self.state[name] = Resource(outputs.inputs, outputs, declared.provider)
        self.unseen.discard(declared.id)
        run.done.add(name)
        return True

    def fail(self, run: Run, name: str) -> bool:
        """A resource failed: go on, or stop here."""
        run.failed.add(name)
        if not run.continue_on_error:
            raise Refused
        return False

    def written(self, run: Run, name: str, verb: str) -> Outputs:
        """Call create or update, and check that it writes what it should."""
        old, declared = self.state.get(name), self.program[name]
        same_line = old is not None and old.outputs.phone_number_id == declared.id
        recorded = old.outputs.forwarding_number if old and same_line else None
        live, lifecycle = self.live(declared.id), run.processes[declared.provider]
        held, before = declared.id in self.held(), live
        operation = Operation(verb if verb == "update" else "create", declared.id, declared.number)
        if not (declared.overwrite or run.on_conflict == "overwrite"):
            ours = {recorded, old.outputs.applied} if old and same_line else {""}
            if declared.id in run.handed_over:
                ours.add(run.handed_over[declared.id])
            operation.may_replace = frozenset({*ours, ""} if verb != "update" or declared.id in run.touched else ours)
        self.operation = operation
        try:
            if verb == "update" and old:
                outputs = lifecycle.update(old.outputs, declared.inputs)
            else:
                outputs = lifecycle.create(declared.inputs)
        except BaseException:
            if verb != "update" and operation.writes and not held:
                self.ownerless.add(declared.id)
            raise
        finally:
            self.operation = None
        assert self.live(declared.id) == declared.number
        assert operation.writes <= 1
        if verb == "create" and declared.id not in run.touched:
            assert operation.writes == (live != declared.number), "an adoption writes"
        if before not in ("", declared.number, recorded) and declared.id not in run.touched:
            assert before in self.messages[-1], "a number is overwritten, and no message names it"
        return outputs

    def all_deleted(self, run: Run, chance: Random) -> bool:
        """Delete what was replaced and what is no longer declared; whether all of it succeeded."""
        succeeded = True
        gone = [name for name in self.state if name not in run.program]
        try:
            for item in shuffled([*map(str, gone), *self.replaced], chance):
                resource = self.state[item] if isinstance(item, str) else item
                if resource.pending:  # its delete is over, so the engine drops it without a call
                    self.ownerless.add(resource.outputs.phone_number_id)
                elif not self.deleted(run, resource):
                    succeeded = False
                    if not run.continue_on_error:
                        return False
                    continue
                if isinstance(item, str):
                    del self.state[item]
                else:
                    self.replaced.remove(item)
        except Killed:
            return False
        return succeeded

    def deleted(self, run: Run, resource: Resource) -> bool:
        """Delete one resource; whether that succeeded. It does what the contract says, or the process fails."""
        outputs, line = resource.outputs, resource.outputs.phone_number_id
        live, owner, broken = self.live(line), run.declares(line), self.server.broken
        ours = live in ("", outputs.applied)
        operation = self.operation = Operation("delete", line)
        if owner:
            operation.number, operation.may_replace = owner[1].number, frozenset({"", outputs.applied})
        elif ours or run.on_conflict == "overwrite":
            operation.number = ""
        succeeded = True
        try:
            run.processes[resource.provider].delete(outputs)
        except LinqError as error:
            succeeded = False
            refused = isinstance(error, AuthenticationError) or self.server.broken != broken
        finally:
            self.operation = None
        if not succeeded and refused:
            return False
        run.touched.add(line)
        if owner:
            if succeeded:
                run.handed_over[line] = outputs.applied
            self.check_handed_over(run, owner, resource, live, succeeded=succeeded)
        else:
            self.check_cleared(run, outputs, live, operation, succeeded=succeeded)
        return succeeded

    def check_handed_over(
        self, run: Run, owner: tuple[str, Declared], resource: Resource, live: str, *, succeeded: bool
    ) -> None:
        """A line that the program declares is never cleared, and the state keeps an owner."""
        name, declared = owner
        own = self.state.get(name)
        has_owner = own is not None and own.outputs.phone_number_id == declared.id and own != resource
        if name in run.failed and not has_owner:
            assert not succeeded, "the last owner of a line leaves the state"
            SEEN["delete refused because its new owner failed"] += 1
        if name in run.done or not run.failed:
            assert succeeded
        if succeeded:
            ours = live in ("", resource.outputs.applied)
            assert self.live(declared.id) in {declared.number if ours and name in run.done else live, declared.number}
            SEEN["delete leaves a declared line"] += live != ""
        else:
            assert self.live(declared.id) == live

    def check_cleared(self, run: Run, outputs: Outputs, live: str, operation: Operation, *, succeeded: bool) -> None:
        """The stack's own numbers are cleared; others only if the operator decides so."""
        now = self.live(outputs.phone_number_id)
        if live in ("", outputs.applied):
            assert succeeded
            assert now == ""
            assert operation.writes == (live != "" or outputs.forwarding_number != "")
            return
        assert succeeded == bool(run.on_conflict), "a line of somebody else's leaves the state, or stays for ever"
        assert now == ("" if run.on_conflict == "overwrite" else live)
        if run.on_conflict:
            assert live in self.messages[-1], "a line is let pass, and no message names it"
        if run.on_conflict == "keep":
            self.ownerless.add(outputs.phone_number_id)
        SEEN["foreign number kept" if run.on_conflict == "keep" else "foreign number not cleared"] += now == live

    def read_all(self, run: Run, chance: Random) -> dict[str, Resource]:
        """The state after reading every resource; the engine also asks diff, to show what it found."""
        found = {}
        for name in shuffled(self.state, chance):
            old = found[name] = self.state[name]
            if old.pending:
                continue
            lifecycle = run.processes[old.provider]
            outputs = lifecycle.read(old.outputs)
            assert outputs is not None
            assert outputs.forwarding_number == self.live(outputs.phone_number_id)
            assert outputs.applied == old.outputs.applied
            drifted = lifecycle.diff(outputs, old.inputs)
            assert drifted.changes == (outputs.forwarding_number != old.inputs.forwarding_number)
            found[name] = old._replace(inputs=outputs.inputs, outputs=outputs)
        return found

    def should_pass(self, state: dict[str, Resource], options: UpOptions) -> bool | None:
        """Whether the contract lets the program pass; None where it does not say."""
        targets = {LINES[declared.line].phone_number: declared for declared in self.program.values()}
        lines = {declared.id for declared in self.program.values()}
        uncertain = any(declared.delete_first for declared in self.program.values())
        for name, declared in self.program.items():
            old, live = state.get(name), self.live(declared.id)
            if old and declared.on_changes and old.inputs.identity != declared.inputs.identity:
                uncertain = True  # a replacement under the line's other name: nothing shows that it is the same line
            changed = old is None or old.inputs != declared.inputs or options.replace or old.pending
            known = {declared.number}
            if old is None or options.replace or old.outputs.phone_number_id != declared.id:
                known.add("")
            else:
                known.add(old.outputs.forwarding_number)
            if changed and live not in known and not declared.overwrite and options.on_conflict != "overwrite":
                # A recorded line that is clear now: at preview, it may also be one of an interrupted replacement.
                if live and (old is None or not old.pending):
                    return None if uncertain else False
                uncertain = True
            uncertain |= any(line.phone_number == declared.number and line.id not in lines for line in LINES)
            step, hops = declared, 0
            while step.number in targets and hops < len(targets):
                step, hops = targets[step.number], hops + 1
                if step is declared:
                    if changed and options.live_check and not uncertain:
                        return False
                    uncertain = True  # a loop is found only where something asked for the list
        return None if uncertain else True

    def check_nothing_to_do(self) -> None:
        """Another preview sends no request and finds no change."""
        run = self.new_run(self.program, "no-key")
        for name, declared in self.program.items():
            old, lifecycle = self.state[name], run.processes[declared.provider]
            assert lifecycle.check(old.inputs, declared.inputs) == (declared.inputs, [])
            assert not lifecycle.diff(old.outputs, declared.inputs).changes

    def mark_seen(self) -> None:
        """The state shows what every line in it forwards to."""
        self.unseen -= {resource.outputs.phone_number_id for resource in self.state.values()}

    def mark_unseen(self) -> None:
        """After a run that failed a line may differ from the state; the next refresh shows that."""
        for resource in self.state.values():
            if resource.outputs.forwarding_number != self.live(resource.outputs.phone_number_id):
                self.unseen.add(resource.outputs.phone_number_id)

    def key_is_refused(self, *, override: bool) -> bool:
        """Whether Linq refuses the key that a command reads from the state."""
        return self.state_key != self.key and not override

    def new_run(self, program: dict[str, Declared], key: str, *, live_check: bool = True, on_conflict: str = "") -> Run:
        """A process for each provider, which remember nothing of the runs before and share what this one declares."""
        events: list[Event] = []
        return Run(
            {
                provider: ForwardingLifecycle(
                    Account(self.server.client(key), clock=lambda: self.now, sleep=self.sleep),
                    Declarations(SharedLog(events)),
                    live_check=live_check,
                    on_conflict=on_conflict,
                    notify=self.messages.append,
                )
                for provider in PROVIDERS
            },
            dict(program),
            on_conflict,
        )

    def sleep(self, seconds: float) -> None:
        """Time that passes at once."""
        self.now += seconds

    def live(self, line: str) -> str:
        """What a line forwards to."""
        return self.account.find(line).forwarding_number or ""

    def all_live(self) -> dict[str, str]:
        """What each line of the account forwards to."""
        return {line.id: self.live(line.id) for line in LINES}

    def held(self) -> set[str]:
        """The lines in the state, with those that were replaced and not deleted yet."""
        return {resource.outputs.phone_number_id for resource in (*self.replaced, *self.state.values())}


def shuffled(items: Iterable[T], chance: Random) -> list[T]:
    """The items in any order."""
    mixed = list(items)
    chance.shuffle(mixed)
    return mixed


def test_a_random_walk() -> None:
    """No foreign line is written or cleared, none that stays declared is cleared, and no unseen edit is lost.

    Whatever a team does: the state is true, no line is left without an owner, and `up --refresh` makes every line do
    what is declared. `WALKS` asks for more walks.
    """
    SEEN.clear()
    run_walks(Walk, walks=WALKS, steps=STEPS_A_WALK)
    print(dict(SEEN))
    assert SEEN["steps"] >= 25 * WALKS
    rare = ("destroy done", *REFUSALS, *INTERRUPTED) if WALKS >= MANY_WALKS else ()
    missing = [event for event in (*COMMANDS, *WRITES, *rare) if not SEEN[event]]
    assert not missing, "the walk has seen too little"
