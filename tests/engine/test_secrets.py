"""Row 26: a canary key and canary numbers through every command, and through every way to fail."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider.emulator import Emulator, Fault

pytestmark = pytest.mark.engine

SECRET, PLAIN = "+447700900987", "+61491570156"  # numbers that no country assigns
WRITTEN_OUT = ("(0)7700 900987", "+44 7700-900.987", "(0)491 570 156")  # as a server may spell them
DEBUG = {"PULUMI_DEBUG_COMMANDS": "1"}  # gives --event-log


def pieces(secret: str) -> set[str]:
    """Every 8 characters of a secret."""
    return {secret[i : i + 8] for i in range(len(secret) - 7)}


def hits(text: str, *keys: str, numbers: tuple[str, ...] = (SECRET,)) -> list[str]:
    """Which of the keys, their base64 and the numbers a text contains."""
    never = {base64.b64encode(key.encode()).decode().rstrip("=") for key in keys}
    never = never.union(*map(pieces, keys), (number[-9:] for number in numbers))
    return sorted(piece for piece in never if piece in text)


def kept(stack: Workspace) -> str:
    """All that lies in the stack's folder, but for the program, as written or compiled; the key in it is encrypted."""
    files = [file for file in stack.folder.rglob("*") if file.is_file()]
    return "".join(file.read_text(errors="replace") for file in files if file.stem.partition(".")[0] != "__main__")


def program(stack: Workspace, secret: str = SECRET, plain: str = PLAIN) -> None:
    """Two lines: one forwards to a secret number, one to a plain one."""
    a, b, _ = stack.emulator.phone_numbers
    stack.program(
        f"""
        a = linq.PhoneNumberForwarding("a", phone_number="{a.phone_number}",
            forwarding_number=pulumi.Output.secret("{secret}"))
        linq.PhoneNumberForwarding("b", phone_number="{b.phone_number}", forwarding_number="{plain}")
        pulumi.export("a", a.forwarding_number)
        """
    )


def test_row_26_every_command(stack: Workspace) -> None:
    """No output, state or backup holds the key, its base64 or any 8 characters of it, with --debug and a failing run."""
    program(stack)
    key = stack.emulator.create_token()  # from the environment: Pulumi hides only what its settings hold
    shown, current = "", {"LINQ_API_KEY_OVERRIDE": key, **DEBUG}
    for command in (
        "preview --diff --debug --event-log preview.json",
        "preview --json",
        "up --yes --debug --diff --event-log up.json",
        "up --yes --skip-preview --json",
        "refresh --yes --debug --diff --event-log refresh.json",
        "stack export",
        "stack history --json",
        "stack output --json",
        "stack output a",
        "stack --show-urns --show-ids",
        "config --json",
        "destroy --yes --skip-preview --json",
    ):
        shown += stack.run(*command.split(), **current).output
    assert stack.writes()[-1][1] == ""
    assert (stack.folder / "up.json").stat().st_size > 1000
    assert "[secret]" in shown
    for fault in ("401", "500"):
        stack.emulator.fail(Fault.parse(fault), times=None)
        shown += stack.run("up", "--yes", "--debug", "--diff", fails=True, LINQ_MAX_RETRIES="0", **current).output
        stack.emulator.clear_faults()
    assert "Traceback" not in shown
    assert hits(shown + kept(stack), API_KEY, key) == []
    names = [file.name for file in (stack.folder / "backend").rglob("dev*")]
    for kind in ("dev.json", "dev.json.bak", ".history.json", ".checkpoint.json"):
        assert any(name.endswith(kind) for name in names), names


def echo(key: str) -> bytes:
    """The error of a server that repeats, in every field, what it was sent."""
    said = f"Authorization: Bearer {key} ({base64.b64encode(key.encode()).decode()}) {SECRET} {' '.join(WRITTEN_OUT)}"
    fields = {"status": 400, "code": f"c {key} {SECRET}", "message": said[:300], "doc_url": f"https://x/{SECRET}/{key}"}
    return json.dumps({"error": fields, "success": False, "trace_id": f"{key[-8:]} {PLAIN}"}).encode()


