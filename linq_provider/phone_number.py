"""PhoneNumber, the record that every layer speaks of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PhoneNumber:
    """One line of the account, as Linq lists it.

    `id` is a UUID, `phone_number` E.164, `forwarding_number` E.164 or "" where calls are not forwarded,
    `line_type` "iMessage" or "RCS". Source: `GET /v3/phone_numbers` of Linq's API reference.
    """

    id: str
    phone_number: str
    forwarding_number: str
    line_type: str | None = None
