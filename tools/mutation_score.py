"""The share of mutmut's mutants that the unit tests find, for each module.

    mutmut results --all true | python tools/mutation_score.py

Ends with exit code 1 where it is below 90 % for one of them. A mutant that no test reaches counts as not found.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

LEAST = 90  # per cent
FOUND = {"killed", "timeout"}  # as mutmut calls it; a mutant that never ends is found in CI, too


def report(results: Iterable[str]) -> tuple[list[str], bool]:
    """What to print, a line for each module and one for all of them, and whether enough was found."""
    found: Counter[str] = Counter()
    made: Counter[str] = Counter()
    for line in results:
        mutant, _, status = line.strip().rpartition(": ")
        module = mutant.rpartition(".")[0]
        for counted in (module, "all"):
            made[counted] += 1
            found[counted] += status in FOUND
    lines = [
        f"{found[each] / made[each]:6.1%}  {found[each]:5,} of {made[each]:5,}  {each}"
        for each in sorted(made, key=lambda module: (module == "all", module))
    ]
    return lines, bool(made) and all(100 * found[each] >= LEAST * made[each] for each in made)


def main() -> int:
    """Print the scores; 0 where enough was found."""
    lines, enough = report(sys.stdin)
    print("\n".join(lines))
    if not enough:
        print(f"below {LEAST} %: `mutmut results` names the mutants that were not found, `mutmut show NAME` shows one")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
