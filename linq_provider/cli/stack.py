"""What a stack knows, through the Pulumi CLI: its configuration and its state, in memory only."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from linq_provider.cli.output import working
from linq_provider.config import Settings
from linq_provider.errors import ConfigurationError, LinqError, plain

TIMEOUT = 120  # seconds for one call of the CLI; a state in the cloud has to be fetched and decrypted

_F = TypeVar("_F", bound=Callable[..., Any])
stack_option: Callable[[_F], _F] = click.option(
    "--stack", metavar="NAME", help="Take key and settings from this stack of the project in this folder."
)


def load_settings(stack: str | None) -> Settings:
    """The settings of a stack, or of the environment where no stack is named.

    Raises:
        LinqError: the stack cannot be read, or a setting cannot be used.
    """
    return Settings.load(None if stack is None else values(stack_config(stack)))


def values(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a stack's configuration, as `Settings.load` takes them."""
    return {key: setting["value"] for key, setting in config.items() if "value" in setting}


def stack_config(stack: str) -> dict[str, dict[str, Any]]:
    """The configuration of a stack: `value` and `secret` for each key, decrypted.

    Raises:
        LinqError: the stack cannot be read.
    """
    return _asked(stack, "config", "--show-secrets", "--json")


def stack_resources(stack: str) -> list[dict[str, Any]]:
    """The resources in the state of a stack, decrypted, the oldest first.

    Raises:
        LinqError: the stack cannot be read.
    """
    deployment = _asked(stack, "stack", "export", "--show-secrets").get("deployment") or {}
    return deployment.get("resources") or []


def pulumi_environment() -> dict[str, str]:
    """The environment for a call of the CLI, without its own look for a newer version."""
    return {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}


def _asked(stack: str, *command: str) -> dict[str, Any]:
    """What the CLI answers, as JSON; only the name of the stack is ever an argument."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise ConfigurationError(
            "--stack needs the Pulumi CLI, and there is no `pulumi` on PATH.",
            next_step="Install it, or leave out --stack and set LINQ_API_V3_API_KEY.",
        )
    with working(f"Reading stack {stack}"):
        try:
            done = subprocess.run(
                [pulumi, *command, f"--stack={stack}", "--non-interactive", "--color=never"],
                env=pulumi_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LinqError(
                f"`pulumi {command[0]}` did not end within {TIMEOUT} s.",
                next_step="Check that the backend of the stack answers: `pulumi whoami -v`.",
            ) from None
    if done.returncode:
        raise _refused(stack, command, done.stderr)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise LinqError(
            f"`pulumi {command[0]}` printed no JSON.", next_step="Check the CLI: `linq-provider doctor`."
        ) from None
    return answer


# What the CLI says, and what to say instead of it.
_KNOWN: Mapping[str, tuple[str, str]] = {
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


def _refused(stack: str, command: tuple[str, ...], stderr: str) -> ConfigurationError:
    for said, (message, next_step) in _KNOWN.items():
        if said in stderr:
            return ConfigurationError(message.format(stack=stack), next_step=next_step)
    errors = [line.removeprefix("error: ") for line in stderr.splitlines() if line.startswith("error: ")]
    return ConfigurationError(
        f"`pulumi {command[0]}` cannot read stack {stack}: {plain(' '.join(errors) or stderr)}.",
        next_step=f"Mend that first; `pulumi {command[0]} --stack {stack}` shows it too.",
    )
