"""Settings in, lifecycles out: one session for each Linq account that a provider process works with."""

import atexit
import threading
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
from linq_provider.provider import host
from linq_provider.provider.run_log import RunLog

_opening = threading.Lock()


@dataclass(frozen=True)
class Session:
    """The lifecycles of single forwardings and of fleets, on one account and one record of declarations."""

    forwarding: ForwardingLifecycle
    fleet: FleetLifecycle


def session(settings: Settings) -> Session:
    """The session of these settings, the same for every call in this process."""
    with _opening:
        return _open(settings)


@cache
def _of_run(engine_address: str) -> Declarations:
    """What all provider processes of a run declare, whatever their accounts."""
    return Declarations(RunLog(engine_address))


@cache
def _open(settings: Settings) -> Session:
    client = LinqClient(settings, notify=host.print_info)
    address = host.engine_address()
    account, declarations = Account(client), _of_run(address) if address else Declarations()
    destinations = DestinationGuard(Destinations(settings.allowed_forwardings), notify=host.print_info)
    atexit.register(destinations.tell)  # the engine closes a provider, and shows what it then prints
    run = partial(
        run_concurrently, limit=settings.max_concurrency, notify=host.print_info, retries=lambda: client.retries
    )
    common: Any = {
        "live_check": settings.live_check,
        "on_conflict": settings.on_conflict,
        "notify": host.print_info,
        "destinations": destinations,
    }
    return Session(
        ForwardingLifecycle(account, declarations, **common), FleetLifecycle(account, declarations, run=run, **common)
    )
