"""What an index and `pip show` say of the package: pyproject.toml, against what is tested."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


def test_every_classifier_exists() -> None:
    """A package index refuses a package with an unknown classifier."""
    known = pytest.importorskip("trove_classifiers").classifiers
    assert [each for each in PROJECT["classifiers"] if each not in known] == []
    assert PROJECT["classifiers"] == sorted(set(PROJECT["classifiers"]))


def test_the_versions_of_python_are_those_that_are_tested() -> None:
    """Each minor version that has a classifier is in the workflow that tests them all, and the oldest is required."""
    named = {found for each in PROJECT["classifiers"] for found in re.findall(r"Python :: (3\.\d+)$", each)}
    workflow = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "ci.yml").read_text())
    tested = next(set(job["strategy"]["matrix"]["python"]) for job in workflow["jobs"].values() if "strategy" in job)
    assert named == tested
    assert PROJECT["requires-python"] == ">=" + min(named, key=lambda version: int(version[2:]))


@pytest.mark.parametrize(
    "classifier",
    ["Framework :: Pytest", "Programming Language :: Python", "Programming Language :: Python :: 3", "Typing :: Typed"],
)
def test_what_people_filter_by_is_there(classifier: str) -> None:
    """The package is for Python 3, has types, and brings a plugin for pytest."""
    assert classifier in PROJECT["classifiers"]
