"""The account's lines as one process sees them: one list, at most 30 s old, own writes visible at once."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from lifecycles import Clock

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIResponseValidationError,
    AuthenticationError,
    FleetError,
    InternalServerError,
    LinqError,
    NotFoundError,
    RefusedError,
)
from linq_provider.phone_number import PhoneNumber

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025550001"
MALFORMED = Fault.unsuccessful()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    """Two lines, none forwarded."""
    lines = [{"id": SALES, "phone_number": SALES_NUMBER}, {"id": SUPPORT, "phone_number": SUPPORT_NUMBER}]
    with Emulator(lines, clock=clock) as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[LinqClient]:
    """A client that tries once."""
    connected = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, timeout=10, max_retries=0))
    yield connected
    connected.close()


@pytest.fixture
def clock() -> Clock:
    """The account's clock."""
    return Clock()


@pytest.fixture
def account(client: LinqClient, clock: Clock) -> Account:
    """An account that has seen nothing yet."""
    return Account(client, clock=clock, sleep=clock.sleep)


class Interrupting:
    """The real client, and something that happens between the server's list and its arrival."""

    def __init__(self, client: LinqClient, meanwhile: Callable[[], object]) -> None:
        self._client = client
        self._meanwhile = meanwhile

    def list_phone_numbers(self) -> Sequence[PhoneNumber]:
        lines = self._client.list_phone_numbers()
        self._meanwhile()
        return lines

    def set_forwarding_number(self, phone_number_id: str, forwarding_number: str) -> PhoneNumber:
        return self._client.set_forwarding_number(phone_number_id, forwarding_number)


def methods(emulator: Emulator) -> list[str]:
    """The methods of all requests."""
    return [request.method for request in emulator.requests]


def forwarding(account: Account, identity: str = SALES) -> str:
    """What the line forwards to, according to the account."""
    return account.require(identity).forwarding_number


def confirmed(account: Account, identity: str = SALES, *, to: str = "") -> PhoneNumber | None:
    """The line, which the state records with this number."""
    return account.confirmed(identity, lambda line: line is not None and line.forwarding_number == to)


def at_once(count: int, call: Callable[[], object]) -> list[object]:
    """What `count` threads got that called at the same moment; errors as values."""
    together = threading.Barrier(count)

    def one(_: int) -> object:
        together.wait(timeout=10)
        try:
            return call()
        except LinqError as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_many_threads_share_one_list(account: Account, emulator: Emulator) -> None:
    """16 threads that ask at once cause one GET and get the same line."""
    lines = at_once(16, lambda: account.find(SALES))
    assert set(lines) == {PhoneNumber(SALES, SALES_NUMBER, "", "iMessage")}
    assert methods(emulator) == ["GET"]


def test_a_line_has_two_names(account: Account, emulator: Emulator) -> None:
    """A line is found by its id and by its number, in one list."""
    assert account.find(SUPPORT) == account.find(SUPPORT_NUMBER) == PhoneNumber(SUPPORT, SUPPORT_NUMBER, "", "iMessage")
    assert account.find("+12025550199") is None
    assert methods(emulator) == ["GET"]


def test_the_list_lives_30_seconds(account: Account, emulator: Emulator, clock: Clock) -> None:
    """A hand edit is seen 30 s after the list at the latest, and costs no request before that."""
    assert forwarding(account) == ""
    emulator.set_forwarding(SALES, ELSEWHERE)
    clock.now += 29.9
    assert forwarding(account) == ""
    assert methods(emulator) == ["GET"]
    clock.now += 0.1
    assert forwarding(account) == ELSEWHERE
    assert methods(emulator) == ["GET", "GET"]


def test_an_own_write_is_visible_at_once(account: Account, emulator: Emulator) -> None:
    """After a write the line is as the API confirmed it, under both names and without another list."""
    line = account.require(SALES)
    assert account.set_forwarding_number(line, OFFICE) == PhoneNumber(SALES, SALES_NUMBER, OFFICE)
    assert forwarding(account, SALES) == forwarding(account, SALES_NUMBER) == OFFICE
    assert methods(emulator) == ["GET", "PUT"]


@pytest.mark.parametrize("seconds", [0.0, 0.5], ids=["same-tick", "later"])
def test_a_list_under_way_does_not_undo_a_write(
    client: LinqClient, emulator: Emulator, clock: Clock, seconds: float
) -> None:
    """A list that the server answered before our write, and that arrives after it, still shows our write."""

    def write() -> None:
        clock.now += seconds
        interrupted.set_forwarding_number(PhoneNumber(SALES, SALES_NUMBER, ""), OFFICE)

    interrupted = Account(Interrupting(client, write), clock=clock)
    assert forwarding(interrupted) == OFFICE
    assert methods(emulator) == ["GET", "PUT"]


