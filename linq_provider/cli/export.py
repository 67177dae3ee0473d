"""`linq-provider export`: the live account as a program or a roster that adopts it."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from linq_provider.cli.exported import ExportedAccount, exported
from linq_provider.cli.lines import list_lines
from linq_provider.cli.program_text import program_text
from linq_provider.cli.roster_text import csv_text, roster_text
from linq_provider.cli.stack import load_settings, stack_option
from linq_provider.core.destinations import Destinations

SUFFIXES: dict[str, tuple[str, ...]] = {"python": (".py",), "yaml": (".yaml", ".yml"), "csv": (".csv",)}
ROSTER_NAME = "lines.yaml"  # what the comment of a roster without a name calls it


@click.command()
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(SUFFIXES)),
    help="A Pulumi program, or a roster. Default: as FILE ends, else python.",
)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write here, not to stdout.",
)
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@stack_option
def export(*, kind: str | None, file: Path | None, force: bool, stack: str | None) -> None:
    """Write the live account as a Pulumi program or roster that adopts it.

    After it, `pulumi up` writes nothing at Linq, and the next preview is empty. Every line that the
    key sees is declared, in the order of the phone numbers; one that is not forwarded is declared
    with "", so that a later change by hand shows as drift. Take out what is not yours to manage.

    A program declares up to 50 lines one by one, and more as one fleet. A line that cannot be declared
    as it is stands there as a comment that says why.
    """
    file = None if file == Path("-") else file
    kind = kind or _kind_of(file)
    if file is not None:
        _refuse_suffix(file, kind)
    if file is not None and not force:
        _refuse_existing(file)
    settings = load_settings(stack)
    account = exported(list_lines(settings), destinations=Destinations(settings.allowed_forwardings))
    text = _text(kind, account, file.name if file else ROSTER_NAME)
    if file is None:
        click.echo(text, nl=False)
    else:
        if not (account.lines or account.left_out) and os.path.lexists(file):
            raise click.ClickException(f"{file} exists and was left as it is: this key sees no lines at all.")
        _write(file, text, force=force)
    if account.left_out:
        count = f"{len(account.left_out):,} of {len(account.left_out) + len(account.lines):,} lines"
        if kind == "csv":
            click.echo("\n".join([f"{count} cannot be declared as they are:", *account.left_out]), err=True)
        else:
            click.echo(f"{count} cannot be declared as they are; comments in the output say why.", err=True)
    elif not account.lines:
        click.echo("This key sees no lines at all, so nothing is declared; is it the right account?", err=True)


def _kind_of(file: Path | None) -> str:
    suffix = file.suffix.lower() if file else ""
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), "python")


def _text(kind: str, account: ExportedAccount, name: str) -> str:
    if kind == "python":
        return program_text(account)
    return csv_text(account) if kind == "csv" else roster_text(account, file=name)


def _refuse_suffix(file: Path, kind: str) -> None:
    """A program or roster under another name would be of no use: neither Python nor `load_roster` would take it."""
    if file.suffix.lower() not in SUFFIXES[kind]:
        raise click.UsageError(f"{file} is no name for {kind}: it must end in {' or '.join(SUFFIXES[kind])}.")


def _refuse_existing(file: Path) -> None:
    if os.path.lexists(file):
        raise click.ClickException(f"{file} exists and was left as it is; name another file, or add --force.")


def _write(file: Path, text: str, *, force: bool) -> None:
    """Write the whole file or nothing; without `force` never one that came into being meanwhile."""
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
        _refuse_existing(file)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror or error}.") from error
