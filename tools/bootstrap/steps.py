"""Commands that a bootstrap runs: short ones for their answer, long ones with a sign of life."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HEARTBEAT = 15.0  # seconds between two lines of a long step; as long a standstill ends a download
TAIL = 20  # lines of a failed build that are shown


class Unavailable(Exception):
    """One way to a program does not work here; the text says why."""


def say(text: str) -> None:
    """Tell the user, on stderr."""
    print(f"tools: {text}", file=sys.stderr, flush=True)


def answer(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what a command that is over in a moment prints."""
    try:
        ended = subprocess.run(
            command,
            env=environment,
            cwd="/",  # neither a go.mod nor a Pulumi.yaml of the user's is to be found
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"`{' '.join(command)}` does not run: {error}") from error
    if ended.returncode:
        raise Unavailable(f"`{' '.join(command)}` fails: {ended.stderr.strip().rpartition(chr(10))[2]}")
    return ended.stdout.strip()


@dataclass(frozen=True)
class Step:
    """Something that may take long: a line now and then, and the log's last lines where it fails."""

    label: str
    work: Path
    environment: Mapping[str, str]
    tail: int = TAIL
    growing: bool = False  # give up once nothing in `work` grows for the time of a heartbeat

    def run(self, command: Sequence[str], *, cwd: Path) -> None:
        """Run to the end, or raise Unavailable; nothing of it is left running in either case."""
        log = self.work / "log"
        with log.open("wb") as output, contextlib.ExitStack() as ending:
            with _signals_held():  # what is started is known before this process can be told to stop
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                ending.callback(_end, process)
            code = self._wait(process)
        if code:
            raise Unavailable(f"{self.label} failed{self._shown(log)}")

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        started = time.monotonic()
        size = _size(self.work)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(HEARTBEAT)
            before, size = size, _size(self.work)
            if self.growing and size == before:
                raise Unavailable(f"nothing arrived for {HEARTBEAT:.0f} s")
            say(f"{self.label}: {_clock(time.monotonic() - started)}")

    def _shown(self, log: Path) -> str:
        lines = log.read_text(errors="replace").strip().splitlines()[-self.tail :]
        return ": " + lines[0] if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter is macOS's word for a zombie
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _size(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"
