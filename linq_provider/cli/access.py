"""Checks whether the account can be reached: key, base URL, network, and what the key sees."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from linq_provider.cli.lines import list_lines, require_key
from linq_provider.cli.network import way_to
from linq_provider.cli.output import Check, Mark, checked, count_forwarded, failed
from linq_provider.cli.stack import stack_config, values
from linq_provider.config import DEFAULT_BASE_URL, KEYS, Settings
from linq_provider.core.destinations import Destinations
from linq_provider.errors import AuthenticationError, LinqError, PermissionDeniedError
from linq_provider.phone_number import PhoneNumber

SECONDS = 15.0  # for the one call: somebody is waiting for the answer
OVERRIDE = "LINQ_API_KEY_OVERRIDE"


def access_checks(stack: str | None) -> Iterator[Check]:
    """All checks from the configuration to the lines; checks that depend on a failed one are skipped."""
    settings: Settings | None = None
    try:
        config = {} if stack is None else stack_config(stack)
        if stack is not None:
            yield checked("key of the stack", _stack_key, stack, config.get("linq:apiKey"))
            yield from _unread_settings(config)
        settings = Settings.load(values(config))
    except LinqError as error:
        yield failed("configuration", error)
    if OVERRIDE in os.environ:
        yield Check(
            "override", Mark.WARNING, f"{OVERRIDE} is set and used in place of every other key", "Unset it after use."
        )
    else:
        yield Check("override", Mark.OK, f"{OVERRIDE} is not set")
    if settings is None:
        names = ("key", "base URL", "destinations", "way to the API", "API", "lines")
        yield from (Check(name, Mark.NOT_CHECKED) for name in names)
        return
    yield checked("key", _key, settings)
    note = "" if settings.base_url == DEFAULT_BASE_URL else ", which is not Linq's own"
    yield Check("base URL", Mark.OK, f"{settings.base_url}{note}")
    yield checked("destinations", _destinations, settings)
    yield checked("way to the API", way_to, settings.base_url)
    yield from _answer(settings)


def _stack_key(stack: str, key: Mapping[str, Any] | None) -> str:
    if key is None:
        return f"stack {stack} has none; the key of the environment is used"
    if not key.get("secret"):
        raise LinqError(
            "it is set without --secret, which `pulumi up` refuses",
            next_step="Run `pulumi config set --secret linq:apiKey` and enter it again; then replace the key at Linq.",
        )
    return f"stored as a secret in stack {stack}"


def _unread_settings(config: Mapping[str, Any]) -> Iterator[Check]:
    unknown = sorted(key for key in config if key.startswith("linq:") and key not in KEYS)
    if unknown:
        fix = "Correct the name, or remove it with `pulumi config rm`: nothing reads it."
        yield Check("settings of the stack", Mark.WARNING, f"no such setting: {', '.join(unknown)}", fix)


def _key(settings: Settings) -> str:
    require_key(settings)
    return f"well-formed, from {settings.api_key_source}"


def _destinations(settings: Settings) -> str:
    return f"calls may go to: {Destinations(settings.allowed_forwardings).summary}"


def _answer(settings: Settings) -> Iterator[Check]:
    api, lines = Check("API", Mark.NOT_CHECKED), Check("lines", Mark.NOT_CHECKED)
    try:
        if settings.api_key is not None:
            seen = list_lines(replace(settings, timeout=min(settings.timeout, SECONDS), max_retries=1))
            api, lines = Check("API", Mark.OK, "it answers"), checked("lines", _lines, seen)
    except (AuthenticationError, PermissionDeniedError) as error:
        api, lines = Check("API", Mark.OK, "it answers"), failed("lines", error)
    except LinqError as error:
        api = failed("API", error)
    yield from (api, lines)


def _lines(seen: Sequence[PhoneNumber]) -> str:
    if not seen:
        raise LinqError(
            "the key is accepted, but it sees no lines",
            next_step="Ask the owner of the Linq account for a key that sees your lines.",
        )
    return f"this key sees {count_forwarded([line.forwarding_number for line in seen])}"
