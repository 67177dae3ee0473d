"""Who is on call on a day, from a rota file. Knows no Pulumi, so a unit test can call it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Shift:
    """Who answers the line on one day, and at which number."""

    line: str
    person: str
    number: str


def shift_of(day: date, file: str) -> Shift:
    """The shift that covers `day`; ValueError, naming what to add to the file, where there is none."""
    rota = yaml.safe_load(Path(file).read_text())
    begun = [start for start in rota["shifts"] if start <= day < rota["until"]]
    if not begun:
        first, end = min(rota["shifts"]), rota["until"]
        raise ValueError(
            f"nobody is on call on {day}: {file} covers {first} up to, but not including, {end}."
            f" Add a shift to {file} and move `until`; the line keeps its last number meanwhile."
        )
    person = rota["shifts"][max(begun)]
    if person not in rota["people"]:
        raise ValueError(f"{person} is on call on {day}, but has no number among the people of {file}. Add one.")
    return Shift(rota["line"], person, rota["people"][person])
