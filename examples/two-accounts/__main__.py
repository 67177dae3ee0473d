"""Lines of two Linq accounts in one stack: the stack's own, and another one for Europe."""

import pulumi

import linq_provider as linq

config = pulumi.Config()

# A provider inherits nothing from the stack or the environment: each account is given its own key.
emea = linq.Provider(
    "emea",
    api_key=config.require_secret("emeaKey"),
    base_url=config.get("emeaBaseUrl"),  # only set to try it out against an emulator
)

americas_support = linq.PhoneNumberForwarding(
    "americas-support",
    phone_number="+12025550100",
    forwarding_number="+12025550190",
)
emea_support = linq.PhoneNumberForwarding(
    "emea-support",
    phone_number="+12025550101",
    forwarding_number="+12025550191",
    opts=pulumi.ResourceOptions(provider=emea),
)

pulumi.export("americas", americas_support.forwarding_number)
pulumi.export("emea", emea_support.forwarding_number)
