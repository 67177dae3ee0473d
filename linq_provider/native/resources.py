"""The two resources: converts their properties in the engine to records, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linq_provider.core.records import Fleet, Inputs, Outputs, Unknown, lower_id, lower_ids
from linq_provider.provider.properties import DYNAMIC, camel, record_from, to_properties, with_secrets

Props = Mapping[str, Any]


class PhoneNumberForwarding:
    """One line. The outputs are recorded without what the inputs already say."""

    lifecycle = "forwarding"
    identities: tuple[str, ...] = ("phoneNumberId", "phoneNumber")
    recorded: tuple[str, ...] = identities  # properties that have all of these come from a state

    def inputs(self, props: Props) -> Inputs:
        """What the program declares."""
        found = record_from(Inputs, props)
        return replace(found, phone_number_id=lower_id(found.phone_number_id))

    def outputs(self, props: Props, inputs: Props) -> Outputs:
        """What the state records."""
        declared = self.inputs(inputs)
        given = {name: getattr(declared, name) for name in ("declared_by", "overwrite", "removed")}
        return record_from(Outputs, {**given, **props})

    def properties(self, outputs: Outputs, _inputs: Props) -> dict[str, Any]:
        """The properties to record."""
        return _properties(outputs, *self.identities, "forwardingNumber", "appliedNumber", "replacedNumber")

    def planned(self, olds: Props, news: Props) -> dict[str, Any]:
        """The outputs as far as preview knows them."""
        known = with_secrets({name: olds[name] for name in (*self.identities, "replacedNumber") if name in olds})
        given = {name: lower_id(news[name]) for name in (*self.identities, "forwardingNumber") if name in news}
        return dict.fromkeys(self.identities, Unknown.UNKNOWN) | known | given

    def declaring(self, outputs: Outputs, inputs: Props) -> Props:
        """These inputs, changed to declare what is recorded; the line keeps the name that they give it."""
        named = inputs or {camel(outputs.declared_by): getattr(outputs, outputs.declared_by)}
        return {**named, "forwardingNumber": outputs.forwarding_number}


class PhoneNumberForwardings:
    """Many lines as one resource."""

    lifecycle = "fleet"
    identities: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ("forwardings",)

    def inputs(self, props: Props) -> Fleet:
        """What the program declares, with the ids of lines in lower case."""
        found = record_from(Fleet, props)
        chosen = record_from(Fleet, {"overwrite": props.get("overwriteLines", props.get("overwrite"))}).overwrite
        if isinstance(chosen, tuple):
            chosen = True if found.overwrite is True else tuple(map(lower_id, chosen))
        forwardings = _lower_keys(found.forwardings)
        return replace(found.inputs, forwardings=forwardings, overwrite=chosen)

    def outputs(self, props: Props, inputs: Props) -> Fleet:
        """What the state records."""
        recorded = record_from(Fleet, props)
        return replace(
            self.inputs(inputs),
            forwardings=_lower_keys(recorded.forwardings),
            applied_numbers=recorded.applied_numbers,
            replaced_numbers=recorded.replaced_numbers,
        )

    def properties(self, outputs: Fleet, inputs: Props) -> dict[str, Any]:
        """The properties to record, with the declared names: the engine tracks by them which numbers are secret."""
        found = _properties(outputs, "forwardings", "appliedNumbers", "replacedNumbers")
        return found | {"forwardings": self.declaring(outputs, inputs)["forwardings"]}

    def planned(self, _olds: Props, news: Props) -> dict[str, Any]:
        """The outputs as far as preview knows them."""
        return {"forwardings": news.get("forwardings")}

    def declaring(self, outputs: Fleet, inputs: Props) -> Props:
        """These inputs, changed to declare exactly the recorded lines; each keeps the name that they give it."""
        names = {lower_id(name): name for name in inputs.get("forwardings", {})}
        return {**inputs, "forwardings": {names.get(line, line): number for line, number in outputs.lines.items()}}


KINDS: Mapping[str, Any] = {
    "linq:index:PhoneNumberForwarding": PhoneNumberForwarding(),
    "linq:index:PhoneNumberForwardings": PhoneNumberForwardings(),
}


def in_new_form(props: Props) -> dict[str, Any]:
    """Properties, also of a dynamic resource, with the names of the schema."""
    return {camel(name): value for name, value in props.items() if name != DYNAMIC}


def _properties(record: Outputs | Fleet, *names: str) -> dict[str, Any]:
    found = to_properties(record, unknown=lambda: Unknown.UNKNOWN, spell=camel)
    return with_secrets({name: found[name] for name in names if name in found})


def _lower_keys(lines: Any) -> Any:
    return lower_ids(lines) if isinstance(lines, Mapping) else lines
