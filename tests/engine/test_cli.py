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
    assert linq_provider(stack, "export", "--stack", "dev", "-o", "__main__.py")[:2] == (0, "")
    adopted(stack)
    assert len(stack.resources()) == (lines if lines <= 50 else 1)


def test_export_of_a_roster_is_adopted(stack: Workspace) -> None:
    """A roster that export writes is adopted without a write; then preview is empty, and drift finds none."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, DESK)
    said = "Roster written to lines.yaml: 3 lines, 1 of them forwarded.\n"
    assert linq_provider(stack, "export", "--stack", "dev", "-o", "lines.yaml") == (0, "", said)
    stack.program('linq.ForwardingRoster("lines", file="lines.yaml")')
    adopted(stack)
    said = "Compared 3 declared lines with what is live: no differences.\n"
    assert linq_provider(stack, "drift", "--stack", "dev", "--roster", "lines.yaml") == (0, "", said)


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
        said = "Compared 4 declared lines with what is live: no differences.\n"
        assert linq_provider(stack, "drift", "--stack", "dev") == (0, "", said)
        stack.emulator.set_forwarding(a.id, DESK)
        stack.emulator.set_forwarding(b.id, DESK)
        stack.emulator.remove_number(c.id)
        other.set_forwarding("+442071838750", DESK)
        stack.emulator.clear_requests()
        other.clear_requests()
        code, shown, said = linq_provider(stack, "drift", "--stack", "dev")
        assert (code, said.partition(".")[0]) == (2, "Compared 4 declared lines with what is live: 4 differences")
        assert sorted(shown.splitlines()) == [
            f"changed\t{a.phone_number}\t{OFFICE}\t{DESK}\ta",
            f"changed\t{b.phone_number}\t[secret]\t{DESK}\trest",
            f"changed\t+442071838750\tnot forwarded\t{DESK}\tlondon",
            f"gone\t{c.id}\tnot forwarded\t-\trest",
        ]
        assert [request.method for request in (*stack.emulator.requests, *other.requests)] == ["GET", "GET"]


def test_drift_finds_every_forwarding(stack: Workspace) -> None:
    """Subclasses, own types, components and providers of any name: each line is compared, in its own account."""
    numbers = [f"+1303555000{n}" for n in range(8)]
    for number in numbers:
        stack.emulator.add_number(number)
    lines = [{"id": f"7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b1{n}", "phone_number": f"+44207183875{n}"} for n in range(3)]
    with Emulator(lines) as other:
        stack.program(
            f"""
            class Plain(linq.PhoneNumberForwarding):
                pass
            class SupportLine(linq.PhoneNumberForwarding, module="acme/phones", name="SupportLine"):
                pass
            class Roster(linq.PhoneNumberForwardings, module="acme", name="Roster"):
                pass
            class Team(pulumi.ComponentResource):
                def __init__(self, name, parent=None):
                    super().__init__("acme:x:Team", name, None, pulumi.ResourceOptions(parent=parent))

            account = {{"api_key": "{other.api_key}", "base_url": "{other.url}"}}
            first = linq.Provider("default_emea", **account)
            second = linq.Provider("x::default", **account)
            third = pulumi.ProviderResource("pulumi-python", "default_1_0_0", {{
                "linq:apiKey": pulumi.Output.secret(account["api_key"]), "linq:baseUrl": account["base_url"],
            }})
            inner = Team("inner", parent=Team("outer"))
            number = {{"forwarding_number": "{OFFICE}"}}
            secret = pulumi.ResourceOptions(additional_secret_outputs=["__provider"])
            Plain("plain", phone_number="{numbers[0]}", **number)
            SupportLine("support", phone_number="{numbers[1]}", **number, opts=secret)
            Roster("roster", forwardings={{"{numbers[2]}": "{OFFICE}", "{numbers[3]}": ""}})
            Plain("in::team", phone_number="{numbers[4]}", **number, opts=pulumi.ResourceOptions(parent=inner))
            Plain("x", phone_number="+442071838750", **number, opts=pulumi.ResourceOptions(provider=first))
            SupportLine("y", phone_number="+442071838751", **number, opts=pulumi.ResourceOptions(provider=second))
            Roster("z", forwardings={{"+442071838752": ""}}, opts=pulumi.ResourceOptions(provider=third))
            """
        )
        stack.up()
        code, shown, said = linq_provider(stack, "drift", "--stack", "dev", "--undeclared")
        assert (code, shown) == (0, "")
        assert said.startswith("Compared 8 declared lines with what is live: no differences.")
        for emulator in (stack.emulator, other):
            for line in emulator.phone_numbers:
                emulator.set_forwarding(line.id, DESK)
        code, shown, said = linq_provider(stack, "drift", "--stack", "dev", "--undeclared")
        undeclared = [line.phone_number for line in stack.emulator.phone_numbers if line.phone_number[:5] == "+1202"]
    assert code == 2
    assert said.startswith("Compared 8 declared lines with what is live: 8 differences.")
    assert sorted(shown.splitlines()) == [
        f"changed\t{numbers[0]}\t{OFFICE}\t{DESK}\tplain",
        f"changed\t{numbers[1]}\t{OFFICE}\t{DESK}\tsupport",
        f"changed\t{numbers[2]}\t{OFFICE}\t{DESK}\troster",
        f"changed\t{numbers[3]}\tnot forwarded\t{DESK}\troster",
        f"changed\t{numbers[4]}\t{OFFICE}\t{DESK}\tin::team",
        f"changed\t+442071838750\t{OFFICE}\t{DESK}\tx",
        f"changed\t+442071838751\t{OFFICE}\t{DESK}\ty",
        f"changed\t+442071838752\tnot forwarded\t{DESK}\tz",
        *(f"undeclared\t{number}\t-\t{DESK}\t-" for number in [*undeclared, *numbers[5:]]),
    ]


def test_drift_after_a_refresh(stack: Workspace) -> None:
    """A refresh records what is live, and drift still compares with what the stack last wrote, single and fleet."""
    a, b, _ = stack.emulator.phone_numbers
    stack.program(
        f"""
        linq.PhoneNumberForwarding("one", phone_number="{a.phone_number}", forwarding_number="{OFFICE}")
        linq.PhoneNumberForwardings("many", forwardings={{"{b.phone_number}": "{OFFICE}"}})
        """
    )
    stack.up()
    stack.emulator.set_forwarding(a.id, DESK)
    stack.emulator.set_forwarding(b.id, DESK)
    stack.refresh()
    code, shown, _ = linq_provider(stack, "drift", "--stack", "dev")
    assert (code, sorted(shown.splitlines())) == (
        2,
        [
            f"changed\t{a.phone_number}\t[secret]\t{DESK}\tone",
            f"changed\t{b.phone_number}\t[secret]\t{DESK}\tmany",
        ],
    )
    stack.up()
    assert linq_provider(stack, "drift", "--stack", "dev")[:2] == (0, "")


def test_drift_of_a_line_that_waits_for_its_deletion(stack: Workspace) -> None:
    """A resource whose deletion failed is declared no longer: its line is compared for the one that declares it."""
    a, b, _ = stack.emulator.phone_numbers
    declare = 'linq.PhoneNumberForwarding("line", phone_number="{}", forwarding_number="+12025559999")'
    stack.program(declare.format(a.phone_number))
    stack.up()
    stack.program(declare.format(b.phone_number))
    stack.emulator.fail("500", method="PUT", path_contains=a.id, times=None)
    stack.up(fails=True, LINQ_MAX_RETRIES="0")
    assert [resource.get("delete", False) for resource in stack.resources()].count(True) == 1
    assert linq_provider(stack, "drift", "--stack", "dev")[:2] == (0, "")
    code, shown, _ = linq_provider(stack, "drift", "--stack", "dev", "--undeclared")
    assert (code, shown) == (2, f"undeclared\t{a.phone_number}\t-\t{OFFICE}\t-\n")


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
