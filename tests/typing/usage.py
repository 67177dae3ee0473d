"""Typical programs for the type checkers: never run, only checked by tests/unit/test_typing.py."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from typing_extensions import assert_type

import linq_provider as linq
from linq_provider.emulator import Emulator

config = pulumi.Config()

line = linq.PhoneNumberForwarding(
    "line",
    phone_number="+12025550100",
    forwarding_number=config.require_secret("number"),
    overwrite=True,
    removed="restore",
    opts=pulumi.ResourceOptions(protect=True),
)
assert_type(line.replaced_number, pulumi.Output[str | None])
assert_type(line.forwarding_number, pulumi.Output[str])
assert_type(line.phone_number_id, pulumi.Output[str])
assert_type(line.phone_number, pulumi.Output[str])
by_output = linq.PhoneNumberForwarding("late", phone_number_id=line.id, forwarding_number=line.phone_number)
assert_type(linq.PhoneNumberForwarding.get("seen", "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"), linq.PhoneNumberForwarding)

fleet = linq.PhoneNumberForwardings(
    "fleet",
    forwardings={"+12025550100": "+12025559999", "+12025550101": line.forwarding_number},
    overwrite=["+12025550100"],
    removed="keep",
    allow_clearing=7,
)
assert_type(fleet.forwardings, pulumi.Output[Mapping[str, str]])
assert_type(fleet.replaced_numbers, pulumi.Output[Mapping[str, str] | None])
linq.PhoneNumberForwardings("late-fleet", forwardings=line.id.apply(lambda _: {"+12025550100": ""}))
linq.PhoneNumberForwardings("of-a-file", forwardings=linq.load_roster("lines.yaml"), overwrite=False)
roster = linq.ForwardingRoster("lines", file="lines.yaml", allow_clearing=config.get_int("clear"))
assert_type(roster.forwardings, pulumi.Output[Mapping[str, str]])

emea = linq.Provider("emea", api_key=config.require_secret("emeaKey"), timeout=30, live_check=False)
linq.Provider("us", api_key=config.require_secret("usKey"), allowed_forwardings=["US", "+4930"])
linq.PhoneNumberForwarding(
    "london", phone_number="+442071838750", forwarding_number="", opts=pulumi.ResourceOptions(provider=emea)
)

assert_type(linq.get_phone_numbers(), list[linq.PhoneNumber])
found = linq.get_phone_number("+12025550100", api_key="key", base_url="http://127.0.0.1:1")
assert_type(found.line_type, str | None)
assert_type(found.forwarding_number, str)

try:
    linq.load_roster("lines.csv")
except linq.RateLimitError as error:
    assert_type(error.retry_after, float | None)
except linq.LinqError as error:
    assert_type(error.next_step, str)

with Emulator(numbers=3) as emulator:
    assert_type(emulator.url, str)
    assert_type(emulator.api_key, str)

# The type checkers must report these errors.
linq.PhoneNumberForwarding("x", phone_number="+12025550100")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
linq.PhoneNumberForwardings("x", forwardings={1: ""})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
