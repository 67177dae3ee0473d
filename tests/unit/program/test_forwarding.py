"""What a program may declare of one line and of another account, and what is registered with the engine."""

from __future__ import annotations

import base64
import runpy
import subprocess
import sys
from typing import Any

import pulumi
import pytest
from bench.contestants import SOURCES
from registered import Registered, run

import linq_provider as linq
from linq_provider.program.forwarding import ProgramError

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10"
OFFICE = "+12025559999"
TOKEN = "pulumi-python:dynamic/linq:PhoneNumberForwarding"


def forward(name: str, line: str = SALES_NUMBER, **arguments: Any) -> linq.PhoneNumberForwarding:
    """Declare a line by its number or its id."""
    identity = "phone_number" if line.startswith("+") else "phone_number_id"
    return linq.PhoneNumberForwarding(name, **{identity: line, "forwarding_number": OFFICE} | arguments)


# What is registered


def test_what_is_registered(registered: Registered) -> None:
    """The type token, and only the inputs that the program gave."""

    @run
    def _program() -> None:
        forward("plain")
        forward("refusing", line=SUPPORT, overwrite=False)
        forward("taking", line="+12025551236", overwrite=True)
        forward("later", line="+12025551237", overwrite=pulumi.Output.from_input(False))

    assert registered.resources["plain"].typ == TOKEN
    assert registered.inputs("plain") == {"phone_number": SALES_NUMBER, "forwarding_number": OFFICE}
    assert registered.inputs("refusing") == {"phone_number_id": SUPPORT, "forwarding_number": OFFICE}
    assert registered.inputs("taking")["overwrite"] is True
    assert registered.inputs("later")["overwrite"] is False
    provider = registered.resources["plain"].inputs["__provider"]
    assert len(provider) < 120
    assert b"PhoneNumberForwardingProvider" in base64.b64decode(provider)


def test_outputs_in_a_unit_test(registered: Registered) -> None:
    """A program's own unit test sees the outputs."""
    seen: list[object] = []

    @run
    def _program() -> pulumi.Output[None]:
        line = forward("x")
        return pulumi.Output.all(line.phone_number, line.forwarding_number).apply(seen.extend)

    assert seen == [SALES_NUMBER, OFFICE]


def test_get_reads_by_id(registered: Registered) -> None:
    """`.get()` reads by id and declares nothing: the program may declare the line as well."""

    @run
    def _program() -> None:
        forward("x", line=SALES)
        linq.PhoneNumberForwarding.get("seen", SALES, pulumi.ResourceOptions(protect=True))

    assert registered.resources["seen"].resource_id == SALES
    assert registered.inputs("seen") == {}


def test_get_takes_an_id_in_capitals(registered: Registered) -> None:
    """The id is asked for in lower case, as Linq writes it."""
    run(lambda: linq.PhoneNumberForwarding.get("seen", SALES.upper()))
    assert registered.resources["seen"].resource_id == SALES


def test_options_are_passed_on(registered: Registered) -> None:
    """To what is declared, to what is only read, and to a provider: each is registered below its parent."""
    urns: list[str] = []

    @run
    def _program() -> pulumi.Output[None]:
        below = pulumi.ResourceOptions(parent=pulumi.ComponentResource("test:index:Desk", "desk"))
        line = forward("x", opts=below)
        seen = linq.PhoneNumberForwarding.get("seen", SUPPORT, below)
        provider = linq.Provider("emea", api_key="canary-5be1c7", opts=below)
        return pulumi.Output.all(line.urn, seen.urn, provider.urn).apply(urns.extend)

    assert [urn.split("::")[2].partition("$")[0] for urn in urns] == ["test:index:Desk"] * 3


def test_get_takes_no_phone_number(registered: Registered) -> None:
    """Only an id names a line to read, and the message says where to find it."""
    with pytest.raises(ProgramError) as refused:
        linq.PhoneNumberForwarding.get("seen", SALES_NUMBER)
    assert str(refused.value) == (
        "PhoneNumberForwarding.get() takes a phone_number_id, but '+12025551234' is not one."
        " Look the id up with linq.get_phone_number(...).id."
    )


def test_pulumi_evaluates_no_annotations_for_each_resource() -> None:
    """That took 0.2 ms for each resource."""
    assert pulumi._types.resource_types(linq.PhoneNumberForwarding) == {}


