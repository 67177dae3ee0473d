"""What the program declares and who holds which line, as far as one provider process is told."""

from __future__ import annotations

import pytest

from linq_provider.core.declarations import Declarations
from linq_provider.errors import RefusedError

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
OFFICE, DESK = "+12025559999", "+12025558888"


def test_a_line_is_declared_under_either_name() -> None:
    """Asking by both names finds a declaration by one of them; another line is not declared."""
    declarations = Declarations()
    declarations.declare(SALES_NUMBER, OFFICE)
    assert declarations.declares(SALES, SALES_NUMBER)
    assert not declarations.declares(SALES)
    assert declarations.forwarding_of(SALES, SALES_NUMBER) == OFFICE


def test_an_unknown_number_is_declared_too() -> None:
    """A line whose number is not known yet is declared, and says nothing about where it forwards."""
    declarations = Declarations()
    declarations.declare(SALES, None)
    assert declarations.declares(SALES)
    assert declarations.forwarding_of(SALES) is None


def test_not_forwarded_is_a_declaration() -> None:
    """A line declared as not forwarded is declared."""
    declarations = Declarations()
    declarations.declare(SALES, "")
    assert declarations.declares(SALES)
    assert declarations.forwarding_of(SALES) == ""


def test_the_last_declaration_counts() -> None:
    """Of two checks of one line the later one counts: a resource that is replaced is checked twice."""
    declarations = Declarations()
    declarations.declare(SALES, OFFICE)
    declarations.declare(SALES, DESK)
    assert declarations.forwarding_of(SALES) == DESK


@pytest.mark.parametrize("names", [(SALES,), (SALES_NUMBER,), (SALES, SALES_NUMBER)])
def test_a_second_holder_is_refused(names: tuple[str, ...]) -> None:
    """A line that a resource holds, under either name, is refused to another."""
    declarations = Declarations()
    declarations.mark_unchanged(*names)
    with pytest.raises(RefusedError) as refused, declarations.claim(SALES, SALES_NUMBER):
        pass
    assert str(refused.value) == (
        f"Line {SALES} is declared by another resource of this program too."
        " Remove one of the two; which one's number would win is not defined."
    )


def test_a_line_that_is_being_written_is_refused() -> None:
    """Of two resources that take one line at the same time, the second is refused."""
    declarations = Declarations()
    with declarations.claim(SALES, SALES_NUMBER), pytest.raises(RefusedError), declarations.claim(SALES):
        pass


def test_a_write_that_failed_holds_nothing() -> None:
    """A create that failed does not count as an owner: it can be tried again; one that succeeded does."""
    declarations = Declarations()
    with pytest.raises(ValueError, match="the write failed"), declarations.claim(SALES, SALES_NUMBER):
        raise ValueError("the write failed")
    with declarations.claim(SALES, SALES_NUMBER):
        pass
    with pytest.raises(RefusedError), declarations.claim(SALES_NUMBER):
        pass


def test_a_declaration_holds_nothing() -> None:
    """Declaring a line, or being about to change it, does not make a holder."""
    declarations = Declarations()
    declarations.declare(SALES, OFFICE)
    declarations.change(SALES, OFFICE)
    with declarations.claim(SALES, SALES_NUMBER):
        pass


def test_the_recorded_number_is_known_until_the_line_is_held() -> None:
    """Between diff and the write the recorded number is known; after the write it counts no more."""
    declarations = Declarations()
    assert declarations.recorded(SALES) is None
    declarations.change(SALES, OFFICE)
    assert declarations.recorded(SALES) == OFFICE
    declarations.mark_unchanged(SALES)
    assert declarations.recorded(SALES) is None


def test_who_comes_late_is_told_of_the_second_owner() -> None:
    """A resource that does not change, on a line that another one took in this run, does not pass in silence."""
    declarations = Declarations()
    with declarations.claim(SALES, SALES_NUMBER), pytest.raises(RefusedError, match="declared by another resource"):
        declarations.mark_unchanged(SALES_NUMBER)
    with pytest.raises(RefusedError, match="declared by another resource"):
        declarations.mark_unchanged(SALES)


def test_a_released_line_can_be_taken_again() -> None:
    """What was taken by somebody who failed as a whole is free for the next attempt, and for nobody's silence."""
    declarations = Declarations()
    with declarations.claim(SALES, SALES_NUMBER):
        pass
    declarations.release(SALES, SALES_NUMBER)
    with declarations.claim(SALES, SALES_NUMBER):
        pass


def test_keeping_a_line_takes_the_state() -> None:
    """Only a resource that has the line in the state keeps it; who newly declares it does not."""
    declarations = Declarations()
    declarations.declare(SALES, OFFICE)
    assert not declarations.keeps(SALES)
    declarations.declare(SALES, OFFICE, keeps=True)
    declarations.declare(SALES, OFFICE)
    assert declarations.keeps(SALES)
