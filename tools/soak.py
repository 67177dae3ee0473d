"""Many client operations against a server that fails at random and limits requests.

    python tools/soak.py [OPERATIONS]

16 threads of one client write and list lines of the emulator: 10 % of the requests meet one of the faults below, and
all of them a limit of requests a second, answered with 429. The clock of the client and of the limit runs twenty times
as fast as time, so that an hour passes in minutes; everything else is as in a pipeline. After each operation the line
must have the number that the client returned, and at the end no thread, connection or memory may be left.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.emulator import Emulator, Fault
from linq_provider.emulator.service import RateLimit
from linq_provider.errors import LinqError

OPERATIONS = 10_000
THREADS = 16
LINES = 64
FAULT_RATE = 0.1
FAULTS = (
    *("429", "429=0.2", "429=1", "429=soon", "500", "502-html=50000", "503", "504", "503-applied"),
    *("truncated-json", "truncated", "reset-before-read", "reset-after-write", "reset-mid-body"),
    *("close-idle", "close-on-reuse", "delay=0.05", "408", "425"),
)
SPEED = 20  # seconds on the client's clock in one second
RATE = 20.0  # requests a second on that clock, beyond which the server answers 429
WINDOWS = 10  # the memory is looked at so often


def clock() -> float:
    """Fast seconds."""
    return time.monotonic() * SPEED


def sleep(seconds: float) -> None:
    """Sleep as long on the fast clock."""
    time.sleep(seconds / SPEED)


def resident() -> int:
    """This process's resident memory in KiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def sockets() -> int:
    """How many sockets this process has open: the client's, and the emulator's ends of them."""
    folder = "/proc/self/fd"
    count = 0
    for name in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
        except OSError:  # closed meanwhile
            continue
    return count


class Soak:
    """What the threads share: the client, what each line must hold, and what went wrong."""

    def __init__(self, emulator: Emulator) -> None:
        key = {"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url}
        self.client = LinqClient(Settings.load(key, environ={}), clock=clock, sleep=sleep)
        self.emulator = emulator
        self.holds = {line.id: "" for line in emulator.phone_numbers}
        self.locks = {line: threading.Lock() for line in self.holds}
        # Lists, because appending needs no lock.
        self.errors: list[str] = []
        self.wrong: list[str] = []

    def operation(self, number: int) -> None:
        """Three writes to one list."""
        chosen = random.Random(number)
        try:
            if number % 4 == 3:
                self.look()
            else:
                self.write(chosen.choice(list(self.holds)), chosen.choice(["", f"+1202555{number % 10_000:04}"]))
        except LinqError as error:
            self.errors.append(type(error).__name__)

    def look(self) -> None:
        """List the lines: all of them are there."""
        if {line.id for line in self.client.list_phone_numbers()} != set(self.holds):
            self.wrong.append("a list of other lines")

    def write(self, line: str, wanted: str) -> None:
        """Write once, and note which numbers the line may have then; each line has only one writer."""
        with self.locks[line]:
            allowed = {wanted}
            try:
                self.client.set_forwarding_number(line, wanted)
            except LinqError as error:
                allowed = {self.holds[line], *(allowed if "may have been applied" in str(error) else ())}
                raise
            finally:
                live = self.emulator.forwarding(line)
                if live not in allowed:
                    self.wrong.append(f"{line} holds {live!r}, not one of {allowed}")
                self.holds[line] = live

    def late(self) -> int:
        """How many lines changed after their last write was answered."""
        return sum(self.emulator.forwarding(line) != held for line, held in self.holds.items())


def main(operations: int = OPERATIONS) -> int:
    """Soak and report; 0 when nothing is wrong and nothing is left."""
    started = time.monotonic()
    with Emulator(numbers=LINES) as emulator:
        emulator._service.limit = RateLimit(RATE, clock=clock)
        conflict = replace(Fault.parse("409"), method="PUT")
        emulator.fail_randomly(FAULT_RATE, [*map(Fault.parse, FAULTS), conflict])
        threads, open_before, memory, requests, statuses = threading.active_count(), sockets(), [], 0, Counter[str]()
        soak = Soak(emulator)
        each = operations // WINDOWS
        with ThreadPoolExecutor(THREADS) as pool:
            for window in range(WINDOWS):
                list(pool.map(soak.operation, range(window * each, (window + 1) * each)))
                requests += len(emulator.requests)
                statuses.update(str(request.status) for request in emulator.requests)
                emulator.clear_requests()
                gc.collect()
                memory.append(resident())
                held = sockets() - open_before
        soak.client.close()
        gc.collect()
        deadline = time.monotonic() + 5  # the emulator sees its connections close a moment later
        while time.monotonic() < deadline and (threading.active_count() > threads or sockets() > open_before):
            time.sleep(0.05)
        threads_left, sockets_left = threading.active_count() - threads, sockets() - open_before
        late = soak.late()
    growth = memory[-1] - memory[WINDOWS // 2]
    print(f"{each * WINDOWS} operations, {requests} requests in {time.monotonic() - started:.0f} s")
    print(f"answers: {dict(statuses.most_common())}")
    print(f"operations that ended in one of our errors: {len(soak.errors)} {dict(Counter(soak.errors))}")
    print(f"wrong states: {len(soak.wrong) + late} {soak.wrong[:3]}")
    print(f"threads left: {threads_left}, sockets left: {sockets_left} (held by {THREADS} threads: {held})")
    print(f"resident memory in KiB: {memory}; growth in the second half: {growth}")
    failed = soak.errors or soak.wrong or late or threads_left > 0 or sockets_left > 0 or growth > 4096
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
