"""The stack under test: a support line, and a sales line that is only forwarded out of hours."""

import pulumi

import linq_provider as linq

config = pulumi.Config()
sales_number = "+12025550191" if config.get_bool("outOfHours") else ""

linq.PhoneNumberForwarding("support", phone_number="+12025550100", forwarding_number="+12025550190")
sales = linq.PhoneNumberForwarding("sales", phone_number="+12025550101", forwarding_number=sales_number)
pulumi.export("sales_forwards_to", sales.forwarding_number)
