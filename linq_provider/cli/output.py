"""What commands print: a table on a terminal, plain text between tabs in a pipe, or JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from linq_provider.errors import plain

_F = TypeVar("_F", bound=Callable[..., Any])
json_option: Callable[[_F], _F] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def forwards_to(forwarding_number: str) -> str:
    """A forwarding number as people read it."""
    return forwarding_number or "not forwarded"


def print_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json.dumps(value, indent=2))


def print_rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with its header on a terminal, else each row between tabs, without one."""
    # What a server wrote: no tab or line break may look like another cell or row.
    cleaned = [[plain(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_table(header, cleaned)
    elif cleaned:
        click.echo("\n".join("\t".join(row) for row in cleaned))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on a terminal that something takes its time."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header)
    for column in table.columns:
        column.overflow = "fold"  # half an id cannot be copied
    for row in rows:
        # Text: a value in square brackets is no markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
