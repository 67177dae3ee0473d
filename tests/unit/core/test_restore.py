"""What a line forwards to after its resource is deleted: `removed`, and what is recorded for it."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pytest
from lifecycles import (
    DESK,
    ELSEWHERE,
    NIGHT,
    NUMBERS,
    OFFICE,
    SALES,
    SALES_NUMBER,
    SUPPORT,
    SUPPORT_NUMBER,
    World,
    declared,
    recorded,
)

from linq_provider.config import AllowedForwardings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.destination_guard import DestinationGuard
from linq_provider.core.destinations import Destinations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import NOT_REMEMBERED, ForwardingLifecycle
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.emulator import Fault
from linq_provider.errors import FleetError, LinqError, RefusedError

BEFORE, LONDON = "+12025550009", "+442071838750"
NAME = f"Line {SALES} ({SALES_NUMBER})"


def restoring(to: str, *, overwrite: bool | None = None, line: str = SALES_NUMBER, removed: str = "restore") -> Inputs:
    """The inputs of a resource that gives its line back."""
    return replace(declared(to, line=line, overwrite=overwrite), removed=removed)


def process(
    world: World, *, on_conflict: str = "", allowed: tuple[str, ...] = ()
) -> tuple[ForwardingLifecycle, FleetLifecycle]:
    """A provider process of a separate run."""
    account, declarations = Account(world.client, clock=world.clock, sleep=world.clock.sleep), Declarations()
    rule = Destinations((AllowedForwardings("linq:allowedForwardings", allowed),) if allowed else ())
    guard = DestinationGuard(rule, notify=world.said.append)
    run = partial(run_concurrently, limit=2, notify=world.said.append, retries=lambda: 0)
    notify = world.said.append
    return (
        ForwardingLifecycle(
            account, declarations, live_check=True, on_conflict=on_conflict, notify=notify, destinations=guard
        ),
        FleetLifecycle(
            account, declarations, live_check=True, run=run, on_conflict=on_conflict, notify=notify, destinations=guard
        ),
    )


def single(world: World, *, on_conflict: str = "") -> ForwardingLifecycle:
    """The verbs for one line, in a separate run."""
    return process(world, on_conflict=on_conflict)[0]


@pytest.mark.parametrize(
    ("before", "news", "kept"),
    [
        (BEFORE, restoring(OFFICE, overwrite=True), BEFORE),
        (OFFICE, restoring(OFFICE), OFFICE),
        ("", restoring(OFFICE), ""),
        (BEFORE, declared(OFFICE, overwrite=True), BEFORE),
        (BEFORE, restoring(OFFICE, overwrite=True, removed="keep"), BEFORE),
        (OFFICE, declared(OFFICE, overwrite=True), None),
        ("", declared(OFFICE, overwrite=True), None),
        (OFFICE, restoring(OFFICE, removed="keep"), None),
    ],
    ids=[
        "overwritten",
        "adopted",
        "empty",
        "overwritten-clear",
        "overwritten-keep",
        "adopted-clear",
        "empty-clear",
        "keep",
    ],
)
def test_what_a_create_remembers(world: World, before: str, news: Inputs, kept: str | None) -> None:
    """With "restore", whatever the line forwarded to, "" included; without, only a number that overwrite replaced."""
    world.emulator.set_forwarding(SALES, before)
    made = single(world).create(news)
    assert made.replaced_number == kept
    assert made.inputs == news


def test_what_was_remembered_once_stays(world: World) -> None:
    """Through changes, drift that a refresh finds and an overwrite; a change of `removed` alone writes nothing."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = single(world).create(restoring(OFFICE, overwrite=True))
    state = single(world).update(state, restoring(DESK))
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    found = single(world).read(state)
    assert found is not None
    state = single(world).update(found, restoring(DESK, overwrite=True))
    writes = len(world.writes())
    state = single(world).update(state, declared(DESK))
    assert len(world.writes()) == writes
    assert (state.removed, state.replaced_number) == (None, BEFORE)


def test_what_an_update_replaces_is_remembered_where_nothing_is(world: World) -> None:
    """A number that somebody set meanwhile, and that overwrite replaces, is not lost."""
    state = single(world).create(declared(OFFICE))
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    assert single(world).update(state, declared(DESK, overwrite=True)).replaced_number == ELSEWHERE


@pytest.mark.parametrize("before", [BEFORE, ""])
def test_a_delete_puts_it_back(world: World, before: str) -> None:
    """What the line forwarded to before; reported if that is a number."""
    world.emulator.set_forwarding(SALES, before)
    state = single(world).create(restoring(OFFICE, overwrite=True))
    world.said.clear()
    single(world).delete(state)
    assert world.writes()[-1] == (SALES, before)
    assert world.said == ([f"{NAME} forwards again as it did before this resource managed it."] if before else [])


