"""Builds the lifecycles from settings: one session for each Linq account that a provider process works with."""

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import Destinations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.provider.run_log import RunLog

_opening = threading.Lock()


@dataclass(frozen=True)
class Session:
    """The lifecycles of single forwardings and of fleets, which share one account and its declarations."""

    client: LinqClient
    account: Account
    destinations: DestinationGuard
    forwarding: ForwardingLifecycle
    fleet: FleetLifecycle


_opened: list[Session] = []


def session(
    settings: Settings, engine_address: str | None, notify: Callable[[str], None], *, hears_program: bool = True
) -> Session:
    """The session of these settings, the same for every call in this process.

    `engine_address` identifies the run, whose processes share their declarations; None if there is no engine. `notify`
    receives one line of text for the user. `hears_program`: see `Declarations`.
    """
    with _opening:
        return _open(settings, engine_address, notify, hears_program)


def cancel() -> None:
    """End every wait in this process; calls that would have to wait fail."""
    for each in list(_opened):
        each.client.close()


def tell() -> None:
    """Report what is known only when the process ends; the engine still shows what a provider prints then."""
    for each in list(_opened):
        each.destinations.tell()


atexit.register(tell)


@cache
def _of_run(engine_address: str, hears_program: bool) -> Declarations:
    """The declarations of a run, shared by all of its provider processes and accounts."""
    return Declarations(RunLog(engine_address), hears_program=hears_program)


@cache
def _open(
    settings: Settings, engine_address: str | None, notify: Callable[[str], None], hears_program: bool
) -> Session:
    client = LinqClient(settings, notify=notify)
    account = Account(client)
    declarations = _of_run(engine_address, hears_program) if engine_address else Declarations()
    destinations = DestinationGuard(Destinations(settings.allowed_forwardings), notify=notify)
    run = partial(run_concurrently, limit=settings.max_concurrency, notify=notify, retries=lambda: client.retries)
    common: Any = {
        "live_check": settings.live_check,
        "on_conflict": settings.on_conflict,
        "notify": notify,
        "destinations": destinations,
    }
    opened = Session(
        client,
        account,
        destinations,
        ForwardingLifecycle(account, declarations, **common),
        FleetLifecycle(account, declarations, run=run, **common),
    )
    _opened.append(opened)
    return opened
