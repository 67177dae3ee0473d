"""The emulator: its two calls, its state, its faults; seen from a socket, without any client of ours."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import ending_within, wait_until

from linq_provider.emulator import EmulatedNumber, Emulator, Fault
from linq_provider.emulator.service import FaultScript, RateLimit

LIST = "/api/partner/v3/phone_numbers"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
FIRST_NUMBER = "+12025550100"


class Caller:
    """One kept-alive connection to an emulator."""

    def __init__(self, emulator: Emulator, *, token: str | None = None, timeout: float = 5.0) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", _port(emulator), timeout=timeout)
        self.headers = {"Authorization": f"Bearer {emulator.api_key if token is None else token}"}

    def raw(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one call."""
        self.connection.request(method, path, body, self.headers)
        response = self.connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read()

    def list(self) -> tuple[int, Any]:
        """Status and JSON of the list."""
        status, _, body = self.raw("GET", LIST)
        return status, json.loads(body)

    def put(self, phone_number_id: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of a PUT with this body."""
        status, _, answer = self.raw("PUT", f"{LIST}/{phone_number_id}", json.dumps(body).encode())
        return status, json.loads(answer)

    def forward(self, number: str | None) -> tuple[int, Any]:
        """Status and JSON of pointing the first line at a number."""
        return self.put(FIRST_ID, {"forwarding_number": number})


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator() as running:
        yield running


@pytest.fixture
def caller(emulator: Emulator) -> Iterator[Caller]:
    """A connection to it, with the default key."""
    caller = Caller(emulator)
    yield caller
    caller.connection.close()


# The two calls


def test_list_rows_have_every_documented_field(caller: Caller) -> None:
    """A row of the list has the fields of Linq's reference, forwarding_number null when there is none."""
    status, body = caller.list()
    assert status == 200
    assert body["phone_numbers"][0] == {
        "id": FIRST_ID,
        "phone_number": "+12025550100",
        "forwarding_number": None,
        "line_type": "iMessage",
        "reputation": {
            "status": "HEALTHY",
            "doc_url": "https://docs.linqapp.com/channel/imessage/guides/phone-numbers/phone-reputation",
        },
    }
    assert [row["phone_number"] for row in body["phone_numbers"]] == [
        "+12025550100",
        "+12025550101",
        "+12025550102",
    ]


def test_put_sets_the_number_and_the_list_shows_it(emulator: Emulator, caller: Caller) -> None:
    """A PUT returns the line as it is now, and the next list agrees, whatever the list before showed."""
    assert caller.list()[1]["phone_numbers"][0]["forwarding_number"] is None
    assert caller.forward("+12025559999") == (
        200,
        {"id": FIRST_ID, "phone_number": "+12025550100", "forwarding_number": "+12025559999"},
    )
    assert caller.list()[1]["phone_numbers"][0]["forwarding_number"] == "+12025559999"
    assert emulator.forwarding(FIRST_ID) == emulator.forwarding(FIRST_NUMBER) == "+12025559999"


@pytest.mark.parametrize("cleared", ["", None])
def test_empty_and_null_clear(emulator: Emulator, caller: Caller, cleared: str | None) -> None:
    """Both "" and null clear the number, and the API then returns null."""
    emulator.set_forwarding(FIRST_ID, "+12025559999")
    assert caller.forward(cleared)[1]["forwarding_number"] is None
    assert caller.list()[1]["phone_numbers"][0]["forwarding_number"] is None
    assert emulator.forwarding(FIRST_ID) == ""


@pytest.mark.parametrize(
    "number",
    [
        "12025559999",
        "+02025559999",
        "+1 202 555 9999",
        "+12025559999\n",
        "+1202555999٩",
        "+1234567890123456",
        "+",
        "tel:+12025559999",
        12025559999,
        True,
        ["+12025559999"],
    ],
)
def test_a_number_that_is_not_e164_is_refused(emulator: Emulator, caller: Caller, number: Any) -> None:
    """Anything but E.164 in ASCII digits gets 400/1002 and changes nothing."""
    status, body = caller.put(FIRST_ID, {"forwarding_number": number})
    assert (status, body["error"]["code"]) == (400, 1002)
    assert emulator.forwarding(FIRST_ID) == ""


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"null", b'"+12025559999"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_update_is_refused(caller: Caller, body: bytes) -> None:
    """A malformed body, or one without the key, gets 400/1002."""
    status, _, answer = caller.raw("PUT", f"{LIST}/{FIRST_ID}", body)
    assert (status, json.loads(answer)["error"]["code"]) == (400, 1002)


def test_error_bodies_are_as_documented(emulator: Emulator) -> None:
    """An error carries status, code, message, doc_url, success false and a trace_id of its own."""
    caller = Caller(emulator, token="wrong")
    (status, body), (_, second) = caller.list(), caller.list()
    assert status == 401
    assert body["error"] == {
        "status": 401,
        "code": 2004,
        "message": "Unauthorized - missing or invalid authentication token",
        "doc_url": "https://docs.linqapp.com/error/codes/2xxx/2004/",
    }
    assert body["success"] is False
    assert len(body["trace_id"]) == 36
    assert body["trace_id"] != second["trace_id"]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer {key}x"])
def test_a_wrong_or_missing_token_is_401(emulator: Emulator, caller: Caller, authorization: str | None) -> None:
    """Only the bearer token itself opens the account."""
    caller.headers = {"Authorization": authorization.format(key=emulator.api_key)} if authorization is not None else {}
    assert caller.list()[0] == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{LIST}/{FIRST_ID}"),
        ("PUT", f"{LIST}/00000000-0000-0000-0000-000000000000"),
        ("PUT", f"{LIST}/{FIRST_ID}/"),
        ("PUT", f"{LIST}/..%2F{FIRST_ID}"),
        ("PUT", LIST),
        ("POST", LIST),
        ("DELETE", f"{LIST}/{FIRST_ID}"),
        ("PATCH", f"{LIST}/{FIRST_ID}"),
        ("OPTIONS", LIST),
        ("GET", "/v3/phone_numbers"),
        ("GET", "/"),
    ],
)
def test_everything_else_is_404(caller: Caller, method: str, path: str) -> None:
    """There are two calls; any other path, id or method is 404/2001, and there is no GET of one number."""
    status, _, body = caller.raw(method, path, b'{"forwarding_number":""}')
    assert (status, json.loads(body)["error"]["code"]) == (404, 2001)