def test_a_write_does_not_hide_what_came_later(account: Account, emulator: Emulator, clock: Clock) -> None:
    """A hand edit after our own write is seen with the next list: the write is not laid over it."""
    account.set_forwarding_number(account.require(SALES), OFFICE)
    emulator.set_forwarding(SALES, ELSEWHERE)
    clock.now += 30
    assert forwarding(account) == ELSEWHERE


@pytest.mark.parametrize(("written_at", "seen"), [(26.0, OFFICE), (25.0, "")], ids=["believed", "no-longer"])
def test_an_own_write_is_believed_for_5_seconds(
    account: Account, emulator: Emulator, clock: Clock, written_at: float, seen: str
) -> None:
    """Of a list that does not show our write it is believed after 5 s, and not before."""
    line = account.require(SALES)
    clock.now += written_at
    account.set_forwarding_number(line, OFFICE)
    clock.now += 30 - written_at
    emulator.fail(Fault.list_lag(20))
    assert forwarding(account) == seen
    assert methods(emulator) == ["GET", "PUT", "GET"]


# What contradicts the state


def test_what_is_as_recorded_costs_one_list(account: Account, emulator: Emulator, clock: Clock) -> None:
    """If list and state agree, there is no second request and no wait."""
    assert confirmed(account) == PhoneNumber(SALES, SALES_NUMBER, "", "iMessage")
    assert methods(emulator) == ["GET"]
    assert clock.now == 1000


def test_a_surprise_is_asked_for_again_after_1_and_3_seconds(account: Account, emulator: Emulator) -> None:
    """A line that was changed by hand is so in three lists, of which each is asked for in its time."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    line = confirmed(account)
    assert line is not None
    assert line.forwarding_number == ELSEWHERE
    assert [request.at for request in emulator.requests] == [1000, 1001, 1004]


def test_a_line_that_stays_away_is_gone(account: Account, emulator: Emulator) -> None:
    """Three lists in four seconds lack the line."""
    emulator.remove_number(SALES)
    assert confirmed(account) is None
    assert [request.at for request in emulator.requests] == [1000, 1001, 1004]


@pytest.mark.parametrize("lacking", [1, 2])
def test_a_line_that_comes_back_is_not_gone(account: Account, emulator: Emulator, lacking: int) -> None:
    """One list, or two, that lack the line say nothing, and asking ends where it is back."""
    emulator.fail(Fault.list_lacks(SALES), times=lacking)
    assert confirmed(account) == PhoneNumber(SALES, SALES_NUMBER, "", "iMessage")
    assert methods(emulator) == ["GET"] * (lacking + 1)


def test_a_list_that_lags_is_waited_for(account: Account, emulator: Emulator) -> None:
    """What another process wrote a moment ago is seen although the list lags three seconds behind."""
    emulator.set_forwarding(SALES, OFFICE)
    emulator.fail(Fault.list_lag(3), times=None)
    line = confirmed(account, to=OFFICE)
    assert line is not None
    assert line.forwarding_number == OFFICE


def test_a_thousand_surprises_cost_two_more_lists(client: LinqClient, emulator: Emulator, clock: Clock) -> None:
    """All resources of the process share the lists that are asked for again, one after the other or side by side."""
    for n in range(1000):
        emulator.add_number(f"+1303555{n:04}", forwarding_number=ELSEWHERE)
    ids = [line.id for line in emulator.phone_numbers]

    def sleep(seconds: float) -> None:
        time.sleep(0.05)  # so that the other threads arrive meanwhile
        clock.sleep(seconds)

    account = Account(client, clock=clock, sleep=sleep)
    with ThreadPoolExecutor(16) as threads:
        lines = list(threads.map(lambda line: confirmed(account, line, to=OFFICE), ids))
    assert all(line is not None and line.forwarding_number in ("", ELSEWHERE) for line in lines)
    assert [request.at for request in emulator.requests] == [1000, 1001, 1004]


def test_a_surprise_in_a_later_list_is_asked_for_again(account: Account, emulator: Emulator) -> None:
    """A confirmed line does not confirm that another is gone, which only the last list lacks."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    emulator.fail(Fault.list_lag(0), times=2)
    emulator.fail(Fault.list_lacks(SUPPORT))
    confirmed(account)
    assert account.known(SUPPORT) is None
    assert confirmed(account, SUPPORT) is not None
    assert [request.at for request in emulator.requests] == [1000, 1001, 1004, 1005]


