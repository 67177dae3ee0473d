"""An account of three lines, and what one resource may say of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from linq_provider.api.client import LinqClient
from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations, Log
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Inputs, MaybeText, Outputs, Unknown
from linq_provider.emulator import Emulator

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
NIGHT, NIGHT_NUMBER = "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "+12025551236"
NUMBERS = {SALES: SALES_NUMBER, SUPPORT: SUPPORT_NUMBER, NIGHT: NIGHT_NUMBER}
OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025550001"
UNKNOWN = Unknown.UNKNOWN
NEW = Inputs()


class Clock:
    """Monotonic seconds that pass only if a test adds them, or code sleeps by this clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.now += seconds


@dataclass
class World:
    """An account of three lines, and the messages to the user. Each `process()` is a provider process.

    The server uses `clock` too, so that a list can lag behind.
    """

    emulator: Emulator
    client: LinqClient
    clock: Clock
    said: list[str] = field(default_factory=list)

    @property
    def now(self) -> float:
        """The seconds of the clock."""
        return self.clock.now

    @now.setter
    def now(self, seconds: float) -> None:
        self.clock.now = seconds

    def process(self, *, live_check: bool = True, on_conflict: str = "", log: Log | None = None) -> ForwardingLifecycle:
        account = Account(self.client, clock=self.clock, sleep=self.clock.sleep)
        return ForwardingLifecycle(
            account, Declarations(log), live_check=live_check, on_conflict=on_conflict, notify=self.said.append
        )

    def writes(self) -> list[tuple[str, str]]:
        """What was sent to be written: (id, number)."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        return [(put.path.rpartition("/")[2], put.body["forwarding_number"]) for put in puts]

    def methods(self) -> list[str]:
        return [request.method for request in self.emulator.requests]


def declared(to: MaybeText, *, line: MaybeText = SALES_NUMBER, overwrite: bool | Unknown | None = None) -> Inputs:
    """The inputs of a resource; `line` is a number or an id."""
    if isinstance(line, str) and not line.startswith("+"):
        return Inputs(phone_number_id=line, forwarding_number=to, overwrite=overwrite)
    return Inputs(phone_number=line, forwarding_number=to, overwrite=overwrite)


def recorded(to: str, *, line: str = SALES, by: str = "phone_number", overwrite: bool | None = None) -> Outputs:
    """The state of a resource."""
    return Outputs(line, NUMBERS[line], to, by, overwrite)


def problems(lifecycle: ForwardingLifecycle, news: Inputs, olds: Inputs = NEW) -> list[str]:
    """What check finds."""
    return lifecycle.check(olds, news)[1]
