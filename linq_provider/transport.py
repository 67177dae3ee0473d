"""One HTTP exchange with a deadline. The only module that knows `requests`; import it where a request is made."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from linq_provider._version import __version__
from linq_provider.config import LOOPBACK_HOSTS
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError, plain

CONNECT_TIMEOUT = 5.0  # seconds; as in Linq's own SDKs
READ_TIMEOUT = 30.0  # seconds without a byte; the calls of this API answer in well under one
CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Keep-alive sessions, one a thread, to one API root with one bearer token."""

    def __init__(self, *, base_url: str, api_key: str) -> None:
        self._base_url = base_url
        self._auth = _BearerToken(api_key)
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        # A proxy of the environment must not see what is meant for this machine; `HTTP_PROXY` would capture it.
        loopback = urlsplit(base_url).hostname in LOOPBACK_HOSTS
        self._proxies = {"no_proxy": "*"} if loopback else None

    def exchange(
        self, method: str, path: str, *, json: Mapping[str, Any] | None, seconds: float, max_bytes: int
    ) -> Answer:
        """Send one request and read its whole answer within `seconds`; never follows a redirect or reads netrc.

        Raises:
            APIConnectionError: no complete answer; its `transient` says whether another attempt can help.
        """
        with _Watchdog(seconds) as watchdog:
            try:
                return self._send(method, path, json=json, seconds=seconds, max_bytes=max_bytes)
            except APIConnectionError:
                raise
            except Exception as error:
                raise _translated(error, method, path, timed_out=watchdog.expired) from error

    def close(self) -> None:
        """Close every session."""
        for session in self._sessions:
            session.close()

    def _send(
        self, method: str, path: str, *, json: Mapping[str, Any] | None, seconds: float, max_bytes: int
    ) -> Answer:
        with self._session().request(
            method,
            self._base_url + path,
            json=json,
            auth=self._auth,
            allow_redirects=False,
            stream=True,
            proxies=self._proxies,
            timeout=(min(CONNECT_TIMEOUT, seconds), min(READ_TIMEOUT, seconds)),
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(CHUNK):
                body += chunk
                if len(body) > max_bytes and response.ok:
                    raise _not_retried(f"{method} {path}: the answer is larger than {max_bytes} bytes.")
                if len(body) > max_bytes:  # an error page; its beginning is enough
                    response.close()
                    break
            return Answer(response.status_code, response.headers, bytes(body))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.headers.update({"User-Agent": f"linq-provider/{__version__}", "Accept": "application/json"})
            session.mount("http://", _Adapter(max_retries=0))
            session.mount("https://", _Adapter(max_retries=0))
            self._sessions.append(session)
        return session


class _BearerToken(requests.auth.AuthBase):
    """A callable, because a header would be replaced by what netrc says of the host."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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


class _WatchedHTTP(HTTPConnection):
    def connect(self) -> None:
        _Watchdog.watch(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _Watchdog.watch(self)
        super().request(*args, **kwargs)


class _WatchedHTTPS(HTTPSConnection):
    def connect(self) -> None:
        _Watchdog.watch(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        _Watchdog.watch(self)
        super().request(*args, **kwargs)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    """requests' adapter, with connections that a watchdog can end."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


def _translated(error: Exception, method: str, path: str, *, timed_out: bool) -> APIConnectionError:
    """The one place where an exception of `requests` or below becomes ours."""
    asked = f"{method} {path}"
    if timed_out or isinstance(error, requests.Timeout):
        return APIConnectionTimeoutError(f"{asked}: no complete answer in time.")
    causes = list(_causes(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return _not_retried(
            f"{asked}: the TLS connection was refused: {plain(getattr(tls, 'verify_message', '') or str(tls.reason))}.",
            next_step="Check linq:baseUrl; for a company's own certificate authority set REQUESTS_CA_BUNDLE to its file.",
        )
    if isinstance(error, requests.exceptions.ProxyError) and any("407" in str(cause) for cause in causes):
        return _not_retried(f"{asked}: the proxy asks for a login (407).", next_step="Check HTTPS_PROXY and NO_PROXY.")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError | OSError):
        return APIConnectionError(
            f"{asked}: the connection failed ({_reason(causes)}).",
            next_step="Check the network, HTTPS_PROXY and linq:baseUrl, then run the command again.",
        )
    return _not_retried(f"{asked}: the request could not be made ({type(error).__name__}).")


def _not_retried(message: str, *, next_step: str = "") -> APIConnectionError:
    return APIConnectionError(message, next_step=next_step, transient=False)


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
    """What the operating system said, which unlike the library's own text never quotes a header or a proxy."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return plain(cause.strerror)
    return type(causes[-1]).__name__
