"""Run one command: how long it took, how much memory its processes had, what reached the server, what else ran."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

LOOK_EVERY = 0.1  # seconds
SERVER = Path(__file__).with_name("server.py")
# By a part of the command line; `client` is the process that talks to Linq.
ROLES = {
    "client": ("-m pulumi.dynamic", "script.py", "pulumi-resource-linq"),
    "program": ("pulumi-language-python-exec",),
    "engine": ("pulumi up", "pulumi refresh", "pulumi destroy", "terraform apply", "terraform destroy"),
}


@dataclass(frozen=True)
class Run:
    """One command that ended.

    `elsewhere` is the CPU time that all other processes used meanwhile, in seconds. `peaks` is in MB by role. `problem`
    is the line of output that says why the command failed.
    """

    seconds: float
    elsewhere: float
    peaks: dict[str, float]
    problem: str | None


@dataclass(frozen=True)
class Counted:
    """Requests at the server; seconds from the first to the last, and the seconds of them that the server computed."""

    gets: int
    puts: int
    refused: int
    span: float
    busy: float


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end."""
    peaks: dict[str, float] = {}
    over = threading.Event()
    with (folder / "output.txt").open("w+") as output:
        elsewhere, started = _elsewhere(), time.perf_counter()
        process = psutil.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watcher = threading.Thread(target=_watch, args=(process, peaks, over))
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - started
        elsewhere = _elsewhere() - elsewhere
        over.set()
        watcher.join()
        output.seek(0)
        problem = _problem(output.read()) if process.returncode else None
    return Run(seconds, elsewhere, peaks, problem)


def _problem(output: str) -> str:
    """The line of the output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "error:" in line]
    return (telling or lines or ["no output"])[-1][:200]


def _elsewhere() -> float:
    """CPU time of the machine without this process and its ended children, with what other virtual machines took."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0) - sum(os.times()[:4])


def _watch(root: psutil.Process, peaks: dict[str, float], over: threading.Event) -> None:
    """Keep the most memory of each role until the command is over."""
    while not over.wait(LOOK_EVERY):
        with contextlib.suppress(psutil.Error):
            for process in (root, *root.children(recursive=True)):
                line = " ".join(process.cmdline())
                role = next((role for role, parts in ROLES.items() if any(part in line for part in parts)), None)
                if role:
                    peaks[role] = max(peaks.get(role, 0), process.memory_info().rss / 1e6)


class Server:
    """The server of the benchmark as a process; ends with the block."""

    def __enter__(self) -> Server:
        command = [sys.executable, str(SERVER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def open_account(self, token: str, *, lines: int, **service: float) -> None:
        """An account with so many lines, none of them forwarded; for `service` see `bench.server.Account`."""
        self._control("PUT", token, {"lines": lines, **service})

    def start_counting(self, token: str) -> None:
        """Forget what was counted so far."""
        self._control("DELETE", token)

    def counted(self, token: str) -> Counted:
        """What arrived since then."""
        return Counted(**self._control("GET", token))

    def _control(self, method: str, token: str, body: object = None) -> dict[str, int]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request(method, f"/control/{token}", json.dumps(body))
        answer: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return answer
