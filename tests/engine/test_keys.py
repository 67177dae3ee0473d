"""Which key each command uses after a rotation, and what its failure says; two accounts in one stack."""

from __future__ import annotations

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

ONE_LINE = """
    linq.PhoneNumberForwarding("x", phone_number="+12025550100", forwarding_number="+12025559999")
"""


@pytest.fixture
def rotated(stack: Workspace) -> tuple[Workspace, str]:
    """A stack whose line was created with a key that is now revoked, configured with the new key; and that key."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(ONE_LINE.replace("+12025550100", line))
    stack.up()
    stack.emulator.revoke_token(API_KEY)
    fresh = stack.emulator.create_token()
    stack.run("config", "set", "--secret", "linq:apiKey", fresh)
    stack.emulator.clear_requests()
    return stack, fresh


def refused(output: str) -> bool:
    """The message names the key's source and the variable that helps."""
    return "HTTP 401" in output and "LINQ_API_KEY_OVERRIDE" in output and "Traceback" not in output


def test_refresh_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """Plain refresh uses the key of the last up and fails, naming the override; with it, or running the program, it works."""
    stack, fresh = rotated
    assert refused(stack.refresh(fails=True).output)
    stack.refresh(LINQ_API_KEY_OVERRIDE=fresh)
    stack.refresh("--run-program")
    assert stack.outputs("x")["forwarding_number"] == "+12025559999"
    assert stack.writes() == []


def test_up_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """up uses the configured key, and after it plain refresh and destroy do too."""
    stack, _ = rotated
    stack.up()
    stack.refresh()
    stack.destroy()
    assert stack.emulator.phone_numbers[0].forwarding_number is None


def test_up_that_refreshes_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """up --refresh uses the key of the last up and fails; `up --refresh=false`, as its message says, helps."""
    stack, _ = rotated
    failed = stack.up("--refresh", fails=True)
    assert refused(failed.output)
    assert "`pulumi up --refresh=false`" in failed.output
    stack.up("--refresh=false")
    stack.up("--refresh")
    assert stack.writes() == []
    stack.empty_preview()


def test_destroy_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """Plain destroy fails and keeps the state true; with the override it clears."""
    stack, fresh = rotated
    assert refused(stack.destroy(fails=True).output)
    assert stack.outputs("x")["forwarding_number"] == "+12025559999"
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.destroy(LINQ_API_KEY_OVERRIDE=fresh)
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert stack.state() == {}


def test_destroy_running_the_program_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """destroy --run-program uses the configured key."""
    stack, _ = rotated
    stack.destroy("--run-program")
    assert stack.emulator.phone_numbers[0].forwarding_number is None


def test_the_override_beats_the_configured_key(rotated: tuple[Workspace, str]) -> None:
    """up, refresh --run-program and destroy --run-program use the override, and do not keep it: the next command needs it too."""
    stack, configured = rotated
    stack.emulator.revoke_token(configured)
    override = {"LINQ_API_KEY_OVERRIDE": stack.emulator.create_token()}
    line = stack.emulator.phone_numbers[0]
    stack.program(ONE_LINE.replace("+12025550100", line.phone_number).replace("+12025559999", "+12025558888"))
    stack.up(**override)
    assert stack.writes() == [(line.id, "+12025558888")]
    assert refused(stack.refresh("--run-program", fails=True).output)
    stack.refresh("--run-program", **override)
    stack.destroy("--run-program", **override)
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert stack.state() == {}


def test_removing_the_last_resource_after_a_rotation(rotated: tuple[Workspace, str]) -> None:
    """up that removes the last linq resource uses the key of the last up: it fails, and works with the override."""
    stack, fresh = rotated
    stack.program("")
    assert refused(stack.up(fails=True).output)
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.up(LINQ_API_KEY_OVERRIDE=fresh)
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert stack.state() == {}


def accounts(stack: Workspace, other: Emulator, rest: str) -> None:
    """A program with the stack's own account and `emea`, another account at another emulator."""
    stack.program(
        f"""
        emea = linq.Provider("emea", api_key="{other.api_key}", base_url="{other.url}", timeout=30, live_check=True)
        in_emea = pulumi.ResourceOptions(provider=emea)
        HOME, EMEA = "{stack.emulator.phone_numbers[0].phone_number}", "{other.phone_numbers[0].phone_number}"
        """
        + rest
    )


def test_two_accounts(stack: Workspace) -> None:
    """Each resource uses its own account; the second takes no settings from the first; its key is secret in the state."""
    with Emulator(numbers=[{"id": "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "phone_number": "+442071838750"}]) as other:
        accounts(
            stack,
            other,
            """
        linq.PhoneNumberForwarding("home", phone_number=HOME, forwarding_number="+12025559999")
        linq.PhoneNumberForwarding("away", phone_number=EMEA, forwarding_number="+442071838751", opts=in_emea)
        """,
        )
        stack.up()
        assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
        assert other.phone_numbers[0].forwarding_number == "+442071838751"
        assert other.api_key not in stack.state_text()
        stack.empty_preview()
        other.clear_requests()
        # An override meant for the stack's account never reaches the other one.
        stack.refresh(LINQ_API_KEY_OVERRIDE=API_KEY)
        assert [request.status for request in other.requests] == [200]
        stack.destroy()
        assert other.phone_numbers[0].forwarding_number is None


def test_switching_to_another_account_does_nothing(stack: Workspace) -> None:
    """Giving an existing resource another provider causes no call; --replace moves it, and then the old line is cleared."""
    twin = stack.emulator.phone_numbers[0]
    with Emulator(numbers=[{"id": "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "phone_number": twin.phone_number}]) as other:
        text = 'linq.PhoneNumberForwarding("x", phone_number=HOME, forwarding_number="+12025559999"{})'
        accounts(stack, other, "\n        " + text.format(""))
        stack.up()
        stack.emulator.clear_requests()
        accounts(stack, other, "\n        " + text.format(", opts=in_emea"))
        stack.up()
        assert stack.emulator.requests == []
        assert other.requests == []
        assert other.phone_numbers[0].forwarding_number is None


def test_targeted_destroy_is_a_blind_spot(stack: Workspace) -> None:
    """destroy --target of a line's old resource clears it although a renamed one is declared; --refresh heals it."""
    line = stack.emulator.phone_numbers[0]
    text = (
        'linq.PhoneNumberForwarding("{}", phone_number="' + line.phone_number + '", forwarding_number="+12025559999")'
    )
    stack.program(text.format("old"))
    stack.up()
    urn = stack.state()["old"]["urn"]
    stack.program(text.format("new"))
    stack.destroy("--target", urn)
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.program('"retained"')
    stack.run("state", "delete", "--yes", stack.state()["new"]["urn"])
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
