"""One HTTP exchange with a deadline. Knows `requests`, alone: import this module where a request is made."""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from linq_provider._version import __version__
from linq_provider.api.answers import Answer
from linq_provider.config import LOOPBACK_HOSTS
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError, plain

CONNECT_TIMEOUT = 5.0  # seconds; as in Linq's own SDKs
READ_TIMEOUT = 30.0  # seconds without a byte; the calls of this API answer in well under one
CHUNK = 64 * 1024  # bytes


def proxy_of(base_url: str) -> str | None:
    """The proxy of the environment that a request to `base_url` goes through, as it is written there."""
    no_proxy = "*" if _is_loopback(base_url) else None
    return requests.utils.select_proxy(base_url, requests.utils.get_environ_proxies(base_url, no_proxy=no_proxy))


class Transport:
    """Keep-alive sessions, one a thread, to one API root with one bearer token."""

    def __init__(self, *, base_url: str, api_key: str) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._local = threading.local()
        # Weak: a session and its connection end with the thread that they belong to.
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._proxies = {"no_proxy": "*"} if _is_loopback(base_url) else None

    def exchange(
        self, method: str, path: str, *, json: Mapping[str, Any] | None, seconds: float, max_bytes: int
    ) -> Answer:
        """Send one request and read its answer within `seconds`; never follows a redirect or reads netrc.

        Raises:
            APIConnectionError: no complete answer; its `transient` says whether another attempt can help.
        """
        with _Watchdog(seconds) as watchdog:
            try:
                answer = self._send(method, path, json=json, seconds=seconds, max_bytes=max_bytes)
                if watchdog.expired:  # a shut socket can look like the end of the answer
                    raise requests.Timeout
                return answer
            except Exception as error:
                raise _translated(error, method, path, timed_out=watchdog.expired) from error

    def close(self) -> None:
        """Close every session."""
        for session in list(self._sessions):
            session.close()

    def _send(
        self, method: str, path: str, *, json: Mapping[str, Any] | None, seconds: float, max_bytes: int
    ) -> Answer:
        with self._session().request(
            method,
            self._base_url + path,
            json=json,
            auth=self._authorize,
            allow_redirects=False,
            stream=True,
            proxies=self._proxies,
            timeout=(min(CONNECT_TIMEOUT, seconds), min(READ_TIMEOUT, seconds)),
        ) as response:
            body, problem = bytearray(), ""
            try:
                for chunk in response.iter_content(CHUNK):
                    body += chunk
                    if len(body) > max_bytes:
                        problem = f"an answer larger than {max_bytes} bytes"
                        break
            except requests.exceptions.ContentDecodingError:
                problem = "an answer in a broken encoding"
            return Answer(response.status_code, response.headers, bytes(body), problem)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called for each request: what netrc says of the host would replace a header of the session."""
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _Session()
            session.headers["User-Agent"] = f"linq-provider/{__version__}"
            session.headers["Accept"] = "application/json"
            session.mount("http://", _Adapter(max_retries=0))
            session.mount("https://", _Adapter(max_retries=0))
            self._sessions.add(session)
        return session


def _is_loopback(base_url: str) -> bool:
    """A proxy of the environment must not see what is meant for this machine."""
    return urlsplit(base_url).hostname in LOOPBACK_HOSTS


class _Session(requests.Session):
    """Blind to redirects: even one that is not followed would be parsed, and its body read without limit."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Watchdog:
    """Ends the calling thread's exchange after `seconds` by shutting its socket.

    A read timeout starts again with every byte, so a server that drips bytes would hold a call for ever.
    """

    _of_thread = threading.local()

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self.connection: HTTPConnection | None = None
        self._over = threading.Event()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> _Watchdog:
        self._of_thread.watchdog = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._timer.cancel()
        self._of_thread.watchdog = None

    @classmethod
    def watch(cls, connection: HTTPConnection) -> None:
        watchdog = getattr(cls._of_thread, "watchdog", None)
        if watchdog is not None:
            watchdog.connection = connection

    def _expire(self) -> None:
        self.expired = True
        while not self._over.is_set():  # the socket may come into being only now
            sock = self.connection.sock if self.connection is not None else None
            if sock is not None:
                # Not SSLSocket.shutdown: it would go on in plaintext.
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            self._over.wait(0.05)


class _Watched:
    """A connection that the thread's watchdog knows of."""

    def connect(self) -> None:
        _Watchdog.watch(self)  # type: ignore[arg-type]
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        _Watchdog.watch(self)  # type: ignore[arg-type]
        super().request(*args, **kwargs)  # type: ignore[misc]


@cache
def _watched(connection: Any) -> Any:
    """The same kind of connection, for HTTP, HTTPS or SOCKS, under watch."""
    return type(connection.__name__, (_Watched, connection), {})


class _Adapter(HTTPAdapter):
    """requests' adapter, with connections that a watchdog can end."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _watched(type(pool).ConnectionCls)
        return pool


def _translated(error: Exception, method: str, path: str, *, timed_out: bool) -> APIConnectionError:
    """The one place where an exception of `requests` or below becomes ours."""
    asked = f"{method} {path}"
    causes = list(_causes(error))
    # A body that stops coming is a ConnectionError to requests, with urllib3's timeout behind it.
    if timed_out or any(isinstance(cause, requests.Timeout | ReadTimeoutError) for cause in causes):
        return APIConnectionTimeoutError(
            f"{asked}: no complete answer in time.",
            next_step="Check the network and linq:baseUrl, or allow more seconds with linq:timeout.",
        )
    if problem := _never_sent(error, causes):
        return APIConnectionError(f"{asked}: {problem[0]}.", next_step=problem[1], transient=False)
    if isinstance(error, OSError | HTTPError):
        return APIConnectionError(
            f"{asked}: the connection failed ({_reason(causes)}).",
            next_step="Check the network, HTTPS_PROXY and linq:baseUrl, then run the command again.",
        )
    said = f"{asked}: the request could not be made ({type(error).__name__})."
    return APIConnectionError(said, next_step="Please report this.", transient=False)


def _never_sent(error: Exception, causes: list[BaseException]) -> tuple[str, str] | None:
    """What is wrong and the next step, where another attempt would fail in the same way before it sends."""
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    ended = isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    if isinstance(error, requests.exceptions.SSLError) and not ended:
        reason = getattr(tls, "verify_message", "") or getattr(tls, "reason", "") or causes[-1]
        return f"the TLS connection was refused: {plain(str(reason))}", (
            "Check linq:baseUrl; a company's own certificate authority belongs into REQUESTS_CA_BUNDLE."
        )
    if any("Tunnel connection failed: 407" in str(cause) for cause in causes):
        return "the proxy asks for a login (407)", "Check HTTPS_PROXY and NO_PROXY."
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return "an address cannot be used", "Check linq:baseUrl, HTTPS_PROXY and ALL_PROXY."
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException) and not error.errno:
        return "the certificate authorities could not be read", "Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
    return None


def _causes(error: BaseException) -> Any:
    """`error` and what lies behind it; urllib3 keeps causes in `reason` and in `args`."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            queue += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _reason(causes: list[BaseException]) -> str:
    """What the operating system said: unlike the library's own text, it never quotes a header or a proxy."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return plain(cause.strerror)
    return type(causes[-1]).__name__
