"""Many forwardings as one: what is refused, what is written, what is kept, and what is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from lifecycles import Clock
from waiting import wait_until

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.concurrency import run_concurrently
from linq_provider.core.declarations import Declarations
from linq_provider.core.fleet import FleetLifecycle
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Diff, Fleet, Inputs, MaybeText, Outputs, Unknown
from linq_provider.emulator import EmulatedNumber, Emulator, Fault
from linq_provider.errors import FleetError, LinqError, RefusedError

OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025550001"
UNKNOWN = Unknown.UNKNOWN
NEW = Fleet()


@dataclass
class Process:
    """One provider process: the fleet and the single forwarding share account and declarations."""

    fleet: FleetLifecycle
    single: ForwardingLifecycle


@dataclass
class World:
    """An account of 100 lines, and the messages to the user."""

    emulator: Emulator
    client: LinqClient
    clock: Clock
    said: list[str] = field(default_factory=list)

    @property
    def lines(self) -> Sequence[EmulatedNumber]:
        return self.emulator.phone_numbers

    def numbers(self, count: int, *, first: int = 0) -> list[str]:
        """The phone numbers of some lines."""
        return [line.phone_number for line in self.lines[first : first + count]]

    def forwarded(self, count: int) -> list[str]:
        """The phone numbers of some lines, which forward to the office as an earlier run has left them."""
        numbers = self.numbers(count)
        for number in numbers:
            self.set(number, OFFICE)
        return numbers

    def process(
        self, *, live_check: bool = True, on_conflict: str = "", hears_program: bool = True, limit: int = 4
    ) -> Process:
        account = Account(self.client, clock=self.clock, sleep=self.clock.sleep)
        declarations = Declarations(hears_program=hears_program)
        notify = self.said.append
        run = partial(run_concurrently, limit=limit, notify=notify, retries=lambda: 0)
        return Process(
            FleetLifecycle(
                account, declarations, live_check=live_check, run=run, on_conflict=on_conflict, notify=notify
            ),
            ForwardingLifecycle(account, declarations, live_check=live_check, notify=notify),
        )

    def writes(self) -> dict[str, str]:
        """What was sent to be written: the number of each line; a line that was written twice fails."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        names = {line.id: line.phone_number for line in self.lines}
        written = {names[put.path.rpartition("/")[2]]: put.body["forwarding_number"] for put in puts}
        assert len(written) == len(puts)
        return written

    def set(self, line: str, to: str) -> None:
        """Change a line by hand."""
        self.emulator.set_forwarding(line, to)

    def id(self, number: str) -> str:
        return next(line.id for line in self.lines if line.phone_number == number)

    def live(self, count: int) -> list[str]:
        """What the first lines forward to."""
        return [line.forwarding_number or "" for line in self.lines[:count]]


@pytest.fixture
def world() -> Iterator[World]:
    """A hundred lines, none forwarded; no retries."""
    clock = Clock()
    with Emulator(numbers=100, clock=clock) as emulator:
        client = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, timeout=10, max_retries=0))
        yield World(emulator, client, clock)
        client.close()


@pytest.fixture
def fleet(world: World) -> FleetLifecycle:
    """The verbs of one provider process."""
    return world.process().fleet


def everyone(lines: Sequence[str], to: MaybeText = OFFICE) -> Fleet:
    """All of them to one number."""
    return Fleet(dict.fromkeys(lines, to))


def problems(fleet: FleetLifecycle, news: Fleet, olds: Fleet = NEW) -> list[str]:
    """What check finds."""
    return fleet.check(olds, news)[1]


# check


def test_every_problem_is_told_at_once_and_names_its_line(fleet: FleetLifecycle, world: World) -> None:
    """Malformed keys and numbers, a missing number and a strange line are all reported, no declared number is."""
    a, b, c, d = world.numbers(4)
    world.set(d, ELSEWHERE)
    news = Fleet({a: "(202) 555-9999", b: None, "office": OFFICE, "+12025550999": DESK, c: OFFICE, d: OFFICE})
    found = problems(fleet, news)
    assert [problem.partition(":")[0] for problem in found] == [a, b, "office", "+12025550999", d]
    assert "forwarding_number is not in E.164 format" in found[0]
    assert found[1].endswith('forwarding_number is missing; write "" for not forwarded')
    assert "phone_number is not in E.164 format" in found[2]
    assert "This key does not see the declared line" in found[3]
    assert f"already forwards to {ELSEWHERE}, which is not the declared number" in found[4]
    assert not any("555-9999" in problem or DESK in problem for problem in found)
    assert world.writes() == {}


@pytest.mark.parametrize(
    ("news", "message"),
    [
        (Fleet(None), "forwardings is missing, or is not a map of lines to numbers"),
        (Fleet([OFFICE]), "forwardings is missing, or is not a map of lines to numbers"),  # type: ignore[arg-type]
        (Fleet({}, overwrite="all"), "overwrite is neither True, False nor a list of lines"),  # type: ignore[arg-type]
        (Fleet({}, removed="drop"), 'removed is neither "clear" nor "keep" nor "restore"'),
        (Fleet({}, allow_clearing="7"), "allow_clearing is not a number of lines"),  # type: ignore[arg-type]
        (Fleet({}, overwrite=(OFFICE,)), f"{OFFICE}: this line is in overwrite, but not in forwardings"),
    ],
)
def test_arguments_that_cannot_be_right(fleet: FleetLifecycle, news: Fleet, message: str) -> None:
    """Each argument of the wrong kind is named, and what is wrong with lines besides."""
    assert problems(fleet, news) == [message]
    if isinstance(news.forwardings, dict):
        assert len(problems(fleet, replace(news, forwardings={"office": OFFICE}))) == 2


