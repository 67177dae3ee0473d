"""Where calls may go, on the real engine: refused at preview and at up, without a write, and never for what was there."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

FIRST, SECOND, THIRD = "+12025550100", "+12025550101", "+12025550102"
OFFICE, LONDON, PREMIUM, SHORT, NOWHERE = "+12025559999", "+442071838750", "+19005551234", "+1907443", "+999123456"
# The message for each number under "US", which never contains the number.
REFUSED = {
    LONDON: "is in the United Kingdom (+44), outside of linq:allowedForwardings; if the number is intended, add GB there",
    PREMIUM: "is a premium-rate number in the United States (+1); to allow it, add * or the first digits of the number (+1 is not enough) to linq:allowedForwardings",
    SHORT: "begins with +1, which several countries share, and is not allowed by linq:allowedForwardings",
    NOWHERE: "begins with a country code that does not exist",
}


def single(number: str, line: str = FIRST, *, options: str = "") -> str:
    """A program of one forwarding."""
    return f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{number}"{options})\n'


def refused(stack: Workspace, *says: str, **environment: str) -> None:
    """Preview and up both fail with these words and no number, and nothing is written."""
    for run in (stack.preview, stack.up):
        output = run(fails=True, **environment).output
        for words in says:
            assert words in output
        assert not [number for number in REFUSED if number[4:] in output]
    assert stack.writes() == []


@pytest.mark.parametrize("number", REFUSED, ids=["country", "premium rate", "length", "country code"])
def test_a_number_to_which_calls_may_not_go_is_refused(stack: Workspace, number: str) -> None:
    """A number outside of the allowed ones, of premium rate or of a wrong length is refused at preview and at up."""
    stack.configure("linq:allowedForwardings", "US")
    stack.program(single(number))
    refused(stack, f"'x' has a problem: forwarding_number {REFUSED[number]}")


def test_in_a_fleet_each_line_is_told_its_own(stack: Workspace) -> None:
    """Of a fleet each line to which a rule applies is refused by name, and none is written."""
    for number in (PREMIUM, SHORT):
        stack.emulator.add_number(f"+1303555{number[-4:]}")
    lines = dict(zip([line.phone_number for line in stack.emulator.phone_numbers], [*REFUSED, OFFICE], strict=True))
    stack.configure("linq:allowedForwardings", "US")
    stack.program(f'linq.PhoneNumberForwardings("f", forwardings={lines!r})')
    says = [f"{line}: forwarding_number {REFUSED[number]}" for line, number in lines.items() if number != OFFICE]
    refused(stack, *says)


def test_a_line_whose_length_is_wrong_is_refused(stack: Workspace) -> None:
    """The length of the line itself is checked, too, single and fleet; a line can be declared by its id instead."""
    for program, name in (
        (single(OFFICE, SHORT), "phone_number"),
        (f'linq.PhoneNumberForwardings("f", forwardings={{"{SHORT}": "{OFFICE}"}})', f"{SHORT}: phone_number"),
    ):
        stack.program(program)
        for run in (stack.preview, stack.up):
            said = run(fails=True).output
            assert f"{name} has the wrong length for a phone number in the United States (+1); if it is right" in said
    assert stack.writes() == []


def test_without_a_setting_only_mistakes_and_premium_rate_are_refused(stack: Workspace) -> None:
    """Without any setting premium rate and wrong lengths are refused, with the setting that would allow them."""
    for number, said in [
        (
            PREMIUM,
            "is a premium-rate number in the United States (+1); to allow it, add * or the first digits of the number (+1 is not enough) to linq:allowedForwardings",
        ),
        (
            SHORT,
            "has the wrong length for a phone number in the United States (+1); to allow it, add * or the first digits of the number (+1 is not enough) to linq:allowedForwardings",
        ),
    ]:
        stack.program(single(number))
        refused(stack, said)
    stack.program(single("+2025559999"))
    said = stack.preview().output
    assert "linq: According to version " in said
    assert "some new or changed numbers are in ranges that are not in use: 1 in Egypt (+20)." in said
    stack.up()
    assert stack.emulator.forwarding(FIRST) == "+2025559999"
    stack.empty_preview()


def test_a_stack_cannot_loosen_what_the_environment_demands(stack: Workspace) -> None:
    """A number must be allowed by the environment and the stack, or the environment and a linq.Provider."""
    stack.configure("linq:allowedForwardings", "*")
    stack.program(single(PREMIUM))
    refused(stack, "(+1 is not enough) to LINQ_ALLOWED_FORWARDINGS", LINQ_ALLOWED_FORWARDINGS="US,GB")
    with Emulator([{"id": "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "phone_number": FIRST}]) as other:
        stack.configure("engine-test:otherKey", other.api_key)
        provider = (
            'other = linq.Provider("other", api_key=pulumi.Config().require("otherKey"),'
            f' base_url="{other.url}", allowed_forwardings=["GB", "+1900"])\n'
        )
        options = ", opts=pulumi.ResourceOptions(provider=other)"
        stack.program(provider + single(OFFICE, options=options))
        refused(
            stack,
            "outside of linq:allowedForwardings of linq.Provider 'other'; if the number is intended, add US there",
        )
        stack.program(provider + single(LONDON, options=options))
        refused(stack, "outside of LINQ_ALLOWED_FORWARDINGS", LINQ_ALLOWED_FORWARDINGS="US")
        assert other.requests == []
        stack.up(LINQ_ALLOWED_FORWARDINGS="GB")
        assert other.forwarding(FIRST) == LONDON
    stack.unset("linq:allowedForwardings")


def test_a_state_from_before_the_rule_stays_usable(stack: Workspace) -> None:
    """A state that breaks a later rule refreshes, updates in other things and is destroyed; a preview counts its numbers."""
    stack.configure("linq:allowedForwardings", "*")
    fleet = f'linq.PhoneNumberForwardings("f", forwardings={{"{SECOND}": "{SHORT}", "{THIRD}": "%s"}})'
    stack.program(single(PREMIUM) + fleet % LONDON)
    stack.up()
    stack.configure("linq:allowedForwardings", "US")
    stack.emulator.clear_requests()
    counted = "linq: Declared numbers that break the rule about where calls may go: 3. The rule is now: US (linq:allowedForwardings)."
    assert stack.preview().output.count(counted) == 1
    assert stack.up().changes == {}
    assert stack.emulator.requests == []
    assert stack.up("--refresh").changes == {}
    assert "unchanged" in stack.refresh().output

    # What has nothing to do with the numbers can be changed; of the fleet, only what changes is asked.
    stack.program(single(PREMIUM, options=", overwrite=True") + fleet % OFFICE)
    changed = stack.up()
    assert changed.changes == {"updated": 2}
    assert "linq: Declared numbers that break the rule about where calls may go: 2." in changed.output
    assert stack.writes() == [(stack.emulator.phone_numbers[2].id, OFFICE)]
    stack.empty_preview()

    stack.emulator.clear_requests()
    stack.program(single("+19005551235") + fleet % OFFICE)
    refused(stack, "is a premium-rate number in the United States (+1)")
    stack.destroy()
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [None, None, None]


def test_what_is_only_read_is_never_asked(stack: Workspace) -> None:
    """The rule is for what is declared: a line that is read, and what a refresh finds, may forward anywhere."""
    stack.configure("linq:allowedForwardings", "US")
    first, second, _ = stack.emulator.phone_numbers
    stack.program(single(OFFICE))
    stack.up()
    stack.emulator.set_forwarding(first.id, LONDON)
    stack.emulator.set_forwarding(second.id, PREMIUM)
    assert LONDON in stack.refresh().output
    stack.program(single(OFFICE) + f'linq.PhoneNumberForwarding.get("seen", "{second.id}")')
    assert stack.up().changes == {"updated": 1}
    assert stack.outputs("seen")["forwarding_number"] == PREMIUM
    assert stack.emulator.forwarding(first.id) == OFFICE


def test_a_number_that_is_known_only_during_the_run_is_asked_before_it_is_written(stack: Workspace) -> None:
    """A number from another resource is not known at preview; up refuses it before anything is written to its line."""
    stack.configure("linq:allowedForwardings", "US")
    program = f"""
        first = linq.PhoneNumberForwarding("first", phone_number="{FIRST}", forwarding_number="{OFFICE}")
        number = first.id.apply(lambda id: "{LONDON}")
        linq.PhoneNumberForwarding("second", phone_number="{SECOND}", forwarding_number=number)
        linq.PhoneNumberForwardings("fleet", forwardings={{"{THIRD}": number}})
    """
    stack.program(program)
    stack.preview()
    output = stack.up(fails=True).output
    assert f"forwarding_number {REFUSED[LONDON]}" in output
    assert stack.writes() == [(stack.emulator.phone_numbers[0].id, OFFICE)]


@pytest.mark.parametrize("name", ["lines.csv", "lines.yaml"])
def test_a_roster_is_told_where_in_its_file(stack: Workspace, name: str) -> None:
    """At preview a roster names file, line and column of a number that breaks the rule; what was there before stays usable."""
    rows = {FIRST: OFFICE, SECOND: LONDON}
    text = "line,forwarding_number\n" if name == "lines.csv" else "# lines\n"
    text += "".join(
        f"{line},{number}\n" if name == "lines.csv" else f"{line}: {number}\n" for line, number in rows.items()
    )
    (stack.folder / name).write_text(text)
    stack.program(f'linq.ForwardingRoster("lines", file="{name}")')
    stack.configure("linq:allowedForwardings", "US")
    place = f"{name}, line 3, column {2 if name == 'lines.csv' else 15}: the forwarding number {REFUSED[LONDON]}."
    output = stack.preview(fails=True).output
    assert place in output
    assert f"{SECOND}: forwarding_number {REFUSED[LONDON]}" in output
    assert stack.writes() == []

    stack.unset("linq:allowedForwardings")
    stack.up()
    stack.configure("linq:allowedForwardings", "US")
    (stack.folder / name).write_text(text.replace(OFFICE, "+12025558888"))
    assert place in stack.preview().output
    assert stack.up().changes == {"updated": 1}
    stack.empty_preview()
