"""The forwardings in the state of a stack: what each declares, and in which account."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from linq_provider.config import EXPLICIT, Settings
from linq_provider.errors import LinqError

# The pickle of every dynamic provider of this package contains its module's name. The pickle is searched for that name
# and never loaded, because somebody who can write a state could run code on the machine that loads it.
MODULE = b"linq_provider.dynamic"
NAMES = ("PhoneNumberForwarding", "PhoneNumberForwardings")
TYPES = {f"{package}:{name}" for package in ("pulumi-python:dynamic/linq", "linq:index") for name in NAMES}
PROVIDERS = "pulumi:providers:"
# The key and the value with which the engine marks a secret in a state (sdk/go/common/resource/sig in pulumi/pulumi),
# and its mark for an unknown value (sdk/go/common/resource/plugin/rpc.go).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
REFRESH = "Run `pulumi up --refresh`, then this command again."


@dataclass(frozen=True)
class Declared:
    """One line and the number that it is declared to forward to, "" for not forwarded.

    `line` identifies it: phone_number_id or phone_number. `label` is a name that may be shown, "" if it is secret.
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


class State:
    """The resources of a stack, as `pulumi stack export --show-secrets` shows them."""

    def __init__(self, resources: Sequence[Mapping[str, Any]], own: Account) -> None:
        self._resources = resources
        self._providers = {_reference(each): each for each in resources if each["type"].startswith(PROVIDERS)}
        self._own = own

    def declarations(self) -> Iterator[tuple[Account, Declared]]:
        """Every declared line, without resources of `.get()` and those that wait for deletion."""
        for resource in self._resources:
            if _is_forwarding(resource) and not resource.get("external") and not resource.get("delete"):
                account = self._account_of(resource)
                for declared in _declared_by(resource):
                    yield account, declared

    def accounts(self) -> Iterator[Account]:
        """The account of every provider that a program declared for Linq, whether or not a resource uses it."""
        for provider in self._providers.values():
            if not provider.get("delete") and any(key.startswith("linq:") for key in _settings(provider)):
                account = self._account(provider)
                if account != self._own:
                    yield account

    def _account_of(self, resource: Mapping[str, Any]) -> Account:
        reference = resource.get("provider")
        if not reference:
            return self._own
        if reference not in self._providers:
            raise LinqError(
                f"The state does not say in which account '{_name(resource)}' is: its provider is missing.",
                next_step=REFRESH,
            )
        return self._account(self._providers[reference])

    def _account(self, provider: Mapping[str, Any]) -> Account:
        """The account of a provider; our own for the default provider, whose recorded settings are of the last `up`."""
        settings = _settings(provider)
        by_the_engine = "parent" not in provider and EXPLICIT not in settings  # a provider of the program has a parent
        if by_the_engine and _name(provider).startswith("default"):
            return self._own
        return Account(str(settings.get(EXPLICIT) or _name(provider)), Settings.load(settings))


def _settings(provider: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a provider, under the keys of a stack's configuration."""
    namespace = "linq:" if provider["type"] == f"{PROVIDERS}linq" else ""
    return {namespace + key: _revealed(value)[0] for key, value in (provider.get("inputs") or {}).items()}


def _is_forwarding(resource: Mapping[str, Any]) -> bool:
    """Whether a resource is a forwarding, by its type, the class of its provider, or its outputs.

    A subclass in the program can have any type, and its provider class need not name our module.
    """
    outputs = resource.get("outputs") or {}
    if resource["type"] in TYPES or any(map(_names_our_module, (outputs, resource.get("inputs") or {}))):
        return True
    if not resource["type"].startswith("pulumi-python:dynamic"):
        return False
    one = _revealed(outputs.get("phone_number_id"))[0] == resource.get("id") and "phone_number" in outputs
    return ("forwarding_number" in outputs and one) or ("forwardings" in outputs and resource.get("id") == "fleet")


def _names_our_module(properties: Mapping[str, Any]) -> bool:
    pickled = _revealed(properties.get("__provider"))[0]
    try:
        return MODULE in base64.b64decode(pickled or "")
    except (TypeError, ValueError):
        return False


def _declared_by(resource: Mapping[str, Any]) -> Iterator[Declared]:
    """What the stack wrote last; after a refresh found another number, `applied_number`, which is always secret."""
    outputs, name = resource.get("outputs") or {}, _name(resource)
    if "forwardings" in outputs:
        yield from _declared_by_fleet(outputs, name)
        return
    line = str(resource.get("id", ""))  # the phone_number_id; never secret in Pulumi
    label, hidden = _revealed(_output(outputs, "phone_number") or line)
    applied = _output(outputs, "applied_number")
    number, secret = _number(_output(outputs, "forwarding_number") if applied is None else applied, name)
    yield Declared(line, line if hidden else label, number, secret, name)


def _declared_by_fleet(outputs: Mapping[str, Any], name: str) -> Iterator[Declared]:
    forwardings, hidden = _revealed(outputs["forwardings"])
    applied, _ = _revealed(_output(outputs, "applied_numbers") or {})
    if not isinstance(forwardings, Mapping) or not isinstance(applied, Mapping):
        raise _not_recorded(name)
    for line, value in forwardings.items():
        number, secret = _number(applied.get(line, value), name)
        yield Declared(line, "" if hidden else line, number, secret or hidden or line in applied, name)


def _output(outputs: Mapping[str, Any], name: str) -> Any:
    """An output of a dynamic resource, or of a native one, whose names are in camel case."""
    first, *rest = name.split("_")
    return outputs.get(name, outputs.get(first + "".join(map(str.capitalize, rest))))


def _number(value: Any, name: str) -> tuple[str, bool]:
    number, secret = _revealed(value)
    if not isinstance(number, str) or number == UNKNOWN:
        raise _not_recorded(name)
    return number, secret


def _not_recorded(name: str) -> LinqError:
    return LinqError(f"The state does not say which number '{name}' declares.", next_step=REFRESH)


def _revealed(value: Any) -> tuple[Any, bool]:
    """A value of a decrypted state, and whether it is secret."""
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET and "plaintext" in value:
        with suppress(TypeError, ValueError):
            return json.loads(value["plaintext"]), True
        return None, True
    return value, False


def _reference(provider: Mapping[str, Any]) -> str:
    return f"{provider['urn']}::{provider.get('id')}"


def _name(resource: Mapping[str, Any]) -> str:
    """The name in a URN, after stack, project and types; a name may contain `::`."""
    return str(resource["urn"]).split("::", 3)[-1]
