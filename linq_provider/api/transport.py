"""One HTTP exchange with a deadline. Only this module uses `requests`; import it where a request is made.

`requests` reads the environment's proxies and certificates, and prepares the connections. The requests go directly to
`urllib3`, on which it is built: sent by `requests`, each took a third more of this process's time.
"""

from __future__ import annotations

import json
import math
import os
import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TimedOut

from linq_provider._version import __version__
from linq_provider.api.answers import Answer
from linq_provider.api.deadline import Watchdog, watched
from linq_provider.config import DEFAULT_SOURCE, LOOPBACK_HOSTS
from linq_provider.errors import APIConnectionError, APIConnectionTimeoutError, plain

CONNECT_TIMEOUT = 5.0  # seconds; as in Linq's own SDKs
READ_TIMEOUT = 30.0  # seconds without a byte; the calls of this API answer in well under one
CHUNK = 64 * 1024  # bytes
# The only encoding that is requested and accepted: others depend on packages that this one does not choose, and
# urllib3's deflate keeps a whole stream in memory that unpacks to nothing.
ENCODING = "gzip"


def proxy_of(base_url: str) -> str | None:
    """The environment's proxy for requests to `base_url`, as it is written there."""
    return requests.utils.select_proxy(base_url, _proxies_of(base_url))


class Transport:
    """Keep-alive connections, one per thread, to one API root with one bearer token."""

    def __init__(self, *, base_url: str, api_key: str, base_url_source: str = "linq:baseUrl") -> None:
        self._base_url = base_url
        self._source = base_url_source
        self._headers = {
            "User-Agent": f"linq-provider/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": ENCODING,
            "Connection": "keep-alive",
            "Authorization": f"Bearer {api_key}",
        }
        self._local = threading.local()
        # Weak, so that the connections of a thread end with it.
        self._pools: weakref.WeakSet[HTTPConnectionPool] = weakref.WeakSet()
        # The environment is read once, because that is slow. `requests.Session` reads it for each request. For this
        # machine it also changes the environment for a moment, which two threads must not do at the same time.
        self._proxies = _proxies_of(base_url)
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True

    @cached_property
    def host_and_port(self) -> str:
        """The host and port of the API root, even if the address has no port."""
        url = urlsplit(self._base_url)
        return url.netloc if url.port else f"{url.netloc}:{443 if url.scheme == 'https' else 80}"

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None,
        seconds: float,
        max_bytes: int,
        connect_seconds: float = math.inf,
        after: tuple[float, Callable[[], None]] = (math.inf, lambda: None),
    ) -> Answer:
        """Send one request and read its answer within `seconds`; never follows a redirect or reads netrc.

        Looking the host up and connecting may take `connect_seconds` of these. `after` is a number of seconds and a
        function that another thread calls if the exchange takes longer.

        Raises:
            APIConnectionError: no complete answer arrived; `transient` says whether another attempt can help.
        """
        with Watchdog(seconds, connect_seconds=min(seconds, connect_seconds), after=after) as watchdog:
            try:
                answer = self._send(method, path, body=json, seconds=seconds, max_bytes=max_bytes)
                if watchdog.expired:  # a closed socket can look like the end of the answer
                    raise TimedOut
                return answer
            except Exception as error:
                failure = self._translated(error, f"{method} {path}", timed_out=watchdog.expired)
        raise failure  # here, without a cause: an error of `urllib3` can hold the request, with the key

    def close(self) -> None:
        """Close every connection."""
        for pool in list(self._pools):
            pool.close()

    def _send(
        self, method: str, path: str, *, body: Mapping[str, Any] | None, seconds: float, max_bytes: int
    ) -> Answer:
        pool, root = self._connected()
        # Not followed and not retried, not even by urllib3: it would repeat a write.
        with pool.urlopen(
            method,
            root + path,
            body=None if body is None else json.dumps(body).encode(),
            headers=self._headers if body is None else {**self._headers, "Content-Type": "application/json"},
            retries=False,
            redirect=False,
            assert_same_host=False,  # through a proxy, the host is the proxy's
            timeout=Timeout(connect=min(CONNECT_TIMEOUT, seconds), read=min(READ_TIMEOUT, seconds)),
            preload_content=False,
        ) as response:
            content, problem = bytearray(), ""
            if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity", ENCODING):
                problem = "an answer in an encoding that was not asked for"
                return Answer(response.status, response.headers, b"", problem)
            try:
                for chunk in response.stream(CHUNK, decode_content=True):
                    content += chunk
                    if len(content) > max_bytes:
                        problem = f"an answer larger than {max_bytes} bytes"
                        break
            except DecodeError:
                problem = "an answer in a broken encoding"
            return Answer(response.status, response.headers, bytes(content), problem)

    def _connected(self) -> tuple[HTTPConnectionPool, str]:
        """The calling thread's connections, and how each target begins: with a path or, through a proxy, an address."""
        connected: tuple[HTTPConnectionPool, str] | None = getattr(self._local, "connected", None)
        if connected is None:
            request = requests.PreparedRequest()
            request.prepare("GET", self._base_url)
            adapter: Any = HTTPAdapter()
            pool = adapter.get_connection_with_tls_context(request, self._verify, proxies=self._proxies)
            pool.ConnectionCls = watched(pool.ConnectionCls)
            adapter.cert_verify(pool, self._base_url, self._verify, None)
            self._pools.add(pool)
            connected = self._local.connected = pool, adapter.request_url(request, self._proxies).rstrip("/")
        return connected

    def _translated(self, error: Exception, asked: str, *, timed_out: bool) -> APIConnectionError:
        """The one place where an exception of `urllib3`, `requests` or below becomes ours."""
        causes = list(_causes(error))
        timed_out = timed_out or any(map(_is_timeout, causes))
        if not timed_out and (problem := _never_sent(error, causes)):
            return APIConnectionError(f"{asked}: {problem[0]}.", next_step=problem[1], transient=False)
        if any(map(_is_unreachable, causes)):
            return self._unreachable(asked, causes, timed_out=timed_out)
        if timed_out:
            return APIConnectionTimeoutError(
                f"{asked}: no complete answer arrived in time.",
                next_step="Check the network and linq:baseUrl, or allow more seconds with linq:timeout.",
            )
        if isinstance(error, OSError | HTTPError):
            return APIConnectionError(
                f"{asked}: the connection failed ({_reason(causes)}).",
                next_step="Check the network, HTTPS_PROXY and linq:baseUrl, then run the command again.",
            )
        said = f"{asked}: the request could not be made ({type(error).__name__})."
        return APIConnectionError(said, next_step="Please report this.", transient=False)

    def _unreachable(self, asked: str, causes: list[BaseException], *, timed_out: bool) -> APIConnectionError:
        reason = "timed out" if timed_out else _reason(causes)
        proxy = "at the proxy: " if any(isinstance(cause, ProxyError) for cause in causes) else ""
        own = self._source == DEFAULT_SOURCE
        source = "Linq's own address, the default of linq:baseUrl" if own else f"the address in {self._source}"
        return (APIConnectionTimeoutError if timed_out else APIConnectionError)(
            f"{asked}: no connection to {self.host_and_port}, {source} ({proxy}{reason}).",
            next_step=f"Check {'' if own else f'{self._source}, '}the network and HTTPS_PROXY, then run the command"
            " again.",
            unreachable=True,
        )


