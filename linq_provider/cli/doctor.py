"""`linq-provider doctor`: check that everything `pulumi up` needs is there."""

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
    """Check that everything `pulumi up` needs is there: programs, key, network, account. Nothing is changed.

    Each check is one line: ok, warning, fails or not checked; what was found; and how to fix it. In a
    pipe, tabs separate mark, check, finding and fix. --json prints an array.

    Exit status: 1 if a check fails, else 0. A warning is not a failure.
    """
    checks = []
    for check in chain(machine_checks(), access_checks(stack)):
        checks.append(check)
        if not as_json:
            print_check(check)
    if as_json:
        print_json([asdict(check) for check in checks])
    context.exit(int(any(check.mark is Mark.FAILS for check in checks)))