def test_what_was_adopted_as_it_was_is_left_without_a_write(world: World) -> None:
    """If state and list agree that there is nothing to do."""
    world.emulator.set_forwarding(SALES, OFFICE)
    single(world).delete(single(world).create(restoring(OFFICE)))
    assert world.writes() == []


def test_a_list_that_shows_the_old_number_already_decides_nothing(world: World) -> None:
    """It may be older than this stack's own write, so the number is sent all the same."""
    world.emulator.set_forwarding(SALES, BEFORE)
    single(world).delete(replace(recorded(OFFICE), removed="restore", replaced_number=BEFORE))
    assert world.writes() == [(SALES, BEFORE)]


@pytest.mark.parametrize("now", [ELSEWHERE, ""])
def test_what_somebody_set_meanwhile_is_not_written_over(world: World, now: str) -> None:
    """A number, or that the line is not forwarded; an operator decides for one run."""
    world.emulator.set_forwarding(SALES, now)
    state = replace(recorded(OFFICE), removed="restore", replaced_number=BEFORE)
    with pytest.raises(RefusedError) as refused:
        single(world).delete(state)
    shown = f"now forwards to {now}, which this stack did not set"
    if not now:
        shown = "is no longer forwarded, although this stack forwarded it"
    assert str(refused.value) == (
        f"{NAME} {shown}. Nothing was restored. Run again with LINQ_ON_CONFLICT=keep"
        " to leave it as it is, or LINQ_ON_CONFLICT=overwrite to restore it."
    )
    single(world, on_conflict="keep").delete(state)
    assert world.writes() == []
    kept = "keeps its forwarding" if now else "stays not forwarded"
    assert world.said.pop() == f"{NAME} {shown}; it {kept} (LINQ_ON_CONFLICT=keep)."
    single(world, on_conflict="overwrite").delete(state)
    assert world.writes() == [(SALES, BEFORE)]
    assert f"{NAME} {shown}; it is restored (LINQ_ON_CONFLICT=overwrite)." in world.said


def test_nothing_remembered_is_cleared_and_said(world: World) -> None:
    """A state of an older version, or one made before `removed` was set."""
    world.emulator.set_forwarding(SALES, OFFICE)
    single(world).delete(replace(recorded(OFFICE), removed="restore"))
    assert world.writes() == [(SALES, "")]
    assert world.said == [
        f"{NAME} was cleared, not restored: the state does not record what it forwarded to before this resource managed it."
    ]


def test_keep_asks_nothing(world: World) -> None:
    """It equals retain_on_delete."""
    single(world).delete(replace(recorded(OFFICE), removed="keep"))
    assert world.methods() == []
    assert world.said == [f'{NAME} was left as it is (removed="keep").']


def test_giving_back_is_no_new_declaration(world: World) -> None:
    """The rule for destinations does not stop a restore; it is reported, without the number."""
    world.emulator.set_forwarding(SALES, OFFICE)
    state = replace(recorded(OFFICE), removed="restore", replaced_number=LONDON)
    process(world, allowed=("US",))[0].delete(state)
    assert world.writes() == [(SALES, LONDON)]
    assert world.said == [
        f"{NAME} forwards again as it did before this resource managed it, although the restored number is in the United Kingdom (+44),"
        " outside of linq:allowedForwardings; if the number is intended, add GB there."
    ]


def test_what_is_no_number_is_given_back_without_a_question(world: World) -> None:
    """The API may hold what no rule can be asked about."""
    guard = DestinationGuard(Destinations(), notify=world.said.append)
    assert [guard.objection(number) for number in ("", "office", "0049", "+1")] == [None] * 4


