"""The records of a forwarding and of a fleet: what each records for a line."""

from __future__ import annotations

from typing import Any

from linq_provider.core.records import Fleet, Inputs, Outputs, Unknown, outputs
from linq_provider.phone_number import PhoneNumber

SALES, OFFICE, DESK = "+12025551234", "+12025559999", "+12025558888"


def test_what_a_fleet_wrote_last() -> None:
    """What was applied counts more than what was found; of an unknown number or another line nothing is known."""
    assert Fleet({SALES: OFFICE}).applied(SALES) == OFFICE
    assert Fleet({SALES: OFFICE}, applied_numbers={SALES: DESK}).applied(SALES) == DESK
    assert Fleet({SALES: OFFICE}, applied_numbers={SALES: ""}).applied(SALES) == ""
    assert Fleet({SALES: Unknown.UNKNOWN}).applied(SALES) == ""
    assert Fleet({SALES: OFFICE}).applied(DESK) == ""


def test_what_a_state_records_of_a_line() -> None:
    """An overwrite that is not known is not recorded, nor is a number that was applied and still is there."""
    line = PhoneNumber("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", SALES, OFFICE)

    def recorded(applied: str, **more: Any) -> Outputs:
        return outputs(line, Inputs(phone_number=SALES, **more), applied=applied, replaced=None)

    assert recorded(OFFICE, overwrite=Unknown.UNKNOWN).overwrite is None
    assert recorded(OFFICE, overwrite=False).overwrite is False
    assert recorded(OFFICE, removed=Unknown.UNKNOWN).removed is None
    assert recorded(OFFICE).applied_number is None
    assert recorded("").applied_number == ""