def test_a_query_does_not_change_the_route(caller: Caller) -> None:
    """The list is found with a query string, too."""
    assert caller.raw("GET", f"{LIST}?x=1")[0] == 200


def test_head_has_no_body(emulator: Emulator) -> None:
    """A HEAD is answered by headers only: what follows them is the answer to the next request."""
    with socket.create_connection(("127.0.0.1", _port(emulator)), timeout=5) as connection:
        host = f"Host: 127.0.0.1:{_port(emulator)}\r\n".encode()
        for method, last in ((b"HEAD", b""), (b"GET", b"Connection: close\r\n")):
            connection.sendall(b"%s %s HTTP/1.1\r\n%s%s\r\n" % (method, LIST.encode(), host, last))
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    _, first, second = answers.split(b"HTTP/1.1 401 ")
    assert first.endswith(b"\r\n\r\n")
    assert second.endswith(b"}")


# Tokens


def test_a_token_sees_and_writes_only_its_lines(emulator: Emulator) -> None:
    """A line outside the token's scope is missing from its list, and 404/2001 for its PUT."""
    second = emulator.phone_numbers[1]
    caller = Caller(emulator, token=emulator.create_token([second.phone_number]))
    assert [row["id"] for row in caller.list()[1]["phone_numbers"]] == [second.id]
    assert caller.put(second.id, {"forwarding_number": "+12025559999"})[0] == 200
    status, body = caller.forward("+12025559999")
    assert (status, body["error"]["code"]) == (404, 2001)
    assert emulator.forwarding(FIRST_ID) == ""


def test_a_read_only_token_gets_403(emulator: Emulator) -> None:
    """A token that cannot write lists as usual and gets 403/2005 for a PUT."""
    caller = Caller(emulator, token=emulator.create_token(can_write=False))
    assert caller.list()[0] == 200
    status, body = caller.forward("+12025559999")
    assert (status, body["error"]["code"]) == (403, 2005)
    assert emulator.forwarding(FIRST_ID) == ""


def test_a_revoked_token_is_unknown_on_the_same_connection(emulator: Emulator, caller: Caller) -> None:
    """Revocation works at once, for the default key too, and leaves other tokens alone."""
    other = Caller(emulator, token=emulator.create_token())
    assert caller.list()[0] == 200
    emulator.revoke_token(emulator.api_key)
    assert (caller.list()[0], other.list()[0]) == (401, 200)


# State


