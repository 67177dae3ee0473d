"""Unknown, secret and derived values; and how large a program may be."""

from __future__ import annotations

import pytest
from workspace import Workspace

pytestmark = pytest.mark.engine


def test_unknown_values_at_preview(stack: Workspace) -> None:
    """A line and a number that come from another resource pass the preview, and are written at up."""
    a, b, c = stack.emulator.phone_numbers
    stack.program(
        f"""
        from pulumi.dynamic import CreateResult, Resource, ResourceProvider

        class Made(ResourceProvider):
            def create(self, props):
                return CreateResult("made", {{**props, "line": "{a.id}", "number": "+12025559999"}})

        class Other(Resource):
            line: pulumi.Output[str]
            number: pulumi.Output[str]
            def __init__(self, name):
                super().__init__(Made(), name, {{"line": None, "number": None}})

        other = Other("other")
        linq.PhoneNumberForwarding("a", phone_number_id=other.line, forwarding_number=other.number)
        linq.PhoneNumberForwarding("b", phone_number="{b.phone_number}", forwarding_number=other.number.apply(str.strip))
        linq.PhoneNumberForwarding("c", phone_number="{c.phone_number}",
            forwarding_number=pulumi.Output.secret("+12025557777"), overwrite=other.number.apply(bool))
        """
    )
    stack.preview()
    stack.up()
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [
        "+12025559999",
        "+12025559999",
        "+12025557777",
    ]
    assert stack.inputs("c")["overwrite"] is True
    stack.empty_preview()
    stack.run("preview", "--refresh", "--expect-no-changes")


def test_secret_numbers_stay_secret(stack: Workspace) -> None:
    """A secret number is [secret] on screen and encrypted in the state: created, changed, refreshed, in an output."""
    line = stack.emulator.phone_numbers[0]
    program = """
        line = linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number=pulumi.Output.secret("{to}"))
        pulumi.export("to", line.forwarding_number)
        """
    shown = ""
    for number in ("+12025557771", "+12025557772"):
        stack.program(program.format(line=line.phone_number, to=number))
        shown += stack.preview().output + stack.up("--diff").output
        assert stack.emulator.phone_numbers[0].forwarding_number == number
    shown += stack.run("preview", "--refresh", "--expect-no-changes", "--diff").output
    shown += stack.refresh().output + stack.run("stack", "output").output + stack.run("stack", "export").output
    assert "[secret]" in shown
    assert "1202555777" not in shown + stack.state_text()
    stack.empty_preview()


def test_no_output_turns_unknown(stack: Workspace) -> None:
    """Outputs of an existing resource, "" included, are known at every later preview: what depends on them runs."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f"""
        line = linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="")
        def seen(values):
            print("seen:", values)
        pulumi.Output.all(line.id, line.phone_number_id, line.phone_number, line.forwarding_number).apply(seen)
        """
    )
    stack.up()
    assert f"seen: ['{stack.emulator.phone_numbers[0].id}'" in stack.preview("--expect-no-changes").output
    assert stack.writes() == []


def test_a_thousand_resources(stack: Workspace) -> None:
    """A program with 1,000 resources previews (a hand-written provider dies in the pickler at 313) with one GET."""
    stack.declare_lines(1000)
    shown = stack.run("preview").output
    assert "+ 1001 to create" in shown
    assert stack.methods() == ["GET"]
