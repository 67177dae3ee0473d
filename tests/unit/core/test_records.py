"""The records of a forwarding and of a fleet: what each says of a line."""

from __future__ import annotations

from linq_provider.core.records import Fleet, Unknown

SALES, OFFICE, DESK = "+12025551234", "+12025559999", "+12025558888"


def test_what_a_fleet_wrote_last() -> None:
    """What was applied counts more than what was found; of an unknown number or another line nothing is known."""
    assert Fleet({SALES: OFFICE}).applied(SALES) == OFFICE
    assert Fleet({SALES: OFFICE}, applied_numbers={SALES: DESK}).applied(SALES) == DESK
    assert Fleet({SALES: OFFICE}, applied_numbers={SALES: ""}).applied(SALES) == ""
    assert Fleet({SALES: Unknown.UNKNOWN}).applied(SALES) == ""
    assert Fleet({SALES: OFFICE}).applied(DESK) == ""
