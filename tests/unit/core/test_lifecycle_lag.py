"""One forwarding where the list lags behind, lacks a line once, or shows the number of a line under another id."""

from __future__ import annotations

import pytest
from lifecycles import (
    DESK,
    ELSEWHERE,
    NIGHT,
    OFFICE,
    SALES,
    SALES_NUMBER,
    SUPPORT,
    SUPPORT_NUMBER,
    World,
    declared,
    problems,
    recorded,
)

from linq_provider.core.records import Diff, Inputs, Outputs
from linq_provider.emulator import Fault
from linq_provider.errors import RefusedError

GETS = ["GET", "GET", "GET"]


def changed(world: World, olds: Outputs, news: Inputs, *, live_check: bool = True) -> Outputs:
    """A change as the engine makes it: the preview is one process, the run another."""
    for process in (world.process(live_check=live_check), world.process(live_check=live_check)):
        assert problems(process, news, olds.inputs) == []
        assert process.diff(olds, news).changes
    return process.update(olds, news)


# A list that lags behind


@pytest.mark.parametrize("live_check", [True, False])
@pytest.mark.parametrize("lag", [0, 1, 3, 4])
def test_there_and_back_with_a_list_that_lags(world: World, lag: int, live_check: bool) -> None:
    """To another number and back, at once: both are written, and neither is refused as changed outside Pulumi."""
    world.emulator.fail(Fault.list_lag(lag), times=None)
    state = world.process().create(declared(OFFICE))
    for number in (DESK, OFFICE, DESK, ""):
        state = changed(world, state, declared(number), live_check=live_check)
        assert world.emulator.forwarding(SALES) == number
    assert world.said == []


def test_a_change_that_the_list_does_not_show_is_written_back(world: World) -> None:
    """The list still shows the number from before the last change, which is the declared one: it is written."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.now += 60
    world.emulator.set_forwarding(SALES, DESK)
    world.emulator.fail(Fault.list_lag(3), times=None)
    world.process().update(recorded(DESK), declared(OFFICE))
    assert world.methods() == ["GET", "PUT"]
    assert world.emulator.forwarding(SALES) == OFFICE


def test_a_delete_right_after_up_with_a_list_that_lags(world: World) -> None:
    """What the list still shows as not forwarded is cleared, because the state has it forwarded."""
    world.emulator.fail(Fault.list_lag(3), times=None)
    world.process().delete(world.process().create(declared(OFFICE)))
    assert world.writes() == [(SALES, OFFICE), (SALES, "")]


def test_a_delete_after_a_take_over_with_a_list_that_lags(world: World) -> None:
    """The list still shows somebody else's number, which this stack replaced a moment ago: the line is cleared."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.now += 60
    world.emulator.fail(Fault.list_lag(3), times=None)
    world.process().delete(world.process().create(declared(OFFICE, overwrite=True)))
    assert world.emulator.forwarding(SALES) == ""


def test_a_refresh_right_after_up_with_a_list_that_lags(world: World) -> None:
    """A refresh finds no drift where the list only lags."""
    world.emulator.fail(Fault.list_lag(3), times=None)
    state = world.process().create(declared(OFFICE))
    assert world.process().read(state) == state


def test_a_replacement_of_a_changed_line_with_a_list_that_lags(world: World) -> None:
    """A create that replaces the resource of the same line knows the recorded number, and repeats the list like an update."""
    world.emulator.fail(Fault.list_lag(3), times=None)
    state = world.process().create(declared(OFFICE))
    state = changed(world, state, declared(DESK))
    run = world.process(live_check=False)
    assert problems(run, declared(""), state.inputs) == []
    run.diff(state, declared(""))
    run.create(declared(""))
    assert world.emulator.forwarding(SALES) == ""


# What contradicts the state is confirmed; what is new is not


def test_a_hand_edit_is_confirmed_before_it_is_refused(world: World) -> None:
    """Check, update and delete refuse a number that somebody else set only after three lists that show it."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    (problem,) = problems(world.process(), declared(DESK), recorded(OFFICE).inputs)
    assert "was changed outside Pulumi" in problem
    assert world.methods() == GETS
    world.emulator.clear_requests()
    with pytest.raises(RefusedError, match="was changed outside Pulumi"):
        world.process().update(recorded(OFFICE), declared(DESK))
    assert world.methods() == GETS
    world.emulator.clear_requests()
    with pytest.raises(RefusedError, match="which this stack did not set"):
        world.process().delete(recorded(OFFICE))
    assert world.methods() == GETS


def test_drift_is_confirmed_before_it_is_recorded(world: World) -> None:
    """Refresh shows a hand edit after three lists, and a line that is gone after three."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    found = world.process().read(recorded(OFFICE))
    assert found is not None
    assert found.forwarding_number == ELSEWHERE
    world.emulator.remove_number(SALES)
    assert world.process().read(recorded(OFFICE)) is None
    assert world.methods() == GETS * 2


