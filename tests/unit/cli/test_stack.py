"""Key and settings from a stack, and the messages when there are none.

A shell script replaces the Pulumi CLI; tests/engine/test_cli.py uses the real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linq_provider.emulator import Emulator

KEY = "canary-4f9d2c71b8e35a60"

Run = Callable[..., tuple[int, str, str]]
Numbers = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """One line."""
    with Emulator(1, api_key=KEY) as running:
        yield running


@pytest.fixture
def numbers(emulator: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Numbers:
    """`numbers --stack dev`, with a `pulumi` that is this shell script and a wrong key in the environment."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("LINQ_API_V3_API_KEY", "canary-of-the-environment")
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", emulator.url)

    def numbers(script: str) -> tuple[int, str, str]:
        (tmp_path / "pulumi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "pulumi").chmod(0o755)
        return run("numbers", "--stack", "dev")

    return numbers


def answering(config: dict[str, object]) -> str:
    """A script that prints this configuration."""
    return f"cat <<'END'\n{json.dumps(config)}\nEND"


def test_the_stack_beats_the_environment(numbers: Numbers) -> None:
    """The key of the stack is used, not that of the environment; its output holds no key."""
    code, shown, said = numbers(answering({"linq:apiKey": {"value": KEY, "secret": True}, "other:x": {"secret": True}}))
    assert (code, said) == (0, "")
    assert shown.startswith("+12025550100\tnot forwarded\t")
    assert KEY not in shown


def test_the_environment_fills_what_the_stack_leaves_open(
    numbers: Numbers, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack without a key uses that of the environment, and its other settings."""
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", "http://127.0.0.1:9")
    assert numbers(answering({"linq:baseUrl": {"value": emulator.url, "secret": False}}))[0] == 0


def test_a_setting_of_the_stack_that_cannot_be_used(numbers: Numbers) -> None:
    """An error about a setting of the stack names it."""
    code, _, said = numbers(answering({"linq:timeout": {"value": "1", "secret": False}}))
    assert code == 1
    assert said.startswith("linq:timeout (environment: LINQ_TIMEOUT) must be a number of seconds")


def test_the_key_is_never_an_argument(numbers: Numbers, tmp_path: Path) -> None:
    """Only the name of the stack is passed to the Pulumi CLI, which must neither prompt nor look for updates."""
    numbers(f'echo "$@" "$PULUMI_SKIP_UPDATE_CHECK" > "{tmp_path}/called"')
    called = (tmp_path / "called").read_text()
    assert called == "config --show-secrets --json --stack=dev --non-interactive --color=never true\n"


def test_the_pulumi_cli_gets_no_stdin(numbers: Numbers) -> None:
    """What is on stdin is not read by the Pulumi CLI."""
    reader, writer = os.pipe()
    os.write(writer, b"not for the CLI\n")
    os.close(writer)
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        _, _, said = numbers("cat >&2; exit 1")
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reader)
    assert "not for the CLI" not in said


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "echo \"error: no stack named 'dev' found\" >&2; exit 6",
            "There is no stack dev here. See which there are with `pulumi stack ls`.",
        ),
        (
            "echo 'error: incorrect passphrase' >&2; exit 1",
            "The passphrase of stack dev is missing or wrong. Set PULUMI_CONFIG_PASSPHRASE or"
            " PULUMI_CONFIG_PASSPHRASE_FILE.",
        ),
        (
            "echo 'error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE' >&2; exit 1",
            "The passphrase of stack dev is missing or wrong. Set PULUMI_CONFIG_PASSPHRASE or"
            " PULUMI_CONFIG_PASSPHRASE_FILE.",
        ),
        (
            "echo 'error: no Pulumi.yaml project file found (searching upwards from /x).' >&2; exit 1",
            "There is no Pulumi project in this folder, so stack dev cannot be read. Run the command in the folder of"
            " Pulumi.yaml.",
        ),
        (
            "echo 'warning: old' >&2; printf 'error: the \\033[31mbackend\\nis away\\n' >&2; exit 1",
            "`pulumi config` cannot read stack dev: the [31mbackend. Fix that first; `pulumi config --stack dev` shows"
            " it too.",
        ),
        (
            "echo 'Segmentation fault' >&2; exit 139",
            "`pulumi config` cannot read stack dev: Segmentation fault. Fix that first; `pulumi config --stack dev`"
            " shows it too.",
        ),
        ("echo Logged in", "`pulumi config` printed no JSON. Check the CLI: `linq-provider doctor`."),
    ],
)
def test_a_stack_that_cannot_be_read(numbers: Numbers, emulator: Emulator, script: str, sentence: str) -> None:
    """What the Pulumi CLI complains of is one sentence with the next step, exit 1, and no request."""
    assert numbers(script) == (1, "", f"{sentence}\n")
    assert emulator.requests == []


def test_without_the_pulumi_cli(numbers: Numbers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a `pulumi` on PATH the error says what to do without it."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert numbers("") == (
        1,
        "",
        "--stack needs the Pulumi CLI, and there is no `pulumi` on PATH. Install it, or leave out --stack and set"
        " LINQ_API_V3_API_KEY.\n",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(64), "cannot be started: it is not a program for this machine."),
        (b"no program", "cannot be started: it is not a program for this machine."),
        (b"#!/no/such/interpreter\n", "cannot be started: the interpreter that it names does not exist."),
    ],
    ids=["other architecture", "text", "interpreter"],
)
def test_a_pulumi_that_cannot_be_started(
    numbers: Numbers, run: Run, tmp_path: Path, content: bytes, sentence: str
) -> None:
    """What stands on PATH as `pulumi` and is no program is named, with why."""
    numbers("")
    (tmp_path / "pulumi").write_bytes(content)
    code, shown, said = run("numbers", "--stack", "dev")
    assert (code, shown) == (1, "")
    assert said.startswith(f"{tmp_path}/pulumi {sentence}")
    assert said.count("\n") == 1


def test_what_pulumi_prints_is_read_as_utf_8(numbers: Numbers) -> None:
    """A byte that is no UTF-8 in what the Pulumi CLI prints is no traceback."""
    code, _, said = numbers("printf 'error: b\\377ckend\\n' >&2; exit 1")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("`pulumi config` cannot read stack dev: b\ufffdckend.")


def test_the_pulumi_cli_gets_the_passphrase_and_no_key(
    numbers: Numbers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads a stack needs its passphrase and its logins, and nothing of Linq."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase")
    monkeypatch.setenv("AWS_PROFILE", "a profile")
    monkeypatch.setenv("LINQ_API_KEY_OVERRIDE", "canary-of-the-override")
    numbers(f"/usr/bin/env > {tmp_path}/told; exit 1")
    told = (tmp_path / "told").read_text()
    assert "PULUMI_CONFIG_PASSPHRASE=a passphrase" in told
    assert "AWS_PROFILE=a profile" in told
    assert "LINQ_" not in told
    assert "canary" not in told


@pytest.mark.parametrize("command", ["numbers", "export", "drift", "doctor"])
@pytest.mark.parametrize("name", ["", " ", "\t", "\x1b[31mdev", "[bold]dev[/bold]", "dev\n", "a/b/c/d", "$(id)", "dév"])
def test_what_cannot_be_the_name_of_a_stack(run: Run, tmp_path: Path, command: str, name: str) -> None:
    """Such a name is refused in a sentence, and never another stack; nothing in it is obeyed."""
    code, shown, said = run(command, "--stack", name, PATH=str(tmp_path))
    assert (code, shown) == (1, "")
    assert ("is empty" if not name.strip() else "is not a valid stack name") in said
    assert said.endswith(f"See `linq-provider {command} --help`.\n")
    assert said.count("\n") == 1
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["dev", "acme/phones/prod", "acme/prod.eu-1_x", "-dev"])
def test_what_can_be_the_name_of_a_stack(run: Run, tmp_path: Path, name: str) -> None:
    """Every name that Pulumi takes reaches it as one argument."""
    (tmp_path / "pulumi").write_text(f'#!/bin/sh\necho "$4" > {tmp_path}/called\nexit 1\n')
    (tmp_path / "pulumi").chmod(0o755)
    run("numbers", "--stack", name, PATH=str(tmp_path))
    assert (tmp_path / "called").read_text() == f"--stack={name}\n"


@pytest.mark.parametrize("answer", ["[]", "null", '"x"', "3", "{"])
def test_an_answer_of_another_shape(numbers: Numbers, answer: str) -> None:
    """JSON that is not an object is reported like text that is not JSON."""
    assert numbers(f"echo '{answer}'")[2].startswith("`pulumi config` printed no JSON.")
