"""The life of one forwarding, verb by verb: what is written, and what never is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from lifecycles import (
    DESK,
    ELSEWHERE,
    NEW,
    OFFICE,
    SALES,
    SALES_NUMBER,
    SUPPORT,
    SUPPORT_NUMBER,
    UNKNOWN,
    World,
    declared,
    problems,
    recorded,
)
from walk_server import SharedLog

from linq_provider.core.declarations import Event
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Diff, Inputs, MaybeText, Outputs
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIResponseValidationError,
    AuthenticationError,
    InternalServerError,
    LinqError,
    PermissionDeniedError,
    RefusedError,
)

# diff


def test_diff_of_the_same_is_no_change(lifecycle: ForwardingLifecycle) -> None:
    """State and program agree: no change, however the line is named."""
    assert lifecycle.diff(recorded(OFFICE), declared(OFFICE)) == Diff(False)
    assert lifecycle.diff(recorded(OFFICE, by="phone_number_id"), declared(OFFICE, line=SALES)) == Diff(False)
    assert lifecycle.diff(recorded("", overwrite=True), declared("", overwrite=True)) == Diff(False)


@pytest.mark.parametrize(
    ("olds", "news"),
    [
        (recorded(OFFICE), declared(DESK)),
        (recorded(OFFICE), declared("")),
        (recorded(""), declared(OFFICE)),
        (recorded(OFFICE), declared(UNKNOWN)),
        (recorded(OFFICE), declared(OFFICE, overwrite=True)),
        (recorded(OFFICE), declared(OFFICE, line=SALES)),
        (recorded(OFFICE, by="phone_number_id"), declared(OFFICE, line=SALES_NUMBER)),
    ],
)
def test_diff_on_one_line_is_an_update(lifecycle: ForwardingLifecycle, olds: Outputs, news: Inputs) -> None:
    """Another number, overwrite alone, or another name of the same line: an update, never a replacement."""
    assert lifecycle.diff(olds, news) == Diff(True)


@pytest.mark.parametrize(
    ("news", "name"),
    [
        (declared(OFFICE, line=SUPPORT_NUMBER), "phone_number"),
        (declared(OFFICE, line=SUPPORT), "phone_number_id"),
        (declared(DESK, line=UNKNOWN), "phone_number"),
    ],
)
def test_diff_of_another_line_is_a_replacement(lifecycle: ForwardingLifecycle, news: Inputs, name: str) -> None:
    """Another line replaces the resource, because of the input that names it."""
    assert lifecycle.diff(recorded(OFFICE), news) == Diff(True, (name,))


def test_diff_of_what_was_only_read_is_no_change(lifecycle: ForwardingLifecycle) -> None:
    """What `.get()` recorded is declared by neither name: nothing is ever to do for it."""
    assert lifecycle.diff(replace(recorded(OFFICE), declared_by=""), Inputs()) == Diff(False)


def test_diff_makes_no_request(world: World) -> None:
    """No diff asks the server for anything."""
    for news in (declared(OFFICE), declared(DESK), declared(OFFICE, line=SUPPORT)):
        world.process().diff(recorded(OFFICE), news)
    assert world.methods() == []


def test_diff_trusts_an_old_list_that_agrees_with_the_state(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Where the last list has the recorded line under its number, no newer one is asked for."""
    assert problems(lifecycle, declared(OFFICE)) == []
    world.now += 60
    lifecycle.diff(recorded(OFFICE), declared(DESK))
    assert world.methods() == ["GET"]


# create


def test_create_forwards_the_line(lifecycle: ForwardingLifecycle, world: World) -> None:
    """One write; the outputs are complete, and what the server then holds."""
    assert lifecycle.create(declared(OFFICE)) == Outputs(SALES, SALES_NUMBER, OFFICE, "phone_number", None)
    assert world.methods() == ["GET", "PUT"]
    assert world.emulator.forwarding(SALES) == OFFICE
    assert world.said == []


@pytest.mark.parametrize("to", [OFFICE, ""])
@pytest.mark.parametrize("overwrite", [None, True])
def test_create_adopts_without_a_write(
    lifecycle: ForwardingLifecycle, world: World, to: str, overwrite: bool | None
) -> None:
    """A line that already holds the declared number, "" included, is adopted without a write or a message."""
    world.emulator.set_forwarding(SALES, to)
    made = lifecycle.create(declared(to, line=SALES, overwrite=overwrite))
    assert made == Outputs(SALES, SALES_NUMBER, to, "phone_number_id", overwrite)
    assert world.methods() == ["GET"]
    assert world.said == []