def test_each_wrong_argument_is_told(fleet: FleetLifecycle) -> None:
    """Several mistakes are reported at once."""
    news = Fleet({}, overwrite=(OFFICE,), removed="drop", allow_clearing="7")  # type: ignore[arg-type]
    assert problems(fleet, news) == [
        'removed is neither "clear" nor "keep" nor "restore"',
        "allow_clearing is not a number of lines",
        f"{OFFICE}: this line is in overwrite, but not in forwardings",
    ]


def test_one_line_under_two_names(fleet: FleetLifecycle, world: World) -> None:
    """A line that is in the map both by its number and by its id is refused at preview, in either order."""
    line = world.lines[0]
    for names in ((line.phone_number, line.id), (line.id, line.phone_number)):
        (found,) = problems(fleet, Fleet(dict.fromkeys(names, OFFICE)))
        assert found == (
            f"{line.id}: forwardings has this line twice, by its id and by its number, {line.phone_number}. Remove one of the two."
        )


def test_an_unchanged_fleet_costs_no_request(fleet: FleetLifecycle, world: World) -> None:
    """Checking and comparing what is recorded already asks the API nothing."""
    same = everyone(world.numbers(100))
    assert problems(fleet, same, same) == []
    assert fleet.diff(same, same) == Diff(False)
    assert list(world.emulator.requests) == []


def test_without_a_live_check_nothing_is_asked(world: World) -> None:
    """`linq:liveCheck: false` validates only, for pipelines without a key."""
    fleet = world.process(live_check=False).fleet
    assert problems(fleet, everyone(["+12025550999"])) == []
    assert list(world.emulator.requests) == []


def test_a_refused_key_is_told_once(world: World) -> None:
    """One error for the account, not one for each of its lines."""
    wrong = LinqClient(Settings("wrong", "LINQ_API_V3_API_KEY", base_url=world.emulator.url, max_retries=0))
    account, said = Account(wrong, sleep=lambda _seconds: None), world.said.append
    run = partial(run_concurrently, limit=4, notify=said, retries=lambda: 0)
    fleet = FleetLifecycle(account, Declarations(), live_check=True, run=run, notify=said)
    (found,) = problems(fleet, everyone(world.numbers(100)))
    assert "HTTP 401" in found
    wrong.close()


def test_only_lines_that_need_a_write_are_given_to_other_threads(world: World) -> None:
    """A change of a few lines among many starts no thread for the rest, which are claimed all the same."""
    given: list[str] = []

    def run(calls: Mapping[str, Callable[[], object]]) -> dict[str, LinqError]:
        given.extend(calls)
        return run_concurrently(calls, limit=4, notify=world.said.append, retries=lambda: 0)

    lines, changed = world.forwarded(20), world.numbers(2)
    olds = everyone(lines)
    news = Fleet(dict(olds.lines) | dict.fromkeys(changed, DESK))
    account, declarations = Account(world.client, clock=world.clock, sleep=world.clock.sleep), Declarations()
    fleet = FleetLifecycle(account, declarations, live_check=True, run=run, notify=world.said.append)
    assert problems(fleet, news, olds) == []
    fleet.update(olds, news)
    assert given == sorted(changed)
    assert world.writes() == dict.fromkeys(changed, DESK)
    for line in lines:
        with pytest.raises(RefusedError), declarations.claim(line, declared_as=line):
            pass


def test_a_removal_needs_a_key_at_preview(world: World) -> None:
    """Removing lines is a change: preview makes a request, and reports a refused key."""
    world.emulator.fail(Fault.parse("401"), times=None)
    (found,) = problems(world.process().fleet, everyone(world.numbers(19)), everyone(world.numbers(20)))
    assert "HTTP 401" in found


def test_what_is_not_known_yet_passes(fleet: FleetLifecycle, world: World) -> None:
    """An unknown number, map, overwrite or limit is neither refused nor compared."""
    a, b = world.numbers(2)
    world.set(a, ELSEWHERE)
    world.set(b, ELSEWHERE)
    for news in (
        Fleet({a: UNKNOWN}),
        Fleet(UNKNOWN),
        Fleet({a: OFFICE, b: OFFICE}, overwrite=UNKNOWN),
        Fleet({a: OFFICE, b: OFFICE}, overwrite=(a, UNKNOWN)),
        Fleet({a: UNKNOWN}, removed=UNKNOWN),
    ):
        assert problems(fleet, news) == []
        assert fleet.diff(everyone([a, b], ELSEWHERE), news).changes
    many = everyone(world.numbers(20, first=2))
    for news in (Fleet(UNKNOWN), Fleet({}, removed=UNKNOWN), Fleet({}, allow_clearing=UNKNOWN)):
        assert problems(fleet, news, many) == []


def test_preview_tells_what_overwrite_takes_over(fleet: FleetLifecycle, world: World) -> None:
    """The lines that somebody else forwards are named, with their live number, before anything is written."""
    a, b, c = world.numbers(3)
    world.set(a, ELSEWHERE)
    world.set(b, OFFICE)
    assert problems(fleet, Fleet({a: OFFICE, b: OFFICE, c: OFFICE}, overwrite=True)) == []
    assert world.said == [f"overwrite replaces the forwarding of these lines: {a} (now {ELSEWHERE})."]


def test_overwrite_is_meant_for_the_lines_that_it_names(fleet: FleetLifecycle, world: World) -> None:
    """With a list of lines, only those are overwritten."""
    a, b = world.numbers(2)
    world.set(a, ELSEWHERE)
    world.set(b, ELSEWHERE)
    (found,) = problems(fleet, Fleet({b: OFFICE, a: OFFICE}, overwrite=(a,)))
    assert found.startswith(f"{b}: ")
    assert world.said == [f"overwrite replaces the forwarding of these lines: {a} (now {ELSEWHERE})."]