def test_a_renamed_resource_says_what_is_forgotten(world: World) -> None:
    """The create comes first and does not know the old resource; the line is not restored."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = single(world).create(restoring(OFFICE, overwrite=True))
    run, _ = process(world)
    news = restoring(OFFICE)
    assert run.check(Inputs(), news)[1] == []
    made = run.create(news)
    world.said.clear()
    run.delete(state)
    assert world.emulator.forwarding(SALES) == OFFICE
    assert world.said == [
        f"{NAME} keeps its forwarding: another resource of this program declares it. {NOT_REMEMBERED}"
    ]
    assert made.replaced_number == OFFICE


def test_a_renamed_resource_forgets_nothing_that_it_still_has(world: World) -> None:
    """What was adopted as it was is what its successor finds."""
    world.emulator.set_forwarding(SALES, OFFICE)
    state = single(world).create(restoring(OFFICE))
    run, _ = process(world)
    run.check(Inputs(), restoring(OFFICE))
    run.create(restoring(OFFICE))
    world.said.clear()
    run.delete(state)
    assert world.said == [f"{NAME} keeps its forwarding: another resource of this program declares it."]


@pytest.mark.parametrize("delete_first", [False, True])
def test_a_replacement_that_the_provider_is_told_of_remembers(world: World, delete_first: bool) -> None:
    """The old resource hands over what it remembers: by diff, or by a delete that comes first."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = single(world).create(restoring(OFFICE, overwrite=True))
    run, _ = process(world)
    news = restoring(DESK, overwrite=delete_first or None)  # check alone does not know that the number is ours
    if delete_first:
        run.check(Inputs(), news)
        run.delete(state)
        made = run.create(news)
    else:
        run.check(state.inputs, news)
        run.diff(state, news)
        made = run.create(news)
        run.delete(state)
    assert made.replaced_number == BEFORE
    assert world.emulator.forwarding(SALES) == DESK
    assert not [text for text in world.said if NOT_REMEMBERED in text]


def test_a_line_that_was_given_back_before_it_was_known_to_be_declared(world: World) -> None:
    """Its new resource finds the number that was put back, may write over it, and remembers it."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = single(world).create(restoring(OFFICE, overwrite=True))
    run, _ = process(world)
    run.delete(state)
    made = run.create(restoring(DESK))
    assert (made.replaced_number, world.emulator.forwarding(SALES)) == (BEFORE, DESK)


def test_a_line_that_was_kept_before_it_was_known_to_be_declared(world: World) -> None:
    """Its new resource may write over what this stack itself had set."""
    state = single(world).create(restoring(OFFICE, removed="keep"))
    run, _ = process(world)
    run.delete(state)
    run.create(restoring(DESK))
    assert world.emulator.forwarding(SALES) == DESK


# Fleets


def lines(
    sales: str | None, support: str | None, night: str | None = None, *, removed: str | None = "restore"
) -> Fleet:
    """A fleet of the lines that have a number here, which may overwrite."""
    numbers = zip(NUMBERS.values(), (sales, support, night), strict=True)
    return Fleet({line: number for line, number in numbers if number is not None}, overwrite=True, removed=removed)


def test_a_fleet_remembers_for_each_line(world: World) -> None:
    """Under the name of the line, at its first create, also of a line that is added later; a refresh keeps it."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = process(world)[1].create(lines(OFFICE, OFFICE))
    assert state.replaced_numbers == {SALES_NUMBER: BEFORE, SUPPORT_NUMBER: ""}
    assert state.inputs == lines(OFFICE, OFFICE)
    world.emulator.set_forwarding(NIGHT, ELSEWHERE)
    state = process(world)[1].update(state, lines(DESK, OFFICE, OFFICE))
    assert state.replaced_numbers == {SALES_NUMBER: BEFORE, SUPPORT_NUMBER: "", NUMBERS[NIGHT]: ELSEWHERE}
    assert process(world)[1].read(state) == state
    world.emulator.remove_number(NIGHT)
    found = process(world)[1].read(state)
    assert found is not None
    assert found.replaced_numbers == {SALES_NUMBER: BEFORE, SUPPORT_NUMBER: ""}


def test_a_fleet_that_names_a_line_otherwise_still_remembers(world: World) -> None:
    """The line is the same under its id."""
    world.emulator.set_forwarding(SALES, BEFORE)
    state = process(world)[1].create(lines(OFFICE, None))
    news = Fleet({SALES: DESK}, overwrite=True, removed="restore")
    run = process(world)[1]
    run.check(state.inputs, news)
    assert run.update(state, news).replaced_numbers == {SALES: BEFORE}


def test_a_fleet_gives_back(world: World) -> None:
    """A line that is taken out, and all lines when it is deleted."""
    world.emulator.set_forwarding(SALES, BEFORE)
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    state = process(world)[1].create(lines(OFFICE, OFFICE))
    state = process(world)[1].update(state, lines(None, OFFICE))
    assert world.writes()[-1] == (SALES, BEFORE)
    assert state.replaced_numbers == {SUPPORT_NUMBER: ELSEWHERE}
    process(world)[1].delete(state)
    assert world.writes()[-1] == (SUPPORT, ELSEWHERE)


def test_a_fleet_without_restore_remembers_what_it_overwrites(world: World) -> None:
    """And nothing else; the state of most fleets has no such output."""
    world.emulator.set_forwarding(SALES, BEFORE)
    assert process(world)[1].create(lines(OFFICE, OFFICE, removed=None)).replaced_numbers == {SALES_NUMBER: BEFORE}
    assert process(world)[1].create(lines(None, OFFICE, removed=None)).replaced_numbers is None


