"""How many requests a second a server answers to clients that do nothing else."""

from __future__ import annotations

import json
import selectors
import socket
import time
from urllib.parse import urlsplit

from bench.measure import Server
from bench.server import LIST_PATH, bench_lines

CLIENTS = 16
SECONDS = 3.0


def capacities() -> dict[str, float]:
    """PUT requests a second of 16 clients, on 1,000 lines: the lean server, and the emulator."""
    with Server() as lean, Server("emulator") as emulator:
        lean.open_account("capacity", lines=1000, delay=0)
        return {"lean": capacity(lean.url, "capacity"), "emulator": capacity(emulator.url, "emulator")}


def capacity(url: str, token: str, *, seconds: float = SECONDS) -> float:
    """Each client sends its next PUT as soon as the answer to the last one is there."""
    address = urlsplit(url)
    requests = [_put(phone_number_id, token, host=address.netloc) for phone_number_id, _ in bench_lines(1000)]
    answered, begun = 0, time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            client = socket.create_connection((address.hostname or "", address.port or 0))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client, selectors.EVENT_READ)
            client.sendall(requests[0])
        while time.perf_counter() < begun + seconds:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                # The answer is one small segment on the loopback: it arrives as a whole.
                if not key.fileobj.recv(65536).startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError("the server refused a request of the capacity measurement")
                answered += 1
                key.fileobj.sendall(requests[answered % len(requests)])
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return answered / (time.perf_counter() - begun)


def _put(phone_number_id: str, token: str, *, host: str) -> bytes:
    body = json.dumps({"forwarding_number": f"+1202666{time.time_ns() % 100000:05}"})
    head = f"PUT {LIST_PATH}/{phone_number_id} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
