"""A random walk over what teams do with their lines, on the lifecycle alone; tests/engine has one with the real engine.

The walk calls the lifecycle as the engine does: a preview is one process and a run another; both check and diff what the
program declares; a run creates before it deletes, and stops at the first failure unless it is told to go on. The server
is the emulator's API, called without a socket, for speed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from random_walk import run_walks

from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Inputs, Outputs
from linq_provider.emulator.api import LIST_PATH, Api, Request
from linq_provider.emulator.state import Account as ServerAccount
from linq_provider.emulator.state import build_numbers
from linq_provider.errors import AuthenticationError, InternalServerError, LinqError, api_error_class
from linq_provider.phone_number import PhoneNumber

WALKS, STEPS_A_WALK = 200, 50
LINES = build_numbers(4)  # the last one is never declared
BY_ID = {line.id: line for line in LINES}
NUMBERS = ["", "+12025559991", "+12025559992", LINES[0].phone_number, LINES[1].phone_number]
HAND_NUMBERS = ["", "", "+12025559991", "+12025550666"]
COMMANDS = ("up done", "up --refresh done", "up refused at preview", "up failed", "refresh done", "destroy done")
WRITES = ("create writes", "update writes", "delete writes", "delete leaves a declared line")
SEEN: Counter[str] = Counter()  # how often each of them happened
T = TypeVar("T")

names = st.sampled_from("abc")
numbers = st.sampled_from(NUMBERS)
chances = st.randoms(use_true_random=False)


@dataclass(frozen=True)
class Declared:
    """What the program declares for one resource; `line` is an index into LINES."""

    line: int
    by_id: bool
    number: str
    overwrite: bool

    @property
    def id(self) -> str:
        return LINES[self.line].id

    @property
    def inputs(self) -> Inputs:
        line = {"phone_number_id": self.id} if self.by_id else {"phone_number": LINES[self.line].phone_number}
        return Inputs(forwarding_number=self.number, overwrite=self.overwrite or None, **line)


declarations = st.builds(Declared, st.integers(0, 2), st.booleans(), numbers, st.booleans())


class Resource(NamedTuple):
    """One resource of the state."""

    inputs: Inputs
    outputs: Outputs


class UpOptions(NamedTuple):
    """How `up` is run, and what happens meanwhile."""

    skip_preview: bool
    continue_on_error: bool
    at_once: bool  # create each resource when it is registered, not after all are
    live_check: bool
    hand_edit: tuple[PhoneNumber, str] | None  # between the preview and the run


hand_edits = st.tuples(st.sampled_from(LINES), st.sampled_from(HAND_NUMBERS))
up_options = st.builds(UpOptions, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | hand_edits)


@dataclass
class Operation:
    """The create, update or delete that is under way: what it may write, and how often it wrote."""

    verb: str
    line: str
    number: str = ""
    overwrite: bool = False
    recorded: str | None = None
    writes: int = 0


class Client:
    """The client that an account needs, on top of the emulator's API. It shows each write to the walk first."""

    def __init__(self, walk: Walk, key: str) -> None:
        self._walk = walk
        self._key = key

    def list_phone_numbers(self) -> list[PhoneNumber]:
        rows = self._call("GET", LIST_PATH)["phone_numbers"]
        return [PhoneNumber(row["id"], row["phone_number"], row["forwarding_number"] or "") for row in rows]

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        self._walk.check_write(phone_number_id, forwarding_number)
        failure, self._walk.next_write_fails = self._walk.next_write_fails, ""
        path = f"{LIST_PATH}/{phone_number_id}"
        if failure != "before it is applied":
            self._call("PUT", path, json.dumps({"forwarding_number": forwarding_number}).encode())
        if failure:
            raise InternalServerError("PUT", path, 500)
        return PhoneNumber(phone_number_id, BY_ID[phone_number_id].phone_number, forwarding_number)

    def _call(self, method: str, path: str, body: bytes = b"") -> dict[str, list[dict[str, str]]]:
        answer = self._walk.api.respond(Request(method, path, f"Bearer {self._key}", body))
        if answer.status != 200:
            raise api_error_class(answer.status)(method, path, answer.status)
        return json.loads(answer.body)  # type: ignore[no-any-return]


class Refused(Exception):
    """A check found a problem, which ends the run."""


