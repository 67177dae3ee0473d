"""An emulator of Linq's phone number API on 127.0.0.1, with lines and tokens of its own, for demos and tests.

It shares no code with the client of this package: its paths, statuses and bodies come from
Linq's public documentation, so a mistake in one of the two makes tests fail. It also serves a
page for a browser, which shows lines and requests and can edit lines and set faults.
"""

from linq_provider.emulator.faults import Fault
from linq_provider.emulator.log import RecordedRequest
from linq_provider.emulator.numbers import EmulatedNumber
from linq_provider.emulator.server import Emulator

__all__ = ["EmulatedNumber", "Emulator", "Fault", "RecordedRequest"]
