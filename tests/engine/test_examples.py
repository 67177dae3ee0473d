"""Every example as a stranger runs it, with the real engine against the emulator, and what its README shows of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from pulumi_environment import pulumi_environment
from snippets import commands, programs
from workspace import Workspace, printed

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
FIRST, SECOND, THIRD = "+12025550100", "+12025550101", "+12025550102"
STRANGER = "+12025550177"


class Example(Workspace):
    """A copy of an example with its stack; key and base URL come from the environment, as the READMEs say."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.folder = folder
        self.emulator = emulator
        self.environment = pulumi_environment(
            folder, LINQ_API_V3_BASE_URL=emulator.url, LINQ_API_V3_API_KEY=emulator.api_key
        )

    @property
    def state_file(self) -> Path:
        """The state of the stack `dev`."""
        return next((self.folder / "backend").rglob("stacks/*/dev.json"))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that the example's file contains exactly once."""
        text = (self.folder / file).read_text()
        assert text.count(old) == 1
        (self.folder / file).write_text(text.replace(old, new))

    def bodies(self) -> list[str]:
        """The numbers written since the last look, in order."""
        written = [number for _, number in self.writes()]
        self.emulator.clear_requests()
        return written

    def rests(self) -> None:
        """Another up changes nothing and writes nothing."""
        assert self.up().changes == {}
        assert self.bodies() == []

    def heals(self, line: str) -> None:
        """After an edit by hand, up shows the drift and writes the declared number, once."""
        declared = self.emulator.forwarding(line)
        self.emulator.set_forwarding(line, STRANGER)
        assert f'"{declared}" => "{STRANGER}"' in self.up("--diff").output
        assert self.bodies() == [declared]
        assert self.emulator.forwarding(line) == declared

    def shown(self, *lines: str, output: str) -> None:
        """What the README shows is what the run printed."""
        readme = (self.folder / "README.md").read_text()
        for line in lines:
            assert line in readme
            assert line in output


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str, Emulator], Example]]:
    """Makes a copy of an example with an initialised stack `dev`; a provider that outlives the test is ended."""
    made: list[Example] = []

    def make(name: str, emulator: Emulator) -> Example:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        made.append(Example(folder, emulator))
        made[-1].run("stack", "init", "dev")
        return made[-1]

    yield make
    for provider in [provider for workspace in made for provider in workspace.providers()]:
        os.kill(provider, signal.SIGKILL)


Make = Callable[[str, Emulator], Example]


def forwardings(emulator: Emulator) -> list[str | None]:
    """Where each line forwards."""
    return [line.forwarding_number for line in emulator.phone_numbers]


def test_quickstart(example: Make, linq_emulator: Emulator) -> None:
    """quickstart: one line from the settings; a second up is quiet, a hand edit is healed, "" and destroy clear."""
    quickstart = example("quickstart", linq_emulator)
    quickstart.run("config", "set", "line", FIRST)
    quickstart.run("config", "set", "forwardTo", "+12025559999")
    quickstart.up()
    assert quickstart.bodies() == ["+12025559999"]
    quickstart.rests()
    quickstart.heals(FIRST)
    quickstart.run("config", "set", "forwardTo", "")
    shown = ('      - forwarding_number: "+12025559999"\n', '  - forwards_to: "+12025559999"\n')
    quickstart.shown(*shown, output=quickstart.preview().output)
    quickstart.up()
    assert quickstart.bodies() == [""]
    quickstart.rests()
    quickstart.destroy()
    assert forwardings(linq_emulator) == [None, None, None]


def test_the_first_screen_of_the_readme(example: Make, linq_emulator: Emulator) -> None:
    """The program and the preview that README.md begins with: the engine prints exactly that for a changed number."""
    first = next(program.text for program in programs() if program.page == "README.md")
    shown = next(command.output for command in commands() if command.text == "pulumi preview --diff")
    quickstart = example("quickstart", linq_emulator)
    (quickstart.folder / "Pulumi.yaml").write_text("name: linq-quickstart\nruntime: python\n")  # without a refresh
    (quickstart.folder / "__main__.py").write_text(first.replace("+12025558888", "+12025559999"))
    quickstart.up()
    (quickstart.folder / "__main__.py").write_text(first)
    assert quickstart.preview().output.rstrip() == shown.rstrip()


def test_fleet_from_roster(example: Make, linq_emulator: Emulator) -> None:
    """fleet-from-roster: every line of the file is forwarded; a changed row is one write, shown as in the README."""
    fleet = example("fleet-from-roster", linq_emulator)
    fleet.up()
    assert forwardings(linq_emulator) == ["+12025550190", "+12025550191", None]
    assert sorted(fleet.bodies()) == ["+12025550190", "+12025550191"]
    fleet.rests()
    fleet.heals(FIRST)
    fleet.edit("lines.yaml", '"+12025550191"', '"+12025550192"')
    changed = fleet.up("--diff")
    fleet.shown('          ~ +12025550101: "+12025550191" => "+12025550192"\n', output=changed.output)
    assert fleet.bodies() == ["+12025550192"]
    fleet.destroy()
    assert fleet.bodies() == ["", ""]
    assert forwardings(linq_emulator) == [None, None, None]


