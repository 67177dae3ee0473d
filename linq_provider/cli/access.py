"""Checks of the way to the account: key, base URL, network, and what the key sees."""

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from linq_provider.cli.check import Check, Mark
from linq_provider.cli.lines import list_lines, require_key
from linq_provider.cli.stack import stack_config, values
from linq_provider.config import DEFAULT_BASE_URL, KEYS, LOOPBACK_HOSTS, Settings
from linq_provider.core.destinations import Destinations
from linq_provider.errors import AuthenticationError, LinqError, PermissionDeniedError, plain

SECONDS = 15.0  # for the one call; who runs the doctor waits for it


def access_checks(stack: str | None) -> Iterator[Check]:
    """From the configuration to the lines; what follows from a failure is not checked."""
    settings: Settings | None = None
    try:
        config = {} if stack is None else stack_config(stack)
        if stack is not None:
            yield _stack_key(stack, config.get("linq:apiKey"))
            yield from _stack_settings(config)
        settings = Settings.load(values(config))
    except LinqError as error:
        yield _failed("configuration", error)
    yield _override()
    if settings is None:
        for name in ("key", "base URL", "destinations", "way to the API", "API", "lines"):
            yield Check(name, Mark.NOT_CHECKED)
        return
    yield _key(settings)
    yield _base_url(settings)
    yield _destinations(settings)
    yield _way(settings)
    yield from _answer(settings)


def _stack_key(stack: str, key: Mapping[str, Any] | None) -> Check:
    name = "key of the stack"
    if key is None:
        return Check(name, Mark.OK, f"stack {stack} has none, so that of the environment is used")
    if not key.get("secret"):
        mend = "Run `pulumi config set --secret linq:apiKey` and enter it again; then replace the key at Linq."
        return Check(name, Mark.FAILS, "it is set without --secret, which `pulumi up` refuses", mend)
    return Check(name, Mark.OK, f"secret in stack {stack}")


def _stack_settings(config: Mapping[str, Any]) -> Iterator[Check]:
    unknown = sorted(key for key in config if key.startswith("linq:") and key not in KEYS)
    if unknown:
        mend = "Mend the name, or take it out with `pulumi config rm`: nobody reads it."
        yield Check("settings of the stack", Mark.WARNING, f"no such setting: {', '.join(unknown)}", mend)


def _override() -> Check:
    if "LINQ_API_KEY_OVERRIDE" in os.environ:
        return Check(
            "override", Mark.WARNING, "LINQ_API_KEY_OVERRIDE is set and beats every key", "Unset it after use."
        )
    return Check("override", Mark.OK, "LINQ_API_KEY_OVERRIDE is not set")


def _key(settings: Settings) -> Check:
    try:
        require_key(settings)
    except LinqError as error:
        return _failed("key", error)
    return Check("key", Mark.OK, f"well-formed, from {settings.api_key_source}")


def _base_url(settings: Settings) -> Check:
    note = "" if settings.base_url == DEFAULT_BASE_URL else ", which is not Linq's own"
    return Check("base URL", Mark.OK, f"{settings.base_url}{note}")


def _destinations(settings: Settings) -> Check:
    try:
        return Check("destinations", Mark.OK, f"calls may go to: {Destinations(settings.allowed_forwardings).summary}")
    except LinqError as error:
        return _failed("destinations", error)


def _way(settings: Settings) -> Check:
    """Whether the next host on the way has an address: the proxy, or the API itself."""
    name = "way to the API"
    host, through = _next_host(settings.base_url)
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        reason = plain(getattr(error, "strerror", None) or "it is no host name")
        mend = "Check the network, DNS, HTTPS_PROXY and linq:baseUrl."
        return Check(name, Mark.FAILS, f"{through} {host or '?'}, which has no address: {reason}", mend)
    return Check(name, Mark.OK, f"{through} {host}")


def _next_host(base_url: str) -> tuple[str, str]:
    """Which host is asked first, and how; of a proxy never its user and password."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    proxy = getproxies().get(url.scheme) or getproxies().get("all")
    if not proxy or host in LOOPBACK_HOSTS or proxy_bypass(host):
        return host, "directly to"
    try:
        return urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "", "through the proxy"
    except ValueError:
        return "", "through the proxy"


def _answer(settings: Settings) -> Iterator[Check]:
    if settings.api_key is None:
        yield Check("API", Mark.NOT_CHECKED)
        yield Check("lines", Mark.NOT_CHECKED)
        return
    try:
        lines = list_lines(replace(settings, timeout=min(settings.timeout, SECONDS), max_retries=1))
    except (AuthenticationError, PermissionDeniedError) as error:
        yield Check("API", Mark.OK, "it answers")
        yield _failed("lines", error)
    except LinqError as error:
        yield _failed("API", error)
        yield Check("lines", Mark.NOT_CHECKED)
    else:
        yield Check("API", Mark.OK, "it answers")
        forwarded = sum(bool(line.forwarding_number) for line in lines)
        if lines:
            yield Check("lines", Mark.OK, f"the key sees {len(lines):,}, of which {forwarded:,} forward")
        else:
            mend = "Ask the owner of the Linq account for a key that sees your lines."
            yield Check("lines", Mark.FAILS, "the key is accepted and sees no lines at all", mend)


def _failed(name: str, error: LinqError) -> Check:
    return Check(name, Mark.FAILS, plain(error.message, limit=300), error.next_step)
