"""Run one command: how long it took, how much memory its processes had, what reached the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

LOOK_EVERY = 0.03  # seconds; the kernel keeps each peak, so only the last moment of a process can be missed
SERVER = Path(__file__).with_name("server.py")
# By the program's name and its command line; `client` is the process that talks to Linq.
ROLES: Mapping[str, Callable[[str, str], bool]] = {
    "client": lambda _, line: "-m pulumi.dynamic" in line or "script.py" in line,
    "engine": lambda program, _: program in ("pulumi", "terraform"),
    "program": lambda _, line: "pulumi-language-python-exec" in line,
}


@dataclass(frozen=True)
class Run:
    """One command that ended; `peaks` in MB by role; `problem` is the line of output that says why it failed."""

    seconds: float
    peaks: dict[str, float]
    problem: str | None


@dataclass(frozen=True)
class Counted:
    """Requests at the server; seconds from the first to the last, and those of them that the server computed."""

    gets: int
    puts: int
    span: float
    busy: float


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end."""
    with (folder / "output.txt").open("w+") as output:
        strangers = set(_processes())
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watcher = Watcher(process.pid, strangers)
        process.wait()
        seconds = time.perf_counter() - started
        watcher.stop()
        output.seek(0)
        problem = _problem(output.read()) if process.returncode else None
    return Run(seconds, watcher.peaks, problem)


def _problem(output: str) -> str:
    """The line of the output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or "error:" in line]
    return (telling or lines or ["no output"])[-1][:200]


class Watcher:
    """Samples the memory of a process and its descendants until it is stopped.

    `strangers` are the processes that were running before, so that none of them is a descendant.
    """

    def __init__(self, root: int, strangers: set[int]) -> None:
        self.peaks: dict[str, float] = {}
        self._family = {root}
        self._strangers = strangers - self._family
        self._roles: dict[int, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return when nothing looks any more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            for process in _processes():
                if process not in self._strangers:
                    # The process may have ended meanwhile.
                    with contextlib.suppress(OSError, ValueError, IndexError):
                        self._look(process)

    def _look(self, process: int) -> None:
        if process not in self._family:
            if _parent(process) not in self._family:
                return
            self._family.add(process)
        # One without a role may be a shell before its exec: it is asked again.
        role = self._roles.get(process) or _role(process)
        if role:
            self._roles[process] = role
            self.peaks[role] = max(self.peaks.get(role, 0), _peak(process))


def _processes() -> list[int]:
    """Every process; none where there is no /proc, and then no memory is measured."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _role(process: int) -> str | None:
    arguments = Path(f"/proc/{process}/cmdline").read_text().split("\0")
    program, line = Path(arguments[0]).name, " ".join(arguments)
    return next((role for role, is_it in ROLES.items() if is_it(program, line)), None)


def _peak(process: int) -> float:
    """The most memory that the process ever had resident, in MB."""
    return float(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


class Server:
    """The server of the benchmark, or the emulator, as a process; ends with the block."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def __enter__(self) -> Server:
        command = [sys.executable, str(SERVER), *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def open_account(self, token: str, *, lines: int, delay: float) -> None:
        """An account with so many lines, none of them forwarded, that answers after `delay` seconds."""
        self._control("PUT", token, {"lines": lines, "delay": delay})

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
