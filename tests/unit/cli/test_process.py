"""The command line as a shell starts it: exit statuses, streams that are closed, signals and terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from linq_provider.emulator import Emulator, Fault

MODULE = (sys.executable, "-m", "linq_provider")
SCRIPT = (str(Path(sys.executable).with_name("linq-provider")),)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Three lines, the environment that points a program at them, and Python's usual buffering."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Emulator(3) as running:
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", running.url)
        monkeypatch.setenv("LINQ_API_V3_API_KEY", running.api_key)
        yield running


def started(*command: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE) -> subprocess.Popen[str]:
    """A command that is under way."""
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)


def ended(*command: str, stdout: Any = subprocess.PIPE) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command that has run to its end."""
    process = started(*command, stdout=stdout)
    shown, said = process.communicate(timeout=60)
    return process.returncode, shown, said


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ((*SCRIPT, "drift", "--roster", "lines.yaml"), 2, ""),
        ((*MODULE, "nonsense"), 1, "See `linq-provider --help`.\n"),
    ],
    ids=["drift", "wrong usage"],
)
def test_the_exit_status_is_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], status: int, words: str
) -> None:
    """A shell gets 2 for drift, which is on stdout, and 1 for an error, which is on stderr."""
    monkeypatch.chdir(tmp_path)
    Path("lines.yaml").write_text('"+12025550100": "+12025559999"\n')
    code, shown, said = ended(*command)
    assert (code, bool(shown)) == (status, not words)
    assert said.endswith(words)
    assert said.count("\n") == bool(words)


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("arguments", [["numbers"], ["export"], ["numbers", "--json"]])
def test_a_reader_that_went_away(arguments: list[str]) -> None:
    """Where nobody reads the pipe any more, as after `| head`, the command ends without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        assert ended(*MODULE, *arguments, stdout=pipe) == (1, None, "")


@pytest.mark.usefixtures("emulator")
def test_stdout_that_is_closed() -> None:
    """With stdout closed by the shell the command ends without a word."""
    assert ended("sh", "-c", 'exec "$@" >&-', "sh", *MODULE, "numbers")[2] == ""


@pytest.mark.usefixtures("emulator")
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk() -> None:
    """Output that cannot be written is one sentence and exit 1."""
    with open("/dev/full", "w") as full:
        code, _, said = ended(*MODULE, "numbers", stdout=full)
    assert code == 1
    assert said.startswith("The output cannot be written: ")
    assert said.count("\n") == 1


def test_an_interrupt(emulator: Emulator) -> None:
    """Ctrl-C while Linq is asked is one word on stderr and exit 1."""
    emulator.fail(Fault.parse("hang"), times=None)
    process = started(*MODULE, "numbers")
    wait_until(lambda: emulator.requests or process.poll())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said.strip()) == (1, "Interrupted.")


def test_on_a_terminal_it_says_what_takes_its_time(emulator: Emulator, terminal: Any) -> None:
    """Where stderr is a terminal it shows what is waited for, and nothing of that is in a piped stdout."""
    emulator.delay = 0.3
    shown, _ = started(*MODULE, "numbers", stderr=terminal.descriptor).communicate(timeout=60)
    assert shown.count("\n") == 3
    assert "Asking Linq for the lines" in terminal.close()


@pytest.mark.usefixtures("emulator")
def test_on_a_terminal_there_is_a_table(terminal: Any) -> None:
    """A process whose stdout is a terminal prints a table with a header, and ends with exit status 0."""
    assert ended(*MODULE, "numbers", stdout=terminal.descriptor)[0] == 0
    assert "Forwards to" in terminal.close()
