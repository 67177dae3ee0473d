"""docs/keys.md: the steps after a leak, followed as written, and where Pulumi itself writes the key."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from conftest import API_KEY
from snippets import Command, commands_of, section
from test_snippets import yes
from workspace import Workspace

pytestmark = pytest.mark.engine

DESK, ELSEWHERE = "+12025559999", "+12025550666"
STEPS = [command for block in section("keys.md", "If the key leaked") for command in commands_of(block)]
DRIFT = "linq-provider drift --stack production --undeclared"


@pytest.fixture
def leaked(stack: Workspace) -> Workspace:
    """A stack `production` with one line, in a repository whose first commit has the key in plaintext."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{DESK}")')
    stack.run("stack", "rename", "production")
    stack.environment |= {"PULUMI_STACK": "production", "GIT_CONFIG_GLOBAL": "/dev/null"}
    settings = stack.folder / "Pulumi.production.yaml"
    encrypted = settings.read_text()
    settings.write_text(re.sub(r"linq:apiKey:\n.*", f"linq:apiKey: {API_KEY}", encrypted))
    typed(stack, "git init --quiet . && git config user.email a@b.example && git config user.name a")
    typed(stack, "git add Pulumi.production.yaml && git commit --quiet -m 'Set the key'")
    settings.write_text(encrypted)
    typed(stack, "git commit --quiet -a -m 'Encrypt the key'")
    stack.up()
    return stack


def typed(stack: Workspace, text: str, *, answer: str = "") -> tuple[int, str]:
    """Exit code and output of a command in the stack's folder; `answer` is what it asks for."""
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=stack.folder,
        env=stack.environment,
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def follow(stack: Workspace, command: Command, fresh: str) -> tuple[int, str]:
    """One command of the page, with the new key and a yes where it asks."""
    words = ["pulumi", *yes(command)] if command.words[0] == "pulumi" else command.words
    return typed(stack, shlex.join(words), answer=f"{fresh}\n")


def shown(command: Command, printed: str) -> bool:
    """Whether the page shows what was printed, with anything for `…`."""
    return re.fullmatch(re.escape(command.output.strip()).replace("…", ".*"), printed.strip()) is not None


@pytest.mark.parametrize("changed", [False, True])
def test_the_steps_after_a_leak(leaked: Workspace, changed: bool) -> None:
    """Every command of "If the key leaked", in order: nothing is written until step 5, which corrects what was changed."""
    stack = leaked
    declared, other, _ = stack.emulator.phone_numbers
    if changed:  # by somebody who has the key
        stack.emulator.set_forwarding(declared.id, ELSEWHERE)
        stack.emulator.set_forwarding(other.id, ELSEWHERE)
    stack.emulator.revoke_token(API_KEY)  # step 1
    fresh = stack.emulator.create_token()
    stack.emulator.clear_requests()

    _, doctor, drift, up, preview, heal, again, log = STEPS
    for command in (STEPS[0], doctor):
        assert follow(stack, command, fresh)[0] == 0, command
    code, printed = follow(stack, drift, fresh)
    assert (code, shown(drift, printed)) == ((2, False) if changed else (0, True)), printed
    assert printed.count(ELSEWHERE) == (2 if changed else 0)
    code, printed = follow(stack, up, fresh)
    assert (code, "unchanged" in printed) == (0, True), printed
    code, printed = follow(stack, preview, fresh)
    assert (code, f'"{ELSEWHERE}" => "{DESK}"' in printed) == (0, changed), printed
    assert stack.writes() == []

    if changed:
        with (stack.folder / "__main__.py").open("a") as program:
            program.write(
                f'\nlinq.PhoneNumberForwarding("y", phone_number="{other.phone_number}", forwarding_number="",'
                " overwrite=True)\n"
            )
    assert follow(stack, heal, fresh)[0] == 0
    code, printed = follow(stack, again, fresh)
    assert (code, shown(drift, printed)) == (0, True), printed
    assert dict(stack.writes()) == ({declared.id: DESK, other.id: ""} if changed else {})
    code, printed = follow(stack, log, fresh)
    assert (code, re.findall(r"(?m) (.*)$", printed)) == (0, ["Encrypt the key", "Set the key"])


@pytest.mark.parametrize("source", ["configuration", "environment"])
def test_where_pulumi_writes_the_key(stack: Workspace, source: str) -> None:
    """Traces, the log of gRPC, `-v=9` and PULUMI_CONFIG hold a key of the configuration, and none of the environment."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(
        f"""
        import os
        with open("program.txt", "w") as seen:
            seen.write(os.environ.get("PULUMI_CONFIG", ""))
        linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{DESK}")
        """
    )
    files = {name: stack.folder / name for name in ("trace", "otel.json", "grpc.json", "program.txt")}
    variables = {"PULUMI_DEBUG_GRPC": str(files["grpc.json"]), "TMPDIR": str(stack.folder / "temporary")}
    (stack.folder / "temporary").mkdir()
    if source == "environment":
        stack.unset("linq:apiKey")
        stack.unset("linq:baseUrl")
        variables |= {"LINQ_API_V3_API_KEY": API_KEY, "LINQ_API_V3_BASE_URL": stack.emulator.url}
    options = ("--tracing", f"file:{files['trace']}", "--otel-traces", f"file://{files['otel.json']}")
    stack.up(*options, "-v=9", **variables)
    (files["log"],) = (stack.folder / "temporary").glob("pulumi*.log.*")
    assert {name: API_KEY.encode() in file.read_bytes() for name, file in files.items()} == dict.fromkeys(
        files, source == "configuration"
    )
    assert files["log"].stat().st_mode & 0o004
