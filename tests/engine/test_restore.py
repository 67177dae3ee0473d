"""What a line forwards to after its resource is deleted: nothing, the same number, or the number from before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider.emulator import Emulator, Fault

pytestmark = pytest.mark.engine

OFFICE, DESK, HOME, BEFORE, ELSEWHERE = (f"+1202555{n}" for n in ("9999", "8888", "7777", "0001", "0002"))
LONDON = "+442071838750"
GIVEN_BACK = "forwards again as it did before this resource managed it"
NOT_REMEMBERED = "which the old resource had recorded, is no longer in the state"
WITHOUT_MEMORY = (
    "was cleared, not restored: the state does not record what it forwarded to before this resource managed it"
)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines; the first forwards to a number that somebody set before there was a stack."""
    with Emulator(numbers=3, api_key=API_KEY) as running:
        running.set_forwarding(running.phone_numbers[0].id, BEFORE)
        yield running


def single(stack: Workspace, to: str, *arguments: str, name: str = "line", opts: str = "", more: str = "") -> None:
    """A program of one forwarding of the first line; `removed="restore"` unless the arguments say otherwise."""
    line = stack.emulator.phone_numbers[0].phone_number
    given = [repr(name), f'phone_number="{line}"', f'forwarding_number="{to}"', *arguments]
    if not any(argument.startswith("removed=") for argument in arguments):
        given.append('removed="restore"')
    stack.program(f"linq.PhoneNumberForwarding({', '.join(given)}, opts=pulumi.ResourceOptions({opts}))\n{more}")


def fleet(stack: Workspace, numbers: list[str | None], *arguments: str, name: str = "fleet") -> None:
    """A program of one fleet, with a number for each line; None leaves the line out."""
    lines = zip([line.phone_number for line in stack.emulator.phone_numbers], numbers, strict=True)
    given = [repr(name), f"forwardings={ {line: number for line, number in lines if number is not None}!r}", *arguments]
    if not any(argument.startswith("removed=") for argument in arguments):
        given.append('removed="restore"')
    stack.program(f"linq.PhoneNumberForwardings({', '.join(given)})")


def live(stack: Workspace) -> list[str]:
    """What the lines forward to."""
    return [line.forwarding_number or "" for line in stack.emulator.phone_numbers]


def remembered(stack: Workspace, name: str) -> Any:
    """What the state remembers of the time before: a secret in the state file, and revealed here."""
    outputs = stack.state()[name]["outputs"]
    names = ("replaced_number", "replaced_numbers", "replacedNumber", "replacedNumbers")
    output = next((each for each in names if each in outputs), "")
    kept = outputs.get(output)
    if kept is None:
        return None
    assert set(kept) == {"4dabf18193072939515e22adb298388d", "ciphertext"}
    exported = json.loads(stack.run("stack", "export", "--show-secrets").output)["deployment"]["resources"]
    (resource,) = [each for each in exported if each["urn"].endswith(f"::{name}")]
    return json.loads(resource["outputs"][output]["plaintext"])


def told(output: str) -> bool:
    """Whether one info line reports a forgotten number; the engine repeats info lines at the end."""
    return output.partition("Diagnostics:")[2].count(NOT_REMEMBERED) == 1


@pytest.mark.skins
def test_a_line_is_given_back_what_it_had(stack: Workspace) -> None:
    """What overwrite replaced survives changes, a refresh, drift and a rename with an alias, and is then put back."""
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.empty_preview()
    assert remembered(stack, "line") == BEFORE
    assert BEFORE not in stack.state_text()
    single(stack, DESK)
    assert stack.up().changes == {"updated": 1}
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, ELSEWHERE)
    stack.refresh()
    stack.up()
    stack.run("preview", "--refresh", "--expect-no-changes")
    stack.emulator.clear_requests()
    single(stack, DESK, name="renamed", opts='aliases=[pulumi.Alias(name="line")]')
    stack.up()
    assert remembered(stack, "renamed") == BEFORE
    stack.program("")
    stack.preview()
    assert stack.writes() == []
    assert GIVEN_BACK in stack.up().output
    assert (stack.state(), live(stack)) == ({}, [BEFORE, "", ""])
    stack.empty_preview()


