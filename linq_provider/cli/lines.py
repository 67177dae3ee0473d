"""The account for commands: its settings, from a stack or the environment, and its lines."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from linq_provider.cli.output import working
from linq_provider.cli.stack import stack_config, stack_name, values
from linq_provider.config import Settings
from linq_provider.core import account
from linq_provider.errors import ConfigurationError
from linq_provider.phone_number import PhoneNumber

NO_KEY = "Set LINQ_API_V3_API_KEY, or give --stack the name of a stack that has linq:apiKey."

stack_option: Callable[[Any], Any] = click.option(
    "--stack",
    metavar="NAME",
    callback=stack_name,
    help="A stack of the project in this folder: use its key and settings (drift: and its state).",
)


def load_settings(stack: str | None) -> Settings:
    """The settings of a stack, or of the environment if no stack is named."""
    return Settings.load(None if stack is None else values(stack_config(stack)))


def require_key(settings: Settings, *, next_step: str = NO_KEY) -> None:
    """Fail without a key, with a next step for commands."""
    try:
        settings.require_api_key()
    except ConfigurationError as error:
        error.next_step = next_step
        raise


def list_lines(settings: Settings, *, required: bool = False) -> Sequence[PhoneNumber]:
    """Every line that the key sees; if lines are `required`, none at all is an error."""
    require_key(settings)
    from linq_provider.api.client import LinqClient

    ask = account.require_lines if required else account.list_lines
    with working("Asking Linq for the lines"):
        return ask(LinqClient(settings))
