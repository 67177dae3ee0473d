"""The policy pack: the company's rules, asked by Pulumi at each preview and each up."""

from datetime import datetime, timezone
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from rules import Company, forwardings, outside_the_directory, silenced, unapproved_overwrites, undeclared

COMPANY = Company.load(Path(__file__).parent / "company.yaml")


def directory(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Of one resource."""
    for problem in outside_the_directory(forwardings(args.resource_type, args.props), COMPANY):
        report(problem)


def approval(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Of one resource."""
    declared = forwardings(args.resource_type, args.props)
    for problem in unapproved_overwrites(declared, args.props.get("overwrite"), COMPANY):
        report(problem)


def business_hours(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Of one resource."""
    for problem in silenced(forwardings(args.resource_type, args.props), COMPANY, datetime.now(timezone.utc)):
        report(problem)


def public_lines(args: StackValidationArgs, report: ReportViolation) -> None:
    """Of the whole stack: a line that was taken out of the program is missing only there."""
    declared: dict[str, str] = {}
    for resource in args.resources:
        declared |= forwardings(resource.resource_type, resource.props)
    for problem in undeclared(declared, COMPANY, datetime.now(timezone.utc)):
        report(problem)


PolicyPack(
    name="company-policy",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy("directory", "Calls go to numbers of the company's directory only.", directory),
        ResourceValidationPolicy("approval", "overwrite needs an approval.", approval),
        ResourceValidationPolicy("business-hours", "In business hours each public line rings.", business_hours),
        StackValidationPolicy("public-lines", "In business hours no public line is taken out.", public_lines),
    ],
)
