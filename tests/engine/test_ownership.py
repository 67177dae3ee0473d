"""A line is cleared only by who owns it: reads, foreign numbers, and owners that must not get lost."""

from __future__ import annotations

import json

import pytest
from workspace import Workspace

pytestmark = pytest.mark.engine

OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025557777"
FORWARD = "line = linq.PhoneNumberForwarding"


def names(stack: Workspace) -> str:
    """Python text that names the three lines of the account: their ids A, B, C and their numbers NA, NB, NC."""
    lines = stack.emulator.phone_numbers[:3]
    ids = f"A, B, C = {[line.id for line in lines]!r}\n"
    numbers = f"OFFICE, DESK, ELSEWHERE = {OFFICE!r}, {DESK!r}, {ELSEWHERE!r}\n"
    return ids + f"NA, NB, NC = {[line.phone_number for line in lines]!r}\n" + numbers


def program(stack: Workspace, text: str) -> None:
    """Make `text` the program; `forward`, `fleet` and `get` are short for the resources."""
    short = (
        "def forward(name, line, number, **args):\n"
        "    return linq.PhoneNumberForwarding(name, phone_number=line, forwarding_number=number, **args)\n"
        "def fleet(name, forwardings, **args):\n"
        "    return linq.PhoneNumberForwardings(name, forwardings=forwardings, **args)\n"
        "get, Options = linq.PhoneNumberForwarding.get, pulumi.ResourceOptions\n"
    )
    stack.program(names(stack) + short + text)


def up(stack: Workspace, text: str) -> None:
    """Deploy `text` and forget the requests."""
    program(stack, text)
    stack.up()
    stack.emulator.clear_requests()


def live(stack: Workspace) -> list[str]:
    """Where the lines forward."""
    return [line.forwarding_number or "" for line in stack.emulator.phone_numbers]


