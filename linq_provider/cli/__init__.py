"""The command line `linq-provider`: a module for each command, and what they share.

Everything that fails raises LinqError, which `commands` prints as one paragraph.
"""

import sys


def main() -> None:
    """Run the command line; errors are one sentence on stderr and exit status 1."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        sys.exit(f"linq-provider: {error.name} is not installed; run `pip install 'linq-provider[cli]'`")

    from linq_provider.cli.commands import commands

    commands(prog_name="linq-provider")
