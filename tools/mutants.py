"""Proof that the tests can fail: remove one behaviour after the other and demand that its test turns red.

    python tools/mutants.py            all of them
    python tools/mutants.py TEXT ...   those whose claim or test contains one of the texts

`tests/mutants.py` is the list. Each mutant is made in a copy of the package; the checkout is never changed. A test that
is red without its mutant proves nothing: the unit tests are run once on a copy without any before the mutants are, and
`make test` runs those with the engine.
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
ENGINE = "tests/engine/"
RED = 1  # pytest's exit code for failed tests; 2 to 5 are its own errors
LONGEST = 900  # seconds for one run of pytest: a mutant that never ends is not found


@dataclass(frozen=True)
class Mutant:
    """One behaviour and how to remove it: in `file`, `old` (which stands there once) becomes `new`."""

    claim: str
    file: str
    old: str
    new: str
    test: str  # the pytest node that must turn red


def copied(folder: str) -> Path:
    """A copy of the package in `folder`."""
    ignored = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(CHECKOUT / PACKAGE, Path(folder) / PACKAGE, ignore=ignored)


def ends(folder: str, *tests: str) -> tuple[int, str]:
    """pytest's exit code and last line for tests that run on the copy in `folder`."""
    try:
        done = subprocess.run(
            # Not `python -m pytest`: that puts the checkout before the copy.
            [Path(sys.executable).with_name("pytest"), "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return -1, f"no end within {LONGEST} s"
    said = done.stdout.strip().splitlines()
    summary = [line for line in said if line.startswith(("FAILED", "ERROR"))] or said or [done.stderr.strip()[-200:]]
    return done.returncode, summary[-1]


def red_already(tests: list[str]) -> str | None:
    """The first of the tests that fails without a mutant; None where all pass."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copied(folder)
        code, said = ends(folder, *tests)
    return said if code else None


def problem(mutant: Mutant) -> str | None:
    """What is wrong: the text to replace is not there once, or the test stayed green; None where all is well."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        file = copied(folder) / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            return f"its text stands {text.count(mutant.old)} times in {mutant.file}"
        file.write_text(text.replace(mutant.old, mutant.new))
        code, said = ends(folder, mutant.test)
    return None if code == RED else f"{mutant.test} ended with exit code {code}: {said}"


def main(wanted: list[str]) -> int:
    """Run the mutants, three at a time; 0 when each of them was found."""
    listed = runpy.run_path(str(CHECKOUT / "tests" / "mutants.py"))["MUTANTS"]
    mutants = [Mutant(claim, file, *fields) for file, claims in listed.items() for claim, fields in claims.items()]
    if wanted:
        mutants = [m for m in mutants if any(text in m.claim or text in m.test for text in wanted)]
    units = sorted({mutant.test for mutant in mutants if not mutant.test.startswith(ENGINE)})
    if units and (wrong := red_already(units)):
        print(f"RED WITHOUT A MUTANT  {wrong}")
        return 1
    survivors = []
    with ThreadPoolExecutor(max_workers=3) as pool:
        for mutant, wrong in zip(mutants, pool.map(problem, mutants), strict=True):
            if wrong:
                survivors.append(f"SURVIVED  {mutant.claim}: {wrong}")
            print(survivors[-1] if wrong else f"found     {mutant.claim}", flush=True)
    for survivor in survivors:  # again, where a long log ends
        print(survivor)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants found")
    return 1 if survivors or not mutants else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
