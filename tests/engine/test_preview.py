"""Preview looks before it leaps: what would go wrong is refused before anything is written."""

from __future__ import annotations

import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine


def declare(stack: Workspace, to: str = "+12025559999", *, line: str | None = None, extra: str = "") -> None:
    """A program of one resource `x`, on the first line of the account unless `line` says another."""
    number = line or stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{number}", forwarding_number="{to}"{extra})')


def test_somebody_elses_line_is_refused(stack: Workspace) -> None:
    """A new resource for a line that somebody else forwards is refused at preview and at up; overwrite replaces it."""
    line = stack.emulator.phone_numbers[0]
    stack.emulator.set_forwarding(line.id, "+12025550001")
    declare(stack)
    for shown in (stack.preview(fails=True).output, stack.up(fails=True).output):
        assert (
            f"Line {line.id} ({line.phone_number}) already forwards to +12025550001, which is not the declared number."
            in shown
        )
        assert "set overwrite=True to replace it" in shown
    assert stack.writes() == []
    declare(stack, extra=", overwrite=True")
    stack.preview()
    assert f"On line {line.id} ({line.phone_number}), the forwarding to +12025550001 was replaced" in stack.up().output
    assert stack.writes() == [(line.id, "+12025559999")]
    stack.empty_preview()


def test_adoption_writes_nothing(stack: Workspace) -> None:
    """A line that already holds the declared number is adopted without a write."""
    line = stack.emulator.phone_numbers[0]
    stack.emulator.set_forwarding(line.id, "+12025559999")
    declare(stack)
    assert stack.up().changes == {"created": 2}
    assert stack.writes() == []
    assert stack.outputs("x")["forwarding_number"] == "+12025559999"
    stack.empty_preview()


def test_an_existing_line_changed_outside_pulumi(stack: Workspace) -> None:
    """A changed declaration over a hand edit is refused at preview and at up; refresh shows it, then up writes."""
    line = stack.emulator.phone_numbers[0]
    declare(stack)
    stack.up()
    stack.emulator.set_forwarding(line.id, "+12025550002")
    stack.emulator.clear_requests()
    declare(stack, "+12025551111")
    for shown in (stack.preview(fails=True).output, stack.up(fails=True).output):
        assert f"Line {line.id} ({line.phone_number}) was changed outside Pulumi to +12025550002." in shown
        assert "pulumi refresh" in shown
    assert stack.writes() == []
    assert '"+12025559999" => "+12025550002"' in stack.refresh().output
    stack.up()
    assert stack.writes() == [(line.id, "+12025551111")]
    stack.empty_preview()


def test_without_a_live_check_create_still_compares(stack: Workspace) -> None:
    """liveCheck false: preview needs no key and no network, and create still refuses somebody else's line."""
    line = stack.emulator.phone_numbers[0]
    stack.emulator.set_forwarding(line.id, "+12025550001")
    stack.configure("linq:liveCheck", "false")
    declare(stack)
    stack.preview()
    stack.preview(LINQ_API_KEY_OVERRIDE="not-the-key")
    assert stack.emulator.requests == []
    assert "already forwards to +12025550001" in stack.up(fails=True).output
    assert stack.writes() == []


def test_unknown_line_wrong_key_dead_server(stack: Workspace) -> None:
    """An unknown line, a wrong key, no key, an unreachable API: each fails the preview with one paragraph; then up works."""
    line = stack.emulator.phone_numbers[0]
    declare(stack, line="+12025550199")
    unknown = stack.preview(fails=True).output
    assert f"This key does not see the declared line; it sees 3: {line.phone_number}, " in unknown
    assert "A key can be limited" in unknown
    declare(stack)
    wrong = stack.preview(fails=True, LINQ_API_KEY_OVERRIDE="wrong-key").output
    assert "GET /v3/phone_numbers failed: HTTP 401, 2004 Unauthorized" in wrong
    assert "The key came from LINQ_API_KEY_OVERRIDE." in wrong
    assert "or unset it, so that the key of the stack or of the environment is used." in wrong
    stack.configure("linq:baseUrl", "http://127.0.0.1:9/api/partner")
    dead = stack.preview(fails=True).output
    nobody = "no connection to 127.0.0.1:9, the address in linq:baseUrl (Connection refused)"
    assert nobody in dead
    for shown in (unknown, wrong, dead):
        assert "Traceback" not in shown
        assert "Exception calling application" not in shown
    stack.configure("linq:baseUrl", stack.emulator.url)
    stack.unset("linq:apiKey")
    none = stack.preview(fails=True).output
    assert "No Linq API key is configured. Run `pulumi config set --secret linq:apiKey`" in none
    assert stack.writes() == []
    stack.up(LINQ_API_V3_API_KEY=stack.emulator.api_key)
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"