def failures(stack: Workspace, key: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Every kind of failure: what the server does, the environment of the command, and the error message."""
    current = {"LINQ_API_KEY_OVERRIDE": key, "LINQ_MAX_RETRIES": "1"}
    for status in (400, 500):
        stack.emulator.fail(Fault.raw(echo(key), status=status), times=None)
        yield "echo", current, f"HTTP {status}, "
    stack.emulator.fail(Fault.redirect(location=f"http://{key}.example/{SECRET}"), times=None)
    yield "redirect", current, "redirected to"
    stack.emulator.fail(Fault.raw(b'{"phone_numbers":"' + echo(key) + b'"}'), times=None)
    yield "wrong shape", current, "This is not Linq's documented answer"
    stack.emulator.fail(Fault.parse("500"), times=None)
    yield "500 for ever", current, "after 2 attempts"
    stack.emulator.fail(Fault.parse("hang"), times=None)
    yield "timeout", current | {"LINQ_TIMEOUT": "5"}, "no complete answer arrived in time"
    yield "401", current | {"LINQ_API_KEY_OVERRIDE": key[::-1]}, "HTTP 401"
    for malformed in (f"{key}\nX-Other: {key}", key * 300):
        yield "malformed key", current | {"LINQ_API_KEY_OVERRIDE": malformed}, "LINQ_API_KEY_OVERRIDE "
    stack.configure("linq:baseUrl", "http://127.0.0.1:9/api/partner")
    yield "unreachable", current, "Connection refused"


def diagnostics(output: str) -> str:
    """The error messages below what the engine shows of the resources."""
    return output.partition("Diagnostics:")[2]


def test_row_26_every_failing_up(stack: Workspace) -> None:
    """However an up fails, its message, the state, the history and the backups hold no key and no number."""
    program(stack)
    key = stack.emulator.create_token()
    shown = ""
    for name, environment, said in failures(stack, key):
        output = stack.up("--debug", fails=True, **environment).output
        assert said in output, name
        assert "Traceback" not in output, name
        assert hits(diagnostics(output), key, key[::-1], numbers=(SECRET, PLAIN)) == [], name
        shown += output
        stack.emulator.clear_faults()
    shown += stack.run("stack", "history", "--json").output
    assert hits(shown + kept(stack), API_KEY, key, key[::-1]) == []


def test_row_26_every_verb_against_a_server_that_echoes(stack: Workspace) -> None:
    """create, update, refresh and destroy: what a server repeats of the key and the numbers is not passed on."""
    key = stack.emulator.create_token()
    current = {"LINQ_API_KEY_OVERRIDE": key, "LINQ_MAX_RETRIES": "0", **DEBUG}
    program(stack)
    stack.emulator.fail(Fault.raw(echo(key), status=400), times=None, method="PUT")
    shown = [stack.up("--event-log", "create.json", fails=True, **current).output]
    stack.emulator.clear_faults()
    stack.up(**current)
    program(stack, secret="+447700900123", plain="+12025558888")
    stack.emulator.fail(Fault.raw(echo(key), status=500), times=None, method="PUT")
    shown.append(stack.up("--event-log", "update.json", fails=True, **current).output)
    shown.append(stack.run("destroy", "--yes", "--skip-preview", "--debug", fails=True, **current).output)
    stack.emulator.clear_faults()
    stack.emulator.fail(Fault.raw(echo(key), status=403), times=None)
    shown.append(stack.run("refresh", "--yes", "--skip-preview", "--debug", fails=True, **current).output)
    numbers = (SECRET, PLAIN, *WRITTEN_OUT)
    for output in shown:
        assert "failed: HTTP" in output
        assert hits(diagnostics(output), key, numbers=numbers) == []
    assert hits("".join(shown) + kept(stack), API_KEY, key) == []


def test_row_26_checks_that_fail(stack: Workspace) -> None:
    """An invalid number, a loop, somebody else's line: the refusal repeats neither the declared number nor the key."""
    a, b, _ = stack.emulator.phone_numbers
    wrong_secret, wrong_plain = "+44 7700 900987", "0491 570 156"
    program(stack, secret=wrong_secret, plain=wrong_plain)
    shown = stack.run("preview", "--diff", "--debug", fails=True).output
    assert "forwarding_number is not in E.164 format" in shown
    for number in (a, b):
        stack.emulator.set_forwarding(number.id, "+12025550001")
    program(stack)
    refused = stack.up("--debug", fails=True).output
    assert refused.count("already forwards to +12025550001") >= 1
    shown += diagnostics(refused)
    assert hits(shown + kept(stack), API_KEY, numbers=(SECRET, PLAIN, wrong_secret, wrong_plain)) == []


def called(stack: Workspace, command: str, settings: dict[str, str], url: str) -> subprocess.CompletedProcess[str]:
    """`linq-provider COMMAND`, with the key and the URL of the environment, or, with --stack, of the stack."""
    environment = stack.environment | settings
    if "--stack" not in command:
        environment |= {"LINQ_API_V3_API_KEY": environment.pop("LINQ_API_KEY_OVERRIDE"), "LINQ_API_V3_BASE_URL": url}
    elif environment["LINQ_API_KEY_OVERRIDE"] == API_KEY:
        del environment["LINQ_API_KEY_OVERRIDE"]
    program = Path(sys.executable).parent / "linq-provider"
    return subprocess.run(
        [program, *command.split()], cwd=stack.folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        "numbers",
        "numbers --json --stack dev",
        "export",
        "export --stack dev",
        "drift --roster lines.yaml",
        "drift --json --stack dev",
        "doctor",
        "doctor --json --stack dev",
    ],
)
def test_row_26_the_command_line(stack: Workspace, command: str) -> None:
    """No command prints the key, nor drift a secret number; however it fails, the error is one line without any number."""
    a, _, c = stack.emulator.phone_numbers
    (stack.folder / "lines.yaml").write_text(f"{c.phone_number}: ''\n")
    if command.startswith("drift"):
        program(stack)
        stack.up()
    stack.emulator.set_forwarding(a.id, "+12025558888")
    done = called(stack, command, {"LINQ_API_KEY_OVERRIDE": API_KEY}, stack.emulator.url)
    assert done.returncode == (2 if command.startswith("drift --json") else 0), done.stderr
    assert hits(done.stdout + done.stderr, API_KEY) == []

    for name, settings, said in failures(stack, API_KEY):
        url = "http://127.0.0.1:9/x" if name == "unreachable" else stack.emulator.url
        done = called(stack, command, settings, url)
        error, other = (done.stdout, done.stderr) if "doctor" in command else (done.stderr, done.stdout)
        assert (done.returncode, other) == (1, ""), name
        assert (said if "--stack" in command else said.replace("KEY_OVERRIDE", "V3_API_KEY")) in error, name
        assert "doctor" in command or error.count("\n") == 1, name
        assert hits(error, API_KEY, API_KEY[::-1], numbers=(SECRET, PLAIN, *WRITTEN_OUT)) == [], name
        stack.emulator.clear_faults()


def test_row_26_two_accounts(stack: Workspace) -> None:
    """The key of a linq.Provider, given as a secret or as plain text, is encrypted in state, backups and history."""
    with Emulator(numbers=1, api_key="other-0b1c2d3e4f5a6978") as other:
        line = other.phone_numbers[0].phone_number
        stack.program(
            f"""
            other = linq.Provider("other", api_key="{other.api_key}", base_url="{other.url}")
            linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number=pulumi.Output.secret("{SECRET}"),
                opts=pulumi.ResourceOptions(provider=other))
            """
        )
        shown = stack.up("--debug", "--diff").output
        other.fail(Fault.raw(echo(other.api_key), status=401), times=None)
        shown += stack.refresh("--debug", fails=True).output + stack.run("stack", "export").output
        assert hits(shown + kept(stack), API_KEY, other.api_key) == []
