"""The log that all processes of one run share: the program and its providers.

The engine starts a process for each provider of a stack, so the process that must delete a line may have seen no
declaration at all. All processes know the engine's address, which is the name of the run's file. The file contains
phone numbers: it is private to the user, and useless once the processes of its run have ended.
"""

import fcntl
import json
import os
import re
import stat
import tempfile
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from linq_provider.errors import ConfigurationError


class RunLog:
    """The events of one run.

    A process holds a shared lock on the file until it ends. A file that can be locked exclusively is left over from an
    earlier run, and is emptied.

    Raises:
        ConfigurationError: the folder of these files cannot be used, or is not private to this user.
    """

    def __init__(self, engine_address: str) -> None:
        try:
            self._file = _joined(_folder() / re.sub(r"[^\w.-]", "_", engine_address))
        except OSError as error:
            raise ConfigurationError(
                f"A run cannot write its log to {tempfile.gettempdir()}: {error.strerror}.",
                next_step="Set TMPDIR to a folder that this user can write.",
            ) from None
        self._close = weakref.finalize(self, os.close, self._file)  # a service may run many programs
        self._lock = threading.Lock()
        self._offset = 0
        self._rest = b""

    def append(self, event: Sequence[Any]) -> None:
        """Add an event, unless the log is closed; `O_APPEND` keeps the events of several processes in one order."""
        with self._lock:
            self._write(event)

    def exchange(self, event: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Add an event, and return the events since the last call, this one included."""
        with self._lock:
            length = self._write(event)
            # A write with `O_APPEND` leaves the position of this process at its end.
            if length and os.lseek(self._file, 0, os.SEEK_CUR) == self._offset + length and not self._rest:
                self._offset += length
                return (event,)  # no other process has added an event, so there is nothing to read
            return self._read()

    def read(self) -> Sequence[Sequence[Any]]:
        """The events since the last call, our own included."""
        with self._lock:
            return self._read()

    def _write(self, event: Sequence[Any]) -> int:
        """Add an event; return how many bytes it takes, 0 if the log is closed."""
        data = rest = json.dumps(event).encode() + b"\n"
        while rest and self._close.alive:
            rest = rest[os.write(self._file, rest) :]
        return 0 if rest else len(data)

    def _read(self) -> Sequence[Sequence[Any]]:
        size = os.fstat(self._file).st_size if self._close.alive else self._offset
        if size == self._offset:
            return ()
        data = self._rest + os.pread(self._file, size - self._offset, self._offset)
        self._offset = size
        *lines, self._rest = data.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Leave the run."""
        with self._lock:
            self._close()


def _joined(path: Path) -> int:
    """The open file of a run, under a shared lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if _is_left_over(file):
            os.ftruncate(file, 0)
        fcntl.flock(file, fcntl.LOCK_SH)
        with suppress(OSError):
            if os.path.samestat(os.fstat(file), path.stat()):  # not removed meanwhile
                return file
        os.close(file)


def _is_left_over(file: int) -> bool:
    """Whether no running process holds the file; if so, this locks it exclusively."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folder() -> Path:
    """The private folder of this user's runs; the files of runs that have ended are removed.

    Raises:
        ConfigurationError: another user owns it or may write to it.
    """
    folder = Path(tempfile.gettempdir()) / f"linq-provider-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(
            f"{folder} is not a private folder of this user, so a run cannot write its log there.",
            next_step="Remove it, or set TMPDIR to a folder of your own.",
        )
    for path in folder.iterdir():
        _sweep(path)
    return folder


def _sweep(path: Path) -> None:
    with suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # Another process may have removed it meanwhile, and a new run may have created a file of the same name.
            if _is_left_over(file) and os.path.samestat(os.fstat(file), path.stat()):
                path.unlink()
        finally:
            os.close(file)
