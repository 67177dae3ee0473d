"""Values on the wire: what is unknown, what is secret, and what differs."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.rpc import UNKNOWN

from linq_provider.core.records import Unknown
from linq_provider.native.values import changes, from_struct, to_struct
from linq_provider.provider.properties import secret

PROPS: dict[str, Any] = {"a": "text", "b": True, "c": 7.0, "d": {"+1": "x", "+2": ""}, "e": ["x", "y"]}


def test_values_come_back() -> None:
    """Text, booleans, numbers, maps and lists."""
    assert from_struct(to_struct(PROPS)) == PROPS


@pytest.mark.parametrize("place", ["top", "in a map", "in a list"])
def test_unknown_values_come_back(place: str) -> None:
    """As ours on this side, as Pulumi's mark on the other."""
    props = {
        "top": {"a": Unknown.UNKNOWN},
        "in a map": {"a": {"b": Unknown.UNKNOWN}},
        "in a list": {"a": [Unknown.UNKNOWN]},
    }
    struct = to_struct(props[place])
    assert UNKNOWN in str(struct)
    assert from_struct(struct) == props[place]


def test_marks_of_secrets_are_taken_off() -> None:
    """What the engine sends as a secret is read as its value."""
    assert from_struct(to_struct({"key": secret("x"), "map": {"+1": secret("y")}})) == {"key": "x", "map": {"+1": "y"}}


def test_null_is_not_declared() -> None:
    """A property that is null counts as left out; a line that is null does not: its number is missing."""
    struct = to_struct({"a": None, "lines": {"+1": None}})
    assert from_struct(struct) == {"lines": {"+1": None}}


def test_changes_go_down_to_each_line() -> None:
    """Under the path that the engine shows; the dynamic provider's pickle is no change."""
    olds = {"same": 1, "gone": 1, "lines": {"+1": "a", "+2": "b", "+3": "c"}, "__provider": "a pickle"}
    news = {"same": 1, "new": 1, "lines": {"+1": "a", "+2": "B", "+4": "d"}}
    kind = pb.PropertyDiff
    assert {path: change.kind for path, change in changes(olds, news).items()} == {
        "gone": kind.DELETE,
        "new": kind.ADD,
        'lines["+2"]': kind.UPDATE,
        'lines["+3"]': kind.DELETE,
        'lines["+4"]': kind.ADD,
    }
