"""A stateful stand-in for Linq's phone number API on 127.0.0.1, for demos and tests.

It shares no code with the client of this package: its paths, statuses and bodies come from
Linq's public documentation, so a mistake in one of the two shows up as a disagreement. Beside
the API stands a page to watch: lines, requests, edits by hand and faults, in a browser.
"""

from linq_provider.emulator.faults import Fault
from linq_provider.emulator.numbers import EmulatedNumber
from linq_provider.emulator.server import Emulator
from linq_provider.emulator.service import RecordedRequest

__all__ = ["EmulatedNumber", "Emulator", "Fault", "RecordedRequest"]
