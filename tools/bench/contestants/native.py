"""One resource of the native package a line, without the SDK."""

import json
from pathlib import Path

import pulumi

for index, (line, number) in enumerate(json.loads(Path("lines.json").read_text()).items()):
    inputs = {"phoneNumber": line, "forwardingNumber": number, "phoneNumberId": None}
    pulumi.CustomResource("linq:index:PhoneNumberForwarding", f"line-{index}", inputs)
