"""The page of the emulator, seen over HTTP: what it serves, what it changes, and which requests it refuses."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from linq_provider.emulator import Emulator, Fault

LIST = "/api/partner/v3/phone_numbers"
STATE = "/emulator/state"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
FIRST_NUMBER = "+12025550100"
OFFICE = "+12025559999"
JSON = {"Content-Type": "application/json"}


class Visitor:
    """A browser at the page of an emulator, and beside it a client of the API."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.host = urlsplit(emulator.page_url).netloc

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one call with exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.host.partition(":")[2]), timeout=5)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def state(self, query: str = "") -> dict[str, Any]:
        """What the script of the page reads."""
        status, _, body = self.call("GET", STATE + query)
        assert status == 200
        return dict(json.loads(body))

    def post(self, path: str, value: object) -> tuple[int, Any]:
        """Status and JSON of what a button of the page does."""
        status, _, body = self.call("POST", path, json.dumps(value).encode(), {**JSON, "Origin": f"http://{self.host}"})
        return status, json.loads(body)

    def api(self, method: str = "GET", path: str = LIST, value: object = None) -> int:
        """Status of a call to the API with the key."""
        body = None if value is None else json.dumps(value).encode()
        return self.call(method, path, body, {"Authorization": f"Bearer {self.emulator.api_key}"})[0]


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """A visitor of an emulator with three lines."""
    with Emulator() as emulator:
        yield Visitor(emulator)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/?x=1", "text/html; charset=utf-8"),
        ("/emulator/page.css", "text/css; charset=utf-8"),
        ("/emulator/page.js", "text/javascript; charset=utf-8"),
        ("/emulator/state", "application/json"),
    ],
)
def test_page_loads_nothing_from_elsewhere(visitor: Visitor, path: str, content_type: str) -> None:
    """Each file is served with a policy that lets a browser load it and its like from the emulator only."""
    status, headers, body = visitor.call("GET", path)
    assert (status, headers["content-type"]) == (200, content_type)
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    linked = set(re.findall(rb"https?://[^/\s'\"`]+", body)) - {b"http://www.w3.org", f"http://{visitor.host}".encode()}
    assert linked == set()


def test_head_of_the_page_has_no_body(visitor: Visitor) -> None:
    """HEAD gives the length of the page without sending it."""
    status, headers, body = visitor.call("HEAD", "/")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 1000


def test_state_holds_lines_and_requests(visitor: Visitor) -> None:
    """The state holds each line with its number, and each request with method, path, status and number."""
    assert visitor.api("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": OFFICE}) == 200
    assert visitor.api() == 200
    state = visitor.state()
    assert state["lines"][0] == {
        "id": FIRST_ID,
        "phone_number": FIRST_NUMBER,
        "forwarding_number": OFFICE,
        "line_type": "iMessage",
    }
    assert (state["line_count"], state["forwarded_count"], state["matching_count"]) == (3, 1, 3)
    assert state["url"] == visitor.emulator.url
    write, read = state["requests"]
    assert write.pop("at") <= read.pop("at")
    assert write == {
        "number": 1,
        "method": "PUT",
        "path": f"{LIST}/{FIRST_ID}",
        "status": 200,
        "token": "default",
        "phone_number": FIRST_NUMBER,
        "forwarding_number": OFFICE,
        "body": None,
    }
    assert (read["number"], read["method"], read["path"], read["status"]) == (2, "GET", LIST, 200)


def test_a_clearing_differs_from_a_body_that_is_no_update(visitor: Visitor) -> None:
    """A PUT of null or "" shows as "", one whose body is no update as that body."""
    for value in (None, ""):
        visitor.api("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": value})
    visitor.api("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": "office"})
    shown = [(request["forwarding_number"], request["body"]) for request in visitor.state()["requests"]]
    assert shown == [("", None), ("", None), (None, '{"forwarding_number": "office"}')]


