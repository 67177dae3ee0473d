"""Values in the engine's messages: a Struct, with Pulumi's marks for unknown and secret values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.rpc import UNKNOWN

from linq_provider.core.records import Unknown
from linq_provider.provider.properties import DYNAMIC, SECRET, SIGNATURE

Change = pb.PropertyDiff


def from_struct(struct: Struct) -> dict[str, Any]:
    """The properties, with our unknown for Pulumi's, without marks of secrets, and without null values."""

    def ours(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                return ours(value["value"])
            return {key: ours(each) for key, each in value.items()}
        if isinstance(value, list):
            return list(map(ours, value))
        return Unknown.UNKNOWN if value == UNKNOWN else value

    return {name: ours(value) for name, value in MessageToDict(struct).items() if value is not None}


def to_struct(properties: Mapping[str, Any]) -> Struct:
    """The properties as a Struct, with Pulumi's unknown for ours."""

    def theirs(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: theirs(each) for key, each in value.items()}
        if isinstance(value, list):
            return list(map(theirs, value))
        return UNKNOWN if isinstance(value, Unknown) else value

    struct = Struct()
    struct.update(theirs(properties))
    return struct


def changes(olds: Mapping[str, Any], news: Mapping[str, Any], *, replacing: Collection[str] = ()) -> dict[str, Change]:
    """The differences between two sets of inputs, down to each line of a map.

    A change of an input in `replacing` replaces the resource.
    """
    before, after = dict(_leaves("", olds)), dict(_leaves("", news))

    def kind(path: str) -> Any:
        name = "UPDATE" if path in before and path in after else "ADD" if path in after else "DELETE"
        return Change.Kind.Value(f"{name}_REPLACE" if path in replacing else name)

    differing = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {path: Change(kind=kind(path), inputDiff=True) for path in differing}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value that is not a map, with its path in the engine's notation."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, each in value.items():
        if path or key != DYNAMIC:
            yield from _leaves(f'{path}["{key}"]' if path else key, each)
