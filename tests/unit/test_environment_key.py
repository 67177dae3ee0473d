"""A key from the environment goes to Linq, to this machine, or where the environment itself says."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from linq_provider.cli.commands import commands
from linq_provider.config import Settings
from linq_provider.errors import ConfigurationError, LinqError
from linq_provider.program.lookup import get_phone_number, get_phone_numbers

KEY = "canary-8f2c61d07b"
ELSEWHERE = "https://gateway.example/api/partner"
KEYS = ["LINQ_API_V3_API_KEY", "LINQ_API_KEY_OVERRIDE"]


def base_url(config: dict[str, str], environ: dict[str, str]) -> str:
    """Where the key is sent."""
    return Settings.load(config, environ=environ).base_url


@pytest.mark.parametrize("variable", KEYS)
@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "https://api.linqapp.com.evil.example/api/partner",
        "https://evil-api.linqapp.com/api/partner",
        "https://linqapp.com/api/partner",
        "https://api.linqapp.com./api/partner",
        "https://api.linqapp.com%2eevil.example/api/partner",
        "https://127.0.0.1.evil.example",
        "https://localhost.evil.example",
        "https://2130706433",
        "https://[::ffff:127.0.0.1]",
        "https://127.0.0.2",
    ],
)
def test_an_environment_key_is_not_sent_where_the_configuration_says(variable: str, url: str) -> None:
    """Whatever the host is called, it is neither Linq's nor this machine: refused when the settings are loaded."""
    with pytest.raises(ConfigurationError):
        base_url({"linq:baseUrl": url}, {variable: KEY})


@pytest.mark.parametrize("variable", KEYS)
def test_the_refusal_names_both_and_the_two_ways_out(variable: str) -> None:
    """The variable of the key, the setting and its address; then what to do: name the address, or configure the key."""
    with pytest.raises(ConfigurationError) as refused:
        base_url({"linq:baseUrl": ELSEWHERE}, {variable: KEY})
    assert str(refused.value) == (
        f"Nothing was sent: the key comes from {variable}, but the address {ELSEWHERE} comes from linq:baseUrl."
        " A key from the environment is not sent to an address that only a stack names."
        f" If the address is right, set LINQ_API_V3_BASE_URL to it too. Or unset {variable} and give the stack a key of"
        " its own: `pulumi config set --secret linq:apiKey`."
    )


def test_the_override_is_refused_although_the_stack_has_a_key() -> None:
    """The override beats the key of the stack, and so it is the key that would be sent."""
    with pytest.raises(ConfigurationError, match="LINQ_API_KEY_OVERRIDE"):
        base_url({"linq:apiKey": "of-the-stack", "linq:baseUrl": ELSEWHERE}, {"LINQ_API_KEY_OVERRIDE": KEY})


@pytest.mark.parametrize("variable", KEYS)
@pytest.mark.parametrize(
    "url",
    [
        "https://api.linqapp.com/api/partner",
        "https://API.linqapp.com:443/api/other/",
        "http://127.0.0.1:8080/api/partner",
        "http://localhost:8080",
        "http://[::1]:8080",
    ],
)
def test_linq_and_this_machine_may_be_named_by_anybody(variable: str, url: str) -> None:
    """Linq's own host and the three names of this machine need nothing in the environment."""
    assert base_url({"linq:baseUrl": url}, {variable: KEY}) == url.rstrip("/")


@pytest.mark.parametrize("variable", KEYS)
@pytest.mark.parametrize(
    "named",
    [ELSEWHERE, ELSEWHERE + "/", "https://GATEWAY.example:443/api/partner", "HTTPS://gateway.example/api/partner"],
)
def test_an_address_that_the_environment_names_too_is_right(variable: str, named: str) -> None:
    """The first way out; the case of the host, the default port and a slash at the end do not matter."""
    assert base_url({"linq:baseUrl": ELSEWHERE}, {variable: KEY, "LINQ_API_V3_BASE_URL": named}) == ELSEWHERE