def test_one_list_that_lacks_the_line_says_nothing(world: World) -> None:
    """Check, refresh, update, `.get()` and delete go on with the line that the next list has."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lacks = Fault.list_lacks(SALES)
    world.emulator.fail(lacks)
    assert world.process().read(recorded(OFFICE)) == recorded(OFFICE)
    world.emulator.fail(lacks)
    assert world.process().get(SALES) is not None
    world.emulator.fail(lacks)
    assert problems(world.process(), declared(DESK), recorded(OFFICE).inputs) == []
    world.emulator.fail(lacks)
    assert world.process().update(recorded(OFFICE), declared(DESK)) == recorded(DESK)
    world.emulator.fail(lacks)
    world.process().delete(recorded(DESK))
    assert world.writes() == [(SALES, DESK), (SALES, "")]
    assert world.said == []


def test_a_new_resource_is_refused_at_once(world: World) -> None:
    """The state has no such line, so nothing is contradicted: one list decides, in check and in create."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    for line, message in ((SALES_NUMBER, "already forwards to"), ("+12025550199", "does not see the declared line")):
        (problem,) = problems(world.process(), declared(OFFICE, line=line))
        assert message in problem
        with pytest.raises(RefusedError, match=message):
            world.process().create(declared(OFFICE, line=line))
    assert world.methods() == ["GET"] * 4
    assert world.now == 1000


def test_an_adoption_trusts_the_list(world: World) -> None:
    """A new resource that finds its number already there writes nothing and asks once."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.process().create(declared(OFFICE))
    assert world.methods() == ["GET"]


# A number that has another id now


def test_a_number_with_a_new_id_is_read_as_the_new_line(world: World) -> None:
    """Refresh records the new id, and says so; then nothing differs and the line can be changed and cleared."""
    world.emulator.set_forwarding(SALES, OFFICE)
    new = world.emulator.change_id(SALES).id
    found = world.process().read(recorded(OFFICE))
    assert found == Outputs(new, SALES_NUMBER, OFFICE, "phone_number")
    assert world.said == [f"At Linq, {SALES_NUMBER} now has the id {new}."]
    assert world.process().diff(found, declared(OFFICE)) == Diff(False)
    world.process().delete(changed(world, found, declared(DESK)))
    assert world.writes() == [(new, DESK), (new, "")]


def test_a_list_that_lacks_the_new_line_says_nothing(world: World) -> None:
    """The number has a new id, which the list that confirms the loss of the old one lacks: both are looked up again."""
    world.emulator.set_forwarding(SALES, OFFICE)
    new = world.emulator.change_id(SALES).id
    world.emulator.fail(Fault.list_lag(0), times=2)
    world.emulator.fail(Fault.list_lacks(new))
    found = world.process().read(recorded(OFFICE))
    assert found is not None
    assert found.phone_number_id == new
    world.emulator.fail(Fault.list_lag(0), times=2)
    world.emulator.fail(Fault.list_lacks(new))
    with pytest.raises(RefusedError) as refused:
        world.process(live_check=False).update(recorded(OFFICE), declared(DESK))
    assert str(refused.value) == moved_message(new)


def moved_message(new: str) -> str:
    """The message about the sales number with a new id."""
    return f"At Linq, {SALES_NUMBER} now has the id {new}; the id in the state does not exist any more. Run `pulumi up --refresh`."


def test_a_number_with_a_new_id_is_reported_at_preview_and_at_up(world: World) -> None:
    """Diff, which the preview asks after check, and update name the new line and the way out; nothing is written."""
    world.emulator.set_forwarding(SALES, OFFICE)
    new = world.emulator.change_id(SALES).id
    preview = world.process()
    assert problems(preview, declared(DESK), recorded(OFFICE).inputs) == []
    with pytest.raises(RefusedError) as refused:
        preview.diff(recorded(OFFICE), declared(DESK))
    assert str(refused.value) == moved_message(new)
    with pytest.raises(RefusedError) as refused:
        world.process(live_check=False).update(recorded(OFFICE), declared(DESK))
    assert str(refused.value) == moved_message(new)
    assert world.writes() == []


def test_a_new_id_is_confirmed_before_it_is_reported(world: World) -> None:
    """A list that still has the old id of a number that moved, and was refreshed meanwhile, is asked for again."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.now += 60
    new = world.emulator.change_id(SALES).id
    found = world.process().read(recorded(OFFICE))
    assert found is not None
    world.emulator.fail(Fault.list_lag(world.now - 1000 - 60 + 1))  # one list from before the change
    assert changed(world, found, declared(DESK)) == Outputs(new, SALES_NUMBER, DESK, "phone_number")