@pytest.mark.skins
def test_each_line_of_a_fleet_is_given_back_what_it_had(stack: Workspace) -> None:
    """One that was overwritten, one that was adopted as it was and one that was not forwarded: taken out, or destroyed."""
    ids = [line.id for line in stack.emulator.phone_numbers]
    stack.emulator.set_forwarding(ids[1], HOME)
    fleet(stack, [OFFICE, HOME, DESK], "overwrite=True")
    stack.up()
    stack.empty_preview()
    first, second, third = (line.phone_number for line in stack.emulator.phone_numbers)
    assert remembered(stack, "fleet") == {first: BEFORE, second: HOME, third: ""}
    fleet(stack, [None, OFFICE, OFFICE], "overwrite=True")
    stack.preview()
    stack.emulator.clear_requests()
    assert GIVEN_BACK in stack.up().output
    assert sorted(stack.writes()) == sorted([(ids[0], BEFORE), (ids[1], OFFICE), (ids[2], OFFICE)])
    assert remembered(stack, "fleet") == {second: HOME, third: ""}
    stack.emulator.set_forwarding(ids[1], ELSEWHERE)
    stack.refresh()
    stack.up()
    stack.empty_preview()
    stack.emulator.clear_requests()
    stack.destroy()
    assert sorted(stack.writes()) == sorted([(ids[1], HOME), (ids[2], "")])
    assert (stack.state(), live(stack)) == ({}, [BEFORE, HOME, ""])


def test_a_line_that_was_adopted_as_it_was_is_left_so(stack: Workspace) -> None:
    """Neither the adoption nor the end writes anything."""
    single(stack, BEFORE)
    stack.up()
    assert remembered(stack, "line") == BEFORE
    stack.empty_preview()
    stack.destroy()
    assert (stack.writes(), live(stack)) == ([], [BEFORE, "", ""])


def test_only_where_it_is_needed(stack: Workspace) -> None:
    """Without "restore" nothing is remembered but what overwrite replaced; that can still be given back later."""
    single(stack, BEFORE, 'removed="clear"')
    stack.up()
    assert "replaced_number" not in stack.outputs("line")
    single(stack, OFFICE, 'removed="clear"')
    stack.up()
    assert "replaced_number" not in stack.outputs("line")
    stack.destroy()
    assert live(stack) == ["", "", ""]
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, BEFORE)
    single(stack, OFFICE, 'removed="clear"', "overwrite=True")
    stack.up()
    assert remembered(stack, "line") == BEFORE
    stack.emulator.clear_requests()
    single(stack, OFFICE)
    shown = stack.preview().output
    assert "removed" in shown
    assert stack.up().changes == {"updated": 1}
    assert stack.writes() == []
    stack.destroy()
    assert live(stack) == [BEFORE, "", ""]


@pytest.mark.skins
def test_what_somebody_set_meanwhile_is_left_alone(stack: Workspace) -> None:
    """A delete that would restore is refused like one that would clear, single and fleet, with both ways out."""
    first = stack.emulator.phone_numbers[0].id
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    for now in (ELSEWHERE, ""):
        stack.emulator.set_forwarding(first, now)
        stack.emulator.clear_requests()
        refused = stack.destroy(fails=True).output
        assert (
            f"now forwards to {now}, which this stack did not set" if now else "although this stack forwarded it"
        ) in refused
        assert "Nothing was restored. Run again with LINQ_ON_CONFLICT=keep to leave it as it is" in refused
        assert stack.writes() == []
        assert remembered(stack, "line") == BEFORE
    stack.destroy(LINQ_ON_CONFLICT="overwrite")
    assert (stack.state(), live(stack)) == ({}, [BEFORE, "", ""])
    fleet(stack, [OFFICE, OFFICE, None], "overwrite=True")
    stack.up()
    stack.emulator.set_forwarding(first, ELSEWHERE)
    refused = stack.destroy(fails=True).output
    assert "1 of 2 lines were not restored" in refused
    assert "LINQ_ON_CONFLICT=overwrite to restore it" in refused
    assert live(stack) == [ELSEWHERE, "", ""]
    assert "keeps its forwarding (LINQ_ON_CONFLICT=keep)" in stack.destroy(LINQ_ON_CONFLICT="keep").output
    assert (stack.state(), live(stack)) == ({}, [ELSEWHERE, "", ""])