def test_lines_and_key_are_the_same_on_every_machine() -> None:
    """Ids, numbers and key depend on the seed alone."""
    assert Emulator(1).phone_numbers == [EmulatedNumber(FIRST_ID, FIRST_NUMBER)]
    assert Emulator(1).api_key == Emulator(5).api_key != Emulator(1, seed=1).api_key
    assert Emulator(1, seed=1).phone_numbers[0].id != FIRST_ID


def test_another_seed_is_another_account() -> None:
    """No two seeds share a number, an id or the key, and the numbers of each count on from its first one."""
    accounts = [Emulator(3, seed=seed) for seed in (*range(250), -1, -250, 123_456_789)]
    for values in (
        [account.api_key for account in accounts],
        [line.id for account in accounts for line in account.phone_numbers],
        [line.phone_number for account in accounts for line in account.phone_numbers],
    ):
        assert len(set(values)) == len(values)
    for account in accounts:
        numbers = [int(line.phone_number.removeprefix("+1")) for line in account.phone_numbers]
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
        assert 2_000_000_000 <= numbers[0] <= 9_999_999_997


def test_the_first_hundred_seeds_have_numbers_for_fiction() -> None:
    """The numbers of the first 100 seeds are those that every area code reserves for fiction, and stay what they are."""
    numbers = [Emulator(100, seed=seed).phone_numbers for seed in range(100)]
    assert [lines[0].phone_number for lines in numbers[:3]] == ["+12025550100", "+12055550100", "+12065550100"]
    assert all(line.phone_number[5:10] == "55501" for lines in numbers for line in lines)


def test_ten_thousand_lines_are_distinct_and_valid() -> None:
    """A big account has as many different ids and numbers as lines, each of them ASCII E.164."""
    numbers = Emulator(12_000).phone_numbers
    assert len({number.id for number in numbers}) == len({number.phone_number for number in numbers}) == 12_000
    assert all(number.phone_number[1:].isdecimal() and len(number.phone_number) == 12 for number in numbers)


def test_lines_can_be_given() -> None:
    """An emulator starts with exactly the lines that it is given."""
    emulator = Emulator(
        [
            {
                "id": "a",
                "phone_number": "+12025551234",
                "forwarding_number": "+12025559999",
                "line_type": "RCS",
            },
            {"id": "b", "phone_number": "+12025551235"},
        ]
    )
    assert emulator.phone_numbers == [
        EmulatedNumber("a", "+12025551234", "+12025559999", "RCS"),
        EmulatedNumber("b", "+12025551235", None, "iMessage"),
    ]


def test_two_lines_with_one_number_are_refused() -> None:
    """A number or an id cannot be on the account twice."""
    with pytest.raises(ValueError, match="already has a line"):
        Emulator([{"id": "a", "phone_number": "+12025551234"}, {"id": "b", "phone_number": "+12025551234"}])


def test_lines_come_and_go(emulator: Emulator, caller: Caller) -> None:
    """A line that is added is listed at once, one that is removed is 404."""
    added = emulator.add_number("+12025551234", "+12025559999")
    emulator.remove_number(FIRST_NUMBER)
    rows = caller.list()[1]["phone_numbers"]
    assert [row["phone_number"] for row in rows] == ["+12025550101", "+12025550102", "+12025551234"]
    assert emulator.forwarding(added.id) == "+12025559999"
    assert caller.forward("")[0] == 404
    with pytest.raises(KeyError, match="no line"):
        emulator.forwarding(FIRST_NUMBER)


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """Lines, where they forward, tokens and their scopes are read back from the state file."""
    state = tmp_path / "state.json"
    with Emulator(2, state=state) as first:
        assert Caller(first).forward("+12025559999")[0] == 200
        token = first.create_token([FIRST_ID], can_write=False)
        revoked = first.create_token()
        first.revoke_token(revoked)
    with Emulator(9, state=state, seed=7) as second:
        assert second.phone_numbers == first.phone_numbers
        assert second.api_key == first.api_key
        assert second.forwarding(FIRST_ID) == "+12025559999"
        assert len(Caller(second, token=token).list()[1]["phone_numbers"]) == 1
        assert Caller(second, token=token).forward("")[0] == 403
        assert Caller(second, token=revoked).list()[0] == 401


def test_a_given_key_replaces_the_one_in_the_state_file(tmp_path: Path) -> None:
    """With a state file and a key, the given key is the default one and the old one is unknown."""
    state = tmp_path / "state.json"
    old = Emulator(state=state).api_key
    with Emulator(state=state, api_key="given") as emulator:
        assert emulator.api_key == "given"
        assert Caller(emulator).list()[0] == 200
        assert Caller(emulator, token=old).list()[0] == 401


