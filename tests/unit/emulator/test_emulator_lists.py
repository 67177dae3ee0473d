"""Lists that are late or wrong, lines whose ids change, and a server whose clock is off."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from waiting import wait_until

from linq_provider.emulator import EmulatedNumber, Emulator, Fault

LIST = "/api/partner/v3/phone_numbers"
FIRST, SECOND, THIRD = "+12025550100", "+12025550101", "+12025550102"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
OTHER_ID = "0b6f2f0e-9a51-4a8c-8d4e-1f6f3f5c2a10"
OFFICE, DESK = "+12025559999", "+12025558888"


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """The clock of the emulator."""
    return Seconds()


@pytest.fixture
def emulator(clock: Seconds) -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator(clock=clock) as running:
        yield running


def call(
    emulator: Emulator, method: str = "GET", path: str = LIST, value: object = None, *, key: str | None = None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers (names in lower case) and JSON of one call."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=5)
    try:
        body = None if value is None else json.dumps(value)
        connection.request(method, path, body, {"Authorization": f"Bearer {key or emulator.api_key}"})
        response = connection.getresponse()
        headers = {name.lower(): text for name, text in response.getheaders()}
        return response.status, headers, json.loads(response.read())
    finally:
        connection.close()


def rows(emulator: Emulator, *, key: str | None = None) -> list[dict[str, Any]]:
    """The rows of the list."""
    status, _, body = call(emulator, key=key)
    assert status == 200
    return list(body["phone_numbers"])


def numbers(emulator: Emulator) -> list[str]:
    """The phone number of each row of the list."""
    return [row["phone_number"] for row in rows(emulator)]


def put(emulator: Emulator, line: str, number: str) -> tuple[int, Any]:
    """Status and JSON of a write."""
    status, _, body = call(emulator, "PUT", f"{LIST}/{line}", {"forwarding_number": number})
    return status, body


# A list that lags


def test_a_list_lags_behind_a_write(emulator: Emulator, clock: Seconds) -> None:
    """A list shows the state of 3 seconds ago, while the answers to writes are of now."""
    emulator.fail("list-lag=3", times=None)
    assert put(emulator, FIRST_ID, OFFICE) == (
        200,
        {"id": FIRST_ID, "phone_number": FIRST, "forwarding_number": OFFICE},
    )
    shown = []
    for seconds in (0, 1, 1.9, 0.1, 10):
        clock.now += seconds
        shown.append(rows(emulator)[0]["forwarding_number"])
    assert shown == [None, None, None, OFFICE, OFFICE]
    assert emulator.forwarding(FIRST_ID) == OFFICE


def test_a_lagging_list_shows_each_state_in_turn(emulator: Emulator, clock: Seconds) -> None:
    """Two writes, an edit by hand and a new line show up 3 seconds after each of them, in the list's order."""
    emulator.fail("list-lag=3", times=None)
    put(emulator, FIRST_ID, OFFICE)
    clock.now += 1
    put(emulator, FIRST_ID, DESK)
    clock.now += 1
    emulator.set_forwarding(SECOND, OFFICE)
    emulator.add_number("+12025551234")
    seen = []
    for _ in range(4):
        seen.append([(row["phone_number"], row["forwarding_number"]) for row in rows(emulator)])
        clock.now += 1
    assert seen == [
        [(FIRST, None), (SECOND, None), (THIRD, None)],
        [(FIRST, OFFICE), (SECOND, None), (THIRD, None)],
        [(FIRST, DESK), (SECOND, None), (THIRD, None)],
        [(FIRST, DESK), (SECOND, OFFICE), (THIRD, None), ("+12025551234", None)],
    ]


def test_a_lagging_list_still_shows_a_removed_line(emulator: Emulator, clock: Seconds) -> None:
    """A line that left the account is listed until the lag is over, and a write to it is 404 at once."""
    emulator.fail("list-lag=3", times=None)
    emulator.remove_number(FIRST)
    assert sorted(numbers(emulator)) == [FIRST, SECOND, THIRD]
    assert put(emulator, FIRST_ID, OFFICE)[0] == 404
    clock.now += 3
    assert numbers(emulator) == [SECOND, THIRD]


def test_the_lag_can_begin_after_the_write(emulator: Emulator, clock: Seconds) -> None:
    """A fault that is set later shows the past as it was; one list without it is current."""
    put(emulator, FIRST_ID, OFFICE)
    clock.now += 1
    emulator.fail("list-lag=2")
    assert [row["forwarding_number"] for row in (rows(emulator)[0], rows(emulator)[0])] == [None, OFFICE]


