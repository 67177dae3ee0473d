"""The company's rules as plain functions of what is declared; each yields a sentence for what breaks it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

ONE = "pulumi-python:dynamic/linq:PhoneNumberForwarding"
FLEET = "pulumi-python:dynamic/linq:PhoneNumberForwardings"
# `zoneinfo` knows time zones; the names of days are those of company.yaml, whatever the locale is.
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Company:
    """What company.yaml says."""

    directory: Collection[str]
    public_lines: Collection[str]
    days: Collection[str]
    begin: int
    end: int
    time_zone: str
    approved_overwrites: Collection[str]

    @classmethod
    def load(cls, file: Path) -> Company:
        """Read the file."""
        found = yaml.safe_load(file.read_text())
        hours = found.pop("business_hours")
        return cls(**found, **hours)

    def is_open(self, now: datetime) -> bool:
        """Whether this moment is in business hours."""
        here = now.astimezone(ZoneInfo(self.time_zone))
        return DAYS[here.weekday()] in self.days and self.begin <= here.hour < self.end


def forwardings(resource_type: str, props: Mapping[str, Any]) -> dict[str, str]:
    """Each line that a resource declares, under its number or its id, and where it forwards; empty for others."""
    if resource_type == FLEET:
        return dict(props.get("forwardings") or {})
    if resource_type == ONE:
        line = props.get("phone_number") or props.get("phone_number_id")
        return {line: props.get("forwarding_number") or ""} if line else {}
    return {}


def outside_the_directory(declared: Mapping[str, str], company: Company) -> Iterator[str]:
    """Calls go to numbers of the company's directory only."""
    for line, number in declared.items():
        if number and number not in company.directory:
            yield f"Line {line} would be forwarded to a number that is not in the company's directory."


def silenced(declared: Mapping[str, str], company: Company, now: datetime) -> Iterator[str]:
    """In business hours no public line is declared as not forwarded."""
    for line, number in declared.items():
        if not number and line in company.public_lines and company.is_open(now):
            yield f"Public line {line} would not be forwarded, and these are business hours."


def undeclared(declared: Mapping[str, str], company: Company, now: datetime) -> Iterator[str]:
    """In business hours no public line is missing from a stack: taking it out clears it."""
    for line in company.public_lines:
        if line not in declared and company.is_open(now):
            yield f"Public line {line} is not declared, and these are business hours."


def unapproved_overwrites(declared: Mapping[str, str], overwrite: Any, company: Company) -> Iterator[str]:
    """Nobody's forwarding is replaced without an approval; `overwrite` is a bool, or the lines it is meant for."""
    for line in declared if overwrite is True else overwrite or ():
        if line not in company.approved_overwrites:
            yield f"Line {line} has overwrite without an approval in company.yaml."
