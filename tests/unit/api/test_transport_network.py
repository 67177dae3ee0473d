"""What is between an exchange and the API: proxies, certificates, and their environment variables."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
import trustme
from raw_server import (
    KEY,
    RawServer,
    answering,
    client_to,
    get,
    headers_of,
    http,
    put,
    read_request,
    reset,
    sending,
    silent,
)
from waiting import ending_within

from linq_provider.api.transport import Transport, proxy_of
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError


def tunnel_to(port: int) -> Callable[[RawServer, socket.socket], None]:
    """An HTTP proxy that grants every CONNECT and leads it to a local port."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as target:
            threading.Thread(target=pump, args=(server, connection, target), daemon=True).start()
            pump(server, target, connection)

    return serve


def pump(server: RawServer, source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the end; keeps them."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            server.received.append(chunk)
            target.sendall(chunk)


# Proxies


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_row_30_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """With every proxy variable set, what is meant for this machine stays on it."""
    with RawServer(answering(http())) as server, RawServer(silent) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        transport = Transport(base_url=f"http://{host}:{server.port}", api_key=KEY)
        assert get(transport).status_code == 200
        assert put(transport).status_code == 200
        assert (proxy.connections, proxy.received) == (0, [])


def test_a_request_never_changes_the_environment() -> None:
    """The threads of a fleet send at the same time, and what one of them removes another would miss."""
    changed: list[str] = []
    watching = threading.Event()
    watching.set()
    sys.addaudithook(lambda event, _: changed.append(event) if "putenv" in event and watching.is_set() else None)
    with RawServer(answering(http())) as server:
        transport = Transport(base_url=f"http://127.0.0.1:{server.port}", api_key=KEY)
        assert put(transport).status_code == 200
    watching.clear()
    assert changed == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that is not trusted."""
    return trustme.CA()


def tls_for(authority: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
    """A server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=not_after).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REQUESTS_CA_BUNDLE names the authority."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.mark.usefixtures("trusted")
