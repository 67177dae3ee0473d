"""Random walks over what teams do with a stack, with the real engine. `WALK_STEPS` asks for more of them (`make soak`)."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest
from conftest import API_KEY
from random_walk import seeded_random
from workspace import Workspace

pytestmark = pytest.mark.engine

STEPS = int(os.environ.get("WALK_STEPS", "40"))
STEPS_A_WALK = 10
LINES = 5  # of the account; the last one is never declared
NAMES = "abcd"
NUMBERS = ["", "+12025559991", "+12025559992", "+12025559993"]
HAND_NUMBERS = [*NUMBERS, "+12025550666"]
REFUSALS = re.compile(r"already forwards to|was changed outside Pulumi")
ACTIONS = ["new program", "new program", "rename", "rename", "hand edit", "refresh", "new key", "destroy"]

INPUTS = {"phone_number", "phone_number_id", "forwarding_number", "overwrite"}
Inputs = dict[str, str | bool]


@dataclass(frozen=True)
class Declared:
    """What the program declares for one resource; `line` is an index into the account's lines."""

    line: int
    number: str
    overwrite: bool = False
    by_id: bool = False


Program = dict[str, Declared]


@dataclass(frozen=True)
class Recorded:
    """One resource of the state."""

    name: str
    line: str
    number: str
    inputs: Inputs
    replaced: bool  # and not deleted yet, because the run that replaced it failed


class Walk:
    """One stack, and what a team does with it. Each step checks what was written, and prints itself as a line of code."""

    def __init__(self, stack: Workspace) -> None:
        self.stack, self.emulator = stack, stack.emulator
        for number in range(len(self.emulator.phone_numbers), LINES):
            self.emulator.add_number(f"+1303555000{number}")
        self.lines = list(self.emulator.phone_numbers)
        self.key = API_KEY
        self.program: Program = {}

    # What a team does

    def take_step(self, chance: Random) -> None:
        """Do anything that a team may do."""
        action = chance.choice(ACTIONS)
        if action == "hand edit":
            self.hand_edit(chance.randrange(LINES), chance.choice(HAND_NUMBERS))
        elif action == "refresh":
            self.refresh()
        elif action == "new key":
            self.rotate_key()
        elif action == "destroy":
            self.destroy()
        else:
            rename = action == "rename" and self.program
            program = renamed(self.program, chance) if rename else random_program(chance)
            self.up(program, refresh=flip(chance), in_order=flip(chance))

    def up(self, program: Program, *, refresh: bool = False, in_order: bool = False) -> bool:
        """`pulumi up` is refused where a number would be lost that nobody has seen; whether it succeeded.

        `in_order`: each resource waits for the one before it, so that a refusal always meets the same state.
        """
        print(f"walk.up({program}, refresh={refresh}, in_order={in_order})")
        self.program = program
        recorded, live = self.recorded(), self.live()
        self.emulator.clear_requests()
        self.stack.program(self.source(program, in_order=in_order))
        flags = ["--refresh"] if refresh else []
        done = self.stack.run("up", "--yes", "--skip-preview", *flags, fails=None, LINQ_API_KEY_OVERRIDE=self.key)
        expected, refused = self.expected(recorded, live, refresh=refresh)
        writes = Counter(self.stack.writes())
        assert (done.code != 0) == bool(REFUSALS.search(done.output)) == refused, done.output
        if refused:
            assert writes <= expected, done.output
        else:
            assert writes == expected, done.output
            assert self.live() == live | dict(expected.keys())
            assert sorted((r.name, r.line, r.replaced) for r in self.recorded()) == sorted(
                (name, self.line(declared), False) for name, declared in program.items()
            )
        return not refused

    def hand_edit(self, line: int, number: str) -> None:
        """Somebody changes a line at Linq."""
        print(f"walk.hand_edit({line}, {number!r})")
        self.emulator.set_forwarding(self.lines[line].id, number)

    def refresh(self) -> None:
        """`pulumi refresh` writes nothing, and records what each line forwards to."""
        print("walk.refresh()")
        before, live = self.recorded(), self.live()
        self.emulator.clear_requests()
        self.stack.refresh(LINQ_API_KEY_OVERRIDE=self.key)
        assert set(self.stack.methods()) <= {"GET"}
        after = self.recorded()
        assert Counter((r.name, r.line) for r in after) == Counter((r.name, r.line) for r in before)
        assert all(resource.number == live[resource.line] for resource in after)

    def rotate_key(self) -> None:
        """The team gets a new key; the old one is refused from now on."""
        print("walk.rotate_key()")
        self.emulator.revoke_token(self.key)
        self.key = self.emulator.create_token()

    def destroy(self) -> None:
        """`pulumi destroy` sends one clear for each resource of the state, and nothing else."""
        print("walk.destroy()")
        recorded, live = self.recorded(), self.live()
        self.emulator.clear_requests()
        self.stack.destroy(LINQ_API_KEY_OVERRIDE=self.key)
        assert Counter(self.stack.writes()) == Counter((resource.line, "") for resource in recorded)
        assert self.live() == live | {resource.line: "" for resource in recorded}
        assert self.recorded() == []

    def end(self) -> None:
        """Wherever the walk led: after one `up --refresh` with `overwrite`, every line holds what is declared."""
        program = {"a": Declared(0, NUMBERS[1], overwrite=True), "d": Declared(3, "", overwrite=True)}
        assert self.up(program, refresh=True)
        self.stack.run("preview", "--refresh", "--expect-no-changes", LINQ_API_KEY_OVERRIDE=self.key)

    def expected(
        self, recorded: list[Recorded], live: dict[str, str], *, refresh: bool
    ) -> tuple[Counter[tuple[str, str]], bool]:
        """What `up` of the program writes, and how often; and whether it is refused.

        It sends one clear for each resource that holds a line which is no longer declared, and one write for each
        declared line, where the resource is new or changed and the line forwards to another number. It is refused where
        that number is neither overwritten nor known to the resource.
        """
        declared = {self.line(one) for one in self.program.values()}
        writes = Counter((resource.line, "") for resource in recorded if resource.line not in declared)
        refused = False
        for name, one in self.program.items():
            line, own = self.line(one), find(recorded, name, self.line(one))
            known = "" if own is None else live[line] if refresh else own.number
            unchanged = own is not None and own.inputs | {"forwarding_number": known} == self.inputs(one)
            if unchanged or live[line] == one.number:
                continue
            if one.overwrite or live[line] == known:
                writes[line, one.number] += 1
            else:
                refused = True
        return writes, refused

    # What is there

    def line(self, declared: Declared) -> str:
        """The id of the line that is declared."""
        return self.lines[declared.line].id

    def live(self) -> dict[str, str]:
        """What each line of the account forwards to."""
        return {line.id: self.emulator.forwarding(line.id) for line in self.lines}

    def recorded(self) -> list[Recorded]:
        """The resources of the state. Two may hold the same line, after a run that failed half way."""
        return [
            Recorded(
                name=resource["urn"].rpartition("::")[2],
                line=resource["id"],
                number=resource["outputs"]["forwarding_number"],
                inputs={"overwrite": False}
                | {key: resource["inputs"][key] for key in INPUTS & resource["inputs"].keys()},
                replaced=resource.get("delete", False),
            )
            for resource in self.stack.resources()
        ]

    # The program

    def inputs(self, declared: Declared) -> Inputs:
        """The arguments of one resource."""
        line = self.lines[declared.line]
        identity = {"phone_number_id": line.id} if declared.by_id else {"phone_number": line.phone_number}
        return {**identity, "forwarding_number": declared.number, "overwrite": declared.overwrite}

    def source(self, program: Program, *, in_order: bool) -> str:
        """The program as Python."""
        return f"""
            resources = []
            for name, inputs in { ({name: self.inputs(declared) for name, declared in program.items()})!r}.items():
                options = pulumi.ResourceOptions(depends_on=resources[-1:] if {in_order} else None)
                resources.append(linq.PhoneNumberForwarding(name, **inputs, opts=options))
        """


