"""No refactoring clears a line: rename, move, replace, swap, another name for the line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from workspace import Workspace

pytestmark = [pytest.mark.engine, pytest.mark.skins]

OFFICE, DESK = "+12025559999", "+12025558888"


def declared(stack: Workspace, text: str) -> Workspace:
    """Run `text` once and forget the requests; `A` and `B` are the ids of two lines, `NA` and `NB` their numbers."""
    stack.program(named(stack, text))
    stack.up()
    stack.emulator.clear_requests()
    return stack


def named(stack: Workspace, text: str) -> str:
    a, b, _ = stack.emulator.phone_numbers
    names = f"A, NA, B, NB = {a.id!r}, {a.phone_number!r}, {b.id!r}, {b.phone_number!r}\n"
    names += f"OFFICE, DESK = {OFFICE!r}, {DESK!r}\ndef forward(name, **args):\n"
    return names + "    return linq.PhoneNumberForwarding(name, **args)\n" + text


@pytest.mark.parametrize(
    ("after", "args"),
    [
        pytest.param('forward("new", phone_number=NA, forwarding_number=OFFICE)', (), id="renamed"),
        pytest.param(
            "class Team(pulumi.ComponentResource):\n"
            "    def __init__(self, name):\n"
            '        super().__init__("my:mod:Team", name)\n'
            '        forward("old", phone_number=NA, forwarding_number=OFFICE,'
            " opts=pulumi.ResourceOptions(parent=self))\n"
            'Team("sales")',
            (),
            id="moved-into-a-component",
        ),
        pytest.param(
            'forward("old", phone_number=NA, forwarding_number=OFFICE)',
            ("--replace", "**::old"),
            id="replaced",
        ),
        pytest.param('forward("new", phone_number_id=A.upper(), forwarding_number=OFFICE)', (), id="renamed-to-id"),
        pytest.param(
            'forward("old", phone_number=NA, forwarding_number=OFFICE, opts=pulumi.ResourceOptions('
            "delete_before_replace=True))",
            ("--replace", "**::old"),
            id="replaced-deleting-first",
        ),
    ],
)
def test_a_line_declared_before_and_after_is_never_written(stack: Workspace, after: str, args: tuple[str, ...]) -> None:
    """Rename, move, --replace: one `up` later the line holds its number, and nothing at all was written."""
    declared(stack, 'forward("old", phone_number=NA, forwarding_number=OFFICE)')
    stack.program(named(stack, after))
    done = stack.up(*args)
    assert stack.writes() == []
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    assert "keeps its forwarding: another resource of this program declares it" in done.output
    stack.empty_preview()


def test_move_to_another_resource(stack: Workspace) -> None:
    """A line that moves from one resource to another stays forwarded; the line that is given up is cleared."""
    declared(
        stack,
        'forward("x", phone_number=NA, forwarding_number=OFFICE)\n'
        'forward("y", phone_number=NB, forwarding_number=DESK)',
    )
    stack.program(named(stack, 'forward("y", phone_number=NA, forwarding_number=OFFICE)'))
    stack.up()
    assert stack.writes() == [(stack.emulator.phone_numbers[1].id, "")]
    stack.empty_preview()


def test_swap_with_overwrite(stack: Workspace) -> None:
    """Two resources swap their lines: two writes, no gap, right in one run."""
    before = (
        'forward("x", phone_number=NA, forwarding_number=OFFICE, overwrite=True)\n'
        'forward("y", phone_number=NB, forwarding_number=DESK, overwrite=True)'
    )
    declared(stack, before)
    stack.program(named(stack, before.replace("=NA", "=N_").replace("=NB", "=NA").replace("=N_", "=NB")))
    stack.up()
    a, b, _ = stack.emulator.phone_numbers
    assert sorted(stack.writes()) == sorted([(a.id, DESK), (b.id, OFFICE)])
    assert (a.forwarding_number, b.forwarding_number) == (DESK, OFFICE)
    stack.empty_preview()


def test_swap_without_overwrite_is_refused_at_preview(stack: Workspace) -> None:
    """Without overwrite the swap is refused before anything is written, and the message gives the live number."""
    before = (
        'forward("x", phone_number=NA, forwarding_number=OFFICE)\nforward("y", phone_number=NB, forwarding_number=DESK)'
    )
    declared(stack, before)
    stack.program(named(stack, before.replace("=NA", "=N_").replace("=NB", "=NA").replace("=N_", "=NB")))
    shown = stack.preview(fails=True).output
    # The engine may stop at whichever of the two is checked first.
    refusals = [f"already forwards to {number}, which is not the declared number" for number in (OFFICE, DESK)]
    assert any(refusal in shown for refusal in refusals)
    assert "overwrite=True" in shown
    assert stack.writes() == []


def test_replacing_and_changing_at_once(stack: Workspace) -> None:
    """`up --replace` with a new number is refused, because nothing shows who set the old one; separately it works."""
    declared(stack, 'forward("x", phone_number=NA, forwarding_number=OFFICE)')
    stack.program(named(stack, 'forward("x", phone_number=NA, forwarding_number=DESK)'))
    replace = ("--replace", stack.state()["x"]["urn"])
    assert f"already forwards to {OFFICE}" in stack.up(*replace, fails=True).output
    stack.up()
    stack.up(*replace)
    assert [number for _, number in stack.writes()] == [DESK]
    stack.empty_preview()


def test_a_target_that_was_renamed(stack: Workspace) -> None:
    """`up --target` of an old name alone clears the line, because the new one is not looked at; with both it rings on."""
    program = 'forward("{}", phone_number=NA, forwarding_number=OFFICE)'
    declared(stack, program.format("x"))
    old = stack.state()["x"]["urn"]
    stack.program(named(stack, program.format("z")))
    stack.up("--target", old, "--target", old.removesuffix("x") + "z")
    assert stack.writes() == []
    stack.program(named(stack, program.format("x")))
    stack.up("--target", old.removesuffix("x") + "z")
    assert [number for _, number in stack.writes()] == [""]
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.empty_preview()


def test_naming_the_line_by_its_id_instead(stack: Workspace) -> None:
    """From phone_number to phone_number_id of the same line: an update that writes nothing; refresh stays empty."""
    declared(stack, 'forward("x", phone_number=NA, forwarding_number=OFFICE)')
    stack.program(named(stack, 'forward("x", phone_number_id=A.upper(), forwarding_number=OFFICE)'))
    assert stack.up().changes == {"updated": 1}
    assert stack.writes() == []
    stack.run("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize("args", [(), ("--run-program",)], ids=["plain", "run-program"])
def test_destroy_clears(stack: Workspace, args: tuple[str, ...]) -> None:
    """destroy clears every line, also when it runs the program."""
    declared(stack, 'forward("x", phone_number=NA, forwarding_number=OFFICE)')
    stack.destroy(*args)
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, "")]
    assert stack.state() == {}


@pytest.mark.parametrize("args", [(), ("--refresh",)], ids=["plain", "refresh"])
def test_removal_clears(stack: Workspace, args: tuple[str, ...]) -> None:
    """A resource that leaves the program has its line cleared, also where `up` refreshes first."""
    declared(
        stack,
        'forward("x", phone_number=NA, forwarding_number=OFFICE)\nforward("y", phone_number=NB, forwarding_number=DESK)',
    )
    stack.program(named(stack, 'forward("y", phone_number=NB, forwarding_number=DESK)'))
    stack.up(*args)
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, "")]
    stack.empty_preview()


def test_rename_while_refreshing_first(stack: Workspace) -> None:
    """`up --refresh` of a rename: the refreshed old resource is no second owner, and nothing is written."""
    declared(stack, 'forward("x", phone_number=NA, forwarding_number=OFFICE)')
    stack.program(named(stack, 'forward("z", phone_number=NA, forwarding_number=OFFICE)'))
    stack.up("--refresh")
    assert stack.writes() == []
    stack.empty_preview()


def test_row_18_move_to_another_stack(stack: Workspace, tmp_path: Path, template: Path) -> None:
    """A line moves to another stack without a write: the new stack adopts it, the old one retains it on delete."""
    kept = ", opts=pulumi.ResourceOptions(retain_on_delete=True)"
    program = 'forward("x", phone_number=NA, forwarding_number=OFFICE{})'
    declared(stack, program.format(kept))
    shutil.copytree(template, tmp_path / "second")
    second = Workspace(tmp_path / "second", stack.emulator)
    second.program(named(second, program.format("")))
    second.up()
    stack.program("")
    stack.up()
    assert stack.writes() == []
    assert stack.state() == {}
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    second.run("preview", "--refresh", "--expect-no-changes")