def test_only_new_requests_are_sent_again(visitor: Visitor) -> None:
    """A page that has seen a request asks for those after it."""
    for _ in range(3):
        visitor.api()
    assert [request["number"] for request in visitor.state("?after=2")["requests"]] == [3]
    assert visitor.state("?after=3")["requests"] == []
    assert len(visitor.state("?after=nonsense")["requests"]) == 3


def test_the_last_200_requests_are_kept_for_the_page(visitor: Visitor) -> None:
    """A long run shows its last 200 requests and the count of all."""
    with_token = {"Authorization": f"Bearer {visitor.emulator.api_key}"}
    connection = http.client.HTTPConnection(visitor.host, timeout=5)
    for _ in range(203):
        connection.request("GET", LIST, headers=with_token)
        connection.getresponse().read()
    connection.close()
    state = visitor.state()
    assert (state["request_count"], state["first_request"], len(state["requests"])) == (203, 4, 200)


def test_an_edit_by_hand_is_what_the_api_shows(visitor: Visitor) -> None:
    """A forwarding that is changed on the page is drift for whoever lists the account; empty clears it."""
    assert visitor.post("/emulator/forwarding", {"line": FIRST_ID, "forwarding_number": OFFICE}) == (200, {})
    with_token = {"Authorization": f"Bearer {visitor.emulator.api_key}"}
    row = json.loads(visitor.call("GET", LIST, headers=with_token)[2])["phone_numbers"][0]
    assert (row["id"], row["forwarding_number"]) == (FIRST_ID, OFFICE)
    assert visitor.post("/emulator/forwarding", {"line": FIRST_ID, "forwarding_number": ""}) == (200, {})
    assert visitor.emulator.forwarding(FIRST_ID) == ""


@pytest.mark.parametrize(
    ("path", "value", "status", "sentence"),
    [
        ("forwarding", {"line": FIRST_ID, "forwarding_number": "2025559999"}, 400, "write it as in +12025550123"),
        ("forwarding", {"line": FIRST_ID}, 400, "write it as in +12025550123"),
        ("forwarding", {"line": "+19995550000", "forwarding_number": ""}, 404, "reload the page"),
        ("forwarding", [FIRST_ID], 400, "not a JSON object"),
        ("fault", {"fault": "flood"}, 400, "'flood' is no fault"),
        ("fault", {}, 400, "is no fault"),
        ("fault", {"fault": "500", "times": 0}, 400, "Choose again"),
        ("fault", {"fault": "500", "times": True}, 400, "Choose again"),
        ("fault", {"fault": "500", "method": "TRACE"}, 400, "Choose again"),
        ("elsewhere", {}, 405, "GET"),
    ],
)
def test_what_makes_no_sense_is_refused(visitor: Visitor, path: str, value: object, status: int, sentence: str) -> None:
    """A value that the page cannot use changes nothing, and the answer says what to do instead."""
    before = visitor.emulator.phone_numbers
    answer = visitor.post(f"/emulator/{path}", value)
    assert answer[0] == status
    assert sentence in answer[1]["error"]
    assert visitor.emulator.phone_numbers == before
    assert visitor.state()["faults"] == []


def test_a_fault_hits_the_api_until_it_is_cleared(visitor: Visitor) -> None:
    """A fault for every request makes the API fail and the page go on; clearing it heals the API."""
    assert visitor.post("/emulator/fault", {"fault": "500", "times": None})[0] == 200
    assert [visitor.api(), visitor.api()] == [500, 500]
    assert visitor.state()["faults"] == [{"name": "500", "times": None, "method": None, "rate": None}]
    assert visitor.post("/emulator/clear-faults", {}) == (200, {})
    assert visitor.api() == 200
    assert visitor.state()["faults"] == []


def test_a_fault_is_counted_down(visitor: Visitor) -> None:
    """A fault for two lists does not affect writes, and disappears from the page after the second list."""
    visitor.post("/emulator/fault", {"fault": "503", "times": 2, "method": "GET"})
    write = ("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": OFFICE})
    assert [visitor.api(*write), visitor.api()] == [200, 503]
    assert visitor.state()["faults"] == [{"name": "503", "times": 1, "method": "GET", "rate": None}]
    assert [visitor.api(), visitor.api()] == [503, 200]
    assert visitor.state()["faults"] == []


