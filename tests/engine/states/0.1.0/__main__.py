"""Five lines: one named by its number, one by its id, one with everything else, and a fleet of two."""

import pulumi

import linq_provider as linq

linq.PhoneNumberForwarding("by-number", phone_number="+12025550100", forwarding_number="+12025559991")
linq.PhoneNumberForwarding("by-id", phone_number_id="932850b4-ebb0-5582-a8b6-0d86fc69249e", forwarding_number="+12025559992")
linq.PhoneNumberForwarding(
    "secret",
    phone_number="+12025550102",
    forwarding_number=pulumi.Output.secret("+12025559993"),
    overwrite=True,
)
linq.PhoneNumberForwardings(
    "fleet",
    forwardings={"+12025550103": "+12025559994", "046ab68f-7832-56aa-87f9-c4c994a73161": pulumi.Output.secret("+12025559995")},
    overwrite=["046ab68f-7832-56aa-87f9-c4c994a73161"],
    allow_clearing=7,
)
