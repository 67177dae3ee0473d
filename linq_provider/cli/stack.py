"""The configuration and the state of a stack, read through the Pulumi CLI and kept in memory only."""

import json
import re
import shutil
from collections.abc import Mapping
from typing import Any

import click

from linq_provider.cli.output import working
from linq_provider.cli.programs import environment_without_key, run_program, working_folder
from linq_provider.errors import ConfigurationError, LinqError, plain

TIMEOUT = 120  # seconds for one call of the CLI; a state in the cloud has to be fetched and decrypted
IF_SLOW = "Check that the backend of the stack answers: `pulumi whoami -v`."
DOCTOR = "Check the CLI: `linq-provider doctor`."
# As Pulumi accepts it: letters, digits and three other characters, after an optional owner and project.
_NAME = re.compile(r"(?:[\w.-]+/){0,2}[\w.-]{1,100}", re.ASCII)
# Messages of the CLI, and what to say instead.
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


def stack_name(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Refuse an invalid name of a stack; with an empty one, Pulumi would use the selected stack."""
    if value is None or _NAME.fullmatch(value):
        return value
    if not value.strip():
        raise click.UsageError("The name of the stack is empty.")
    raise click.UsageError(f"{value} is not a valid stack name.")


def values(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of a stack's configuration, in the form for `Settings.load`."""
    return {
        key: setting["value"] for key, setting in config.items() if isinstance(setting, dict) and "value" in setting
    }


def stack_config(stack: str) -> dict[str, dict[str, Any]]:
    """The configuration of a stack: `value` and `secret` for each key, decrypted."""
    return _ask(stack, "config", "--show-secrets", "--json")


def stack_resources(stack: str) -> list[dict[str, Any]]:
    """The resources in the state of a stack, decrypted, the oldest first."""
    deployment = _ask(stack, "stack", "export", "--show-secrets").get("deployment") or {}
    resources = (deployment.get("resources") or []) if isinstance(deployment, dict) else [deployment]
    if not all(map(_is_resource, resources)):
        raise LinqError(f"The state of stack {stack} is not of the form that Pulumi 3 writes.", next_step=DOCTOR)
    return list(resources)


def _is_resource(value: Any) -> bool:
    texts, maps = ("urn", "type"), ("inputs", "outputs")
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in texts)
        and all(isinstance(value.get(name) or {}, dict) for name in maps)
    )


def _ask(stack: str, *command: str) -> dict[str, Any]:
    """The JSON output of the CLI; the only argument from outside is the name of the stack."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise ConfigurationError(
            "--stack needs the Pulumi CLI, and there is no `pulumi` on PATH.",
            next_step="Install it, or leave out --stack and set LINQ_API_V3_API_KEY.",
        )
    working_folder()
    options = (f"--stack={stack}", "--non-interactive", "--color=never")
    with working(f"Reading stack {stack}"):
        done = run_program(
            pulumi, *command, *options, environment=environment_without_key(), timeout=TIMEOUT, if_slow=IF_SLOW
        )
    if done.returncode:
        raise _refusal(stack, command[0], done.stderr)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise LinqError(f"`pulumi {command[0]}` printed no JSON.", next_step=DOCTOR)
    return answer


def _refusal(stack: str, command: str, stderr: str) -> ConfigurationError:
    for said, (message, next_step) in _KNOWN.items():
        if said in stderr:
            return ConfigurationError(message.format(stack=stack), next_step=next_step)
    errors = [line.removeprefix("error: ") for line in stderr.splitlines() if line.startswith("error: ")]
    return ConfigurationError(
        f"`pulumi {command}` cannot read stack {stack}: {plain(' '.join(errors) or stderr)}.",
        next_step=f"Fix that first; `pulumi {command} --stack {stack}` shows it too.",
    )
