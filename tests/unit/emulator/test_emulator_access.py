"""Whom the emulator answers: clients with one of its keys, and no website in a browser of the same machine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from linq_provider.emulator import Emulator

LIST = "/api/partner/v3/phone_numbers"
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"
OFFICE = "+12025559999"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator with three lines."""
    with Emulator() as running:
        yield running


def port(emulator: Emulator) -> int:
    """The port that the emulator listens on."""
    return urlsplit(emulator.url).port or 0


def call(
    emulator: Emulator, *headers: tuple[str, str], method: str = "GET", path: str = LIST, body: bytes = b""
) -> tuple[int, Any]:
    """Status and JSON of one call with the key, and with exactly these headers otherwise."""
    connection = http.client.HTTPConnection("127.0.0.1", port(emulator), timeout=5)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Authorization", f"Bearer {emulator.api_key}")
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            connection.putheader(name, value.format(port=port(emulator)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:{port}", "localhost:{port}", "LocalHost:{port}", "[::1]:{port}", " 127.0.0.1:{port}\t"],
)
def test_clients_on_this_machine_are_answered(emulator: Emulator, host: str) -> None:
    """Each name of the loopback is answered with the emulator's port, in any letter case."""
    assert call(emulator, ("Host", host))[0] == 200


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "evil.example:80",
    "127.0.0.1",
    "localhost",
    "127.0.0.1:1",
    "localhost:9000",
    "127.0.0.1:{port}0",
    "127.0.0.1:",
    ":{port}",
    "127.0.0.2:{port}",
    "0.0.0.0:{port}",
    "[::2]:{port}",
    "localhost.evil.example:{port}",
    "127.0.0.1:{port}.evil.example",
    "evil.example@127.0.0.1:{port}",
    "127.0.0.1:{port}, evil.example",
    "",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_another_host_is_refused(emulator: Emulator, host: str) -> None:
    """A name that a website rebound to this machine gets 403, even with the key, and nothing is carried out."""
    assert_refused(emulator, ("Host", host))


def test_a_request_without_a_host_is_refused(emulator: Emulator) -> None:
    """Every client of HTTP/1.1 names the host; a request without one is refused as well."""
    assert_refused(emulator)


@pytest.mark.parametrize("hosts", [["127.0.0.1:{port}", "evil.example"], ["evil.example", "127.0.0.1:{port}"]])
def test_two_hosts_are_refused(emulator: Emulator, hosts: list[str]) -> None:
    """A request that names two hosts is refused, whichever is first."""
    assert_refused(emulator, *(("Host", host) for host in hosts))


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:1"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_another_website_is_refused(emulator: Emulator, header: tuple[str, str]) -> None:
    """A script, link or image of another website, even of another port of this machine, gets 403."""
    assert_refused(emulator, ("Host", "127.0.0.1:{port}"), header)


def assert_refused(emulator: Emulator, *headers: tuple[str, str]) -> None:
    """A read and a write with these headers get 403, do nothing, and leave log, faults and rate limit as they are."""
    emulator.rate_limit = 1
    emulator.fail("503")
    for method, path in (("GET", LIST), ("PUT", f"{LIST}/{FIRST_ID}"), ("OPTIONS", LIST)):
        body = b'{"forwarding_number":"%s"}' % OFFICE.encode()
        status, answer = call(emulator, *headers, method=method, path=path, body=body)
        assert (status, answer["error"]["code"], answer["success"]) == (403, 2005, False)
        assert FIRST_ID not in json.dumps(answer)
    assert emulator.forwarding(FIRST_ID) == ""
    assert emulator.requests == []
    assert call(emulator, ("Host", "127.0.0.1:{port}"))[0] == 503


def test_the_refusal_says_what_to_do(emulator: Emulator) -> None:
    """The message names the address that works, and the option for another one."""
    message = call(emulator, ("Host", "localhost:9000"))[1]["error"]["message"]
    assert emulator.url in message
    assert "--allow-host NAME:PORT" in message


def test_a_forwarded_port_is_answered_once_it_is_allowed(emulator: Emulator) -> None:
    """Another name or port is answered after `allow_host`, in any letter case; others are still refused."""
    emulator.allow_host("localhost:9000")
    emulator.allow_host("Host.Docker.Internal:9000")
    for host, status in [
        ("localhost:9000", 200),
        ("host.docker.internal:9000", 200),
        ("HOST.docker.internal:9000", 200),
        ("localhost:9001", 403),
        ("127.0.0.1:9000", 403),
        ("127.0.0.1:{port}", 200),
    ]:
        assert call(emulator, ("Host", host))[0] == status, host


def test_an_allowed_host_survives_a_restart(emulator: Emulator) -> None:
    """What was allowed is still allowed after `stop` and `start`."""
    emulator.allow_host("localhost:9000")
    emulator.stop()
    with emulator:
        assert call(emulator, ("Host", "localhost:9000"))[0] == 200


@pytest.mark.parametrize(
    "host", ["", "http://localhost:9000", "localhost:9000/api", "*", "a b:1", "localhost:port", "x:"]
)
def test_what_is_no_host_cannot_be_allowed(emulator: Emulator, host: str) -> None:
    """A URL, a pattern or anything else that no Host header holds is refused, with an example."""
    with pytest.raises(ValueError, match=r"is no host: write NAME:PORT, such as localhost:9000"):
        emulator.allow_host(host)


@pytest.mark.parametrize("key", ["", " ", "two words", "schlüssel", "line\nbreak", "tab\t"])
def test_a_key_that_no_client_can_send_is_refused(key: str) -> None:
    """An API key is visible ASCII, so that an empty header, or a part of a key, never opens the account."""
    with pytest.raises(ValueError, match="visible ASCII characters"):
        Emulator(api_key=key)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_made_up_key_is_accepted_once_it_is_given(scheme: str) -> None:
    """The key that the emulator is given opens the account; its default key then does not."""
    with Emulator(api_key="made-up") as emulator:
        for key, status in (("made-up", 200), (Emulator().api_key, 401), ("another", 401)):
            connection = http.client.HTTPConnection("127.0.0.1", port(emulator), timeout=5)
            connection.request("GET", LIST, headers={"Authorization": f"{scheme} {key}"})
            assert connection.getresponse().status == status
            connection.close()
