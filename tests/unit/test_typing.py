"""The types that editors and type checkers see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USAGE = Path(__file__).resolve().parents[1] / "typing" / "usage.py"


def checked(*command: str, folder: Path) -> str:
    """Run a type checker of this environment in a folder without settings; it must find nothing."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["VIRTUAL_ENV"] = sys.prefix
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mypy_accepts_what_programs_write(tmp_path: Path) -> None:
    """Strict mypy infers the documented types, and finds the mistakes."""
    checked("mypy", "--strict", f"--cache-dir={os.devnull}", str(USAGE), folder=tmp_path)


def test_pyright_accepts_what_programs_write(tmp_path: Path) -> None:
    """Pyright infers the same, and finds the same mistakes."""
    (tmp_path / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "enableTypeIgnoreComments": false, "reportUnnecessaryTypeIgnoreComment": true}'
    )
    (tmp_path / "usage.py").write_text(USAGE.read_text())
    checked("pyright", "usage.py", folder=tmp_path)


def test_every_public_type_is_complete(tmp_path: Path) -> None:
    """`pyright --verifytypes` finds each name of the installed package typed and documented."""
    said = checked("pyright", "--verifytypes", "linq_provider", "--ignoreexternal", folder=tmp_path)
    assert "Type completeness score: 100%" in said
    assert "Functions without docstring: 0" in said
    assert "Classes without docstring: 0" in said