@pytest.mark.parametrize("on_conflict", ["overwrite", "keep"])
def test_an_operator_may_let_every_line_be_overwritten(world: World, on_conflict: str) -> None:
    """With LINQ_ON_CONFLICT=overwrite, and not with keep, preview and run replace what somebody else set."""
    (line,) = world.numbers(1)
    world.set(line, ELSEWHERE)
    fleet = world.process(on_conflict=on_conflict).fleet
    if on_conflict == "keep":
        assert len(problems(fleet, everyone([line]))) == 1
        assert world.said == []
        return
    assert problems(fleet, everyone([line])) == []
    assert world.said == [f"overwrite replaces the forwarding of these lines: {line} (now {ELSEWHERE})."]
    fleet.create(everyone([line]))
    assert world.writes() == {line: OFFICE}
    assert world.said[1:] == [
        f"On line {world.id(line)} ({line}), the forwarding to {ELSEWHERE} was replaced (LINQ_ON_CONFLICT=overwrite)."
    ]


def test_loops_are_refused(fleet: FleetLifecycle, world: World) -> None:
    """A line of the map that forwards to itself, or to another that forwards back, is refused."""
    a, b, c = world.numbers(3)
    found = problems(fleet, Fleet({a: a, b: c, c: b}))
    assert [problem.partition(" Declare")[0] for problem in found] == [
        f"{a}: The line would forward to itself, so calls would go in a circle and never ring.",
        f"{b}: The line would forward to another line that forwards back, so calls would go in a circle and never ring.",
        f"{c}: The line would forward to another line that forwards back, so calls would go in a circle and never ring.",
    ]


def test_another_name_for_a_recorded_line_is_no_new_line(fleet: FleetLifecycle, world: World) -> None:
    """Going from number to id, with a new number too, compares with what is recorded for the line."""
    line = world.lines[0]
    world.set(line.phone_number, OFFICE)
    assert problems(fleet, Fleet({line.id: DESK}), everyone([line.phone_number])) == []
    fleet.update(everyone([line.phone_number]), Fleet({line.id: DESK}))
    assert world.writes() == {line.phone_number: DESK}


# create and update


def test_only_what_differs_is_written(fleet: FleetLifecycle, world: World) -> None:
    """One list call, and one write for each line that does not hold its number already."""
    lines = world.numbers(100)
    for line in lines[:90]:
        world.set(line, OFFICE)
    news = everyone(lines)
    assert fleet.create(news) == news
    assert world.writes() == dict.fromkeys(lines[90:], OFFICE)
    assert [request.method for request in world.emulator.requests].count("GET") == 1


def test_a_change_of_one_line_is_one_write(fleet: FleetLifecycle, world: World) -> None:
    """The other lines are not touched."""
    lines = world.numbers(100)
    for line in lines:
        world.set(line, OFFICE)
    olds, news = everyone(lines), Fleet(dict.fromkeys(lines, OFFICE) | {lines[7]: ""})
    assert problems(fleet, news, olds) == []
    assert fleet.diff(olds, news).changes
    fleet.update(olds, news)
    assert world.writes() == {lines[7]: ""}


def test_the_guard_looks_again_at_the_time_of_writing(fleet: FleetLifecycle, world: World) -> None:
    """A line changed by hand after the preview is refused by name; the others are written."""
    a, b = world.numbers(2)
    world.set(a, ELSEWHERE)
    with pytest.raises(FleetError) as failure:
        fleet.create(everyone([a, b]))
    assert list(failure.value.errors) == [a]
    assert world.live(2) == [ELSEWHERE, OFFICE]


def test_a_partial_failure_names_each_line_and_the_next_run_writes_the_rest(world: World) -> None:
    """Everything that can be done is done; the second run writes exactly the lines that failed."""
    lines = world.numbers(20)
    process = world.process()
    world.emulator.fail(Fault.parse("500"), times=3, method="PUT")
    with pytest.raises(FleetError) as failure:
        process.fleet.create(everyone(lines))
    failed = list(failure.value.errors)
    text = str(failure.value).split("\n")
    assert text[0] == "3 of 20 lines are not as declared:"
    assert [line.split(":")[0] for line in text[1:-1]] == [f"  - {line}" for line in failed]
    assert text[-1] == "Run `pulumi up --refresh`: it writes what is missing, and nothing else."
    assert len(failed) == 3
    world.emulator.clear_requests()
    world.process().fleet.create(everyone(lines))
    assert world.writes() == dict.fromkeys(failed, OFFICE)
    assert world.live(20) == [OFFICE] * 20


def test_a_reverted_program_finds_the_rest_after_a_refresh(world: World) -> None:
    """After an update that failed in part, read returns what is live, and the old program restores exactly that."""
    lines = world.numbers(20)
    before, after = everyone(lines), everyone(lines, DESK)
    world.process().fleet.create(before)
    world.emulator.fail(Fault.parse("500"), times=3, method="PUT")
    with pytest.raises(FleetError):
        world.process().fleet.update(before, after)
    changed = [line for line, live in zip(lines, world.live(20), strict=True) if live == DESK]
    assert 0 < len(changed) < 20
    world.emulator.clear_faults()
    world.emulator.clear_requests()
    process = world.process()
    refreshed = process.fleet.read(before)
    assert problems(process.fleet, before, refreshed) == []
    assert process.fleet.diff(refreshed, before).changes
    process.fleet.update(refreshed, before)
    assert world.writes() == dict.fromkeys(changed, OFFICE)


def test_overwriting_is_told_line_by_line_up_to_ten(world: World) -> None:
    """The user sees what was replaced: ten lines by name, and how many more."""
    lines = world.numbers(13)
    for line in lines:
        world.set(line, ELSEWHERE)
    world.process().fleet.create(Fleet(dict.fromkeys(lines, OFFICE), overwrite=True))
    replaced = [text for text in world.said if f"the forwarding to {ELSEWHERE} was replaced" in text]
    assert len(replaced) == 10
    assert world.said[-1] == "The same holds for 3 more lines."


