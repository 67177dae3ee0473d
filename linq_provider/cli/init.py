"""`linq-provider init`: a project that can be run at once."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from linq_provider._version import __version__
from linq_provider.cli.exported import ExportedAccount, exported, roster_text
from linq_provider.cli.lines import list_lines, load_settings, require_key
from linq_provider.cli.output import say
from linq_provider.cli.programs import working_folder
from linq_provider.core.destinations import Destinations
from linq_provider.errors import LinqError

ROSTER = "lines.yaml"
NOT_IN_A_NAME: re.Pattern[str] = re.compile(r"[^A-Za-z0-9._-]+")  # what Pulumi refuses in the name of a project
LONGEST_NAME = 100  # characters; Pulumi's limit
# The files of a project: for each, its template in the folder `project`, and what the README says about it.
FILES: dict[str, tuple[str, str]] = {
    "__main__.py": ("program.txt", "the program"),
    ROSTER: ("", "each line, and the number that it forwards to"),
    "Pulumi.yaml": ("Pulumi.yaml.txt", "the name of the project, and how Pulumi runs it"),
    "requirements.txt": ("requirements.txt", "the Python packages that the program needs"),
    ".gitignore": ("gitignore.txt", "what is not to be committed"),
    "README.md": ("README.md", "how to go on"),
}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--from-account", is_flag=True, help=f"Declare the lines of the account as they are now, in {ROSTER}.")
def init(*, folder: Path, from_account: bool) -> None:
    """Make a Pulumi project in FOLDER, by default this one, that runs as it is.

    Its program lists the lines of the account, and shows how to declare one. With --from-account it
    declares every line as it is now, so that the first `pulumi up` changes nothing at Linq; the key is
    read from LINQ_API_V3_API_KEY. Files that exist are never changed.
    """
    path = folder if folder.is_absolute() else working_folder() / folder
    existing = [name for name in FILES if os.path.lexists(path / name)]
    if existing:
        raise click.ClickException(f"{folder / existing[0]} exists, so nothing was written. Name another folder.")
    project = NOT_IN_A_NAME.sub("-", path.resolve().name).strip("-.")[:LONGEST_NAME] or "phone-lines"
    account = _account() if from_account else None
    _write(path, _texts(project, account))
    say(f"Made the project {project} in {path}{f': {account.summary}' if account else ''}. Go on with its README.md.")
    if account and account.left_out:
        say(f"{account.summary_left_out}; comments in {ROSTER} say why.")


def _account() -> ExportedAccount:
    settings = load_settings(None)
    require_key(settings, next_step="Set LINQ_API_V3_API_KEY to the key of the Linq account.")
    lines = list_lines(settings, required=True)
    account = exported(lines, destinations=Destinations(settings.allowed_forwardings))
    if not account.lines:
        raise LinqError(
            "No line of the account can be declared as it is now.",
            next_step="See why with `linq-provider export`, or leave out --from-account.",
        )
    return account


def _texts(project: str, account: ExportedAccount | None) -> dict[str, str]:
    """The text of each file, by its name."""
    sources = {name: source for name, (source, _) in FILES.items() if source}
    if account is not None:
        sources["__main__.py"] = "roster_program.txt"
    listed = [f"- `{name}`: {what}" for name, (_, what) in FILES.items() if name in sources or account]
    filled = {"PROJECT": project, "VERSION": __version__, "FILES": "\n".join(listed)}
    folder = files("linq_provider.cli") / "project"
    texts = {
        name: Template((folder / source).read_text("utf-8")).safe_substitute(filled) for name, source in sources.items()
    }
    return texts if account is None else {**texts, ROSTER: roster_text(account, file=ROSTER)}


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write every file or none, and do not overwrite a file that was created meanwhile."""
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with open(folder / name, "x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise click.ClickException(
            f"{error.filename or folder} cannot be written: {error.strerror or error}."
        ) from error