def test_lists_can_lag_differently(emulator: Emulator, clock: Seconds) -> None:
    """With random lags of 0 to 4 seconds, a list may show an older state than the one before it; writes are not hit."""
    emulator.fail_randomly(1.0, [Fault.list_lag(seconds) for seconds in range(5)], seed=3)
    assert put(emulator, FIRST_ID, OFFICE)[0] == 200
    clock.now += 2
    shown = [rows(emulator)[0]["forwarding_number"] for _ in range(40)]
    assert shown != sorted(shown, key=bool)
    assert set(shown) == {None, OFFICE}
    clock.now += 3
    assert {rows(emulator)[0]["forwarding_number"] for _ in range(10)} == {OFFICE}


def test_without_a_clock_of_its_own_the_lag_is_real_time() -> None:
    """The default clock runs by itself: a list that lags 0.2 seconds shows the write in the end."""
    with Emulator() as emulator:
        emulator.fail("list-lag=0.2", times=None)
        put(emulator, FIRST_ID, OFFICE)
        assert rows(emulator)[0]["forwarding_number"] is None
        wait_until(lambda: rows(emulator)[0]["forwarding_number"])


# A list that lacks or repeats a line


@pytest.mark.parametrize("line", [SECOND, "932850b4-ebb0-5582-a8b6-0d86fc69249e"])
def test_a_list_lacks_one_line_once(emulator: Emulator, line: str) -> None:
    """One list lacks the line, by number or id, and the next one has it; a write to it works meanwhile."""
    emulator.fail(f"list-lacks={line}")
    assert put(emulator, "932850b4-ebb0-5582-a8b6-0d86fc69249e", OFFICE)[0] == 200
    assert [numbers(emulator), numbers(emulator)] == [[FIRST, THIRD], [FIRST, SECOND, THIRD]]


def test_a_drawn_line_is_lacking_in_one_of_fifty_answers() -> None:
    """With a rate, lists lack one drawn line each at about that rate: the same ones for the same seed."""

    def lacking(seed: int) -> list[str | None]:
        with Emulator(numbers=3) as emulator:
            emulator.fail_randomly(1 / 50, [Fault.list_lacks()], seed=seed)
            return [next(iter({FIRST, SECOND, THIRD} - set(numbers(emulator))), None) for _ in range(500)]

    seen = lacking(1)
    assert seen == lacking(1) != lacking(2)
    assert 3 < 500 - seen.count(None) < 25
    assert len(set(seen) - {None}) > 1


def test_the_seed_of_the_emulator_draws_the_line() -> None:
    """A fault that is set with `fail` draws its line by the seed of the emulator."""

    def lacking(seed: int) -> list[int]:
        with Emulator(numbers=9, seed=seed) as emulator:
            emulator.fail("list-lacks", times=5)
            ids = [line.id for line in emulator.phone_numbers]
            lists = [[row["id"] for row in rows(emulator)] for _ in range(6)]
            assert [len(each) for each in lists] == [8, 8, 8, 8, 8, 9]
            return [next(index for index, line in enumerate(ids) if line not in each) for each in lists[:5]]

    assert lacking(0) == lacking(0) != lacking(1)
    assert len(set(lacking(0))) > 1


def test_a_row_is_there_twice(emulator: Emulator) -> None:
    """A list has two rows of one id, one after the other."""
    emulator.fail(f"list-repeats={SECOND}")
    assert numbers(emulator) == [FIRST, SECOND, SECOND, THIRD]
    emulator.fail("list-repeats")
    shown = rows(emulator)
    assert (len(shown), len({row["id"] for row in shown})) == (4, 3)


def test_a_list_without_rows_can_lack_none() -> None:
    """A fault about some row leaves a list without rows as it is."""
    with Emulator(numbers=0) as emulator:
        for name in ("list-lacks", "list-repeats", "list-omits-forwarding", "list-omits-null", "list-bad-id"):
            emulator.fail(name)
            assert rows(emulator) == []


def test_a_line_out_of_scope_is_not_lacking(emulator: Emulator) -> None:
    """A token that does not see the line gets its list as it is."""
    key = emulator.create_token([SECOND])
    emulator.fail(f"list-lacks={FIRST}")
    assert [row["phone_number"] for row in rows(emulator, key=key)] == [SECOND]


