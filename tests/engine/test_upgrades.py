"""State files outlive versions: of this package (row 32) and of Python (row 33).

`states` holds what each released version wrote, under the oldest Python and `pulumi` of its time
(`tools/record_state.py`). `OTHER_PYTHON` names an interpreter with the package (`make test-matrix`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import API_KEY
from workspace import Workspace

from linq_provider import __version__
from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

STATES = Path(__file__).parent / "states"
VERSIONS = sorted(folder.name for folder in STATES.iterdir())
OTHER_PYTHON = os.environ.get("OTHER_PYTHON", "")
RECORDED = [f"+1202555999{n}" for n in range(1, 6)]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The five lines of the recorded programs."""
    with Emulator(numbers=5, api_key=API_KEY) as running:
        yield running


@pytest.fixture(params=VERSIONS)
def recorded(request: pytest.FixtureRequest, tmp_path: Path, emulator: Emulator) -> Workspace:
    """A stack as a released version left it; the emulator holds what was declared."""
    folder = tmp_path / "stack"
    shutil.copytree(STATES / request.param, folder)
    for line, number in zip(emulator.phone_numbers, RECORDED, strict=True):
        emulator.set_forwarding(line.id, number)
    stack = Workspace(folder, emulator)
    stack.unset("linq:baseUrl")  # the recorded state does not name one
    stack.environment["LINQ_API_V3_BASE_URL"] = emulator.url
    stack.run("stack", "init", "dev")
    stack.run("stack", "import", "--file", "state.json")
    return stack


def test_row_32_a_state_of_each_released_version_previews_unchanged(recorded: Workspace) -> None:
    """What a released version wrote previews without a change, also after a refresh, and without a write."""
    recorded.empty_preview()
    assert recorded.emulator.requests == []
    assert recorded.preview().changes == {}
    recorded.run("preview", "--refresh", "--expect-no-changes")
    assert set(recorded.methods()) == {"GET"}
    shown = recorded.refresh().output
    assert not {"+12025559993", "+12025559995"} & set(shown.split('"'))
    recorded.empty_preview()
    assert recorded.writes() == []


def test_row_32_a_state_of_each_released_version_is_updated_and_destroyed(recorded: Workspace) -> None:
    """Changed numbers are updates of what a released version wrote; destroy clears all of its lines."""
    ids = [line.id for line in recorded.emulator.phone_numbers]
    program = recorded.folder / "__main__.py"
    text = program.read_text().replace("+12025559991", "+12025557777").replace("+12025559994", "+12025556666")
    program.write_text(text)
    assert recorded.up().changes == {"updated": 2}
    assert sorted(recorded.writes()) == sorted([(ids[0], "+12025557777"), (ids[3], "+12025556666")])
    recorded.emulator.clear_requests()
    recorded.destroy()
    assert sorted(recorded.writes()) == sorted((line, "") for line in ids)
    assert recorded.state() == {}


def test_a_state_of_each_released_version_remembers_nothing_to_restore(recorded: Workspace) -> None:
    """`removed="restore"` can be added without a write; what was there before is not recorded, so a destroy clears."""
    program = recorded.folder / "__main__.py"
    text = program.read_text().replace('"+12025559991")', '"+12025559991", removed="restore")')
    program.write_text(text.replace("allow_clearing=7,", 'allow_clearing=7, removed="restore",'))
    assert recorded.up().changes == {"updated": 2}
    assert recorded.writes() == []
    recorded.run("preview", "--refresh", "--expect-no-changes")
    said = recorded.destroy().output.partition("Diagnostics:")[2]
    assert (
        said.count(
            "was cleared, not restored: the state does not record what it forwarded to before this resource managed it."
        )
        == 3
    )
    assert recorded.state() == {}
    assert {line.forwarding_number for line in recorded.emulator.phone_numbers} == {None}


def test_row_32_a_state_of_each_released_version_is_destroyed_by_itself(recorded: Workspace) -> None:
    """destroy needs nothing but the recorded state: no program was run before."""
    recorded.destroy()
    assert [line.forwarding_number for line in recorded.emulator.phone_numbers] == [None] * 5
    assert recorded.state() == {}


def test_row_32_this_version_is_recorded() -> None:
    """There is a recorded state of this version: each release adds one."""
    assert __version__ in VERSIONS


@pytest.mark.skipif(not OTHER_PYTHON, reason="OTHER_PYTHON names no second interpreter: see `make test-matrix`")
@pytest.mark.parametrize("back", [False, True], ids=["other-to-this", "this-to-other"])
def test_row_33_from_one_python_to_another(stack: Workspace, back: bool) -> None:
    """What one Python wrote another one refreshes, updates and destroys."""
    pythons = [str(Path(python).parent) for python in (OTHER_PYTHON, sys.executable)]
    before, after = reversed(pythons) if back else pythons
    line, other, *_ = stack.emulator.phone_numbers
    program = """
        import sys
        a = linq.PhoneNumberForwarding("a", phone_number="{a}", forwarding_number=pulumi.Output.secret("{to}"))
        b = linq.PhoneNumberForwarding("b", phone_number_id="{b}", forwarding_number="+12025559999", overwrite=True)
        pulumi.export("prefix", sys.prefix)
    """

    def under(folder: str) -> dict[str, str]:
        return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(Path(folder).parent)}

    stack.program(program.format(a=line.phone_number, b=other.id, to="+12025558888"))
    stack.up(**under(before))
    assert stack.run("stack", "output", "prefix").output.strip() == str(Path(before).parent)
    assert stack.refresh(**under(after)).changes == {}
    stack.emulator.clear_requests()
    stack.run("up", "--yes", "--skip-preview", "--refresh", **under(after))
    assert stack.writes() == []
    assert stack.run("stack", "output", "prefix").output.strip() == str(Path(after).parent)

    stack.program(program.format(a=line.phone_number, b=other.id, to="+12025557777"))
    assert stack.up(**under(after)).changes == {"updated": 1}
    assert stack.emulator.forwarding(line.id) == "+12025557777"
    stack.destroy(**under(after))
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [None] * 5
    assert API_KEY not in stack.state_text()