def test_ten_lines_are_all_of_them(world: World) -> None:
    """If every line is named, no number of further lines is given."""
    lines = world.numbers(10)
    for line in lines:
        world.set(line, ELSEWHERE)
    world.process().fleet.create(Fleet(dict.fromkeys(lines, OFFICE), overwrite=True))
    assert len(world.said) == 10
    assert all("the forwarding to" in text and "was replaced" in text for text in world.said)


# Lines taken out of the map


def test_a_line_taken_out_is_cleared(world: World) -> None:
    """The line is cleared, once; the others are not written."""
    lines = world.forwarded(20)
    world.process().fleet.update(everyone(lines), everyone(lines[1:]))
    assert world.writes() == {lines[0]: ""}
    assert [request.method for request in world.emulator.requests] == ["GET", "PUT"]


def test_a_line_taken_out_keeps_its_forwarding_with_keep(world: World) -> None:
    """`removed="keep"` writes nothing, and reports which lines were kept."""
    lines = world.forwarded(20)
    world.process().fleet.update(everyone(lines), Fleet(dict.fromkeys(lines[1:], OFFICE), removed="keep"))
    assert world.writes() == {}
    assert world.said == [f'Left as they are (removed="keep"): {lines[0]}.']


def test_a_line_taken_out_that_was_never_forwarded_is_not_written(world: World) -> None:
    """Where state and list agree that it is not forwarded, nothing is sent."""
    lines = world.numbers(2)
    world.process().fleet.update(everyone(lines, ""), everyone(lines[1:], ""))
    assert world.writes() == {}


def test_a_line_taken_out_is_cleared_where_the_program_says_so(world: World) -> None:
    """`removed="clear"` is what happens without it."""
    lines = world.forwarded(20)
    news = Fleet(dict.fromkeys(lines[1:], OFFICE), removed="clear")
    assert problems(world.process().fleet, news, everyone(lines)) == []
    world.process().fleet.update(everyone(lines), news)
    assert world.writes() == {lines[0]: ""}


def test_a_line_taken_out_that_is_gone_or_clear_is_no_error(fleet: FleetLifecycle, world: World) -> None:
    """What the state has forwarded is cleared, whatever the list says; a line that is gone is named."""
    lines = world.numbers(3)
    world.set(lines[2], OFFICE)
    world.emulator.remove_number(world.id(lines[0]))
    fleet.update(everyone(lines), everyone(lines[2:]))
    assert world.writes() == {lines[1]: ""}  # the list may lag, and the state has it forwarded
    assert world.said == [
        f"This key does not see {lines[0]} any more, so there was nothing to clear. If it still exists under another"
        " key, it keeps its forwarding."
    ]


