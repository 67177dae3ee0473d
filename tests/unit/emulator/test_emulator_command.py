"""The options of `linq-provider emulator` about its account and its addresses."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from linq_provider.emulator import Emulator

COMMAND = [sys.executable, "-m", "linq_provider", "emulator"]
FIRST_ID = "c3cd04bb-0a5e-57de-9b7c-438e24bf1a81"


@contextmanager
def running(*options: str) -> Iterator[tuple[str, str]]:
    """Base URL and key of the command, which ends with the block, or after 30 s."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            url, key = (process.stdout.readline().rstrip().rpartition(" ")[2] for _ in range(2))
            yield url, key
        finally:
            watchdog.cancel()
            process.kill()


def listed(url: str, key: str, *, host: str | None = None) -> tuple[int, Any]:
    """Status and JSON of the list, asked for with this Host header."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        headers = {"Authorization": f"Bearer {key}"} | ({"Host": host} if host else {})
        connection.request("GET", f"{urlsplit(url).path}/v3/phone_numbers", headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def lines(url: str, key: str) -> list[tuple[str, str]]:
    """Id and number of each line."""
    return [(row["id"], row["phone_number"]) for row in listed(url, key)[1]["phone_numbers"]]


def test_another_seed_is_another_account() -> None:
    """`--seed N` has the key, ids and numbers of `Emulator(seed=N)`; without it they are those of seed 0."""
    with running() as (url, key):
        assert lines(url, key)[0] == (FIRST_ID, "+12025550100")
        assert key == Emulator(seed=0).api_key
    with running("--seed", "1") as (url, key):
        other = Emulator(seed=1)
        assert key == other.api_key != Emulator().api_key
        assert lines(url, key) == [(line.id, line.phone_number) for line in other.phone_numbers]
        assert lines(url, key)[0][1] == "+12055550100"
        assert listed(url, Emulator().api_key)[0] == 401


def test_the_seed_chooses_the_requests_that_fail() -> None:
    """With `--fault-rate`, each seed hits other requests, and the same ones every time."""

    def statuses(seed: str) -> list[int]:
        with running("--fault", "503", "--fault-rate", "0.5", "--seed", seed) as (url, key):
            return [listed(url, key)[0] for _ in range(30)]

    assert statuses("1") == statuses("1") != statuses("2")


def test_another_address_is_allowed() -> None:
    """`--allow-host` answers requests for that host, which are refused otherwise; it may be repeated."""
    with running("--allow-host", "localhost:9000", "--allow-host", "Docker.internal:1") as (url, key):
        hosts = ("localhost:9000", "docker.internal:1", "localhost:9001", None)
        assert [listed(url, key, host=host)[0] for host in hosts] == [200, 200, 403, 200]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--allow-host", "http://localhost:9000/"], "write NAME:PORT"),
        (["--seed", "one"], "one"),
        (["--fault", "list-lacks=nobody"], "the emulator has no line nobody."),
        (["--fault", "list-lag"], "is no fault"),
    ],
)
def test_what_it_cannot_do_is_one_line(options: list[str], words: str) -> None:
    """A wrong option ends the command with exit code 1 and one line on stderr, without a traceback."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