def test_row_30_https_proxy_is_honoured_and_never_sees_the_key(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is asked for a tunnel to the host, and what it carries is encrypted."""
    tls = tls_for(authority, "api.linq.example")
    with RawServer(answering(http()), tls=tls) as server, RawServer(tunnel_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert get(Transport(base_url="https://api.linq.example", api_key=KEY)).status_code == 200
        assert proxy.received[0].startswith(b"CONNECT api.linq.example:443 HTTP/1.")
        assert KEY.encode() not in b"".join(proxy.received)
        assert headers_of(server.received[0])["authorization"] == f"Bearer {KEY}"


@pytest.mark.usefixtures("trusted")
def test_row_11_the_deadline_holds_through_a_proxy(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted answer that drips through a tunnel ends in time too."""
    drip = sending(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x", pause=0.02, times=5000)
    tls = tls_for(authority, "api.linq.example")
    with RawServer(drip, tls=tls) as server, RawServer(tunnel_to(server.port)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with ending_within(5), pytest.raises(APIConnectionTimeoutError):
            get(Transport(base_url="https://api.linq.example", api_key=KEY), seconds=0.25)


def test_row_30_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that NO_PROXY names is asked for directly, any other through the proxy."""
    with RawServer(reset) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.2")
        with pytest.raises(APIConnectionError, match="Connection refused"):
            get(Transport(base_url="https://127.0.0.2:1", api_key=KEY))
        assert proxy.connections == 0
        with pytest.raises(APIConnectionError):
            get(Transport(base_url="https://127.0.0.3:1", api_key=KEY))
        assert proxy.received[0].startswith(b"CONNECT 127.0.0.3:1 HTTP/1.")


def test_row_30_a_proxy_that_asks_for_a_login_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """407: one attempt, and the hint names the variables; the proxy's own login is not printed."""
    asks = answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    with RawServer(asks) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError) as caught:
            client_to("https://api.linq.example").set_forwarding_number("line", "")
        assert proxy.connections == 1
    assert str(caught.value) == (
        "PUT /v3/phone_numbers/line: the proxy asks for a login (407). Check HTTPS_PROXY and NO_PROXY."
    )
    assert "hunter2" not in str(caught.value)
    assert KEY.encode() not in b"".join(proxy.received)


def test_row_30_a_proxy_that_resets_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like any other connection error: max_retries more attempts; the proxy's login is not printed."""
    with RawServer(reset) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError) as caught:
            client_to("https://api.linq.example", max_retries=2).list_phone_numbers()
        assert proxy.connections == 3
    assert "hunter2" not in str(caught.value)


def test_row_30_a_proxy_on_a_port_that_looks_like_407_is_not_taken_for_a_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A 407 is recognized in the proxy's answer, not in its address."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:407")
    with pytest.raises(APIConnectionError) as caught:
        get(Transport(base_url="https://api.linq.example", api_key=KEY))
    assert str(caught.value) == (
        "GET /v3/phone_numbers: no connection to api.linq.example:443, the address in linq:baseUrl (at the proxy:"
        " Connection refused). Check linq:baseUrl, the network and HTTPS_PROXY, then run the command again."
    )
    assert caught.value.transient


@pytest.mark.parametrize("proxy", ["http://", "http://[", "http:///", "nonsense://x"])
def test_row_30_a_proxy_that_is_no_address_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """One attempt that sends nothing, and a hint at the variable."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(APIConnectionError) as caught:
        get(Transport(base_url="https://api.linq.example", api_key=KEY))
    assert str(caught.value) == (
        "GET /v3/phone_numbers: an address cannot be used. Check linq:baseUrl, HTTPS_PROXY and ALL_PROXY."
    )
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("base_url", "no_proxy", "proxy"),
    [
        ("https://api.linq.example", "", "http://gateway.example:8080"),
        ("https://api.linq.example", "linq.example", None),
        ("https://localhost:1234", "", None),
        ("https://127.0.0.1", "elsewhere.example", None),
    ],
)
def test_the_proxy_of_a_request_is_known(
    monkeypatch: pytest.MonkeyPatch, base_url: str, no_proxy: str, proxy: str | None
) -> None:
    """`doctor` reports what a request does: NO_PROXY counts, and this machine needs no proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://gateway.example:8080")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_of(base_url) == proxy


# Certificates


def test_row_12_an_unknown_authority_is_refused_in_one_attempt(authority: trustme.CA) -> None:
    """For a list and for a write: no byte of the request is sent, and the hint names REQUESTS_CA_BUNDLE."""
    with RawServer(answering(http()), tls=tls_for(authority, "127.0.0.1")) as server:
        client = client_to(f"https://127.0.0.1:{server.port}")
        with pytest.raises(APIConnectionError, match=r"TLS.*REQUESTS_CA_BUNDLE"):
            client.list_phone_numbers()
        assert server.connections == 1
        with pytest.raises(APIConnectionError, match=r"TLS.*REQUESTS_CA_BUNDLE") as caught:
            client.set_forwarding_number("line", "+12025559999")
        assert server.connections == 2
        assert server.received == []
    assert "may have been applied" not in str(caught.value)


def test_row_12_a_self_signed_certificate_is_refused_in_one_attempt(authority: trustme.CA) -> None:
    """A server with a self-signed certificate; the message says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as certificate, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    with RawServer(answering(http()), tls=context) as server:
        with pytest.raises(APIConnectionError, match=r"TLS.*self.signed certificate.*REQUESTS_CA_BUNDLE"):
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert (server.connections, server.received) == (1, [])


@pytest.mark.usefixtures("trusted")
def test_row_12_requests_ca_bundle_is_honoured(authority: trustme.CA) -> None:
    """A company's own authority can be trusted."""
    with RawServer(answering(http()), tls=tls_for(authority, "127.0.0.1")) as server:
        assert client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers() == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("names", "not_after", "said"),
    [
        (("127.0.0.1",), datetime(2020, 1, 1, tzinfo=timezone.utc), "expired"),
        (("other.example",), None, "not valid for|mismatch|doesn't match"),
    ],
    ids=["expired", "wrong-host"],
)
def test_row_12_a_certificate_that_does_not_fit_is_refused_in_one_attempt(
    authority: trustme.CA, names: tuple[str, ...], not_after: datetime | None, said: str
) -> None:
    """Expired or for another host, from an authority that is trusted: the message says which."""
    with RawServer(answering(http()), tls=tls_for(authority, *names, not_after=not_after)) as server:
        with pytest.raises(APIConnectionError, match=f"TLS.*({said}).*Check linq:baseUrl"):
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert server.connections == 1
        assert server.received == []


def test_row_12_plain_http_on_a_tls_port_is_refused_in_one_attempt() -> None:
    """A server that does not speak TLS never gets the key in plaintext."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with RawServer(serve) as server:
        with pytest.raises(APIConnectionError) as caught:
            client_to(f"https://127.0.0.1:{server.port}").list_phone_numbers()
        assert re.sub("[A-Z]+_[A-Z_]+_NUMBER|HTTP_REQUEST", "REASON", str(caught.value)) == (
            "GET /v3/phone_numbers: the TLS connection was refused: REASON. Check linq:baseUrl; if your company has"
            " its own certificate authority, set REQUESTS_CA_BUNDLE to its file."
        )
        assert server.connections == 1
        assert KEY.encode() not in b"".join(server.received)


def test_row_12_a_tls_handshake_that_breaks_off_is_tried_again() -> None:
    """A closed connection does not mean a bad certificate: max_retries more attempts are made."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(connection.recv(65536))

    with RawServer(serve) as server:
        with pytest.raises(APIConnectionError, match="the connection failed"):
            client_to(f"https://127.0.0.1:{server.port}", max_retries=2).list_phone_numbers()
        assert server.connections == 3


def test_row_12_a_bundle_that_is_not_there_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mistyped REQUESTS_CA_BUNDLE is named, at once."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(APIConnectionError) as caught:
        get(Transport(base_url="https://127.0.0.1:1", api_key=KEY))
    assert str(caught.value) == (
        "GET /v3/phone_numbers: the certificate authorities could not be read. Check REQUESTS_CA_BUNDLE and"
        " CURL_CA_BUNDLE."
    )
    assert not caught.value.transient
