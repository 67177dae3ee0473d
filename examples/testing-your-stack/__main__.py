"""The stack under test: a support line, and a sales line that is only forwarded out of hours."""

import pulumi

import linq_provider as linq

config = pulumi.Config()
out_of_hours = config.get_bool("outOfHours") or False

linq.PhoneNumberForwarding("support", phone_number="+12025550100", forwarding_number="+12025550190")

sales = linq.PhoneNumberForwarding(
    "sales",
    phone_number="+12025550101",
    forwarding_number="+12025550191" if out_of_hours else "",
)
pulumi.export("sales_forwards_to", sales.forwarding_number)
