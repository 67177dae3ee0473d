"""Values as they cross the wire: a Struct, with Pulumi's marks for what is unknown and what is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.rpc import UNKNOWN

from linq_provider.core.records import Unknown
from linq_provider.provider.properties import SECRET, SIGNATURE

Change = pb.PropertyDiff
OLD_FORM = "__provider"  # a property of every dynamic resource, and of no other


def from_struct(struct: Struct) -> dict[str, Any]:
    """The properties, with our unknown for Pulumi's, without marks of secrets, and without those that are null."""

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


def changes(olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, pb.PropertyDiff]:
    """What differs between two sets of inputs, down to each line of a map."""
    before, after = dict(_leaves("", olds)), dict(_leaves("", news))
    return {
        path: Change(kind=_kind(path in before, path in after), inputDiff=True)
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }


def _kind(before: bool, after: bool) -> Any:
    if before and after:
        return Change.UPDATE
    return Change.ADD if after else Change.DELETE


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value that is no map, under the path by which the engine knows it."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, each in value.items():
        if path or key != OLD_FORM:
            yield from _leaves(f'{path}["{key}"]' if path else key, each)
