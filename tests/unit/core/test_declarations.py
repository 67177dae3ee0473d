"""What the program declares, and which resource has which line, as one provider process knows it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from linq_provider.core.declarations import Declarations, Owner
from linq_provider.errors import RefusedError
from linq_provider.provider.run_log import RunLog

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
OFFICE, DESK = "+12025559999", "+12025558888"


def test_a_line_is_declared_under_either_name() -> None:
    """Asking by both names finds a declaration by one of them; another line is not declared."""
    declarations = Declarations()
    declarations.declare({SALES_NUMBER: OFFICE})
    assert declarations.declares(SALES, SALES_NUMBER)
    assert not declarations.declares(SALES)
    assert declarations.forwarding_of(SALES, SALES_NUMBER) == OFFICE


def test_an_unknown_number_is_declared_too() -> None:
    """A line whose number is not known yet is declared, without a number."""
    declarations = Declarations()
    declarations.declare({SALES: None})
    assert declarations.declares(SALES)
    assert declarations.forwarding_of(SALES) is None


def test_not_forwarded_is_a_declaration() -> None:
    """A line declared as not forwarded is declared."""
    declarations = Declarations()
    declarations.declare({SALES: ""})
    assert declarations.declares(SALES)
    assert declarations.forwarding_of(SALES) == ""


def test_one_line_with_two_numbers_is_refused() -> None:
    """A resource that is replaced is checked twice with one number; two numbers are two resources."""
    declarations = Declarations()
    declarations.declare({SALES: OFFICE})
    declarations.declare({SALES: None})
    declarations.declare({SALES: OFFICE})
    with pytest.raises(RefusedError) as refused:
        declarations.declare({SALES: DESK})
    assert str(refused.value) == (
        f"Line {SALES} is declared by another resource of this program too."
        " Remove one of the two: otherwise either number could be used."
    )


def test_a_replacement_of_an_unchanged_resource_takes_its_line() -> None:
    """After an interrupted replacement the engine creates a resource again although diff found it unchanged."""
    declarations = Declarations()
    declarations.mark_unchanged(SALES, SALES_NUMBER)
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
        pass


def test_a_line_that_is_kept_under_another_name_is_refused() -> None:
    """A resource has one name for its line, so a create by the other name is another resource's."""
    declarations = Declarations()
    declarations.declare({SALES_NUMBER: OFFICE}, kept=[SALES_NUMBER])
    declarations.mark_unchanged(SALES, SALES_NUMBER)
    with pytest.raises(RefusedError), declarations.claim(SALES, SALES_NUMBER, declared_as=SALES):
        pass


def test_a_line_whose_holder_failed_is_free() -> None:
    """A resource that failed holds its line no more, also against another name of it."""
    declarations = Declarations()
    declarations.declare({SALES_NUMBER: OFFICE}, kept=[SALES_NUMBER])
    declarations.mark_unchanged(SALES, SALES_NUMBER)
    declarations.fail(SALES, SALES_NUMBER)
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES):
        pass


def test_a_line_that_is_being_written_is_refused() -> None:
    """Of two resources that take one line at the same time, the second is refused."""
    declarations = Declarations()
    with (
        declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER),
        pytest.raises(RefusedError),
        declarations.claim(SALES, declared_as=SALES),
    ):
        pass


def test_a_write_that_failed_holds_nothing() -> None:
    """A create that failed does not count as an owner: it can be tried again; one that succeeded does."""
    declarations = Declarations()
    with (
        pytest.raises(ValueError, match="the write failed"),
        declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER),
    ):
        raise ValueError("the write failed")
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
        pass
    with pytest.raises(RefusedError), declarations.claim(SALES_NUMBER, declared_as=SALES_NUMBER):
        pass


def test_a_declaration_holds_nothing() -> None:
    """Declaring a line, or being about to change it, does not make a holder."""
    declarations = Declarations()
    declarations.declare({SALES: OFFICE})
    declarations.change(SALES, OFFICE)
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
        pass


def test_the_recorded_number_is_known_until_the_line_is_held() -> None:
    """Between diff and the write the recorded number is known; after the write it counts no more."""
    declarations = Declarations()
    assert declarations.recorded(SALES) is None
    declarations.change(SALES, OFFICE)
    assert declarations.recorded(SALES) == OFFICE
    declarations.mark_unchanged(SALES)
    assert declarations.recorded(SALES) is None


def test_a_released_line_can_be_taken_again() -> None:
    """The lines of a resource that failed may be claimed by the next attempt, but not cleared."""
    declarations = Declarations()
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
        pass
    declarations.fail(SALES, SALES_NUMBER)
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
        pass


def test_keeping_a_line_takes_the_state() -> None:
    """Only a resource that has the line in the state keeps it; who newly declares it does not."""
    declarations = Declarations()
    declarations.declare({SALES: OFFICE})
    assert not declarations.keeps(SALES)
    declarations.declare({SALES: OFFICE}, kept=[SALES])
    declarations.declare({SALES: OFFICE})
    assert declarations.keeps(SALES)


