"""What `make mutation-score` says of mutmut's results, and when it fails."""

from __future__ import annotations

import mutation_score


def results(*, killed: int, others: list[str]) -> list[str]:
    """What `mutmut results --all true` prints."""
    mutants = [("linq_provider.core.fleet.x_listed", "killed")] * killed
    mutants += [("linq_provider.api.retries.xǁCallǁwait", other) for other in others]
    return [f"    {name}__mutmut_{n}: {status}\n" for n, (name, status) in enumerate(mutants)]


def test_the_scores_of_all_modules() -> None:
    """Each module has a line, and all of them together the last one."""
    lines, enough = mutation_score.report(results(killed=18, others=["timeout", "survived"]))
    assert [line.split() for line in lines] == [
        ["50.0%", "1", "of", "2", "linq_provider.api.retries"],
        ["100.0%", "18", "of", "18", "linq_provider.core.fleet"],
        ["95.0%", "19", "of", "20", "all"],
    ]
    assert enough


def test_ninety_per_cent_are_enough() -> None:
    """Nine of ten pass, eight do not; what was not run at all was not found."""
    assert mutation_score.report(results(killed=9, others=["no tests"]))[1]
    for other in ("survived", "no tests", "not checked", "suspicious", "segfault"):
        assert not mutation_score.report(results(killed=8, others=[other] * 2))[1]


def test_no_mutants_are_no_success() -> None:
    """A run that made none proves nothing."""
    assert not mutation_score.report([])[1]