@pytest.mark.parametrize("name", ["list-lacks=+19995550000", "list-repeats=nobody", "list-omits-forwarding=x"])
def test_a_fault_about_an_unknown_line_is_refused(emulator: Emulator, name: str) -> None:
    """A mistyped line is an error of the test, which would otherwise prove nothing."""
    with pytest.raises(KeyError, match="has no line"):
        emulator.fail(name)
    with pytest.raises(KeyError, match="has no line"):
        emulator.fail_randomly(1.0, [Fault.parse(name)])
    assert numbers(emulator) == [FIRST, SECOND, THIRD]


# A list whose rows are wrong


def test_rows_omit_the_forwarding(emulator: Emulator) -> None:
    """The field is missing in one row, in every row, or in the rows where it would be null."""
    emulator.set_forwarding(FIRST, OFFICE)
    for name, with_field in [
        (f"list-omits-forwarding={FIRST}", [SECOND, THIRD]),
        (f"list-omits-forwarding={THIRD}", [FIRST, SECOND]),
        ("list-omits-forwarding", []),
        ("list-omits-null", [FIRST]),
        ("delay=0", [FIRST, SECOND, THIRD]),
    ]:
        emulator.fail(name)
        shown = rows(emulator)
        assert [row["phone_number"] for row in shown if "forwarding_number" in row] == with_field, name
        assert {len(row) for row in shown} <= {4, 5}


def test_an_id_is_no_uuid(emulator: Emulator) -> None:
    """One row has an id that is none, as given or as it is by default."""
    emulator.fail("list-bad-id=../x", times=1)
    assert sorted(row["id"] for row in rows(emulator))[0] == "../x"
    emulator.fail("list-bad-id")
    assert "no-uuid" in [row["id"] for row in rows(emulator)]
    emulator.fail(Fault.list_bad_id("", line=SECOND))
    assert [row["id"] for row in rows(emulator) if row["phone_number"] == SECOND] == [""]


def test_a_number_has_control_characters(emulator: Emulator) -> None:
    """One row has a phone number that is none, by default with an escape sequence and a line break."""
    emulator.fail("list-bad-number")
    assert "+1202\x1b[2J\n5550100" in numbers(emulator)
    emulator.fail("list-bad-number=```")
    assert "```" in numbers(emulator)
    emulator.fail(Fault.list_bad_number("\u202e", line=FIRST_ID))
    assert numbers(emulator) == ["\u202e", SECOND, THIRD]


def test_lines_can_be_wrong_from_the_start() -> None:
    """An id that is no UUID and an odd number can be put on the account itself."""
    with Emulator(numbers=[{"id": "no-uuid", "phone_number": "+1\n2"}]) as emulator:
        assert [(row["id"], row["phone_number"]) for row in rows(emulator)] == [("no-uuid", "+1\n2")]


# Ids that change


def test_a_line_gets_a_new_id(emulator: Emulator) -> None:
    """The number has another id at the same place of the list, and keeps its forwarding; the old id is 404."""
    emulator.set_forwarding(FIRST, OFFICE)
    assert emulator.change_id(FIRST, OTHER_ID) == EmulatedNumber(OTHER_ID, FIRST, OFFICE)
    assert rows(emulator)[0]["id"] == OTHER_ID
    assert numbers(emulator) == [FIRST, SECOND, THIRD]
    assert put(emulator, FIRST_ID, DESK)[0] == 404
    assert put(emulator, OTHER_ID, DESK)[0] == 200
    assert (emulator.forwarding(FIRST), emulator.forwarding(OTHER_ID)) == (DESK, DESK)
    with pytest.raises(KeyError, match="has no line"):
        emulator.forwarding(FIRST_ID)


def test_a_new_id_can_be_chosen_by_the_emulator(emulator: Emulator) -> None:
    """Without an id, each change gives another UUID: the same ones on every machine."""
    ids = [emulator.change_id(FIRST).id for _ in range(3)]
    assert len({FIRST_ID, *ids}) == 4
    assert ids[0] == Emulator().change_id(FIRST).id
    assert all(len(line) == 36 for line in ids)


def test_a_taken_id_is_refused(emulator: Emulator) -> None:
    """No line can get the id of another."""
    second = emulator.phone_numbers[1].id
    for change in (emulator.change_id, emulator.add_second_id):
        with pytest.raises(ValueError, match="already has a line"):
            change(FIRST, second)
    assert [line.id for line in emulator.phone_numbers][:2] == [FIRST_ID, second]


