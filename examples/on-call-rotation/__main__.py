"""The on-call line, forwarded to the person who is on call today. Run by a schedule, once a day."""

from datetime import date, datetime, timezone

import pulumi
from rota import shift_of

import linq_provider as linq

given = pulumi.Config().get("today")

try:
    today = date.fromisoformat(given) if given else datetime.now(timezone.utc).date()
    shift = shift_of(today, "rota.yaml")
except ValueError as error:
    raise pulumi.RunError(str(error)) from None  # shown as one sentence, without a traceback

line = linq.PhoneNumberForwarding("on-call", phone_number=shift.line, forwarding_number=shift.number)

pulumi.export("on_call", shift.person)
pulumi.export("forwards_to", line.forwarding_number)
