"""`linq-provider numbers`: the lines of the account, and where calls to them are forwarded."""

import click

from linq_provider.cli.lines import list_lines, load_settings, stack_option
from linq_provider.cli.output import forwards_to, json_option, print_json, print_rows, say
from linq_provider.core.account import NO_LINES


@click.command()
@json_option
@stack_option
def numbers(*, as_json: bool, stack: str | None) -> None:
    """List the lines of the account, and where calls to them are forwarded.

    In a pipe, tabs separate phone number, where it forwards, id and type. --json prints an array.
    """
    lines = list_lines(load_settings(stack))
    if not lines:
        say(NO_LINES)
    if as_json:
        fields = ("id", "phone_number", "forwarding_number", "line_type")
        print_json([{name: getattr(line, name) for name in fields} for line in lines])
        return
    print_rows(
        ("Phone number", "Forwards to", "Id", "Type"),
        [(line.phone_number, forwards_to(line.forwarding_number), line.id, line.line_type or "-") for line in lines],
    )