@pytest.mark.parametrize(
    ("size", "cleared", "allow", "refused"),
    [
        (10, 5, None, False),
        (10, 6, None, True),
        (10, 6, 6, False),
        (10, 7, 6.0, True),
        (100, 10, None, False),
        (100, 11, None, True),
        (100, 11, 11.0, False),
    ],
)
@pytest.mark.parametrize("how", ["taken out", "declared clear"])
def test_many_clears_need_leave(
    world: World, *, size: int, cleared: int, allow: float | None, refused: bool, how: str
) -> None:
    """More than 5 and more than 10 % of the lines are cleared only up to `allow_clearing`, at preview and in the run."""
    lines = world.forwarded(size)
    rest = dict.fromkeys(lines[cleared:], OFFICE)
    forwardings = rest | (dict.fromkeys(lines[:cleared], "") if how == "declared clear" else {})
    news = Fleet(forwardings, allow_clearing=allow)
    found = problems(world.process().fleet, news, everyone(lines))
    if refused:
        allowed = int(allow or max(5, size // 10))
        assert found == [
            f"This would clear {cleared} of {size} lines; at most {allowed} may be cleared without allow_clearing. If this"
            f" is intended, set allow_clearing={cleared}; if not, check where the map comes from. A line that another resource"
            " declares does not count if the provider handles that resource first: let this fleet depend on it."
        ]
        with pytest.raises(RefusedError, match=f"set allow_clearing={cleared}"):
            world.process().fleet.update(everyone(lines), news)
        assert world.writes() == {}
    else:
        assert found == []
        world.process().fleet.update(everyone(lines), news)
        assert world.writes() == dict.fromkeys(lines[:cleared], "")


@pytest.mark.parametrize(("allow", "allowed"), [(None, 5), (UNKNOWN, 5), (7.0, 7), (7, 7)])
def test_a_fleet_under_another_name_needs_the_same_leave(
    world: World, allow: float | Unknown | None, allowed: int
) -> None:
    """The delete of the old fleet clears no more lines than the new one allows."""
    lines = world.forwarded(20)
    process = world.process()
    assert problems(process.fleet, Fleet(dict.fromkeys(lines[:12], OFFICE), allow_clearing=allow)) == []
    with pytest.raises(RefusedError, match=f"would clear 8 of 20 lines; at most {allowed} may be cleared"):
        process.fleet.delete(everyone(lines))
    assert world.writes() == {}


def test_a_fleet_that_allows_it_may_lose_lines_with_its_name(world: World) -> None:
    """With enough leave the delete of the old fleet clears what the new one does not have."""
    lines = world.forwarded(20)
    process = world.process()
    assert problems(process.fleet, Fleet(dict.fromkeys(lines[:12], OFFICE), allow_clearing=8.0)) == []
    process.fleet.delete(everyone(lines))
    assert world.writes() == dict.fromkeys(lines[12:], "")


def test_a_fleet_that_keeps_its_lines_needs_no_leave_for_its_delete(world: World) -> None:
    """With `removed="keep"` the delete clears nothing, whatever the new fleet allows."""
    lines = world.forwarded(20)
    process = world.process()
    assert problems(process.fleet, everyone(lines[:1])) == []
    process.fleet.delete(replace(everyone(lines), removed="keep"))
    assert world.writes() == {}


def test_a_fleet_that_changes_limits_no_delete(world: World) -> None:
    """Only a new fleet may be an old one under another name."""
    lines = world.forwarded(20)
    process = world.process()
    assert problems(process.fleet, everyone(lines[:2]), everyone(lines[:1])) == []
    process.fleet.delete(everyone(lines[10:]))
    assert world.writes() == dict.fromkeys(lines[10:], "")


def test_keep_clears_nothing_and_needs_no_leave(world: World) -> None:
    """With `removed="keep"` any number of lines may be taken out."""
    lines = world.numbers(50)
    assert problems(world.process().fleet, Fleet({}, removed="keep"), everyone(lines)) == []


def test_another_name_for_a_line_is_not_counted_as_cleared(world: World) -> None:
    """All lines named by id instead of by number: nothing is cleared, nothing is written."""
    lines = world.forwarded(50)
    news = everyone([world.id(line) for line in lines])
    process = world.process()
    assert problems(process.fleet, news, everyone(lines)) == []
    process.fleet.update(everyone(lines), news)
    assert world.writes() == {}
    assert world.said == []


# delete


def test_delete_clears_every_line(world: World) -> None:
    """Each forwarded line is cleared once, without a limit."""
    lines = world.forwarded(50)
    world.process().fleet.delete(everyone(lines))
    assert world.writes() == dict.fromkeys(lines, "")


def test_delete_with_keep_writes_nothing(world: World) -> None:
    """A fleet that keeps removed lines keeps them all when it is deleted."""
    lines = world.forwarded(3)
    world.process().fleet.delete(Fleet(dict.fromkeys(lines, OFFICE), removed="keep"))
    assert world.writes() == {}


def test_delete_clears_what_was_applied_and_not_what_was_found(world: World) -> None:
    """After a refresh found another number, the stack's own number still counts as its own; the one found does not."""
    a, b = world.numbers(2)
    world.set(a, OFFICE)
    world.set(b, ELSEWHERE)
    found = Fleet(dict.fromkeys([a, b], ELSEWHERE), applied_numbers=dict.fromkeys([a, b], OFFICE))
    with pytest.raises(FleetError) as failure:
        world.process().fleet.delete(found)
    assert list(failure.value.errors) == [b]
    assert world.writes() == {a: ""}


def test_a_delete_that_fails_in_part_names_the_lines(world: World) -> None:
    """The error says which lines still forward, and that the same command clears them."""
    lines = world.forwarded(10)
    world.emulator.fail(Fault.parse("500"), times=2, method="PUT")
    with pytest.raises(FleetError, match=r"2 of 10 lines were not cleared") as failure:
        world.process().fleet.delete(everyone(lines))
    assert str(failure.value).endswith("Run the same command again: it clears the rest.")
    still = [line for line, live in zip(lines, world.live(10), strict=True) if live]
    assert sorted(failure.value.errors) == sorted(still)


# read


def test_read_tells_what_is_live(world: World) -> None:
    """The same lines under the same names with their live numbers, and the other settings as they were."""
    a, b = world.lines[:2]
    world.set(a.phone_number, ELSEWHERE)
    olds = Fleet({a.phone_number: OFFICE, b.id: OFFICE}, (a.phone_number,), "keep", 7.0)
    live = world.process().fleet.read(olds)
    applied = {a.phone_number: OFFICE, b.id: OFFICE}
    assert live == Fleet({a.phone_number: ELSEWHERE, b.id: ""}, (a.phone_number,), "keep", 7.0, applied)
    assert live.inputs == Fleet({a.phone_number: ELSEWHERE, b.id: ""}, (a.phone_number,), "keep", 7.0)
    assert [request.method for request in world.emulator.requests] == ["GET"] * 3


def test_a_line_that_is_gone_leaves_the_state_alone(world: World) -> None:
    """It is left out and named; the others stay."""
    a, b = world.numbers(2)
    world.emulator.remove_number(world.id(a))
    assert world.process().fleet.read(everyone([a, b])) == replace(everyone([b], ""), applied_numbers={b: OFFICE})
    assert world.said == [
        f"No longer among the lines of this key, and taken out of the state: {a}. If they still exist under another key,"
        " they keep their forwarding."
    ]


def test_read_of_what_is_recorded_takes_one_list(world: World) -> None:
    """Nothing contradicts the state, so no list is asked for again."""
    lines = world.forwarded(3)
    assert world.process().fleet.read(everyone(lines)) == everyone(lines)
    assert [request.method for request in world.emulator.requests] == ["GET"]


def test_an_empty_list_is_never_gone(world: World) -> None:
    """A key that sees no lines at all is an error, and nothing leaves the state."""
    lines = world.numbers(2)
    world.emulator.fail(Fault.parse("empty-list"), times=None, method="GET")
    with pytest.raises(LinqError, match="This key sees no lines at all"):
        world.process().fleet.read(everyone(lines))


# Beside single forwardings, in one run


def one(line: str, to: str = OFFICE, *, overwrite: bool | None = None) -> Inputs:
    """A single forwarding."""
    return Inputs(phone_number=line, forwarding_number=to, overwrite=overwrite)


def test_a_line_has_one_owner(world: World) -> None:
    """A fleet refuses a line that a single resource of the run created, kept or updated, by name, and the other way."""
    a, b = world.numbers(2)
    process = world.process()
    process.single.create(one(a))
    with pytest.raises(FleetError) as failure:
        process.fleet.create(everyone([a, b]))
    assert list(failure.value.errors) == [a]
    assert "is declared by another resource of this program too" in str(failure.value)
    process.fleet.create(everyone([b]))
    with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
        process.single.create(one(b))


def test_a_fleet_that_stays_as_it_is_owns_its_lines(world: World) -> None:
    """A new single resource is refused a line of an unchanged fleet, also by its id."""
    lines = world.numbers(3)
    world.process().fleet.create(everyone(lines))
    process = world.process()
    process.fleet.check(everyone(lines), everyone(lines))
    process.fleet.diff(everyone(lines), everyone(lines))
    with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
        process.single.create(Inputs(phone_number_id=world.id(lines[0]), forwarding_number=OFFICE))


def test_a_line_that_moves_to_a_single_resource_is_not_cleared(world: World) -> None:
    """The single resource adopts it, and the fleet leaves it alone, also far more lines than may be cleared."""
    lines = world.forwarded(20)
    process = world.process()
    for line in lines[:15]:
        assert process.single.check(Inputs(), one(line))[1] == []
        process.single.create(one(line))
    assert problems(process.fleet, everyone(lines[15:]), everyone(lines)) == []
    process.fleet.diff(everyone(lines), everyone(lines[15:]))
    process.fleet.update(everyone(lines), everyone(lines[15:]))
    assert world.writes() == {}


def test_a_line_that_moves_from_a_single_resource_is_not_cleared(world: World) -> None:
    """The fleet adopts it, and the delete of the single resource leaves it alone."""
    a, b = world.numbers(2)
    world.process().single.create(one(a))
    world.emulator.clear_requests()
    process = world.process()
    assert problems(process.fleet, everyone([a, b])) == []
    process.fleet.create(everyone([a, b]))
    process.single.delete(Outputs(world.id(a), a, OFFICE, "phone_number"))
    assert world.writes() == {b: OFFICE}


def test_a_renamed_fleet_is_not_cleared(world: World) -> None:
    """A fleet under another name is created, which writes nothing, and the delete of the old one clears nothing."""
    lines = world.forwarded(20)
    process = world.process()
    assert problems(process.fleet, everyone(lines)) == []
    process.fleet.create(everyone(lines))
    process.fleet.delete(everyone(lines))
    assert world.writes() == {}
    kept = "keeps its forwarding: another resource of this program declares it."
    assert len(set(world.said[:10])) == 10
    assert set(world.said[:10]) <= {f"Line {world.id(line)} ({line}) {kept}" for line in lines}


def test_a_replaced_fleet_knows_what_was_recorded(world: World) -> None:
    """With `replace_on_changes` the new fleet may change the numbers of the old one."""
    lines = world.forwarded(3)
    process = world.process()
    olds, news = everyone(lines), everyone(lines, DESK)
    assert problems(process.fleet, news, olds) == []
    process.fleet.diff(olds, news)
    assert problems(process.fleet, news) == []  # the engine checks again, as for a new resource
    process.fleet.create(news)
    process.fleet.delete(olds)
    assert world.writes() == dict.fromkeys(lines, DESK)


def test_two_fleets_cannot_share_a_line(world: World) -> None:
    """The second of two fleets that name one line is refused that line."""
    a, b, c = world.numbers(3)
    process = world.process()
    process.fleet.create(everyone([a, b]))
    with pytest.raises(FleetError) as failure:
        process.fleet.create(everyone([b, c]))
    assert list(failure.value.errors) == [b]


def test_check_diff_and_read_only_read(world: World) -> None:
    """No path of the three verbs sends anything but GET."""
    lines = world.numbers(10)
    process = world.process()
    world.set(lines[0], ELSEWHERE)
    for olds in (NEW, everyone(lines), everyone(lines[:5])):
        for news in (everyone(lines, DESK), Fleet(dict.fromkeys(lines, ""), overwrite=True, allow_clearing=10)):
            process.fleet.check(olds, news)
            process.fleet.diff(olds, news)
    process.fleet.read(everyone(lines))
    assert {request.method for request in world.emulator.requests} == {"GET"}


@pytest.mark.parametrize("kind", ["single", "fleet"])
def test_a_line_cleared_before_its_other_owner_was_known_is_set_again(world: World, kind: str) -> None:
    """After a move that failed half-way two resources record one line: what one clears, the unchanged one sets again."""
    lines = world.forwarded(3)
    process = world.process()
    process.fleet.check(everyone(lines), everyone(lines[1:]))
    process.fleet.update(everyone(lines), everyone(lines[1:]))
    assert world.live(1) == [""]
    if kind == "single":
        owner = Outputs(world.id(lines[0]), lines[0], OFFICE, "phone_number")
        assert process.single.check(owner.inputs, owner.inputs)[1] == []
        assert process.single.diff(owner, owner.inputs) == Diff(True, cleared=True)
        process.single.update(owner, owner.inputs)
    else:
        other = everyone(lines[:1])
        assert problems(process.fleet, other, other) == []
        assert process.fleet.diff(other, other) == Diff(True, cleared=True)
        process.fleet.update(other, other)
    assert world.live(1) == [OFFICE]


def test_who_declares_a_line_waits_for_its_clear(world: World) -> None:
    """A create does not look at a line while another resource is clearing it."""
    (line,) = world.numbers(1)
    world.set(line, OFFICE)
    declarations, account = Declarations(), Account(world.client, sleep=lambda _seconds: None)
    single = ForwardingLifecycle(account, declarations, live_check=True, notify=world.said.append)
    with ThreadPoolExecutor(1) as pool:
        with declarations.try_clear(world.id(line), line) as owner:
            assert owner is None
            creation = pool.submit(single.create, one(line))
            wait_until(lambda: world.emulator.requests)
            with pytest.raises(StillWaiting):
                creation.result(0.2)
            account.set_forwarding_number(account.require(line), "")
        assert creation.result(10).forwarding_number == OFFICE
    assert world.live(1) == [OFFICE]


# What only shows when several attempts, or several resources, come together


def failing(world: World, *lines: str) -> None:
    """Make each write of these lines fail once."""
    for line in lines:
        world.emulator.fail(Fault.server_error(), method="PUT", path_contains=world.id(line))


@pytest.mark.parametrize("known", [False, True], ids=["create", "update"])
def test_a_fleet_that_failed_may_try_again(world: World, known: bool) -> None:
    """The engine may repeat a failed verb in the same process: the lines that were written still belong to it."""
    lines = world.numbers(4)
    olds = everyone(lines[:1]) if known else NEW
    if known:
        world.process().fleet.create(olds)
    process = world.process()
    process.fleet.check(olds, everyone(lines))

    def attempt() -> Fleet:
        return process.fleet.update(olds, everyone(lines)) if known else process.fleet.create(everyone(lines))

    failing(world, lines[2])
    with pytest.raises(FleetError) as failure:
        attempt()
    assert list(failure.value.errors) == [lines[2]]
    assert attempt() == everyone(lines)
    assert world.live(4) == [OFFICE] * 4


def test_a_replacement_under_the_other_names_of_lines_knows_what_is_recorded(world: World) -> None:
    """An interrupted replacement is created again, even if the map now names its lines differently."""
    lines = world.forwarded(2)
    ids = [line.id for line in world.emulator.phone_numbers[:2]]
    process, olds, news = world.process(), everyone(lines), everyone(ids, DESK)
    assert process.fleet.check(olds, news) == (news, [])
    assert process.fleet.diff(olds, news) == Diff(True)
    process.fleet.create(news)
    assert world.live(2) == [DESK, DESK]


def test_a_fleet_that_fails_in_part_says_what_it_left(world: World) -> None:
    """What was written, what failed as it was before, and neither what is new and failed nor what was cleared."""
    a, b, c, d = world.numbers(4)
    olds = everyone([a, b, d])
    world.process().fleet.create(olds)
    process = world.process()
    failing(world, b)
    failing(world, c)
    with pytest.raises(FleetError) as failure:
        process.fleet.update(olds, Fleet({a: DESK, b: DESK, c: DESK}))
    assert failure.value.forwardings == {a: DESK, b: OFFICE}


def test_the_refresh_of_an_old_fleet_holds_nothing(world: World) -> None:
    """With --run-program a fleet that leaves its lines is compared with its old self after the new owner's check."""
    lines = world.forwarded(2)
    process = world.process(live_check=False)
    news = everyone(lines, DESK)
    assert problems(process.fleet, news) == []
    assert process.fleet.diff(everyone(lines), everyone(lines)) == Diff(False)
    process.fleet.delete(everyone(lines))
    assert world.writes() == {}
    process.fleet.create(news)
    assert world.writes() == dict.fromkeys(lines, DESK)


def test_a_newcomer_does_not_write_over_a_fleet_that_changes(world: World) -> None:
    """If a fleet changes one line, no other resource may use the recorded numbers of its other lines."""
    a, b = world.numbers(2)
    world.process().fleet.create(everyone([a, b]))
    process = world.process()
    process.fleet.check(everyone([a, b]), Fleet({a: DESK, b: OFFICE}))
    process.fleet.diff(everyone([a, b]), Fleet({a: DESK, b: OFFICE}))
    with pytest.raises(RefusedError, match="already forwards to"):
        process.single.create(one(b, DESK))
    assert world.live(2) == [OFFICE, OFFICE]


def test_a_hand_edit_of_another_line_is_told_at_preview(world: World) -> None:
    """An update settles every line of a fleet, so its preview looks at those that do not change, too."""
    a, b = world.numbers(2)
    world.process().fleet.create(everyone([a, b]))
    world.set(b, ELSEWHERE)
    news = Fleet({a: DESK, b: OFFICE})
    (found,) = problems(world.process().fleet, news, everyone([a, b]))
    assert found.startswith(f"{b}: ")
    assert f"was changed outside Pulumi to {ELSEWHERE}" in found
    world.said.clear()
    taking = replace(news, overwrite=True)
    assert problems(world.process().fleet, taking, replace(everyone([a, b]), overwrite=True)) == []
    assert f"overwrite replaces the forwarding of these lines: {b} (now {ELSEWHERE})." in world.said


def test_names_that_cannot_be_looked_up_are_no_clears(world: World) -> None:
    """Without a live check, a map that names its lines by id instead of number is not taken for an emptied one."""
    lines = world.numbers(20)
    ids = [world.id(line) for line in lines]
    process = world.process(live_check=False)
    assert problems(process.fleet, everyone(ids), everyone(lines)) == []
    (found,) = problems(process.fleet, everyone([*lines[:2], ids[2]]), everyone(lines))
    assert found.startswith("This would clear 17 of 20 lines")


def test_other_lines_are_no_other_names(world: World) -> None:
    """Where the lines are known, as many new lines as were taken out make up for none of them."""
    lines = world.forwarded(20)
    news = everyone([*lines[10:], *world.numbers(10, first=20)])
    (found,) = problems(world.process().fleet, news, everyone(lines))
    assert found.startswith("This would clear 10 of 20 lines")


def test_a_line_that_is_not_listed_is_cleared_by_its_id(world: World) -> None:
    """A line that is named by id is cleared even if the list lacks it; a 404 counts as done."""
    a, b, c = world.numbers(3)
    ids = everyone([world.id(line) for line in (a, b, c)])
    world.process().fleet.create(ids)
    world.emulator.remove_number(c)
    world.emulator.fail(Fault.parse("partial-list"), times=None)
    world.process().fleet.delete(ids)
    world.emulator.clear_faults()
    assert world.live(2) == ["", ""]
    assert any("is no longer among the lines of this key" in said for said in world.said)


# A list that lags behind, or lacks a line once


def test_a_fleet_destroyed_right_after_up_with_a_list_that_lags(world: World) -> None:
    """Lines that the list still shows as they were before `up` are cleared."""
    lines = world.numbers(3)
    world.emulator.fail(Fault.list_lag(3), times=None)
    world.process().fleet.create(everyone(lines))
    assert world.live(3) == [OFFICE] * 3
    world.process().fleet.delete(everyone(lines))
    assert world.live(3) == [""] * 3


def test_two_changes_of_a_fleet_in_a_row_with_a_list_that_lags(world: World) -> None:
    """To another number and back, seconds apart: each is written, and neither is refused as changed by hand."""
    lines = world.numbers(3)
    world.emulator.fail(Fault.list_lag(3), times=None)
    world.process().fleet.create(everyone(lines))
    world.clock.now += 1
    assert problems(world.process().fleet, everyone(lines, DESK), everyone(lines)) == []
    world.process().fleet.update(everyone(lines), everyone(lines, DESK))
    assert world.live(3) == [DESK] * 3
    world.process().fleet.update(everyone(lines, DESK), everyone(lines))
    assert world.live(3) == [OFFICE] * 3


def test_a_fleet_keeps_a_line_that_one_list_lacks(world: World) -> None:
    """Refresh, update and delete ask again for a line that is missing once."""
    lines = world.forwarded(3)
    for fleet_verb in (
        lambda: world.process().fleet.read(everyone(lines)),
        lambda: world.process().fleet.update(everyone(lines), everyone(lines, DESK)),
        lambda: world.process().fleet.delete(everyone(lines, DESK)),
    ):
        world.emulator.fail(Fault.list_lacks(lines[1]))
        fleet_verb()
    assert world.said == []
    assert world.live(3) == [""] * 3


def test_a_hundred_surprises_of_a_fleet_cost_two_more_lists(world: World) -> None:
    """All lines were changed by hand: one refresh shows it with three lists."""
    lines = world.numbers(100)
    read = world.process().fleet.read(everyone(lines))
    assert set((read.forwardings or {}).values()) == {""}
    assert [request.method for request in world.emulator.requests] == ["GET"] * 3


def test_an_account_without_lines_can_be_destroyed_where_the_fleet_names_ids(world: World) -> None:
    """The list is empty: the clear of each line is sent all the same, and 404 is done."""
    lines = world.forwarded(2)
    ids = [world.id(line) for line in lines]
    world.emulator.fail(Fault.empty_list(), times=None)
    world.emulator.remove_number(ids[1])
    world.process().fleet.delete(everyone(ids))
    assert world.live(1) == [""]
    assert sorted(request.method for request in world.emulator.requests) == ["GET", "GET", "PUT", "PUT"]
    assert [ids[1] in said for said in world.said] == [True]


def test_an_empty_list_clears_no_fleet_that_names_numbers(world: World) -> None:
    """Without an id nothing can be cleared, so the lines stay in the state, and the error says why."""
    lines = world.forwarded(1)
    world.emulator.fail(Fault.empty_list(), times=None)
    with pytest.raises(FleetError, match="sees no lines at all"):
        world.process().fleet.delete(everyone(lines))
    assert world.writes() == {}


def test_a_number_of_a_fleet_that_belongs_to_two_lines(world: World) -> None:
    """It is refused with both ids named, and either id can be declared instead."""
    (line,) = world.forwarded(1)
    first, second = world.id(line), world.emulator.add_second_id(line).id
    (problem,) = problems(world.process().fleet, everyone([line], DESK), everyone([line]))
    assert f"belongs to 2 lines at Linq: {', '.join(sorted([first, second]))}" in problem
    assert "Declare the line by phone_number_id." in problem
    world.process().fleet.create(everyone([first, second]))
    assert [world.emulator.forwarding(each) for each in (first, second)] == [OFFICE, OFFICE]


def test_the_way_out_of_a_foreign_number_is_not_cut_off(world: World) -> None:
    """If somebody else forwards a removed line by now, the error ends with what helps; a refresh does not."""
    lines = world.forwarded(3)
    world.set(lines[0], ELSEWHERE)
    with pytest.raises(FleetError) as refused:
        world.process().fleet.update(everyone(lines), everyone(lines[1:]))
    way_out = "Run again with LINQ_ON_CONFLICT=keep to leave it as it is, or LINQ_ON_CONFLICT=overwrite to clear it."
    assert str(refused.value).endswith(way_out)
    with pytest.raises(FleetError) as refused:
        world.process().fleet.delete(everyone(lines))
    assert str(refused.value).endswith(way_out)
    assert world.live(3) == [ELSEWHERE, "", ""]


def test_a_line_that_fails_leaves_nothing_in_doubt(world: World) -> None:
    """If the program does not report its declarations, a fleet with a failing line still clears its removed lines."""
    failing, removed = world.forwarded(2)
    fleet = world.process(hears_program=False, limit=1).fleet  # the line fails before the other one is cleared
    world.emulator.fail(Fault.server_error(), method="PUT", path_contains=world.id(failing))
    with pytest.raises(FleetError) as refused:
        fleet.update(everyone([failing, removed]), everyone([failing], DESK))
    assert list(refused.value.errors) == [failing]
    assert world.live(2) == [OFFICE, ""]


def test_what_failed_before_leaves_a_clear_in_doubt(world: World) -> None:
    """If the program does not report its declarations, nothing is cleared after a resource failed."""
    failing, line, other = world.forwarded(3)
    process = world.process(hears_program=False)
    world.emulator.fail(Fault.server_error(), method="PUT", path_contains=world.id(failing))
    recorded = Outputs(world.id(failing), failing, OFFICE, "phone_number")
    with pytest.raises(LinqError, match="500"):
        process.single.update(recorded, Inputs(phone_number=failing, forwarding_number=DESK))
    with pytest.raises(RefusedError, match="keeps its forwarding: a resource failed in this run"):
        process.single.delete(Outputs(world.id(line), line, OFFICE, "phone_number"))
    with pytest.raises(FleetError, match="not known whether the program still declares"):
        process.fleet.delete(everyone([other]))
    process.single.delete(Outputs(world.id(line), line, OFFICE, "phone_number", removed="keep"))
    assert world.live(3) == [OFFICE, OFFICE, OFFICE]
    process.single.update(recorded, Inputs(phone_number=failing, forwarding_number=DESK))
    process.single.delete(Outputs(world.id(line), line, OFFICE, "phone_number"))
    assert world.live(3) == [DESK, "", OFFICE]
