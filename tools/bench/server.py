"""The server of `make bench`: Linq's two calls with almost no work, in a separate process.

The emulator checks, logs and copies more than a benchmark needs. This one keeps an account for each bearer token, made
at the first use of `PUT /control/TOKEN`, and answers as the emulator does, but for the bodies of errors. It counts what
arrives, and how busy it was between the first request and the last: the proof that it is not the bottleneck.

    python tools/bench/server.py

prints its URL and serves until its stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

BASE_PATH = "/api/partner"
LIST_PATH = f"{BASE_PATH}/v3/phone_numbers"
REPUTATION = {
    "status": "HEALTHY",
    "doc_url": "https://docs.linqapp.com/channel/imessage/guides/phone-numbers/phone-reputation",
}
PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
TOO_MANY = b'{"error":{"status":429,"code":1007,"message":"Rate limited","retry_after":1}}'


def bench_lines(count: int) -> list[tuple[str, str]]:
    """The id and the phone number of each line of an account."""
    return [(f"00000000-0000-4000-8000-{i:012}", f"+1202{5_550_000 + i}") for i in range(count)]


class Account:
    """The lines of one token, and what was asked of them.

    An answer takes `delay` seconds, and `load` seconds more for each call under way. Above `rate` requests
    in one second, 0 for no limit, the answer is 429.
    """

    def __init__(self, *, lines: int, delay: float = 0, load: float = 0, rate: float = 0) -> None:
        self._delay, self._load, self._rate = delay, load, rate
        self._under_way = 0
        self._second, self._in_second = 0, 0
        self._numbers = dict(bench_lines(lines))
        self._rows = {line: _row(line, number, None) for line, number in self._numbers.items()}
        self._list: bytes | None = None
        self.start_counting()

    def start_counting(self) -> None:
        """Forget what was counted so far."""
        self.counts = {"GET": 0, "PUT": 0, "429": 0}
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def counted(self) -> dict[str, float]:
        """Requests by method; seconds from the first to the last, and those of them that the server computed."""
        first = self._first or self._last
        span, busy = (last - begun for last, begun in zip(self._last, first, strict=True))
        gets, puts, refused = self.counts["GET"], self.counts["PUT"], self.counts["429"]
        return {"gets": gets, "puts": puts, "refused": refused, "span": span, "busy": busy}

    def begin(self) -> float:
        """Return the seconds that the answer to a new request takes."""
        self._under_way += 1
        return self._delay + self._load * self._under_way

    def end(self) -> None:
        """Count a call as answered."""
        self._under_way -= 1

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Carry a request out, or refuse it."""
        now = (time.monotonic(), time.process_time())
        self._first, self._last = self._first or now, now
        self.counts[method] = self.counts.get(method, 0) + 1
        if self._rate and self._is_too_many(int(now[0])):
            self.counts["429"] += 1
            return 429, TOO_MANY
        if method == "GET" and path == LIST_PATH:
            return 200, self._listed()
        if method == "PUT" and path.startswith(f"{LIST_PATH}/"):
            return self._update(path[len(LIST_PATH) + 1 :], json.loads(body)["forwarding_number"])
        return 404, b"{}"

    def _is_too_many(self, second: int) -> bool:
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        return self._in_second > self._rate

    def _listed(self) -> bytes:
        if self._list is None:
            self._list = b'{"phone_numbers":[' + b",".join(self._rows.values()) + b"]}"
        return self._list

    def _update(self, phone_number_id: str, forwarding_number: str | None) -> tuple[int, bytes]:
        number = self._numbers.get(phone_number_id)
        if number is None:
            return 404, b"{}"
        self._rows[phone_number_id] = _row(phone_number_id, number, forwarding_number or None)
        self._list = None
        return 200, _json(_identity(phone_number_id, number, forwarding_number or None))


def _row(phone_number_id: str, number: str, forwarding_number: str | None) -> bytes:
    identity = _identity(phone_number_id, number, forwarding_number)
    return _json({**identity, "line_type": "iMessage", "reputation": REPUTATION})


def _identity(phone_number_id: str, number: str, forwarding_number: str | None) -> dict[str, Any]:
    return {"id": phone_number_id, "phone_number": number, "forwarding_number": forwarding_number}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Connection(asyncio.Protocol):
    """One kept-alive connection; each request arrives with its Content-Length, or without a body."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived as a whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            size = end + 4 + int(headers.get("content-length", "0"))
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            method, path, _ = first.split(" ")
            self._serve(method, path, headers.get("authorization", "").removeprefix("Bearer "), body)

    def _serve(self, method: str, path: str, token: str, body: bytes) -> None:
        if path.startswith("/control/"):
            self._put(200, self._control(method, path.removeprefix("/control/"), body))
        elif (account := self._accounts.get(token)) is None:
            self._put(401, b"{}")
        else:
            answer = account.answer(method, path, body)
            if seconds := account.begin():
                asyncio.get_running_loop().call_later(seconds, self._finish, account, answer)
            else:
                self._finish(account, answer)

    def _finish(self, account: Account, answer: tuple[int, bytes]) -> None:
        account.end()
        self._put(*answer)

    def _control(self, method: str, token: str, body: bytes) -> bytes:
        """PUT creates the account again, GET returns its counts, DELETE resets them."""
        if method == "PUT":
            self._accounts[token] = Account(**json.loads(body))
        elif method == "DELETE":
            self._accounts[token].start_counting()
        return _json(self._accounts[token].counted())

    def _put(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} {PHRASES[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        head += "\r\nRetry-After: 1" if status == 429 else ""
        self._transport.write(f"{head}\r\n\r\n".encode() + body)


async def serve() -> None:
    """Serve on a free port until stdin ends."""
    loop, accounts = asyncio.get_running_loop(), dict[str, Account]()
    server = await loop.create_server(lambda: Connection(accounts), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
