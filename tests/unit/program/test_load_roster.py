"""`linq.load_roster` and where calls may go: a script fails, a program only gets a warning, and the resource decides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LONDON = "line,forwarding_number\n+12025550100,+442071838750\n"
OUTSIDE = "lines.csv, line 2, column 2: the forwarding number is in the United Kingdom (+44), outside of"
SCRIPT = "import linq_provider as linq\nprint(linq.load_roster('lines.csv'))\n"
PROGRAM = """
import pulumi

class Mocks(pulumi.runtime.Mocks):
    def call(self, args): return {}
    def new_resource(self, args): return args.name, args.inputs

pulumi.runtime.set_mocks(Mocks(), preview=PREVIEW)
pulumi.log.warn = print
"""


def run(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, without settings but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINQ_", "PULUMI_"))}
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a roster that forwards to London."""
    (tmp_path / "lines.csv").write_text(LONDON)
    return tmp_path


def test_a_script_is_refused_by_the_rule_of_the_environment(folder: Path) -> None:
    """With file, line and column, and without the number."""
    assert run(folder, SCRIPT).stdout == "{'+12025550100': '+442071838750'}\n"
    done = run(folder, SCRIPT, LINQ_ALLOWED_FORWARDINGS="US", LINQ_TIMEOUT="soon")
    assert done.returncode == 1
    assert f"{OUTSIDE} LINQ_ALLOWED_FORWARDINGS; if the number is intended, add GB there." in done.stderr
    assert "2071838750" not in done.stdout + done.stderr


def test_a_program_is_told_at_preview(folder: Path) -> None:
    """It warns once, also by the rule of the stack, and goes on, because the number may already be in the state."""
    program = (
        PROGRAM.replace("PREVIEW", "True") + "pulumi.runtime.set_config('linq:allowedForwardings', 'US')\n" + SCRIPT
    )
    done = run(folder, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"{OUTSIDE} linq:allowedForwardings; if the number is intended, add GB there.\n"
        "If one of these numbers is new or changed, the resource will refuse it.\n"
        "{'+12025550100': '+442071838750'}\n"
    )


def test_a_program_does_not_look_numbers_up_at_up(folder: Path) -> None:
    """The resource does it; an `up` without changes costs nothing."""
    program = PROGRAM.replace("PREVIEW", "False") + SCRIPT + "import sys\nprint('phonenumbers' in sys.modules)\n"
    done = run(folder, program, LINQ_ALLOWED_FORWARDINGS="US")
    assert done.stdout == "{'+12025550100': '+442071838750'}\nFalse\n", done.stderr


def test_the_rule_of_a_provider_is_not_guessed(folder: Path) -> None:
    """A roster of another account is asked by the environment only, which counts there too."""
    program = PROGRAM.replace("PREVIEW", "True") + (
        "import linq_provider as linq\n"
        "pulumi.runtime.set_config('linq:allowedForwardings', 'US')\n"
        "emea = linq.Provider('emea', api_key='key')\n"
        "linq.ForwardingRoster('lines', file='lines.csv', opts=pulumi.ResourceOptions(provider=emea))\n"
    )
    assert run(folder, program).stdout == ""
    assert f"{OUTSIDE} LINQ_ALLOWED_FORWARDINGS" in run(folder, program, LINQ_ALLOWED_FORWARDINGS="US").stdout
    assert f"{OUTSIDE} linq:allowedForwardings" in run(folder, program.replace("provider=emea", "")).stdout


@pytest.mark.parametrize("preview", ["True", "False"])
def test_a_rule_that_cannot_be_read_is_one_sentence(folder: Path, preview: str) -> None:
    """Only at preview; at up the resource reports it."""
    program = PROGRAM.replace("PREVIEW", preview) + SCRIPT
    done = run(folder, program, LINQ_ALLOWED_FORWARDINGS="UK")
    assert (done.returncode, "names UK, which is not a country" in done.stderr) == (
        (1, True) if preview == "True" else (0, False)
    )
