"""`linq-provider export`: a program or a roster that declares the account as it is now."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from linq_provider.cli.exported import ExportedAccount, csv_text, exported, program_text, roster_text
from linq_provider.cli.lines import list_lines, load_settings, stack_option
from linq_provider.cli.output import say
from linq_provider.cli.programs import working_folder
from linq_provider.core.account import NO_LINES
from linq_provider.core.destinations import Destinations

FILE: click.Path = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
SUFFIXES: dict[str, tuple[str, ...]] = {"python": (".py",), "yaml": (".yaml", ".yml"), "csv": (".csv",)}
ROSTER_NAME = "lines.yaml"  # used in the comment of a roster that is written to stdout


@click.command()
@click.option(
    "--format", "kind", type=click.Choice([*SUFFIXES]), help="Default: chosen by the ending of FILE, else python."
)
@click.option("-o", "--output", "file", type=FILE, metavar="FILE", help="Write to FILE, not to stdout.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@stack_option
def export(*, kind: str | None, file: Path | None, force: bool, stack: str | None) -> None:
    """Write a Pulumi program, or a roster in YAML or CSV, that declares the account as it is now.

    The `pulumi up` after it changes nothing at Linq, and the next preview is empty. Every line that the
    key sees is declared, in the order of the phone numbers. A line that is not forwarded is declared
    with "" (in CSV: none), so that a later change by hand is found. Remove the lines that you do not
    want to manage.

    A program declares up to 50 lines one by one, and more as one fleet. A line that cannot be declared
    as it is becomes a comment that says why (in CSV: a message on stderr).
    """
    file = None if file == Path("-") else file
    kind = kind or _kind_of(file)
    if file is not None:
        if not file.is_absolute():
            working_folder()
        _refuse_name(file, kind, force=force)
    settings = load_settings(stack)
    account = exported(list_lines(settings), destinations=Destinations(settings.allowed_forwardings))
    text = _text(kind, account, file.name if file else ROSTER_NAME)
    if file is None:
        click.echo(text, nl=False)
    elif not (account.lines or account.left_out) and os.path.lexists(file):
        raise click.ClickException(f"{file} exists and was left as it is. {NO_LINES}")
    else:
        _write(file, text, force=force)
    _report(account, kind, file)


def _report(account: ExportedAccount, kind: str, file: Path | None) -> None:
    """Say what was written and what was left out. For CSV, which has no comments, also say why."""
    if account.lines:
        say(f"{'Program' if kind == 'python' else 'Roster'} written to {file or 'stdout'}: {account.summary}.")
    elif not account.left_out:
        say(f"{NO_LINES} Nothing is declared.")
    if account.left_out and kind == "csv":
        say(f"{account.summary_left_out}:")
        for line in account.left_out:
            say(line)
    elif account.left_out:
        say(f"{account.summary_left_out}; comments in the output say why.")


def _kind_of(file: Path | None) -> str:
    suffix = file.suffix.lower() if file else ""
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), "python")


def _text(kind: str, account: ExportedAccount, name: str) -> str:
    if kind == "python":
        return program_text(account)
    return csv_text(account) if kind == "csv" else roster_text(account, file=name)


def _refuse_name(file: Path, kind: str, *, force: bool) -> None:
    """Refuse a name that Python or `load_roster` could not use, and a file that exists."""
    if file.suffix.lower() not in SUFFIXES[kind]:
        raise click.UsageError(f"{file} is not a name for {kind}: it must end in {' or '.join(SUFFIXES[kind])}.")
    if not force and os.path.lexists(file):
        raise _exists(file)


def _exists(file: Path) -> click.ClickException:
    return click.ClickException(f"{file} exists and was left as it is; name another file, or add --force.")


def _write(file: Path, text: str, *, force: bool) -> None:
    """Write the whole file or nothing; without `force`, do not overwrite a file that was created meanwhile."""
    try:
        target = Path(os.path.realpath(file))
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            new = Path(folder) / "new"
            new.write_text(text, encoding="utf-8")
            if not force:
                target.touch(exist_ok=False)
            with suppress(FileNotFoundError):
                shutil.copymode(target, new)
            new.replace(target)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror or error}.") from error
