import * as linq from "pulumi-linq";

const supportLine = new linq.PhoneNumberForwarding("supportLine", {
    phoneNumber: "+12025550100",
    forwardingNumber: "+12025559999",
});

new linq.PhoneNumberForwardings("branches", {
    forwardings: { "+12025550101": "+12025559999" },
});

export const forwardsTo = supportLine.forwardingNumber;
