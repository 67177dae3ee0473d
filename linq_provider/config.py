"""Settings, read from any object with `.get(key)`, else from the environment."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from linq_provider.errors import ConfigurationError, plain

DEFAULT_BASE_URL = "https://api.linqapp.com/api/partner"  # Linq's API reference
EXPLICIT = "linq:explicitProvider"  # set by `linq.Provider`: nothing is inherited from the environment
KEYS = (
    "linq:apiKey",
    "linq:baseUrl",
    "linq:timeout",
    "linq:maxRetries",
    "linq:maxConcurrency",
    "linq:liveCheck",
    "linq:allowedForwardings",
)
ANYWHERE = "*"  # in linq:allowedForwardings
MAX_SHOWN_URL = 80  # characters of a URL inside a message
MAX_KEY_LENGTH = 4096  # characters; servers commonly refuse header lines above 8 KiB
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
ENVIRONMENT_KEYS = frozenset({"LINQ_API_KEY_OVERRIDE", "LINQ_API_V3_API_KEY"})
DEFAULT_SOURCE = "the default"
# Host and port in the only form that all URL parsers split in the same way.
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?", re.ASCII | re.IGNORECASE)

T = TypeVar("T")


class Config(Protocol):
    """Pulumi's provider configuration, a plain dict, or anything else with `.get`."""

    def get(self, key: str, /) -> Any:
        """The value, or None."""


