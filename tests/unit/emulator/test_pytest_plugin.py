"""The pytest plugin: the fixture `linq_emulator`, and what it costs a run that does not use it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

PLUGIN = "pytest_linq_provider"


def run_pytest(folder: Path, test: str) -> str:
    """What pytest prints for this test in a project that has the plugin and nothing else."""
    # Without it, pytest would look for its configuration in the folders above.
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", str(folder)],
        # Without the entry point: the plugin must not be registered twice where the package is installed.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_pytest_finds_the_plugin_by_itself() -> None:
    """The installed package announces the plugin under the name that these tests load."""
    (found,) = entry_points(group="pytest11", name="linq_provider")
    assert found.value == PLUGIN


def test_a_run_without_the_fixture_imports_nothing(tmp_path: Path) -> None:
    """A pytest run that does not ask for the fixture imports neither our package nor anything that it needs."""
    test = f"""
import sys

def test_modules():
    imported = {{name.partition(".")[0] for name in sys.modules}}
    assert "{PLUGIN}" in imported
    assert imported & {{"linq_provider", "pulumi", "requests", "urllib3", "phonenumbers", "grpc", "yaml"}} == set()
"""
    printed = run_pytest(tmp_path, test)
    assert "1 passed" in printed, printed


def test_the_fixture_gives_each_test_a_fresh_emulator(tmp_path: Path) -> None:
    """`linq_emulator` works in any project, and tests share nothing."""
    test = """
def test_one(linq_emulator):
    linq_emulator.set_forwarding("+12025550100", "+12025559999")

def test_two(linq_emulator):
    assert linq_emulator.url.startswith("http://127.0.0.1:")
    assert [number.forwarding_number for number in linq_emulator.phone_numbers] == [None] * 3
"""
    printed = run_pytest(tmp_path, test)
    assert "2 passed" in printed, printed
