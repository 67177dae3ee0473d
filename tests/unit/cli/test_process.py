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
    return subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True, errors="backslashreplace")


def ended(*command: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command that has run to its end."""
    process = started(*command, stdout=stdout, stderr=stderr)
    shown, said = process.communicate(timeout=60)
    return process.returncode, shown, said


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ((*SCRIPT, "drift", "--roster", "lines.yaml"), 2, "`pulumi up --refresh` writes what is declared.\n"),
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
    assert (code, bool(shown)) == (status, status != 1)
    assert said.endswith(words)
    assert said.count("\n") == bool(words)


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("arguments", [["numbers"], ["export"], ["numbers", "--json"]])
def test_a_reader_that_went_away(arguments: list[str]) -> None:
    """If nothing reads the pipe any more, as after `| head`, the command ends without a message."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        assert ended(*MODULE, *arguments, stdout=pipe) == (1, None, "")


@pytest.mark.usefixtures("emulator")
def test_stdout_that_is_closed() -> None:
    """If the shell has closed stdout, the command ends without a message."""
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
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("doctor",), ("Checking: Pulumi CLI", "Checking: Python of the provider", "Checking: way to the API")),
        (("check", "lines.yaml"), ("Reading lines.yaml",)),
        (("drift", "--roster", "lines.yaml"), ("Reading lines.yaml",)),
    ],
    ids=["doctor", "check", "drift"],
)
def test_everything_that_may_be_slow_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Any, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """Checks that start a program or ask the network, and the reading of a roster, say on a terminal what takes its time."""
    monkeypatch.chdir(tmp_path)
    Path("lines.yaml").write_text('"+12025550100": ""\n')
    _, shown, _ = ended(*MODULE, *arguments, stderr=terminal.descriptor)
    said = terminal.close()
    assert [each for each in words if each not in said] == []
    assert "Checking: " not in shown
    assert "Reading " not in shown


@pytest.mark.usefixtures("emulator")
def test_on_a_terminal_there_is_a_table(terminal: Any) -> None:
    """A process whose stdout is a terminal prints a table with a header, and ends with exit status 0."""
    assert ended(*MODULE, "numbers", stdout=terminal.descriptor)[0] == 0
    assert "Forwards to" in terminal.close()


# What the shell gives


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is deleted."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()


@pytest.mark.usefixtures("emulator", "gone")
def test_a_deleted_folder_is_no_matter_where_none_is_needed() -> None:
    """A command that needs no folder works in one that was deleted."""
    code, shown, said = ended(*SCRIPT, "numbers")
    assert (code, shown.count("\n"), said) == (0, 3, "")


@pytest.mark.usefixtures("emulator", "gone")
@pytest.mark.parametrize(
    "arguments", [["doctor"], ["numbers", "--stack", "dev"], ["export", "-o", "lines.yaml"]], ids=" ".join
)
def test_a_deleted_folder_is_named(arguments: list[str]) -> None:
    """A command that needs its folder says that it was deleted."""
    code, shown, said = ended(*SCRIPT, *arguments)
    assert code == 1
    assert "The folder that this command was started in no longer exists" in shown + said
    assert "cannot be written" not in said.partition(":")[0]
    assert "Traceback" not in said


@pytest.mark.parametrize("width", ["0", "1", "-1", "x", ""])
def test_a_terminal_of_any_width(
    emulator: Emulator, terminal: Any, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    """Every number and id is printed whatever COLUMNS says, if in pieces."""
    monkeypatch.setenv("COLUMNS", width)
    assert ended(*MODULE, "numbers", stdout=terminal.descriptor)[0] == 0
    shown = terminal.close()
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in shown.splitlines() if "│" in row]
    columns = ["".join(pieces) for pieces in zip(*rows, strict=True)]
    lines = emulator.phone_numbers
    assert columns[0] == "".join(line.phone_number for line in lines)
    assert columns[2] == "".join(line.id for line in lines)


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}],
    ids=["latin-1", "C"],
)
def test_an_output_that_is_not_utf_8(variables: dict[str, str], terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an encoding does not have is written in another way, in a pipe and on a terminal, and ends no command."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with Emulator([{"phone_number": "+12025550100", "line_type": "Ω… ✓"}]) as running:
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", running.url)
        monkeypatch.setenv("LINQ_API_V3_API_KEY", running.api_key)
        code, shown, said = ended(*MODULE, "export")
        assert (code, "Traceback" in said, "linq.PhoneNumberForwarding(" in shown) == (0, False, True)
        assert ended(*MODULE, "numbers", stdout=terminal.descriptor, stderr=terminal.descriptor)[0] == 0
    assert "+12025550100" in terminal.close()
