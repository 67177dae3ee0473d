"""The process in which the engine runs the provider: it ends with the engine, and errors are sentences."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from linq_provider.provider import host

# A process that looks like the engine's host for Python providers.
HOST = """
import importlib.machinery, sys, threading
main = sys.modules["__main__"]
main.__spec__ = importlib.machinery.ModuleSpec("pulumi.dynamic.__main__", None)
from linq_provider.provider import host
from linq_provider.errors import RefusedError
host.install_hooks()
"""


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    """The host, then `program`, with stdin open until the end."""
    command, pipe = [sys.executable, "-c", HOST + program], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd="/") as process:
        yield process


def test_the_process_ends_with_the_engine() -> None:
    """When the engine is gone, which closes stdin, the process ends although its threads would continue."""
    with started('print("ready", flush=True)\nthreading.Event().wait(60)\n') as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """What a process prints that ends by itself: its watching threads, two errors, and what comes after them."""
    program = """
host.install_hooks()
print([t.name for t in threading.enumerate()].count("linq-end-with-engine"))
for error in (RefusedError("No.", next_step="Do this."), KeyError("x")):
    print("---")
    try:
        raise error
    except Exception:
        print(main.traceback.format_exc())
print("---")
"""
    with started(program) as process:
        assert process.wait(timeout=30) == 0
        assert process.stdout is not None
        return process.stdout.read().split("---\n")


def test_settling_in_twice_is_settling_in_once(printed: list[str]) -> None:
    """Several providers in one process start one watching thread."""
    assert printed[0] == "1\n"


def test_our_errors_are_printed_as_sentences(printed: list[str]) -> None:
    """The host prints `traceback.format_exc()`: of our errors that is the text; others keep their trace."""
    ours, other = printed[1:3]
    assert ours == "No. Do this.\n"
    assert other.startswith("Traceback (most recent call last):\n")
    assert other.rstrip().endswith("KeyError: 'x'")


def test_the_process_ends_by_itself_too(printed: list[str]) -> None:
    """Watching stdin does not disturb a normal end: exit code 0 and no output, with stdin still open."""
    assert printed[3:] == [""]


def test_no_other_process_is_touched() -> None:
    """In a unit test or a program nothing is watched and nothing replaced."""
    host.install_hooks()
    assert "linq-end-with-engine" not in {thread.name for thread in threading.enumerate()}
    assert not hasattr(sys.modules["__main__"], "_linq_provider")


def test_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A message that is not an error is one line on stdout that names linq."""
    host.print_info("Line 1 keeps its forwarding.")
    assert capsys.readouterr().out == "linq: Line 1 keeps its forwarding.\n"
