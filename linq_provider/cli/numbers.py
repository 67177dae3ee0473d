"""`linq-provider numbers`: the lines of the account, and what they forward to."""

import re

import click

from linq_provider.cli.lines import list_lines, load_settings, stack_option
from linq_provider.cli.output import forwards_to, json_option, print_json, print_rows, say
from linq_provider.core.account import NO_LINES
from linq_provider.phone_number import PhoneNumber


@click.command()
@click.option("--forwarded", is_flag=True, help="Only lines that are forwarded.")
@click.option("--search", metavar="TEXT", help="Only lines with TEXT in their number, id or forwarding number.")
@json_option
@stack_option
def numbers(*, forwarded: bool, search: str | None, as_json: bool, stack: str | None) -> None:
    """List the lines of the account, and where calls to them are forwarded.

    In a pipe, tabs separate phone number, where it forwards, id and type. --json prints an array.
    For --search, spaces, dashes, dots, brackets and capitals do not matter.
    """
    lines = list_lines(load_settings(stack))
    shown = [line for line in lines if (line.forwarding_number or not forwarded) and _matches(line, search or "")]
    if not lines:
        say(NO_LINES)
    elif not shown:
        say(f"None of the {len(lines):,} lines of this key matches.")
    if as_json:
        fields = ("id", "phone_number", "forwarding_number", "line_type")
        print_json([{name: getattr(line, name) for name in fields} for line in shown])
        return
    print_rows(
        ("Phone number", "Forwards to", "Id", "Type"),
        [(line.phone_number, forwards_to(line.forwarding_number), line.id, line.line_type or "-") for line in shown],
    )


def _matches(line: PhoneNumber, text: str) -> bool:
    parts = (line.phone_number, line.id, line.forwarding_number)
    return any(_without_separators(text) in _without_separators(part) for part in parts)


def _without_separators(text: str) -> str:
    return re.sub(r"[\s().-]", "", text).lower()