def test_create_compares_with_fresh_data(lifecycle: ForwardingLifecycle, world: World) -> None:
    """What check saw 30 s ago does not count: the line is compared again before it is written."""
    assert problems(lifecycle, declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.now += 30
    with pytest.raises(RefusedError, match=r"already forwards to \+12025550001"):
        lifecycle.create(declared(OFFICE))
    assert world.writes() == []


def test_create_does_not_adopt_from_an_old_list(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A list older than 30 s is not enough to leave the write out."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert problems(lifecycle, declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, "")
    world.now += 30
    lifecycle.create(declared(OFFICE))
    assert world.writes() == [(SALES, OFFICE)]


@pytest.mark.parametrize("to", [OFFICE, ""])
def test_create_refuses_somebody_elses_line(world: World, to: str) -> None:
    """Even if check made no request, a line that somebody else forwards is refused and not changed."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    lifecycle = world.process(live_check=False)
    assert problems(lifecycle, declared(to)) == []
    with pytest.raises(RefusedError, match=r"already forwards to \+12025550001"):
        lifecycle.create(declared(to))
    assert world.writes() == []


@pytest.mark.parametrize("to", [OFFICE, ""])
def test_create_with_overwrite_says_what_it_replaced(lifecycle: ForwardingLifecycle, world: World, to: str) -> None:
    """With overwrite the line is written once, and one info line names the number that was there."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    assert lifecycle.create(declared(to, overwrite=True)).overwrite is True
    assert world.writes() == [(SALES, to)]
    assert world.said == [
        f"On line {SALES} ({SALES_NUMBER}), the forwarding to {ELSEWHERE} was replaced (overwrite=True)."
    ]


def test_create_of_a_line_out_of_sight(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that this key does not see is refused, and nothing is written."""
    with pytest.raises(RefusedError, match="This key does not see the declared line"):
        lifecycle.create(declared(OFFICE, line="+12025550199"))
    assert world.writes() == []


def test_create_of_an_unknown_number(lifecycle: ForwardingLifecycle, world: World) -> None:
    """The engine resolves every input before a create; where one is not known all the same, nothing is written."""
    with pytest.raises(LinqError) as refused:
        lifecycle.create(declared(UNKNOWN))
    assert str(refused.value) == "An input that must be known by now is still unknown. Please report this."
    assert world.writes() == []


def test_create_for_a_replacement_of_one_line(lifecycle: ForwardingLifecycle, world: World) -> None:
    """With replace_on_changes a line is created again: the number in its state does not count as somebody else's."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(declared(OFFICE), declared(DESK))
    assert lifecycle.diff(recorded(OFFICE), declared(DESK)) == Diff(True)
    assert problems(lifecycle, declared(DESK)) == []  # checked once more, as new
    lifecycle.create(declared(DESK))
    lifecycle.delete(recorded(OFFICE))
    assert world.methods() == ["GET", "PUT"]
    assert world.writes() == [(SALES, DESK)]


def test_create_for_a_replacement_of_a_line_that_was_cleared(world: World) -> None:
    """The line has lost the number that the state records, so it is free, and is written."""
    run = world.process(live_check=False)
    run.check(declared(OFFICE), declared(DESK))
    run.diff(recorded(OFFICE), declared(DESK))
    run.create(declared(DESK))
    assert world.writes() == [(SALES, DESK)]


def test_a_second_create_of_one_line_is_refused(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that this run created by number is refused by id and named, for the same number and with overwrite too."""
    lifecycle.create(declared(OFFICE))
    for news in (declared(OFFICE, line=SALES), declared(DESK, line=SALES, overwrite=True)):
        with pytest.raises(RefusedError, match=rf"Line {SALES} \({re.escape(SALES_NUMBER)}\) is declared by another"):
            lifecycle.create(news)
    assert world.writes() == [(SALES, OFFICE)]


def test_a_create_on_a_line_that_another_resource_kept_is_refused(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that a resource of this program keeps unchanged is refused to a new one."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(declared(OFFICE), declared(OFFICE))
    lifecycle.diff(recorded(OFFICE), declared(OFFICE))
    with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
        lifecycle.create(declared(OFFICE, line=SALES))


def test_a_create_repeated_after_its_write_was_applied(world: World) -> None:
    """A create whose write was applied but reported as failed succeeds when repeated, without a write."""
    lifecycle = world.process()
    lifecycle.check(NEW, declared(OFFICE))
    world.emulator.fail(Fault.server_error().applying(), method="PUT")
    world.emulator.fail(Fault.server_error(), method="GET")  # nor can it be found out what became of the write
    with pytest.raises(InternalServerError):
        lifecycle.create(declared(OFFICE))
    assert world.emulator.forwarding(SALES) == OFFICE
    world.emulator.clear_requests()
    assert world.process().create(declared(OFFICE)).forwarding_number == OFFICE
    assert world.writes() == []


def test_a_failed_create_holds_nothing(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A create that failed is no holder: the engine may try again, also for another resource."""
    world.emulator.fail(Fault.error(403), method="PUT")
    with pytest.raises(PermissionDeniedError):
        lifecycle.create(declared(OFFICE))
    assert lifecycle.create(declared(OFFICE, line=SALES)).forwarding_number == OFFICE


def test_a_refused_create_holds_nothing(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A create refused because of somebody else's number is no holder either."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    with pytest.raises(RefusedError):
        lifecycle.create(declared(OFFICE))
    assert lifecycle.create(declared(ELSEWHERE, line=SALES)).forwarding_number == ELSEWHERE


# update


def test_update_is_one_write(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Another number is one write of that number, nothing cleared before; the outputs are complete."""
    world.emulator.set_forwarding(SALES, OFFICE)
    made = lifecycle.update(recorded(OFFICE), declared(DESK))
    assert made == Outputs(SALES, SALES_NUMBER, DESK, "phone_number", None)
    assert world.methods() == ["GET", "PUT"]
    assert world.writes() == [(SALES, DESK)]
    assert world.said == []


def test_update_to_not_forwarded(lifecycle: ForwardingLifecycle, world: World) -> None:
    """The declared "" clears the line in one write."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert lifecycle.update(recorded(OFFICE), declared("")).forwarding_number == ""
    assert world.writes() == [(SALES, "")]


@pytest.mark.parametrize(
    "news",
    [declared(OFFICE, overwrite=True), declared(OFFICE, line=SALES)],
    ids=["overwrite-alone", "named-otherwise"],
)
def test_update_without_another_number_writes_nothing(
    lifecycle: ForwardingLifecycle, world: World, news: Inputs
) -> None:
    """overwrite alone, or another name of the line, changes the record only."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert lifecycle.update(recorded(OFFICE), news).inputs == news
    assert world.writes() == []


@pytest.mark.parametrize(("live", "shown"), [(ELSEWHERE, r"\+12025550001"), ("", "not forwarded")])
def test_update_refuses_a_line_changed_outside_pulumi(world: World, live: str, shown: str) -> None:
    """A hand edit after check, a hand clear included, is found on fresh data and not written over."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process()
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, live)
    world.now += 30
    with pytest.raises(RefusedError, match=f"was changed outside Pulumi to {shown}"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


def test_update_with_overwrite_says_what_it_replaced(lifecycle: ForwardingLifecycle, world: World) -> None:
    """With overwrite a hand edit is replaced in one write, and one info line names it."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    lifecycle.update(recorded(OFFICE), declared(DESK, overwrite=True))
    assert world.writes() == [(SALES, DESK)]
    assert world.said == [
        f"On line {SALES} ({SALES_NUMBER}), the forwarding to {ELSEWHERE} was replaced (overwrite=True)."
    ]


def test_update_of_a_line_that_already_holds_the_number(lifecycle: ForwardingLifecycle, world: World) -> None:
    """The list may lag behind an earlier change, so a line is written if the state has another number."""
    world.emulator.set_forwarding(SALES, DESK)
    assert lifecycle.update(recorded(OFFICE), declared(DESK)) == recorded(DESK)
    assert world.writes() == [(SALES, DESK)]


def test_update_of_a_line_that_another_resource_took(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that another resource created in this run is named, and not written by a second one."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.create(declared(OFFICE, line=SALES))
    with pytest.raises(RefusedError, match=rf"Line {SALES} \({re.escape(SALES_NUMBER)}\) is declared by another"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


def test_update_of_a_line_that_is_gone(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line whose id and number are both gone is not seen by this key, and nothing is written."""
    world.emulator.remove_number(SALES)
    with pytest.raises(RefusedError, match="This key does not see the declared line"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


# read


@pytest.mark.parametrize("by", ["phone_number", "phone_number_id"])
@pytest.mark.parametrize("overwrite", [None, False, True])
@pytest.mark.parametrize("live", [OFFICE, ELSEWHERE, ""])
def test_read_returns_the_declared_inputs_with_the_live_number(
    lifecycle: ForwardingLifecycle, emulator: Emulator, by: str, overwrite: bool | None, live: str
) -> None:
    """Refresh sees complete outputs, and the inputs that were declared with only the number as it is now."""
    emulator.set_forwarding(SALES, live)
    olds = recorded(OFFICE, by=by, overwrite=overwrite)
    seen = lifecycle.read(olds)
    assert seen == Outputs(SALES, SALES_NUMBER, live, by, overwrite, None if live == OFFICE else OFFICE)
    line = SALES if by == "phone_number_id" else SALES_NUMBER
    assert seen.inputs == declared(live, line=line, overwrite=overwrite)


def test_read_of_a_line_that_is_gone(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line missing from a well-formed list is gone, with one info line about where it may still exist."""
    world.emulator.remove_number(SALES)
    assert lifecycle.read(recorded(OFFICE)) is None
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) is no longer among the lines of this key, and was taken out of the state; if it still exists"
        " under another key, it keeps its forwarding."
    ]


def test_drift_is_healed_by_the_next_update(world: World) -> None:
    """What refresh recorded differs from the program, which is an update that passes the guard."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    seen = world.process().read(recorded(OFFICE))
    assert seen is not None
    lifecycle = world.process()
    assert problems(lifecycle, declared(OFFICE), seen.inputs) == []
    assert lifecycle.diff(seen, declared(OFFICE)) == Diff(True)
    lifecycle.update(seen, declared(OFFICE))
    assert world.writes() == [(SALES, OFFICE)]
    assert world.said == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.error(401), AuthenticationError),
        (Fault.error(403), PermissionDeniedError),
        (Fault.server_error(), InternalServerError),
        (Fault.empty_list(), LinqError),
        (Fault.unsuccessful(), APIResponseValidationError),
        (Fault.raw(b'{"phone_numbers": null}'), APIResponseValidationError),
        (Fault.reset_mid_body(), LinqError),
    ],
    ids=["401", "403", "500", "empty", "unsuccessful", "no-list", "reset"],
)
def test_what_is_no_answer_is_never_gone(
    lifecycle: ForwardingLifecycle, world: World, fault: Fault, error: type[LinqError]
) -> None:
    """401, 403, 5xx, a broken connection, an empty or malformed list: an error, never "gone"."""
    world.emulator.fail(fault, times=None)
    with pytest.raises(error):
        lifecycle.read(recorded(OFFICE))
    assert world.said == []


def test_get_reads_a_line_that_nobody_declares_here(lifecycle: ForwardingLifecycle, world: World) -> None:
    """`.get()` returns the line as it is, by its id."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    seen = lifecycle.get(SALES)
    assert seen is not None
    assert (seen.id, seen.phone_number, seen.forwarding_number) == (SALES, SALES_NUMBER, ELSEWHERE)


def test_get_of_a_line_that_is_not_there(lifecycle: ForwardingLifecycle) -> None:
    """`.get()` finds no line that this key does not see."""
    assert lifecycle.get("00000000-0000-4000-8000-000000000000") is None


# delete


@pytest.mark.parametrize("live", [OFFICE, ""], ids=["forwards", "was-cleared-by-hand"])
def test_delete_clears_the_line(lifecycle: ForwardingLifecycle, world: World, live: str) -> None:
    """A line that leaves the program is cleared in one write, at most."""
    world.emulator.set_forwarding(SALES, live)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == []


@pytest.mark.parametrize("there", [True, False])
def test_delete_of_a_line_that_was_never_forwarded(lifecycle: ForwardingLifecycle, world: World, there: bool) -> None:
    """If state and list agree that the line is not forwarded, nothing is sent, even if the line is gone."""
    if not there:
        world.emulator.remove_number(SALES)
    lifecycle.delete(recorded(""))
    assert world.writes() == []


@pytest.mark.parametrize("line", [SALES_NUMBER, SALES.upper()])
def test_delete_leaves_a_line_that_is_declared_elsewhere(
    lifecycle: ForwardingLifecycle, world: World, line: str
) -> None:
    """A rename is a create and then a delete of one line: nothing is written, and an info line says why."""
    world.emulator.set_forwarding(SALES, OFFICE)
    news, _ = lifecycle.check(NEW, declared(OFFICE, line=line))
    lifecycle.create(news)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == []
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) keeps its forwarding: another resource of this program declares it."
    ]


def test_delete_after_the_new_create_failed(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line whose new resource could not be created keeps its old one, so that the state has an owner."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(NEW, declared(DESK, overwrite=True))
    world.emulator.fail(Fault.error(403), method="PUT")
    with pytest.raises(PermissionDeniedError):
        lifecycle.create(declared(DESK, overwrite=True))
    world.emulator.clear_requests()
    with pytest.raises(RefusedError) as refused:
        lifecycle.delete(recorded(OFFICE))
    assert str(refused.value) == (
        f"Line {SALES} ({SALES_NUMBER}) is declared by another resource of this program, which failed in this run."
        " So the line keeps its forwarding, and the resource that had it before stays in the state."
        " Fix the resource that failed, then run `pulumi up` again."
    )
    assert world.writes() == []
    assert world.emulator.forwarding(SALES) == OFFICE


def test_delete_after_another_delete_failed(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Where a failed delete ended a replacement before its create, the line that was to be taken keeps its old owner."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    lifecycle.check(NEW, declared(OFFICE))
    with pytest.raises(RefusedError, match="Nothing was cleared"):
        lifecycle.delete(recorded(DESK, line=SUPPORT))
    with pytest.raises(RefusedError, match="which failed in this run"):
        lifecycle.delete(recorded(OFFICE))
    assert world.emulator.forwarding(SALES) == OFFICE


def test_delete_of_a_line_that_is_not_there(lifecycle: ForwardingLifecycle, world: World) -> None:
    """404 is done, with one info line."""
    world.emulator.remove_number(SALES)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) is no longer among the lines of this key, so there was nothing to clear; if it still exists under"
        " another key, it keeps its forwarding."
    ]


def test_delete_refuses_to_clear_another_number(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Where the line was given to somebody else, nothing is cleared; the error names both ways out."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    with pytest.raises(RefusedError) as refused:
        lifecycle.delete(recorded(OFFICE))
    assert str(refused.value) == (
        f"Line {SALES} ({SALES_NUMBER}) now forwards to {ELSEWHERE}, which this stack did not set. Nothing was cleared."
        " Run again with LINQ_ON_CONFLICT=keep to leave it as it is, or LINQ_ON_CONFLICT=overwrite to clear it."
    )
    assert world.writes() == []


def test_delete_clears_what_was_applied_and_not_what_was_found(world: World) -> None:
    """After a refresh found another number, the stack's own number still counts as its own; the one found does not."""
    found = replace(recorded(ELSEWHERE), applied_number=OFFICE)
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    with pytest.raises(RefusedError, match="which this stack did not set"):
        world.process().delete(found)
    world.emulator.set_forwarding(SALES, OFFICE)
    world.process().delete(found)
    assert world.writes() == [(SALES, "")]


def test_delete_where_the_list_is_empty(lifecycle: ForwardingLifecycle, world: World) -> None:
    """An account whose last line left can still be destroyed: the list is asked for twice, then the write is sent."""
    world.emulator.fail(Fault.empty_list(), times=None)
    lifecycle.delete(recorded(OFFICE))
    assert world.methods() == ["GET", "GET", "PUT"]


@pytest.mark.parametrize("fault", ["401", "403", "500"])
def test_a_failing_delete_is_an_error(lifecycle: ForwardingLifecycle, world: World, fault: str) -> None:
    """Anything but 404 leaves the resource in the state."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.fail(Fault.parse(fault), times=None, method="PUT")
    with pytest.raises(LinqError, match=f"HTTP {fault}"):
        lifecycle.delete(recorded(OFFICE))
    assert world.said == []


# delete, where another resource of the program declares the line


@pytest.mark.parametrize("number", [DESK, ""])
def test_delete_leaves_the_number_that_the_other_resource_declares(
    lifecycle: ForwardingLifecycle, world: World, number: str
) -> None:
    """If an unchanged resource declares another number than the old resource wrote, it is written and reported."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(declared(number), declared(number))
    lifecycle.diff(recorded(number), declared(number))
    lifecycle.delete(recorded(OFFICE, by="phone_number_id"))
    assert world.writes() == [(SALES, number)]
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) now forwards to the number that another resource of this program declares for it."
    ]


@pytest.mark.parametrize("live", [ELSEWHERE, DESK])
def test_delete_writes_no_line_of_another_resource_needlessly(
    lifecycle: ForwardingLifecycle, world: World, live: str
) -> None:
    """Somebody else's number stays, and the declared one is not written again."""
    world.emulator.set_forwarding(SALES, live)
    lifecycle.check(declared(DESK), declared(DESK))
    lifecycle.diff(recorded(DESK), declared(DESK))
    lifecycle.delete(recorded(OFFICE, by="phone_number_id"))
    assert world.writes() == []
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) keeps its forwarding: another resource of this program declares it."
    ]


def test_delete_before_the_create_of_another_resource(world: World) -> None:
    """The delete leaves the write to the create, which may replace the number that the old resource set."""
    world.emulator.set_forwarding(SALES, OFFICE)
    run = world.process(live_check=False)
    assert problems(run, declared(DESK)) == []
    run.delete(recorded(OFFICE))
    assert world.methods() == []
    run.create(declared(DESK))
    assert world.writes() == [(SALES, DESK)]


# An operator's decision for one run


def test_a_delete_that_may_overwrite_clears_another_number(world: World) -> None:
    """With LINQ_ON_CONFLICT=overwrite the line is cleared, and the message names the number."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.process(on_conflict="overwrite").delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) now forwards to {ELSEWHERE}, which this stack did not set; it is cleared"
        " (LINQ_ON_CONFLICT=overwrite)."
    ]


def test_a_delete_that_keeps_leaves_another_number(world: World) -> None:
    """With LINQ_ON_CONFLICT=keep the delete completes without a write, and the message names the number."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.process(on_conflict="keep").delete(recorded(OFFICE))
    assert world.writes() == []
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) now forwards to {ELSEWHERE}, which this stack did not set; it keeps its forwarding"
        " (LINQ_ON_CONFLICT=keep)."
    ]