def edit(stack: Workspace, line: int, number: str) -> None:
    """Somebody else points a line elsewhere."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[line].id, number)


def break_line(stack: Workspace, line: int) -> None:
    """Every write to this line is refused, until `clear_faults`."""
    stack.emulator.fail("403", times=None, method="PUT", path_contains=stack.emulator.phone_numbers[line].id)


# Lines that a run does not learn about

NEW = 'forward("new", NA, "office")'
LATE = 'failing = forward("failing", NB, OFFICE)\n'
WHOLE_LINE = LATE + 'forward("new", failing.id.apply(lambda _: NA), OFFICE)'
WHOLE_MAP = LATE + 'fleet("new", failing.id.apply(lambda _: {NA: OFFICE}))'
ONE_NUMBER = LATE + 'fleet("new", {NC: OFFICE, NA: failing.id.apply(lambda _: OFFICE)})'


@pytest.mark.skins
@pytest.mark.parametrize(
    "text",
    [NEW, 'fleet("new", {NA: "office", NC: ""})', WHOLE_LINE, WHOLE_MAP, ONE_NUMBER],
    ids=["refused", "fleet-refused", "line-never-known", "map-never-known", "number-never-known"],
)
def test_a_line_is_not_cleared_when_its_new_owner_failed_before_it_was_heard_of(stack: Workspace, text: str) -> None:
    """With --continue-on-error, the old resource of a renamed line stays in the state when the new one is refused."""
    up(stack, 'forward("old", NA, OFFICE)')
    break_line(stack, 1)
    program(stack, text)
    failed = stack.up("--continue-on-error", fails=True).output
    assert live(stack) == [OFFICE, "", ""]
    assert "old" in stack.state(), failed
    stack.emulator.clear_faults()
    program(stack, text.replace('"office"', "OFFICE"))
    stack.up()
    assert live(stack)[0] == OFFICE
    assert "old" not in stack.state()
    assert (stack.emulator.phone_numbers[0].id, "") not in stack.writes()
    stack.empty_preview()


@pytest.mark.skins
def test_a_failure_does_not_keep_a_destroy_from_clearing(stack: Workspace) -> None:
    """`destroy --continue-on-error` clears every line that it can; a fleet that fails in part clears the rest."""
    up(stack, 'forward("x", NA, OFFICE)\nfleet("y", {NB: OFFICE, NC: OFFICE})')
    break_line(stack, 1)
    stack.run("destroy", "--yes", "--skip-preview", "--continue-on-error", fails=True)
    assert live(stack) == ["", OFFICE, ""]
    stack.emulator.clear_faults()
    stack.run("destroy", "--yes", "--skip-preview")
    assert live(stack) == ["", "", ""]


# Lines that are only read


@pytest.mark.skins
def test_a_line_that_was_read_refreshes(stack: Workspace) -> None:
    """Every refresh of a `.get()` works and brings the live value; the id may be in capitals."""
    edit(stack, 0, OFFICE)
    up(stack, 'pulumi.export("to", get("read", A.upper()).forwarding_number)')
    edit(stack, 0, DESK)
    stack.refresh()
    assert stack.outputs("read")["forwarding_number"] == DESK
    stack.empty_preview()
    stack.up("--refresh")
    stack.destroy()
    assert live(stack)[0] == DESK
    assert stack.writes() == []


def test_a_read_line_in_a_state_of_0_1_0_heals(stack: Workspace) -> None:
    """0.1.0 recorded `declared_by: ""` for a line that was only read, and could not refresh it."""
    edit(stack, 0, OFFICE)
    up(stack, 'get("read", A)')
    old = json.loads(stack.run("stack", "export").output)
    for resource in old["deployment"]["resources"]:
        if resource["urn"].endswith("::read"):
            resource["outputs"]["declared_by"] = ""
    (stack.folder / "old.json").write_text(json.dumps(old))
    stack.run("stack", "import", "--file", "old.json")
    edit(stack, 0, DESK)
    stack.refresh()
    assert stack.outputs("read")["forwarding_number"] == DESK
    stack.empty_preview()


def test_a_read_line_that_is_gone_leaves_the_state(stack: Workspace) -> None:
    """A refresh removes it; a program that still reads it gets an error of one sentence."""
    up(stack, 'get("read", A)')
    stack.emulator.remove_number(stack.emulator.phone_numbers[0].id)
    stack.refresh()
    assert stack.state() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('get("read", NA)', "PhoneNumberForwarding.get() takes a phone_number_id"),
        ('get("read", pulumi.Output.from_input(NA))', "PhoneNumberForwarding.get() takes a phone_number_id"),
        ('forward("x", NA, OFFICE, opts=Options(id=A))', "'x' has an id in its options"),
        (
            'linq.PhoneNumberForwarding("x", phone_number_id=A, forwarding_number=OFFICE, opts=Options(id=A))',
            "has an id",
        ),
    ],
)
def test_what_would_only_read_is_no_declaration(stack: Workspace, text: str, said: str) -> None:
    """A number for `.get()`, or an id in the options of a declaration, is refused when the program runs."""
    program(stack, text)
    output = stack.preview(fails=True).output
    assert said in output
    assert "Traceback" not in output
    assert stack.writes() == []


@pytest.mark.skins
def test_reading_and_declaring_a_line_in_turn_sends_nothing(stack: Workspace) -> None:
    """A read line that becomes a declared one, and the other way round, is neither written nor cleared by that."""
    edit(stack, 0, OFFICE)
    for text in ('get("x", A)', 'forward("x", NA, OFFICE)', 'get("x", A)', 'get("y", A)'):
        program(stack, text)
        stack.up()
        stack.empty_preview()
    stack.destroy()
    assert stack.writes() == []
    assert live(stack)[0] == OFFICE


# Numbers that this stack did not set


@pytest.mark.skins
@pytest.mark.parametrize("refreshed", [False, True], ids=["unseen", "refreshed"])
@pytest.mark.parametrize("how", ["destroyed", "removed", "taken out of a fleet"])
def test_a_foreign_number_is_not_cleared(stack: Workspace, how: str, refreshed: bool) -> None:
    """The delete is refused, the state keeps the resource; an operator decides: keep, or overwrite."""
    together = how == "taken out of a fleet"
    up(
        stack,
        'fleet("f", {NA: OFFICE, NB: OFFICE})' if together else 'forward("x", NA, OFFICE)\nforward("y", NB, OFFICE)',
    )
    edit(stack, 0, ELSEWHERE)
    if refreshed:
        stack.refresh()
    program(stack, 'fleet("f", {NB: OFFICE})' if together else 'forward("y", NB, OFFICE)')
    delete = stack.destroy if how == "destroyed" else stack.up
    refused = delete(fails=True).output
    assert f"now forwards to {ELSEWHERE}, which this stack did not set. Nothing was cleared." in refused
    assert live(stack)[0] == ELSEWHERE
    assert ("f" if together else "x") in stack.state()
    kept = delete(LINQ_ON_CONFLICT="keep").output.partition("Diagnostics:")[2]
    assert kept.count("(LINQ_ON_CONFLICT=keep)") == 1
    assert live(stack)[0] == ELSEWHERE
    assert (stack.emulator.phone_numbers[0].id, "") not in stack.writes()
    if how != "destroyed":
        stack.empty_preview()


@pytest.mark.skins
def test_an_operator_may_clear_a_foreign_number(stack: Workspace) -> None:
    """LINQ_ON_CONFLICT=overwrite clears it, and reports that once; `overwrite=True` does not, because it is for writes."""
    up(stack, 'forward("x", NA, OFFICE, overwrite=True)')
    edit(stack, 0, ELSEWHERE)
    stack.destroy(fails=True)
    assert live(stack)[0] == ELSEWHERE
    said = stack.destroy(LINQ_ON_CONFLICT="overwrite").output.partition("Diagnostics:")[2]
    assert said.count("(LINQ_ON_CONFLICT=overwrite)") == 1
    assert live(stack)[0] == ""


@pytest.mark.skins
def test_an_operator_may_write_over_a_foreign_number(stack: Workspace) -> None:
    """LINQ_ON_CONFLICT=overwrite lets a write pass, also for a `linq.Provider`; keep does not."""
    edit(stack, 0, ELSEWHERE)
    program(
        stack,
        f'emea = linq.Provider("emea", api_key={stack.emulator.api_key!r}, base_url={stack.emulator.url!r})\n'
        'forward("x", NA, OFFICE, opts=Options(provider=emea))',
    )
    assert "LINQ_ON_CONFLICT=overwrite" in stack.up(fails=True, LINQ_ON_CONFLICT="keep").output
    assert live(stack)[0] == ELSEWHERE
    assert "was replaced (LINQ_ON_CONFLICT=overwrite)" in stack.up(LINQ_ON_CONFLICT="overwrite").output
    assert live(stack)[0] == OFFICE
    stack.empty_preview()


@pytest.mark.skins
def test_the_setting_of_an_operator_is_no_setting_of_a_stack(stack: Workspace) -> None:
    """A stack's file cannot decide for the operator, and any other value is refused."""
    up(stack, 'forward("x", NA, OFFICE)')
    edit(stack, 0, ELSEWHERE)
    stack.configure("linq:onConflict", "overwrite")
    stack.destroy(fails=True)
    assert "LINQ_ON_CONFLICT must be overwrite or keep" in stack.destroy(fails=True, LINQ_ON_CONFLICT="yes").output
    assert live(stack)[0] == ELSEWHERE


