"""When the rule for destinations applies, and what is reported about numbers to which it does not."""

from __future__ import annotations

import threading

import pytest
from waiting import wait_until

from linq_provider.config import AllowedForwardings
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import Destinations, metadata_version
from linq_provider.core.records import Inputs, Unknown
from linq_provider.errors import RefusedError

LINE = "+12025550100"
OFFICE = "+12025559999"
LONDON = "+442071838750"
OUTSIDE = "is in the United Kingdom (+44), outside of linq:allowedForwardings; if the number is intended, add GB there"


@pytest.fixture
def said() -> list[str]:
    """The messages to the user."""
    return []


@pytest.fixture
def guard(said: list[str]) -> DestinationGuard:
    """Calls may go to the US and to Egypt."""
    allowed = AllowedForwardings("linq:allowedForwardings", ("US", "EG"))
    return DestinationGuard(Destinations((allowed,)), notify=said.append)


def declared(number: str | Unknown | None, line: str = LINE) -> Inputs:
    """A line by its number."""
    return Inputs(phone_number=line, forwarding_number=number)


@pytest.mark.parametrize("olds", [Inputs(), declared(OFFICE), declared("")])
def test_a_new_or_changed_number_has_to_pass(guard: DestinationGuard, said: list[str], olds: Inputs) -> None:
    """Whatever the state held before."""
    assert guard.problems(olds, declared(LONDON)) == [f"forwarding_number {OUTSIDE}"]
    guard.tell()
    assert said == []


@pytest.mark.parametrize("number", ["", Unknown.UNKNOWN, None, OFFICE])
def test_what_is_allowed_or_not_known_yet_passes(guard: DestinationGuard, number: str | Unknown | None) -> None:
    """Not forwarded is no destination."""
    assert guard.problems(Inputs(), declared(number)) == []


def test_a_number_of_the_state_stays_usable_and_is_counted(guard: DestinationGuard, said: list[str]) -> None:
    """One line of text says how many there are and what the rule is; it repeats no number."""
    for olds, news in [
        (declared(LONDON), declared(LONDON)),
        (declared(LONDON), Inputs("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", None, LONDON, overwrite=True)),
        (declared(OFFICE), declared(OFFICE)),
    ]:
        assert guard.problems(olds, news) == []
    guard.tell()
    assert said == [
        "Declared numbers that break the rule about where calls may go: 2. The rule is now: US, EG"
        " (linq:allowedForwardings). The lines keep these numbers until the program declares others."
    ]


def test_the_thread_ends_when_all_numbers_are_looked_up(guard: DestinationGuard, said: list[str]) -> None:
    """A process that waits does not keep a thread that wakes up again and again; later numbers are counted too."""
    for _ in range(2):
        guard.problems(declared(LONDON), declared(LONDON))
        wait_until(lambda: "linq-destinations" not in [thread.name for thread in threading.enumerate()])
    guard.tell()
    assert said[0].startswith("Declared numbers that break the rule about where calls may go: 2.")


def test_numbers_that_are_not_in_use_are_told_once(guard: DestinationGuard, said: list[str]) -> None:
    """With their countries and the version of the metadata; those of the state are not mentioned."""
    for number in ("+2025559999", "+2025558888", OFFICE):
        assert guard.problems(Inputs(), declared(number)) == []
    assert guard.problems(declared("+2025557777"), declared("+2025557777")) == []
    guard.tell()
    assert said == [
        f"According to version {metadata_version()} of the phone number metadata, some new or changed numbers are in"
        " ranges that are not in use: 2 in Egypt (+20). Look for typing mistakes. The run continues."
    ]


def test_a_new_line_has_to_have_the_length_of_its_country(guard: DestinationGuard) -> None:
    """One of the state is left alone."""
    (problem,) = guard.problems(Inputs(), declared(OFFICE, line="+20255"))
    assert problem.startswith("phone_number has the wrong length for a phone number in Egypt (+20)")
    assert guard.problems(declared(OFFICE, line="+20255"), declared("", line="+20255")) == []


def test_before_a_write_the_rule_is_asked_again(guard: DestinationGuard) -> None:
    """Except for the number that the state records, so that an unrelated change can still be made."""
    guard.refuse(OFFICE, recorded=None)
    guard.refuse(LONDON, recorded=LONDON)
    guard.refuse("", recorded=LONDON)
    for recorded in (None, "", OFFICE):
        with pytest.raises(RefusedError) as refused:
            guard.refuse(LONDON, recorded=recorded)
        assert str(refused.value) == f"The forwarding number {OUTSIDE}. Nothing was written."
