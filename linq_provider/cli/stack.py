"""What a stack knows, through the Pulumi CLI: its configuration and its state, in memory only."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linq_provider.cli.output import working
from linq_provider.errors import ConfigurationError, LinqError, plain

TIMEOUT = 120  # seconds for one call of the CLI; a state in the cloud has to be fetched and decrypted
BACKEND = "Check that the backend of the stack answers: `pulumi whoami -v`."
# What the CLI says, and what to say instead of it.
_KNOWN = {
    "no stack named": ("There is no stack {stack} here.", "See which there are with `pulumi stack ls`."),
    "passphrase": (
        "The passphrase of stack {stack} is missing or wrong.",
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE.",
    ),
    "no Pulumi.yaml project file": (
        "There is no Pulumi project in this folder, so stack {stack} cannot be read.",
        "Run the command in the folder of Pulumi.yaml.",
    ),
}


def values(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a stack's configuration, as `Settings.load` takes them."""
    return {key: setting["value"] for key, setting in config.items() if "value" in setting}


def stack_config(stack: str) -> dict[str, dict[str, Any]]:
    """The configuration of a stack: `value` and `secret` for each key, decrypted."""
    return _ask(stack, "config", "--show-secrets", "--json")


def stack_resources(stack: str) -> list[dict[str, Any]]:
    """The resources in the state of a stack, decrypted, the oldest first."""
    deployment = _ask(stack, "stack", "export", "--show-secrets").get("deployment") or {}
    return deployment.get("resources") or []


def run_program(*command: str, timeout: float, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A program run to its end, `timeout` in seconds; the Pulumi CLI then looks for no newer version of itself."""
    try:
        return subprocess.run(
            command,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise _not_started(command[0], error) from None
    except subprocess.TimeoutExpired:
        raise LinqError(f"`{' '.join(command[:2])}` did not end within {timeout} s.", next_step=BACKEND) from None


def _not_started(program: str, error: OSError) -> LinqError:
    if error.errno == errno.ENOEXEC:
        return LinqError(
            f"{program} cannot be started: it is no program for this machine.",
            next_step="Install the one for its processor and operating system.",
        )
    if error.errno == errno.ENOENT and os.path.lexists(program):
        return LinqError(
            f"{program} cannot be started: the interpreter that it names does not exist.",
            next_step="Install the program again.",
        )
    return LinqError(f"{program} cannot be started: {error.strerror or error}.")


def working_folder() -> Path:
    """The folder that the command was started in."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise LinqError(
            "The folder that this command was started in no longer exists.", next_step="Change to another folder."
        ) from None


def _ask(stack: str, *command: str) -> dict[str, Any]:
    """What the CLI answers, as JSON; only the name of the stack is ever an argument."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise ConfigurationError(
            "--stack needs the Pulumi CLI, and there is no `pulumi` on PATH.",
            next_step="Install it, or leave out --stack and set LINQ_API_V3_API_KEY.",
        )
    working_folder()
    options = (f"--stack={stack}", "--non-interactive", "--color=never")
    with working(f"Reading stack {stack}"):
        done = run_program(pulumi, *command, *options, timeout=TIMEOUT)
    if done.returncode:
        raise _refusal(stack, command[0], done.stderr)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise LinqError(
            f"`pulumi {command[0]}` printed no JSON.", next_step="Check the CLI: `linq-provider doctor`."
        ) from None
    return answer


def _refusal(stack: str, command: str, stderr: str) -> ConfigurationError:
    for said, (message, next_step) in _KNOWN.items():
        if said in stderr:
            return ConfigurationError(message.format(stack=stack), next_step=next_step)
    errors = [line.removeprefix("error: ") for line in stderr.splitlines() if line.startswith("error: ")]
    return ConfigurationError(
        f"`pulumi {command}` cannot read stack {stack}: {plain(' '.join(errors) or stderr)}.",
        next_step=f"Mend that first; `pulumi {command} --stack {stack}` shows it too.",
    )