def test_the_state_file_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    """The file, which holds tokens, is its owner's only, and no temporary file stays behind."""
    state = tmp_path / "state.json"
    emulator = Emulator(state=state)
    inode = state.stat().st_ino
    emulator.set_forwarding(FIRST_ID, "+12025559999")
    assert "+12025559999" in state.read_text()
    assert state.stat().st_ino != inode
    assert state.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"phone_numbers": [{}], "tokens": [], "api_key": "x"}'])
def test_a_state_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """A file that no emulator wrote is refused by name, and left as it is."""
    state = tmp_path / "state.json"
    state.write_text(text)
    with pytest.raises(ValueError, match=r"state\.json is not a state file"):
        Emulator(state=state)
    assert state.read_text() == text


# The log


def test_requests_are_recorded_without_the_token(emulator: Emulator, caller: Caller) -> None:
    """Every request is in the log with what it asked and got, and its token only as a label."""
    before = time.monotonic()
    caller.list()
    caller.forward("+12025559999")
    Caller(emulator, token="wrong").raw("PUT", "/elsewhere?x=1", b"text")
    log = emulator.requests
    assert [(r.method, r.path, r.body, r.status, r.token_label) for r in log] == [
        ("GET", LIST, None, 200, "default"),
        ("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": "+12025559999"}, 200, "default"),
        ("PUT", "/elsewhere?x=1", "text", 401, None),
    ]
    assert before <= log[0].at <= log[1].at <= time.monotonic()
    assert emulator.api_key not in repr(log)
    emulator.clear_requests()
    assert emulator.requests == []


def test_a_hand_edit_is_no_request(emulator: Emulator) -> None:
    """Editing a line by hand leaves no trace in the log."""
    emulator.set_forwarding(FIRST_NUMBER, "+12025559999")
    assert (emulator.forwarding(FIRST_ID), emulator.requests) == ("+12025559999", [])


# Start, stop, speed


def test_stop_is_prompt_with_open_connections(emulator: Emulator) -> None:
    """Stopping ends idle, hanging and delayed connections at once, with their threads."""
    threads = threading.active_count()
    idle, hanging, slow = Caller(emulator), Caller(emulator), Caller(emulator)
    idle.list()
    emulator.fail(Fault.hang())
    hanging.connection.request("GET", LIST, headers=hanging.headers)
    wait_until(lambda: len(emulator.requests) == 2)
    emulator.delay = 60
    slow.connection.request("GET", LIST, headers=slow.headers)
    wait_until(lambda: len(emulator.requests) == 3)
    with ending_within(30):  # half of the delay
        emulator.stop()
    for caller in (idle, hanging, slow):
        assert caller.connection.sock.recv(1) == b""
    wait_until(lambda: threading.active_count() == threads - 1)
    emulator.stop()


def test_it_starts_again_on_its_port(emulator: Emulator) -> None:
    """After a stop the port refuses connections, and a second start has the old address and state."""
    url = emulator.url
    emulator.stop()
    with pytest.raises(ConnectionRefusedError):
        Caller(emulator).list()
    with emulator:
        assert emulator.url == url
        assert Caller(emulator).list()[0] == 200
    with emulator, pytest.raises(RuntimeError, match="already runs"):
        emulator.start()


def test_it_listens_on_loopback_only(emulator: Emulator) -> None:
    """The address is 127.0.0.1, and another loopback address finds nothing."""
    assert emulator.url.startswith("http://127.0.0.1:")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", _port(emulator)), timeout=1)


def test_a_taken_port_is_an_error(emulator: Emulator) -> None:
    """Two emulators cannot share a port."""
    with pytest.raises(OSError, match="in use"):
        Emulator(port=_port(emulator)).start()