def _proxies_of(base_url: str) -> dict[str, str]:
    """The environment's proxies for requests to `base_url`; none for this machine."""
    return {} if _is_loopback(base_url) else requests.utils.get_environ_proxies(base_url)


def _is_loopback(base_url: str) -> bool:
    """Whether the address is this machine, whose requests must not go through a proxy."""
    return urlsplit(base_url).hostname in LOOPBACK_HOSTS


def _never_sent(error: Exception, causes: list[BaseException]) -> tuple[str, str] | None:
    """What is wrong, and the next step, if another attempt would fail in the same way before it sends; else None."""
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    ended = isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    if tls is not None and isinstance(error, SSLError) and not ended:
        reason = getattr(tls, "verify_message", None) or tls.reason or tls
        return f"the TLS connection was refused: {plain(str(reason))}", (
            "Check linq:baseUrl; if your company has its own certificate authority, set REQUESTS_CA_BUNDLE to its file."
        )
    if any("Tunnel connection failed: 407" in str(cause) for cause in causes):
        return "the proxy asks for a login (407)", "Check HTTPS_PROXY and NO_PROXY."
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | LocationValueError):
        return "an address cannot be used", "Check linq:baseUrl, HTTPS_PROXY and ALL_PROXY."
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException) and not error.errno:
        return "the certificate authorities could not be read", "Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
    return None


def _is_timeout(cause: BaseException) -> bool:
    """Whether the time ran out; urllib3 derives the error of a refused connection from that of a late one."""
    return isinstance(cause, TimedOut) and not isinstance(cause, NewConnectionError)


def _is_unreachable(cause: BaseException) -> bool:
    """Whether there was no connection; a proxy's refusal can only be recognized by its text."""
    return isinstance(cause, NewConnectionError | ConnectTimeoutError) or "Tunnel connection failed" in str(cause)


def _causes(error: BaseException) -> Any:
    """`error` and its causes; urllib3 keeps causes in `reason` and in `args`."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            queue += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _reason(causes: list[BaseException]) -> str:
    """The operating system's text, which never quotes a header or a proxy, unlike the library's own text."""
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return plain(cause.strerror)
    return type(causes[-1]).__name__
