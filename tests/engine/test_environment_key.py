"""The key of the environment is not sent to an address that only a stack's file, or its state, names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import API_KEY
from gateway import URL, Gateway
from workspace import Run, Workspace

pytestmark = pytest.mark.engine


@pytest.fixture
def gateway(stack: Workspace, tmp_path: Path) -> Iterator[Gateway]:
    """Another host that leads to the account. The stack has neither key nor address; its one line is declared."""
    for key in ("linq:apiKey", "linq:baseUrl"):
        stack.unset(key)
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="+12025559999")')
    with Gateway(stack.emulator.url, tmp_path) as running:
        stack.environment |= running.environment
        yield running


def refused(run: Run, variable: str) -> bool:
    """It names the source of the key, that of the address, and both ways out."""
    names = (
        f"the key comes from {variable}" in run.output and f"the address {URL} comes from linq:baseUrl" in run.output
    )
    ways = "set LINQ_API_V3_BASE_URL to it too" in run.output and "pulumi config set --secret linq:apiKey" in run.output
    return names and ways and "Traceback" not in run.output and API_KEY not in run.output


@pytest.mark.parametrize("variable", ["LINQ_API_V3_API_KEY", "LINQ_API_KEY_OVERRIDE"])
def test_an_address_in_the_stacks_file(stack: Workspace, gateway: Gateway, variable: str) -> None:
    """Every command is refused without a connection; once the environment names the address too, every command works."""
    stack.configure("linq:baseUrl", URL)
    key = {variable: API_KEY}
    both = key | {"LINQ_API_V3_BASE_URL": URL}
    assert refused(stack.preview(fails=True, **key), variable)
    assert refused(stack.up(fails=True, **key), variable)
    assert gateway.connections == 0
    stack.up(**both)
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    assert gateway.requests.count("PUT") == 1
    stack.run("preview", "--expect-no-changes", **both)
    before = gateway.connections
    for command in (stack.refresh, stack.up, stack.destroy):
        arguments = ["--refresh"] if command == stack.up else []
        assert refused(command(*arguments, fails=True, **key), variable)
    assert gateway.connections == before
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025559999"
    stack.refresh(**both)
    stack.destroy(**both)
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert stack.state() == {}


def test_a_key_of_the_stacks_own(stack: Workspace, gateway: Gateway) -> None:
    """The other solution: key and address are both set in the stack."""
    stack.configure("linq:baseUrl", URL)
    stack.run("config", "set", "--secret", "linq:apiKey", API_KEY)
    stack.up()
    stack.empty_preview()
    stack.refresh()
    stack.destroy()
    assert gateway.requests.count("PUT") == 2
    assert stack.emulator.phone_numbers[0].forwarding_number is None


def test_an_address_that_was_planted_in_the_state(stack: Workspace, gateway: Gateway) -> None:
    """Refresh and destroy are configured from the state: what somebody wrote there does not lead the key away."""
    key = {"LINQ_API_V3_API_KEY": API_KEY}
    stack.up(**key, LINQ_API_V3_BASE_URL=stack.emulator.url)
    plant(stack, "linq:baseUrl", URL)
    assert refused(stack.refresh(fails=True, **key), "LINQ_API_V3_API_KEY")
    assert refused(stack.refresh(fails=True, LINQ_API_KEY_OVERRIDE=API_KEY), "LINQ_API_KEY_OVERRIDE")
    assert refused(stack.destroy(fails=True, LINQ_API_KEY_OVERRIDE=API_KEY), "LINQ_API_KEY_OVERRIDE")
    assert gateway.connections == 0
    stack.refresh(**key, LINQ_API_V3_BASE_URL=URL)
    assert gateway.requests == ["GET"]  # so the address that was planted is the one that counts
    stack.destroy("--run-program", **key, LINQ_API_V3_BASE_URL=stack.emulator.url)
    assert gateway.requests == ["GET"]
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert stack.state() == {}


def plant(stack: Workspace, key: str, value: str) -> None:
    """Write a setting into the provider that the state holds."""
    file = stack.folder / "state.json"
    stack.run("stack", "export", "--file", str(file))
    state = json.loads(file.read_text())
    (provider,) = [
        each for each in state["deployment"]["resources"] if each["type"] == "pulumi:providers:pulumi-python"
    ]
    for side in ("inputs", "outputs"):
        provider.setdefault(side, {})[key] = value
    file.write_text(json.dumps(state))
    stack.run("stack", "import", "--file", str(file))