@pytest.mark.parametrize(
    "named",
    [
        "https://api.linqapp.com/api/partner",
        "http://127.0.0.1:8080",
        "https://gateway.example",
        "https://gateway.example/api/Partner",
        "https://gateway.example:8443/api/partner",
        "https://other.example/api/partner",
    ],
)
def test_another_address_in_the_environment_does_not_help(named: str) -> None:
    """A stack's file sends the key of the environment to no other host, port or path than the environment's own."""
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        base_url({"linq:baseUrl": ELSEWHERE}, {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": named})


def test_an_address_of_the_environment_that_is_none_is_named() -> None:
    """A typing mistake in the first solution is reported as such."""
    with pytest.raises(ConfigurationError, match=r"^LINQ_API_V3_BASE_URL is not a URL"):
        base_url({"linq:baseUrl": ELSEWHERE}, {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": "gateway"})


@pytest.mark.parametrize("environ", [{}, {"LINQ_API_V3_API_KEY": "unused"}])
def test_the_stacks_own_key_goes_where_the_stack_says(environ: dict[str, str]) -> None:
    """The second solution: both are in the same file."""
    settings = Settings.load({"linq:apiKey": KEY, "linq:baseUrl": ELSEWHERE}, environ=environ)
    assert (settings.api_key, settings.base_url) == (KEY, ELSEWHERE)


def test_without_a_key_nothing_is_refused() -> None:
    """A preview that only validates needs no key, wherever the stack's address leads."""
    assert base_url({"linq:baseUrl": ELSEWHERE}, {}) == ELSEWHERE


def test_the_environments_own_address_is_its_own_affair() -> None:
    """Key and address that are both set in the environment are both intended."""
    assert base_url({}, {"LINQ_API_V3_API_KEY": KEY, "LINQ_API_V3_BASE_URL": ELSEWHERE}) == ELSEWHERE


def test_an_explicit_provider_never_has_a_key_of_the_environment() -> None:
    """It inherits nothing, so there is nothing to refuse, and nothing that could be sent."""
    config = {"linq:explicitProvider": "emea", "linq:baseUrl": ELSEWHERE}
    assert Settings.load(config, environ={"LINQ_API_KEY_OVERRIDE": KEY}).api_key is None


@pytest.mark.parametrize(
    "text",
    [
        "https://[127.0.0.1]evil.example",
        "https://evil.example[::1]",
        "https://evil.example\\.api.linqapp.com",
        "https://[api.linqapp.com]",
        "https://a..b example",
        "https://api.linqapp.com,evil.example",
        "https://api.linqapp.com:",
    ],
)
def test_an_address_that_two_readers_could_read_differently_is_none(text: str) -> None:
    """The address that is compared here must be the one that the HTTP client connects to."""
    with pytest.raises(ConfigurationError, match="is not a URL"):
        base_url({"linq:baseUrl": text}, {})


def test_a_long_address_leaves_the_refusal_whole() -> None:
    """Of the address the beginning is shown, and the way out is never cut."""
    with pytest.raises(ConfigurationError) as refused:
        base_url({"linq:baseUrl": f"https://gateway.example/{'x' * 900}"}, {"LINQ_API_KEY_OVERRIDE": KEY})
    text = str(refused.value)
    assert "https://gateway.example/xxx" in text
    assert "is not sent to an address that only a stack names." in text
    assert text.endswith("`pulumi config set --secret linq:apiKey`.")
    assert len(text) <= 500


# Look-ups and commands, with a counting server that every other host is reached through


class Elsewhere:
    """A proxy on this machine that counts the connections, and closes each of them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """The key is in the environment, and all requests to other machines go through this proxy."""
    for name in (*KEYS, "LINQ_API_V3_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    proxy = Elsewhere()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    monkeypatch.setenv("LINQ_MAX_RETRIES", "0")
    yield proxy
    proxy.close()


class NoEngine(pulumi.runtime.Mocks):
    """Stands in for the engine: look-ups never reach it."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise AssertionError(args.name)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(args.token)


@pytest.fixture
def stack_address() -> Iterator[None]:
    """A program run whose stack names the address."""
    pulumi.runtime.set_mocks(NoEngine())
    pulumi.runtime.set_all_config({"linq:baseUrl": ELSEWHERE}, [])
    yield
    pulumi.runtime.set_all_config({}, [])


@pytest.mark.usefixtures("stack_address")
@pytest.mark.parametrize("variable", KEYS)
@pytest.mark.parametrize("look_up", [get_phone_numbers, lambda: get_phone_number("+12025550100")])
def test_a_look_up_sends_no_environment_key_there(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, variable: str, look_up: Callable[[], object]
) -> None:
    """Refused without a connection and without a traceback; once the environment names the address, there is one."""
    monkeypatch.setenv(variable, KEY)
    with pytest.raises(pulumi.RunError, match="Nothing was sent"):
        look_up()
    assert elsewhere.connections == 0
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", ELSEWHERE)
    with pytest.raises(LinqError, match="connection failed"):
        look_up()
    assert elsewhere.connections > 0


LINE = {
    "urn": "urn:pulumi:dev::x::pulumi-python:dynamic/linq:PhoneNumberForwarding::support",
    "type": "pulumi-python:dynamic/linq:PhoneNumberForwarding",
    "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
    "outputs": {"phone_number": "+12025550100", "forwarding_number": "+12025559999"},
    "provider": "urn:pulumi:dev::x::pulumi:providers:pulumi-python::planted::1",
}
PLANTED = {
    "urn": "urn:pulumi:dev::x::pulumi:providers:pulumi-python::planted",
    "type": "pulumi:providers:pulumi-python",
    "id": "1",
    "inputs": {"linq:baseUrl": ELSEWHERE},
}


@pytest.mark.parametrize("variable", KEYS)
@pytest.mark.parametrize(
    ("command", "planted"),
    [("numbers", "configuration"), ("export", "configuration"), ("drift", "configuration"), ("drift", "state")],
)
def test_a_command_sends_no_environment_key_there(
    elsewhere: Elsewhere,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    variable: str,
    planted: str,
    command: str,
) -> None:
    """`--stack` reads settings and, for drift, the inputs of providers in the state: one sentence, exit 1, no connection."""
    config = {"linq:baseUrl": {"value": ELSEWHERE, "secret": False}} if planted == "configuration" else {}
    state = {"deployment": {"resources": [PLANTED, LINE]}}
    (tmp_path / "pulumi").write_text(
        f"#!/bin/sh\ncase $1 in\nconfig) echo '{json.dumps(config)}' ;;\n*) echo '{json.dumps(state)}' ;;\nesac\n"
    )
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(variable, KEY)
    with pytest.raises(SystemExit) as end:
        commands([command, "--stack", "dev"])
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith(f"Nothing was sent: the key comes from {variable}")
    assert elsewhere.connections == 0
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", ELSEWHERE)
    with pytest.raises(SystemExit):
        commands([command, "--stack", "dev"])
    assert "connection failed" in capsys.readouterr().err
    assert elsewhere.connections > 0