class Walk(RuleBasedStateMachine):
    """A program, a state and a server, and what may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ServerAccount(LINES, api_key="first-key")
        self.api = Api(self.server)
        self.key = self.state_key = "first-key"  # the one that Linq accepts, and the one that the last `up` recorded
        self.program: dict[str, Declared] = {}
        self.state: dict[str, Resource] = {}
        self.replaced: list[Outputs] = []  # and not deleted yet
        self.unseen: set[str] = set()  # lines that may differ from the state, because nothing has shown it yet
        self.ever_declared: set[str] = set()
        self.declared_in_this_run: set[str] = set()
        self.operation: Operation | None = None
        self.next_write_fails = ""
        self.messages: list[str] = []

    # What a team changes in the program

    @initialize(program=st.lists(declarations, min_size=1, max_size=3, unique_by=lambda declared: declared.line))
    def first_program(self, program: list[Declared]) -> None:
        """Begin with one to three resources."""
        self.program = dict(zip("abc", program, strict=False))

    @rule(name=names, declared=declarations)
    def declare(self, name: str, declared: Declared) -> None:
        """Add a resource, or change all of it but the line; another resource that declares the line is removed."""
        if name in self.program:
            declared = replace(declared, line=self.program[name].line)
        self.program = {n: d for n, d in self.program.items() if d.line != declared.line or n == name}
        self.program[name] = declared

    @precondition(lambda self: self.program)
    @rule(chance=chances, line=st.integers(0, 2))
    def move(self, chance: Random, line: int) -> None:
        """Move a resource to another line; another resource that declares the line is removed."""
        name = chance.choice(list(self.program))
        self.program = {n: d for n, d in self.program.items() if d.line != line or n == name}
        self.program[name] = replace(self.program[name], line=line)

    @precondition(lambda self: self.program)
    @rule(chance=chances)
    def remove(self, chance: Random) -> None:
        """Remove a resource."""
        del self.program[chance.choice(list(self.program))]

    @precondition(lambda self: self.program)
    @rule(name=names, chance=chances)
    def rename(self, name: str, chance: Random) -> None:
        """Rename a resource; another resource of that name is removed."""
        self.program[name] = self.program.pop(chance.choice(list(self.program)))

    @precondition(lambda self: self.program)
    @rule(number=numbers, chance=chances)
    def renumber(self, number: str, chance: Random) -> None:
        """Declare another number."""
        name = chance.choice(list(self.program))
        self.program[name] = replace(self.program[name], number=number)

    @precondition(lambda self: len(self.program) > 1)
    @rule(chance=chances)
    def swap(self, chance: Random) -> None:
        """Swap the lines of two resources."""
        a, b = chance.sample(list(self.program), 2)
        one, other = self.program[a], self.program[b]
        self.program |= {a: replace(one, line=other.line), b: replace(other, line=one.line)}

    @precondition(lambda self: self.program)
    @rule(chance=chances, overwrite=st.booleans(), by_id=st.booleans())
    def switch(self, chance: Random, overwrite: bool, by_id: bool) -> None:
        """Turn overwrite on or off, or name a line by its other name."""
        name = chance.choice(list(self.program))
        self.program[name] = replace(self.program[name], overwrite=overwrite, by_id=by_id)

    # What happens outside Pulumi

    @rule(edit=hand_edits)
    def hand_edit(self, edit: tuple[PhoneNumber, str]) -> None:
        """Somebody changes a line at Linq."""
        self.hand_edited(*edit)

    def hand_edited(self, line: PhoneNumber, number: str) -> None:
        """The edit, unless it changes nothing."""
        if self.live(line.id) != number:
            self.server.set_forwarding(line.id, number)
            self.unseen.add(line.id)

    @rule()
    def rotate_key(self) -> None:
        """The team gets a new key; the old one is refused from now on."""
        self.server.revoke_token(self.key)
        self.key = self.server.create_token(None, can_write=True)

    @rule(failure=st.sampled_from(["before it is applied", "after it is applied"]))
    def fail_next_write(self, failure: str) -> None:
        """The next write fails."""
        self.next_write_fails = failure

    # Pulumi's commands

    @rule(chance=chances)
    def preview(self, chance: Random) -> None:
        """`pulumi preview` reports what `up` will report, and only reads."""
        self.preview_passes(chance, live_check=True, refresh=False)

    @rule(chance=chances, options=up_options)
    def up(self, chance: Random, options: UpOptions) -> None:
        """`pulumi up`."""
        self.run_up(chance, options, refresh=False)

    @rule(chance=chances, options=up_options)
    def up_refresh(self, chance: Random, options: UpOptions) -> None:
        """`pulumi up --refresh`."""
        self.run_up(chance, options, refresh=True)

    @rule(override=st.sampled_from([False, False, True]), chance=chances)
    def refresh(self, override: bool, chance: Random) -> None:
        """`pulumi refresh` records what is live, with the key of the last `up` or LINQ_API_KEY_OVERRIDE."""
        before = dict(self.state)
        try:
            self.state = self.read_all(self.new_process(self.key if override else self.state_key), chance)
        except AuthenticationError:
            assert self.key_is_refused(override=override)
            assert self.state == before
            SEEN["refresh refused"] += 1
            return
        self.mark_seen()
        assert self.state.keys() == before.keys()
        SEEN["refresh done"] += 1

    @rule(override=st.sampled_from([False, False, True]), chance=chances)
    def destroy(self, override: bool, chance: Random) -> None:
        """`pulumi destroy` clears what the state records, and nothing else."""
        held, live, write_fails = self.held(), self.all_live(), bool(self.next_write_fails)
        lifecycle = self.new_process(self.key if override else self.state_key)
        succeeded = self.delete_all(lifecycle, {}, chance, continue_on_error=False)
        assert succeeded == (not held or not (write_fails or self.key_is_refused(override=override)))
        if not succeeded:
            self.mark_unseen()
            return
        assert self.state == {}
        assert self.all_live() == live | dict.fromkeys(held, "")
        SEEN["destroy done"] += bool(held)

    # What must hold

    def check_write(self, line: str, number: str) -> None:
        """Whether this write may be sent."""
        assert self.operation, "a preview, check, diff or read writes"
        operation, live = self.operation, self.live(line)
        assert line in self.ever_declared, "a line that this stack never declared is written"
        assert (line, number) == (operation.line, operation.number)
        assert live != number or operation.verb == "delete", "a write that changes nothing"
        operation.writes += 1
        SEEN[f"{operation.verb} writes"] += 1
        if operation.verb == "create" and not operation.overwrite:
            assert live == "", "somebody else's number is overwritten"
        if operation.verb == "update" and not operation.overwrite:
            assert live == operation.recorded, "a hand edit is overwritten that no refresh has shown"
        if operation.verb == "delete":
            assert line not in self.declared_in_this_run, "a line is cleared that is declared before and after"

    @invariant()
    def the_state_is_true(self) -> None:
        """Every line in the state forwards to what is recorded, except where something changed it outside Pulumi."""
        for resource in self.state.values():
            outputs = resource.outputs
            assert outputs.inputs == resource.inputs
            assert outputs.phone_number == BY_ID[outputs.phone_number_id].phone_number
            if outputs.phone_number_id not in self.unseen:
                assert outputs.forwarding_number == self.live(outputs.phone_number_id)

    @invariant()
    def count_step(self) -> None:
        """Each step counts."""
        SEEN["steps"] += 1

    # How the engine runs them

    def run_up(self, chance: Random, options: UpOptions, *, refresh: bool) -> None:
        """Preview and run; the run succeeds exactly where the contract says so."""
        self.ever_declared |= {declared.id for declared in self.program.values()}
        if not options.skip_preview and not self.preview_passes(chance, live_check=options.live_check, refresh=refresh):
            SEEN["up refused at preview"] += 1
            return
        if options.hand_edit:
            self.hand_edited(*options.hand_edit)
        held, write_fails = self.held(), bool(self.next_write_fails)
        self.declared_in_this_run = {declared.id for declared in self.program.values()}
        lifecycle, self.state_key = self.new_process(self.key, live_check=options.live_check), self.key
        if refresh:
            self.state = self.read_all(lifecycle, chance)
            self.mark_seen()
        expected = self.should_pass(self.state, live_check=options.live_check)
        succeeded = self.run_succeeds(lifecycle, chance, options)
        self.declared_in_this_run = set()
        write_failed = write_fails and not self.next_write_fails
        assert expected in (None, succeeded) or write_failed, (expected, succeeded, self.program)
        if not succeeded:
            self.mark_unseen()
            SEEN["up failed"] += 1
            return
        self.check_success(held, refresh=refresh)
        SEEN["up --refresh done" if refresh else "up done"] += bool(self.program)

    def check_success(self, held: set[str], *, refresh: bool) -> None:
        """The state holds the program, each declared line its number, and what the state held before is cleared."""
        assert {name: resource.inputs for name, resource in self.state.items()} == {
            name: declared.inputs for name, declared in self.program.items()
        }
        assert self.replaced == []
        for declared in self.program.values():
            assert self.live(declared.id) == declared.number or (declared.id in self.unseen and not refresh)
        for line in held - {declared.id for declared in self.program.values()}:
            assert self.live(line) == ""
        self.check_nothing_to_do()

    def preview_passes(self, chance: Random, *, live_check: bool, refresh: bool) -> bool:
        """Whether a preview passes; with a live check it must say what the run will say."""
        lifecycle = self.new_process(self.key, live_check=live_check)
        state = self.read_all(lifecycle, chance) if refresh else self.state
        expected = self.should_pass(state, live_check=live_check)
        try:
            for name in shuffled(self.program, chance):
                self.register(lifecycle, state.get(name), self.program[name].inputs)
        except Refused:
            assert expected is not True
            return False
        assert expected is not False or not live_check
        return True

    def run_succeeds(self, lifecycle: ForwardingLifecycle, chance: Random, options: UpOptions) -> bool:
        """Register all, create and update, then delete; whether all of it succeeded."""
        waiting: list[str] = []
        succeeded = True
        try:
            for name in shuffled(self.program, chance):
                old = self.state.get(name)
                replaces = self.register(lifecycle, old, self.program[name].inputs)
                if old is None or replaces or old.inputs != self.program[name].inputs:
                    waiting.append(name)
                while options.at_once and waiting:
                    succeeded &= self.apply(lifecycle, waiting.pop(), continue_on_error=options.continue_on_error)
            for name in shuffled(waiting, chance):
                succeeded &= self.apply(lifecycle, name, continue_on_error=options.continue_on_error)
        except (Refused, LinqError):
            return False
        deleted = self.delete_all(lifecycle, self.program, chance, continue_on_error=options.continue_on_error)
        return succeeded and deleted

    def register(self, lifecycle: ForwardingLifecycle, old: Resource | None, news: Inputs) -> bool:
        """Check and diff; whether the resource is to be replaced."""
        _, problems = lifecycle.check(old.inputs if old else Inputs(), news)
        replaces = False
        if not problems and old:
            replaces = bool(lifecycle.diff(old.outputs, news).replaces)
            assert replaces == (old.outputs.phone_number_id != line_id(news))
            if replaces:
                _, problems = lifecycle.check(Inputs(), news)
        if problems:
            raise Refused(problems)
        return replaces

    def apply(self, lifecycle: ForwardingLifecycle, name: str, *, continue_on_error: bool) -> bool:
        """Create, replace or update one resource; whether that succeeded. Raises where the run then stops."""
        old, declared = self.state.get(name), self.program[name]
        same_line = old is not None and old.outputs.phone_number_id == declared.id
        recorded = old.outputs.forwarding_number if old and same_line else None
        verb = "update" if same_line else "create"
        live = self.live(declared.id)
        operation = Operation(verb, declared.id, declared.number, declared.overwrite, recorded)
        self.operation = operation
        try:
            if old and same_line:
                outputs = lifecycle.update(old.outputs, declared.inputs)
            else:
                outputs = lifecycle.create(declared.inputs)
        except LinqError:
            if continue_on_error:
                return False
            raise
        finally:
            self.operation = None
        assert operation.writes == (live != declared.number)
        if live not in ("", declared.number, recorded):
            assert live in self.messages[-1], "a number is overwritten, and no message names it"
        if old and not same_line:
            self.replaced.append(old.outputs)
        self.state[name] = Resource(outputs.inputs, outputs)
        self.unseen.discard(declared.id)
        return True

    def delete_all(
        self, lifecycle: ForwardingLifecycle, program: dict[str, Declared], chance: Random, *, continue_on_error: bool
    ) -> bool:
        """Delete what was replaced and what is no longer declared; whether all of it succeeded."""
        succeeded = True
        gone = [name for name in self.state if name not in program]
        items: list[str | Outputs] = [*self.replaced, *gone]
        for item in shuffled(items, chance):
            if self.delete(lifecycle, self.state[item].outputs if isinstance(item, str) else item):
                if isinstance(item, str):
                    del self.state[item]
                else:
                    self.replaced.remove(item)
            elif continue_on_error:
                succeeded = False
            else:
                return False
        return succeeded

    def delete(self, lifecycle: ForwardingLifecycle, outputs: Outputs) -> bool:
        """Delete one resource; whether that succeeded. It sends one clear, or none where the line is still declared."""
        line, live = outputs.phone_number_id, self.live(outputs.phone_number_id)
        self.operation = operation = Operation("delete", line)
        try:
            lifecycle.delete(outputs)
        except LinqError:
            return False
        finally:
            self.operation = None
        assert operation.writes == (line not in self.declared_in_this_run)
        SEEN["delete leaves a declared line"] += live != "" and not operation.writes
        if operation.writes and live not in ("", outputs.forwarding_number):
            assert live in self.messages[-1], "a hand edit is cleared, and no message names it"
        return True

    def read_all(self, lifecycle: ForwardingLifecycle, chance: Random) -> dict[str, Resource]:
        """The state after reading every resource; the engine also asks diff, to show what it found."""
        found = {}
        for name in shuffled(self.state, chance):
            old = self.state[name]
            outputs = lifecycle.read(old.outputs)
            assert outputs is not None
            assert outputs.forwarding_number == self.live(outputs.phone_number_id)
            drifted = lifecycle.diff(outputs, old.inputs)
            assert drifted.changes == (outputs.forwarding_number != old.inputs.forwarding_number)
            found[name] = Resource(outputs.inputs, outputs)
        return found

    def should_pass(self, state: dict[str, Resource], *, live_check: bool) -> bool | None:
        """Whether the contract lets the program pass; None where it does not say."""
        targets = {LINES[declared.line].phone_number: declared for declared in self.program.values()}
        uncertain = False
        for name, declared in self.program.items():
            old, live = state.get(name), self.live(declared.id)
            changed = old is None or old.inputs != declared.inputs
            same_line = old is not None and old.outputs.phone_number_id == declared.id
            known = (declared.number, old.outputs.forwarding_number) if old and same_line else ("", declared.number)
            if changed and live not in known and not declared.overwrite:
                return False
            step, hops = declared, 0
            while step.number in targets and hops < len(targets):
                step, hops = targets[step.number], hops + 1
                if step is declared:
                    if changed and live_check:
                        return False
                    uncertain = True  # a loop is found only where something asked for the list
        return None if uncertain else True

    def check_nothing_to_do(self) -> None:
        """Another preview sends no request and finds no change."""
        lifecycle = self.new_process("no-key")
        for name, declared in self.program.items():
            old = self.state[name]
            assert lifecycle.check(old.inputs, declared.inputs) == (declared.inputs, [])
            assert not lifecycle.diff(old.outputs, declared.inputs).changes

    def mark_seen(self) -> None:
        """The state shows what every line in it forwards to."""
        self.unseen -= {resource.outputs.phone_number_id for resource in self.state.values()}

    def mark_unseen(self) -> None:
        """A run that failed may leave a line other than the state says; the next refresh shows it."""
        for resource in self.state.values():
            if resource.outputs.forwarding_number != self.live(resource.outputs.phone_number_id):
                self.unseen.add(resource.outputs.phone_number_id)

    def key_is_refused(self, *, override: bool) -> bool:
        """Whether Linq refuses the key that a command reads from the state."""
        return self.state_key != self.key and not override

    def new_process(self, key: str, *, live_check: bool = True) -> ForwardingLifecycle:
        """A provider process, which remembers nothing of the ones before."""
        account = Account(Client(self, key), clock=lambda: 0.0, sleep=lambda _seconds: None)
        return ForwardingLifecycle(account, Declarations(), live_check=live_check, notify=self.messages.append)

    def live(self, line: str) -> str:
        """What a line forwards to."""
        return self.server.find(line).forwarding_number or ""

    def all_live(self) -> dict[str, str]:
        """What each line of the account forwards to."""
        return {line.id: self.live(line.id) for line in LINES}

    def held(self) -> set[str]:
        """The lines in the state, with those that were replaced and not deleted yet."""
        resources = (resource.outputs for resource in self.state.values())
        return {outputs.phone_number_id for outputs in (*self.replaced, *resources)}


def line_id(inputs: Inputs) -> str:
    """The id of a declared line."""
    return next(line.id for line in LINES if inputs.identity in (line.id, line.phone_number))


def shuffled(items: Iterable[T], chance: Random) -> list[T]:
    """The items in any order."""
    mixed = list(items)
    chance.shuffle(mixed)
    return mixed


def test_a_random_walk() -> None:
    """No foreign line is written, none that stays declared is cleared, and no unseen edit is lost.

    Whatever a team does: the state is true, and `up --refresh` makes every line do what is declared.
    """
    SEEN.clear()
    run_walks(Walk, walks=WALKS, steps=STEPS_A_WALK)
    print(dict(SEEN))
    assert SEEN["steps"] >= 2000
    assert all(SEEN[event] for event in (*COMMANDS, *WRITES)), "the walk has seen too little"
