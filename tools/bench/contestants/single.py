"""One `PhoneNumberForwarding` a line."""

import json
from pathlib import Path

import linq_provider as linq

for index, (line, number) in enumerate(json.loads(Path("lines.json").read_text()).items()):
    linq.PhoneNumberForwarding(f"line-{index}", phone_number=line, forwarding_number=number)
