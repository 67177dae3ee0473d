"""Python text that we write for others."""

from __future__ import annotations

import subprocess
import sys

import pytest


def assert_formatted_and_linted(file: str) -> None:
    """Ruff finds nothing to format and nothing to complain about, without any settings; skips where there is no Ruff."""
    pytest.importorskip("ruff")
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