def test_plaintext_key_is_refused(stack: Workspace) -> None:
    """linq:apiKey without --secret is refused with the command that fixes it, and never reaches the state."""
    stack.unset("linq:apiKey")
    stack.configure("linq:apiKey", "a-key-in-plaintext")
    declare(stack)
    shown = stack.up(fails=True).output
    assert "pulumi config set --secret linq:apiKey" in shown
    assert "Traceback" not in shown
    assert "a-key-in-plaintext" not in shown + stack.state_text()
    assert stack.emulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('phone_number="(202) 555-1234", forwarding_number="+12025559999"', "phone_number is not in E.164 format"),
        ('phone_number="+1 202-555-0100", forwarding_number="+12025559999"', "remove the spaces and dashes"),
        ('phone_number=LINE, forwarding_number="+1 (202) 555-9999"', "remove the spaces, dashes"),
        ("phone_number=LINE, forwarding_number=None", 'forwarding_number is missing; write "" for not forwarded'),
        ('forwarding_number=""', "exactly one of phone_number and phone_number_id"),
        ('phone_number_id="nonsense", forwarding_number=""', "phone_number_id is not a UUID"),
        (
            "phone_number=LINE, forwarding_number=LINE",
            "The line would forward to itself, so calls would go in a circle and never ring.",
        ),
    ],
    ids=["line", "hint", "number", "none", "no-line", "no-uuid", "itself"],
)
def test_what_can_never_work_is_refused_at_preview(stack: Workspace, arguments: str, message: str) -> None:
    """Malformed or missing values and a line that forwards to itself fail the preview; no value is repeated."""
    stack.program(
        f'LINE = "{stack.emulator.phone_numbers[0].phone_number}"\nlinq.PhoneNumberForwarding("x", {arguments})'
    )
    shown = stack.preview(fails=True).output
    assert message in shown
    assert "(202) 555" not in shown


@pytest.mark.skins
@pytest.mark.parametrize("second", ["+12025558888", "+12025559999"])
def test_two_declarations_of_one_line(stack: Workspace, skin: str, second: str) -> None:
    """Two plain declarations of one line are refused at preview, also with one number; the program's classes name both."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f"""
        linq.PhoneNumberForwarding("sales", phone_number="{line}", forwarding_number="+12025559999")
        linq.PhoneNumberForwarding("support", phone_number="{line}", forwarding_number="{second}")
        """
    )
    shown = stack.preview(fails=True).output
    named = f"Line {line} is declared by another resource of this program too."
    assert (named if skin == "native" else "'sales' and 'support' declare the same line.") in shown
    assert "Traceback" not in shown


def test_two_declarations_that_meet_only_in_the_account(stack: Workspace) -> None:
    """The same line by number and by id: the second create of the run is refused, the first one's number stays."""
    line = stack.emulator.phone_numbers[0]
    program = 'linq.PhoneNumberForwarding("sales", phone_number="{}", forwarding_number="+12025559999")\n'
    second = """linq.PhoneNumberForwarding("support", phone_number_id="{}", forwarding_number="+12025559999", opts=
            pulumi.ResourceOptions(depends_on=[sales]))"""
    stack.program("sales = " + program.format(line.phone_number) + second.format(line.id))
    assert "is declared by two resources of this program" in stack.up(fails=True).output
    assert stack.writes() == [(line.id, "+12025559999")]
    assert list(stack.state()) == ["sales"]
    stack.program(program.format(line.phone_number))
    stack.up()
    stack.empty_preview()


def test_a_second_name_for_a_line_that_is_declared_already(stack: Workspace) -> None:
    """A new resource that names by id what an unchanged one names by number is refused at preview, overwrite or not."""
    line = stack.emulator.phone_numbers[0]
    sales = f'linq.PhoneNumberForwarding("sales", phone_number="{line.phone_number}", forwarding_number="+12025559999")'
    stack.program(sales)
    stack.up()
    stack.emulator.clear_requests()
    support = f'linq.PhoneNumberForwarding("support", phone_number_id="{line.id}", '
    stack.program(f'{support}forwarding_number="+12025558888", overwrite=True)\n{sales}')
    assert "by one with phone_number, by the other with phone_number_id" in stack.preview(fails=True).output
    assert stack.writes() == []


def test_two_lines_that_forward_to_each_other(stack: Workspace) -> None:
    """A loop of two declared lines is refused at preview, also where one of them is declared by id."""
    a, b, _ = stack.emulator.phone_numbers
    stack.program(
        f"""
        linq.PhoneNumberForwarding("a", phone_number="{a.phone_number}", forwarding_number="{b.phone_number}")
        linq.PhoneNumberForwarding("b", phone_number_id="{b.id}", forwarding_number="{a.phone_number}")
        """
    )
    assert "forward to another line that forwards back" in stack.preview(fails=True).output
    assert stack.writes() == []


def test_a_hundred_new_lines(stack: Workspace) -> None:
    """A preview of 100 new lines makes 1 GET; up makes at most 2 GET and exactly 100 PUT; refresh 1 GET; destroy 100 PUT."""
    stack.declare_lines(100)
    stack.preview()
    assert stack.methods() == ["GET"]
    stack.emulator.clear_requests()
    stack.up()
    assert stack.methods().count("GET") <= 2
    assert sorted(stack.writes()) == sorted((line.id, "+12025559999") for line in stack.emulator.phone_numbers)
    stack.emulator.clear_requests()
    stack.up()
    assert stack.emulator.requests == []
    stack.refresh()
    assert stack.methods() == ["GET"]
    stack.emulator.clear_requests()
    stack.destroy()
    assert sorted(stack.writes()) == sorted((line.id, "") for line in stack.emulator.phone_numbers)
    assert stack.methods().count("GET") <= 1
    assert {line.forwarding_number for line in stack.emulator.phone_numbers} == {None}


def test_a_create_whose_write_was_applied_unseen(stack: Workspace) -> None:
    """A create that broke off after its write was applied succeeds when repeated, without a second value."""
    declare(stack)
    stack.configure("linq:maxRetries", "0")
    stack.emulator.fail(Fault.parse("reset-after-write"), method="PUT")
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.empty_preview()
