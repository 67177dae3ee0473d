"""The emulator as tests use it: start and stop it, read and edit its lines, and make requests fail."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from linq_provider.emulator.api import BASE_PATH, Api
from linq_provider.emulator.faults import Fault
from linq_provider.emulator.incoming import Limits
from linq_provider.emulator.log import RecordedRequest
from linq_provider.emulator.numbers import EmulatedNumber, default_id
from linq_provider.emulator.page import Page
from linq_provider.emulator.service import FaultScript, RateLimit, Service
from linq_provider.emulator.state import Clock, open_account
from linq_provider.emulator.visit import Hosts
from linq_provider.emulator.wire import HOST, Server

if TYPE_CHECKING:
    from typing_extensions import Self


class Emulator:
    """Linq's phone number API on 127.0.0.1, with lines and tokens of its own.

        with Emulator(numbers=3) as emulator:
            emulator.url, emulator.api_key, emulator.phone_numbers, emulator.requests

    Args:
        numbers: how many lines, with the same ids and numbers on every machine; or the lines
            themselves as dicts with `id`, `phone_number` and, if wanted, `forwarding_number`
            and `line_type`.
        port: 0 uses a free one, which the emulator keeps when it is stopped and started again.
        state: a JSON file that holds lines and tokens: read if it exists (`numbers` is then
            ignored), replaced after each change.
        api_key: the token that sees every line; by default one derived from `seed`. Only it and
            tokens from `create_token` are accepted; any other is answered with 401.
        delay: seconds before each answer; the request is carried out first.
        rate_limit: requests per second, even if sent all at once; more are answered with 429/1007.
        seed: each seed is another account, with other numbers, ids and default API key. It also
            determines trace ids and which row of a list a fault changes.
        clock: monotonic seconds, for `requests`, the rate limit and lists that lag behind; a test
            that sets it need not sleep.

    Raises:
        ValueError: the state file was not written by an emulator, two lines have one id or number,
            or the key is not visible ASCII.
        OSError: from `start()`, when the port is taken.

    """

    def __init__(
        self,
        numbers: int | Iterable[Mapping[str, Any]] = 3,
        *,
        port: int = 0,
        state: str | Path | None = None,
        api_key: str | None = None,
        delay: float = 0.0,
        rate_limit: float | None = None,
        seed: int = 0,
        clock: Clock = time.monotonic,
    ) -> None:
        path = None if state is None else Path(state)
        self._account = open_account(path, numbers=numbers, api_key=api_key, seed=seed, clock=clock)
        self._seed = seed
        self._port = port
        self._hosts = Hosts()
        self._server: Server | None = None
        limit = RateLimit(rate_limit, clock=clock)
        faults = FaultScript(seed=seed)
        self._service = Service(Api(self._account, seed=seed), limit, faults, delay=delay, clock=clock)
        self._page = Page(self._account, self._service, self._hosts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen and serve; may be called again after `stop()`."""
        if self._server is not None:
            raise RuntimeError("the emulator already runs")
        self._server = Server(self._service, self._page, self._hosts, port=self._port, limits=Limits())
        self._port = self._server.port
        self._server.start()
        return self

    def stop(self) -> None:
        """Close every connection at once, even those that hang or are idle; does nothing if already stopped."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    @property
    def url(self) -> str:
        """The base URL, for `linq:baseUrl` or LINQ_API_V3_BASE_URL."""
        return f"{self._root}{BASE_PATH}"

    @property
    def page_url(self) -> str:
        """The page for a browser, which shows lines and requests, and can edit lines and set faults."""
        return f"{self._root}/"

    @property
    def api_key(self) -> str:
        """The token that sees every line; only it and the tokens of `create_token` are accepted."""
        return self._account.api_key

    @property
    def delay(self) -> float:
        """Seconds before each answer; may be set at any time."""
        return self._service.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._service.delay = seconds

    @property
    def rate_limit(self) -> float | None:
        """Requests per second, None for no limit; may be set at any time. ValueError for 0 or less."""
        return self._service.limit.rate

    @rate_limit.setter
    def rate_limit(self, rate: float | None) -> None:
        self._service.limit = RateLimit(rate, clock=self._service.clock)

    @property
    def phone_numbers(self) -> list[EmulatedNumber]:
        """The lines as they are now."""
        return list(self._account.lines.values())

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests that arrived since the start or `clear_requests()`, oldest first.

        The newest 50,000 are kept, or fewer if their paths and bodies exceed 10 MB; older ones are dropped.
        """
        return self._service.log.kept()

    def clear_requests(self) -> None:
        """Drop the requests that arrived so far."""
        self._service.log.clear()

    def forwarding(self, line: str) -> str:
        """What the line (id or phone number) forwards to, "" for not forwarded; KeyError for an unknown line."""
        return self._account.find(line).forwarding_number or ""

    def set_forwarding(self, line: str, number: str | None) -> None:
        """Change a line by hand, as in Linq's dashboard: the number is not checked, and no request is logged."""
        self._account.set_forwarding(line, number)

    def add_number(
        self,
        phone_number: str,
        forwarding_number: str | None = None,
        *,
        phone_number_id: str | None = None,
        line_type: str | None = "iMessage",
    ) -> EmulatedNumber:
        """Add a line to the account; ValueError if its number or id is already there."""
        line = phone_number_id or default_id(phone_number, seed=self._seed)
        number = EmulatedNumber(line, phone_number, forwarding_number or None, line_type)
        self._account.add(number)
        return number

    def add_second_id(self, line: str, phone_number_id: str | None = None) -> EmulatedNumber:
        """List the number of this line a second time, under another id; each id then has its own forwarding.

        The number alone still means the first one. ValueError if the id is already there.
        """
        old = self._account.find(line)
        second = replace(old, id=phone_number_id or self._next_id(old))
        self._account.add_second_id(second)
        return second

    def change_id(self, line: str, phone_number_id: str | None = None) -> EmulatedNumber:
        """Give the line another id: its number and forwarding stay, and the old id is answered with 404.

        Tokens that see the line still see it. ValueError if another line has the id.
        """
        old = self._account.find(line)
        return self._account.change_id(old.id, phone_number_id or self._next_id(old))

    def remove_number(self, line: str) -> None:
        """Remove a line (id or phone number) from the account."""
        self._account.remove(line)

    def create_token(self, lines: Iterable[str] | None = None, *, can_write: bool = True) -> str:
        """A new token that sees these lines (ids or phone numbers; None: all)."""
        return self._account.create_token(lines, can_write=can_write)

    def revoke_token(self, token: str) -> None:
        """Revoke a token, or the API key itself."""
        self._account.revoke_token(token)

    def fail(
        self,
        fault: Fault | str,
        *,
        times: int | None = 1,
        method: str | None = None,
        path_contains: str | None = None,
    ) -> None:
        """Give the fault to the next `times` matching requests (None: to all, until `clear_faults()`).

        A fault may be given by its name, as for `--fault`; ValueError for an unknown name, KeyError
        for a fault about a line that is not on the account.
        """
        fault = Fault.parse(fault) if isinstance(fault, str) else fault
        self._require_line(fault)
        self._service.faults.add(fault, times=times, method=method, path_contains=path_contains)

    def fail_randomly(self, rate: float, faults: Iterable[Fault], seed: int = 0) -> None:
        """Give one of the faults to a share `rate` (0 to 1) of the requests: the same ones for the same seed."""
        chosen = tuple(faults)
        for fault in chosen:
            self._require_line(fault)
        self._service.faults.add_random(rate, chosen, seed=seed)

    def clear_faults(self) -> None:
        """Remove every fault; a request that already hangs continues to hang."""
        self._service.faults.clear()

    def allow_host(self, host: str) -> None:
        """Accept requests whose Host header is this `NAME:PORT`, for a forwarded port or a proxy.

        Without it, only 127.0.0.1, localhost and [::1] with the emulator's own port are accepted; other hosts
        are answered with 403. ValueError for anything but a name or address, with or without a port.
        """
        self._hosts.allow(host)

    def _require_line(self, fault: Fault) -> None:
        if fault.view is not None and fault.view.line is not None:
            self._account.find(fault.view.line)

    def _next_id(self, number: EmulatedNumber) -> str:
        return default_id(f"{number.phone_number}/{number.id}", seed=self._seed)

    @property
    def _root(self) -> str:
        if not self._port:
            raise RuntimeError("the emulator has no URL before it was started")
        return f"http://{HOST}:{self._port}"
