"""One check of `linq-provider doctor`."""

import enum
from dataclasses import dataclass


class Mark(str, enum.Enum):
    """What came out of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILS = "fails"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Check:
    """What was looked at, what came out, and how to mend it."""

    name: str
    mark: Mark
    detail: str = ""
    mend: str = ""
