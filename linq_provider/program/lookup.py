"""Functions that look up the account's lines while the program runs."""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import partial
from typing import Any

import pulumi

from linq_provider.config import EXPLICIT, Settings
from linq_provider.core.account import find_line, require_lines
from linq_provider.errors import LinqError
from linq_provider.phone_number import PhoneNumber
from linq_provider.program.run import ProgramError, refuse_plaintext_key

__all__ = ["PhoneNumber", "get_phone_number", "get_phone_numbers"]

# Each run has its own monitor, even if several runs share one process (Automation API, unit tests).
_listed: weakref.WeakKeyDictionary[Any, dict[Settings, tuple[PhoneNumber, ...]]]
_listed = weakref.WeakKeyDictionary()


def get_phone_numbers(*, api_key: str | None = None, base_url: str | None = None) -> list[PhoneNumber]:
    """Every line that the key sees, as it was at the first look-up of this run.

    A run makes one request, however often its program looks up; a failure is not remembered. By default the settings
    are those of the resources: the stack's configuration and the environment. `api_key` selects another account and,
    like `linq.Provider`, ignores both: without `base_url` the request goes to Linq's own address.

    Raises:
        LinqError: the list could not be read, or is empty; `linq:apiKey` is set without `--secret`; `base_url` is given
            without `api_key`, which would send the stack's key to another address.
        TypeError: an argument is an Output.
    """
    _refuse_outputs(api_key=api_key, base_url=base_url)
    try:
        settings = _settings(api_key, base_url)
        run = pulumi.runtime.settings.get_monitor()
        listed = _listed.setdefault(run, {}) if run is not None else {}
        if settings not in listed:
            listed[settings] = _list(settings)
        return list(listed[settings])
    except ProgramError:
        raise
    except LinqError as error:
        # Pulumi prints this one without a traceback.
        raise ProgramError.of(error) from error


def get_phone_number(line: str, *, api_key: str | None = None, base_url: str | None = None) -> PhoneNumber:
    """One line, by its number (E.164) or its phone_number_id in any case; see `get_phone_numbers`.

    Raises:
        LinqError: the key does not see the line, `line` is neither of the two, or as in `get_phone_numbers`.
        TypeError: an argument is an Output.
    """
    _refuse_outputs(line=line)
    list_lines = partial(get_phone_numbers, api_key=api_key, base_url=base_url)
    try:
        return find_line(line, list_lines, asked="get_phone_number")
    except ProgramError:
        raise
    except LinqError as error:
        raise ProgramError.of(error) from None


def _settings(api_key: str | None, base_url: str | None) -> Settings:
    if api_key is not None:
        given = {"linq:apiKey": api_key, "linq:baseUrl": base_url, EXPLICIT: True}
        settings = replace(Settings.load(given), api_key_source="the argument api_key")
        return settings if base_url is None else replace(settings, base_url_source="the argument base_url")
    if base_url is not None:
        raise ProgramError(
            "A look-up was given a base_url without an api_key: the stack's key would be sent there.",
            next_step="Give it the api_key of that account too, or set linq:baseUrl for the whole stack.",
        )
    refuse_plaintext_key()
    return Settings.load(_StackConfig())


class _StackConfig:
    """The stack's configuration under its full keys, as the engine passes it to a provider."""

    def get(self, key: str) -> str | None:
        namespace, _, name = key.partition(":")
        return pulumi.Config(namespace).get(name)


def _list(settings: Settings) -> tuple[PhoneNumber, ...]:
    from linq_provider.api.client import LinqClient  # keeps `import linq_provider` fast

    client = LinqClient(settings, notify=pulumi.log.info)
    try:
        return tuple(require_lines(client))
    finally:
        client.close()


def _refuse_outputs(**arguments: Any) -> None:
    for name, value in arguments.items():
        if isinstance(value, pulumi.Output):
            raise TypeError(
                f"{name} is an Output, and a look-up cannot wait for its value: give plain text, such as"
                " config.require(...) instead of config.require_secret(...). This is safe for a secret: a look-up"
                " neither prints nor stores its arguments."
            )
