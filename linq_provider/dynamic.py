"""The Pulumi skin that the engine calls: dynamic providers that translate between its dictionaries and the lifecycle.

The import path of this module and the names of its provider classes stand in every state file: never change them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi.dynamic
from pulumi.output import Unknown as PulumiUnknown

from linq_provider import host
from linq_provider.config import Settings
from linq_provider.errors import LinqError

if TYPE_CHECKING:
    from linq_provider.forwarding import Inputs, Outputs
    from linq_provider.lifecycle import ForwardingLifecycle


class PhoneNumberForwardingProvider(pulumi.dynamic.ResourceProvider):
    """Translates between the engine's dictionaries and `lifecycle`.

    Pickled by reference and without any attribute: there is nothing in a state file but its name.
    """

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return PhoneNumberForwardingProvider, ()

    def configure(self, req: pulumi.dynamic.ConfigureRequest) -> None:
        """Runs once in the provider process; a setting that cannot be used is reported by the first verb."""
        host.settle_in()
        self._config = req.config

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> pulumi.dynamic.CheckResult:
        """The inputs to record, or every reason against them."""
        try:
            inputs, problems = self._lifecycle.check(_inputs(_olds), _inputs(news))
        except LinqError as error:
            return _refused(news, [str(error)])
        return _refused(_known(inputs), problems)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Nothing, an update, or a replacement; the new line is taken before the old one is given up."""
        diff = self._lifecycle.diff(_outputs(_olds), _inputs(_news))
        if diff.replaces:
            return pulumi.dynamic.DiffResult(changes=True, replaces=list(diff.replaces))
        # None lets the engine find the changed inputs itself, which `replace_on_changes` needs.
        return pulumi.dynamic.DiffResult(changes=None if diff.changes else False)

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Forward the line; its id is the phone_number_id."""
        outputs = self._lifecycle.create(_inputs(props))
        return pulumi.dynamic.CreateResult(outputs.phone_number_id, _known(outputs))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.UpdateResult:
        """Forward the line to another number."""
        return pulumi.dynamic.UpdateResult(_known(self._lifecycle.update(_outputs(_olds), _inputs(_news))))

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """The line as it is now, with the inputs that declare just that; an empty id where it is gone."""
        # Only create, update and refresh leave `declared_by`: without it this is `.get()`.
        olds = _outputs(props) if "declared_by" in props else None
        outputs = self._lifecycle.read(id_, olds)
        if outputs is None:
            return pulumi.dynamic.ReadResult("", {})
        inputs = _known(outputs.inputs) if olds else None
        return pulumi.dynamic.ReadResult(outputs.phone_number_id, _known(outputs), inputs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear the forwarding, unless the program still declares the line."""
        self._lifecycle.delete(_outputs(_props))

    @property
    def _lifecycle(self) -> ForwardingLifecycle:
        return _lifecycles.of(Settings.load(self._config))


class _Lifecycles:
    """One account and one memory of declarations for each set of settings, shared by all providers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Settings, ForwardingLifecycle] = {}

    def of(self, settings: Settings) -> ForwardingLifecycle:
        with self._lock:
            if settings not in self._of:
                self._of[settings] = _new_lifecycle(settings)
            return self._of[settings]


_lifecycles = _Lifecycles()


def _new_lifecycle(settings: Settings) -> ForwardingLifecycle:
    # Imported here, in the provider process: a program that only declares has no use for an HTTP client.
    from linq_provider.account import Account
    from linq_provider.client import LinqClient
    from linq_provider.declarations import Declarations
    from linq_provider.lifecycle import ForwardingLifecycle

    account = Account(LinqClient(settings))
    return ForwardingLifecycle(account, Declarations(), live_check=settings.live_check, notify=host.say)


def _inputs(props: Mapping[str, Any]) -> Inputs:
    from linq_provider.forwarding import Inputs, Unknown

    def value(name: str) -> Any:
        given = props.get(name)
        return Unknown.UNKNOWN if isinstance(given, PulumiUnknown) else given

    return Inputs(**{name: value(name) for name in Inputs.__dataclass_fields__})


def _outputs(props: Mapping[str, Any]) -> Outputs:
    from linq_provider.forwarding import Outputs

    kept: dict[str, Any] = {name: props.get(name) for name in Outputs.__dataclass_fields__}
    return Outputs(**kept)


def _known(record: Inputs | Outputs) -> dict[str, Any]:
    """As properties: without what is not declared, and Pulumi's own unknown for ours."""
    from linq_provider.forwarding import Unknown

    unknown: Any = PulumiUnknown
    props = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {k: unknown() if isinstance(v, Unknown) else v for k, v in props.items() if v is not None}


def _refused(inputs: dict[str, Any], problems: list[str]) -> pulumi.dynamic.CheckResult:
    # Without a property name: the engine would print the property's value, secret or not (pulumi#19465).
    return pulumi.dynamic.CheckResult(inputs, [pulumi.dynamic.CheckFailure("", problem) for problem in problems])
