"""The check of the native plugin: whether Pulumi finds it, and whether its Python is still there. Runs nothing."""

from __future__ import annotations

import os
from pathlib import Path

from linq_provider.cli.pulumi_project import Project
from linq_provider.errors import LinqError

PROGRAM = "pulumi-resource-linq"
INSTALL = "Run `pip install linq-provider` in the virtual environment that plugins.providers in Pulumi.yaml names."
INSTALL_AGAIN = "Run `pulumi plugin rm resource linq`, then install the plugin again."
NAME_IT = "Name the plugin's folder under plugins.providers in Pulumi.yaml; docs/native.md shows the lines."


def installed_plugins() -> list[Path]:
    """The folders into which `pulumi plugin install` has put the plugin, one for each version."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return sorted(folder for folder in (home / "plugins").glob("resource-linq-v*") if folder.is_dir())


def native_plugin(project: Project) -> str:
    """Where the plugin is.

    Raises:
        LinqError: Pulumi would not find it, or could not start it.
    """
    if project.plugin_path:
        program = project.folder / project.plugin_path / PROGRAM
        if not program.is_file():
            raise LinqError(f"{program} does not exist", next_step=INSTALL)
        _require_python(_interpreter(program), program, INSTALL)
        return str(program)
    folders = installed_plugins()
    if not folders:
        raise LinqError("neither Pulumi.yaml nor `pulumi plugin install` provides it", next_step=NAME_IT)
    for folder in folders:
        _require_python(folder / "bin" / "python", folder, INSTALL_AGAIN)
    return ", ".join(map(str, folders))


def _interpreter(program: Path) -> Path:
    """What the first line of a script names."""
    with program.open("rb") as file:
        first = file.readline(512).decode(errors="replace")
    return Path(first[2:].split(maxsplit=1)[0] if first.startswith("#!") and first[2:].strip() else program)


def _require_python(python: Path, plugin: Path, fix: str) -> None:
    if not python.exists():
        raise LinqError(f"{plugin} cannot be started: its Python, {python}, does not exist", next_step=fix)
