"""A program that runs against no engine, and what it registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockResourceArgs


class Registered(pulumi.runtime.Mocks):
    """Stands in for the engine, and keeps what was registered."""

    def __init__(self) -> None:
        self.resources: dict[str, MockResourceArgs] = {}
        self.components: dict[str, str] = {}  # name to type

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.typ.startswith("linq:index:"):
            self.components[args.name] = args.typ
        else:
            self.resources[args.name] = args
        return args.resource_id or f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None

    def inputs(self, name: str) -> dict[str, Any]:
        """What was declared, without the provider's pickle."""
        return {key: value for key, value in self.resources[name].inputs.items() if key != "__provider"}


def run(program: Callable[[], object]) -> None:
    """Run a program as `pulumi.runtime.test` does."""
    pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]
