"""`linq-provider doctor`: is everything there that `pulumi up` needs."""

import sys
from collections.abc import Iterator

import click

from linq_provider.cli.access import access_checks
from linq_provider.cli.check import Check, Mark
from linq_provider.cli.machine import machine_checks
from linq_provider.cli.output import json_option, print_json
from linq_provider.cli.stack import stack_option

COLOURS = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.FAILS: "red", Mark.NOT_CHECKED: "dim"}


@click.command()
@json_option
@stack_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, stack: str | None) -> None:
    """Check what `pulumi up` needs: this machine, the key, the network, and what the key sees. Only reads.

    One line a check: ok, warning, fails or not checked; what it found; and how to mend it. In a pipe,
    mark, check, finding and mend are separated by tabs; --json prints an array.

    Exit status: 1 where a check fails, else 0. A warning is no failure.
    """
    checks = []
    for check in _checks(stack):
        checks.append(check)
        if not as_json:
            _print(check)
    if as_json:
        print_json(
            [
                {"check": each.name, "mark": each.mark.value, "finding": each.detail, "mend": each.mend}
                for each in checks
            ]
        )
    context.exit(int(any(each.mark is Mark.FAILS for each in checks)))


def _checks(stack: str | None) -> Iterator[Check]:
    yield from machine_checks()
    yield from access_checks(stack)


def _print(check: Check) -> None:
    if not sys.stdout.isatty():
        click.echo("\t".join((check.mark.value, check.name, check.detail, check.mend)).rstrip("\t"))
        return
    from rich.console import Console
    from rich.text import Text

    found = f": {check.detail}" if check.detail else ""
    mend = f" {check.mend}" if check.mend else ""
    end = "." if check.detail and check.mend and not check.detail.endswith(".") else ""
    mark = (f"{check.mark.value:<12}", COLOURS[check.mark])
    Console().print(Text.assemble(mark, f"{check.name}{found}{end}{mend}"), soft_wrap=True)
