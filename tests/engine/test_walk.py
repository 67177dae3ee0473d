"""A random walk over what teams do with a stack, with the real engine. `WALK_STEPS` makes it longer (`make soak`)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from conftest import API_KEY
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from seeded import seeded
from workspace import Run, Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

STEPS = int(os.environ.get("WALK_STEPS", "40"))
STEPS_A_WALK = 10
NUMBERS = ["", "+12025559991", "+12025559992", "+12025559993"]
REFUSALS = re.compile(r"already forwards to|was changed outside Pulumi|declared by another resource|HTTP 401")


@dataclass(frozen=True)
class Declared:
    """One resource of the program: the index of its line, how it is named, and its inputs."""

    line: int
    by_id: bool
    number: str
    overwrite: bool


declarations = st.builds(
    Declared, st.integers(0, 3), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from([True, True, False])
)
programs = st.dictionaries(st.sampled_from("abcd"), declarations, min_size=2, max_size=4).filter(
    lambda program: len({declared.line for declared in program.values()}) == len(program)
)
refactorings = st.permutations("abcd")  # new names for the old resources: renames, moves and swaps


class Walk(RuleBasedStateMachine):
    """Compares after each step what was written with what may be."""

    workspace: ClassVar[Callable[[Path, Emulator], Workspace]]

    @initialize()
    def start(self) -> None:
        """An account of five lines; the fifth is never declared."""
        self.folder = Path(tempfile.mkdtemp(prefix="walk-"))
        self.emulator = Emulator(numbers=5, api_key=API_KEY).__enter__()
        self.stack = type(self).workspace(self.folder / "stack", self.emulator)
        self.lines = [line.id for line in self.emulator.phone_numbers]
        self.unseen: dict[str, str] = {}
        self.key = API_KEY
        self.program: dict[str, Declared] = {}

    # One rule, because with several Hypothesis leaves some of them out of most walks.
    @rule(
        data=st.data(), what=st.sampled_from(["refactor", "program", "edit", "refactor", "refresh", "key", "destroy"])
    )
    def step(self, data: st.DataObject, what: str) -> None:
        """One thing that a team does."""
        if what == "edit":
            self.hand_edit(data.draw(st.integers(0, 4)), data.draw(st.sampled_from([*NUMBERS, "+12025550666"])))
        elif what == "refresh":
            self.refresh()
        elif what == "key":
            self.rotate_key()
        elif what == "destroy":
            self.destroy()
        else:
            names = dict(zip("abcd", data.draw(refactorings), strict=True))
            renamed = {names[name]: declared for name, declared in self.program.items()}
            self.program = data.draw(programs) if what == "program" or not renamed else renamed
            self.up(self.program, data.draw(st.booleans()))

    def up(self, program: dict[str, Declared], refresh: bool) -> None:
        """`pulumi up` of any program, after any other; it succeeds, or is refused for a reason that is known."""
        before, names = self.recorded(), self.names()
        done = self.run_up(program, "--refresh" if refresh else "")
        assert done.code == 0 or REFUSALS.search(done.output), done.output
        seen = before if refresh else set()
        self.judge_writes(program, before, seen, names)
        self.unseen = {line: number for line, number in self.unseen.items() if line not in seen}
        if done.code == 0:
            assert self.recorded() == {self.lines[declared.line] for declared in program.values()}
            for declared in program.values():
                line = self.lines[declared.line]
                assert line in self.unseen or self.emulator.forwarding(line) == declared.number, done.output

    def hand_edit(self, line: int, number: str) -> None:
        """Somebody changes a line at Linq."""
        if self.emulator.forwarding(self.lines[line]) != number:
            self.emulator.set_forwarding(self.lines[line], number)
            self.unseen[self.lines[line]] = number

    def refresh(self) -> None:
        """`pulumi refresh` reads, and records what is live."""
        self.emulator.clear_requests()
        self.stack.refresh(LINQ_API_KEY_OVERRIDE=self.key)
        assert set(self.stack.methods()) <= {"GET"}
        for resource in self.resources():
            assert resource["outputs"]["forwarding_number"] == self.emulator.forwarding(resource["id"])
        self.unseen = {line: number for line, number in self.unseen.items() if line not in self.recorded()}

    def rotate_key(self) -> None:
        """A new key; the old one is refused from now on."""
        self.emulator.revoke_token(self.key)
        self.key = self.emulator.create_token()

    def destroy(self) -> None:
        """`pulumi destroy` clears what the state records, and nothing else."""
        before = self.recorded()
        self.emulator.clear_requests()
        self.stack.destroy(LINQ_API_KEY_OVERRIDE=self.key)
        assert sorted(self.stack.writes()) == sorted((line, "") for line in before)
        self.unseen = {line: number for line, number in self.unseen.items() if line not in before}

    def teardown(self) -> None:
        """Wherever the walk ended, one `up --refresh` that may overwrite makes every line hold what is declared."""
        if not hasattr(self, "stack"):
            return
        try:
            program = {"a": Declared(0, True, NUMBERS[1], True), "d": Declared(3, False, "", True)}
            done = self.run_up(program, "--refresh")
            assert done.code == 0, done.output
            assert self.emulator.forwarding(self.lines[0]) == NUMBERS[1]
            assert self.emulator.forwarding(self.lines[3]) == ""
            self.stack.run("preview", "--refresh", "--expect-no-changes", LINQ_API_KEY_OVERRIDE=self.key)
        finally:
            self.emulator.stop()
            shutil.rmtree(self.folder)

    def run_up(self, program: dict[str, Declared], flag: str) -> Run:
        """Make `program` the program and run up; a refusal is an answer too."""
        numbers = [line.phone_number for line in self.emulator.phone_numbers]
        self.stack.program(
            "".join(
                f"linq.PhoneNumberForwarding({name!r}, forwarding_number={declared.number!r},"
                f" overwrite={declared.overwrite}, "
                + (
                    f"phone_number_id={self.lines[declared.line]!r})\n"
                    if declared.by_id
                    else f"phone_number={numbers[declared.line]!r})\n"
                )
                for name, declared in program.items()
            )
        )
        self.emulator.clear_requests()
        args = ["up", "--yes", "--skip-preview", *([flag] if flag else [])]
        return self.stack.run(*args, fails=None, LINQ_API_KEY_OVERRIDE=self.key)

    def judge_writes(
        self, program: dict[str, Declared], before: set[str], seen: set[str], names: dict[str, str]
    ) -> None:
        """No line outside the stack, no clear of what stays declared, no unseen hand edit is written over."""
        declared = {self.lines[d.line]: d for d in program.values()}
        holds = {self.lines[d.line]: name for name, d in program.items()}
        for line, number in self.stack.writes():
            assert line in before | set(declared)
            if line not in declared:
                assert number == ""
                continue
            assert number == declared[line].number
            if line in self.unseen and line not in seen and not declared[line].overwrite:
                assert names.get(line) != holds[line], "a resource may not write over what it has not seen"
                assert self.unseen[line] == "", "a new resource may take a line that is not forwarded"

    def resources(self) -> list[dict[str, object]]:
        """What the state records, resources that wait for deletion included."""
        return self.stack.resources()

    def names(self) -> dict[str, str]:
        """Which resource holds which line in the state."""
        return {str(resource["id"]): str(resource["urn"]).rpartition("::")[2] for resource in self.resources()}

    def recorded(self) -> set[str]:
        """The ids of the lines in the state."""
        return {str(resource["id"]) for resource in self.resources()}


def test_a_random_walk(template: Path) -> None:
    """Whatever a team does, no line outside the stack is written, none that stays declared is cleared, no unseen hand edit lost."""

    def workspace(folder: Path, emulator: Emulator) -> Workspace:
        shutil.copytree(template, folder)
        return Workspace(folder, emulator)

    Walk.workspace = staticmethod(workspace)
    run_state_machine_as_test(
        seeded(Walk),
        settings=settings(
            max_examples=max(1, STEPS // STEPS_A_WALK),
            stateful_step_count=STEPS_A_WALK,
            phases=[Phase.generate],  # shrinking would run the engine for hours
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
