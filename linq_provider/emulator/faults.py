"""What can go wrong with one request, each as a value: `emulator.fail(Fault.server_error())`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from linq_provider.emulator import lists
from linq_provider.emulator.api import PHRASES, RATE_LIMITED, SERVER_ERROR, Answer, ApiError
from linq_provider.emulator.lists import ListView, RowChange

Wire = Literal[
    "whole",
    "hang",
    "hang-after-headers",
    "drip",
    "reset-unread",
    "reset",
    "reset-mid-body",
    "truncated",
    "close-idle",
    "close-on-reuse",
]
_COMPLETE: tuple[Wire, ...] = ("whole", "drip", "close-idle", "close-on-reuse")
# A status that Linq does not document gets a code of its group: 1xxx for the request, 3xxx for the server.
_CODES = {400: 1002, 401: 2004, 403: 2005, 404: 2001, 429: 1007, 500: 3006}


@dataclass(frozen=True)
class Fault:
    """One way for a request to go wrong; created by the class methods below or by `Fault.parse`.

    `applied` says whether the request is carried out before it fails: the difference between a
    write that never happened and one whose answer was lost. `applying()` sets it.
    `retry_in` (seconds) is sent as a Retry-After date; `clock_offset` is how many seconds the server's clock is ahead.
    """

    name: str
    replaces: ApiError | Answer | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    applied: bool = False
    wire: Wire = "whole"
    seconds: float = 0.0
    view: ListView | None = None
    method: str | None = None
    retry_in: int | None = None
    clock_offset: int = 0

    @property
    def cuts_answer(self) -> bool:
        """Whether the client never receives the complete answer."""
        return self.wire not in _COMPLETE

    def applying(self) -> Fault:
        """The same fault, but after the request was carried out; its name ends in `-applied`."""
        return replace(self, name=f"{self.name}-applied", applied=True)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault with this name, as on the command line: `500`, `hang`, `429=2`, `503-applied`.

        What follows `=` is the fault's argument. Raises ValueError, which lists all names, for any other text.
        """
        name, _, argument = text.partition("=")
        if name.endswith("-applied"):
            return cls.parse(text.replace("-applied", "", 1)).applying()
        try:
            return _parsed(name, argument)
        except (KeyError, ValueError):
            names = ", ".join(sorted(_WITHOUT_ARGUMENT.keys() | _WITH_ARGUMENT.keys()))
            raise ValueError(f"{text!r} is no fault; there are {names}, and any HTTP status") from None

    def drawn(self, draw: float) -> Fault:
        """The fault for one request; `draw`, from 0 up to 1, chooses the row of a list."""
        return self if self.view is None else replace(self, view=replace(self.view, draw=draw))

    @classmethod
    def error(
        cls,
        status: int,
        *,
        code: int | None = None,
        message: str | None = None,
        headers: Mapping[str, str] | None = None,
        body_retry_after: float | str | None = None,
    ) -> Fault:
        """Any status with Linq's error body; by default, code and message match the status."""
        family = 3000 if status >= 500 else 1000
        error = ApiError(
            status,
            code or _CODES.get(status, family),
            message or PHRASES.get(status, "Error"),
            body_retry_after,
        )
        return cls(str(status), error, headers=tuple((headers or {}).items()))

    @classmethod
    def rate_limited(cls, retry_after: str | None = None, *, body_retry_after: float | str | None = None) -> Fault:
        """429/1007; `retry_after` is sent as it is in the header, valid or not."""
        headers = () if retry_after is None else (("Retry-After", retry_after),)
        return cls("429", replace(RATE_LIMITED, retry_after=body_retry_after), headers=headers)

    @classmethod
    def rate_limited_until(cls, seconds: int = 1, *, clock_offset: int = 0) -> Fault:
        """429/1007 with Retry-After as a date, `seconds` after the answer's Date; `clock_offset` moves both."""
        return replace(cls.rate_limited(), name="429-date", retry_in=seconds, clock_offset=clock_offset)

    @classmethod
    def server_error(cls) -> Fault:
        """500/3006."""
        return cls("500", SERVER_ERROR)

    @classmethod
    def service_unavailable(cls) -> Fault:
        """503 with Linq's error body."""
        return cls.error(503)

    @classmethod
    def gateway_timeout(cls) -> Fault:
        """504 with Linq's error body."""
        return cls.error(504)

    @classmethod
    def bad_gateway_html(cls, *, size: int = 5_000_000) -> Fault:
        """502 as from a proxy, with `size` bytes of HTML."""
        start, end = b"<html><body><h1>502 Bad Gateway</h1><!--", b"--></body></html>"
        body = start + b"x" * (size - len(start) - len(end)) + end
        return replace(cls.raw(body, status=502, content_type="text/html"), name="502-html")

    @classmethod
    def unsuccessful(cls) -> Fault:
        """200 with `success: false` and an error in the body."""
        return cls("success-false", SERVER_ERROR, status=200)

    @classmethod
    def redirect(cls, status: int = 302, *, location: str = "/api/partner/v3/elsewhere") -> Fault:
        """A redirect to `location`, with an empty body."""
        return cls("redirect", Answer(status, b"", (("Location", location),)))

    @classmethod
    def raw(cls, body: bytes, *, status: int = 200, content_type: str = "application/json") -> Fault:
        """An answer with exactly this body."""
        return cls("raw", Answer(status, body, (("Content-Type", content_type),)))

    @classmethod
    def wrong_content_type(cls, content_type: str = "text/html") -> Fault:
        """The correct answer with a wrong Content-Type."""
        return cls("content-type", headers=(("Content-Type", content_type),), applied=True)

    @classmethod
    def delay(cls, seconds: float) -> Fault:
        """The request is carried out at once and answered after `seconds`."""
        return cls("delay", applied=True, seconds=seconds)

    @classmethod
    def hang(cls) -> Fault:
        """Nothing is ever sent, and the request is not carried out."""
        return cls("hang", wire="hang")

    @classmethod
    def hang_after_headers(cls) -> Fault:
        """The headers are sent but never the body; the request is carried out."""
        return cls("hang-after-headers", applied=True, wire="hang-after-headers")

    @classmethod
    def drip(cls, interval: float = 1.0) -> Fault:
        """Headers and body are sent one byte every `interval` seconds."""
        return cls("drip", applied=True, wire="drip", seconds=interval)

    @classmethod
    def reset_before_read(cls) -> Fault:
        """A reset after the headers of the request were read, before its body is; the request is not carried out."""
        return cls("reset-before-read", wire="reset-unread")

    @classmethod
    def reset_after_write(cls) -> Fault:
        """A reset instead of the answer to a PUT that was carried out; other methods do not get this fault."""
        return cls("reset-after-write", applied=True, wire="reset", method="PUT")

    @classmethod
    def reset_mid_body(cls) -> Fault:
        """A reset after half of the body."""
        return cls("reset-mid-body", applied=True, wire="reset-mid-body")

    @classmethod
    def truncated(cls) -> Fault:
        """Half of the body that Content-Length announces, then a normal close."""
        return cls("truncated", applied=True, wire="truncated")

    @classmethod
    def close_idle(cls) -> Fault:
        """The correct answer, then a close that the answer did not announce."""
        return cls("close-idle", applied=True, wire="close-idle")

    @classmethod
    def close_on_reuse(cls) -> Fault:
        """The correct answer; the next request on the same connection closes it and is not carried out."""
        return cls("close-on-reuse", applied=True, wire="close-on-reuse")

    @classmethod
    def empty_list(cls) -> Fault:
        """A list without rows."""
        return cls._list("empty-list", ListView(keep=0))

    @classmethod
    def partial_list(cls, keep: int = 1) -> Fault:
        """A list of the first `keep` rows only."""
        return cls._list("partial-list", ListView(keep=keep))

    @classmethod
    def stale_list(cls) -> Fault:
        """The list as it was before the last change of the account."""
        return cls._list("stale-list", ListView(before_last_change=True))

    @classmethod
    def list_lag(cls, seconds: float) -> Fault:
        """The list as it was `seconds` ago; writes are carried out and answered as usual."""
        return cls._list("list-lag", ListView(lag=seconds))

    @classmethod
    def list_lacks(cls, line: str | None = None) -> Fault:
        """A list without the row of this line (id or phone number), or without a random one (from the seed)."""
        return cls._row("list-lacks", lists.drop, line=line)

    @classmethod
    def list_repeats(cls, line: str | None = None) -> Fault:
        """A list that has the row of this line, or a random one, twice."""
        return cls._row("list-repeats", lists.repeat, line=line)

    @classmethod
    def list_omits_forwarding(cls, line: str | None = None) -> Fault:
        """A list in which the row of this line, or every row, lacks `forwarding_number`."""
        return cls._row("list-omits-forwarding", lists.omit_forwarding, line=line, every=line is None)

    @classmethod
    def list_omits_null(cls) -> Fault:
        """A list in which lines that are not forwarded lack `forwarding_number`, instead of having null."""
        return cls._row("list-omits-null", lists.omit_null_forwarding, every=True)

    @classmethod
    def list_bad_id(cls, phone_number_id: str = "no-uuid", *, line: str | None = None) -> Fault:
        """A list in which this line, or a random one, has this id, by default not a UUID."""
        return cls._row("list-bad-id", lists.Set("id", phone_number_id), line=line)

    @classmethod
    def list_bad_number(cls, phone_number: str = "+1202\x1b[2J\n5550100", *, line: str | None = None) -> Fault:
        """A list in which this line, or a random one, has a wrong phone number, by default with control characters."""
        return cls._row("list-bad-number", lists.Set("phone_number", phone_number), line=line)

    @classmethod
    def _list(cls, name: str, view: ListView) -> Fault:
        return cls(name, applied=True, view=view, method="GET")

    @classmethod
    def _row(cls, name: str, change: RowChange, *, line: str | None = None, every: bool = False) -> Fault:
        return cls._list(name, ListView(change=change, line=line, every=every))