def test_two_accounts(example: Make, linq_emulator: Emulator) -> None:
    """two-accounts: each line is written with its own account's key, and no file contains the other key in plaintext."""
    # The numbers that the example declares, with other ids than those of the first account.
    lines = [{"phone_number": f"+1202555010{digit}"} for digit in range(3)]
    with Emulator(lines, api_key="canary-emea-1c9e44d0", seed=1) as emea:
        accounts = example("two-accounts", linq_emulator)
        accounts.run("config", "set", "--secret", "emeaKey", emea.api_key)
        accounts.run("config", "set", "emeaBaseUrl", emea.url)
        accounts.up()
        assert forwardings(linq_emulator) == ["+12025550190", None, None]
        assert forwardings(emea) == [None, "+12025550191", None]
        assert accounts.bodies() == ["+12025550190"]
        emea.clear_requests()
        accounts.rests()

        emea.set_forwarding(SECOND, STRANGER)
        healed = accounts.up("--diff")
        accounts.shown('forwarding_number: "+12025550177" => "+12025550191"', output=healed.output)
        assert forwardings(emea) == [None, "+12025550191", None]
        assert [request.method for request in emea.requests].count("PUT") == 1
        assert {request.status for request in [*emea.requests, *linq_emulator.requests]} == {200}
        assert emea.api_key not in accounts.state_text() + (accounts.folder / "Pulumi.dev.yaml").read_text()
        accounts.destroy()
        assert forwardings(linq_emulator) == forwardings(emea) == [None, None, None]


def test_environments(example: Make) -> None:
    """environments: dev takes a line over and can be destroyed; production refuses both, until its guard is lifted."""
    with Emulator(numbers=6) as emulator:
        stacks = example("environments", emulator)
        stacks.run("stack", "init", "production")
        emulator.set_forwarding(FIRST, STRANGER)
        emulator.set_forwarding("+12025550104", STRANGER)
        stacks.up()
        assert forwardings(emulator) == ["+12025550190", None, None, None, STRANGER, None]
        assert stacks.bodies() == ["+12025550190"]
        stacks.rests()
        stacks.heals(FIRST)

        production = {"PULUMI_STACK": "production"}
        assert STRANGER in stacks.preview(fails=True, **production).output
        emulator.set_forwarding("+12025550104", None)
        stacks.up(**production)
        assert sorted(stacks.bodies()) == ["+12025550180", "+12025550181"]
        refused = stacks.destroy(fails=True, **production)
        stacks.shown("because it is protected.", output=refused.output)
        stacks.destroy()
        assert stacks.bodies() == [""]  # the other line is not forwarded, as state and list agree
        assert forwardings(emulator) == [None, None, None, None, "+12025550180", "+12025550181"]

        stacks.edit("Pulumi.production.yaml", 'guarded: "true"', 'guarded: "false"')
        stacks.up(**production)
        assert stacks.bodies() == []
        stacks.destroy(**production)
        assert forwardings(emulator) == [None] * 6


def test_environments_staging_differs_in_settings_only(example: Make) -> None:
    """environments: staging runs the same program on other lines, and production's are not mentioned."""
    with Emulator(numbers=6) as emulator:
        stacks = example("environments", emulator)
        stacks.run("stack", "init", "staging")
        planned = stacks.preview(PULUMI_STACK="staging").output
        assert {line for line in (f"+1202555010{n}" for n in range(6)) if line in planned} == {
            "+12025550102",
            "+12025550103",
        }


def test_on_call_rotation(example: Make, linq_emulator: Emulator) -> None:
    """on-call-rotation: it works today; a hand-over is exactly one write; a day before the rota fails."""
    rotation = example("on-call-rotation", linq_emulator)
    rotation.preview()
    rotation.run("config", "set", "on-call:today", "2027-01-10")
    rotation.up()
    assert rotation.bodies() == ["+12025550190"]
    rotation.rests()
    rotation.heals(FIRST)

    rotation.configure("on-call:today", "2027-01-11")
    handed_over = rotation.up("--diff")
    rotation.shown(
        '      ~ forwarding_number: "+12025550190" => "+12025550191"\n',
        '  ~ on_call    : "ada" => "grace"\n',
        output=handed_over.output,
    )
    assert rotation.bodies() == ["+12025550191"]
    assert linq_emulator.forwarding(FIRST) == "+12025550191"

    rotation.edit("rota.yaml", "swaps: {}", "swaps: {2027-01-11: linus}")
    rotation.up()
    assert rotation.bodies() == ["+12025550192"]

    rotation.configure("on-call:today", "2026-01-11")
    uncovered = rotation.up(fails=True)
    rotation.shown("error: nobody is on call on 2026-01-11: rota.yaml begins on 2026-01-12.", output=uncovered.output)
    assert "Traceback" not in uncovered.output
    assert rotation.bodies() == []
    rotation.destroy()
    assert forwardings(linq_emulator) == [None, None, None]


