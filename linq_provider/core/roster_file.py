"""A roster file as text and cells: what both formats share."""

from __future__ import annotations

import codecs
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from linq_provider.errors import ConfigurationError, plain

MAX_BYTES = 10 * 1024 * 1024  # a roster of 100,000 lines has 5 MB
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True)
class Cell:
    """A text of the file (None if it is missing), and where it begins, counted from 1."""

    text: str | None
    row: int
    column: int

    @property
    def place(self) -> str:
        """Where it begins, for a message."""
        return f"line {self.row}, column {self.column}"


@dataclass(frozen=True)
class Problem:
    """What is wrong in one place of a roster, without any forwarding number."""

    text: str
    row: int
    column: int

    def __str__(self) -> str:
        return f"line {self.row}, column {self.column}: {self.text}"


@dataclass(frozen=True)
class Row:
    """One line and its number, "" for not forwarded; or a `problem` if the row cannot be split into cells."""

    line: Cell
    number: Cell
    problem: Problem | None = None


class Unreadable(Exception):
    """Nothing after this place of the file can be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def unreadable(cell: Cell, reason: str) -> Unreadable:
    """The error that stops reading the file at this place."""
    return Unreadable(Problem(reason, cell.row, cell.column))


def shown(path: Path) -> str:
    """The name of a file, for a message."""
    return plain(str(path), limit=200)


def read_text(path: Path) -> str:
    """The whole file: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        ConfigurationError: it is not a regular file, is too large, or cannot be read.
        Unreadable: it is in another encoding.
    """
    raw = _read(path)
    utf_16 = raw.startswith(_UTF_16) and not raw.startswith(_UTF_32)
    try:
        return raw.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-16" if utf_16 else "utf-8-sig", errors="ignore")
        at = Cell(None, before.count("\n") + 1, len(before) - before.rfind("\n"))
        encoding = "UTF-16" if utf_16 else "UTF-8"
    raise unreadable(at, f"this is not {encoding}: save the file as UTF-8, which spreadsheets call CSV UTF-8")


def _read(path: Path) -> bytes:
    """At most `MAX_BYTES`; a device, a pipe or a folder is not read, and cannot block."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            with os.fdopen(file, "rb") as opened:
                # Checked again on the opened file, because the name may mean another one now.
                regular = stat.S_ISREG(os.fstat(file).st_mode)
                raw = opened.read(MAX_BYTES + 1) if regular else None
        else:
            raw = None
    except OSError as error:
        raise ConfigurationError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError:  # the name contains a NUL
        raise ConfigurationError(f"{shown(path)} cannot be read: its name contains a NUL character.") from None
    if raw is None:
        raise ConfigurationError(
            f"{shown(path)} cannot be read: it is not a regular file but a folder, device or pipe."
        )
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{shown(path)} cannot be read: it has more than 10 MB, which no roster needs.")
    return raw