def find(recorded: list[Recorded], name: str, line: str) -> Recorded | None:
    """The resource of this name, where it holds this line."""
    return next((r for r in recorded if (r.name, r.line, r.replaced) == (name, line, False)), None)


def flip(chance: Random) -> bool:
    """Heads or tails."""
    return chance.random() < 0.5


def random_program(chance: Random) -> Program:
    """Two to four resources, each with a line of its own; two in three may overwrite."""
    names = chance.sample(NAMES, chance.randint(2, len(NAMES)))
    lines = chance.sample(range(LINES - 1), len(names))
    return {
        name: Declared(line, chance.choice(NUMBERS), overwrite=chance.random() < 2 / 3, by_id=flip(chance))
        for name, line in zip(names, lines, strict=True)
    }


def renamed(program: Program, chance: Random) -> Program:
    """The same declarations under other names: renames, moves and swaps."""
    new_names = dict(zip(NAMES, chance.sample(NAMES, len(NAMES)), strict=True))
    return {new_names[name]: declared for name, declared in program.items()}


@pytest.fixture
def walk(stack: Workspace) -> Walk:
    """A walk that has not begun: an empty stack, and an account whose lines are not forwarded."""
    return Walk(stack)


@pytest.mark.parametrize("number", range(max(1, STEPS // STEPS_A_WALK)))
def test_a_random_walk(walk: Walk, number: int) -> None:
    """Whatever a team does: no line outside the stack is written, no declared line is cleared, no unseen edit is lost."""
    chance = seeded_random(number)
    for _ in range(STEPS_A_WALK):
        walk.take_step(chance)
    walk.end()


def test_destroy_clears_once_for_each_resource(walk: Walk) -> None:
    """A run that fails half way can leave one line with two resources in the state: `destroy` sends a clear for each.

    `WALK_SEED=2517314656` once came to such a state, but not each time: its resources did not wait for one another.
    """
    assert walk.up({"moved": Declared(1, NUMBERS[3]), "first": Declared(2, NUMBERS[1])})
    walk.hand_edit(3, NUMBERS[2])
    # The new "moved" takes the line of "first"; then "refused" ends the run, before anything is deleted.
    program = {"moved": Declared(2, NUMBERS[3], overwrite=True), "refused": Declared(3, NUMBERS[1])}
    assert not walk.up(program, in_order=True)
    assert [resource.line for resource in walk.recorded()].count(walk.lines[2].id) == 2
    walk.destroy()
    walk.end()
