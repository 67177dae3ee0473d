"""Three lines of the company; the rules of the folder `policy` say where they may be forwarded."""

import linq_provider as linq

linq.PhoneNumberForwarding("sales", phone_number="+12025550100", forwarding_number="+12025550190")
linq.PhoneNumberForwardings(
    "branches",
    forwardings={
        "+12025550101": "+12025550191",
        "+12025550102": "+12025550192",
    },
)
