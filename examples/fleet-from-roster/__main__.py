"""Every line of lines.yaml, forwarded to where the file says."""

import pulumi

import linq_provider as linq

lines = linq.ForwardingRoster("lines", file="lines.yaml")

pulumi.export("forwardings", lines.forwardings)
