"""A random walk over what teams do with their lines, on the lifecycle alone; tests/engine has the real one.

The engine is modelled as far as its behaviour is known: a preview is one process and a run another; each
checks and diffs what the program declares; a run creates before it deletes, and stops at the first failure
unless told to go on. The server is the emulator's API called without a socket, for speed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from seeded import seeded

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
LINES = build_numbers(4)  # the fourth is never declared
BY_ID = {line.id: line for line in LINES}
NUMBERS = ["", "+12025559991", "+12025559992", LINES[0].phone_number, LINES[1].phone_number]
HAND_NUMBERS = ["", "", "+12025559991", "+12025550666"]
EVENTS = ("up done", "up --refresh done", "up refused at preview", "up failed", "refresh done", "destroy done")
WRITES = ("create writes", "update writes", "delete writes", "clears left out")
SEEN: Counter[str] = Counter()
T = TypeVar("T")

numbers = st.sampled_from(NUMBERS)
names = st.sampled_from("abc")
chance = st.randoms(use_true_random=False)


@dataclass(frozen=True)
class Declared:
    """One resource of the program; `line` is an index into LINES."""

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


class How(NamedTuple):
    """How `up` is run: with what options, and whether its creates wait until all is registered."""

    skip_preview: bool
    continue_on_error: bool
    eager: bool
    live_check: bool
    meanwhile: tuple[PhoneNumber, str] | None  # a hand edit between the preview and the run


hand_edits = st.tuples(st.sampled_from(LINES), st.sampled_from(HAND_NUMBERS))
hows = st.builds(How, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.none() | hand_edits)


class Step(NamedTuple):
    """What a run is doing: no verb while it may only read."""

    verb: str = ""
    line: str = ""
    number: str = ""
    overwrite: bool = False
    recorded: str | None = None


class Client:
    """The client that an account needs, on top of the emulator's API."""

    def __init__(self, walk: Walk, key: str) -> None:
        self._walk = walk
        self._key = key

    def list_phone_numbers(self) -> list[PhoneNumber]:
        rows = self._call("GET", LIST_PATH)["phone_numbers"]
        return [PhoneNumber(row["id"], row["phone_number"], row["forwarding_number"] or "") for row in rows]

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        self._walk.judge(phone_number_id, forwarding_number)
        breaks, self._walk.breaks = self._walk.breaks, ""
        path = f"{LIST_PATH}/{phone_number_id}"
        if breaks != "before":
            self._call("PUT", path, json.dumps({"forwarding_number": forwarding_number}).encode())
        if breaks:
            raise InternalServerError("PUT", path, 500)
        return PhoneNumber(phone_number_id, BY_ID[phone_number_id].phone_number, forwarding_number)

    def _call(self, method: str, path: str, body: bytes = b"") -> dict[str, list[dict[str, str]]]:
        answer = self._walk.api.respond(Request(method, path, f"Bearer {self._key}", body))
        if answer.status != 200:
            raise api_error_class(answer.status)(method, path, answer.status)
        return json.loads(answer.body)  # type: ignore[no-any-return]


class Refused(Exception):
    """check found something."""