def test_a_write_that_may_overwrite_replaces_another_number(world: World) -> None:
    """With LINQ_ON_CONFLICT=overwrite check, create and update pass, and each message says why."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    run = world.process(on_conflict="overwrite")
    assert problems(run, declared(OFFICE)) == []
    run.create(declared(OFFICE))
    run.update(recorded(OFFICE, line=SUPPORT), declared(DESK, line=SUPPORT_NUMBER))
    assert world.writes() == [(SALES, OFFICE), (SUPPORT, DESK)]
    assert world.said == [
        f"On line {line}, the forwarding to {ELSEWHERE} was replaced (LINQ_ON_CONFLICT=overwrite)."
        for line in (f"{SALES} ({SALES_NUMBER})", f"{SUPPORT} ({SUPPORT_NUMBER})")
    ]


def test_keep_lets_no_write_pass(world: World) -> None:
    """LINQ_ON_CONFLICT=keep is about deletes: a write over another number is refused all the same."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    run = world.process(on_conflict="keep")
    assert "already forwards to" in problems(run, declared(OFFICE))[0]
    with pytest.raises(RefusedError, match="already forwards to"):
        run.create(declared(OFFICE))


# Whole runs


def test_two_resources_swap_their_lines(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A swap with overwrite is two writes, each line going straight to its new number."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.set_forwarding(SUPPORT, DESK)
    x, y = declared(OFFICE, line=SUPPORT_NUMBER, overwrite=True), declared(DESK, overwrite=True)
    assert problems(lifecycle, x, declared(OFFICE, overwrite=True)) == []
    assert lifecycle.diff(recorded(OFFICE, overwrite=True), x).replaces == ("phone_number",)
    lifecycle.create(x)
    assert problems(lifecycle, y, declared(DESK, line=SUPPORT_NUMBER, overwrite=True)) == []
    assert lifecycle.diff(recorded(DESK, line=SUPPORT, overwrite=True), y).replaces == ("phone_number",)
    lifecycle.create(y)
    lifecycle.delete(recorded(OFFICE))
    lifecycle.delete(recorded(DESK, line=SUPPORT))
    assert world.writes() == [(SUPPORT, OFFICE), (SALES, DESK)]


def test_refresh_of_a_resource_that_is_no_longer_declared(lifecycle: ForwardingLifecycle, world: World) -> None:
    """`up --refresh` of a rename asks diff for the old resource first: that one does not hold its line."""
    world.emulator.set_forwarding(SALES, OFFICE)
    seen = lifecycle.read(recorded(OFFICE))
    assert seen is not None
    assert lifecycle.diff(seen, declared(OFFICE)) == Diff(False)
    lifecycle.check(NEW, declared(OFFICE))
    lifecycle.create(declared(OFFICE))
    lifecycle.delete(seen)
    assert world.writes() == []


def test_reads_stay_reads(world: World) -> None:
    """No check, diff or read, refused or passed, sends anything but GET."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    texts: list[MaybeText] = [OFFICE, "", "bad", UNKNOWN, None]
    lines: list[MaybeText] = [SALES_NUMBER, SALES.upper(), SUPPORT, "+12025550199", UNKNOWN]
    for to, line, overwrite in itertools.product(texts, lines, [None, True, UNKNOWN]):
        lifecycle = world.process()
        for olds in (NEW, declared(DESK)):
            news, _ = lifecycle.check(olds, declared(to, line=line, overwrite=overwrite))
            lifecycle.diff(recorded(DESK), news)
    world.process().read(recorded(OFFICE))
    world.process().get(SALES)
    world.emulator.remove_number(SALES)
    world.process().read(recorded(OFFICE))
    assert set(world.methods()) == {"GET"}


@pytest.mark.parametrize(
    "failing",
    [
        lambda lifecycle: lifecycle.create(declared(OFFICE, line="+12025550199")),
        lambda lifecycle: lifecycle.create(declared(OFFICE, line=SUPPORT)),
        lambda lifecycle: lifecycle.update(recorded(OFFICE, line=SUPPORT), declared(DESK, line=SUPPORT)),
        lambda lifecycle: lifecycle.delete(recorded(OFFICE, line=SUPPORT)),
    ],
)
def test_a_refusal_is_one_paragraph(world: World, failing: Callable[[ForwardingLifecycle], object]) -> None:
    """What the user reads is one line of at most 500 characters, ending with the next step."""
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    for extra in range(60):
        world.emulator.add_number(f"+1303555{extra:04}")
    with pytest.raises(RefusedError) as refused:
        failing(world.process())
    assert len(str(refused.value)) <= 500
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(refused.value.next_step)


# What only shows when several resources, or several attempts, come together


def test_an_owner_that_comes_late_is_not_silent(world: World) -> None:
    """A resource that does not change finds out where another one took its line before it was registered."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process()
    newcomer = declared(DESK, line=SALES, overwrite=True)
    assert problems(lifecycle, newcomer) == []
    lifecycle.create(newcomer)
    owner = recorded(OFFICE)
    (problem,) = problems(lifecycle, owner.inputs, owner.inputs)
    assert "is declared by two resources of this program" in problem


def two_processes(world: World, *, live_check: bool = True) -> tuple[ForwardingLifecycle, ForwardingLifecycle]:
    """Two provider processes of one run; `live_check` is that of the second."""
    events: list[Event] = []
    return world.process(log=SharedLog(events)), world.process(log=SharedLog(events), live_check=live_check)


@pytest.mark.parametrize("number", [OFFICE, DESK])
def test_a_line_that_another_process_of_the_run_cleared_is_written(world: World, number: str) -> None:
    """The list of the owner's process is older than the clear, and may show the declared number already."""
    world.emulator.set_forwarding(SALES, OFFICE)
    old, new = two_processes(world, live_check=False)
    new.read(recorded("", line=SUPPORT))
    old.delete(recorded(OFFICE))
    new.check(NEW, declared(number))
    new.create(declared(number))
    assert world.writes() == [(SALES, ""), (SALES, number)]


def test_lists_that_agreed_before_another_process_cleared_a_line_do_not_count(world: World) -> None:
    """The owner's process has seen a number of somebody else for seconds; then the old resource's process clears it."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    old, new = two_processes(world, live_check=False)
    new.read(recorded(OFFICE))
    old.delete(recorded(ELSEWHERE))
    new.check(NEW, declared(DESK))
    new.create(declared(DESK))
    assert world.writes() == [(SALES, ""), (SALES, DESK)]


def test_a_line_of_two_old_resources_is_cleared_in_two_processes(world: World) -> None:
    """Both have left the program; the second's process still has lists from before the first one cleared the line."""
    world.emulator.set_forwarding(SALES, DESK)
    first, second = two_processes(world)
    second.read(recorded(OFFICE))
    first.delete(recorded(DESK))
    second.delete(replace(recorded(DESK), applied_number=OFFICE))
    assert {line.id: line.forwarding_number for line in world.emulator.phone_numbers}[SALES] in ("", None)
    assert set(world.writes()) == {(SALES, "")}


def test_a_line_that_this_run_has_restored_is_not_cleared(world: World) -> None:
    """Of two old resources of a line, one restores what was there before; the other one leaves it so."""
    world.emulator.set_forwarding(SALES, DESK)
    first, second = two_processes(world)
    second.read(recorded(OFFICE))
    first.delete(replace(recorded(DESK), removed="restore", replaced_number=ELSEWHERE))
    second.delete(replace(recorded(DESK), applied_number=OFFICE))
    assert world.writes() == [(SALES, ELSEWHERE)]


def test_the_refresh_of_an_old_self_holds_nothing(world: World) -> None:
    """With --run-program a resource that leaves its line is compared with its old self after the new owner's check."""
    lifecycle, old = refreshed_after_a_move(world)
    lifecycle.create(declared(OFFICE))
    lifecycle.delete(old)
    assert world.writes() == []


@pytest.mark.parametrize("tried", [True, False])
def test_the_refresh_of_an_old_self_does_not_speak_for_the_new_owner(world: World, tried: bool) -> None:
    """Where the new owner failed, or was not tried in a run that failed, the old one stays in the state."""
    lifecycle, old = refreshed_after_a_move(world)
    failing = declared(OFFICE) if tried else declared(OFFICE, line=SUPPORT_NUMBER)
    world.emulator.fail("403", times=None)
    with pytest.raises(LinqError):
        lifecycle.create(failing)
    world.emulator.clear_faults()
    with pytest.raises(RefusedError, match="which failed in this run"):
        lifecycle.delete(old)


def refreshed_after_a_move(world: World) -> tuple[ForwardingLifecycle, Outputs]:
    """A line that a new resource declares, while its old one goes to another line and was refreshed after that."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle, old = world.process(live_check=False), recorded(OFFICE)
    assert problems(lifecycle, declared(OFFICE)) == []
    lifecycle.check(old.inputs, declared(OFFICE, line=SUPPORT_NUMBER))
    assert lifecycle.diff(old, old.inputs) == Diff(False)
    return lifecycle, old


def test_a_replacement_under_the_other_name_of_a_line_knows_what_is_recorded(world: World) -> None:
    """An interrupted replacement is created again, even if the program now names the line by its number."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle, old, news = world.process(), recorded(OFFICE, by="phone_number_id"), declared(DESK)
    assert problems(lifecycle, news, old.inputs) == []
    assert lifecycle.diff(old, news) == Diff(True)
    lifecycle.create(news)
    assert world.emulator.forwarding(SALES) == DESK


def test_a_loop_is_refused_where_nobody_looked_before(world: World) -> None:
    """With linq:liveCheck false, too, no line is written that forwards to itself."""
    lifecycle = world.process(live_check=False)
    news = declared(SALES_NUMBER, line=SALES)
    assert problems(lifecycle, news) == []
    with pytest.raises(RefusedError, match="forward to itself"):
        lifecycle.create(news)
    assert world.writes() == []


def test_a_replacement_that_deletes_first_leaves_the_write_to_its_create(world: World) -> None:
    """Where the create then fails, the old program can be put back: the line still holds its number."""
    world.emulator.set_forwarding(SALES, OFFICE)
    interrupted = world.process()
    for olds in (declared(OFFICE), NEW):  # the engine checks twice what it replaces
        assert problems(interrupted, declared(DESK), olds) == []
        if olds != NEW:
            interrupted.diff(recorded(OFFICE), declared(DESK))
    interrupted.delete(recorded(OFFICE))
    assert world.writes() == []
    put_back = world.process()
    assert problems(put_back, declared(OFFICE), declared(OFFICE)) == []
    put_back.diff(recorded(OFFICE), declared(OFFICE))
    assert put_back.create(declared(OFFICE)) == recorded(OFFICE)
    assert world.writes() == []