@pytest.mark.skins
def test_what_a_refresh_found_is_not_what_was_applied(stack: Workspace) -> None:
    """The number that this stack wrote last survives a refresh, encrypted, and is removed when the line is corrected."""
    up(stack, 'forward("x", NA, OFFICE)')
    assert "applied_number" not in stack.outputs("x")
    edit(stack, 0, ELSEWHERE)
    for _ in range(2):
        stack.refresh()
        assert stack.outputs("x")["forwarding_number"] == ELSEWHERE
        assert "ciphertext" in stack.outputs("x")["applied_number"]
    stack.up()
    assert "applied_number" not in stack.outputs("x")
    assert live(stack)[0] == OFFICE
    stack.empty_preview()
    stack.destroy()
    assert live(stack)[0] == ""


def test_a_line_cleared_by_a_fleet_that_failed_and_given_away_is_left_alone(stack: Workspace) -> None:
    """The documented `pulumi up --refresh` does not clear a line that somebody else uses by now."""
    up(stack, 'fleet("f", {NA: OFFICE, NB: OFFICE})')
    program(stack, 'fleet("f", {NA: DESK})')
    break_line(stack, 0)
    stack.up(fails=True)
    assert live(stack)[:2] == [OFFICE, ""]
    stack.emulator.clear_faults()
    edit(stack, 1, ELSEWHERE)
    refused = stack.up("--refresh", fails=True).output
    assert f"now forwards to {ELSEWHERE}, which this stack did not set" in refused
    assert live(stack)[1] == ELSEWHERE
    stack.up("--refresh", LINQ_ON_CONFLICT="keep")
    assert live(stack)[:2] == [DESK, ELSEWHERE]
    stack.empty_preview()