def test_the_no_op_resource_of_the_benchmark_has_our_outputs(registered: Registered) -> None:
    """Each output takes the SDK some time, so the benchmark would otherwise compare unlike resources."""
    noop = runpy.run_path(str(SOURCES / "noop_provider.py"))["Noop"]
    outputs = []

    @run
    def _program() -> None:
        for resource in (forward("ours"), noop("theirs", phone_number=SALES_NUMBER, forwarding_number=OFFICE)):
            outputs.append({name for name, value in vars(resource).items() if isinstance(value, pulumi.Output)})

    assert outputs[0] == outputs[1] > {"phone_number", "replaced_number"}


# One line, one resource


@pytest.mark.parametrize(("one", "other"), [(SALES_NUMBER, SALES_NUMBER), (SALES, SALES), (SALES, SALES.upper())])
def test_two_declarations_of_one_line(registered: Registered, one: str, other: str) -> None:
    """Two resources on one line are refused when the program runs, naming both."""

    @run
    def _program() -> None:
        sales = forward("sales", line=one)
        with pytest.raises(ProgramError) as refused:
            forward("support", line=other)
        assert str(refused.value) == (
            "'sales' and 'support' declare the same line. Keep only one of them: otherwise either number could be used."
        )
        assert isinstance(refused.value, pulumi.RunError)  # printed without a traceback
        assert sales is not None

    assert list(registered.resources) == ["sales"]


def test_children_of_the_same_name_are_named_with_their_parents(registered: Registered) -> None:
    """Two components of the same name under different parents: the message has the whole path of both."""

    class Desk(pulumi.ComponentResource):
        def __init__(self, name: str, parent: pulumi.Resource | None = None) -> None:
            super().__init__("test:index:Desk", name, None, pulumi.ResourceOptions(parent=parent))
            if parent is not None:
                self.line = forward("line", line=SALES_NUMBER, opts=pulumi.ResourceOptions(parent=self))

    @run
    def _program() -> None:
        kept = [Desk("desk", Desk("berlin"))]
        with pytest.raises(ProgramError, match=r"^'berlin/desk/line' and 'paris/desk/line' declare the same line"):
            Desk("desk", Desk("paris"))
        assert kept


def test_a_line_that_is_known_late_is_declared_once_too() -> None:
    """Lines that come from outputs are compared as soon as they are known; both resources are named."""

    def program() -> None:
        for name in ("sales", "support"):
            forward(name, line="+1", phone_number=pulumi.Output.from_input(SALES_NUMBER))

    with pytest.raises(ProgramError, match=r"'sales' and 'support' declare the same line|'support' and 'sales'"):
        run(program)


def test_a_second_run_does_not_meet_the_first(registered: Registered) -> None:
    """A new `set_mocks` is a new program, even where resources of the one before are still held."""
    kept = []
    for _ in range(3):
        pulumi.runtime.set_mocks(Registered())
        run(lambda: kept.append(forward("x")))
    assert len(kept) == 3


def test_a_second_unit_test_does_not_meet_the_first(registered: Registered) -> None:
    """Two unit tests of one program under one `set_mocks` do not meet, also where the first one fails."""

    def program() -> pulumi.Output[str]:
        return forward("x").forwarding_number

    def failing() -> None:
        forward("x")
        raise AssertionError("of the user's test")

    run(program)
    run(program)
    with pytest.raises(AssertionError, match="of the user's test"):
        run(failing)
    run(program)


def test_unit_tests_that_keep_their_resources_do_not_meet(registered: Registered) -> None:
    """Under one `set_mocks`, the same names are the same program in another unit test; other names still clash."""
    kept: list[Any] = []
    for _ in range(2):
        run(lambda: kept.append(forward("x")))
    with pytest.raises(ProgramError, match="'x' and 'y' declare the same line"):
        run(lambda: kept.append(forward("y")))


def test_a_declaration_that_failed_declares_nothing(registered: Registered) -> None:
    """A declaration refused for another reason is no first declaration."""

    @run
    def _program() -> None:
        with pytest.raises(ProgramError, match="adoption is automatic"):
            forward("sales", opts=pulumi.ResourceOptions(import_=SALES))
        forward("support")

    assert list(registered.resources) == ["support"]


# Refused when the program runs


