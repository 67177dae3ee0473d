"""Proof that the tests can fail: remove one behaviour after the other and demand that its test turns red.

    python tools/mutants.py            all of them
    python tools/mutants.py TEXT ...   those whose claim or test contains one of the texts

`tests/mutants.py` is the list. Each mutant is made in a copy of the package; the checkout is never changed.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = "linq_provider"
RED = 1  # pytest's exit code for failed tests; 2 to 5 are its own errors


@dataclass(frozen=True)
class Mutant:
    """One behaviour and how to remove it: in `file`, `old` (which stands there once) becomes `new`."""

    claim: str
    file: str
    old: str
    new: str
    test: str  # the pytest node that must turn red


def problem(mutant: Mutant) -> str | None:
    """What is wrong: the text to replace is not there once, or the test stayed green; None where all is well."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        shutil.copytree(CHECKOUT / PACKAGE, Path(folder) / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        file = Path(folder) / PACKAGE / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            return f"its text stands {text.count(mutant.old)} times in {mutant.file}"
        file.write_text(text.replace(mutant.old, mutant.new))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant.test],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == RED:
        return None
    end = done.stdout.strip().splitlines()[-1:] or [done.stderr.strip()[-200:]]
    return f"{mutant.test} ended with exit code {done.returncode}: {end[0]}"


def main(wanted: list[str]) -> int:
    """Run the mutants, two at a time; 0 when each of them was found."""
    listed = runpy.run_path(str(CHECKOUT / "tests" / "mutants.py"))["MUTANTS"]
    mutants = [Mutant(*fields) for fields in listed]
    if wanted:
        mutants = [m for m in mutants if any(text in m.claim or text in m.test for text in wanted)]
    survivors = 0
    with ThreadPoolExecutor(max_workers=2) as pool:
        for mutant, wrong in zip(mutants, pool.map(problem, mutants), strict=True):
            survivors += wrong is not None
            print(f"SURVIVED  {mutant.claim}: {wrong}" if wrong else f"found     {mutant.claim}", flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} mutants found")
    return 1 if survivors or not mutants else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