# Several provider processes in one run

PROVIDERS = """
emea, apac = [
    linq.Provider(name, api_key=KEY, base_url=URL, opts=Options(version=None)) for name in ("emea", "apac")
]
"""
OWNERS = {
    "default": 'forward("{name}", NA, OFFICE)',
    "emea": 'forward("{name}", NA, OFFICE, opts=Options(provider=emea))',
    "apac": 'forward("{name}", NA, OFFICE, opts=Options(provider=apac))',
    "fleet of default": 'fleet("{name}", {{NA: OFFICE}})',
    "fleet of emea": 'fleet("{name}", {{A: OFFICE}}, opts=Options(provider=emea))',
}


@pytest.mark.skins
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("default", "emea"),
        ("emea", "default"),
        ("emea", "apac"),
        ("default", "fleet of emea"),
        ("fleet of emea", "apac"),
        ("fleet of default", "fleet of emea"),
    ],
)
def test_a_line_that_goes_to_another_provider_is_never_cleared(stack: Workspace, before: str, after: str) -> None:
    """Each provider is a process that saw only its own checks; they share what the program declares."""
    account = f"KEY, URL = {stack.emulator.api_key!r}, {stack.emulator.url!r}\n" + PROVIDERS
    up(stack, account + OWNERS[before].format(name="old"))
    program(stack, account + OWNERS[after].format(name="new"))
    stack.up()
    assert stack.writes() == []
    assert list(stack.state()) == ["new"]
    stack.empty_preview()
    stack.destroy()
    assert live(stack)[0] == ""


# Owners that must not get lost


@pytest.mark.skins
@pytest.mark.parametrize(
    "after", ['fleet("f", {NA: OFFICE, NB: DESK})', 'forward("z", NB, DESK)\nforward("w", NA, OFFICE)']
)
def test_an_owner_stays_until_the_next_one_has_the_line(stack: Workspace, after: str) -> None:
    """With --continue-on-error a failed new owner leaves the old one in the state, and the next plain up is right."""
    up(stack, 'forward("x", NA, OFFICE, overwrite=True)\nforward("y", NB, OFFICE)')
    program(
        stack,
        after.replace("DESK", "DESK, overwrite=True")
        if "forward" in after
        else after.replace("})", "}, overwrite=True)"),
    )
    break_line(stack, 1)
    said = stack.up("--continue-on-error", fails=True).output
    assert "which failed in this run" in said
    assert "y" in stack.state()
    stack.emulator.clear_faults()
    stack.up()
    assert live(stack)[:2] == [OFFICE, DESK]
    assert not {"x", "y"} & stack.state().keys()
    stack.empty_preview()
    program(stack, "")
    stack.up()
    assert live(stack)[:2] == ["", ""]


@pytest.mark.skins
def test_an_owner_stays_where_its_heir_was_never_tried(stack: Workspace) -> None:
    """A renamed resource that depends on a failing one is skipped, so the old resource must stay."""
    up(stack, 'forward("x", NA, OFFICE)')
    program(stack, 'bad = forward("bad", NB, DESK)\nforward("new", NA, OFFICE, opts=Options(depends_on=[bad]))')
    break_line(stack, 1)
    stack.up("--continue-on-error", fails=True)
    assert live(stack)[0] == OFFICE
    assert {"x", "new"} & stack.state().keys()
    stack.emulator.clear_faults()
    stack.up()
    assert live(stack)[:2] == [OFFICE, DESK]
    stack.empty_preview()
    stack.destroy()
    assert live(stack)[:2] == ["", ""]


