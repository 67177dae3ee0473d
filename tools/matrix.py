"""The wheel under every supported Python, with the oldest and the newest packages it runs with.

    python tools/matrix.py WHEEL                   needs the Pulumi CLI on PATH
    python tools/matrix.py WHEEL 3.13 oldest       only the cells that are named by all of these words

Each cell has its own environment, kept in the user's cache, and runs the tests of the package and a few of the
real engine; the upgrade tests also take a stack from one Python to another. A Python that is not on this machine is
named and left out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linq-provider" / "matrix"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# The lowest that pyproject.toml allows; see there for the reasons.
OLDEST = (
    "phonenumberslite==9.0.0",
    "pulumi==3.216.0",
    "pyyaml==6.0.1",
    "requests==2.32.2",
    "urllib3==2.8.0",
    "tenacity==9.0.0",
    "click==8.2.0",
    "rich==13.0.0",
)
NEWEST = ("phonenumberslite", "pulumi", "requests", "urllib3", "tenacity", "click", "rich", "pyyaml")
TESTS = ("hypothesis", "linq-python", "packaging", "pytest", "pytest-xdist", "tomli", "trustme")
# These look at the checkout, not at the package.
OF_THE_CHECKOUT = ("tests/unit/docs", "tests/unit/tools", "tests/unit/test_typing.py", "tests/unit/test_metadata.py")
ENGINE = ("test_main_job.py", "test_failures.py", "test_upgrades.py", "test_drift.py")
HOOK = "tests/unit/cli/test_check_rosters.py::test_the_hook_for_pre_commit"
FAILED = "FAILED"
ONE_DRIFT = "not drift or a_hand_edit_is_shown_alone_and_healed"


@dataclass(frozen=True)
class Cell:
    """One Python with one set of packages."""

    version: str
    python: str
    packages: str

    @property
    def name(self) -> str:
        """As it is called on the command line and in the table."""
        return f"{self.version} {self.packages}"

    @property
    def folder(self) -> Path:
        """Where its environment is kept."""
        return CACHE / f"{self.version}-{self.packages}"

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "bin"


def find_python(version: str) -> str | None:
    """An interpreter of this version: on PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        asked = [candidate, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:  # a shim of pyenv may lead nowhere
            return candidate
    return None


def install(cell: Cell, wheel: Path) -> None:
    """Make the cell's environment, or take the one of last time, and put the wheel into it."""
    pins = (CHECKOUT / "constraints.txt").read_text().splitlines()
    tests = [pin for pin in pins if pin.startswith(tuple(f"{name}==" for name in TESTS))]
    packages = [*(OLDEST if cell.packages == "oldest" else NEWEST), *tests]
    recipe = hashlib.sha256("\n".join([cell.python, *packages]).encode()).hexdigest()
    made = cell.folder / "recipe"
    pip = [str(cell.bin / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    if not made.exists() or made.read_text() != recipe:
        shutil.rmtree(cell.folder, ignore_errors=True)
        subprocess.run([cell.python, "-m", "venv", cell.folder], check=True)
        subprocess.run([*pip, *packages], check=True)
        made.write_text(recipe)
    elif cell.packages == "newest":
        subprocess.run([*pip, "--upgrade", *NEWEST], check=True)
    subprocess.run([*pip, "--no-deps", "--force-reinstall", wheel], check=True)
    subprocess.run([str(cell.bin / "python"), "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)


def versions(cell: Cell) -> str:
    """What is installed, to be shown."""
    code = "import importlib.metadata as m, sys; print(*(m.version(name) for name in sys.argv[1:]))"
    return subprocess.check_output([cell.bin / "python", "-c", code, *NEWEST[:4]], text=True).strip()


def tests(cell: Cell, *args: str, other: Cell) -> str:
    """Run pytest in the cell; its counts, with FAILED before them and all of its output printed where it failed."""
    done = subprocess.run(
        [cell.bin / "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *args],
        cwd=CHECKOUT,
        env=os.environ
        | {
            "PATH": f"{cell.bin}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(cell.folder),
            "OTHER_PYTHON": str(other.bin / "python"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    counts = done.stdout.strip().rpartition("\n")[2].partition(" in ")[0]
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", flush=True)
        return f"{FAILED}: {counts}"
    return counts


def main(wheel: str, *wanted: str) -> int:
    """Run the cells and print the table; 0 when there is one and all passed."""
    found = {version: find_python(version) for version in PYTHONS}
    cells = [
        Cell(version, python, packages)
        for version, python in found.items()
        if python
        for packages in ("oldest", "newest")
    ]
    for version in (version for version, python in found.items() if not python):
        print(f"LEFT OUT: there is no Python {version} on this machine", flush=True)
    chosen = [cell for cell in cells if set(wanted) <= set(cell.name.split())]
    others = {cell: next((o for o in (cells[0], cells[-1]) if o.version != cell.version), cell) for cell in chosen}
    for cell in dict.fromkeys([*chosen, *others.values()]):
        install(cell, Path(wheel))
    rows: list[tuple[str, ...]] = []
    for cell in chosen:
        print(f"testing {cell.name}", flush=True)
        start = time.monotonic()
        unit = tests(
            cell,
            "tests/unit",
            "--deselect",
            HOOK,
            *(f"--ignore={file}" for file in OF_THE_CHECKOUT),
            other=others[cell],
        )
        engine = tests(cell, "-k", ONE_DRIFT, *(f"tests/engine/{file}" for file in ENGINE), other=others[cell])
        rows.append((cell.name, versions(cell), unit, engine, f"{time.monotonic() - start:.0f} s"))
        print(*rows[-1], sep=" | ", flush=True)
    print(f"\n| Python | {', '.join(NEWEST[:4])} | unit tests | engine tests | time |\n|---|---|---|---|---|")
    for row in rows:
        print("|", " | ".join(row), "|")
    return 1 if not rows or any(cell.startswith(FAILED) for row in rows for cell in row) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