def test_a_planned_number_is_known_before_it_is_declared() -> None:
    """Under either name; what is declared counts more, and of another line nothing is known."""
    declarations = Declarations()
    declarations.plan({SALES_NUMBER: OFFICE, "+12025551235": None})
    assert declarations.planned(SALES, SALES_NUMBER)
    assert not declarations.planned(SALES)
    assert declarations.forwarding_of(SALES, SALES_NUMBER) == OFFICE
    assert declarations.forwarding_of("+12025551235") is None
    assert declarations.forwarding_of(SALES) is None
    declarations.declare({SALES_NUMBER: DESK})
    assert declarations.forwarding_of(SALES, SALES_NUMBER) == DESK


@pytest.mark.parametrize(("allowed", "most"), [((), None), ((0,), 0), ((3, 7), 7), ((7, 3), 7)])
def test_the_clears_that_new_fleets_allow(allowed: tuple[int, ...], most: int | None) -> None:
    """The highest value of all fleets that this run creates; None if it creates none."""
    declarations = Declarations()
    for each in allowed:
        declarations.new_fleet(each)
    assert declarations.allowed_clears == most


# Which resource has a line, and which gives it up


def owner(*, fails: bool = False, **facts: bool) -> Owner | None:
    """The owner of a line that is declared, kept or written in a run in which something fails, or nothing does."""
    declarations = Declarations()
    if facts.get("declared", True):
        declarations.declare({SALES_NUMBER: OFFICE}, kept=[SALES_NUMBER] if facts.get("kept") else [])
    if facts.get("written"):
        with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER):
            pass
    if facts.get("replaced"):
        declarations.change(SALES_NUMBER, DESK)
    if fails:
        declarations.fail(SALES_NUMBER if facts.get("itself") else "another")
    return declarations.owner(SALES, SALES_NUMBER)


def test_a_line_that_nobody_declares_has_no_owner() -> None:
    """It may be cleared."""
    assert owner(declared=False) is None


def test_an_owner_may_declare_an_unknown_number() -> None:
    """The line is not cleared, and its new number is not known yet."""
    declarations = Declarations()
    declarations.declare({SALES: None})
    assert declarations.owner(SALES) == Owner(None, lost=False, pending=True)


@pytest.mark.parametrize("facts", [{}, {"kept": True}, {"written": True}, {"replaced": True}])
def test_an_owner_has_its_line_or_will_have(facts: dict[str, bool]) -> None:
    """Where nothing failed, who declares a line has it in the state, wrote it, or is about to."""
    found = owner(**facts)
    assert found is not None
    assert (found.number, found.lost) == (OFFICE, False)
    assert found.pending is ("written" not in facts)


@pytest.mark.parametrize(
    ("facts", "lost"),
    [
        ({"itself": True}, True),
        ({"itself": True, "written": True}, True),  # one line of a fleet that failed as a whole
        ({"itself": True, "replaced": True}, True),
        ({"itself": True, "kept": True}, False),  # the state has it as it was
        ({}, True),  # it may never have been tried
        ({"kept": True}, False),
        ({"written": True}, False),
        ({"replaced": True}, False),
    ],
)
def test_an_owner_that_no_state_will_have_is_lost(facts: dict[str, bool], lost: bool) -> None:
    """A line is not handed over to a resource that failed, or was skipped in a run that failed."""
    found = owner(fails=True, **facts)
    assert found is not None
    assert (found.number, found.lost) == (OFFICE, lost)


# All processes of a run


def test_processes_of_a_run_share_what_they_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process declares, writes or clears, another one knows; it cannot claim what the first has claimed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = (Declarations(RunLog("127.0.0.1:1")) for _ in range(2))
    first.declare({SALES_NUMBER: OFFICE})
    assert second.owner(SALES, SALES_NUMBER) == Owner(OFFICE, lost=False, pending=True)
    with (
        first.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER),
        pytest.raises(RefusedError),
        second.claim(SALES, SALES_NUMBER, declared_as=SALES_NUMBER),
    ):
        pass
    other_run = Declarations(RunLog("127.0.0.1:2"))
    assert not other_run.declares(SALES_NUMBER)


def test_the_events_of_others_are_read_again_after_a_block_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many questions at once need no read for each; what others added meanwhile is known after them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = (Declarations(RunLog("127.0.0.1:1")) for _ in range(2))
    with first.as_of_now():
        second.declare({SALES_NUMBER: OFFICE})
        assert not first.declares(SALES_NUMBER)
    assert first.declares(SALES_NUMBER)
    with first.as_of_now():
        second.fail(SALES_NUMBER)
        first.new_fleet(3)  # an event of its own is read at once, and what came before it
        assert first.allowed_clears == 3
        assert first.owner(SALES_NUMBER) == Owner(OFFICE, lost=True)


def test_who_has_claimed_a_line_reads_the_log_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else can take the line, so a write asks the log only before and after."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    log = RunLog("127.0.0.1:1")
    declarations, reads = Declarations(log), []
    monkeypatch.setattr(log, "read", lambda: reads.append("read") or RunLog.read(log))
    with declarations.claim(SALES, SALES_NUMBER, declared_as=SALES):
        before = len(reads)
        assert not declarations.cleared(SALES)
        assert declarations.inherit(SALES) is None
        assert len(reads) == before
    declarations.cleared(SALES)
    assert len(reads) > before