def test_a_second_owner_that_leaves_gives_the_line_back(stack: Workspace) -> None:
    """Its number is not left behind over the number that the remaining resource declares."""
    up(stack, 'forward("x", NA, OFFICE)')
    exported = json.loads(stack.run("stack", "export").output)
    first = next(r for r in exported["deployment"]["resources"] if r["urn"].endswith("::x"))
    second = json.loads(json.dumps(first).replace(OFFICE, DESK)) | {"urn": first["urn"][: -len("x")] + "second"}
    exported["deployment"]["resources"].append(second)
    (stack.folder / "two.json").write_text(json.dumps(exported))
    stack.run("stack", "import", "--file", "two.json")
    edit(stack, 0, DESK)
    stack.up()
    assert live(stack)[0] == OFFICE
    stack.empty_preview()


def test_two_owners_with_two_providers_leave_in_one_run(stack: Workspace) -> None:
    """The second one's process does not believe its lists from before the first one's cleared the line."""
    owners = 'y = forward("y", NB, DESK, opts=Options(provider=emea))\nforward("x", NA, OFFICE, opts=Options(depends_on=[y]))'
    account = f"KEY, URL = {stack.emulator.api_key!r}, {stack.emulator.url!r}\n" + PROVIDERS
    up(stack, account + owners)
    exported = json.loads(stack.run("stack", "export").output)
    resources = exported["deployment"]["resources"]
    second = next(index for index, resource in enumerate(resources) if resource["urn"].endswith("::y"))
    mine, other = stack.emulator.phone_numbers[:2]
    moved = json.dumps(resources[second]).replace(other.id, mine.id).replace(other.phone_number, mine.phone_number)
    resources[second] = json.loads(moved)
    (stack.folder / "two.json").write_text(json.dumps(exported))
    stack.run("stack", "import", "--file", "two.json")
    program(stack, account)
    stack.up("--refresh")
    assert live(stack)[:2] == ["", DESK]
    stack.empty_preview()


# Replacements that were interrupted

FIRST = "opts=Options(delete_before_replace=True)"
ON_CHANGES = 'opts=Options(delete_before_replace=True, replace_on_changes=["forwarding_number"])'
FLEET_ON_CHANGES = 'opts=Options(delete_before_replace=True, replace_on_changes=["forwardings"])'


@pytest.mark.skins
@pytest.mark.parametrize("after", ["same", "old", "third"])
@pytest.mark.parametrize(
    ("text", "args"),
    [
        pytest.param(f'forward("x", NA, {{number}}, {ON_CHANGES})', (), id="replace_on_changes"),
        pytest.param(f'fleet("x", {{{{NA: {{number}}, NB: OFFICE}}}}, {FLEET_ON_CHANGES})', (), id="fleet"),
        pytest.param(f'forward("x", NA, {{number}}, {FIRST})', ("--replace", "**::x"), id="--replace"),
    ],
)
def test_an_interrupted_replacement_does_not_wedge(
    stack: Workspace, text: str, args: tuple[str, ...], after: str
) -> None:
    """Whatever is deployed next, one plain up ends with every declared line holding its number."""
    up(stack, text.format(number="OFFICE"))
    program(stack, text.format(number="DESK"))
    break_line(stack, 0)
    stack.up(*args, fails=True)
    stack.emulator.clear_faults()
    wanted = {"same": "DESK", "old": "OFFICE", "third": "'+12025556666'"}[after]
    program(stack, text.format(number=wanted))
    stack.up()
    assert live(stack)[0] == {"same": DESK, "old": OFFICE, "third": "+12025556666"}[after]
    assert ("", stack.emulator.phone_numbers[0].id) not in [(number, line) for line, number in stack.writes()]
    stack.empty_preview()
    stack.destroy()
    assert live(stack) == ["", "", ""]


@pytest.mark.skins
@pytest.mark.parametrize(
    "third",
    [
        'forward("x", NA, ELSEWHERE)',
        'forward("x", NA, OFFICE)',
        'forward("x", NC, ELSEWHERE)',
        'fleet("y", {NA: DESK})',
    ],
)
def test_a_line_cleared_by_an_interrupted_replacement_is_free(stack: Workspace, third: str) -> None:
    """The old line was cleared and the new one failed; one plain up then writes whatever is declared."""
    up(stack, f'forward("x", NA, OFFICE, {FIRST})')
    program(stack, f'forward("x", NB, OFFICE, {FIRST})')
    break_line(stack, 1)
    stack.up(fails=True)
    stack.emulator.clear_faults()
    assert live(stack) == ["", "", ""]
    program(stack, third)
    stack.preview()
    stack.up()
    wanted = {"OFFICE": OFFICE, "ELSEWHERE": ELSEWHERE, "DESK": DESK}[third.rsplit(None, 1)[1].strip("})")]
    assert live(stack) == (["", "", wanted] if "NC" in third else [wanted, "", ""])
    stack.empty_preview()