def test_it_prints_nothing(emulator: Emulator, caller: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests, nor malformed ones, nor clients that go away reach stdout or stderr."""
    caller.list()
    threads = threading.active_count()
    for text in (b"nonsense\r\n\r\n", b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", b"\x00"):
        with socket.create_connection(("127.0.0.1", _port(emulator))) as connection:
            connection.sendall(text)
    emulator.fail(Fault.drip(0.001))
    caller.connection.request("GET", LIST, headers=caller.headers)
    caller.connection.close()
    wait_until(lambda: threading.active_count() < threads)
    emulator.stop()
    assert capfd.readouterr() == ("", "")


def test_answers_are_not_held_back(caller: Caller) -> None:
    """One connection is served without the 40 ms stalls of Nagle's algorithm: 300 calls in well under 12 s."""
    with ending_within(9):
        for _ in range(300):
            caller.list()


def test_many_clients_at_once(emulator: Emulator) -> None:
    """Fifty threads write fifty lines, and each line has what its thread wrote."""
    ids = [emulator.add_number(f"+1202555{2000 + index}").id for index in range(50)]

    def write(index: int) -> None:
        caller = Caller(emulator)
        for digit in range(5):
            caller.put(ids[index], {"forwarding_number": f"+1303555{digit}{index:03}"})

    threads = [threading.Thread(target=write, args=(index,)) for index in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [emulator.forwarding(line) for line in ids] == [f"+13035554{index:03}" for index in range(50)]
    assert len(emulator.requests) == 250


def test_delay_is_after_the_write(emulator: Emulator, caller: Caller) -> None:
    """The delay comes before the answer, when the request is already carried out."""
    emulator.delay = 0.1
    start = time.monotonic()
    caller.connection.request("PUT", f"{LIST}/{FIRST_ID}", b'{"forwarding_number":"+12025559999"}', caller.headers)
    wait_until(lambda: emulator.forwarding(FIRST_ID) != "")
    assert caller.connection.getresponse().status == 200
    assert time.monotonic() - start >= 0.1


def test_beyond_the_rate_limit_is_429() -> None:
    """A burst beyond one second's worth gets 429/1007 with the wait in header and body."""
    with Emulator(rate_limit=2) as emulator:
        caller = Caller(emulator)
        assert [caller.list()[0] for _ in range(2)] == [200, 200]
        status, headers, body = caller.raw("GET", LIST)
    assert (status, headers["retry-after"]) == (429, "1")
    assert (json.loads(body)["error"]["code"], json.loads(body)["error"]["retry_after"]) == (1007, 1)


def test_the_rate_limit_can_be_set_at_any_time(emulator: Emulator, caller: Caller) -> None:
    """A running emulator can be given a rate limit, another one, and none."""
    assert emulator.rate_limit is None
    emulator.rate_limit = 0.01
    assert (emulator.rate_limit, [caller.list()[0] for _ in range(2)]) == (0.01, [200, 429])
    with pytest.raises(ValueError, match="more than 0"):
        emulator.rate_limit = 0
    emulator.rate_limit = None
    assert [caller.list()[0] for _ in range(3)] == [200, 200, 200]


def test_the_rate_limit_refills_with_time() -> None:
    """The bucket holds one second's worth and fills at the given rate."""
    now = [0.0]
    limit = RateLimit(4, clock=lambda: now[0])
    assert [limit.excess() for _ in range(5)] == [0, 0, 0, 0, 0.25]
    now[0] = 0.25
    assert [limit.excess() for _ in range(2)] == [0, 0.25]
    now[0] = 60.0
    assert [limit.excess() for _ in range(5)] == [0, 0, 0, 0, 0.25]
    with pytest.raises(ValueError, match="more than 0"):
        RateLimit(0)


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.rate_limited(), 429, 1007),
        (Fault.server_error(), 500, 3006),
        (Fault.service_unavailable(), 503, 3000),
        (Fault.gateway_timeout(), 504, 3000),
        (Fault.error(409, code=1009, message="Busy"), 409, 1009),
        (Fault.unsuccessful(), 200, 3006),
    ],
)
def test_status_faults(emulator: Emulator, caller: Caller, fault: Fault, status: int, code: int) -> None:
    """A status fault answers Linq's error body, once, and the write is not carried out."""
    emulator.fail(fault)
    got, body = caller.forward("+12025559999")
    assert (got, body["error"]["code"], body["success"]) == (status, code, False)
    assert emulator.forwarding(FIRST_ID) == ""
    assert emulator.requests[0].status == status
    assert caller.forward("+12025559999")[0] == 200


def test_a_status_fault_after_the_write(emulator: Emulator, caller: Caller) -> None:
    """`applying()` turns a failure into one whose write was carried out."""
    emulator.fail(Fault.server_error().applying())
    assert caller.forward("+12025559999")[0] == 500
    assert emulator.forwarding(FIRST_ID) == "+12025559999"


