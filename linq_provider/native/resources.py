"""The two resources: how what the engine holds of each becomes a record, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linq_provider.core.e164 import is_uuid
from linq_provider.core.records import Fleet, Inputs, Outputs, Unknown
from linq_provider.errors import RefusedError
from linq_provider.native.values import OLD_FORM
from linq_provider.provider.properties import camel, record_from, to_properties, with_secrets
from linq_provider.provider.session import Session

Props = Mapping[str, Any]
Read = tuple[str, Props, Props]  # id, outputs, inputs
WHOLE_ACCOUNT = "*"
LOOK_UP = "See the account's lines with `linq-provider numbers`."


class PhoneNumberForwarding:
    """One line. Its inputs say how the line is declared, its outputs what is recorded of it."""

    identities: tuple[str, ...] = ("phoneNumberId", "phoneNumber")

    def lifecycle(self, session: Session) -> Any:
        """The verbs of a line."""
        return session.forwarding

    def inputs(self, props: Props) -> Inputs:
        """What the program declares."""
        found = record_from(Inputs, props)
        return replace(found, phone_number_id=_lower(found.phone_number_id))

    def outputs(self, props: Props, inputs: Props) -> Outputs:
        """What the state records."""
        declared = self.inputs(inputs)
        given = {name: getattr(declared, name) for name in ("declared_by", "overwrite", "removed")}
        return record_from(Outputs, {**given, **props})

    def is_state(self, props: Props) -> bool:
        """Whether these are the outputs of a line, and not the inputs of a program."""
        return all(name in props for name in self.identities)

    def properties(self, outputs: Outputs) -> dict[str, Any]:
        """What the state is to record."""
        return _properties(outputs, *self.identities, "forwardingNumber", "appliedNumber", "replacedNumber")

    def planned(self, olds: Props, news: Props) -> dict[str, Any]:
        """What is known of the outputs before the run."""
        known = with_secrets({name: olds[name] for name in (*self.identities, "replacedNumber") if name in olds})
        given = {name: _lower(news[name]) for name in (*self.identities, "forwardingNumber") if name in news}
        return dict.fromkeys(self.identities, Unknown.UNKNOWN) | known | given

    def read(self, session: Session, props: Props, inputs: Props) -> Read | None:
        """The line as it is now, with the inputs that declare just that."""
        outputs = session.forwarding.read(self.outputs(props, inputs))
        if outputs is None:
            return None
        return outputs.id, self.properties(outputs), {**inputs, "forwardingNumber": outputs.forwarding_number}

    def find(self, session: Session, id_: str) -> Read:
        """A line that no state knows, by its id or its number, to import it."""
        line = session.forwarding.get(_lower(id_))
        if line is None:
            raise RefusedError(f"This key sees no line {id_}.", next_step=LOOK_UP)
        name = self.identities[line.id != _lower(id_)]
        outputs = Outputs(line.id, line.phone_number, line.forwarding_number, "")
        return line.id, self.properties(outputs), {name: _lower(id_), "forwardingNumber": line.forwarding_number}


class PhoneNumberForwardings:
    """Many lines as one resource."""

    identities: tuple[str, ...] = ()

    def lifecycle(self, session: Session) -> Any:
        """The verbs of a fleet."""
        return session.fleet

    def inputs(self, props: Props) -> Fleet:
        """What the program declares, with the ids of lines in lower case."""
        found = record_from(Fleet, props)
        chosen = record_from(Fleet, {"overwrite": props.get("overwriteLines", props.get("overwrite"))}).overwrite
        if isinstance(chosen, tuple):
            chosen = True if found.overwrite is True else tuple(map(_lower, chosen))
        lines = found.forwardings
        return replace(
            found, forwardings=_lower_keys(lines), overwrite=chosen, applied_numbers=None, replaced_numbers=None
        )

    def outputs(self, props: Props, inputs: Props) -> Fleet:
        """What the state records."""
        recorded = record_from(Fleet, props)
        return replace(
            self.inputs(inputs),
            forwardings=_lower_keys(recorded.forwardings),
            applied_numbers=recorded.applied_numbers,
            replaced_numbers=recorded.replaced_numbers,
        )

    def is_state(self, props: Props) -> bool:
        """Whether these are the outputs of a fleet, and not nothing."""
        return "forwardings" in props

    def properties(self, outputs: Fleet) -> dict[str, Any]:
        """What the state is to record."""
        return _properties(outputs, "forwardings", "appliedNumbers", "replacedNumbers")

    def planned(self, _olds: Props, news: Props) -> dict[str, Any]:
        """What is known of the outputs before the run."""
        return {"forwardings": _lower_keys(news.get("forwardings"))}

    def read(self, session: Session, props: Props, inputs: Props) -> Read | None:
        """The lines as they are now, with the inputs that declare just that."""
        outputs = session.fleet.read(self.outputs(props, inputs))
        return outputs.id, self.properties(outputs), self.declaring(outputs.lines, inputs)

    def find(self, session: Session, id_: str) -> Read:
        """Every line of the account, to import them all."""
        if id_ != WHOLE_ACCOUNT:
            raise RefusedError(
                f"A fleet cannot be read by the id {id_}.",
                next_step=f"Import it with the id '{WHOLE_ACCOUNT}': every line that the key sees.",
            )
        lines = session.account.lines()
        rows = Counter(line.phone_number for line in lines)
        names = {line.id: line.phone_number if rows[line.phone_number] == 1 else line.id for line in lines}
        outputs = Fleet({names[line.id]: line.forwarding_number for line in lines})
        return outputs.id, self.properties(outputs), {"forwardings": outputs.lines}

    def declaring(self, lines: Mapping[str, Any], inputs: Props) -> Props:
        """These inputs with just these lines, each named as it was."""
        names = {_lower(name): name for name in inputs.get("forwardings", {})}
        return {**inputs, "forwardings": {names.get(line, line): number for line, number in lines.items()}}


KINDS: Mapping[str, Any] = {
    "linq:index:PhoneNumberForwarding": PhoneNumberForwarding(),
    "linq:index:PhoneNumberForwardings": PhoneNumberForwardings(),
}


def in_new_form(props: Props) -> dict[str, Any]:
    """Properties with the names of the schema; those of a dynamic resource have others."""
    return {camel(name): value for name, value in props.items() if name != OLD_FORM}


def _properties(record: Outputs | Fleet, *names: str) -> dict[str, Any]:
    found = to_properties(record, unknown=lambda: Unknown.UNKNOWN, spell=camel)
    return with_secrets({name: found[name] for name in names if name in found})


def _lower(line: Any) -> Any:
    """A line's name; of an id, the letters are the same in any case."""
    return line.lower() if isinstance(line, str) and is_uuid(line.lower()) else line


def _lower_keys(lines: Any) -> Any:
    if not isinstance(lines, Mapping):
        return lines
    lowered = {_lower(line): number for line, number in lines.items()}
    if len(lowered) < len(lines):
        raise RefusedError(
            "forwardings names a phone_number_id twice, in capitals and in lower case.",
            next_step="Remove one of the two.",
        )
    return lowered