def test_a_fleet_that_cannot_restore_says_so(world: World) -> None:
    """Each line that somebody changed is refused, and the error ends with the ways out."""
    state = process(world)[1].create(lines(OFFICE, OFFICE))
    state = replace(state, replaced_numbers={SALES_NUMBER: BEFORE, SUPPORT_NUMBER: ""})
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    with pytest.raises(FleetError) as refused:
        process(world)[1].delete(state)
    assert str(refused.value).startswith("1 of 2 lines were not restored")
    assert str(refused.value).endswith("or LINQ_ON_CONFLICT=overwrite to restore it.")


def test_many_lines_are_not_restored_by_mistake(world: World) -> None:
    """A roster that is emptied by mistake would give up every line at once, whatever it forwarded to before."""
    for n in range(9):
        world.emulator.add_number(f"+1303555{n:04}")
    everyone = Fleet({line.phone_number: OFFICE for line in world.emulator.phone_numbers}, removed="restore")
    state = process(world)[1].create(everyone)
    few = replace(everyone, forwardings={SALES_NUMBER: OFFICE})
    refusal = "This would clear or restore 11 of 12 lines; at most 5 may be given up without allow_clearing."
    assert process(world)[1].check(everyone, few)[1][0].startswith(refusal)
    with pytest.raises(RefusedError, match="This would clear or restore 11"):
        process(world)[1].update(state, few)


def test_a_fleet_that_fails_knows_what_is_to_be_recorded(world: World) -> None:
    """Its error holds what each line forwarded to before, of those that failed as far as the state has it."""
    world.emulator.set_forwarding(SALES, BEFORE)
    world.emulator.fail(Fault.parse("403"), times=1, method="PUT", path_contains=SUPPORT)
    with pytest.raises(FleetError) as failed:
        process(world)[1].create(lines(OFFICE, OFFICE, OFFICE))
    assert failed.value.replaced_numbers == {SALES_NUMBER: BEFORE, NUMBERS[NIGHT]: ""}
    state = replace(lines(OFFICE, OFFICE), replaced_numbers={SALES_NUMBER: BEFORE, SUPPORT_NUMBER: ELSEWHERE})
    world.emulator.set_forwarding(SUPPORT, OFFICE)
    world.emulator.fail(Fault.parse("403"), times=1, method="PUT", path_contains=SUPPORT)
    with pytest.raises(FleetError) as failed:
        process(world)[1].update(state, lines(DESK, DESK))
    assert failed.value.replaced_numbers == state.replaced_numbers


@pytest.mark.parametrize("removed", ["erase", "", True, ["clear"]])
def test_another_word_is_refused(world: World, removed: str) -> None:
    """Once for a fleet, not for each line."""
    problem = 'removed is neither "clear" nor "keep" nor "restore"'
    run = process(world)
    assert run[0].check(Inputs(), restoring(OFFICE, removed=removed))[1] == [problem]
    assert run[1].check(Fleet(), lines(OFFICE, OFFICE, removed=removed))[1] == [problem]


# Whatever happens in between


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_in_between(world: World, seed: int) -> None:
    """A delete leaves the line with what its first create found, or, where somebody changed it, as it is."""
    chance = random.Random(seed)
    numbers = ["", OFFICE, DESK, BEFORE, ELSEWHERE]
    before = chance.choice(numbers)
    world.emulator.set_forwarding(SALES, before)
    state = single(world).create(restoring(chance.choice(numbers), overwrite=True))
    for _ in range(chance.randrange(6)):
        state = one_step(world, state, chance, numbers)
        assert state.replaced_number == before
    now = world.emulator.forwarding(SALES)
    try:
        single(world).delete(state)
    except RefusedError:
        assert now not in (before, state.applied)
        assert world.emulator.forwarding(SALES) == now
    else:
        assert world.emulator.forwarding(SALES) == before


def one_step(world: World, state: Outputs, chance: random.Random, numbers: list[str]) -> Outputs:
    """A change by hand, a refresh, an update or a replacement."""
    step = chance.choice(["hand", "refresh", "update", "replace"])
    run = single(world)
    if step == "hand":
        world.emulator.set_forwarding(SALES, chance.choice(numbers))
        return state
    if step == "refresh":
        return run.read(state) or state
    news = restoring(chance.choice(numbers), overwrite=chance.choice([True, None]))
    try:
        if run.check(state.inputs, news)[1] or not run.diff(state, news).changes:
            return state
        if step == "update":
            return run.update(state, news)
        made = run.create(news)
        run.delete(state)
    except LinqError:
        return state
    return made
