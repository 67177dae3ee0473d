"""When the rule for destinations applies: to a declared number that is new or changed, and again before it is written.

A number that is already in the state is left alone, so that a new rule breaks nothing. Such numbers are reported once,
when the process ends, because only then all of them are known.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from linq_provider.core.destinations import Destinations, metadata_version
from linq_provider.core.e164 import e164_problem
from linq_provider.core.records import Inputs
from linq_provider.errors import RefusedError

PAUSE = 0.05  # seconds; to wake the thread for each number takes more time than to look it up


class DestinationGuard:
    """Applies the rule of one account in one provider process. `notify` receives a text for the user.

    A separate thread looks up unchanged numbers, because an `up` without changes must not wait for that.
    """

    def __init__(self, destinations: Destinations, *, notify: Callable[[str], None]) -> None:
        self._destinations = destinations
        self._notify = notify
        self._lock = threading.Lock()
        self._doubts: Counter[str] = Counter()
        self._unchanged: deque[str] = deque()
        self._all_known = threading.Event()
        self._broken = 0
        self._counting: threading.Thread | None = None

    def problems(self, olds: Inputs, news: Inputs) -> list[str]:
        """What is wrong with a well-formed declaration; `olds` is empty for a new resource."""
        line, number = news.phone_number, news.forwarding_number
        problems = []
        if isinstance(line, str) and line != olds.phone_number and (found := self._destinations.line_problem(line)):
            problems.append(f"phone_number {found}")
        if not isinstance(number, str) or not number:
            return problems
        if number == olds.forwarding_number:
            self._count(number)
        elif found := self._destinations.problem(number):
            problems.append(f"forwarding_number {found}")
        elif country := self._destinations.doubt(number):
            with self._lock:
                self._doubts[country] += 1
        return problems

    def refuse(self, number: str, *, recorded: str | None) -> None:
        """Refuse to write a number that breaks the rule and is not the one that the state records.

        Raises:
            RefusedError: the message says which rule, and repeats no number.
        """
        if number and number != recorded and (problem := self._destinations.problem(number)):
            raise RefusedError(f"The forwarding number {problem}.", next_step="Nothing was written.")

    def objection(self, number: str) -> str | None:
        """Why a line should not be restored to this number; None if nothing is wrong, or it is not a phone number."""
        return None if not number or e164_problem(number) else self._destinations.problem(number)

    def tell(self) -> None:
        """Report doubtful and unchanged numbers, after all declarations were checked."""
        self._all_known.set()
        if counting := self._counting:
            counting.join()
        self._look_up_unchanged()
        if self._broken:
            self._notify(
                f"Declared numbers that break the rule about where calls may go: {self._broken:,}. The rule is now:"
                f" {self._destinations.summary}. The lines keep these numbers until the program declares others."
            )
        if self._doubts:
            self._notify(
                f"According to version {metadata_version()} of the phone number metadata, some new or changed numbers"
                f" are in ranges that are not in use: {_counted(self._doubts)}. Look for typing mistakes."
                " The run continues."
            )

    def _count(self, number: str) -> None:
        self._unchanged.append(number)
        if self._counting is None:
            with self._lock:
                if self._counting is None:
                    self._counting = threading.Thread(target=self._look_up, name="linq-destinations", daemon=True)
                    self._counting.start()

    def _look_up(self) -> None:
        """In the thread, which ends when no number came during a pause; the next number starts another one."""
        self._all_known.wait(PAUSE)
        while self._unchanged:
            self._look_up_unchanged()
            self._all_known.wait(PAUSE)
        self._counting = None

    def _look_up_unchanged(self) -> None:
        while self._unchanged:
            self._broken += self._destinations.problem(self._unchanged.popleft()) is not None


def _counted(doubts: Counter[str]) -> str:
    return ", ".join(f"{count:,} in {country}" for country, count in sorted(doubts.items()))
