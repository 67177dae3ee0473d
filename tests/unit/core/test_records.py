"""The records of a forwarding and of a fleet: what each says of a line."""

from __future__ import annotations

from linq_provider.core.records import Fleet, Unknown, outputs
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
    assert outputs(line, "phone_number", Unknown.UNKNOWN, applied=OFFICE).overwrite is None
    assert outputs(line, "phone_number", False, applied=OFFICE).overwrite is False
    assert outputs(line, "phone_number", None, applied=OFFICE).applied_number is None
    assert outputs(line, "phone_number", None, applied="").applied_number == ""
