"""Lists that lag behind or lack a line, numbers that move to another id, and odd programs, on the real engine."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"


def declare(stack: Workspace, to: str) -> None:
    """A program of one line and a fleet of another, both forwarded to the same number."""
    single, other = (line.phone_number for line in stack.emulator.phone_numbers[:2])
    stack.program(
        f"""
        linq.PhoneNumberForwarding("x", phone_number="{single}", forwarding_number="{to}")
        linq.PhoneNumberForwardings("fleet", forwardings={{"{other}": "{to}"}})
        """
    )


def live(stack: Workspace) -> list[str]:
    """What the line and the fleet's line forward to."""
    return [line.forwarding_number or "" for line in stack.emulator.phone_numbers[:2]]


def test_a_list_that_lags(stack: Workspace) -> None:
    """To another number and back, previewed and at once: each is written, and the destroy right after it clears."""
    stack.emulator.fail(Fault.list_lag(3), times=None)
    for number in (OFFICE, DESK, OFFICE):
        declare(stack, number)
        stack.run("up", "--yes")
        assert live(stack) == [number, number]
    stack.empty_preview()
    stack.destroy()
    assert live(stack) == ["", ""]


def test_a_list_that_lacks_a_line_once(stack: Workspace) -> None:
    """A refresh whose first list lacks both lines leaves the state as it is."""
    declare(stack, OFFICE)
    stack.up()
    before = stack.outputs("x"), stack.outputs("fleet")
    stack.emulator.fail(Fault.list_lacks(stack.emulator.phone_numbers[0].id))
    stack.emulator.fail(Fault.list_lacks(stack.emulator.phone_numbers[1].id))
    shown = stack.refresh().output
    assert "no longer" not in shown.lower()
    assert (stack.outputs("x"), stack.outputs("fleet")) == before
    stack.empty_preview()


def test_a_number_that_moved(stack: Workspace) -> None:
    """A change is refused at preview and at up, in a sentence that names the new line; `up --refresh` heals."""
    declare(stack, OFFICE)
    stack.up()
    number = stack.emulator.phone_numbers[0].phone_number
    new = stack.emulator.change_id(number).id
    stack.emulator.clear_requests()
    declare(stack, DESK)
    for run in (stack.preview, stack.up):
        shown = run(fails=True).output
        assert f"At Linq, {number} now has the id {new}" in shown
        assert "pulumi up --refresh" in shown
        assert "Traceback" not in shown
    assert new not in dict(stack.writes())
    stack.up("--refresh")
    assert stack.outputs("x")["phone_number_id"] == new
    assert live(stack) == [DESK, DESK]
    stack.empty_preview()
    stack.destroy()
    assert live(stack) == ["", ""]


def test_destroy_after_a_number_moved(stack: Workspace) -> None:
    """Destroy reports that the new line was left alone, and succeeds."""
    declare(stack, OFFICE)
    stack.up()
    number = stack.emulator.phone_numbers[0].phone_number
    new = stack.emulator.change_id(number).id
    shown = stack.destroy().output
    assert f"{number} now has the id {new}; it was not changed." in shown
    assert stack.emulator.forwarding(new) == OFFICE
    assert stack.state() == {}


def test_one_number_under_two_ids(stack: Workspace) -> None:
    """By number it is refused at preview with both ids named; by id each is a separate line, until its destroy."""
    line = stack.emulator.phone_numbers[0]
    second = stack.emulator.add_second_id(line.id).id
    declare(stack, OFFICE)
    shown = stack.preview(fails=True).output
    assert f"belongs to 2 lines at Linq: {', '.join(sorted([line.id, second]))}" in shown
    assert "Declare the line by phone_number_id." in shown
    stack.program(
        f"""
        linq.PhoneNumberForwarding("a", phone_number_id="{line.id}", forwarding_number="{OFFICE}")
        linq.PhoneNumberForwarding("b", phone_number_id="{second}", forwarding_number="{DESK}")
        """
    )
    stack.up()
    assert [stack.emulator.forwarding(each) for each in (line.id, second)] == [OFFICE, DESK]
    stack.empty_preview()
    stack.destroy()
    assert [stack.emulator.forwarding(each) for each in (line.id, second)] == ["", ""]