@dataclass(frozen=True)
class AllowedForwardings:
    """Where one setting allows calls to go: E.164 prefixes, ISO 3166 country codes in capitals, or `*`."""

    name: str
    entries: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """How to reach one Linq account; `timeout` in seconds. A source is the setting or variable that a value is from.

    `on_conflict` is an operator's decision for one run, "overwrite" or "keep". A stack must not set it, so it is read
    from the environment only, even for a `linq.Provider`.
    """

    api_key: str | None = field(repr=False)
    api_key_source: str
    base_url: str = DEFAULT_BASE_URL
    base_url_source: str = DEFAULT_SOURCE
    timeout: float = 120.0
    max_retries: int = 7
    max_concurrency: int = 16
    live_check: bool = True
    on_conflict: str = ""
    allowed_forwardings: tuple[AllowedForwardings, ...] = ()

    @classmethod
    def load(cls, config: Config | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read every setting: configuration beats environment, `LINQ_API_KEY_OVERRIDE` beats both.

        A missing key is not an error here: validation and an unchanged stack do not need one.

        Raises:
            ConfigurationError: a value is malformed, or the environment's key would be sent to an address that only
                the configuration names. The message never contains the key.
        """
        source = _Source(config if config is not None else {}, environ)
        api_key, api_key_source = source.api_key()
        base_url, base_url_source = source.base_url()
        if api_key_source in ENVIRONMENT_KEYS and base_url_source == "linq:baseUrl":
            _refuse_elsewhere(base_url, environ, api_key_source)
        return cls(
            api_key=api_key,
            api_key_source=api_key_source,
            base_url=base_url,
            base_url_source=base_url_source,
            timeout=source.read("linq:timeout", "LINQ_TIMEOUT", _seconds, cls.timeout),
            max_retries=source.read("linq:maxRetries", "LINQ_MAX_RETRIES", _whole(0, 100), cls.max_retries),
            max_concurrency=source.read(
                "linq:maxConcurrency", "LINQ_MAX_CONCURRENCY", _whole(1, 256), cls.max_concurrency
            ),
            live_check=source.read("linq:liveCheck", "LINQ_LIVE_CHECK", _boolean, cls.live_check),
            on_conflict=_parsed(_on_conflict, environ.get("LINQ_ON_CONFLICT", ""), "LINQ_ON_CONFLICT"),
            allowed_forwardings=allowed_forwardings(config, environ=environ),
        )

    @classmethod
    def of_provider(cls, args: Mapping[str, Any], *, provider: str | None) -> Settings:
        """Read the settings of a provider, named as in `KEYS` without `linq:`.

        `provider` is the name of a provider that the program declares, which takes nothing from the environment; None
        for the stack's own.

        Raises:
            ConfigurationError: as `load`, or a provider that the program declares has no key.
        """
        if provider is not None and "apiKey" not in args:
            raise ConfigurationError(
                f"The provider '{provider}' needs an apiKey.", next_step="Give it one from a secret setting."
            )
        return cls.load({f"linq:{name}": _text(value) for name, value in args.items()} | {EXPLICIT: provider})

    def require_api_key(self) -> str:
        """The key, for a request that is about to be made.

        Raises:
            ConfigurationError: there is none; the message gives both ways to set it.
        """
        if self.api_key is None:
            raise ConfigurationError(
                "No Linq API key is configured.",
                next_step="Run `pulumi config set --secret linq:apiKey`, or set the environment variable"
                " LINQ_API_V3_API_KEY.",
            )
        return self.api_key


def allowed_forwardings(
    config: Config | None = None, *, environ: Mapping[str, str] = os.environ
) -> tuple[AllowedForwardings, ...]:
    """Where calls may go: one entry for each source that sets it. A number must satisfy all of them.

    Unlike other settings, the environment applies in addition to the configuration, and to a `linq.Provider` too: a
    branch must not be able to relax what a pipeline requires.

    Raises:
        ConfigurationError: a value is malformed.
    """
    key, variable = "linq:allowedForwardings", "LINQ_ALLOWED_FORWARDINGS"
    configured = {} if config is None else config
    provider = configured.get(EXPLICIT)
    name = f"{key} of linq.Provider '{plain(str(provider))}'" if isinstance(provider, str) else key
    found = ((name, configured.get(key)), (variable, environ.get(variable)))
    return tuple(
        AllowedForwardings(source, _parsed(_destinations, value, source))
        for source, value in found
        if value is not None
    )


@dataclass(frozen=True)
class _Source:
    config: Config
    environ: Mapping[str, str]

    def api_key(self) -> tuple[str | None, str]:
        for name, value in (
            ("LINQ_API_KEY_OVERRIDE", self._variable("LINQ_API_KEY_OVERRIDE")),
            ("linq:apiKey", self.config.get("linq:apiKey")),
            ("LINQ_API_V3_API_KEY", self._variable("LINQ_API_V3_API_KEY")),
        ):
            if value == "":
                raise ConfigurationError(f"{name} is empty.", next_step=self._how_to_set(name))
            if value is not None:
                return _parsed(_api_key, value, name), name
        return None, "linq:apiKey"

    def _how_to_set(self, key: str) -> str:
        if self.config.get(EXPLICIT):
            return "Give it the key of the account, from a secret setting."
        return {
            "linq:apiKey": "Run `pulumi config set --secret linq:apiKey` and enter the key.",
            "LINQ_API_V3_API_KEY": "Set it to the key of the Linq account, or run `pulumi config set --secret"
            " linq:apiKey`.",
            "LINQ_API_KEY_OVERRIDE": "Unset it, or set it to the key that is to be used in place of every other.",
        }[key]

    def base_url(self) -> tuple[str, str]:
        key, variable = "linq:baseUrl", "LINQ_API_V3_BASE_URL"
        configured, exported = self.config.get(key) is not None, self._variable(variable) is not None
        source = key if configured else variable if exported else DEFAULT_SOURCE
        return self.read(key, variable, _base_url, DEFAULT_BASE_URL), source

    def read(self, key: str, variable: str, parse: Callable[[str], T], default: T) -> T:
        for name, value in ((key, self.config.get(key)), (variable, self._variable(variable))):
            if value is not None:
                return _parsed(parse, value, f"{key} (environment: {variable})" if name == key else name)
        return default

    def _variable(self, name: str) -> str | None:
        return None if self.config.get(EXPLICIT) else self.environ.get(name)


def _refuse_elsewhere(base_url: str, environ: Mapping[str, str], api_key_source: str) -> None:
    """Refuse to send the environment's key anywhere but to Linq, this machine, or the environment's own base URL.

    Somebody who can change a stack's file or state must not be able to have the key sent to a host of their own.
    """
    named = environ.get("LINQ_API_V3_BASE_URL")
    allowed = None if named is None else _address(_parsed(_base_url, named, "LINQ_API_V3_BASE_URL"))
    host = urlsplit(base_url).hostname
    if host == urlsplit(DEFAULT_BASE_URL).hostname or host in LOOPBACK_HOSTS or _address(base_url) == allowed:
        return
    raise ConfigurationError(
        f"Nothing was sent: the key comes from {api_key_source}, but the address {plain(base_url, limit=MAX_SHOWN_URL)}"
        " comes from linq:baseUrl. A key from the environment is not sent to an address that only a stack names.",
        next_step=f"If the address is right, set LINQ_API_V3_BASE_URL to it too. Or unset {api_key_source} and give the"
        " stack a key of its own: `pulumi config set --secret linq:apiKey`.",
    )


def _address(base_url: str) -> tuple[str | None, int, str]:
    """Host, port and path of a base URL, equal for two spellings of one URL. Only loopback may be http."""
    parts = urlsplit(base_url)
    return parts.hostname, parts.port or 443, parts.path


def _parsed(parse: Callable[[str], T], value: Any, name: str) -> T:
    try:
        return parse(str(value))
    except ValueError as error:
        raise ConfigurationError(f"{name} {error}.") from None


def _text(value: Any) -> str:
    """A setting as text, as in a stack's file; whole numbers may arrive as floats."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _api_key(text: str) -> str:
    if len(text) > MAX_KEY_LENGTH:
        raise ValueError(f"is longer than {MAX_KEY_LENGTH} characters; that is no API key")
    if not all("!" <= character <= "~" for character in text):
        raise ValueError("contains a space, a line break or a non-ASCII character; copy the key again")
    return text


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if not text.isascii() or not text.isprintable() or " " in text or not host:
        raise ValueError("is not a URL")
    if "?" in text or "#" in text or parts.username is not None:
        raise ValueError("must be scheme, host and path only")
    if not _HOST_AND_PORT.fullmatch(parts.netloc) or ("[" in parts.netloc) != (":" in host):
        raise ValueError("is not a URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK_HOSTS):
        raise ValueError("must begin with https:// (http:// is allowed for this machine only)")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 5 <= seconds <= 600:  # the bounds of the policy in docs/reliability.md
        raise ValueError("must be a number of seconds from 5 to 600")
    return seconds


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def _on_conflict(text: str) -> str:
    if text not in ("", "overwrite", "keep"):
        raise ValueError("must be overwrite or keep")
    return text


def _destinations(text: str) -> tuple[str, ...]:
    entries = [entry.strip(" \t\"'[]").upper() for entry in text.split(",")]  # a list in a stack's file arrives as JSON
    named = tuple(entry for entry in entries if entry)
    if not named or not all(re.fullmatch(r"\*|[A-Z]{2}|\+[1-9]\d{0,14}", entry, re.ASCII) for entry in named):
        raise ValueError(
            'must be one text in quotes, such as "GB,+4930": countries and prefixes, separated by commas;'
            f' or "{ANYWHERE}"'
        )
    return named
