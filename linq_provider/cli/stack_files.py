"""Where calls may go according to the settings files of a Pulumi project, read without Pulumi."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from linq_provider.config import AllowedForwardings, allowed_forwardings
from linq_provider.core.destinations import Destinations
from linq_provider.errors import ConfigurationError, plain

KEY = "linq:allowedForwardings"


def destinations_beside(file: Path) -> Destinations:
    """The rule of the environment and of every stack of the project in this file's folder, all combined.

    Raises:
        ConfigurationError: a settings file cannot be read, or its setting cannot be used.
    """
    folder = file.parent
    project = [found for name in ("Pulumi.yaml", "Pulumi.yml") for found in _setting(folder / name)]
    stacks = sorted([*folder.glob("Pulumi.*.yaml"), *folder.glob("Pulumi.*.yml")])
    found = [setting for stack in stacks for setting in list(_setting(stack)) or project] if stacks else project
    return Destinations((*dict.fromkeys(found), *allowed_forwardings()))


def _setting(file: Path) -> Iterator[AllowedForwardings]:
    """The setting in one file, if any, with the name of that file."""
    value = _config(file).get(KEY)
    if isinstance(value, dict):
        if "secure" in value:
            raise ConfigurationError(
                f"{KEY} is encrypted in {plain(file.name)}, so it cannot be checked here.",
                next_step="It is no secret: set it again without --secret.",
            )
        value = value.get("value", value.get("default"))
    if value is None:
        return
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    for setting in allowed_forwardings({KEY: text}, environ={}):
        yield replace(setting, name=f"{KEY} in {plain(file.name)}")


def _config(file: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads an unquoted NO (Norway) as text and not as False, as Pulumi does."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":bool")]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        read = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError):
        raise ConfigurationError(
            f"{plain(file.name)} cannot be read, so it is not known where calls may go.",
            next_step="Run `pulumi config` in its folder: it says what is wrong.",
        ) from None
    config = read.get("config") if isinstance(read, dict) else None
    return config if isinstance(config, dict) else {}
