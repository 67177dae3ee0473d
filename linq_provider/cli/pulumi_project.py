"""What `Pulumi.yaml` of the current project says about the programs that Pulumi starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linq_provider.cli.programs import working_folder


@dataclass(frozen=True)
class Project:
    """A project; without a `Pulumi.yaml`, one in Python without any options.

    `python_options`: the options of its runtime, or None if the project is not in Python. `plugin_path`: the folder of
    the native plugin, as the project names it, or "".
    """

    folder: Path
    python_options: Mapping[str, Any] | None
    plugin_path: str = ""


def find_project() -> Project:
    """The project of the current folder, or of the nearest folder above it that has one."""
    here = working_folder()
    for folder in (here, *here.parents):
        for file in (folder / "Pulumi.yaml", folder / "Pulumi.yml"):
            if file.is_file():
                settings = _read(file)
                return Project(folder, _python_options(settings), _plugin_path(settings))
    return Project(here, {})


def _read(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {"runtime": "python"}
    return settings if isinstance(settings, dict) else {}


def _python_options(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    runtime = settings.get("runtime")
    if isinstance(runtime, str):
        runtime = {"name": runtime}
    if not isinstance(runtime, dict) or runtime.get("name") != "python":
        return None
    return runtime.get("options") or {}


def _plugin_path(settings: Mapping[str, Any]) -> str:
    plugins = settings.get("plugins")
    providers = plugins.get("providers") if isinstance(plugins, dict) else None
    for provider in providers if isinstance(providers, list) else []:
        if isinstance(provider, dict) and provider.get("name") == "linq":
            return str(provider.get("path") or "")
    return ""
