"""Converts records to the properties in a state, and back, for the dynamic and the native provider.

The dynamic provider spells names as Python does, the native one as its schema does. Each reads the state of the other,
so that a resource can move between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from linq_provider.core.records import Fleet, Inputs, Outputs, Unknown

R = TypeVar("R", Inputs, Outputs, Fleet)
DYNAMIC = "__provider"  # a property that Pulumi adds to each dynamic resource, and to no other
SECRETS = ("applied_number", "applied_numbers", "replaced_number", "replaced_numbers")
# How a provider marks a secret that it sends (sdk/go/common/resource/sig in pulumi/pulumi).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"


def secret(value: Any) -> dict[str, Any]:
    """A value that the engine encrypts in the state, whatever the resource's options."""
    return {SIGNATURE: SECRET, "value": value}


def camel(name: str) -> str:
    """A name as in the schema."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


SECRET_OUTPUTS = frozenset({*SECRETS, *map(camel, SECRETS)})


def with_secrets(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs in either spelling, with `SECRETS` marked as secret."""
    return {name: secret(value) if name in SECRET_OUTPUTS else value for name, value in properties.items()}


def record_from(kind: type[R], props: Mapping[str, Any], *, unknown: type[Any] = Unknown) -> R:
    """Properties in either spelling as a record, with our unknown for values of the class `unknown`."""

    def ours(value: Any) -> Any:
        if isinstance(value, unknown):
            return Unknown.UNKNOWN
        if isinstance(value, Mapping):
            # A program sends False for None: Pulumi would drop None from the map, and the line would be cleared.
            return {line: None if number is False else ours(number) for line, number in value.items()}
        return tuple(map(ours, value)) if isinstance(value, list) else value

    values = {name: ours(props.get(name, props.get(camel(name)))) for name in kind.__dataclass_fields__}
    return kind(**values)


def to_properties(
    record: Inputs | Outputs | Fleet, *, unknown: Callable[[], Any], spell: Callable[[str], str] = str
) -> dict[str, Any]:
    """A record as properties, without None. `unknown` makes Pulumi's unknown value, `spell` converts a name."""

    def theirs(value: Any) -> Any:
        if isinstance(value, Unknown):
            return unknown()
        if isinstance(value, Mapping):
            return {line: theirs(number) for line, number in value.items()}
        return list(map(theirs, value)) if isinstance(value, tuple) else value

    props = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {spell(name): theirs(value) for name, value in props.items() if value is not None}
