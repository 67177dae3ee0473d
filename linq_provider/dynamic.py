"""The Pulumi skin that the engine calls: dynamic providers that translate between its dictionaries and the lifecycle.

The import path of this module and the names of its provider classes stand in every state file: never change them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
import pulumi.dynamic
from pulumi.output import Unknown as PulumiUnknown

from linq_provider.config import Settings
from linq_provider.errors import LinqError
from linq_provider.provider import host

if TYPE_CHECKING:
    from linq_provider.core.fleet import FleetLifecycle
    from linq_provider.core.fleet_records import Fleet
    from linq_provider.core.lifecycle import ForwardingLifecycle
    from linq_provider.core.records import Diff, Inputs, Outputs

_R = TypeVar("_R")
FLEET_ID = "fleet"  # the lines have ids of their own


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
        return _refused(_props(inputs), problems)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Nothing, an update, or a replacement; the new line is taken before the old one is given up."""
        diff = self._lifecycle.diff(_outputs(_olds), _inputs(_news))
        if diff.replaces:
            return pulumi.dynamic.DiffResult(changes=True, replaces=list(diff.replaces))
        return _compared(diff)

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Forward the line; its id is the phone_number_id."""
        outputs = self._lifecycle.create(_inputs(props))
        return pulumi.dynamic.CreateResult(outputs.phone_number_id, _props(outputs))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.UpdateResult:
        """Forward the line to another number."""
        return pulumi.dynamic.UpdateResult(_props(self._lifecycle.update(_outputs(_olds), _inputs(_news))))

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """The line as it is now, with the inputs that declare just that; an empty id where it is gone."""
        # Only create, update and refresh leave `declared_by`: without it this is `.get()`.
        olds = _outputs(props) if "declared_by" in props else None
        outputs = self._lifecycle.read(id_, olds)
        if outputs is None:
            return pulumi.dynamic.ReadResult("", {})
        inputs = _props(outputs.inputs) if olds else None
        return pulumi.dynamic.ReadResult(outputs.phone_number_id, _props(outputs), inputs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear the forwarding, unless the program still declares the line."""
        self._lifecycle.delete(_outputs(_props))

    @property
    def _lifecycle(self) -> ForwardingLifecycle:
        return _lifecycles.of(Settings.load(self._config)).one


class PhoneNumberForwardingsProvider(pulumi.dynamic.ResourceProvider):
    """Translates between the engine's dictionaries and `fleet`; pickled as the provider above."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return PhoneNumberForwardingsProvider, ()

    def configure(self, req: pulumi.dynamic.ConfigureRequest) -> None:
        """Runs once in the provider process; a setting that cannot be used is reported by the first verb."""
        host.settle_in()
        self._config = req.config

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> pulumi.dynamic.CheckResult:
        """The inputs to record, or every reason against them, line by line."""
        try:
            fleet, problems = self._lifecycle.check(_fleet(_olds), _fleet(news))
        except LinqError as error:
            return _refused(news, [str(error)])
        return _refused(news if problems else _props(fleet), problems)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Nothing or an update: the engine finds the changed lines itself, and shows each."""
        return _compared(self._lifecycle.diff(_fleet(_olds), _fleet(_news)))

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Forward every line."""
        return pulumi.dynamic.CreateResult(FLEET_ID, _props(self._lifecycle.create(_fleet(props))))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.UpdateResult:
        """Forward the lines that differ, and clear those that were taken out."""
        return pulumi.dynamic.UpdateResult(_props(self._lifecycle.update(_fleet(_olds), _fleet(_news))))

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """The lines as they are now, with the inputs that declare just that."""
        live = _props(self._lifecycle.read(_fleet(props)))
        return pulumi.dynamic.ReadResult(id_, live, dict(live))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear every line that the program does not declare elsewhere."""
        self._lifecycle.delete(_fleet(_props))

    @property
    def _lifecycle(self) -> FleetLifecycle:
        return _lifecycles.of(Settings.load(self._config)).many


@dataclass(frozen=True)
class _Lifecycle:
    """Of one forwarding and of many, on one account and one memory of declarations."""

    one: ForwardingLifecycle
    many: FleetLifecycle


class _Lifecycles:
    """One of them for each set of settings, shared by all providers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Settings, _Lifecycle] = {}

    def of(self, settings: Settings) -> _Lifecycle:
        with self._lock:
            if settings not in self._of:
                self._of[settings] = _new_lifecycle(settings)
            return self._of[settings]


_lifecycles = _Lifecycles()


def _new_lifecycle(settings: Settings) -> _Lifecycle:
    # Imported here, in the provider process: a program that only declares has no use for an HTTP client.
    from linq_provider.api.client import LinqClient
    from linq_provider.core.account import Account
    from linq_provider.core.concurrency import Together
    from linq_provider.core.declarations import Declarations
    from linq_provider.core.fleet import FleetLifecycle
    from linq_provider.core.lifecycle import ForwardingLifecycle

    client = LinqClient(settings)
    account, declarations = Account(client), Declarations()
    together = Together(settings.max_concurrency, notify=host.say, retries=lambda: client.retries)
    return _Lifecycle(
        ForwardingLifecycle(account, declarations, live_check=settings.live_check, notify=host.say),
        FleetLifecycle(account, declarations, live_check=settings.live_check, together=together, notify=host.say),
    )


def _inputs(props: Mapping[str, Any]) -> Inputs:
    from linq_provider.core.records import Inputs

    return _record(Inputs, props)


def _outputs(props: Mapping[str, Any]) -> Outputs:
    from linq_provider.core.records import Outputs

    return _record(Outputs, props)


def _fleet(props: Mapping[str, Any]) -> Fleet:
    from linq_provider.core.fleet_records import Fleet

    return _record(Fleet, props)


def _record(kind: type[_R], props: Mapping[str, Any]) -> _R:
    """Properties as a record, with our unknown for Pulumi's own."""
    from linq_provider.core.records import Unknown

    def ours(value: Any) -> Any:
        if isinstance(value, PulumiUnknown):
            return Unknown.UNKNOWN
        if isinstance(value, Mapping):
            # A program says False for None, which Pulumi would leave out of a map: the line would be cleared.
            return {line: None if number is False else ours(number) for line, number in value.items()}
        return tuple(map(ours, value)) if isinstance(value, list) else value

    return kind(**{name: ours(props.get(name)) for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]


def _props(record: Inputs | Outputs | Fleet) -> dict[str, Any]:
    """A record as properties: without what is not declared, and with Pulumi's own unknown for ours."""
    from linq_provider.core.records import Unknown

    unknown: Any = PulumiUnknown

    def theirs(value: Any) -> Any:
        if isinstance(value, Unknown):
            return unknown()
        if isinstance(value, Mapping):
            return {line: theirs(number) for line, number in value.items()}
        return list(map(theirs, value)) if isinstance(value, tuple) else value

    props = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {name: theirs(value) for name, value in props.items() if value is not None}


def _compared(diff: Diff) -> pulumi.dynamic.DiffResult:
    # None lets the engine find the changed inputs itself, which `replace_on_changes` needs.
    return pulumi.dynamic.DiffResult(changes=diff.cleared or (None if diff.changes else False))


def _refused(inputs: dict[str, Any], problems: list[str]) -> pulumi.dynamic.CheckResult:
    # Without a property name: the engine would print the property's value, secret or not (pulumi#19465).
    return pulumi.dynamic.CheckResult(inputs, [pulumi.dynamic.CheckFailure("", problem) for problem in problems])