def test_import_is_refused(registered: Registered) -> None:
    """`import_` cannot work with a dynamic resource, and the message says what to do instead."""
    with pytest.raises(ProgramError) as refused:
        forward("x", opts=pulumi.ResourceOptions(import_=SALES))
    assert str(refused.value) == (
        "Remove import_ from 'x': Pulumi cannot import dynamic resources. Only declare it: adoption is"
        " automatic. A line that already holds the declared number is adopted without a write."
    )


@pytest.mark.parametrize("declared", [{"forwarding_number": OFFICE}, {"phone_number": SALES_NUMBER}])
def test_an_id_beside_a_declaration_is_refused(registered: Registered, declared: dict[str, str]) -> None:
    """With an id in its options a resource is only read, so a declaration would be ignored."""
    arguments: dict[str, Any] = {"forwarding_number": None} | declared
    with pytest.raises(ProgramError) as refused:
        linq.PhoneNumberForwarding("x", **arguments, opts=pulumi.ResourceOptions(id=SALES))
    assert str(refused.value) == (
        "'x' has an id in its options, so Pulumi would only read it, and write nothing. Remove the id to declare the line,"
        " or use PhoneNumberForwarding.get() to read it."
    )


def test_a_key_in_plaintext_is_refused(registered: Registered) -> None:
    """linq:apiKey without --secret is refused with the command that fixes it; the key is not repeated."""
    pulumi.runtime.set_all_config({"linq:apiKey": "canary-5be1c7"}, [])
    with pytest.raises(ProgramError, match="pulumi config set --secret linq:apiKey") as refused:
        forward("x")
    assert "canary" not in str(refused.value)
    assert registered.resources == {}


def test_a_secret_key_is_fine(registered: Registered) -> None:
    """With --secret the program runs, and the key is in nothing that it registers."""
    pulumi.runtime.set_all_config({"linq:apiKey": "canary-5be1c7"}, ["linq:apiKey"])
    run(lambda: forward("x"))
    assert "canary" not in repr(registered.resources["x"].inputs)


# linq.Provider


@pytest.mark.parametrize("api_key", [None, ""])
def test_a_provider_needs_a_key(registered: Registered, api_key: Any) -> None:
    """A provider without a key is refused: it must not use the account of the environment."""
    with pytest.raises(ProgramError) as refused:
        linq.Provider("emea", api_key=api_key)
    assert str(refused.value) == (
        'linq.Provider("emea") needs an api_key. Give it one from a secret setting, such as config.require_secret(...).'
    )


def test_what_a_provider_is_given(registered: Registered) -> None:
    """Every setting arrives as text under its configuration key, the key as a secret; none is inherited."""
    pulumi.runtime.set_all_config({"linq:timeout": "60"}, [])
    secret = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "value": "canary-5be1c7",
    }

    @run
    def _program() -> None:
        linq.Provider(
            "emea",
            api_key="canary-5be1c7",
            base_url="https://emea.example/api",
            timeout=30,
            max_retries=pulumi.Output.from_input(2),
            max_concurrency=4,
            live_check=False,
        )
        linq.Provider("bare", api_key=pulumi.Output.from_input("canary-5be1c7"))

    assert registered.resources["emea"].typ == "pulumi:providers:pulumi-python"
    assert registered.inputs("emea") == {
        "linq:apiKey": secret,
        "linq:baseUrl": "https://emea.example/api",
        "linq:timeout": "30",
        "linq:maxRetries": "2",
        "linq:maxConcurrency": "4",
        "linq:liveCheck": "false",
        "linq:explicitProvider": "emea",
    }
    assert registered.inputs("bare") == {"linq:apiKey": secret, "linq:explicitProvider": "bare"}


# What an import costs


A_PROGRAM = """
import pulumi
class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs
    def call(self, args):
        return {}
pulumi.runtime.set_mocks(Mocks())
import linq_provider as linq
@pulumi.runtime.test
def program():
    return linq.PhoneNumberForwarding("x", phone_number="+12025551234", forwarding_number="").id
program()
import sys
print(sorted({"requests", "tenacity", "urllib3", "linq_provider.api.client"} & sys.modules.keys()))
"""


def test_a_program_loads_no_http_client() -> None:
    """Neither `import linq_provider` nor declaring a line imports requests or tenacity."""
    command = [sys.executable, "-c", A_PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd="/")
    assert done.stdout == "[]\n"