def test_a_surprise_of_another_kind_is_a_new_one(account: Account, emulator: Emulator) -> None:
    """After two lists that show a hand edit, a third that lacks the line does not mean that it is gone."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    emulator.fail(Fault.list_lag(0), times=2)
    emulator.fail(Fault.list_lacks(SALES))
    line = confirmed(account)
    assert line is not None
    assert line.forwarding_number == ELSEWHERE
    assert [request.at for request in emulator.requests] == [1000, 1001, 1004, 1005, 1006, 1009]


def test_lists_that_never_agree_decide_nothing(account: Account, emulator: Emulator) -> None:
    """Where every other list lacks the line, and the others show another number, the answer is an error."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    for _ in range(10):
        emulator.fail(Fault.list_lacks(SALES))
        emulator.fail(Fault.list_lag(0))
    with pytest.raises(RefusedError, match="showed this line in different ways, so nothing was changed"):
        confirmed(account)
    assert len(emulator.requests) <= 11


def test_a_failure_while_asking_again_is_an_error(account: Account, emulator: Emulator) -> None:
    """A failed list call does not confirm the last list."""
    emulator.fail(Fault.list_lacks(SALES))
    emulator.fail(Fault.server_error(), times=None)
    with pytest.raises(InternalServerError):
        confirmed(account)


def test_a_list_without_forwardings_is_malformed(account: Account, emulator: Emulator) -> None:
    """A row without the field is not forwarded; a list in which no row has it is no answer."""
    emulator.set_forwarding(SUPPORT, OFFICE)
    emulator.fail(Fault.parse(f"list-omits-forwarding={SALES}"))
    assert (forwarding(account, SALES), forwarding(account, SUPPORT)) == ("", OFFICE)
    emulator.fail(Fault.parse("list-omits-forwarding"), times=None)
    with pytest.raises(APIResponseValidationError):
        confirmed(account, to=DESK)


# Numbers that move


def test_a_number_that_moved_is_the_new_line(account: Account, emulator: Emulator) -> None:
    """The number finds the line with the new id, and the old id finds none."""
    new = emulator.change_id(SALES).id
    assert account.require(SALES_NUMBER) == PhoneNumber(new, SALES_NUMBER, "", "iMessage")
    assert account.find(SALES) is None


def test_a_number_that_belongs_to_two_lines(account: Account, emulator: Emulator) -> None:
    """It is refused by number with both ids named, and found by either id."""
    second = emulator.add_second_id(SALES).id
    with pytest.raises(RefusedError) as refused:
        account.find(SALES_NUMBER)
    assert str(refused.value) == (
        f"The number {SALES_NUMBER} belongs to 2 lines at Linq: {', '.join(sorted([SALES, second]))}."
        " Declare the line by phone_number_id."
    )
    assert [account.require(each).id for each in (SALES, second)] == [SALES, second]
    assert account.known(SALES_NUMBER) is None
    assert SALES_NUMBER not in account.names(SALES)


def test_a_row_that_is_listed_twice_is_one_line(account: Account, emulator: Emulator) -> None:
    """A repeated row is no second line."""
    emulator.fail(Fault.parse(f"list-repeats={SALES}"))
    assert account.require(SALES_NUMBER).id == SALES


def test_a_failed_write_changes_nothing_here(account: Account, emulator: Emulator) -> None:
    """After a write that the API refused, the line is shown as it was."""
    line = account.require(SALES)
    emulator.fail(Fault.error(404), method="PUT")
    with pytest.raises(NotFoundError):
        account.set_forwarding_number(line, OFFICE)
    assert forwarding(account) == ""


@pytest.mark.parametrize(
    "fault", [Fault.error(404), Fault.error(400), Fault.reset_before_read()], ids=lambda fault: fault.name
)
def test_a_failed_write_names_the_number_and_the_id(account: Account, emulator: Emulator, fault: Fault) -> None:
    """A program that declares the line by its number has never seen its id."""
    line = account.require(SALES_NUMBER)
    emulator.fail(fault, times=None)
    with pytest.raises(
        LinqError, match=rf"^PUT /v3/phone_numbers/{SALES} \({re.escape(SALES_NUMBER)}\)( failed)?: "
    ) as failure:
        account.set_forwarding_number(line, OFFICE)
    listed = FleetError("1 of 2 lines is not as declared", {SALES_NUMBER: failure.value}, next_step="")
    assert str(listed).count(SALES_NUMBER) == 1  # each entry of the list begins with the number
    assert SALES not in str(listed)


