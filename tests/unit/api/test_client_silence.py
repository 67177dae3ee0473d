"""A host that was never reached is given up soon, and a long wait is always reported to the user."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Any

import pytest
from clients import LINE, NEW, FakeTime, client_of, methods
from raw_server import KEY, RawServer, answering, http, silent
from waiting import ending_within, wait_until

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError, LinqError

SOURCES = {
    "linq:baseUrl": "the address in linq:baseUrl",
    "LINQ_API_V3_BASE_URL": "the address in LINQ_API_V3_BASE_URL",
    "the default": "Linq's own address, the default of linq:baseUrl",
}


@pytest.fixture
def nobody() -> str:
    """An address of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def client_at(
    base_url: str, fake: FakeTime | None, *, told: list[str] | None = None, source: str = "linq:baseUrl", **more: Any
) -> LinqClient:
    """A client of this address, on a clock that only sleeping moves."""
    settings = Settings(KEY, "linq:apiKey", base_url=base_url, base_url_source=source, **more)
    notify = (told if told is not None else []).append
    if fake is None:
        return LinqClient(settings, notify=notify)
    return LinqClient(settings, clock=fake.clock, sleep=fake.sleep, notify=notify)


def unresolved(*_: object, **__: object) -> None:
    """A fake for the resolver of a machine that does not know the name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


# Given up within 15 seconds


@pytest.mark.parametrize("source", SOURCES)
def test_a_host_that_refuses_is_given_up_within_15_seconds(fake: FakeTime, nobody: str, source: str) -> None:
    """The message names host, port and where the address comes from, and is followed by what to check."""
    with pytest.raises(APIConnectionError) as caught:
        client_at(f"http://{nobody}", fake, source=source).list_phone_numbers()
    assert fake.now - 1000 <= 15
    assert str(caught.value).startswith(
        f"GET /v3/phone_numbers: no connection to {nobody}, {SOURCES[source]} (Connection refused)."
    )
    assert caught.value.next_step.startswith("Check ")


@pytest.mark.parametrize(
    ("base_url", "named"),
    [
        ("https://api.linqapp.com/api/partner", "api.linqapp.com:443"),
        ("https://gateway.example:8443/x", "gateway.example:8443"),
    ],
)
def test_a_name_that_does_not_resolve_is_given_up_within_15_seconds(
    fake: FakeTime, monkeypatch: pytest.MonkeyPatch, base_url: str, named: str
) -> None:
    """With the port, also where the address leaves it out."""
    monkeypatch.setattr("socket.getaddrinfo", unresolved)
    with pytest.raises(APIConnectionError, match=rf"no connection to {named}, .* \(Name or service not known\)"):
        client_at(base_url, fake).list_phone_numbers()
    assert fake.now - 1000 <= 15


def test_a_write_to_a_host_that_refuses_is_given_up_within_15_seconds(fake: FakeTime, nobody: str) -> None:
    """Nothing was sent, so there is nothing to look for, and no talk of what may have been applied."""
    with pytest.raises(APIConnectionError, match="no connection to") as caught:
        client_at(f"http://{nobody}", fake).set_forwarding_number(LINE, NEW)
    assert fake.now - 1000 <= 15
    assert not caught.value.may_be_applied
    assert "may have been applied" not in str(caught.value)


def test_a_proxy_that_refuses_the_tunnel_is_given_up_within_15_seconds(
    fake: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that only the proxy can resolve, and does not."""
    with RawServer(answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError, match=r"no connection to gateway\.example:443") as caught:
            client_at("https://gateway.example", fake).set_forwarding_number(LINE, NEW)
    assert fake.now - 1000 <= 15
    assert not caught.value.may_be_applied


def test_a_host_that_answered_before_has_all_the_time(emulator: Emulator, fake: FakeTime) -> None:
    """It is there, so an outage of a minute is sat out: with seven retries as always."""
    with Emulator(1) as running:
        client = client_of(running, fake)
        client.list_phone_numbers()
    with pytest.raises(APIConnectionError, match="no connection to"):
        client.list_phone_numbers()
    assert len(fake.slept) == 7


def test_an_answer_with_an_error_is_an_answer(fake: FakeTime) -> None:
    """A server that answers 500 counts as reached."""
    with Emulator(1) as running:
        running.fail(Fault.server_error(), times=None)
        client = client_of(running, fake, max_retries=0)
        with pytest.raises(LinqError, match="HTTP 500"):
            client.list_phone_numbers()
        assert client._reached


def test_a_host_that_comes_up_meanwhile_is_used(fake: FakeTime) -> None:
    """Refused at first, and answered within the 15 seconds: success."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with contextlib.ExitStack() as stack:

        def sleep(seconds: float) -> None:
            fake.sleep(seconds)
            if len(fake.slept) == 2:
                running = Emulator(1, port=port)
                stack.enter_context(running)
                keys.append(running.api_key)

        keys: list[str] = []
        settings = Settings(KEY, "linq:apiKey", base_url=f"http://127.0.0.1:{port}/api/partner")
        client = LinqClient(settings, clock=fake.clock, sleep=sleep)
        with pytest.raises(LinqError, match="HTTP 401"):  # the emulator has another key: it was reached
            client.list_phone_numbers()
    assert len(fake.slept) == 2


def test_a_look_up_that_hangs_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver cannot be stopped, so the call goes on without it."""
    monkeypatch.setattr("linq_provider.api.client.UNREACHED", 0.2)
    hanging = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        hanging.wait(5)
        unresolved()

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    with pytest.raises(APIConnectionTimeoutError, match=r"no connection to gateway\.example:443, .* \(timed out\)"):
        client_at("https://gateway.example", None).list_phone_numbers()
    assert not hanging.is_set()
    hanging.set()