class Walk(RuleBasedStateMachine):
    """A program, a state and a server, and what may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ServerAccount(LINES, api_key="first-key")
        self.api = Api(self.server)
        self.key = self.state_key = "first-key"
        self.program: dict[str, Declared] = {}
        self.state: dict[str, Resource] = {}
        self.pending: list[Outputs] = []  # replaced, and not deleted yet
        self.unseen: set[str] = set()  # lines that are not as the state says, and why that is no mistake
        self.ever_declared: set[str] = set()
        self.declared_in_this_run: set[str] = set()
        self.step = Step()
        self.breaks = ""
        self.said: list[str] = []

    # The program

    @initialize(program=st.lists(declarations, min_size=1, max_size=3, unique_by=lambda declared: declared.line))
    def first_program(self, program: list[Declared]) -> None:
        """A program to begin with."""
        self.program = dict(zip("abc", program, strict=False))

    @rule(name=names, declared=declarations)
    def declare(self, name: str, declared: Declared) -> None:
        """Add a resource, also on a line that another one declared; or declare all but the line anew."""
        if name in self.program:
            declared = replace(declared, line=self.program[name].line)
        self.program = {n: d for n, d in self.program.items() if d.line != declared.line or n == name}
        self.program[name] = declared

    @precondition(lambda self: self.program)
    @rule(chance=chance, line=st.integers(0, 2))
    def move(self, chance: Random, line: int) -> None:
        """Move a resource to another line; one that declared it gives way."""
        name = chance.choice(list(self.program))
        self.program = {n: d for n, d in self.program.items() if d.line != line or n == name}
        self.program[name] = replace(self.program[name], line=line)

    @precondition(lambda self: self.program)
    @rule(chance=chance)
    def remove(self, chance: Random) -> None:
        """Remove a resource."""
        del self.program[chance.choice(list(self.program))]

    @precondition(lambda self: self.program)
    @rule(name=names, chance=chance)
    def rename(self, name: str, chance: Random) -> None:
        """Rename a resource; one of that name gives way."""
        self.program[name] = self.program.pop(chance.choice(list(self.program)))

    @precondition(lambda self: self.program)
    @rule(number=numbers, chance=chance)
    def renumber(self, number: str, chance: Random) -> None:
        """Declare another number."""
        name = chance.choice(list(self.program))
        self.program[name] = replace(self.program[name], number=number)

    @precondition(lambda self: len(self.program) > 1)
    @rule(chance=chance)
    def swap(self, chance: Random) -> None:
        """Two resources swap their lines."""
        a, b = chance.sample(list(self.program), 2)
        one, other = self.program[a], self.program[b]
        self.program |= {a: replace(one, line=other.line), b: replace(other, line=one.line)}

    @precondition(lambda self: self.program)
    @rule(chance=chance, overwrite=st.booleans(), by_id=st.booleans())
    def switch(self, chance: Random, overwrite: bool, by_id: bool) -> None:
        """Turn overwrite on or off, or name a line by its other name."""
        name = chance.choice(list(self.program))
        self.program[name] = replace(self.program[name], overwrite=overwrite, by_id=by_id)

    # The world outside

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
    def change_key(self) -> None:
        """The stack is given a new key; the old one is refused from now on."""
        self.server.revoke_token(self.key)
        self.key = self.server.create_token(None, can_write=True)

    @rule(when=st.sampled_from(["before", "after"]))
    def break_next_write(self, when: str) -> None:
        """The next write fails, before or after it was applied."""
        self.breaks = when

    # The engine

    @rule(chance=chance)
    def preview(self, chance: Random) -> None:
        """`pulumi preview` says what `up` will say, and only reads."""
        self.previewed(chance, live_check=True, refresh=False)

    @rule(chance=chance, how=hows)
    def up(self, chance: Random, how: How) -> None:
        """`pulumi up`."""
        self.run_up(chance, how, refresh=False)

    @rule(chance=chance, how=hows)
    def up_refresh(self, chance: Random, how: How) -> None:
        """`pulumi up --refresh`."""
        self.run_up(chance, how, refresh=True)

    @rule(override=st.sampled_from([False, False, True]), chance=chance)
    def refresh(self, override: bool, chance: Random) -> None:
        """`pulumi refresh` records what is live, with the key of the last `up` or LINQ_API_KEY_OVERRIDE."""
        before = dict(self.state)
        try:
            self.state = self.refreshed(self.process(self.key if override else self.state_key), chance)
        except AuthenticationError:
            assert self.state_key != self.key
            assert not override
            assert self.state == before
            SEEN["refresh refused"] += 1
            return
        self.unseen -= {resource.outputs.phone_number_id for resource in self.state.values()}
        assert self.state.keys() == before.keys()
        SEEN["refresh done"] += 1

    @rule(override=st.sampled_from([False, False, True]), chance=chance)
    def destroy(self, override: bool, chance: Random) -> None:
        """`pulumi destroy` clears what the state records."""
        held = self.held()
        failed = self.delete_all(self.process(self.key if override else self.state_key), {}, chance, go_on=False)
        if failed:
            self.mark_what_failed()
            return
        assert self.state == {}
        assert {self.live(line) for line in held} <= {""}
        SEEN["destroy done"] += bool(held)

    # What must hold

    def judge(self, line: str, number: str) -> None:
        """Whether this write may be sent."""
        step, live = self.step, self.live(line)
        assert step.verb, "a preview, check, diff or read writes"
        assert line in self.ever_declared, "a line that this stack never declared is written"
        assert (line, number) == (step.line, step.number)
        assert live != number or step.verb == "delete", "a write that changes nothing"
        SEEN[f"{step.verb} writes"] += 1
        if step.verb == "create" and not step.overwrite:
            assert live == "", "somebody else's number is overwritten"
        if step.verb == "update" and not step.overwrite:
            assert live == step.recorded, "a hand edit is overwritten that no refresh has shown"
        if step.verb == "delete":
            assert line not in self.declared_in_this_run, "a line is cleared that is declared before and after"

    @invariant()
    def the_state_is_true(self) -> None:
        """Every line in the state holds what is recorded, but for what happened since outside Pulumi."""
        for resource in self.state.values():
            outputs = resource.outputs
            assert outputs.inputs == resource.inputs
            assert outputs.phone_number == BY_ID[outputs.phone_number_id].phone_number
            if outputs.phone_number_id not in self.unseen:
                assert outputs.forwarding_number == self.live(outputs.phone_number_id)

    @invariant()
    def a_step_is_over(self) -> None:
        """Count it."""
        SEEN["steps"] += 1

    # How the engine does it

    def run_up(self, chance: Random, how: How, *, refresh: bool) -> None:
        self.ever_declared |= {declared.id for declared in self.program.values()}
        if not how.skip_preview and not self.previewed(chance, live_check=how.live_check, refresh=refresh):
            SEEN["up refused at preview"] += 1
            return
        if how.meanwhile:
            self.hand_edited(*how.meanwhile)
        held, broken = self.held(), bool(self.breaks)
        self.declared_in_this_run = {declared.id for declared in self.program.values()}
        lifecycle, self.state_key = self.process(self.key, live_check=how.live_check), self.key
        if refresh:
            self.state = self.refreshed(lifecycle, chance)
            self.unseen -= {resource.outputs.phone_number_id for resource in self.state.values()}
        allowed = self.allowed(self.state, live_check=how.live_check)
        done = self.carried_out(lifecycle, chance, how)
        self.declared_in_this_run = set()
        assert allowed is None or done == allowed or (broken and not self.breaks), (
            allowed,
            done,
            self.program,
        )
        if not done:
            self.mark_what_failed()
            SEEN["up failed"] += 1
            return
        assert {name: resource.inputs for name, resource in self.state.items()} == {
            name: declared.inputs for name, declared in self.program.items()
        }
        for declared in self.program.values():
            assert self.live(declared.id) == declared.number or (declared.id in self.unseen and not refresh)
        assert {self.live(line) for line in held - {d.id for d in self.program.values()}} <= {""}
        self.nothing_to_do()
        SEEN["up --refresh done" if refresh else "up done"] += bool(self.program)

    def previewed(self, chance: Random, *, live_check: bool, refresh: bool) -> bool:
        """Whether a preview passes; with a live check it must say what the run will say."""
        lifecycle = self.process(self.key, live_check=live_check)
        state = self.refreshed(lifecycle, chance) if refresh else self.state
        allowed = self.allowed(state, live_check=live_check)
        try:
            for name in shuffled(self.program, chance):
                self.registered(lifecycle, state.get(name), self.program[name].inputs)
        except Refused:
            assert allowed is not True
            return False
        assert allowed is not False or not live_check
        return True

    def carried_out(self, lifecycle: ForwardingLifecycle, chance: Random, how: How) -> bool:
        """Register all, create and update, then delete; whether all of it succeeded."""
        waiting: list[str] = []
        succeeded = True
        try:
            for name in shuffled(self.program, chance):
                old = self.state.get(name)
                replaces = self.registered(lifecycle, old, self.program[name].inputs)
                if old is None or replaces or old.inputs != self.program[name].inputs:
                    waiting.append(name)
                while how.eager and waiting:
                    succeeded &= self.settled(lifecycle, waiting.pop(), go_on=how.continue_on_error)
            for name in shuffled(waiting, chance):
                succeeded &= self.settled(lifecycle, name, go_on=how.continue_on_error)
        except (Refused, LinqError):
            return False
        failed = self.delete_all(lifecycle, self.program, chance, go_on=how.continue_on_error)
        return succeeded and not failed

    def registered(self, lifecycle: ForwardingLifecycle, old: Resource | None, news: Inputs) -> bool:
        """check and diff; whether the resource is to be replaced."""
        _, problems = lifecycle.check(old.inputs if old else Inputs(), news)
        replaces = False
        if not problems and old:
            replaces = bool(lifecycle.diff(old.outputs, news).replaces)
            assert replaces == (old.outputs.phone_number_id != self.line_of(news))
            if replaces:
                _, problems = lifecycle.check(Inputs(), news)
        if problems:
            raise Refused(problems)
        return replaces

    def settled(self, lifecycle: ForwardingLifecycle, name: str, *, go_on: bool) -> bool:
        """Create, replace or update one resource; whether that succeeded. Raises where the run then stops."""
        old, declared = self.state.get(name), self.program[name]
        updates = old is not None and old.outputs.phone_number_id == declared.id
        recorded = old.outputs.forwarding_number if old and updates else None
        verb = "update" if updates else "create"
        self.step = Step(verb, declared.id, declared.number, declared.overwrite, recorded)
        live = self.live(declared.id)
        try:
            if old and updates:
                outputs = lifecycle.update(old.outputs, declared.inputs)
            else:
                outputs = lifecycle.create(declared.inputs)
        except LinqError:
            if go_on:
                return False
            raise
        finally:
            self.step = Step()
        if old and not updates:
            self.pending.append(old.outputs)
        if live not in ("", declared.number, recorded):
            assert f"was forwarded to {live}, which was replaced" in self.said[-1]
        self.state[name] = Resource(outputs.inputs, outputs)
        self.unseen.discard(declared.id)
        return True

    def delete_all(
        self, lifecycle: ForwardingLifecycle, program: dict[str, Declared], chance: Random, *, go_on: bool
    ) -> bool:
        """Delete what was replaced and what is no longer declared; whether anything failed."""
        failed = False
        gone = [name for name in self.state if name not in program]
        items: list[str | Outputs] = [*self.pending, *gone]
        for item in shuffled(items, chance):
            outputs = self.state[item].outputs if isinstance(item, str) else item
            self.step = Step("delete", outputs.phone_number_id, "")
            live = self.live(outputs.phone_number_id)
            try:
                lifecycle.delete(outputs)
            except LinqError:
                failed = True
                if go_on:
                    continue
                return True
            finally:
                self.step = Step()
            SEEN["clears left out"] += live != "" and self.live(outputs.phone_number_id) == live
            if live and self.live(outputs.phone_number_id) == "" and live != outputs.forwarding_number:
                assert f"had been forwarded outside Pulumi to {live}" in self.said[-1]
            if isinstance(item, str):
                del self.state[item]
            else:
                self.pending.remove(item)
        return failed

    def refreshed(self, lifecycle: ForwardingLifecycle, chance: Random) -> dict[str, Resource]:
        """The state as it is after reading all; the engine also asks diff, to show what it found."""
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

    def allowed(self, state: dict[str, Resource], *, live_check: bool) -> bool | None:
        """Whether the contract lets the program pass; None where it does not say."""
        targets = {LINES[declared.line].phone_number: declared for declared in self.program.values()}
        unsaid = False
        for name, declared in self.program.items():
            old, live = state.get(name), self.live(declared.id)
            changed = old is None or old.inputs != declared.inputs
            same = old is not None and old.outputs.phone_number_id == declared.id
            good = ("", declared.number) if not (old and same) else (declared.number, old.outputs.forwarding_number)
            if changed and live not in good and not declared.overwrite:
                return False
            step, seen = declared, 0
            while step.number in targets and seen < len(targets):
                step, seen = targets[step.number], seen + 1
                if step is declared:
                    if changed and live_check:
                        return False
                    unsaid = True  # known only where something asked for the list
        return None if unsaid else True

    def nothing_to_do(self) -> None:
        """Another preview asks the server for nothing and finds nothing."""
        lifecycle = self.process("no-key")
        for name, declared in self.program.items():
            old = self.state[name]
            assert lifecycle.check(old.inputs, declared.inputs) == (declared.inputs, [])
            assert not lifecycle.diff(old.outputs, declared.inputs).changes

    def mark_what_failed(self) -> None:
        """A run that broke off may leave a line other than the state says: the next refresh shows it."""
        for resource in self.state.values():
            if resource.outputs.forwarding_number != self.live(resource.outputs.phone_number_id):
                self.unseen.add(resource.outputs.phone_number_id)

    def process(self, key: str, *, live_check: bool = True) -> ForwardingLifecycle:
        account = Account(Client(self, key), clock=lambda: 0.0)
        return ForwardingLifecycle(account, Declarations(), live_check=live_check, notify=self.said.append)

    def live(self, line: str) -> str:
        return self.server.find(line).forwarding_number or ""

    def held(self) -> set[str]:
        """The lines in the state, those included that wait for deletion."""
        return {outputs.phone_number_id for outputs in [*self.pending, *(r.outputs for r in self.state.values())]}

    def line_of(self, inputs: Inputs) -> str:
        return next(line.id for line in LINES if inputs.identity in (line.id, line.phone_number))


def shuffled(items: Iterable[T], chance: Random) -> list[T]:
    """The items in another order."""
    mixed = list(items)
    chance.shuffle(mixed)
    return mixed


def test_a_random_walk() -> None:
    """No foreign line is written, none that stays declared is cleared, no unseen edit is lost; all heals.

    Whatever a team does: the state is true, and `up --refresh` makes every line hold what is declared.
    """
    SEEN.clear()
    run_state_machine_as_test(
        seeded(Walk),
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS_A_WALK,
            deadline=None,
            derandomize=False,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(SEEN))
    assert SEEN["steps"] >= 2000
    assert all(SEEN[event] for event in (*EVENTS, *WRITES)), "the walk has seen too little"
