"""PhoneNumber, the record that every layer uses."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class PhoneNumber:
    """One line of the account, as Linq lists it.

    `id` is a UUID, `phone_number` E.164, `forwarding_number` E.164 or "" if calls are not forwarded,
    `line_type` "iMessage" or "RCS". Source: `GET /v3/phone_numbers` of Linq's API reference.
    """

    id: str
    phone_number: str
    forwarding_number: str
    line_type: str | None = None


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form, in capitals or lower case."""
    try:
        return text.isascii() and str(UUID(text)) == text.lower()
    except ValueError:
        return False
