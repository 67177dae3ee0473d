"""The page for a browser, at `/`: it shows lines and requests, changes forwardings by hand, and sets faults.

Its own requests are not logged and get no faults. It never shows a token, and it refuses requests of other websites,
which could otherwise reach it through the browser.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import resources
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

from linq_provider.emulator.api import BASE_PATH, LIST_PATH, PHRASES, Answer, is_update, to_json
from linq_provider.emulator.faults import Fault
from linq_provider.emulator.log import RecordedRequest
from linq_provider.emulator.numbers import EmulatedNumber
from linq_provider.emulator.service import Service
from linq_provider.emulator.state import Account
from linq_provider.emulator.visit import Hosts, Visit

# A browser is slow with ten thousand rows. The counts include the lines that are not shown, and the filter finds them.
SHOWN_LINES = 200
_LONGEST_TEXT = 300
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/emulator/page.css": ("page.css", "text/css; charset=utf-8"),
    "/emulator/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


class Refused(Exception):
    """A request of the page was refused: a status, and a sentence for the user of the page."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Page:
    """The page of one emulator, and the requests of its script; safe to use from several threads."""

    def __init__(self, account: Account, service: Service, hosts: Hosts) -> None:
        self._account = account
        self._service = service
        self._hosts = hosts
        self._run = uuid.uuid4().hex
        self._actions: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "/emulator/forwarding": self._set_forwarding,
            "/emulator/fault": self._fail,
            "/emulator/clear-faults": lambda _: service.faults.clear(),
            "/emulator/clear-log": lambda _: service.recent.clear(),
        }

    def takes(self, visit: Visit) -> bool:
        """Whether the request is for the page: a browser that opens `/` sends no token, a client of the API does."""
        if visit.path == "/":
            return visit.method in ("GET", "HEAD") and not visit.has_token
        return visit.path.startswith("/emulator/") or visit.path == "/favicon.ico"

    def respond(self, visit: Visit, *, body: bytes) -> Answer:
        """The answer to the page or its script."""
        try:
            return self._respond(visit, body=body)
        except Refused as error:
            return _json({"error": str(error)}, status=error.status)

    def _respond(self, visit: Visit, *, body: bytes) -> Answer:
        if not self._is_own(visit):
            raise Refused(
                403,
                f"Open http://127.0.0.1:{self._hosts.port}/ itself: other addresses and websites are refused."
                " To use another address, start the emulator with --allow-host NAME:PORT.",
            )
        if visit.path in self._actions:
            self._actions[visit.path](_posted(visit, body))
            return _json({})
        if visit.method not in ("GET", "HEAD"):
            raise Refused(405, f"{PHRASES[405]}: use GET here.")
        if visit.path == "/emulator/state":
            return _json(self._state(parse_qs(visit.query)))
        if visit.path in _FILES:
            return _file(*_FILES[visit.path])
        raise Refused(404, f"{PHRASES[404]}: the emulator has no such page.")

    def _is_own(self, visit: Visit) -> bool:
        # Browsers send an origin with every POST.
        is_blind_post = visit.method == "POST" and visit.origin is None
        return visit.host in self._hosts and not visit.is_cross_origin() and not is_blind_post

    def _state(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        lines = self._account.lines
        wanted = query.get("filter", [""])[0].strip().lower()
        matching = [line for line in lines.values() if _matches(line, wanted)] if wanted else lines.values()
        first, requests = self._service.recent.numbered()
        after = _whole_number(query.get("after", ["0"])[0])
        return {
            "run": self._run,
            "url": f"http://127.0.0.1:{self._hosts.port}{BASE_PATH}",
            "line_count": len(lines),
            "forwarded_count": sum(1 for line in lines.values() if line.forwarding_number),
            "matching_count": len(matching),
            "request_count": first - 1 + len(requests),
            "lines": [asdict(line) for line in islice(matching, SHOWN_LINES)],
            "first_request": first,
            "requests": [
                {"number": number, **self._shown(request)}
                for number, request in enumerate(requests, first)
                if number > after
            ],
            "faults": [asdict(fault) for fault in self._service.faults.active()],
        }

    def _shown(self, request: RecordedRequest) -> dict[str, Any]:
        line = self._account.lines.get(request.path.removeprefix(f"{LIST_PATH}/"))
        update = request.method == "PUT" and is_update(request.body)
        return {
            "at": time.time() - (self._service.clock() - request.at),
            "method": request.method,
            "path": self._without_tokens(request.path),
            "status": request.status,
            "token": request.token_label,
            "phone_number": line.phone_number if line else None,
            "forwarding_number": request.body["forwarding_number"] or "" if update else None,
            "body": None if update or request.body is None else self._without_tokens(_text(request.body)),
        }

    def _without_tokens(self, text: str) -> str:
        for secret in filter(None, (*self._account.tokens, self._account.api_key)):
            text = text.replace(secret, "[token]")
        return text[:_LONGEST_TEXT]

    def _set_forwarding(self, posted: Mapping[str, Any]) -> None:
        if not is_update(posted):
            raise Refused(400, "This is no phone number: write it as in +12025550123, or leave it empty for none.")
        try:
            self._account.set_forwarding(str(posted.get("line")), posted["forwarding_number"])
        except KeyError:
            raise Refused(404, "This line is not on the account any more: reload the page.") from None

    def _fail(self, posted: Mapping[str, Any]) -> None:
        times, method = posted.get("times", 1), posted.get("method")
        if method not in (None, "GET", "PUT") or (times is not None and (type(times) is not int or times < 1)):
            raise Refused(400, "A fault applies to GET, to PUT or to both, and to one or more requests. Choose again.")
        try:
            fault = Fault.parse(str(posted.get("fault")))
        except ValueError as error:
            raise Refused(400, f"{error}.") from error
        self._service.faults.add(fault, times=times, method=method, path_contains=None)


def _posted(visit: Visit, body: bytes) -> dict[str, Any]:
    # A form of another website can send text without a preflight request, but never JSON.
    if visit.method != "POST" or visit.content_type != "application/json":
        raise Refused(
            405 if visit.method != "POST" else 415, "Send a POST request with the content type application/json."
        )
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError):
        posted = None
    if not isinstance(posted, dict):
        raise Refused(400, "The body is not a JSON object.")
    return posted


def _matches(line: EmulatedNumber, wanted: str) -> bool:
    return wanted in line.phone_number or wanted in (line.forwarding_number or "") or wanted in line.id.lower()


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _text(body: object) -> str:
    try:
        return body if isinstance(body, str) else json.dumps(body)
    except RecursionError:
        return "nested too deeply to show"


def _json(value: object, *, status: int = 200) -> Answer:
    return Answer(status, to_json(value), _HEADERS)


def _file(name: str, content_type: str) -> Answer:
    content = resources.files("linq_provider.emulator").joinpath(name).read_bytes()
    return Answer(200, content, (*_HEADERS, ("Content-Type", content_type)))