def test_after_a_write_in_doubt_the_list_is_asked_for_again(account: Account, emulator: Emulator) -> None:
    """The write may have been applied, so the list from before it may be wrong."""
    assert forwarding(account) == ""
    emulator.fail(Fault.reset_after_write(), times=None, method="PUT")
    emulator.fail(Fault.server_error(), times=None, method="GET")
    with pytest.raises(LinqError, match="may have been applied"):
        account.set_forwarding_number(account.require(SALES), OFFICE)
    emulator.clear_faults()
    assert forwarding(account) == OFFICE


def test_a_failure_is_shared_for_5_seconds(account: Account, emulator: Emulator, clock: Clock) -> None:
    """Callers that queue behind a failed list share its error for 5 s instead of asking one by one."""
    emulator.fail(Fault.server_error(), times=None)
    errors = at_once(8, lambda: account.find(SALES))
    assert {type(error) for error in errors} == {InternalServerError}
    clock.now += 4.9
    with pytest.raises(InternalServerError):
        account.find(SALES)
    assert methods(emulator) == ["GET"]
    emulator.clear_faults()
    clock.now += 0.1
    assert forwarding(account) == ""
    assert methods(emulator) == ["GET", "GET"]


def test_a_failure_does_not_serve_an_old_list(account: Account, emulator: Emulator, clock: Clock) -> None:
    """When the list cannot be had again after 30 s, that is an error: the old one is not used instead."""
    account.find(SALES)
    emulator.fail(Fault.server_error(), times=None)
    clock.now += 30
    with pytest.raises(InternalServerError):
        account.find(SALES)


@pytest.mark.parametrize("fault", [Fault.empty_list(), MALFORMED], ids=["empty", "malformed"])
def test_one_wrong_list_is_asked_again(account: Account, emulator: Emulator, fault: Fault) -> None:
    """One empty or malformed list is asked for again at once, and the good answer counts."""
    emulator.fail(fault)
    assert forwarding(account) == ""
    assert methods(emulator) == ["GET", "GET"]


@pytest.mark.parametrize("first", [Fault.empty_list(), MALFORMED], ids=["empty", "malformed"])
def test_an_empty_list_twice_is_an_error(account: Account, emulator: Emulator, first: Fault) -> None:
    """A key that sees no lines, asked twice, is an error about the account: never "the line is gone"."""
    emulator.fail(first)
    emulator.fail(Fault.empty_list())
    with pytest.raises(LinqError) as refused:
        account.find(SALES)
    assert str(refused.value) == (
        "This key sees no lines at all: is it the right account?"
        " Nothing was changed. Check linq:apiKey and linq:baseUrl with `linq-provider numbers`."
    )
    assert methods(emulator) == ["GET", "GET"]


@pytest.mark.parametrize("first", [Fault.empty_list(), MALFORMED], ids=["empty", "malformed"])
def test_a_malformed_list_twice_is_an_error(account: Account, emulator: Emulator, first: Fault) -> None:
    """Where the second answer is malformed too, that is the error."""
    emulator.fail(first)
    emulator.fail(MALFORMED)
    with pytest.raises(APIResponseValidationError):
        account.find(SALES)
    assert methods(emulator) == ["GET", "GET"]


def test_a_wrong_key_is_asked_once(account: Account, emulator: Emulator) -> None:
    """401 is an answer: it is not asked for twice."""
    emulator.revoke_token(emulator.api_key)
    with pytest.raises(AuthenticationError):
        account.find(SALES)
    assert methods(emulator) == ["GET"]


def test_what_was_never_listed_is_not_known(account: Account, emulator: Emulator, clock: Clock) -> None:
    """`known` never asks, however old the list is."""
    assert account.known(SALES) is None
    account.find(SALES)
    clock.now += 3600
    assert account.known(SALES_NUMBER) == PhoneNumber(SALES, SALES_NUMBER, "", "iMessage")
    assert methods(emulator) == ["GET"]


def test_a_line_this_key_does_not_see(account: Account, emulator: Emulator) -> None:
    """The error names three of the visible lines, not the one asked for, and says that a key can be limited."""
    for number in ("+12025551236", "+12025551237"):
        emulator.add_number(number)
    with pytest.raises(RefusedError) as refused:
        account.require("+12025550199")
    assert str(refused.value).startswith(
        "This key does not see the declared line; it sees 4: +12025551234, +12025551235, +12025551236, …."
    )
    assert "A key can be limited" in str(refused.value)
    assert "+12025550199" not in str(refused.value)
