"""The schema that SDKs are generated from matches what the plugin accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import linq_provider
from linq_provider.config import KEYS
from linq_provider.core.records import Fleet, Inputs
from linq_provider.native.resources import KINDS
from linq_provider.provider.properties import SECRET_OUTPUTS, camel

SCHEMA = json.loads((Path(linq_provider.__file__).parent / "native" / "schema.json").read_text())


def described(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every name in the schema that users see, with its description."""
    if not isinstance(node, dict):
        return
    for name, child in node.items():
        if name in ("properties", "inputProperties", "variables", "resources", "functions", "types"):
            yield from ((f"{path}/{name}/{each}", said) for each, said in child.items())
        if name != "language":
            yield from described(child, f"{path}/{name}")


def test_every_name_is_described() -> None:
    """In at least a few words that end like a sentence."""
    names = dict(described(SCHEMA))
    assert len(names) > 40
    bare = [name for name, said in names.items() if len(said.get("description", "").split()) < 2]
    assert bare == []


def test_the_version_is_the_packages() -> None:
    """One number for plugin, package and schema."""
    assert SCHEMA["version"] == linq_provider.__version__


def test_the_plugin_is_of_the_same_version() -> None:
    """Pulumi compares the version of PulumiPlugin.yaml with the SDK's, and pip installs the one of requirements.txt."""
    plugin = Path(__file__).resolve().parents[3] / "plugin"
    assert f"\nversion: {linq_provider.__version__}\n" in (plugin / "PulumiPlugin.yaml").read_text()
    assert f"\nlinq-provider=={linq_provider.__version__}\n" in (plugin / "requirements.txt").read_text()


def test_resources_and_functions_are_those_of_the_plugin() -> None:
    """Neither more nor fewer."""
    assert SCHEMA["resources"].keys() == KINDS.keys()
    assert SCHEMA["functions"].keys() == {"linq:index:getPhoneNumber", "linq:index:getPhoneNumbers"}


@pytest.mark.parametrize(
    ("token", "record", "others"),
    [
        ("linq:index:PhoneNumberForwarding", Inputs, set()),
        ("linq:index:PhoneNumberForwardings", Fleet, {"overwriteLines"}),
    ],
)
def test_inputs_are_those_of_the_records(token: str, record: type[Any], others: set[str]) -> None:
    """The schema declares exactly the inputs of the core."""
    names = {camel(name) for name in record.__dataclass_fields__} - SECRET_OUTPUTS
    assert SCHEMA["resources"][token]["inputProperties"].keys() == names | others


def test_secret_outputs_are_secret() -> None:
    """The schema says so, and so do the SDKs."""
    outputs = {name: said for each in SCHEMA["resources"].values() for name, said in each["properties"].items()}
    assert {name for name, said in outputs.items() if said.get("secret")} == SECRET_OUTPUTS & outputs.keys()


def test_settings_are_those_of_the_configuration() -> None:
    """The same for the stack's own provider and for one of the program's; only the key is secret."""
    names = {key.removeprefix("linq:") for key in KEYS}
    assert SCHEMA["config"]["variables"].keys() == names
    assert SCHEMA["provider"]["inputProperties"] == SCHEMA["config"]["variables"]
    assert [name for name, said in SCHEMA["config"]["variables"].items() if said.get("secret")] == ["apiKey"]


def test_the_dynamic_types_are_aliases() -> None:
    """So that every SDK lets a resource come over without a request."""
    for token, resource in SCHEMA["resources"].items():
        assert resource["aliases"] == [{"type": f"pulumi-python:dynamic/linq:{token.rpartition(':')[2]}"}]


@pytest.mark.parametrize(
    ("language", "program"),
    [("typescript", "index.ts"), ("python", "__main__.py"), ("go", "main.go"), ("yaml", "Pulumi.yaml")],
)
@pytest.mark.parametrize("token", KINDS)
def test_a_resource_has_an_example_that_is_run(token: str, language: str, program: str) -> None:
    """In each language; its lines stand in the example of that language, which a test runs."""
    (shown,) = re.findall(rf"```{language}\n(.*?)```", SCHEMA["resources"][token]["description"], re.DOTALL)
    lines = shown.splitlines()
    assert len(lines) > 2
    folder = Path(__file__).resolve().parents[3] / "examples" / f"native-{language}"
    run = [line.strip() for line in (folder / program).read_text().splitlines()]
    assert [line for line in lines if line.strip() not in run] == []