@pytest.mark.skipif(sys.platform != "linux", reason="fills a queue of connections as Linux keeps it")
def test_many_addresses_that_swallow_everything_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with twenty addresses is given up as soon as one with a single address."""
    monkeypatch.setattr("linq_provider.api.client.UNREACHED", 0.5)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = full.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)] * 20
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
        with ending_within(5), pytest.raises(APIConnectionTimeoutError, match="no connection to"):
            client_at(f"https://gateway.example:{address[1]}", None).list_phone_numbers()  # 10 s, if each had all of it


# Told what is waited for


def test_a_quick_call_says_nothing(emulator: Emulator, fake: FakeTime) -> None:
    """Neither one that works, nor one that is tried again within five seconds."""
    told: list[str] = []
    emulator.fail(Fault.rate_limited("4"))
    client_of(emulator, fake, notify=told.append).list_phone_numbers()
    assert told == []


def test_attempts_that_go_on_for_five_seconds_are_told(
    fake: FakeTime, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once before the fifth second is over: what failed, and how long it is tried."""
    monkeypatch.setattr("random.uniform", max)
    told: list[tuple[float, str]] = []
    settings = Settings(KEY, "linq:apiKey", base_url=f"http://{nobody}", base_url_source="linq:baseUrl")
    client = LinqClient(
        settings, clock=fake.clock, sleep=fake.sleep, notify=lambda text: told.append((fake.now - 1000, text))
    )
    with pytest.raises(APIConnectionError):
        client.list_phone_numbers()
    ((at, text),) = told
    assert 0 < at <= 5
    assert text == (
        f"GET /v3/phone_numbers: no connection to {nobody}, the address in linq:baseUrl (Connection refused)."
        f" Trying again, for at most {15 - at:.0f} s more."
    )


def test_a_pause_that_linq_asks_for_is_told_when_it_begins(emulator: Emulator, fake: FakeTime) -> None:
    """With the time that it takes, and not once more by every call that sits it out."""
    told: list[tuple[float, str]] = []
    emulator.fail(Fault.rate_limited("30"))
    client = client_of(emulator, fake, notify=lambda text: told.append((fake.now - 1000, text)))
    client.list_phone_numbers()
    ((at, text),) = told
    assert at == 0
    assert text.startswith("GET /v3/phone_numbers failed: HTTP 429, 1007 Rate limit exceeded")
    assert text.endswith("s.")
    assert "Linq asks for a pause: trying again in 3" in text
    told.clear()
    client._pause(20)
    client.list_phone_numbers()
    assert [text for _, text in told] == ["Linq asks for a pause: GET /v3/phone_numbers waits for 20 s."]


def test_long_waits_are_told_again_and_not_for_every_call(emulator: Emulator, fake: FakeTime) -> None:
    """Two waits one after the other are two lines; calls side by side that wait for the same are one."""
    told: list[str] = []
    client = client_of(emulator, fake, notify=told.append)
    for _ in range(2):
        client._pause(20)
        client.list_phone_numbers()
    assert len(told) == 2
    told.clear()
    client._sleep = lambda _: fake.sleep(1)
    client._pause(20)
    client.list_phone_numbers()
    assert len(told) <= 2


@pytest.mark.parametrize("serve", [silent, answering(http()[:-5])], ids=["no byte", "half an answer"])
def test_an_answer_that_does_not_come_is_told_while_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    """Although the thread that waits can say nothing itself."""
    monkeypatch.setattr("linq_provider.api.notices.TELL_AFTER", 0.05)
    told: list[str] = []
    with RawServer(serve) as server:
        client = client_at(f"http://127.0.0.1:{server.port}", None, told=told)
        thread = threading.Thread(target=failing, args=(client,))
        thread.start()
        wait_until(lambda: told)
        assert thread.is_alive()
    thread.join(10)
    client.close()
    assert told[0] == f"Still waiting for the answer of 127.0.0.1:{server.port} to GET /v3/phone_numbers."


def failing(client: LinqClient) -> None:
    """Make a request, and ignore its result."""
    with contextlib.suppress(LinqError):
        client.list_phone_numbers()


def test_the_look_after_a_write_is_told_too(emulator: Emulator, fake: FakeTime) -> None:
    """A long write is reported as one write."""
    told: list[str] = []
    emulator.fail(Fault.server_error(), times=None, method="PUT")
    with pytest.raises(LinqError):
        client_of(emulator, fake, notify=told.append).set_forwarding_number(LINE, NEW)
    assert methods(emulator) == ["PUT"] * 8 + ["GET"]
    assert told
    assert all(text.startswith(f"PUT /v3/phone_numbers/{LINE} failed: HTTP 500") for text in told)
