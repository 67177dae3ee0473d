"""One program for every environment; which lines, which numbers and how careful is in Pulumi.<stack>.yaml."""

import pulumi

import linq_provider as linq

config = pulumi.Config()
guarded = config.require_bool("guarded")

lines = {
    name: linq.PhoneNumberForwarding(
        name,
        phone_number=line["phone_number"],
        forwarding_number=line["forwarding_number"],
        overwrite=not guarded,  # guarded: a line that somebody else points elsewhere is refused
        opts=pulumi.ResourceOptions(protect=guarded),  # guarded: no delete, so no line falls silent
    )
    for name, line in config.require_object("lines").items()
}

pulumi.export("forwards_to", {name: line.forwarding_number for name, line in lines.items()})
