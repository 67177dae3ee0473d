"""Unit tests of the program: no engine, no server, milliseconds."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest

import linq_provider as linq

PROGRAM = Path(__file__).parent.parent / "__main__.py"


class Engine(pulumi.runtime.Mocks):
    """Stands in for the engine and remembers what the program declared."""

    def __init__(self) -> None:
        self.declared: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Every resource gets what the program gave it."""
        self.declared[args.name] = args.inputs
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], None]:
        """The program calls no functions of a provider."""
        return {}, None


def declared(**config: str) -> dict[str, dict[str, Any]]:
    """Run the program as Pulumi would, with these settings; the inputs of each resource by its name."""
    engine = Engine()
    pulumi.runtime.set_all_config({f"testing-your-stack:{key}": value for key, value in config.items()})
    pulumi.runtime.set_mocks(engine, project="testing-your-stack", stack="test")

    @pulumi.runtime.test  # waits until every resource is registered
    def run() -> None:
        runpy.run_path(str(PROGRAM), run_name="__main__")

    run()
    return engine.declared


def test_support_is_always_forwarded() -> None:
    """The support line never rings in an empty room."""
    assert declared()["support"]["forwarding_number"] == "+12025550190"
    assert declared(outOfHours="true")["support"]["forwarding_number"] == "+12025550190"


def test_sales_is_forwarded_out_of_hours_only() -> None:
    """During the day the sales line rings by itself; out of hours the answering service takes it."""
    assert declared()["sales"]["forwarding_number"] == ""
    assert declared(outOfHours="true")["sales"]["forwarding_number"] == "+12025550191"


def test_a_line_that_is_declared_twice() -> None:
    """What linq-provider refuses when a program runs, it refuses in a unit test too."""

    @pulumi.runtime.test
    def program() -> None:
        linq.PhoneNumberForwarding("a", phone_number="+12025550100", forwarding_number="")
        linq.PhoneNumberForwarding("b", phone_number="+12025550100", forwarding_number="")

    pulumi.runtime.set_mocks(Engine())
    with pytest.raises(linq.LinqError, match="'a' and 'b' declare the same line"):
        program()