def test_random_faults_are_shown(visitor: Visitor) -> None:
    """Faults that were set with a rate, as by `--fault-rate`, are on the page too."""
    visitor.emulator.fail_randomly(0.25, [Fault.server_error(), Fault.hang()])
    assert visitor.state()["faults"] == [{"name": "500, hang", "times": None, "method": None, "rate": 0.25}]


def test_every_fault_button_names_a_fault(visitor: Visitor) -> None:
    """Each button of the page is accepted by the emulator."""
    names = re.findall(r'data-fault="([^"]+)"', visitor.call("GET", "/")[2].decode())
    assert len(names) > 10
    assert [visitor.post("/emulator/fault", {"fault": name})[0] for name in names] == [200] * len(names)
    assert len(visitor.state()["faults"]) == len(names)


def test_the_page_is_apart_from_the_api() -> None:
    """Requests of the page are not among `requests`, get no fault, no delay, and use up no rate limit."""
    with Emulator(delay=60, rate_limit=1) as emulator:
        visitor = Visitor(emulator)
        emulator.fail(Fault.server_error(), times=None)
        for path in ("/", "/emulator/page.js", "/emulator/page.css", STATE, STATE):
            assert visitor.call("GET", path)[0] == 200
        assert visitor.call("GET", "/favicon.ico")[0] == 404
        assert visitor.post("/emulator/clear-log", {}) == (200, {})
        assert emulator.requests == []
        emulator.clear_faults()
        emulator.delay = 0
        assert visitor.api() == 200


def test_clearing_one_log_leaves_the_other(visitor: Visitor) -> None:
    """The page's log and `emulator.requests`, which tests count, are cleared apart."""
    visitor.api()
    visitor.post("/emulator/clear-log", {})
    assert visitor.state()["requests"] == []
    assert len(visitor.emulator.requests) == 1
    visitor.api()
    visitor.emulator.clear_requests()
    assert [request["number"] for request in visitor.state()["requests"]] == [2]


