"""The command line `linq-provider`: one small module a command."""

from __future__ import annotations

import sys

from linq_provider.errors import LinqError


def main() -> None:
    """Run the command line; errors are one sentence on stderr and exit status 1."""
    try:
        import click
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f"linq-provider: {error.name} is not installed; run `pip install 'linq-provider[cli]'`")

    from linq_provider.cli.emulator import emulator
    from linq_provider.cli.numbers import numbers

    group = click.Group(help="Linq phone numbers and where they forward.", commands=[numbers, emulator])
    try:
        group(prog_name="linq-provider")
    except LinqError as error:
        sys.exit(str(error))
