"""The command line and the real Pulumi CLI: what export writes is adopted, and drift and doctor read a stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"


def linq_provider(stack: Workspace, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """The command in the stack's folder: exit status, stdout, stderr. No key but that of the stack is around."""
    done = subprocess.run(
        [sys.executable, "-m", "linq_provider", *arguments],
        cwd=stack.folder,
        env=stack.environment | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert API_KEY not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


def adopted(stack: Workspace) -> None:
    """Up writes nothing at Linq, and the next preview, after a look at the account, is empty."""
    stack.emulator.clear_requests()
    assert "created" in stack.up().changes
    assert stack.writes() == []
    stack.run("preview", "--refresh", "--expect-no-changes")
    assert stack.writes() == []


@pytest.mark.parametrize("lines", [5, 51])
def test_export_of_a_program_is_adopted(stack: Workspace, lines: int) -> None:
    """What export writes, resources for few lines and a fleet for many, is adopted without a write; then preview is empty."""
    for n in range(lines - 3):
        stack.emulator.add_number(f"+130355501{n:02}", OFFICE if n % 2 else None)
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, DESK)
    assert linq_provider(stack, "export", "--stack", "dev", "-o", "__main__.py") == (0, "", "")
    adopted(stack)
    assert len(stack.resources()) == (lines if lines <= 50 else 1)


def test_export_of_a_roster_is_adopted(stack: Workspace) -> None:
    """A roster that export writes is adopted without a write; then preview is empty, and drift finds none."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, DESK)
    assert linq_provider(stack, "export", "--stack", "dev", "-o", "lines.yaml") == (0, "", "")
    stack.program('linq.ForwardingRoster("lines", file="lines.yaml")')
    adopted(stack)
    assert linq_provider(stack, "drift", "--stack", "dev", "--roster", "lines.yaml") == (0, "", "")


def test_drift_of_a_stack(stack: Workspace) -> None:
    """drift --stack reads single resources, fleets, secrets and other accounts from the state, and never writes."""
    a, b, c = stack.emulator.phone_numbers
    with Emulator([{"id": "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "phone_number": "+442071838750"}]) as other:
        stack.program(
            f"""
            emea = linq.Provider("emea", api_key="{other.api_key}", base_url="{other.url}")
            in_emea = pulumi.ResourceOptions(provider=emea)
            linq.PhoneNumberForwarding("a", phone_number="{a.phone_number}", forwarding_number="{OFFICE}")
            linq.PhoneNumberForwardings("rest", forwardings={{
                "{b.phone_number}": pulumi.Output.secret("+12025557777"),
                "{c.id}": "",
            }})
            linq.PhoneNumberForwarding("london", phone_number="+442071838750", forwarding_number="", opts=in_emea)
            linq.PhoneNumberForwarding.get("looked-up", "{a.id}")
            """
        )
        stack.up()
        assert linq_provider(stack, "drift", "--stack", "dev") == (0, "", "")
        stack.emulator.set_forwarding(a.id, DESK)
        stack.emulator.set_forwarding(b.id, DESK)
        stack.emulator.remove_number(c.id)
        other.set_forwarding("+442071838750", DESK)
        stack.emulator.clear_requests()
        other.clear_requests()
        code, shown, said = linq_provider(stack, "drift", "--stack", "dev")
        assert (code, said) == (2, "")
        assert sorted(shown.splitlines()) == [
            f"changed\t{a.phone_number}\t{OFFICE}\t{DESK}\ta",
            f"changed\t{b.phone_number}\t[secret]\t{DESK}\trest",
            f"changed\t+442071838750\tnot forwarded\t{DESK}\tlondon",
            f"gone\t{c.id}\tnot forwarded\t-\trest",
        ]
        assert [request.method for request in (*stack.emulator.requests, *other.requests)] == ["GET", "GET"]


def test_a_stack_that_cannot_be_read(stack: Workspace, tmp_path: Path) -> None:
    """No such stack, a wrong passphrase, none, and a folder without a project are one sentence and exit 1, never drift."""
    cases = [
        ({}, "nope", "There is no stack nope here."),
        ({"PULUMI_CONFIG_PASSPHRASE": "wrong"}, "dev", "The passphrase of stack dev is missing or wrong."),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, "dev", "The passphrase of stack dev is missing or wrong."),
    ]
    for environment, name, sentence in cases:
        code, shown, said = linq_provider(stack, "drift", "--stack", name, **environment)
        assert (code, shown) == (1, "")
        assert said.startswith(sentence)
        assert said.count("\n") == 1
    (stack.folder / "Pulumi.yaml").rename(tmp_path / "Pulumi.yaml.away")
    assert linq_provider(stack, "numbers", "--stack", "dev")[2].startswith("There is no Pulumi project in this folder")


def test_doctor_of_a_stack(stack: Workspace) -> None:
    """With the real CLI and a stack that works, each check of the doctor is ok; a key in plaintext fails."""
    code, shown, said = linq_provider(stack, "doctor", "--stack", "dev")
    assert (code, said) == (0, ""), shown
    assert {line.partition("\t")[0] for line in shown.splitlines()} == {"ok"}
    stack.unset("linq:apiKey")
    stack.configure("linq:apiKey", API_KEY)
    code, shown, _ = linq_provider(stack, "doctor", "--stack", "dev")
    assert code == 1
    assert "fails\tkey of the stack\tit is set without --secret" in shown