POSTS = ["/emulator/forwarding", "/emulator/fault", "/emulator/clear-faults", "/emulator/clear-log"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**JSON, "Origin": "https://evil.example"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Origin": "http://127.0.0.1:1"}, 403),
        (JSON, 403),
        ({**JSON, "Origin": "http://evil.example:{port}", "Host": "evil.example:{port}"}, 403),
        ({"Content-Type": "text/plain", "Origin": "http://127.0.0.1:{port}"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1:{port}"}, 415),
        ({"Origin": "http://127.0.0.1:{port}"}, 415),
    ],
)
def test_other_websites_change_nothing(visitor: Visitor, path: str, headers: dict[str, str], status: int) -> None:
    """A post from another origin, by another name of the host, or as a form is refused and does nothing."""
    visitor.api()
    visitor.emulator.fail(Fault.server_error())
    body = json.dumps({"line": FIRST_ID, "forwarding_number": OFFICE, "fault": "hang"}).encode()
    port = visitor.host.partition(":")[2]
    sent = {name: value.format(port=port) for name, value in headers.items()}
    assert visitor.call("POST", path, body, sent)[0] == status
    state = visitor.state()
    assert (state["forwarded_count"], len(state["requests"]), len(state["faults"])) == (0, 1, 1)


@pytest.mark.parametrize("path", ["/", STATE, "/emulator/page.js", "/emulator/nothing"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1:{port}.evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_other_websites_read_nothing(visitor: Visitor, path: str, headers: dict[str, str]) -> None:
    """A name that was rebound to this machine, or another website's script, gets no page and no state."""
    port = visitor.host.partition(":")[2]
    status, _, body = visitor.call(
        "GET", path, headers={name: text.format(port=port) for name, text in headers.items()}
    )
    assert status == 403
    assert f"http://127.0.0.1:{port}/" in json.loads(body)["error"]
    assert FIRST_ID.encode() not in body


def test_localhost_is_the_same_page(visitor: Visitor) -> None:
    """Both names of the loopback work, each with its own origin."""
    port = visitor.host.partition(":")[2]
    headers = {**JSON, "Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert visitor.call("GET", "/", headers={"Host": f"localhost:{port}"})[0] == 200
    assert visitor.call("POST", "/emulator/clear-faults", b"{}", headers)[0] == 200


@pytest.mark.parametrize("path", POSTS)
def test_a_link_changes_nothing(visitor: Visitor, path: str) -> None:
    """What changes something takes POST only."""
    visitor.emulator.fail(Fault.server_error())
    assert visitor.call("GET", path)[0] == 405
    assert len(visitor.state()["faults"]) == 1


def test_the_key_is_nowhere_on_the_page(visitor: Visitor) -> None:
    """No token is in the page or its state, not even when a client puts one into a path or a body."""
    emulator = visitor.emulator
    other = emulator.create_token()
    visitor.api("GET", f"{LIST}?key={emulator.api_key}")
    visitor.api("PUT", f"{LIST}/{FIRST_ID}", {"forwarding_number": other})
    emulator.revoke_token(emulator.api_key)
    served = [visitor.call("GET", path)[2] for path in ("/", "/emulator/page.js", "/emulator/page.css", STATE)]
    assert b'"requests":[{' in served[-1]
    for secret in (emulator.api_key, other):
        assert not any(secret.encode() in body for body in served)


def test_ten_thousand_lines_are_sent_200_at_a_time() -> None:
    """A large account sends its first 200 lines and all counts; a filter finds the others."""
    with Emulator(numbers=10_000) as emulator:
        visitor = Visitor(emulator)
        state = visitor.state()
        assert (state["line_count"], state["matching_count"], len(state["lines"])) == (10_000, 10_000, 200)
        last = emulator.phone_numbers[-1]
        for wanted in (last.phone_number, f" {last.phone_number[1:]} ", last.id.upper()):
            state = visitor.state(f"?filter={quote(wanted)}")
            assert [line["id"] for line in state["lines"]] == [last.id]
            assert (state["line_count"], state["matching_count"]) == (10_000, 1)
        emulator.set_forwarding(last.id, "+14155550123")
        assert [line["id"] for line in visitor.state(f"?filter={quote('+14155550123')}")["lines"]] == [last.id]


def test_a_client_that_asks_for_the_root_gets_the_api(visitor: Visitor) -> None:
    """A request for `/` with a key is a mistaken client's: the API's 404, in the log."""
    assert visitor.api("GET", "/") == 404
    assert [request.path for request in visitor.emulator.requests] == ["/"]


def test_a_body_that_is_nested_too_deeply_does_not_stop_the_page(visitor: Visitor) -> None:
    """Whatever a client sends, the state can still be read."""
    for depth in (900, 950, 970, 980, 990, 100_000):
        body = b"[" * depth + b"]" * depth
        visitor.call("PUT", f"{LIST}/{FIRST_ID}", body, {"Authorization": f"Bearer {visitor.emulator.api_key}"})
    assert len(visitor.state()["requests"]) == 6


def test_a_restart_of_the_program_shows() -> None:
    """Another emulator on the same port is another run; the same one, stopped and started, is not."""
    with Emulator() as emulator:
        visitor = Visitor(emulator)
        run = visitor.state()["run"]
    with emulator:
        assert visitor.state()["run"] == run
    with Emulator(port=int(visitor.host.partition(":")[2])):
        assert visitor.state()["run"] != run


def test_there_is_no_page_before_the_start() -> None:
    """An emulator that was never started says so, instead of naming port 0."""
    with pytest.raises(RuntimeError, match="before it was started"):
        _ = Emulator().page_url
