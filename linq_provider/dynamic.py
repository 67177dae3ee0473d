"""The dynamic providers that the engine unpickles: they translate between its dictionaries and the lifecycles.

Every state file contains the import path of this module and the names of its provider classes: never change them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi
import pulumi.dynamic
from pulumi.output import Unknown as PulumiUnknown

from linq_provider.config import Settings
from linq_provider.core.account import LOOK_UP
from linq_provider.core.records import Fleet, Inputs, Outputs
from linq_provider.errors import FleetError, LinqError, RefusedError, listed
from linq_provider.provider import host
from linq_provider.provider.properties import DYNAMIC, R, camel, record_from, to_properties, with_secrets

if TYPE_CHECKING:
    from linq_provider.provider.session import Session


class _Provider(pulumi.dynamic.ResourceProvider):
    """The verbs of both resources.

    Pickled by reference and without any attribute: a state file contains only the name of the class.
    """

    serialize_as_secret_always = False
    _inputs: ClassVar[type[Any]]
    _outputs: ClassVar[type[Any]]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def configure(self, req: pulumi.dynamic.ConfigureRequest) -> None:
        """Runs once in the provider process; an unusable setting is reported by the first verb."""
        host.install_hooks()
        self._config = req.config

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> pulumi.dynamic.CheckResult:
        """The inputs to record, or everything that is wrong with them."""
        try:
            inputs, problems = self._lifecycle.check(from_pulumi(self._inputs, _olds), from_pulumi(self._inputs, news))
        except LinqError as error:
            inputs, problems = None, [str(error)]
        # Without a property name: the engine would print the property's value, secret or not (pulumi#19465).
        failures = [pulumi.dynamic.CheckFailure("", problem) for problem in problems]
        return pulumi.dynamic.CheckResult(news if failures else to_pulumi(inputs), failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """No change, an update, or a replacement that forwards the new line before it gives up the old one."""
        diff = self._lifecycle.diff(self._recorded(_olds, _news), from_pulumi(self._inputs, _news))
        if diff.replaces:
            return pulumi.dynamic.DiffResult(changes=True, replaces=list(diff.replaces))
        if not diff.changes and DYNAMIC not in _olds:  # a native resource: update records it in our form
            return pulumi.dynamic.DiffResult(changes=True)
        # None lets the engine find the changed inputs itself, which `replace_on_changes` needs.
        return pulumi.dynamic.DiffResult(changes=diff.cleared or (None if diff.changes else False))

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Forward what is declared."""
        with _nothing_recorded(Fleet()):
            outputs = self._lifecycle.create(from_pulumi(self._inputs, props))
        return pulumi.dynamic.CreateResult(outputs.id, with_secrets(to_pulumi(outputs)))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.UpdateResult:
        """Forward what changed."""
        olds, news = self._recorded(_olds, _news), from_pulumi(self._inputs, _news)
        if DYNAMIC not in _olds and not self._lifecycle.diff(olds, news).changes:
            return pulumi.dynamic.UpdateResult(with_secrets(to_pulumi(olds)))
        with _nothing_recorded(olds):
            outputs = self._lifecycle.update(olds, news)
        return pulumi.dynamic.UpdateResult(with_secrets(to_pulumi(outputs)))

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """What is forwarded now, with the inputs that declare exactly that; an empty id if the line is gone."""
        outputs = self._lifecycle.read(from_pulumi(self._outputs, props))
        if outputs is None:
            return pulumi.dynamic.ReadResult("", {})
        return pulumi.dynamic.ReadResult(outputs.id, with_secrets(to_pulumi(outputs)), to_pulumi(outputs.inputs))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Clear, keep or restore what is forwarded, unless the program still declares it."""
        self._lifecycle.delete(from_pulumi(self._outputs, _props))

    def _recorded(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Any:
        """What the state records; the native package leaves out of its outputs what its inputs already say."""
        if DYNAMIC not in olds:
            missing = {name: value for name, value in news.items() if camel(name) not in olds}
            declared_by = from_pulumi(Inputs, news).declared_by
            olds = {"declared_by": declared_by, **missing, **olds}
        return from_pulumi(self._outputs, olds)

    @cached_property
    def _session(self) -> Session:
        # Imported here, in the provider process: a program that only declares does not need an HTTP client.
        from linq_provider.provider.session import session

        return session(Settings.load(self._config), host.engine_address(), host.print_info)

    @property
    def _lifecycle(self) -> Any:
        raise NotImplementedError


class PhoneNumberForwardingProvider(_Provider):
    """One line."""

    _inputs, _outputs = Inputs, Outputs

    def read(self, id_: str, props: dict[str, Any]) -> pulumi.dynamic.ReadResult:
        """As above; also for `.get()`, whose resources lack the `declared_by` that create and update record."""
        if props.get("declared_by"):  # 0.1.0 recorded "" for `.get()`
            return super().read(id_, props)
        line = self._session.forwarding.get(id_.lower())
        if line is not None:
            outputs = Outputs(line.id, line.phone_number, line.forwarding_number, declared_by="")
            return pulumi.dynamic.ReadResult(line.id, to_pulumi(outputs))
        if "phone_number" in props:  # a refresh of an earlier `.get()`
            return pulumi.dynamic.ReadResult("", {})
        raise RefusedError(f"This key sees no line {id_}.", next_step=LOOK_UP)

    @property
    def _lifecycle(self) -> Any:
        return self._session.forwarding


class PhoneNumberForwardingsProvider(_Provider):
    """Many lines."""

    _inputs = _outputs = Fleet

    @property
    def _lifecycle(self) -> Any:
        return self._session.fleet


@contextmanager
def _nothing_recorded(olds: Fleet) -> Iterator[None]:
    """If a fleet fails, say what no state records: a dynamic provider cannot record it in part."""
    try:
        yield
    except FleetError as error:
        added = sorted(line for line in error.forwardings if line not in olds.lines)
        if added and olds.lines:
            error.next_step += (
                " If you go back to the old program instead, check these new lines by hand, because they are not in the"
                f" state: {listed(added)}."
            )
        forgotten = [
            f"{line} ({number or 'not forwarded'})"
            for line, number in sorted(error.replaced_numbers.items())
            if line not in (olds.replaced_numbers or {}) and number != error.forwardings.get(line)
        ]
        if forgotten:
            host.print_info(f"The state does not record the earlier numbers of these lines: {listed(forgotten)}.")
        raise


def from_pulumi(kind: type[R], props: Mapping[str, Any]) -> R:
    """Properties as a record, with our unknown for Pulumi's own."""
    return record_from(kind, props, unknown=PulumiUnknown)


def to_pulumi(record: Inputs | Outputs | Fleet) -> dict[str, Any]:
    """A record as properties, with Pulumi's own unknown for ours."""
    return to_properties(record, unknown=PulumiUnknown)
