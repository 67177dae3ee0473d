"""Rows of docs/reliability.md with the real engine; the other rows have separate files."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import API_KEY
from workspace import PROJECT, Workspace

from linq_provider.emulator import Emulator, Fault

pytestmark = [pytest.mark.engine, pytest.mark.skins]

OFFICE, DESK = "+12025559999", "+12025558888"
LINES = int(os.environ.get("FLEET_LINES", "100"))  # `make soak`: 1000
REQUESTS_A_SECOND = float(os.environ.get("FLEET_RATE", "40"))  # `make soak`: 4
FAULTS = "500 502-html=20000 503 504 429=0.2 truncated empty-body reset-before-read reset-after-write reset-mid-body"


def forwarding(stack: Workspace, to: str, *, extra: str = "") -> str:
    """A program of one line that forwards to `to`; returns the line's id."""
    line = stack.emulator.phone_numbers[0]
    stack.program(
        f'linq.PhoneNumberForwarding("x", phone_number="{line.phone_number}", forwarding_number="{to}"{extra})'
    )
    return line.id


def test_row_05_a_server_that_fails_twice(stack: Workspace) -> None:
    """500/3006 twice and then success: up, refresh and destroy succeed, each after exactly three requests."""
    line = forwarding(stack, OFFICE)
    stack.emulator.fail(Fault.server_error(), times=2, method="PUT")
    stack.up()
    assert stack.writes() == [(line, OFFICE)] * 3
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.server_error(), times=2)
    stack.refresh()
    assert stack.methods() == ["GET"] * 3
    stack.emulator.fail(Fault.server_error(), times=2, method="PUT")
    stack.destroy()
    assert stack.writes() == [(line, "")] * 3
    assert stack.emulator.forwarding(line) == ""


def test_row_14_a_refused_write_is_asked_once(stack: Workspace) -> None:
    """400, 401, 403, 404 and 422 on a write: one request each, an error with the status, and nothing recorded."""
    refusals = {400: "1002", 401: "The key came from linq:apiKey", 403: "2005", 404: "2001", 422: "HTTP 422"}
    stack.declare_lines(len(refusals) + 1)
    *refused, accepted = stack.emulator.phone_numbers
    for line, status in zip(refused, refusals, strict=True):
        stack.emulator.fail(Fault.error(status), times=None, method="PUT", path_contains=line.id)
    shown = stack.up("--continue-on-error", fails=True).output
    for line, (status, said) in zip(refused, refusals.items(), strict=True):
        message = shown.partition(f"PUT /v3/phone_numbers/{line.id} ({line.phone_number}) failed: HTTP {status}")[
            2
        ].partition("\n")[0]
        assert said in f"HTTP {status}{message}"
        assert "attempts" not in message
    assert sorted(stack.writes()) == sorted((line.id, OFFICE) for line in stack.emulator.phone_numbers)
    assert [resource["id"] for resource in stack.resources()] == [accepted.id]
    assert "Traceback" not in shown


@pytest.mark.parametrize("fault", ["empty-list", "success-false", "raw=[]"])
def test_row_15_a_list_that_says_nothing_is_asked_for_again(stack: Workspace, fault: str) -> None:
    """An empty or malformed list is asked for once more; the second answer counts, and two such are an error."""
    line = forwarding(stack, OFFICE)
    stack.up()
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.parse(fault))
    stack.refresh()
    assert stack.methods() == ["GET", "GET"]
    assert stack.state()["x"]["id"] == line
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.parse(fault), times=None)
    stack.refresh(fails=True)
    assert stack.methods() == ["GET", "GET"]
    assert stack.state()["x"]["id"] == line


def test_row_17_nothing_is_written_twice(stack: Workspace) -> None:
    """up, up, preview, refresh, preview: no change is shown and no PUT is sent after the first."""
    a, b, c = stack.emulator.phone_numbers
    stack.emulator.set_forwarding(c.id, DESK)
    stack.program(
        f"""
        linq.PhoneNumberForwarding("a", phone_number="{a.phone_number}", forwarding_number="{OFFICE}")
        linq.PhoneNumberForwarding("b", phone_number_id="{b.id.upper()}", forwarding_number="")
        linq.PhoneNumberForwarding("c", phone_number="{c.phone_number}", forwarding_number="{OFFICE}", overwrite=True)
        """
    )
    stack.up()
    assert sorted(stack.writes()) == sorted([(a.id, OFFICE), (c.id, OFFICE)])
    stack.emulator.clear_requests()
    assert stack.up().changes == {}
    stack.empty_preview()
    assert stack.refresh().changes == {}
    stack.empty_preview()
    assert set(stack.methods()) == {"GET"}


def test_row_19_two_stacks_that_declare_one_line(stack: Workspace, tmp_path: Path, template: Path) -> None:
    """The second stack is refused; if it overwrites, each stack's refresh shows the other's number as drift."""
    line = forwarding(stack, OFFICE)
    stack.up()
    shutil.copytree(template, tmp_path / "second")
    second = Workspace(tmp_path / "second", stack.emulator)
    forwarding(second, DESK)
    for shown in (second.preview(fails=True).output, second.up(fails=True).output):
        assert f") already forwards to {OFFICE}, which is not the declared number." in shown
    assert stack.emulator.forwarding(line) == OFFICE
    forwarding(second, DESK, extra=", overwrite=True")
    assert f"the forwarding to {OFFICE} was replaced" in second.up().output
    forwarding(stack, "+12025557777")
    assert f"was changed outside Pulumi to {DESK}" in stack.up(fails=True).output
    assert f'"{OFFICE}" => "{DESK}"' in stack.refresh().output
    forwarding(stack, OFFICE)
    stack.up()
    assert f'"{DESK}" => "{OFFICE}"' in second.refresh().output


