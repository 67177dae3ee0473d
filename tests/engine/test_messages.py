"""Messages are short, never stop the work that they report, and those of other programs are explained."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pulumi
import pytest
from workspace import Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
OFFICE, ELSEWHERE = "+12025559999", "+12025557777"


@pytest.fixture
def ids(stack: Workspace) -> list[str]:
    """Twelve lines, by id, that somebody else forwards; the stack has a fleet that replaces all of these forwardings."""
    stack.declare_lines(12)
    stack.configure("linq:maxRetries", "0")
    lines = [line.id for line in stack.emulator.phone_numbers]
    for line in lines:
        stack.emulator.set_forwarding(line, ELSEWHERE)
    stack.program(
        f'linq.PhoneNumberForwardings("fleet", forwardings=dict.fromkeys({lines!r}, "{OFFICE}"), overwrite=True)'
    )
    return sorted(lines)


def test_a_stdout_that_is_not_utf_8_refuses_nothing(stack: Workspace, ids: list[str]) -> None:
    """Info lines about many long names are shown whole, and the fleet is written."""
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = stack.preview(**ascii_only).output
    assert f"{ids[0]} (now {ELSEWHERE})" in shown
    assert " and 10 more." in shown
    stack.up(**ascii_only)
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [OFFICE] * 12
    stack.empty_preview()


def test_an_error_about_many_lines_names_as_many_as_fit(stack: Workspace, ids: list[str]) -> None:
    """500 characters in all: how many failed, some of them with their reason, how many more, and the next step."""
    stack.emulator.fail(Fault.error(400), method="PUT", times=None)
    _, first, rest = stack.up(fails=True).output.rpartition("12 of 12 lines are not as declared:")
    before, last, _ = rest.partition("nothing else.")
    paragraph = [line.strip() for line in f"{first}{before}{last}".splitlines()]
    named = [line for line in paragraph if line.startswith("- ") and "HTTP 400" in line]
    assert len(named) >= 3
    assert [line.split()[1].rstrip(":") for line in named] == ids[: len(named)]
    assert f"- and {12 - len(named)} more" in paragraph
    assert paragraph[-1].startswith("Run `pulumi up --refresh`")
    assert sum(len(line) + 1 for line in paragraph) <= 500
    stack.emulator.clear_faults()
    stack.up("--refresh")
    stack.empty_preview()


def test_an_import_of_a_dynamic_resource_is_explained(stack: Workspace) -> None:
    """Pulumi answers `pulumi import` with a traceback, whose last line is in docs/errors.md, with what works."""
    stack.program("")
    type_token, line = "pulumi-python:dynamic/linq:PhoneNumberForwarding", stack.emulator.phone_numbers[0]
    shown = stack.run("import", type_token, "x", line.id, "--yes", fails=True).output
    last = "KeyError: '__provider'"
    assert last in shown
    assert "declaring a line adopts it" in entry(last)
    assert stack.emulator.requests == []


def test_a_forgotten_virtual_environment_is_explained(stack: Workspace, tmp_path: Path) -> None:
    """A Python without the package ends with a sentence that is in docs/errors.md, with what to do."""
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False)
    packages = next((bare / "lib").glob("python*")) / "site-packages"
    for package in Path(pulumi.__file__).parent.parent.iterdir():
        if "linq" not in package.name and package.suffix != ".pth" and not (packages / package.name).exists():
            (packages / package.name).symlink_to(package)
    stack.program("")
    python = str(bare / "bin" / "python")
    shown = stack.preview(fails=True, PULUMI_PYTHON_CMD=python, PYTHONPATH="").output
    last = "No module named 'linq_provider'"
    assert last in shown
    assert "`. .venv/bin/activate`" in entry(last)
    assert "`linq-provider doctor`" in entry(last)
    module = [python, "-m", "linq_provider"]
    done = subprocess.run(module, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert "No module named linq_provider" in done.stderr
    assert "No module named linq_provider" in entry(last)


def entry(text: str) -> str:
    """The row of docs/errors.md that says what this message means."""
    return next(line for line in ERRORS.read_text().splitlines() if line.startswith("|") and text in line)
