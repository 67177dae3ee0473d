"""The floor: a dynamic resource that does nothing, with the inputs and outputs of `linq.PhoneNumberForwarding`.

In a separate module and pickled by reference, like ours: one that is written in the program is pickled as a whole,
again for each resource, and fails in the SDK's pickler after some hundred of them.
"""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult


class NoopProvider(ResourceProvider):
    """Says yes to everything."""

    serialize_as_secret_always = False

    def __reduce__(self) -> tuple[Any, ...]:
        return NoopProvider, ()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the one input that changes."""
        return DiffResult(changes=_olds["forwarding_number"] != _news["forwarding_number"])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Give the id that the line of this number has."""
        phone_number_id = f"00000000-0000-4000-8000-{props['phone_number'][-5:]:>012}"
        return CreateResult(phone_number_id, _outputs(phone_number_id, props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Return what was declared."""
        return UpdateResult(_outputs(_id, _news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was recorded."""
        return ReadResult(id_, props)


def _outputs(phone_number_id: str, props: dict[str, Any]) -> dict[str, Any]:
    return {**props, "phone_number_id": phone_number_id, "declared_by": "phone_number"}


class Noop(Resource, module="noop", name="Noop"):
    """A line that exists nowhere."""

    def __init__(self, name: str, *, phone_number: str, forwarding_number: str) -> None:
        props = {"phone_number": phone_number, "forwarding_number": forwarding_number}
        super().__init__(NoopProvider(), name, {**props, "phone_number_id": None, "replaced_number": None})
