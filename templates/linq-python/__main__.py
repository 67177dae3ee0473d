"""Where calls to one Linq line are forwarded."""

import pulumi

import linq_provider as linq

config = pulumi.Config()

line = linq.PhoneNumberForwarding(
    "support-line",
    phone_number=config.require("line"),
    forwarding_number=config.require("forwardTo"),
)
pulumi.export("forwards_to", line.forwarding_number)
