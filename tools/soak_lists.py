"""Many runs against a list that lags behind and lacks lines.

    python tools/soak_lists.py [OPERATIONS]

A team changes, adds and removes lines, single ones and those of a fleet, refreshes and destroys; each operation is a
separate provider process. One list in fifty lacks a line, and all others are 0 to 4 seconds old, on a
clock without real waiting. After each operation every declared line must have its number, every line that is not
declared any more must be cleared, and no other may be changed; nothing may be reported as gone or changed by hand.

Only a new line may be refused, because one list decides about it: it is tried again five seconds later.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from functools import partial

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import LinqError, RefusedError

OPERATIONS = 1000
LINES = 14
FOREIGN = 2  # the last lines, which are somebody else's
ELSEWHERE = "+13035559999"
NUMBERS = ("", "+13035550001", "+13035550002", "+13035550003")  # few, so that lines go back to what they had
VERBS = ("change", "change", "change", "add", "remove", "refresh", "nothing", "destroy")
WEIGHTS = (20, 20, 20, 12, 12, 12, 12, 1)
TRIES = 5


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass at once."""
        self.now += seconds


class Process:
    """One provider process."""

    def __init__(self, client: LinqClient, clock: Clock, said: list[str]) -> None:
        account, declarations = Account(client, clock=clock, sleep=clock.sleep), Declarations()
        run = partial(run_concurrently, limit=4, notify=said.append, retries=lambda: 0)
        self.single = ForwardingLifecycle(account, declarations, live_check=True, notify=said.append)
        self.fleet = FleetLifecycle(account, declarations, live_check=True, run=run, notify=said.append)