@pytest.mark.parametrize("value", ["1", "0.2", "2 ", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "", "1e309", "٣"])
def test_retry_after_goes_out_as_given(emulator: Emulator, caller: Caller, value: str) -> None:
    """The header carries any text, sensible or not; the body its own value."""
    emulator.fail(Fault.rate_limited(value, body_retry_after=7))
    status, headers, body = caller.raw("GET", LIST)
    assert status == 429
    assert headers["retry-after"].encode("latin-1").decode().strip() == value.strip()
    assert json.loads(body)["error"]["retry_after"] == 7


def test_a_gateway_answers_html(emulator: Emulator, caller: Caller) -> None:
    """The 502 is HTML of exactly the wanted size."""
    emulator.fail(Fault.bad_gateway_html())
    status, headers, body = caller.raw("GET", LIST)
    assert (status, headers["content-type"], len(body)) == (502, "text/html", 5_000_000)
    assert body.startswith(b"<html>")


def test_a_redirect_has_its_location(emulator: Emulator, caller: Caller) -> None:
    """A redirect carries status and Location as given."""
    emulator.fail(Fault.redirect(307, location="http://example.invalid/x"))
    status, headers, _ = caller.raw("PUT", f"{LIST}/{FIRST_ID}", b"{}")
    assert (status, headers["location"]) == (307, "http://example.invalid/x")


def test_a_body_can_be_anything(emulator: Emulator, caller: Caller) -> None:
    """A raw body and a content type go out as given; the wrong content type keeps the right body."""
    emulator.fail(Fault.raw(b"\xef\xbb\xbf[NaN]"))
    assert caller.raw("GET", LIST)[2] == b"\xef\xbb\xbf[NaN]"
    emulator.fail(Fault.wrong_content_type("text/plain"))
    _, headers, body = caller.raw("GET", LIST)
    assert headers["content-type"] == "text/plain"
    assert len(json.loads(body)["phone_numbers"]) == 3


def test_lists_can_be_wrong(emulator: Emulator, caller: Caller) -> None:
    """A list may be empty, cut or behind; a PUT neither suffers from nor uses up such a fault."""
    for fault in (Fault.empty_list(), Fault.partial_list(2), Fault.stale_list()):
        emulator.fail(fault)
    assert caller.forward("+12025559999")[0] == 200
    assert caller.list()[1] == {"phone_numbers": []}
    assert len(caller.list()[1]["phone_numbers"]) == 2
    assert caller.list()[1]["phone_numbers"][0]["forwarding_number"] is None
    assert caller.list()[1]["phone_numbers"][0]["forwarding_number"] == "+12025559999"


def test_a_hang_sends_nothing(emulator: Emulator) -> None:
    """No byte comes, nothing is carried out, and the thread ends when the client goes away."""
    caller, threads = Caller(emulator, timeout=0.1), threading.active_count()
    emulator.fail(Fault.hang())
    with pytest.raises(TimeoutError):
        caller.forward("+12025559999")
    assert (emulator.forwarding(FIRST_ID), emulator.requests[0].status) == ("", None)
    caller.connection.close()
    wait_until(lambda: threading.active_count() == threads)


def test_a_hang_after_the_headers(emulator: Emulator) -> None:
    """Status and headers arrive, the body never."""
    caller = Caller(emulator, timeout=0.1)
    emulator.fail(Fault.hang_after_headers())
    caller.connection.request("GET", LIST, headers=caller.headers)
    response = caller.connection.getresponse()
    assert response.status == 200
    with pytest.raises(TimeoutError):
        response.read()
    assert emulator.requests[0].status is None


def test_dripping_bytes_arrive_one_by_one(emulator: Emulator, caller: Caller) -> None:
    """Every byte of headers and body waits for the interval, and the answer is whole in the end."""
    emulator.fail(Fault.drip(0.001))
    start = time.monotonic()
    assert caller.forward("+12025559999")[0] == 200
    assert time.monotonic() - start > 0.15


def test_a_delayed_answer(emulator: Emulator, caller: Caller) -> None:
    """A delay holds one answer back."""
    emulator.fail(Fault.delay(0.1))
    start = time.monotonic()
    assert caller.list()[0] == 200
    assert time.monotonic() - start >= 0.1


@pytest.mark.parametrize(
    ("fault", "forwarding"),
    [(Fault.reset_before_read(), ""), (Fault.reset_after_write(), "+12025559999")],
)
def test_a_reset(emulator: Emulator, caller: Caller, fault: Fault, forwarding: str) -> None:
    """The connection is reset, not closed, and the write is carried out only if the fault says so."""
    emulator.fail(fault)
    with pytest.raises(ConnectionResetError) as caught:
        caller.forward("+12025559999")
    assert not isinstance(caught.value, http.client.RemoteDisconnected)
    assert (emulator.forwarding(FIRST_ID), emulator.requests[0].status) == (forwarding, None)