@pytest.mark.skins
@pytest.mark.parametrize("text", ['forward("x", NA, {number})', 'fleet("x", {{NA: {number}, NB: OFFICE}})'])
def test_a_line_that_somebody_else_cleared_is_not_forwarded_again_unseen(stack: Workspace, text: str) -> None:
    """Preview says that the line is not forwarded any more, and up refuses a new number for it."""
    up(stack, text.format(number="OFFICE"))
    edit(stack, 0, "")
    stack.emulator.clear_requests()
    program(stack, text.format(number="DESK"))
    assert "is no longer forwarded. If a replacement of its resource was interrupted" in stack.preview().output
    assert "was changed outside Pulumi to not forwarded" in stack.up(fails=True).output
    assert stack.writes() == []
    stack.refresh()
    stack.up()
    assert live(stack)[0] == DESK
    stack.empty_preview()


@pytest.mark.skins
def test_a_healthy_replacement_that_deletes_first_has_no_gap(stack: Workspace) -> None:
    """`--replace`, a taint and `replace_on_changes` with delete_before_replace never write an empty number."""
    up(stack, f'forward("x", NA, OFFICE, {FIRST})')
    stack.up("--replace", "**::x")
    assert stack.writes() == []
    stack.empty_preview()
    stack.run("state", "taint", stack.state()["x"]["urn"], "--yes")
    stack.up()
    assert stack.writes() == []
    stack.empty_preview()
    on_changes = f'forward("x", NA, DESK, {ON_CHANGES})'
    program(stack, on_changes)
    stack.up()
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, DESK)]
    stack.empty_preview()


# Fleets


@pytest.mark.skins
def test_a_renamed_fleet_does_not_silence_what_was_cut(stack: Workspace) -> None:
    """A fleet that is renamed while its map is cut is an update in disguise, with the same limit."""
    for n in range(20):
        stack.emulator.add_number(f"+1303555{n:04}")
    lines = [line.phone_number for line in stack.emulator.phone_numbers][3:]
    up(stack, f'fleet("old", dict.fromkeys({lines!r}, OFFICE))')
    program(stack, f'fleet("new", {{{lines[0]!r}: OFFICE}})')
    refused = stack.up(fails=True).output
    assert "This would clear 19 of 20 lines" in refused
    assert stack.writes() == []
    assert "old" in stack.state()
    program(stack, f'fleet("new", {{{lines[0]!r}: OFFICE}}, allow_clearing=19)')
    stack.up()
    assert len(stack.writes()) == 19
    assert live(stack)[3:] == [OFFICE, *[""] * 19]
    stack.empty_preview()


def test_two_fleets_swap_their_lines(stack: Workspace) -> None:
    """A line that the other fleet declares in plain text does not count as cleared, whichever is checked first."""
    for n in range(20):
        stack.emulator.add_number(f"+1303555{n:04}")
    lines = [line.phone_number for line in stack.emulator.phone_numbers][3:]
    a, b = (f"dict.fromkeys({half!r}, OFFICE)" for half in (lines[:10], lines[10:]))
    up(stack, f'fleet("a", {a})\nfleet("b", {b})')
    program(stack, f'fleet("a", {b})\nfleet("b", {a})')
    stack.preview()
    stack.up()
    assert stack.writes() == []
    stack.empty_preview()


# One line, two declarations


def test_two_declarations_that_are_known_late_are_refused(stack: Workspace) -> None:
    """Where a line is known only as the program runs on, the run is refused all the same, naming both resources."""
    program(
        stack,
        'late = pulumi.Output.from_input(NA)\nforward("x", NA, OFFICE)\nforward("y", late, OFFICE)',
    )
    output = stack.up(fails=True).output
    assert "'x' and 'y' declare the same line" in output
    assert "Traceback" not in output
