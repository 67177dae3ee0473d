"""What an exception leads to: however a call fails, neither the key nor a request is behind what is raised."""

from __future__ import annotations

import gc
import gzip
import json
import pickle
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import CodeType, FrameType, FunctionType, ModuleType, TracebackType
from typing import Any

import pytest
import requests
import trustme
from raw_server import KEY, RawServer, answering, client_to, http, reset, sending, silent

from linq_provider.errors import LinqError

PASSWORD = "hunter2-of-the-proxy"
ECHO = f"You sent {KEY}".encode()
STATE = (CodeType, FrameType, FunctionType, ModuleType, TracebackType, type)  # of the program, not of the exception
Serve = Callable[[RawServer, socket.socket], None]


def behind(error: BaseException) -> Iterator[Any]:
    """All that the exception holds: causes, contexts, arguments, attributes, and what these hold in turn."""
    seen: dict[int, Any] = {}
    queue: list[Any] = [error]
    while queue:
        each = queue.pop()
        if id(each) not in seen and not isinstance(each, STATE):
            seen[id(each)] = each
            queue += gc.get_referents(each)
            yield each


def assert_holds_nothing(error: LinqError) -> None:
    """Neither the key, nor the proxy's password, nor an object of `requests` that could hold them."""
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    for held in (*behind(error), *behind(again)):
        assert not isinstance(held, requests.PreparedRequest | requests.Request | requests.Response | requests.Session)
        text = held.decode("latin-1") if isinstance(held, bytes | bytearray) else held
        if isinstance(text, str):
            assert not [secret for secret in (KEY, PASSWORD, "Bearer") if secret in text]


def assert_shows_nothing(error: LinqError) -> None:
    """Nor does a tool that prints a traceback with the variables of each function."""
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert KEY not in shown
    assert PASSWORD not in shown
    assert "Bearer" not in shown


def failed(base_url: str) -> list[LinqError]:
    """What a list and a write end with."""
    caught = []
    client = client_to(base_url, timeout=0.3, max_retries=1)
    for call in (client.list_phone_numbers, lambda: client.set_forwarding_number("line", "+12025559999")):
        with pytest.raises(LinqError) as raised:
            call()
        caught.append(raised.value)
    return caught


def refused_body(status: str, message: bytes) -> bytes:
    """Linq's form of an error."""
    said = message.decode()
    error = {"error": {"status": 401, "code": said, "message": said, "doc_url": said}, "success": False}
    return http(json.dumps({**error, "trace_id": said}).encode(), status=status)


SERVERS: dict[str, Serve] = {
    "401": answering(refused_body("401 Unauthorized", ECHO)),
    "500": answering(refused_body("500 Oops", ECHO)),
    "502 with HTML": answering(http(b"<html>" + ECHO, status="502 Bad Gateway")),
    "a redirect": answering(http(b"", status="302 Found", headers=f"Location: https://{KEY}.example/{KEY}\r\n")),
    "no JSON": answering(http(ECHO)),
    "half of JSON": answering(http(b'{"phone_numbers": [{"id": "' + ECHO)),
    "no UTF-8": answering(http(b"\xff" + ECHO)),
    "NaN": answering(http(b'{"phone_numbers": NaN, "x": "' + ECHO + b'"}')),
    "a digit too many": answering(http(b'{"x": "' + ECHO + b'", "y": ' + b"9" * 5000 + b"}")),
    "a key twice": answering(http(b'{"x": "' + ECHO + b'", "x": 1}')),
    "another shape": answering(http(b'{"phone_numbers": {"x": "' + ECHO + b'"}}')),
    "broken gzip": answering(http(gzip.compress(ECHO)[:-3] + b"abc", headers="Content-Encoding: gzip\r\n")),
    "another encoding": answering(http(ECHO, headers="Content-Encoding: br\r\n")),
    "half an answer": sending(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ECHO),
    "half a chunk": sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n", ECHO),
    "no chunk": sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ECHO + b"\r\n"),
    "no HTTP": sending(b"", ECHO + b"\r\n"),
    "silence": silent,
    "a reset": reset,
}


@pytest.mark.parametrize("name", SERVERS)
def test_row_26_no_answer_leaves_the_key_behind_an_exception(name: str) -> None:
    """Whatever a server repeats, and however its answer breaks off."""
    with RawServer(SERVERS[name]) as server:
        for error in failed(f"http://127.0.0.1:{server.port}"):
            assert_holds_nothing(error)


def untrusted() -> ssl.SSLContext:
    """The TLS context of a server whose certificate is not trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_row_26_no_connection_leaves_the_key_behind_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, not found, not trusted, and each way that a proxy with a login fails: its password is not there either."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    errors = failed(f"http://127.0.0.1:{closed}") + failed("https://no-such-host.invalid")
    with ExitStack() as running:
        tls = running.enter_context(RawServer(answering(http()), tls=untrusted()))
        errors += failed(f"https://127.0.0.1:{tls.port}")
        asks = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        serves = (answering(asks), answering(http(status="503 No")), reset, silent)
        proxies = [running.enter_context(RawServer(serve)) for serve in serves]
        for port in (closed, *(proxy.port for proxy in proxies)):
            monkeypatch.setenv("HTTPS_PROXY", f"http://someone:{PASSWORD}@127.0.0.1:{port}")
            errors += failed("https://api.linq.example")
    assert len(errors) == 16
    for error in errors:
        assert_holds_nothing(error)
        assert_shows_nothing(error)