def test_reset_after_write_waits_for_a_write(emulator: Emulator, caller: Caller) -> None:
    """A GET does not use up the fault of a PUT."""
    emulator.fail(Fault.reset_after_write())
    assert caller.list()[0] == 200
    with pytest.raises(ConnectionResetError):
        caller.forward("+12025559999")


def test_a_reset_in_the_middle_of_the_body(emulator: Emulator, caller: Caller) -> None:
    """Headers and half of the body come, then a reset."""
    emulator.fail(Fault.reset_mid_body())
    caller.connection.request("GET", LIST, headers=caller.headers)
    response = caller.connection.getresponse()
    assert response.status == 200
    with pytest.raises(ConnectionResetError):
        response.read()


def test_a_truncated_body(emulator: Emulator, caller: Caller) -> None:
    """Less is sent than Content-Length announces, and the write is carried out."""
    emulator.fail(Fault.truncated())
    with pytest.raises(http.client.IncompleteRead):
        caller.forward("+12025559999")
    assert (emulator.forwarding(FIRST_ID), emulator.requests[0].status) == ("+12025559999", None)


def test_a_connection_closed_when_idle(emulator: Emulator, caller: Caller) -> None:
    """The answer is whole and does not announce the close that follows."""
    emulator.fail(Fault.close_idle())
    status, headers, _ = caller.raw("GET", LIST)
    assert (status, "connection" in headers) == (200, False)
    assert caller.connection.sock.recv(1) == b""


