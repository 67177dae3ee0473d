"""What `make mutation-score` prints for mutmut's results, and when it fails."""

from __future__ import annotations

import mutation_score
import pytest

FLEET, RETRIES = "linq_provider.core.fleet.xǁFleetLifecycleǁdiff", "linq_provider.api.retries.x_is_transient"


def results(function: str, **statuses: int) -> list[str]:
    """What `mutmut results --all true` prints: so many mutants of a function for each status."""
    each = [status.replace("_", " ") for status, count in statuses.items() for _ in range(count)]
    return [f"    {function}__mutmut_{n}: {status}\n" for n, status in enumerate(each)]


def test_the_scores_of_all_modules() -> None:
    """Each module has a line, and all of them together the last one."""
    lines, enough = mutation_score.report(results(FLEET, killed=9, timeout=1) + results(RETRIES, killed=9, survived=1))
    assert [line.split() for line in lines] == [
        ["90.0%", "9", "of", "10", "linq_provider.api.retries"],
        ["100.0%", "10", "of", "10", "linq_provider.core.fleet"],
        ["95.0%", "19", "of", "20", "all"],
    ]
    assert enough


@pytest.mark.parametrize("other", ["survived", "no_tests", "not_checked", "suspicious", "segfault"])
def test_each_module_needs_ninety_per_cent(other: str) -> None:
    """What was not run was not found, and a good module makes up for no other."""
    assert not mutation_score.report(results(FLEET, killed=100) + results(RETRIES, **{"killed": 8, other: 2}))[1]


def test_no_mutants_are_no_success() -> None:
    """A run that made none proves nothing."""
    assert not mutation_score.report([])[1]
