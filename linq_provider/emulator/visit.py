"""Which requests the emulator answers: those of clients on this machine, but not of websites in its browser."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email.message import Message

from linq_provider.emulator.api import ACCESS_DENIED, BASE_PATH, ApiError

# `[::1]` is for forwarded ports: the emulator itself listens on 127.0.0.1 only.
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class Hosts:
    """The values of the Host header that are accepted: this machine with our port, and those that were allowed.

    A website can give its own name the address 127.0.0.1; a browser then treats it like the emulator's own page, but
    still sends the website's name as Host.
    """

    def __init__(self) -> None:
        self.port = 0
        self._allowed: frozenset[str] = frozenset()

    def allow(self, host: str) -> None:
        """Accept this name and port too; raises ValueError if it is not written as in a Host header."""
        if not _HOST.fullmatch(host.lower()):
            raise ValueError(f"{host!r} is no host: write NAME:PORT, such as localhost:9000, without http:// and path")
        self._allowed |= {host.lower()}

    def __contains__(self, host: str | None) -> bool:
        """Whether requests for this host are accepted."""
        if host is None:
            return False
        name, colon, port = host.lower().rpartition(":")
        is_ours = name in _LOOPBACK and colon and port == str(self.port)
        # Clients leave out port 80.
        return bool(is_ours) or host.lower() in self._allowed or (self.port == 80 and host.lower() in _LOOPBACK)


@dataclass(frozen=True)
class Visit:
    """What is known about a request before its body is read."""

    method: str
    path: str
    query: str
    host: str | None
    origin: str | None
    fetch_site: str | None
    content_type: str | None
    has_token: bool

    @classmethod
    def of(cls, method: str, target: str, headers: Message) -> Visit:
        """The visit with this request line and these headers; several Host headers count as none."""
        path, _, query = target.partition("?")
        content_type = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        hosts = headers.get_all("Host", [])
        host = hosts[0].strip() if len(hosts) == 1 else None
        origin, fetch_site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        return cls(method, path, query, host, origin, fetch_site, content_type, "Authorization" in headers)

    def is_cross_origin(self) -> bool:
        """Whether a script of another website made the request."""
        return self.origin not in (None, f"http://{self.host}")

    def is_cross_site(self) -> bool:
        """Whether another website made the request in any way, for example as a link or an image."""
        return self.is_cross_origin() or self.fetch_site in ("cross-site", "same-site")


def refusal(visit: Visit, hosts: Hosts) -> ApiError | None:
    """Why the API refuses this request; None if it does not."""
    if visit.host not in hosts:
        message = (
            f"This emulator is http://127.0.0.1:{hosts.port}{BASE_PATH}. It refuses requests for other hosts and ports,"
            " because a website could make them. To reach it by another name or port, start it with"
            " --allow-host NAME:PORT."
        )
    elif visit.is_cross_site():
        message = "Another website made this request in a browser. The emulator refuses such requests."
    else:
        return None
    return replace(ACCESS_DENIED, message=message)