def test_row_24_a_fleet_under_faults(
    tmp_path: Path, template: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Many lines, every 20th request fails, the server limits the rate: no command fails, and none writes too much."""
    shutil.copytree(template, tmp_path / "stack")
    with Emulator(numbers=LINES, api_key=API_KEY, rate_limit=REQUESTS_A_SECOND) as emulator:
        stack = Workspace(tmp_path / "stack", emulator)
        stack.configure("linq:maxRetries", "20")
        stack.configure("linq:timeout", "600")
        emulator.fail_randomly(0.05, map(Fault.parse, FAULTS.split()), seed=5)
        stack.declare_lines(LINES)
        stack.run("up", "--yes", "--skip-preview", timeout=3600)
        assert {line.forwarding_number for line in emulator.phone_numbers} == {OFFICE}
        assert len(stack.resources()) == LINES
        assert any(request.status != 200 for request in emulator.requests)
        emulator.clear_requests()
        assert stack.up().changes == {}
        assert emulator.requests == []
        stack.refresh()
        assert 1 <= len(emulator.requests) <= 10
        assert stack.writes() == []
        stack.run("destroy", "--yes", "--skip-preview", timeout=3600)
        assert {line.forwarding_number for line in emulator.phone_numbers} == {None}
        assert stack.state() == {}
    record_testsuite_property("largest process, MB", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)


def test_row_25_unknown_nested_and_secret_values(stack: Workspace) -> None:
    """Lines and numbers from unknown, nested and secret outputs pass the preview as [secret], and are then written."""
    a, b, c = stack.emulator.phone_numbers
    stack.program(
        f"""
        from pulumi.dynamic import CreateResult, Resource, ResourceProvider

        class Made(ResourceProvider):
            def create(self, props):
                found = {{"lines": [{{"id": "{a.id}", "number": "{OFFICE}"}}], "other": {{"line": "{b.phone_number}"}}}}
                return CreateResult("made", {{**props, "found": found}})

        class Directory(Resource):
            found: pulumi.Output[dict]
            def __init__(self, name):
                super().__init__(Made(), name, {{"found": None}})

        found = Directory("directory").found
        linq.PhoneNumberForwarding("a", phone_number_id=found["lines"][0]["id"],
            forwarding_number=pulumi.Output.secret(found["lines"][0]["number"]))
        linq.PhoneNumberForwarding("b", phone_number=pulumi.Output.secret(found["other"]["line"]),
            forwarding_number=pulumi.Output.concat(found["lines"][0]["number"], ""))
        linq.PhoneNumberForwarding("c", phone_number="{c.phone_number}",
            forwarding_number=pulumi.Output.secret("{DESK}"), overwrite=found["lines"].apply(bool))
        """
    )
    shown = stack.preview().output
    assert shown.count("[secret]") >= 2
    assert DESK not in shown
    assert stack.writes() == []
    stack.up()
    assert [line.forwarding_number for line in stack.emulator.phone_numbers] == [OFFICE, OFFICE, DESK]
    assert DESK not in stack.state_text()
    stack.run("preview", "--refresh", "--expect-no-changes")


AUTOMATION = """
import sys
import linq_provider as linq
import pulumi
from pulumi import automation as auto

project, line, url, key = sys.argv[1:]

def program():
    linq.PhoneNumberForwarding("x", phone_number=line, forwarding_number="+12025559999")

stack = auto.create_or_select_stack(stack_name="automation", project_name=project, program=program)
stack.set_config("linq:baseUrl", auto.ConfigValue(url))
stack.set_config("linq:apiKey", auto.ConfigValue(key, secret=True))
print(stack.up().summary.resource_changes, stack.refresh().summary.result, stack.destroy().summary.result)
"""


def test_row_35_the_automation_api_outside_its_environment(stack: Workspace, tmp_path: Path) -> None:
    """The Automation API from a virtual environment that is not activated: PULUMI_PYTHON_CMD is needed, and enough."""
    venv.create(tmp_path / "bare", with_pip=False)  # a python3 without pulumi comes first on PATH
    other = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder != str(Path(sys.executable).parent)]
    path = os.pathsep.join([str(tmp_path / "bare" / "bin"), *other])
    (tmp_path / "run.py").write_text(AUTOMATION)
    line = stack.emulator.phone_numbers[0]
    command = [str(tmp_path / "run.py"), PROJECT, line.phone_number, stack.emulator.url, API_KEY]
    environment = stack.environment | {"PATH": path}
    environment.pop("PULUMI_STACK")
    code, shown = stack.python(*command, environment=environment)
    assert code != 0
    assert "No module named 'pulumi'" in shown
    assert API_KEY not in shown
    code, shown = stack.python(*command, environment=environment | {"PULUMI_PYTHON_CMD": sys.executable})
    assert code == 0, shown
    assert "'create': 1" in shown
    assert "succeeded succeeded" in shown
    assert [write[1] for write in stack.writes()] == [OFFICE, ""]