def test_a_line_declared_by_id_that_has_a_new_one(world: World) -> None:
    """A refresh cannot follow an id, so the update's error names the new one, which the program must declare."""
    world.emulator.set_forwarding(SALES, OFFICE)
    new = world.emulator.change_id(SALES).id
    with pytest.raises(RefusedError) as refused:
        world.process(live_check=False).update(recorded(OFFICE, by="phone_number_id"), declared(DESK, line=SALES))
    assert str(refused.value) == (
        f"At Linq, {SALES_NUMBER} now has the id {new}; the id in the state does not exist any more."
        f' Declare phone_number_id="{new}".'
    )
    assert world.writes() == []


@pytest.mark.parametrize("by", ["phone_number", "phone_number_id"])
def test_a_delete_leaves_the_line_that_has_the_number_now(world: World, by: str) -> None:
    """The new line is none of the state's: it keeps its forwarding, and the message names it."""
    world.emulator.set_forwarding(SALES, OFFICE)
    new = world.emulator.change_id(SALES).id
    world.process().delete(recorded(OFFICE, by=by))
    assert world.emulator.forwarding(new) == OFFICE
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) is no longer among the lines of this key, so there was nothing"
        f" to clear; if it still exists under another key, it keeps its forwarding. At Linq, {SALES_NUMBER} now has the id {new}; it was not changed."
    ]


def test_one_number_under_two_ids(world: World) -> None:
    """By number it is refused with both ids named, at preview and at up; by id each is a separate line."""
    world.emulator.set_forwarding(SALES, OFFICE)
    second = world.emulator.add_second_id(SALES).id
    world.emulator.set_forwarding(second, "")
    both = f"belongs to 2 lines at Linq: {', '.join(sorted([SALES, second]))}. Declare the line by phone_number_id."
    assert both in problems(world.process(), declared(DESK), recorded(OFFICE).inputs)[0]
    assert both in problems(world.process(), declared(OFFICE))[0]
    with pytest.raises(RefusedError, match="belongs to 2 lines"):
        world.process(live_check=False).create(declared(OFFICE))
    run = world.process()
    program = [declared(OFFICE, line=SALES), declared(DESK, line=second)]
    assert [problems(run, news) for news in program] == [[], []]
    assert [run.create(news).id for news in program] == [SALES, second]
    assert world.writes() == [(second, DESK)]
    world.process().delete(recorded(OFFICE, by="phone_number_id"))
    assert [world.emulator.forwarding(line) for line in (SALES, second)] == ["", DESK]


# Loops through what is merely live


def test_a_loop_through_a_line_that_nobody_declares(world: World) -> None:
    """Support forwards to sales by hand: sales must not forward to support, at preview or at up."""
    world.emulator.set_forwarding(SUPPORT, SALES_NUMBER)
    loop = "The line would forward to another line that forwards back, so calls would go in a circle and never ring. Declare another forwarding_number."
    for line in (SALES, SALES_NUMBER):
        assert problems(world.process(), declared(SUPPORT_NUMBER, line=line)) == [loop]
    with pytest.raises(RefusedError, match="forwards back"):
        world.process(live_check=False).create(declared(SUPPORT_NUMBER))
    world.emulator.set_forwarding(NIGHT, SUPPORT_NUMBER)
    night = world.emulator.phone_numbers[2].phone_number
    assert problems(world.process(), declared(night)) == [loop]
    assert world.writes() == []


@pytest.mark.parametrize("line", [SUPPORT, SUPPORT_NUMBER])
def test_no_loop_where_the_line_is_declared_differently(world: World, line: str) -> None:
    """Support still forwards to sales, and the same program declares it differently: in either order no loop."""
    world.emulator.set_forwarding(SUPPORT, SALES_NUMBER)
    old = Outputs(SUPPORT, SUPPORT_NUMBER, SALES_NUMBER, "phone_number_id" if line == SUPPORT else "phone_number")
    run = world.process()
    assert problems(run, declared("", line=line), old.inputs) == []
    assert problems(run, declared(SUPPORT_NUMBER)) == []
    planned = world.process()
    planned._declarations.plan({line: "", SALES_NUMBER: SUPPORT_NUMBER})
    assert problems(planned, declared(SUPPORT_NUMBER)) == []
    planned.create(declared(SUPPORT_NUMBER))
    assert world.emulator.forwarding(SALES) == SUPPORT_NUMBER
