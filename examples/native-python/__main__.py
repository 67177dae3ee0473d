"""Forward two lines with the native package."""

import pulumi
import pulumi_linq as linq

support_line = linq.PhoneNumberForwarding(
    "supportLine",
    phone_number="+12025550100",
    forwarding_number="+12025559999",
)

linq.PhoneNumberForwardings("branches", forwardings={"+12025550101": "+12025559999"})

pulumi.export("forwardsTo", support_line.forwarding_number)
