"""One no-op resource a line."""

import json
from pathlib import Path

from noop_provider import Noop

for index, (line, number) in enumerate(json.loads(Path("lines.json").read_text()).items()):
    Noop(f"line-{index}", phone_number=line, forwarding_number=number)