class Team:
    """A program, the state, and what went wrong. Lines with an even index are single, the others are the fleet's."""

    def __init__(self, emulator: Emulator, clock: Clock, *, seed: int) -> None:
        key = {"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url}
        self.client = LinqClient(Settings.load(key, environ={}))
        self.emulator = emulator
        self.clock = clock
        self.chance = random.Random(seed)
        lines = emulator.phone_numbers[:-FOREIGN]
        # Half of the lines are named by number, half by id.
        self.names = [line.id if index % 4 < 2 else line.phone_number for index, line in enumerate(lines)]
        self.program: dict[str, str] = {}
        self.singles: dict[str, Outputs] = {}
        self.fleet = Fleet({})
        self.said: list[str] = []
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()

    def operation(self, number: int) -> None:
        """One operation, and what must be true after it."""
        self.clock.sleep(self.chance.choice((0, 0, 1, 2, 5)))
        (verb,) = self.chance.choices(VERBS, WEIGHTS)
        self.done[verb] += 1
        try:
            getattr(self, verb)(number)
        except LinqError as error:
            self.wrong.append(f"{number}: {verb}: {error}")
        self.look(f"{number}: {verb}")

    def change(self, _number: int) -> None:
        """Other numbers for some lines."""
        for name in self.chance.sample(list(self.program), min(3, len(self.program))):
            self.program[name] = self.chance.choice(NUMBERS)
        self.up(refresh=self.chance.random() < 0.3)

    def add(self, number: int) -> None:
        """New lines, with a number that no line had before: one that it had might be adopted from an old list."""
        rest = [name for name in self.names if name not in self.program]
        for name in self.chance.sample(rest, min(2, len(rest))):
            self.program[name] = f"+1720555{number % 10_000:04}"
        self.up_until_seen()

    def remove(self, _number: int) -> None:
        """Some lines are taken out."""
        for name in self.chance.sample(list(self.program), min(2, len(self.program))):
            del self.program[name]
        self.up(refresh=False)

    def nothing(self, _number: int) -> None:
        """The same program again."""
        self.up(refresh=self.chance.random() < 0.5)

    def refresh(self, _number: int) -> None:
        """`pulumi refresh`."""
        self.read(self.process())

    def destroy(self, _number: int) -> None:
        """`pulumi destroy`; the program is empty from then on."""
        process = self.process()
        for name in list(self.singles):
            process.single.delete(self.singles[name])
            del self.singles[name]
        process.fleet.delete(self.fleet)
        self.fleet, self.program = Fleet({}), {}

    def process(self) -> Process:
        """A provider process, which remembers nothing of the ones before."""
        return Process(self.client, self.clock, self.said)

    def up_until_seen(self) -> None:
        """`pulumi up` with new lines, which is refused where the list does not show them as they are yet."""
        for _ in range(TRIES - 1):
            try:
                return self.up(refresh=False)
            except LinqError:
                self.done["new line refused, tried again"] += 1
                self.clock.sleep(5)
        return self.up(refresh=False)

    def up(self, *, refresh: bool) -> None:
        """`pulumi up`, as the engine runs it: check all, write, then delete."""
        process = self.process()
        if refresh:
            self.read(process)
        singles = {name: declared(name, self.program[name]) for name in self.program if self.is_single(name)}
        fleet = Fleet({name: number for name, number in self.program.items() if not self.is_single(name)})
        fleet_before = self.fleet
        problems = process.fleet.check(fleet_before.inputs, fleet)[1]
        for name, news in singles.items():
            problems += process.single.check(olds_of(self.singles.get(name)), news)[1]
        if problems:
            raise RefusedError("; ".join(problems))
        for name, news in singles.items():
            if name not in self.singles:
                self.singles[name] = process.single.create(news)
            elif process.single.diff(self.singles[name], news).changes:
                self.singles[name] = process.single.update(self.singles[name], news)
        if process.fleet.diff(fleet_before, fleet).changes:
            self.fleet = process.fleet.update(fleet_before, fleet)
        for name in self.singles.keys() - singles.keys():
            process.single.delete(self.singles.pop(name))

    def read(self, process: Process) -> None:
        """Every resource as it is now, which must be as before: nothing is changed by hand."""
        for name, olds in self.singles.items():
            if process.single.read(olds) != olds:
                self.wrong.append(f"refresh changes {name}")
        if process.fleet.read(self.fleet) != self.fleet:
            self.wrong.append("refresh changes the fleet")

    def look(self, after: str) -> None:
        """What the server holds, compared with the program; and no message, because nothing happened by hand."""
        held = {name: self.emulator.forwarding(name) for name in self.names}
        wanted = {name: self.program.get(name, "") for name in self.names}
        if held != wanted:
            self.wrong.append(
                f"{after}: {[(name, held[name], wanted[name]) for name in held if held[name] != wanted[name]]}"
            )
        if any(line.forwarding_number != ELSEWHERE for line in self.emulator.phone_numbers[-FOREIGN:]):
            self.wrong.append(f"{after}: a line is written that is somebody else's")
        self.wrong += [f"{after}: {text}" for text in self.said]
        self.said.clear()

    def is_single(self, name: str) -> bool:
        """Whether the line is a single resource."""
        return self.names.index(name) % 2 == 0


def declared(name: str, number: str) -> Inputs:
    """The inputs of one line, by number or id."""
    if name.startswith("+"):
        return Inputs(phone_number=name, forwarding_number=number)
    return Inputs(phone_number_id=name, forwarding_number=number)


def olds_of(outputs: Outputs | None) -> Inputs:
    """The inputs that the state has."""
    return outputs.inputs if outputs else Inputs()


def main(operations: int = OPERATIONS, *, seed: int = 7) -> int:
    """Soak and report; 0 when nothing is wrong."""
    started, clock = time.monotonic(), Clock()
    with Emulator(numbers=LINES, clock=clock) as emulator:
        for line in emulator.phone_numbers[-FOREIGN:]:
            emulator.set_forwarding(line.id, ELSEWHERE)
        clock.sleep(60)
        emulator.fail_randomly(1 / 50, [Fault.list_lacks()], seed=seed)
        emulator.fail_randomly(1.0, [Fault.list_lag(seconds) for seconds in range(5)], seed=seed)
        team, requests = Team(emulator, clock, seed=seed), Counter[str]()
        for number in range(operations):
            team.operation(number)
            requests.update(request.method for request in emulator.requests)
            emulator.clear_requests()
        team.destroy(operations)
        team.look("the end")
        team.client.close()
    print(f"{operations} operations in {time.monotonic() - started:.0f} s, {clock.now - 1060:.0f} s by their own clock")
    print(f"requests: {dict(requests)}; operations: {dict(team.done)}")
    print(f"wrong: {len(team.wrong)} {team.wrong[:3]}")
    return 1 if team.wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