def test_a_token_still_sees_a_line_with_a_new_id(emulator: Emulator) -> None:
    """A token for some lines keeps them, even if their ids change."""
    key = emulator.create_token([FIRST])
    emulator.change_id(FIRST, OTHER_ID)
    assert [row["id"] for row in rows(emulator, key=key)] == [OTHER_ID]
    assert call(emulator, "PUT", f"{LIST}/{OTHER_ID}", {"forwarding_number": ""}, key=key)[0] == 200


def test_a_lagging_list_shows_the_old_id(emulator: Emulator, clock: Seconds) -> None:
    """Until the lag is over, the list has the old id at the same place, and a write to it is 404 already."""
    key = emulator.create_token([FIRST, SECOND])
    emulator.fail("list-lag=3", times=None)
    emulator.change_id(FIRST, OTHER_ID)
    assert rows(emulator, key=key)[0]["id"] == FIRST_ID
    assert put(emulator, FIRST_ID, OFFICE)[0] == 404
    clock.now += 3
    assert rows(emulator, key=key)[0]["id"] == OTHER_ID


def test_one_number_has_two_ids(emulator: Emulator) -> None:
    """The list has the number twice, each id has its own forwarding, and the number alone means the first."""
    emulator.set_forwarding(FIRST, OFFICE)
    second = emulator.add_second_id(FIRST, OTHER_ID)
    assert second == EmulatedNumber(OTHER_ID, FIRST, OFFICE)
    assert [(row["id"], row["phone_number"]) for row in rows(emulator)][:1] == [(FIRST_ID, FIRST)]
    assert [(row["id"], row["phone_number"]) for row in rows(emulator)][3:] == [(OTHER_ID, FIRST)]
    assert put(emulator, OTHER_ID, DESK)[0] == 200
    assert [emulator.forwarding(line) for line in (FIRST, FIRST_ID, OTHER_ID)] == [OFFICE, OFFICE, DESK]
    emulator.remove_number(FIRST_ID)
    assert emulator.forwarding(FIRST) == DESK
    emulator.remove_number(FIRST)
    assert numbers(emulator) == [SECOND, THIRD]


def test_changed_ids_survive_a_restart(tmp_path: Path) -> None:
    """A new id, and a number with two ids, are read back from the state file."""
    state = tmp_path / "state.json"
    first = Emulator(state=state)
    first.change_id(SECOND, OTHER_ID)
    first.add_second_id(FIRST)
    again = Emulator(state=state)
    assert again.phone_numbers == first.phone_numbers
    assert len(again.phone_numbers) == 4
    with pytest.raises(ValueError, match="already has a line"):
        again.add_number(FIRST)


# A clock that is off


def test_answers_have_a_date(emulator: Emulator) -> None:
    """Each answer of the API says when it was made, as HTTP demands."""
    for method in ("GET", "PUT"):
        sent = parsedate_to_datetime(call(emulator, method)[1]["date"])
        assert abs(sent.timestamp() - time.time()) < 60


@pytest.mark.parametrize(("name", "ahead"), [("429-date", 0), ("429-date=3600", 3600), ("429-date=-7200", -7200)])
def test_a_server_whose_clock_is_off(emulator: Emulator, name: str, ahead: int) -> None:
    """Retry-After is a date one second after the answer's own Date, and the clock of both is off."""
    emulator.fail(name)
    status, headers, body = call(emulator)
    date, retry = (parsedate_to_datetime(headers[header]).timestamp() for header in ("date", "retry-after"))
    assert (status, body["error"]["code"], retry - date) == (429, 1007, 1)
    assert "retry_after" not in body["error"]
    assert abs(date - time.time() - ahead) < 60
    assert call(emulator)[0] == 200


def test_a_longer_wait_until_a_date(emulator: Emulator) -> None:
    """In Python the wait can be chosen, and may be over already."""
    for seconds in (30, 0, -5):
        emulator.fail(Fault.rate_limited_until(seconds, clock_offset=600))
        headers = call(emulator)[1]
        assert (
            parsedate_to_datetime(headers["retry-after"]) - parsedate_to_datetime(headers["date"])
        ).total_seconds() == seconds


# The clock


def test_the_clock_of_a_test_drives_log_and_rate_limit(emulator: Emulator, clock: Seconds) -> None:
    """Requests are logged with the time of the given clock, and the rate limit refills by it, also a later one."""
    emulator.rate_limit = 1
    assert [call(emulator)[0], call(emulator)[0]] == [200, 429]
    clock.now += 1
    assert call(emulator)[0] == 200
    assert [request.at for request in emulator.requests] == [1000.0, 1000.0, 1001.0]
