"""The group of all commands: their errors and exit statuses."""

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
from linq_provider.cli.init import init
from linq_provider.cli.numbers import numbers
from linq_provider.cli.output import make_printable, say
from linq_provider.errors import LinqError

HELP = """Show Linq phone lines and where calls to them are forwarded, and check what Pulumi needs to manage them.

\b
Exit status: 0 success; 1 an error, explained in one sentence on stderr; 2 (drift only) something differs.
The API key is read from LINQ_API_V3_API_KEY, or with --stack from that stack. It is never an argument.

\b
To complete commands and options with the Tab key in the shell that is running:
  bash  eval "$(_LINQ_PROVIDER_COMPLETE=bash_source linq-provider)"
  zsh   eval "$(_LINQ_PROVIDER_COMPLETE=zsh_source linq-provider)"
  fish  _LINQ_PROVIDER_COMPLETE=fish_source linq-provider | source
"""


class Commands(click.Group):
    """A group whose errors all end with exit status 1, because 2, which click uses, is how `drift` reports drift."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run a command and end the process with its exit status."""
        make_printable()
        try:
            sys.exit(super().main(*args, **options | {"standalone_mode": False}))
        except click.UsageError as error:
            say(_usage(error))
        except LinqError as error:
            click.echo(error, err=True)  # the error of a roster has a line for each problem
        except click.ClickException as error:
            say(error)
        except click.Abort:
            say("Interrupted.")
        except OSError as error:
            say(_unusable(error))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # buffered output would fail again at exit
        sys.exit(1)


def _usage(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "linq-provider"
    said = error.format_message()
    return f"{said if said.endswith(('.', '?')) else f'{said}.'} See `{command} --help`."


def _unusable(error: OSError) -> str:
    """The message for an error of a file, or of a stream without a name, such as `>` to a full disk."""
    if error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror or error}."
    return f"The output cannot be written: {error.strerror or error}."


@click.pass_context
def _help_without_command(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(1)


commands: Commands = Commands(
    help=HELP,
    commands=[numbers, export, drift, check, doctor, init, emulator],
    callback=_help_without_command,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, prog_name="linq-provider")(commands)
