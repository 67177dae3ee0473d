"""`linq-provider numbers`: the account's lines and where they forward."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from linq_provider.config import Settings

if TYPE_CHECKING:
    from linq_provider.answers import PhoneNumber


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def numbers(*, as_json: bool) -> None:
    """Show the account's lines and where they forward.

    The key is read from LINQ_API_V3_API_KEY. In a pipe, each line of output holds phone number,
    where it forwards, id and type, separated by tabs.
    """
    from linq_provider.client import LinqClient

    lines = LinqClient(Settings.load()).list_phone_numbers()
    if as_json:
        click.echo(_as_json(lines))
    elif sys.stdout.isatty():
        _print_table(lines)
    else:
        for line in lines:
            click.echo("\t".join(_cells(line)))


def _as_json(lines: Iterable[PhoneNumber]) -> str:
    fields = ("id", "phone_number", "forwarding_number", "line_type")
    return json.dumps([{name: getattr(line, name) for name in fields} for line in lines], indent=2)


def _cells(line: PhoneNumber) -> tuple[str, str, str, str]:
    return line.phone_number, line.forwarding_number or "not forwarded", line.id, line.line_type or "-"


def _print_table(lines: Iterable[PhoneNumber]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("Phone number", "Forwards to", "Id", "Type")
    for line in lines:
        # Text: a value in square brackets is no markup.
        table.add_row(*(Text(cell) for cell in _cells(line)))
    Console().print(table)
