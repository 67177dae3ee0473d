"""The lines of an account, as the commands ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linq_provider.cli.output import working
from linq_provider.config import Settings
from linq_provider.core import account
from linq_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from linq_provider.phone_number import PhoneNumber


def require_key(settings: Settings) -> None:
    """Refuse to go on without a key, in the words of a command.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        settings.require_api_key()
    except ConfigurationError as error:
        error.next_step = "Set LINQ_API_V3_API_KEY, or name with --stack a stack that has linq:apiKey."
        raise


def list_lines(settings: Settings) -> Sequence[PhoneNumber]:
    """Every line that the key sees; may be empty.

    Raises:
        LinqError: see `linq_provider.errors`.
    """
    require_key(settings)
    from linq_provider.api.client import LinqClient

    with working("Asking Linq for the lines"):
        return account.list_lines(LinqClient(settings))