_STATUSES = {status: status for status in PHRASES if status >= 200}
NO_FAULT = Fault("none", applied=True)


_WITHOUT_ARGUMENT: dict[str, Callable[[], Fault]] = {
    "429": Fault.rate_limited,
    "429-date": Fault.rate_limited_until,
    "500": Fault.server_error,
    "502-html": Fault.bad_gateway_html,
    "success-false": Fault.unsuccessful,
    "redirect": Fault.redirect,
    "empty-body": lambda: replace(Fault.raw(b""), name="empty-body"),
    "truncated-json": lambda: replace(Fault.raw(b'{"phone_numbers":[{"id":"'), name="truncated-json"),
    "content-type": Fault.wrong_content_type,
    "hang": Fault.hang,
    "hang-after-headers": Fault.hang_after_headers,
    "drip": Fault.drip,
    "reset-before-read": Fault.reset_before_read,
    "reset-after-write": Fault.reset_after_write,
    "reset-mid-body": Fault.reset_mid_body,
    "truncated": Fault.truncated,
    "close-idle": Fault.close_idle,
    "close-on-reuse": Fault.close_on_reuse,
    "empty-list": Fault.empty_list,
    "partial-list": Fault.partial_list,
    "stale-list": Fault.stale_list,
    "list-lacks": Fault.list_lacks,
    "list-repeats": Fault.list_repeats,
    "list-omits-forwarding": Fault.list_omits_forwarding,
    "list-omits-null": Fault.list_omits_null,
    "list-bad-id": Fault.list_bad_id,
    "list-bad-number": Fault.list_bad_number,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Fault]] = {
    "429": Fault.rate_limited,
    "429-body": lambda wait: replace(
        Fault.rate_limited(body_retry_after=int(wait) if wait.isdecimal() else float(wait)), name="429-body"
    ),
    "429-date": lambda offset: Fault.rate_limited_until(clock_offset=int(offset)),
    "502-html": lambda size: Fault.bad_gateway_html(size=int(size)),
    "redirect": lambda url: Fault.redirect(location=url),
    "raw": lambda text: Fault.raw(text.encode()),
    "delay": lambda seconds: Fault.delay(float(seconds)),
    "drip": lambda seconds: Fault.drip(float(seconds)),
    "partial-list": lambda keep: Fault.partial_list(int(keep)),
    "list-lag": lambda seconds: Fault.list_lag(float(seconds)),
    "list-lacks": Fault.list_lacks,
    "list-repeats": Fault.list_repeats,
    "list-omits-forwarding": Fault.list_omits_forwarding,
    "list-bad-id": Fault.list_bad_id,
    "list-bad-number": Fault.list_bad_number,
}


def _parsed(name: str, argument: str) -> Fault:
    if argument:
        return _WITH_ARGUMENT[name](argument)
    if name in _WITHOUT_ARGUMENT:
        return _WITHOUT_ARGUMENT[name]()
    return Fault.error(_STATUSES[int(name)])
