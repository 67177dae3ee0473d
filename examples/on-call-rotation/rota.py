"""Who is on call on a day, from a rota file. Knows no Pulumi, so a unit test can call it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Shift:
    """Who answers the line on one day, and at which number."""

    line: str
    person: str
    number: str


def shift_of(day: date, file: str) -> Shift:
    """The shift that covers `day`; ValueError, naming what to change in the file, where there is none."""
    rota = yaml.safe_load(Path(file).read_text())
    weeks = (day - rota["begins"]).days // 7
    if weeks < 0:
        raise ValueError(f"nobody is on call on {day}: {file} begins on {rota['begins']}.")
    for swap in rota["swaps"]:
        if (swap - rota["begins"]).days % 7:
            raise ValueError(f"{file} has a swap on {swap}, on which no week begins.")
    monday = rota["begins"] + timedelta(weeks=weeks)
    person = rota["swaps"].get(monday, rota["turns"][weeks % len(rota["turns"])])
    if person not in rota["people"]:
        raise ValueError(f"{person} is on call on {day}, but has no number among the people of {file}. Add one.")
    return Shift(rota["line"], person, rota["people"][person])
