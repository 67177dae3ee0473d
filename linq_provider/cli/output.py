"""The output of commands: tables and checks on a terminal, tab-separated text in a pipe, or JSON."""

from __future__ import annotations

import enum
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from linq_provider.errors import MAX_MESSAGE, LinqError, plain

if TYPE_CHECKING:
    from rich.console import Console

json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Mark(str, enum.Enum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILS = "fails"
    NOT_CHECKED = "not checked"


LEAST_WIDTH = 40  # columns; a narrower table loses whole cells
COLOURS = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.FAILS: "red", Mark.NOT_CHECKED: "dim"}


@dataclass(frozen=True)
class Check:
    """One check of `doctor`: its result, what was found, and how to fix it."""

    check: str
    mark: Mark
    finding: str = ""
    fix: str = ""


def checked(name: str, find: Callable[..., str | Check], *arguments: Any) -> Check:
    """One check: ok with the text that `find` returns, or failed with the error that it raises."""
    try:
        with working(f"Checking: {name}"):
            found = find(*arguments)
    except LinqError as error:
        return failed(name, error)
    return found if isinstance(found, Check) else Check(name, Mark.OK, found)


def failed(name: str, error: LinqError) -> Check:
    """A check that fails because of `error`."""
    return Check(name, Mark.FAILS, plain(error.message, limit=300), error.next_step)


def forwards_to(forwarding_number: str) -> str:
    """A forwarding number as it is shown to people."""
    return forwarding_number or "not forwarded"


def count_forwarded(forwarding_numbers: Sequence[str]) -> str:
    """How many lines there are, and how many of them are forwarded."""
    lines = "1 line" if len(forwarding_numbers) == 1 else f"{len(forwarding_numbers):,} lines"
    return f"{lines}, {sum(map(bool, forwarding_numbers)):,} of them forwarded"


def print_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json.dumps(value, indent=2))


def print_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with its header on a terminal, else tab-separated rows without a header."""
    # A tab or line break in a server's text must not look like another cell or row.
    cleaned = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_table(header, cleaned)
    elif cleaned:
        click.echo("\n".join("\t".join(row) for row in cleaned))


def print_check(check: Check) -> None:
    """Print one check as a sentence with its mark in colour on a terminal, else separated by tabs."""
    finding, fix = plain(check.finding, limit=500), plain(check.fix, limit=500)
    if not sys.stdout.isatty():
        click.echo("\t".join((check.mark.value, check.check, finding, fix)).rstrip("\t"))
        return
    from rich.text import Text

    found = f": {finding}" if finding else ""
    end = "." if finding and fix and not finding.endswith(".") else ""
    mark = (f"{check.mark.value:<12}", COLOURS[check.mark])
    _console().print(Text.assemble(mark, f"{check.check}{found}{end} {fix}".rstrip()), soft_wrap=True)


def say(text: object) -> None:
    """Print a sentence to stderr, without control characters, which a name or an argument in it may contain."""
    click.echo(plain(str(text), limit=MAX_MESSAGE), err=True)


def make_printable() -> None:
    """Make sure that every text can be printed, even if a stream is closed or its encoding lacks some characters."""
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def working(text: str) -> AbstractContextManager[Any]:
    """Show on a terminal what is being waited for."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.text import Text

    return _console(stderr=True).status(Text(plain(text)), spinner="line")


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(name, overflow="fold") for name in header))  # fold, because a truncated id cannot be copied
    for row in rows:
        table.add_row(*map(Text, row))  # as Text, so that square brackets are not markup
    _console().print(table)


def _console(*, stderr: bool = False) -> Console:
    """A console that is wide enough for a table; rich alone would print nothing if COLUMNS is 0."""
    from rich.console import Console

    return Console(stderr=stderr, width=max(shutil.get_terminal_size().columns, LEAST_WIDTH))