@pytest.mark.skins
def test_keep_sends_nothing(stack: Workspace) -> None:
    """As retain_on_delete: the line is left with what is there, whoever set it."""
    single(stack, OFFICE, 'removed="keep"', "overwrite=True")
    stack.up()
    stack.empty_preview()
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, ELSEWHERE)
    stack.emulator.clear_requests()
    stack.program("")
    assert 'was left as it is (removed="keep")' in stack.up().output
    assert stack.emulator.requests == []
    assert (stack.state(), live(stack)) == ({}, [ELSEWHERE, "", ""])
    stack.empty_preview()


def test_a_rename_without_an_alias_and_replace_forget(stack: Workspace) -> None:
    """The line is still declared, so it is not restored; the delete reports which number is no longer recorded."""
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.emulator.clear_requests()
    single(stack, OFFICE, name="other")
    said = stack.up().output
    assert told(said)
    assert BEFORE not in said
    assert remembered(stack, "other") == OFFICE
    stack.empty_preview()
    single(stack, DESK, name="other")
    stack.up()
    urn = stack.state()["other"]["urn"]
    assert told(stack.up("--replace", urn).output)
    assert live(stack) == [DESK, "", ""]
    stack.empty_preview()
    stack.emulator.clear_requests()
    stack.destroy()
    assert stack.writes() == []


@pytest.mark.skins
def test_what_the_engine_replaces_remembers(stack: Workspace) -> None:
    """replace_on_changes, and a replacement that deletes first: never restored in between, and restored in the end."""
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.emulator.clear_requests()
    single(stack, DESK, opts='replace_on_changes=["forwarding_number"]')
    said = stack.up()
    assert said.changes == {"replaced": 1}
    assert NOT_REMEMBERED not in said.output
    assert remembered(stack, "line") == BEFORE
    single(stack, HOME, opts='replace_on_changes=["forwarding_number"], delete_before_replace=True')
    assert NOT_REMEMBERED not in stack.up().output
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, number) for number in (DESK, HOME)]
    assert remembered(stack, "line") == BEFORE
    said = stack.up("--replace", stack.state()["line"]["urn"]).output
    assert NOT_REMEMBERED not in said
    assert remembered(stack, "line") == BEFORE
    stack.empty_preview()
    stack.destroy()
    assert live(stack) == [BEFORE, "", ""]


@pytest.mark.parametrize("third", [OFFICE, DESK])
def test_a_replacement_that_was_interrupted_remembers(stack: Workspace, third: str) -> None:
    """The old line was given back and the new one failed; the old line declared again is given back in the end, too."""
    first, second = (line.id for line in stack.emulator.phone_numbers[:2])
    single(stack, OFFICE, "overwrite=True", opts="delete_before_replace=True")
    stack.up()
    stack.configure("linq:maxRetries", "0")
    stack.emulator.fail(Fault.parse("500"), times=None, method="PUT", path_contains=second)
    line = stack.emulator.phone_numbers[1].phone_number
    stack.program(
        f"""
        linq.PhoneNumberForwarding("line", phone_number="{line}", forwarding_number="{OFFICE}", removed="restore",
            opts=pulumi.ResourceOptions(delete_before_replace=True))
        """
    )
    stack.up(fails=True)
    assert live(stack) == [BEFORE, "", ""]
    stack.emulator.clear_faults()
    single(stack, third, "overwrite=True")
    stack.up()
    assert (live(stack), remembered(stack, "line")) == ([third, "", ""], BEFORE)
    stack.empty_preview()
    stack.destroy()
    assert (stack.state(), stack.emulator.forwarding(first)) == ({}, BEFORE)


def test_from_a_single_resource_to_a_fleet_and_back(stack: Workspace) -> None:
    """A move keeps the line forwarded; the number that the new resource cannot record is reported once."""
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.emulator.clear_requests()
    fleet(stack, [OFFICE, None, None])
    assert told(stack.up().output)
    stack.empty_preview()
    assert (stack.writes(), live(stack)) == ([], [OFFICE, "", ""])
    fleet(stack, [DESK, None, None])
    stack.up()
    stack.emulator.clear_requests()
    single(stack, DESK)
    assert told(stack.up().output)
    stack.empty_preview()
    assert (stack.writes(), live(stack)) == ([], [DESK, "", ""])
    assert list(stack.state()) == ["line"]