# Odd programs


def test_ignore_changes_with_an_id_in_capitals(stack: Workspace) -> None:
    """The path of a line of a fleet is heeded in any letter case, also for a set of lines to overwrite."""
    line = stack.emulator.phone_numbers[0]
    stack.emulator.set_forwarding(line.id, DESK)
    program = """
        linq.PhoneNumberForwardings("fleet", forwardings={{"{line}": "{to}"}}, overwrite={{"{line}"}},
            opts=pulumi.ResourceOptions(ignore_changes=['forwardings["{line}"]']))
        """
    stack.program(program.format(line=line.id.upper(), to=OFFICE))
    stack.up()
    assert stack.inputs("fleet")["overwrite"] == [line.id]
    assert live(stack)[0] == OFFICE
    stack.program(program.format(line=line.id.upper(), to=DESK))
    assert stack.up().changes == {}
    assert live(stack)[0] == OFFICE
    stack.empty_preview()
    stack.destroy()
    assert live(stack)[0] == ""


@pytest.mark.parametrize(
    ("key", "forwardings"),
    [
        ("12025551234", '{12025551234: "+12025559999"}'),
        ("None", 'pulumi.Output.from_input("+12025559999").apply(lambda number: {None: number})'),
        ("1.5", "later()"),
    ],
    ids=["plain", "output", "coroutine"],
)
def test_a_key_that_is_no_text(stack: Workspace, key: str, forwardings: str) -> None:
    """It is refused at preview in a sentence that names the key and the cure, wherever the map was made."""
    stack.program(
        f"""
        async def later():
            return {{1.5: "+12025559999"}}

        linq.PhoneNumberForwardings("fleet", forwardings={forwardings})
        """
    )
    shown = stack.preview(fails=True).output
    assert f"forwardings has the key {key}, which is not text." in shown
    assert 'Put it in quotes, with + and the country code: "+12025551234".' in shown
    assert "Traceback" not in shown
    assert stack.methods() == []


def test_one_line_in_two_components(stack: Workspace) -> None:
    """Children of the same name under different parents are two resources: refused at preview, with both named."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f"""
        class Desk(pulumi.ComponentResource):
            def __init__(self, name, parent):
                super().__init__("test:index:Desk", name, None, pulumi.ResourceOptions(parent=parent))
                linq.PhoneNumberForwarding("line", phone_number="{line}", forwarding_number="+12025559999",
                    opts=pulumi.ResourceOptions(parent=self))

        # Of other types, because the URN of a child has the types of its parents, and not their names.
        for city in ("berlin", "paris"):
            Desk("desk", pulumi.ComponentResource("test:index:" + city.title(), city))
        """
    )
    shown = stack.preview(fails=True).output
    assert "'berlin/desk/line' and 'paris/desk/line' declare the same line." in shown
    assert "Traceback" not in shown
    assert stack.writes() == []


def test_ignore_changes_after_a_switch_to_the_id(stack: Workspace) -> None:
    """The engine keeps the number that the program no longer declares: the message names ignore_changes."""
    line = stack.emulator.phone_numbers[0]
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line.phone_number}", forwarding_number="{OFFICE}")')
    stack.up()
    stack.program(
        f"""
        linq.PhoneNumberForwarding("x", phone_number_id="{line.id}", forwarding_number="{OFFICE}",
            opts=pulumi.ResourceOptions(ignore_changes=["phone_number"]))
        """
    )
    shown = stack.preview(fails=True).output
    assert (
        "exactly one of phone_number and phone_number_id (if the program has only one, ignore_changes may have kept the other)"
        in shown
    )
    assert "Traceback" not in shown
    assert stack.outputs("x")["phone_number"] == line.phone_number