def test_company_policy(example: Make, linq_emulator: Emulator) -> None:
    """company-policy: each rule fails the preview and the up before anything is written; what keeps them all passes."""
    packages = Path(sys.prefix) / "policy"  # where `make test` puts it
    if not packages.is_dir() and find_spec("pulumi_policy") is None:
        pytest.skip("pulumi-policy is not installed: `make test` does that")
    company = example("company-policy", linq_emulator)
    company.environment["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(packages)])
    # The language host that tools/bootstrap builds is older than its CLI, and cannot start the folder; an executable is
    # the other form of a policy pack. A release of Pulumi takes the folder, as the README shows.
    pack = company.folder / "policy" / "pack"
    pack.write_text(f'#!/bin/sh\nexec {sys.executable} -u "$(dirname "$0")" "$@"\n')
    pack.chmod(0o755)
    company.edit("policy/company.yaml", "begin: 9", "begin: 0")
    company.edit("policy/company.yaml", "end: 17", "end: 24")
    company.edit("policy/company.yaml", "Thursday, Friday]", "Thursday, Friday, Saturday, Sunday]")

    company.preview("--policy-pack", "policy/pack")
    company.up("--policy-pack", "policy/pack")
    assert sorted(company.bodies()) == ["+12025550190", "+12025550191", "+12025550192"]
    program = (company.folder / "__main__.py").read_text()
    for old, new, said in [
        ('"+12025550192"', '"+12025559999"', "Line +12025550102 would be forwarded to a number that is not in the"),
        ('"+12025550191"', '""', "Public line +12025550101 would not be forwarded, and these are business hours."),
        ('"+12025550101": "+12025550191",', "", "Public line +12025550101 is not declared, and these are business h"),
        ('"+12025550190")', '"+12025550190", overwrite=True)', "Line +12025550100 has overwrite without an approval"),
    ]:
        company.edit("__main__.py", old, new)
        refused = company.run("up", "--yes", "--policy-pack", "policy/pack", fails=True)
        assert said in refused.output
        assert "Updating" not in refused.output  # its preview failed
        if "directory" in refused.output:
            company.shown(
                "        - [mandatory]  directory  (pulumi-python:dynamic/linq:PhoneNumberForwardings: branches)\n"
                "          Calls go to numbers of the company's directory only.\n"
                "          Line +12025550102 would be forwarded to a number that is not in the company's directory.\n",
                output=refused.output,
            )
        if "is not declared" not in said:  # the one that only the whole stack shows
            assert said in company.up("--policy-pack", "policy/pack", fails=True).output
        assert company.bodies() == []
        (company.folder / "__main__.py").write_text(program)
    company.destroy()


def test_automation_api(example: Make, linq_emulator: Emulator) -> None:
    """automation-api: requests deploy from a Python that is not on PATH, with progress, a result, and reasons for a refusal."""
    service = example("automation-api", linq_emulator)
    request = json.loads((service.folder / "request.json").read_text())
    done = deploy(service, request)
    assert sorted(done.stderr.splitlines()) == [f"create {FIRST}", f"create {SECOND}"]
    assert json.loads(done.stdout) == {"changes": {"create": 3}, "forwardings": {FIRST: "+12025550190", SECOND: ""}}
    assert service.bodies() == ["+12025550190"]

    again = deploy(service, request)
    service.shown('    "same": 3\n', output=again.stdout)
    assert again.stderr == ""
    assert service.bodies() == []

    linq_emulator.set_forwarding(FIRST, STRANGER)
    assert deploy(service, request).stderr == f"update {FIRST}\n"
    assert service.bodies() == ["+12025550190"]

    linq_emulator.set_forwarding(THIRD, STRANGER)
    refused = deploy(service, request | {THIRD: "+12025550190"}, code=1)
    (reason,) = json.loads(refused.stdout)["errors"]
    assert f"'{THIRD}'" in reason
    assert STRANGER in reason
    assert "Traceback" not in refused.stderr
    assert service.bodies() == []
    service.destroy()
    assert forwardings(linq_emulator) == [None, None, STRANGER]


def deploy(service: Example, request: dict[str, str], *, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Send a request as the README does, by this interpreter's full path; its folder is not on PATH."""
    here = str(Path(sys.executable).parent)
    path = [folder for folder in service.environment["PATH"].split(os.pathsep) if folder != here]
    done = subprocess.run(
        [sys.executable, "__main__.py", "dev"],
        cwd=service.folder,
        env=service.environment | {"PATH": os.pathsep.join(path)},
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_testing_your_stack(example: Make, linq_emulator: Emulator) -> None:
    """testing-your-stack: all of its tests pass; those on the engine create a stack and destroy it."""
    tested = example("testing-your-stack", linq_emulator)
    left_out = ("PULUMI_", "LINQ_", "PYTEST_")
    output = printed(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        folder=tested.folder,
        environment={name: value for name, value in tested.environment.items() if not name.startswith(left_out)},
    )
    tested.shown("tests/test_deployment.py ..", "tests/test_program.py ...", "5 passed in ", output=output)
    assert "warning" not in output
    assert linq_emulator.requests == []
