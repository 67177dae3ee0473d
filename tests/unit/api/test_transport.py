"""One HTTP exchange: what goes over the wire, what does not, and how it can fail."""

from __future__ import annotations

import gc
import gzip
import json
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_server import (
    EMPTY,
    KEY,
    RawServer,
    answering,
    client_to,
    get,
    headers_of,
    http,
    put,
    read_request,
    sending,
    transport_to,
)
from waiting import ending_within, wait_until

from linq_provider._version import __version__
from linq_provider.api.transport import Transport
from linq_provider.config import DEFAULT_SOURCE
from linq_provider.errors import APIConnectionError, APIError, APIResponseValidationError, LinqError

# What is sent


def test_a_get_carries_the_key_the_user_agent_and_no_body() -> None:
    """The request line is the API root's path and the call's; the key goes as a bearer token."""
    with RawServer(answering(http())) as server:
        get(Transport(base_url=f"http://127.0.0.1:{server.port}/api/partner", api_key=KEY))
    headers = headers_of(server.received[0])
    assert server.received[0].startswith(b"GET /api/partner/v3/phone_numbers HTTP/1.1\r\n")
    assert server.received[0].endswith(b"\r\n\r\n")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["user-agent"] == f"linq-provider/{__version__}"
    assert headers["accept"] == "application/json"


def test_a_put_carries_json() -> None:
    """One object with one member, as Linq's API reference shows it."""
    with RawServer(answering(http())) as server:
        put(transport_to(server))
    assert headers_of(server.received[0])["content-type"] == "application/json"
    assert json.loads(server.received[0].partition(b"\r\n\r\n")[2]) == {"forwarding_number": "+12025559999"}


def test_row_30_netrc_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login that ~/.netrc or $NETRC holds for the host does not replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(answering(http())) as server:
        get(transport_to(server))
    assert headers_of(server.received[0])["authorization"] == f"Bearer {KEY}"


def test_cookies_of_the_server_are_not_kept() -> None:
    """Neither the next call nor a call that is tried again, nor one after a redirect, sends a cookie back."""
    cookie = "Set-Cookie: session=abc; Path=/\r\n"
    answers = (
        http(headers=cookie),
        http(status="302 Found", headers=f"Location: /elsewhere\r\n{cookie}"),
        http(status="503 Unavailable", headers=cookie),
        http(),
    )
    with RawServer(answering(*answers)) as server:
        client = client_to(f"http://127.0.0.1:{server.port}")
        client.list_phone_numbers()
        with pytest.raises(APIError, match="redirected"):
            client.list_phone_numbers()
        client.list_phone_numbers()
    assert len(server.received) == 4
    assert [request for request in server.received if "cookie" in headers_of(request)] == []


# Connections


def test_row_20_each_thread_keeps_one_connection_alive() -> None:
    """Many calls of one thread use one connection; two threads use two."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        for _ in range(5):
            get(transport)
        assert server.connections == 1
        other = threading.Thread(target=lambda: [put(transport) for _ in range(5)])
        other.start()
        other.join()
        assert server.connections == 2
        assert len(server.received) == 10


def test_the_connection_of_a_thread_that_ended_is_closed() -> None:
    """A process that uses many short-lived threads does not collect sockets."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        thread = threading.Thread(target=get, args=(transport,))
        thread.start()
        thread.join()

        def has_ended() -> bool:
            gc.collect()  # Python 3.13 may clear what was the thread's own only after the join
            return server.ended.is_set()

        wait_until(has_ended)


def test_close_closes_the_connections_of_all_threads() -> None:
    """Nothing stays open behind a closed transport."""
    with RawServer(answering(http())) as server:
        transport = transport_to(server)
        get(transport)
        transport.close()
        assert server.ended.wait(20)


# The answer and its size


def test_an_answer_of_exactly_the_limit_is_read() -> None:
    """The limit is inclusive."""
    with RawServer(answering(http(b"x" * 1000))) as server:
        assert get(transport_to(server), max_bytes=1000).body == b"x" * 1000


