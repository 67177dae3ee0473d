"""The rules of examples/company-policy, without Pulumi. tests/engine/test_examples.py runs them on the engine."""

from __future__ import annotations

import importlib.util
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

POLICY = Path(__file__).resolve().parents[3] / "examples" / "company-policy" / "policy"
SALES, SUPPORT, DOVER = "+12025550100", "+12025550101", "+12025550102"
ADA, STRANGER = "+12025550190", "+12025559999"
MONDAY_NOON = datetime(2027, 1, 11, 17, tzinfo=timezone.utc)  # 12 o'clock in New York


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the example."""
    specification = importlib.util.spec_from_file_location("company_rules", POLICY / "rules.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "company_rules", module)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def company(rules: Any) -> Any:
    """What company.yaml says."""
    return rules.Company.load(POLICY / "company.yaml")


def test_both_resources_and_no_others_are_seen(rules: Any) -> None:
    """Single lines by number or id, fleets as they are."""
    assert rules.forwardings(rules.ONE, {"phone_number": SALES, "forwarding_number": ADA}) == {SALES: ADA}
    assert rules.forwardings(rules.ONE, {"phone_number_id": "182b", "forwarding_number": ""}) == {"182b": ""}
    assert rules.forwardings(rules.FLEET, {"forwardings": {SALES: ADA, DOVER: ""}}) == {SALES: ADA, DOVER: ""}
    assert rules.forwardings("aws:s3/bucket:Bucket", {"forwardings": {SALES: ADA}}) == {}


def test_calls_go_to_the_directory_only(rules: Any, company: Any) -> None:
    """Not forwarded is no destination; the message names the line and not the number, which may be secret."""
    (problem,) = rules.outside_the_directory({SALES: ADA, SUPPORT: STRANGER, DOVER: ""}, company)
    assert problem == f"Line {SUPPORT} would be forwarded to a number that is not in the company's directory."


def test_a_public_line_rings_in_business_hours(rules: Any, company: Any) -> None:
    """Neither emptied nor taken out; at night both are fine, and other lines are always."""
    declared = {SALES: "", DOVER: ""}
    for rule, problem in [
        (rules.silenced, f"Public line {SALES} would not be forwarded, and these are business hours."),
        (rules.undeclared, f"Public line {SUPPORT} is not declared, and these are business hours."),
    ]:
        assert list(rule(declared, company, MONDAY_NOON)) == [problem]
        assert list(rule({SALES: ADA, SUPPORT: ADA}, company, MONDAY_NOON)) == []
        for quiet in (datetime(2027, 1, 11, 22, tzinfo=timezone.utc), datetime(2027, 1, 10, 17, tzinfo=timezone.utc)):
            assert list(rule(declared, company, quiet)) == []


@pytest.mark.parametrize(
    ("overwrite", "unapproved"),
    [(None, []), (False, []), (True, [SALES, DOVER]), ([DOVER], [DOVER]), ([], [])],
)
def test_overwrite_needs_an_approval(rules: Any, company: Any, overwrite: object, unapproved: list[str]) -> None:
    """For one line, for a whole fleet, and for some of its lines."""
    problems = list(rules.unapproved_overwrites({SALES: ADA, DOVER: ""}, overwrite, company))
    assert problems == [f"Line {line} has overwrite without an approval in company.yaml." for line in unapproved]
