"""The group of all commands: what they share in errors and exit statuses."""

import io
import os
import sys
from typing import Any, NoReturn

import click

from linq_provider._version import __version__
from linq_provider.cli.check_rosters import check
from linq_provider.cli.doctor import doctor
from linq_provider.cli.drift import drift
from linq_provider.cli.emulator import emulator
from linq_provider.cli.export import export
from linq_provider.cli.numbers import numbers
from linq_provider.errors import LinqError

HELP = """Linq phone numbers and where they forward.

\b
Exit status: 0 done; 1 an error, told in one sentence on stderr; drift: 2 for a difference.
The key is read from LINQ_API_V3_API_KEY, or with --stack from that stack; it is never an argument.

\b
Completion of commands and options, for the shell that is running:
  bash  eval "$(_LINQ_PROVIDER_COMPLETE=bash_source linq-provider)"
  zsh   eval "$(_LINQ_PROVIDER_COMPLETE=zsh_source linq-provider)"
  fish  _LINQ_PROVIDER_COMPLETE=fish_source linq-provider | source
"""


class Commands(click.Group):
    """A group whose errors all end with exit status 1: click's 2 for wrong usage would say drift."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run a command and end the process with its exit status."""
        # A shell may have closed them (`>&-`), and Python then has None in their place.
        sys.stdout = sys.stdout or io.StringIO()
        sys.stderr = sys.stderr or io.StringIO()
        try:
            sys.exit(super().main(*args, **options | {"standalone_mode": False}))
        except click.UsageError as error:
            click.echo(_usage(error), err=True)
        except click.ClickException as error:
            click.echo(error.format_message(), err=True)
        except click.Abort:
            click.echo("Interrupted.", err=True)
        except LinqError as error:
            click.echo(str(error), err=True)
        except OSError as error:  # a full disk behind `>`
            click.echo(f"The output cannot be written: {error.strerror or error}.", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered would fail again at the exit
        sys.exit(1)


def _usage(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "linq-provider"
    return f"{error.format_message().rstrip('.')}. See `{command} --help`."


@click.pass_context
def _help_without_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(1)


commands: Commands = Commands(
    help=HELP,
    commands=[numbers, export, drift, check, doctor, emulator],
    callback=_help_without_command,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, prog_name="linq-provider")(commands)
