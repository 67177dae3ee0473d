"""A hostile answer uses limited memory and time, whatever it contains and however it is compressed."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat

import pytest
from raw_server import RawServer, client_to, read_request
from waiting import ending_within

from linq_provider.errors import LinqError

MIB = 1024 * 1024
CHUNKED = "Transfer-Encoding: chunked"
NAMED = b"\x1f\x8b\x08\x08\0\0\0\0\0\0"  # the beginning of gzip with a file name


def head(*headers: str) -> bytes:
    """The beginning of an answer without a length."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *headers, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """Data as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def gzip_bomb() -> bytes:
    """512 MiB of spaces in half a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    spaces = b" " * MIB
    return b"".join(packer.compress(spaces) for _ in range(512)) + packer.flush()


def pieces(data: bytes) -> Iterator[bytes]:
    """The beginning of the data, byte by byte."""
    return (data[i : i + 1] for i in range(50_000))


def forever(head: bytes, data: bytes) -> Callable[[RawServer, socket.socket], None]:
    """After a request: `head`, then `data` again and again, until the client stops reading."""

    def serve(server: RawServer, connection: socket.socket) -> None:
        server.received.append(read_request(connection))
        connection.sendall(head)
        for each in repeat(data):
            connection.sendall(each)

    return serve


BOMB = gzip_bomb()
TOO_LARGE, TOO_LATE, BROKEN = "larger than 8388608 bytes", "no complete answer arrived in time", "the connection failed"
OTHER = "an encoding that was not asked for"
ANSWERS = {  # the beginning of an answer, what is repeated after it, and the error message
    "gzip": (head("Content-Encoding: gzip"), BOMB, TOO_LARGE),
    "gzip in chunks": (head("Content-Encoding: gzip", CHUNKED), chunk(BOMB), TOO_LARGE),
    "gzip in tiny chunks": (head("Content-Encoding: gzip", CHUNKED), b"".join(map(chunk, pieces(BOMB))), TOO_LARGE),
    "gzip of nothing": (head("Content-Encoding: gzip"), gzip.compress(b"") * 3000, TOO_LATE),
    "gzip header without end": (head("Content-Encoding: gzip") + NAMED, b"x" * 65536, TOO_LATE),
    "gzip twice": (head("Content-Encoding: gzip, gzip"), gzip.compress(BOMB), OTHER),
    "deflate": (head("Content-Encoding: deflate"), zlib.compress(b" " * 64 * MIB, 9), OTHER),
    "deflate of nothing": (head("Content-Encoding: deflate") + b"\x78\x9c", b"\0\0\0\xff\xff" * 10_000, OTHER),
    "br": (head("Content-Encoding: br"), b"x", OTHER),
    "zstd": (head("Content-Encoding: ZSTD"), b"x", OTHER),
    "spaces": (head(), b" " * 65536, TOO_LARGE),
    "tiny chunks": (head(CHUNKED), chunk(b" ") * 10_000, TOO_LATE),
    "length of a chunk without end": (head(CHUNKED), b"0" * 65536, BROKEN),
    "chunk extension without end": (head(CHUNKED) + b"1;", b"x" * 65536, BROKEN),
    "trailers without end": (head(CHUNKED) + b"0\r\n", b"X: x\r\n" * 10_000, TOO_LATE),
    "header without end": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536, BROKEN),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", b"X: x\r\n" * 10_000, BROKEN),
    "status without end": (b"HTTP/1.1 200 ", b"x" * 65536, BROKEN),
    "continues without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, TOO_LATE),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_end_takes_little_memory_and_ends_in_time(name: str) -> None:
    """Decompression bombs, floods of tiny chunks and lines without end: one sentence, 32 MiB at most, on time."""
    begin, data, said = ANSWERS[name]
    with RawServer(forever(begin, data)) as server:
        timeout = 2.0 if said == TOO_LATE else 60.0  # seconds
        client = client_to(f"http://127.0.0.1:{server.port}", timeout=timeout, max_retries=0)
        tracemalloc.start()
        try:
            with ending_within(20), pytest.raises(LinqError, match=said) as caught:
                client.list_phone_numbers()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert str(caught.value).isprintable()
    assert peak < 32 * MIB
