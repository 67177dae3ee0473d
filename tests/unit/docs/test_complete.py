"""Nothing that a user can write is missing from the documentation."""

from __future__ import annotations

import inspect
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import click
import pytest

import linq_provider as linq
from linq_provider.cli.commands import commands
from linq_provider.config import KEYS

DOCS = Path(__file__).parents[3] / "docs"
OPTIONS = [
    (command, option.opts[0] if isinstance(option, click.Option) else option.human_readable_name)
    for command, found in commands.commands.items()
    for option in found.params
]


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=str)
def test_every_option_is_on_its_page(command: str, option: str) -> None:
    """docs/cli.md has a row for each command of linq-provider, with each of its options and arguments."""
    row = re.search(rf"^\| \[`{command}`\].*$", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert row
    assert re.search(rf"`{re.escape(option.strip('[]'))}[ `]", row[0])


def test_every_setting_is_an_argument_of_the_provider() -> None:
    """linq.Provider takes each setting of a stack."""
    names = {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key.removeprefix("linq:")) for key in KEYS}
    assert names <= set(inspect.signature(linq.Provider).parameters)


def test_every_name_of_the_schema_is_on_the_page_of_the_native_package() -> None:
    """docs/native.md has each resource, function, input and output of the schema."""
    schema = json.loads(resources.files("linq_provider.native").joinpath("schema.json").read_text())
    page = (DOCS / "native.md").read_text()
    assert sorted(name for name in set(names_of(schema)) if not re.search(rf"\b{name}\b", page)) == []


def names_of(schema: dict[str, Any]) -> list[str]:
    """Every name that a program can write."""
    parts = [*schema["resources"].values(), schema["provider"], *schema.get("types", {}).values()]
    found = [token.rpartition(":")[2] for kind in ("resources", "functions") for token in schema[kind]]
    for part in parts:
        found += [*part.get("properties", {}), *part.get("inputProperties", {})]
    for function in schema["functions"].values():
        found += [*function.get("inputs", {}).get("properties", {}), *function["outputs"].get("properties", {})]
    return found