def test_a_first_run_that_failed(stack: Workspace) -> None:
    """Nothing is written, so nothing is forgotten: the next run remembers what is there. Of a fleet, it is said."""
    ids = [line.id for line in stack.emulator.phone_numbers]
    stack.configure("linq:maxRetries", "0")
    stack.emulator.fail(Fault.parse("500"), times=1, method="PUT")
    single(stack, OFFICE, "overwrite=True")
    stack.up(fails=True)
    assert (stack.state(), live(stack)) == ({}, [BEFORE, "", ""])
    stack.up()
    assert remembered(stack, "line") == BEFORE
    stack.destroy()
    assert live(stack) == [BEFORE, "", ""]
    stack.emulator.fail(Fault.parse("500"), times=1, method="PUT", path_contains=ids[1])
    fleet(stack, [OFFICE, OFFICE, None], "overwrite=True")
    first = stack.emulator.phone_numbers[0].phone_number
    said = stack.up(fails=True).output
    assert f"The state does not record the earlier numbers of these lines: {first} ({BEFORE})." in said


def test_the_native_package(stack: Workspace) -> None:
    """A native fleet that failed in part records what its lines forwarded to before, so nothing is forgotten."""
    ids = [line.id for line in stack.emulator.phone_numbers]
    first, second, _ = (line.phone_number for line in stack.emulator.phone_numbers)
    stack.use_native()
    stack.emulator.fail(Fault.parse("403"), times=1, method="PUT", path_contains=ids[1])
    fleet(stack, [OFFICE, OFFICE, None], "overwrite=True")
    said = stack.up(fails=True).output
    assert "The state does not record" not in said
    assert remembered(stack, "fleet") == {first: BEFORE}
    stack.up()
    assert remembered(stack, "fleet") == {first: BEFORE, second: ""}
    stack.empty_preview()
    stack.destroy()
    assert (stack.state(), live(stack)) == ({}, [BEFORE, "", ""])


def test_a_state_of_before(stack: Workspace) -> None:
    """A resource created without "restore" records nothing; its delete clears, and reports that, single and fleet."""
    for declare, to in ((single, OFFICE), (fleet, [OFFICE, None, None])):
        stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, OFFICE)
        declare(stack, to, 'removed="clear"')
        stack.up()
        declare(stack, to)
        stack.up()
        stack.run("preview", "--refresh", "--expect-no-changes")
        stack.emulator.clear_requests()
        assert WITHOUT_MEMORY in stack.destroy().output
        assert (stack.state(), live(stack)) == ({}, ["", "", ""])


def test_giving_back_is_no_new_declaration(stack: Workspace) -> None:
    """A number that is forbidden by now is restored nevertheless; the delete reports that without the number."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, LONDON)
    stack.configure("linq:allowedForwardings", "US")
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.program("")
    said = stack.up().output
    assert (
        f"{GIVEN_BACK}, although the restored number is in the United Kingdom (+44), outside of linq:allowedForwardings"
        in said
    )
    assert LONDON not in said
    assert (stack.state(), live(stack)) == ({}, [LONDON, "", ""])


def test_two_stacks(stack: Workspace) -> None:
    """Each stack restores what it found: the second one the number of the first, which then restores the original."""
    single(stack, OFFICE, "overwrite=True")
    stack.up()
    stack.run("stack", "init", "second", "--copy-config-from", "dev")
    single(stack, DESK, "overwrite=True", name="second")
    stack.up("--stack", "second")
    assert live(stack) == [DESK, "", ""]
    refused = stack.destroy("--stack", "dev", fails=True).output
    assert "which this stack did not set. Nothing was restored" in refused
    stack.destroy("--stack", "second")
    assert live(stack) == [OFFICE, "", ""]
    stack.destroy("--stack", "dev")
    assert live(stack) == [BEFORE, "", ""]
