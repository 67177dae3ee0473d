"""All lines in one `PhoneNumberForwardings`."""

import json
from pathlib import Path

import linq_provider as linq

linq.PhoneNumberForwardings("fleet", forwardings=json.loads(Path("lines.json").read_text()))
