"""`linq-provider doctor`: is everything there that `pulumi up` needs."""

from dataclasses import asdict
from itertools import chain

import click

from linq_provider.cli.access import access_checks
from linq_provider.cli.lines import stack_option
from linq_provider.cli.machine import machine_checks
from linq_provider.cli.output import Mark, json_option, print_check, print_json


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
    for check in chain(machine_checks(), access_checks(stack)):
        checks.append(check)
        if not as_json:
            print_check(check)
    if as_json:
        print_json([asdict(check) for check in checks])
    context.exit(int(any(check.mark is Mark.FAILS for check in checks)))