@pytest.mark.parametrize(
    "answer",
    [
        http(b"x" * 1001),
        http(gzip.compress(b"\0" * 1_000_000), headers="Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
    ],
    ids=["plain", "gzip", "chunked"],
)
def test_an_answer_larger_than_the_limit_is_marked_as_such(answer: bytes) -> None:
    """Counted in decoded bytes, however it is packed."""
    with RawServer(answering(answer)) as server:
        assert get(transport_to(server), max_bytes=1000).problem == "an answer larger than 1000 bytes"


def test_the_list_may_have_8_mib_and_no_byte_more() -> None:
    """8 MiB pass the client, one byte more is a typed error after one request."""
    padding = b" " * (8 * 1024 * 1024 - len(EMPTY))
    with RawServer(answering(http(EMPTY + padding), http(EMPTY + padding + b" "))) as server:
        client = client_to(f"http://127.0.0.1:{server.port}")
        assert client.list_phone_numbers() == []
        with pytest.raises(APIResponseValidationError, match="larger than 8388608 bytes"):
            client.list_phone_numbers()
        assert len(server.received) == 2


def test_row_06_of_an_error_page_only_the_beginning_is_read() -> None:
    """The status of a page that is larger than the limit is still reported."""
    with RawServer(answering(http(b"<" * 300_000, status="502 Bad Gateway"))) as server:
        answer = get(transport_to(server), max_bytes=1000)
    assert answer.status_code == 502
    assert len(answer.body) < 200_000


def test_row_13_of_a_redirect_that_never_ends_only_the_beginning_is_read() -> None:
    """A redirect's body has the same limit as any other, and does not last until the deadline."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n"
    with RawServer(sending(head, b"x" * 65536, pause=0.001, times=100_000)) as server, ending_within(5):
        assert get(transport_to(server), seconds=60.0, max_bytes=1000).status_code == 302


@pytest.mark.parametrize(
    "answer",
    [
        http(b"this is no gzip", headers="Content-Encoding: gzip\r\n"),
        http(gzip.compress(EMPTY)[:-3] + b"abc", headers="Content-Encoding: gzip\r\n"),
    ],
    ids=["not-gzip", "checksum"],
)
def test_row_07_a_success_that_cannot_be_decoded_is_a_typed_error(answer: bytes) -> None:
    """Not retried, and never success; after a PUT the outcome is open."""
    with RawServer(answering(answer)) as server:
        with pytest.raises(APIResponseValidationError):
            client_to(f"http://127.0.0.1:{server.port}").list_phone_numbers()
        assert len(server.received) == 1


# Failures


@pytest.mark.parametrize(
    ("source", "named", "check"),
    [
        ("LINQ_BASE_URL", "the address in LINQ_BASE_URL", "LINQ_BASE_URL, "),
        (DEFAULT_SOURCE, "Linq's own address, the default of linq:baseUrl", ""),
    ],
)
def test_a_refused_connection_is_transient_and_says_so_plainly(source: str, named: str, check: str) -> None:
    """In the words of the operating system, without addresses of objects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(APIConnectionError) as caught:
        get(Transport(base_url=f"http://127.0.0.1:{port}", api_key=KEY, base_url_source=source))
    assert str(caught.value) == (
        f"GET /v3/phone_numbers: no connection to 127.0.0.1:{port}, {named} (Connection refused). Check {check}the network"
        " and HTTPS_PROXY, then run the command again."
    )
    assert type(caught.value) is APIConnectionError  # and no timeout
    assert (caught.value.transient, caught.value.unreachable) == (True, True)


def test_a_connection_that_ends_without_an_answer_is_transient_and_says_so_plainly() -> None:
    """Without a text of the operating system, the message names the kind of error."""
    with RawServer(sending(b"")) as server, pytest.raises(APIConnectionError) as caught:
        get(transport_to(server))
    assert str(caught.value) == (
        "GET /v3/phone_numbers: the connection failed (RemoteDisconnected). Check the network, HTTPS_PROXY and"
        " linq:baseUrl, then run the command again."
    )
    assert (caught.value.transient, caught.value.unreachable) == (True, False)
    assert len(server.received) == 1  # only the client tries again, because it knows whether a write may be repeated


def test_a_name_that_cannot_be_resolved_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS may be back in a moment: max_retries more attempts, then a plain sentence."""
    asked: list[object] = []

    def unresolved(*args: object, **_: object) -> None:
        asked.append(args[0])
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", unresolved)
    with pytest.raises(APIConnectionError, match="Temporary failure in name resolution"):
        client_to("https://api.linq.example", max_retries=2).list_phone_numbers()
    assert asked == ["api.linq.example"] * 3


def test_a_request_that_cannot_be_made_is_not_tried_again() -> None:
    """A key that no header can hold: the defect is named, the key is not."""
    with RawServer(answering(http())) as server, pytest.raises(APIConnectionError) as caught:
        get(Transport(base_url=f"http://127.0.0.1:{server.port}", api_key="\u2192"))
    assert str(caught.value) == (
        "GET /v3/phone_numbers: the request could not be made (UnicodeEncodeError). Please report this."
    )
    assert caught.value.transient is False


@settings(
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.binary(max_size=100)
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 302 Found\r\nLocation: " + tail + b"\r\n\r\n")
    | st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail)
    | st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n{}",
            b"HTTP/1.1 99999 \r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n{}",
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
            b"HTTP/1.1 429 Slow\r\nRetry-After: \xd9\xa3\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
        ]
    )
)
def test_row_07_whatever_bytes_come_back_nothing_but_linq_error_leaves(data: bytes) -> None:
    """Status line, headers and body may be anything: an exception of another type never escapes."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)

    with RawServer(serve) as server:
        client = client_to(f"http://127.0.0.1:{server.port}", timeout=1.0, max_retries=0)
        with pytest.raises(LinqError) as caught:
            client.set_forwarding_number("line", "+12025559999")
        assert KEY not in str(caught.value)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("location", [b"http://[", b"http://\xff\xfe/", b"//", b"", b"http://a:b:c/"])
def test_row_13_a_redirect_to_no_address_is_still_an_answer(location: bytes) -> None:
    """Nothing tries to make sense of where it points."""
    with RawServer(
        sending(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
    ) as server:
        assert get(transport_to(server)).status_code == 302
