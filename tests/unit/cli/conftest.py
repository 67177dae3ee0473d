"""The command line in this process, run by click's own runner; test_process.py starts it as a shell would."""

from __future__ import annotations

import inspect
import os
import pty
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from linq_provider.cli.commands import commands

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LINQ_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def run() -> Run:
    """A command with its arguments, and variables of the environment by name: exit status, stdout, stderr."""
    # click before 8.2 mixes the two streams by default; later versions do not have this argument.
    mixing = "mix_stderr" in inspect.signature(CliRunner).parameters
    runner = CliRunner(mix_stderr=False) if mixing else CliRunner()  # type: ignore[call-arg]

    def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
        done = runner.invoke(commands, arguments, prog_name="linq-provider", env=environment, catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return run


class Terminal:
    """A terminal of 120 columns with colours; programs write to its descriptor."""

    def __init__(self, reader: ThreadPoolExecutor) -> None:
        ours, self.descriptor = pty.openpty()
        self._printed = reader.submit(_printed, ours)

    def close(self) -> str:
        """What was printed on it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        return self._printed.result(timeout=60)


def _printed(ours: int) -> str:
    """What appears on a terminal until its last user has closed it."""
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:
        pass  # Linux reports the end of a terminal as EIO.
    os.close(ours)
    return shown.decode(errors="replace")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal, and the variables that say what it is like."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with ThreadPoolExecutor(1) as reader:
        terminal = Terminal(reader)
        yield terminal
        terminal.close()


@pytest.fixture
def on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """A command whose stdout is a terminal: exit status, and what the terminal shows."""

    def run(*arguments: str) -> tuple[int, str]:
        with open(terminal.descriptor, "w", closefd=False) as stdout, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stdout)
            with pytest.raises(SystemExit) as end:
                commands(arguments, prog_name="linq-provider")
        return int(end.value.code or 0), terminal.close()

    return run
