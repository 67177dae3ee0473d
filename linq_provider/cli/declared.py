"""What is declared, and where: the lines of a roster, and those in the state of a stack, by account."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linq_provider.cli.stack import load_settings, stack_resources
from linq_provider.config import EXPLICIT, Settings
from linq_provider.core.destinations import Destinations
from linq_provider.core.roster import load_roster
from linq_provider.errors import LinqError

# The types in every state file, see linq_provider/program/forwarding.py and program_fleet.py.
ONE = "pulumi-python:dynamic/linq:PhoneNumberForwarding"
FLEET = "pulumi-python:dynamic/linq:PhoneNumberForwardings"
# How the engine marks a secret in a state, and which mark says secret (sdk/go/common/resource/sig in pulumi/pulumi).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Declared:
    """One line and the number that it is declared to forward to, "" for not forwarded.

    `line` finds it: phone_number_id or phone_number. `label` is what may be shown of it, "" where it is secret.
    `by` names the resource or the file.
    """

    line: str = field(repr=False)
    label: str
    number: str = field(repr=False)
    secret: bool
    by: str


@dataclass(frozen=True)
class Account:
    """The settings that reach one account; `name` is "" for the stack's own, or that of its `linq.Provider`."""

    name: str
    settings: Settings


def declared_in(roster: Path | None, stack: str | None) -> dict[Account, list[Declared]]:
    """Everything that is declared, for each account that something is declared for, or for the only one.

    Raises:
        LinqError: the roster or the stack cannot be read.
    """
    found: dict[Account, list[Declared]] = {}
    own = Account("", load_settings(stack))
    if roster is not None:
        lines = load_roster(roster, destinations=Destinations(own.settings.allowed_forwardings))
        found[own] = [Declared(line, line, number, False, roster.name) for line, number in lines.items()]
    if stack is not None:
        for account, declared in _in_state(stack_resources(stack), own):
            found.setdefault(account, []).append(declared)
    return found or {own: []}


def _in_state(resources: list[dict[str, Any]], own: Account) -> Iterator[tuple[Account, Declared]]:
    """The declarations in a state; what `.get()` reads and what waits for its deletion is not declared."""
    providers = {
        resource["urn"]: resource for resource in resources if resource["type"].startswith("pulumi:providers:")
    }
    for resource in resources:
        if resource["type"] in (ONE, FLEET) and not resource.get("external") and not resource.get("delete"):
            urn = str(resource.get("provider", "")).rpartition("::")[0]  # what follows is the provider's id
            account = _account(providers.get(urn), own)
            for declared in _of_one(resource) if resource["type"] == ONE else _of_fleet(resource):
                yield account, declared


def _account(provider: Mapping[str, Any] | None, own: Account) -> Account:
    """The account of a provider in the state: the stack's own for the default one, which `pulumi up` configures."""
    if provider is None or _name(provider) == "default" or _name(provider).startswith("default_"):
        return own
    inputs = {key: _revealed(value)[0] for key, value in provider.get("inputs", {}).items()}
    return Account(str(inputs.get(EXPLICIT) or _name(provider)), Settings.load(inputs))


def _of_one(resource: Mapping[str, Any]) -> Iterator[Declared]:
    outputs = resource.get("outputs", {})
    number, secret = _number(outputs.get("forwarding_number"), resource)
    label, hidden = _revealed(outputs.get("phone_number", ""))
    line = str(resource["id"])  # the phone_number_id; never secret in Pulumi
    yield Declared(line, line if hidden else label, number, secret, _name(resource))


def _of_fleet(resource: Mapping[str, Any]) -> Iterator[Declared]:
    forwardings, hidden = _revealed(resource.get("outputs", {}).get("forwardings", {}))
    for line, value in forwardings.items():
        number, secret = _number(value, resource)
        yield Declared(line, "" if hidden else line, number, secret or hidden, _name(resource))


def _number(value: Any, resource: Mapping[str, Any]) -> tuple[str, bool]:
    number, secret = _revealed(value)
    if not isinstance(number, str):
        raise LinqError(
            f"The state does not say which number '{_name(resource)}' declares.",
            next_step="Run `pulumi up --refresh`, then this command again.",
        )
    return number, secret


def _revealed(value: Any) -> tuple[Any, bool]:
    """A value of a decrypted state, and whether it is secret."""
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET and "plaintext" in value:
        return json.loads(value["plaintext"]), True
    return value, False


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"]).rpartition("::")[2]
