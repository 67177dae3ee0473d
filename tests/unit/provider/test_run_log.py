"""The log that the processes of one run share: private, in one order, and empty at the start of each run."""

from __future__ import annotations

import gc
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from linq_provider.errors import ConfigurationError
from linq_provider.provider import run_log
from linq_provider.provider.run_log import RunLog

ADDRESS = "127.0.0.1:1234"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files of the runs are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"linq-provider-{os.getuid()}"


def test_each_reads_the_events_of_all_in_one_order() -> None:
    """One's own events are among them, and none is read twice."""
    first, second = RunLog(ADDRESS), RunLog(ADDRESS)
    first.append(["a", ["+1"]])
    second.append(["b", ["+2"], None])
    assert first.read() == second.read() == [["a", ["+1"]], ["b", ["+2"], None]]
    assert list(first.read()) == []


def test_an_exchange_returns_the_events_of_others_before_its_own() -> None:
    """So each process applies all events in the same order, whether it had to read the file or not."""
    first, second = RunLog(ADDRESS), RunLog(ADDRESS)
    assert list(first.exchange(["a"])) == [["a"]]
    assert list(first.exchange(["b"])) == [["b"]]
    assert list(second.exchange(["c"])) == [["a"], ["b"], ["c"]]
    assert list(first.exchange(["d"])) == [["c"], ["d"]]
    assert (list(first.read()), list(second.read())) == ([], [["d"]])


def test_an_exchange_with_half_an_event_in_the_file_waits_for_the_other_half() -> None:
    """A full disk, or a signal, can interrupt a write of another process."""
    first, second = RunLog(ADDRESS), RunLog(ADDRESS)
    os.write(second._file, b'["a", ')
    assert list(first.read()) == []
    os.write(second._file, b"1]\n")
    assert list(first.exchange(["b"])) == [["a", 1], ["b"]]


def test_processes_that_write_at_the_same_time_break_no_event(folder: Path) -> None:
    """A thousand events of four processes come whole."""
    log = RunLog(ADDRESS)
    program = (
        "import sys, tempfile\n"
        f"tempfile.tempdir = {str(folder.parent)!r}\n"
        "from linq_provider.provider.run_log import RunLog\n"
        f"log = RunLog({ADDRESS!r})\n"
        "for n in range(250): log.append([sys.argv[1], ['x' * 500], n])\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "abcd"]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    events = log.read()
    assert [[event[2] for event in events if event[0] == name] for name in "abcd"] == [list(range(250))] * 4


def test_the_file_is_private(folder: Path) -> None:
    """It holds phone numbers."""
    log = RunLog(ADDRESS)
    log.append(["a"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("swept", [True, False])
def test_a_file_of_a_run_that_is_over_is_begun_anew(monkeypatch: pytest.MonkeyPatch, swept: bool) -> None:
    """A port that is used again brings no declarations along, also where the earlier run ends just before the log opens."""
    if not swept:
        monkeypatch.setattr(run_log, "_sweep", lambda path: None)
    old = RunLog(ADDRESS)
    old.append(["a"])
    old.close()
    assert list(RunLog(ADDRESS).read()) == []


def test_a_log_that_was_left_takes_no_more_events() -> None:
    """Its file number may belong to another file by then."""
    mine, other = RunLog(ADDRESS), RunLog(ADDRESS)
    mine.close()
    mine.append(["a"])
    assert list(mine.exchange(["a"])) == []
    assert list(other.read()) == []


def test_files_of_runs_that_are_over_are_removed(folder: Path) -> None:
    """A process that joins a run removes the files of runs that have ended, and keeps those of running ones."""
    over, going_on = RunLog("127.0.0.1:1"), RunLog("127.0.0.1:2")
    over.close()
    RunLog("127.0.0.1:3")
    assert sorted(file.name for file in folder.iterdir()) == ["127.0.0.1_2", "127.0.0.1_3"]
    going_on.append(["a"])
    assert going_on.read() == [["a"]]


@pytest.mark.parametrize("kind", ["readable by others", "another user's", "a link", "a file"])
def test_a_folder_that_is_not_ours_alone_is_refused(
    folder: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else on the machine cannot prepare it."""
    if kind == "readable by others":
        folder.mkdir(mode=0o755)
    elif kind == "another user's":
        (tmp_path / "linq-provider-4711").mkdir(mode=0o700)
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch()
    with pytest.raises(ConfigurationError, match=r"not a private folder of this user.*set TMPDIR"):
        RunLog(ADDRESS)


def test_a_file_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """Nothing outside of the folder is emptied."""
    folder.mkdir(mode=0o700)
    (tmp_path / "precious").write_text("kept")
    (folder / "127.0.0.1_1234").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigurationError, match=r"[sS]et TMPDIR"):
        RunLog(ADDRESS)
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_run_that_nobody_holds_any_more_is_closed() -> None:
    """A service that runs many programs does not run out of files."""
    gc.collect()  # what earlier tests left open
    before = len(os.listdir("/dev/fd"))
    for n in range(10):
        RunLog(f"127.0.0.1:{n}").append(["a"])
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before
