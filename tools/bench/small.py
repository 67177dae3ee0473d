"""The cost that does not depend on the number of resources: the import, and reading a roster."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from linq_provider.core.roster import load_roster

ROUNDS = 9
ROWS = 10_000
IMPORT = "import time, pulumi; began = time.perf_counter(); import linq_provider; print(time.perf_counter() - began)"
ROSTERS = (("yaml", "", '"{}": "{}"\n'), ("csv", "line,forwarding_number\n", "{},{}\n"))  # kind, head, row


def small_figures(*, rounds: int = ROUNDS, rows: int = ROWS) -> dict[str, list[float]]:
    """Seconds of each round, by what is measured, as the table calls it."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="linq-bench-") as folder:
        for _ in range(rounds):
            figures.setdefault("`import linq_provider` after `import pulumi`", []).append(_import_seconds(folder))
            for kind, head, row in ROSTERS:
                file = Path(folder) / f"lines.{kind}"
                file.write_text(head + "".join(row.format(f"+1202{n:07}", f"+1303{n:07}") for n in range(rows)))
                began = time.perf_counter()
                load_roster(file)
                figures.setdefault(f"{kind.upper()} of {rows:,} lines", []).append(time.perf_counter() - began)
    return figures


def _import_seconds(folder: str) -> float:
    """In a new process; the folder is not the checkout, so that the installed package is imported."""
    done = subprocess.run([sys.executable, "-c", IMPORT], cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout)
