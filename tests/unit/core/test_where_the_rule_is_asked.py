"""The lifecycles ask the rule for destinations: at check, and again before a write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linq_provider.api.client import LinqClient
from linq_provider.config import AllowedForwardings, Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import Destinations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator import Emulator
from linq_provider.errors import FleetError, RefusedError

ID, LINE, OTHER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234", "+12025551235"
OFFICE, LONDON = "+12025559999", "+442071838750"
OUTSIDE = "is in the United Kingdom (+44), outside of linq:allowedForwardings; if the number is intended, add GB there"
ABROAD = Inputs(phone_number=LINE, forwarding_number=LONDON)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Two lines, none forwarded."""
    with Emulator([{"id": ID, "phone_number": LINE}, {"phone_number": OTHER}]) as running:
        yield running


@pytest.fixture
def lifecycles(emulator: Emulator) -> Iterator[tuple[ForwardingLifecycle, FleetLifecycle]]:
    """Of one provider process, in which calls may go to the US."""
    client = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, timeout=10, max_retries=0))
    account, declarations = Account(client), Declarations()
    rule = Destinations((AllowedForwardings("linq:allowedForwardings", ("US",)),))
    guard = DestinationGuard(rule, notify=print)
    yield (
        ForwardingLifecycle(account, declarations, live_check=True, notify=print, destinations=guard),
        FleetLifecycle(
            account,
            declarations,
            live_check=True,
            run=lambda calls: run_concurrently(calls, limit=2, notify=print, retries=lambda: 0),
            notify=print,
            destinations=guard,
        ),
    )
    client.close()


def test_check_refuses_a_number_to_which_calls_may_not_go(
    lifecycles: tuple[ForwardingLifecycle, FleetLifecycle], emulator: Emulator
) -> None:
    """Of a single line, and of a fleet line by line; without a request for the line alone."""
    single, fleet = lifecycles
    assert single.check(Inputs(), ABROAD)[1] == [f"forwarding_number {OUTSIDE}"]
    assert emulator.requests == []
    news = Fleet({LINE: LONDON, OTHER: OFFICE})
    assert fleet.check(Fleet(), news)[1] == [f"{LINE}: forwarding_number {OUTSIDE}"]
    assert fleet.check(news, news)[1] == []


def test_a_number_to_which_calls_may_not_go_is_not_written(
    lifecycles: tuple[ForwardingLifecycle, FleetLifecycle], emulator: Emulator
) -> None:
    """Whatever check was given; all other lines of a fleet are written."""
    single, fleet = lifecycles
    for attempt in (
        lambda: single.create(ABROAD),
        lambda: single.update(Outputs(ID, LINE, OFFICE, "phone_number"), ABROAD),
    ):
        with pytest.raises(RefusedError, match="outside of linq:allowedForwardings"):
            attempt()
    with pytest.raises(FleetError) as partly:
        fleet.create(Fleet({LINE: LONDON, OTHER: OFFICE}))
    assert set(partly.value.errors) == {LINE}
    assert [request.body for request in emulator.requests if request.method == "PUT"] == [{"forwarding_number": OFFICE}]


def test_a_number_that_the_state_records_may_be_written(
    lifecycles: tuple[ForwardingLifecycle, FleetLifecycle], emulator: Emulator
) -> None:
    """A rule that came later stops no unrelated change, such as overwrite, of a line that was changed meanwhile."""
    emulator.set_forwarding(ID, OFFICE)
    lifecycles[0].update(
        Outputs(ID, LINE, LONDON, "phone_number"), Inputs(phone_number=LINE, forwarding_number=LONDON, overwrite=True)
    )
    assert emulator.forwarding(ID) == LONDON