def test_a_connection_closed_on_reuse(emulator: Emulator, caller: Caller) -> None:
    """The second request on the connection is met with a close and not carried out."""
    emulator.fail(Fault.close_on_reuse())
    assert caller.list()[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        caller.forward("+12025559999")
    assert emulator.forwarding(FIRST_ID) == ""
    assert [request.status for request in emulator.requests] == [200, None]
    assert caller.forward("+12025559999")[0] == 200


# Which request gets a fault


def test_scripted_faults_come_in_order_and_as_often_as_said(emulator: Emulator, caller: Caller) -> None:
    """Faults queue up, `times` counts, and after them all is well."""
    emulator.fail(Fault.error(500), times=2)
    emulator.fail(Fault.error(503))
    assert [caller.list()[0] for _ in range(5)] == [500, 500, 503, 200, 200]


def test_a_fault_for_ever_ends_with_clear_faults(emulator: Emulator, caller: Caller) -> None:
    """`times=None` hits until the faults are cleared."""
    emulator.fail(Fault.error(503), times=None)
    assert {caller.list()[0] for _ in range(20)} == {503}
    emulator.clear_faults()
    assert caller.list()[0] == 200


def test_a_fault_hits_only_what_it_is_for(emulator: Emulator, caller: Caller) -> None:
    """Method and path choose the request, and others pass meanwhile."""
    emulator.fail(Fault.error(503), method="PUT", path_contains=FIRST_ID)
    other = emulator.phone_numbers[1].id
    assert caller.list()[0] == 200
    assert caller.put(other, {"forwarding_number": ""})[0] == 200
    assert [caller.forward("")[0] for _ in range(2)] == [503, 200]


def test_random_faults_follow_their_seed() -> None:
    """The same seed hits the same requests, at about the given rate, with all of the faults."""

    def names(seed: int) -> list[str]:
        script = FaultScript()
        script.add_random(0.1, [Fault.server_error(), Fault.hang()], seed=seed)
        return [script.next("GET", LIST).name for _ in range(2_000)]

    assert names(1) == names(1) != names(2)
    assert 140 < sum(name != "none" for name in names(1)) < 260
    assert set(names(1)) == {"none", "500", "hang"}


def test_random_faults_over_the_wire(emulator: Emulator, caller: Caller) -> None:
    """Random faults hit real requests until they are cleared, and a rate beyond 1 is refused."""
    emulator.fail_randomly(1.0, [Fault.error(503)], seed=3)
    assert caller.list()[0] == 503
    emulator.clear_faults()
    assert caller.list()[0] == 200
    with pytest.raises(ValueError, match="0 to 1"):
        emulator.fail_randomly(1.5, [Fault.hang()])


@pytest.mark.parametrize(
    "name",
    [
        "429",
        "500",
        "502-html",
        "success-false",
        "redirect",
        "empty-body",
        "truncated-json",
        "content-type",
        "hang",
        "hang-after-headers",
        "drip",
        "reset-before-read",
        "reset-after-write",
        "reset-mid-body",
        "truncated",
        "close-idle",
        "close-on-reuse",
        "empty-list",
        "partial-list",
        "stale-list",
        "list-lacks",
        "list-repeats",
        "list-omits-forwarding",
        "list-omits-null",
        "list-bad-id",
        "list-bad-number",
        "429-date",
        "401",
        "503",
        "504",
    ],
)
def test_a_fault_is_parsed_from_its_name(name: str) -> None:
    """A command line can name every fault, with `-applied` for one that comes after the write."""
    assert Fault.parse(name).name == name
    assert Fault.parse(f"{name}-applied") == Fault.parse(name).applying()


def test_a_name_may_have_an_argument() -> None:
    """What follows `=` is the argument, also with `-applied`."""
    assert Fault.parse("429=soon") == Fault.rate_limited("soon")
    assert Fault.parse("429-applied=1") == Fault.rate_limited("1").applying()
    assert Fault.parse("429-body-applied=1") == Fault.parse("429-body=1").applying()
    assert Fault.parse("delay=0.5") == Fault.delay(0.5)
    assert Fault.parse("drip=0.1") == Fault.drip(0.1)
    assert Fault.parse("502-html=100") == Fault.bad_gateway_html(size=100)
    assert Fault.parse("redirect=http://x/?a=b") == Fault.redirect(location="http://x/?a=b")
    assert Fault.parse("partial-list=2") == Fault.partial_list(2)
    assert Fault.parse("raw=[]") == Fault.raw(b"[]")
    assert Fault.parse("list-lag=2.5") == Fault.list_lag(2.5)
    assert Fault.parse("list-lacks=+12025550100") == Fault.list_lacks("+12025550100")
    assert Fault.parse("list-repeats=+12025550100") == Fault.list_repeats("+12025550100")
    assert Fault.parse("list-omits-forwarding=+12025550100") == Fault.list_omits_forwarding("+12025550100")
    assert Fault.parse("list-bad-id=x") == Fault.list_bad_id("x")
    assert Fault.parse("list-bad-number=x") == Fault.list_bad_number("x")
    assert Fault.parse("429-date=60") == Fault.rate_limited_until(clock_offset=60)


@pytest.mark.parametrize("name", ["list-lag", "list-lag=soon", "429-date=soon", "429-date=0.5", "list-omits-null=x"])
def test_an_argument_is_of_its_kind(name: str) -> None:
    """A fault without the argument that it needs, or with one that it cannot use, is refused."""
    with pytest.raises(ValueError, match="is no fault; there are"):
        Fault.parse(name)


@pytest.mark.parametrize(("name", "wait"), [("429-body=2", b"2"), ("429-body=0.5", b"0.5")])
def test_a_wait_in_the_body_only(emulator: Emulator, caller: Caller, name: str, wait: bytes) -> None:
    """`429-body=N` is a 429/1007 whose wait is a number in the body, and in no header."""
    emulator.fail(name)
    status, headers, body = caller.raw("GET", LIST)
    assert (status, "retry-after" in headers) == (429, False)
    assert b'"code":1007' in body
    assert b'"retry_after":%s}' % wait in body


@pytest.mark.parametrize("name", ["429-body", "429-body=", "429-body=soon"])
def test_a_wait_in_the_body_is_a_number(name: str) -> None:
    """`429-body` without a number of seconds is refused."""
    with pytest.raises(ValueError, match="is no fault; there are 429, 429-body"):
        Fault.parse(name)


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is a fault or a ValueError that lists the names."""
    fault: Fault | str
    try:
        fault = Fault.parse(text)
    except ValueError as error:
        fault = str(error)
    assert isinstance(fault, Fault) or "reset-after-write" in fault


def test_a_fault_by_its_name(emulator: Emulator, caller: Caller) -> None:
    """`fail` takes the names of `--fault` too, and refuses one that is none."""
    emulator.fail("503")
    assert caller.list()[0] == 503
    with pytest.raises(ValueError, match="'bogus' is no fault; there are"):
        emulator.fail("bogus")


def _port(emulator: Emulator) -> int:
    return int(emulator.url.split(":")[2].split("/")[0])
