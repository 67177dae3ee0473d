"""What a program passes to a fleet, what is registered, and what the dynamic provider returns for it."""

from __future__ import annotations

import base64
import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown
from registered import Registered, run

import linq_provider as linq
from linq_provider.dynamic import PhoneNumberForwardingsProvider
from linq_provider.emulator import Emulator
from linq_provider.errors import FleetError
from linq_provider.program.forwarding import ProgramError

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
OFFICE, DESK = "+12025559999", "+12025558888"
UNKNOWN = Unknown()  # type: ignore[no-untyped-call]


# What is registered


def test_the_pickle_is_a_name() -> None:
    """The fleet's provider is stored as its import path, in 100 characters, without any dictionary."""
    stored = serialize_provider(PhoneNumberForwardingsProvider())
    for_ever = "gASVPwAAAAAAAACMFWxpbnFfcHJvdmlkZXIuZHluYW1pY5SMHlBob25lTnVtYmVyRm9yd2FyZGluZ3NQcm92aWRlcpSTlClSlC4="
    assert len(stored) == len(for_ever) == 100
    stored_bytes, known = base64.b64decode(stored), base64.b64decode(for_ever)
    assert (stored_bytes[0], stored_bytes[2:]) == (known[0], known[2:])  # [1] is the protocol
    told = {opcode.name for opcode, _, _ in pickletools.genops(stored_bytes)}
    assert not told & {"DICT", "EMPTY_DICT", "SETITEM", "SETITEMS", "BUILD"}


def test_only_what_is_not_the_default_is_registered(registered: Registered) -> None:
    """Defaults are left out of the inputs; a line is registered under its id in lower case."""

    @run
    def _program() -> None:
        linq.PhoneNumberForwardings("plain", forwardings={SALES.upper(): OFFICE, SUPPORT_NUMBER: ""})
        linq.PhoneNumberForwardings(
            "full", forwardings={"+12025551236": OFFICE}, overwrite=["+12025551236"], removed="keep", allow_clearing=7
        )

    assert registered.resources["plain"].typ == "pulumi-python:dynamic/linq:PhoneNumberForwardings"
    assert registered.inputs("plain") == {"forwardings": {SALES: OFFICE, SUPPORT_NUMBER: ""}}
    assert registered.inputs("full") == {
        "forwardings": {"+12025551236": OFFICE},
        "overwrite": ["+12025551236"],
        "removed": "keep",
        "allow_clearing": 7,
    }


@pytest.mark.parametrize("nothing", [None, pulumi.Output.from_input(None)])
def test_none_is_not_left_out(registered: Registered, nothing: Any) -> None:
    """A number of None reaches check, which refuses it: left out of the map, the line would be cleared."""
    run(lambda: linq.PhoneNumberForwardings("x", forwardings={SALES_NUMBER: nothing, SUPPORT_NUMBER: OFFICE}))
    registered_map = registered.inputs("x")["forwardings"]
    assert registered_map == {SALES_NUMBER: False, SUPPORT_NUMBER: OFFICE}
    assert check({"forwardings": registered_map}) == [
        f'{SALES_NUMBER}: forwarding_number is missing; write "" for not forwarded'
    ]


def test_none_in_a_map_that_is_an_output(registered: Registered) -> None:
    """The same where the whole map is an Output."""
    late = pulumi.Output.from_input({SALES.upper(): None, SUPPORT_NUMBER: pulumi.Output.from_input(OFFICE)})
    run(lambda: linq.PhoneNumberForwardings("x", forwardings=late))
    assert registered.inputs("x")["forwardings"] == {SALES: False, SUPPORT_NUMBER: OFFICE}


def test_a_key_that_is_an_output_is_refused(registered: Registered) -> None:
    """An Output cannot be a key, and the error says what to write instead."""
    with pytest.raises(TypeError, match="make the whole map an Output"):
        linq.PhoneNumberForwardings("x", forwardings={pulumi.Output.from_input(SALES_NUMBER): OFFICE})  # type: ignore[dict-item]


def test_one_id_in_capitals_and_in_lower_case(registered: Registered) -> None:
    """Two keys for one id are refused: one of the two numbers would be lost."""
    with pytest.raises(ProgramError, match="names a phone_number_id twice"):
        linq.PhoneNumberForwardings("x", forwardings={SALES: OFFICE, SALES.upper(): DESK})


def test_a_fleet_and_a_single_resource_on_one_line(registered: Registered) -> None:
    """A line that another resource of the program declares is refused when the program runs, naming both."""

    @run
    def _program() -> None:
        line = linq.PhoneNumberForwarding("sales", phone_number_id=SALES, forwarding_number=OFFICE)
        with pytest.raises(ProgramError, match="'sales' and 'fleet' declare the same line"):
            linq.PhoneNumberForwardings("fleet", forwardings={SALES.upper(): OFFICE})
        fleet = linq.PhoneNumberForwardings("other", forwardings={SUPPORT_NUMBER: OFFICE})
        with pytest.raises(ProgramError, match="'other' and 'support' declare the same line"):
            linq.PhoneNumberForwarding("support", phone_number=SUPPORT_NUMBER, forwarding_number=OFFICE)
        assert line is not fleet


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (pulumi.ResourceOptions(import_="fleet"), "Pulumi cannot import dynamic resources"),
        (pulumi.ResourceOptions(id="fleet"), "a fleet is not an object at Linq"),
    ],
)
def test_import_and_get_are_refused(registered: Registered, opts: pulumi.ResourceOptions, message: str) -> None:
    """Neither can work for a fleet; the message says what to do instead."""
    with pytest.raises(ProgramError, match=message):
        linq.PhoneNumberForwardings("x", forwardings={}, opts=opts)


def test_a_key_in_plaintext_is_refused(registered: Registered) -> None:
    """linq:apiKey without --secret is refused for a fleet too."""
    pulumi.runtime.set_all_config({"linq:apiKey": "canary-5be1c7"}, [])
    with pytest.raises(ProgramError, match="pulumi config set --secret linq:apiKey"):
        linq.PhoneNumberForwardings("x", forwardings={})


def test_a_roster_file_becomes_a_fleet(registered: Registered, tmp_path: Path) -> None:
    """The component registers one fleet of its name with the lines of the file, and shows what they forward to."""
    roster = tmp_path / "lines.yaml"
    roster.write_text(f"{SALES_NUMBER}: {OFFICE}\n")
    seen: list[object] = []

    @run
    def _program() -> pulumi.Output[None]:
        component = linq.ForwardingRoster("lines", file=roster, removed="keep")
        return component.forwardings.apply(seen.append)

    assert registered.inputs("lines") == {"forwardings": {SALES_NUMBER: OFFICE}, "removed": "keep"}
    assert registered.components == {"lines": "linq:index:ForwardingRoster"}
    assert seen == [{SALES_NUMBER: OFFICE}]


# What the engine's skin makes of it


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Sales and support, not forwarded."""
    numbers = [{"id": SALES, "phone_number": SALES_NUMBER}, {"id": SUPPORT, "phone_number": SUPPORT_NUMBER}]
    with Emulator(numbers) as running:
        yield running


def configured(emulator: Emulator | None = None, *, timeout: int = 60) -> PhoneNumberForwardingsProvider:
    """A provider as the engine configures it; another timeout shares nothing, as in another process."""
    provider = PhoneNumberForwardingsProvider()
    settings = {"linq:liveCheck": "false"}
    if emulator is not None:
        settings = {"linq:baseUrl": emulator.url, "linq:apiKey": emulator.api_key, "linq:timeout": str(timeout)}
    provider.configure(ConfigureRequest(Config(settings, "project")))
    return provider


def check(news: dict[str, Any]) -> list[str]:
    """What check finds without a live look."""
    return [failure.reason for failure in configured().check({}, news).failures]


def test_numbers_of_pulumi_are_floats(emulator: Emulator) -> None:
    """`allow_clearing` arrives as a float, and is recorded as it came."""
    props = {"forwardings": {SALES_NUMBER: OFFICE}, "allow_clearing": 7.0}
    provider = configured(emulator)
    assert provider.check({}, props).inputs == props
    assert provider.create(props).outs == props


def test_unknown_values_pass_as_they_are(emulator: Emulator) -> None:
    """A number, the whole map, a line of overwrite: what is unknown goes back to the engine as unknown."""
    provider = configured(emulator)
    checked = provider.check({}, {"forwardings": {SALES_NUMBER: UNKNOWN}, "overwrite": [UNKNOWN]})
    assert checked.failures == []
    assert isinstance(checked.inputs["forwardings"][SALES_NUMBER], Unknown)
    assert isinstance(checked.inputs["overwrite"][0], Unknown)
    assert isinstance(provider.check({}, {"forwardings": UNKNOWN}).inputs["forwardings"], Unknown)


def test_the_engine_finds_the_changed_lines_itself() -> None:
    """A change is returned as `changes=None`, for the diff line by line; no change as False."""
    provider = configured()
    olds = {"forwardings": {SALES_NUMBER: OFFICE}, "__provider": "a pickle"}
    assert provider.diff("fleet", olds, {"forwardings": {SALES_NUMBER: DESK}}).changes is None
    assert provider.diff("fleet", olds, {"forwardings": {SALES_NUMBER: OFFICE}}).changes is False


def test_a_setting_that_cannot_be_used_is_one_failure() -> None:
    """A malformed setting is reported by check, in one sentence."""
    provider = PhoneNumberForwardingsProvider()
    provider.configure(ConfigureRequest(Config({"linq:maxConcurrency": "many"}, "project")))
    (failure,) = provider.check({}, {"forwardings": {}}).failures
    assert "linq:maxConcurrency" in failure.reason


def test_the_whole_life(emulator: Emulator) -> None:
    """create, update, read and delete of one fleet, as the engine calls them."""
    provider = configured(emulator)
    first = {"forwardings": {SALES_NUMBER: OFFICE, SUPPORT: OFFICE}}
    created = provider.create(first)
    assert (created.id, created.outs) == ("fleet", first)
    second = {"forwardings": {SALES_NUMBER: DESK}}
    provider = configured(emulator, timeout=61)
    assert provider.update("fleet", first, second).outs == second
    assert emulator.forwarding(SUPPORT) == ""
    emulator.set_forwarding(SALES, OFFICE)
    provider = configured(emulator, timeout=62)
    read = provider.read("fleet", second | {"__provider": "a pickle"})
    assert (read.id, read.inputs) == ("fleet", {"forwardings": {SALES_NUMBER: OFFICE}})
    applied = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": {SALES_NUMBER: DESK}}
    assert read.outs == read.inputs | {"applied_numbers": applied}
    provider = configured(emulator, timeout=63)
    provider.delete("fleet", read.inputs)
    assert emulator.forwarding(SALES) == ""


def later(value: Any) -> Any:
    """A coroutine of it."""

    async def coroutine() -> Any:
        return value

    return coroutine()


@pytest.mark.parametrize("key", [12025551234, None, 1.5], ids=str)
@pytest.mark.parametrize("made", [lambda m: m, lambda m: pulumi.Output.from_input("").apply(lambda _: m), later])
def test_a_key_that_is_no_text(registered: Registered, key: Any, made: Callable[[Any], Any]) -> None:
    """It is refused in a sentence, wherever the map was made: Pulumi itself would end in a traceback."""
    with pytest.raises(ProgramError, match=rf"forwardings has the key {key}, which is not text\. Put it in quotes"):
        run(lambda: linq.PhoneNumberForwardings("fleet", forwardings=made({key: OFFICE})))


@pytest.mark.parametrize("made", [lambda v: v, lambda v: pulumi.Output.from_input("").apply(lambda _: v), later])
def test_a_map_in_place_of_a_number(registered: Registered, made: Callable[[Any], Any]) -> None:
    """It is refused in a sentence, too, also where its keys are no text."""
    with pytest.raises(ProgramError, match="forwardings has a map in place of a number"):
        run(lambda: linq.PhoneNumberForwardings("fleet", forwardings={SALES: made({1: OFFICE})}))


def test_a_coroutine_is_an_input_too(registered: Registered) -> None:
    """None is not left out of a map that comes, or whose numbers come, from a coroutine."""

    async def nothing() -> Any:
        return None

    async def whole() -> Any:
        return {SALES.upper(): None, SUPPORT: OFFICE}

    def program() -> None:
        linq.PhoneNumberForwardings("numbers", forwardings={SALES_NUMBER: nothing(), SUPPORT_NUMBER: OFFICE})
        linq.PhoneNumberForwardings("map", forwardings=whole())

    run(program)
    assert registered.inputs("numbers")["forwardings"] == {SALES_NUMBER: False, SUPPORT_NUMBER: OFFICE}
    assert registered.inputs("map")["forwardings"] == {SALES: False, SUPPORT: OFFICE}


@pytest.mark.parametrize(
    "given", [pulumi.Output.from_input([SALES.upper()]), [pulumi.Output.from_input(SALES.upper())]]
)
def test_overwrite_as_an_output_is_in_lower_case(registered: Registered, given: Any) -> None:
    """An id in capitals is found in the map, however it comes."""
    run(lambda: linq.PhoneNumberForwardings("fleet", forwardings={SALES: OFFICE}, overwrite=given))
    assert registered.inputs("fleet")["overwrite"] == [SALES]


def test_two_kinds_of_one_name_are_two_owners(registered: Registered) -> None:
    """A fleet and a single resource, or two in components of different types, do not pass for one because of a name."""

    class Office(pulumi.ComponentResource):
        def __init__(self, kind: str) -> None:
            super().__init__(f"test:index:{kind}", "north")
            opts = pulumi.ResourceOptions(parent=self)
            linq.PhoneNumberForwarding("line", phone_number=SUPPORT_NUMBER, forwarding_number=OFFICE, opts=opts)

    def support() -> None:
        linq.PhoneNumberForwardings("support", forwardings={SALES_NUMBER: OFFICE})
        linq.PhoneNumberForwarding("support", phone_number=SALES_NUMBER, forwarding_number=OFFICE)

    def line() -> None:
        kept = [Office("Desk"), Office("Lobby")]
        assert kept

    for program in (support, line):
        with pytest.raises(ProgramError, match="declare the same line"):
            run(program)


def test_what_no_state_has_is_named(emulator: Emulator) -> None:
    """A dynamic provider cannot record a fleet in part: the lines that a failed update added and wrote are named."""
    provider = configured(emulator)
    first = {"forwardings": {SALES_NUMBER: OFFICE}}
    provider.create(first)
    third = emulator.add_number("+12025551236")
    emulator.fail("403", times=None, method="PUT", path_contains=third.id)
    second = {"forwardings": {SALES_NUMBER: OFFICE, SUPPORT_NUMBER: OFFICE, third.phone_number: OFFICE}}
    provider = configured(emulator, timeout=64)
    with pytest.raises(FleetError) as failure:
        provider.update("fleet", first | {"__provider": "a pickle"}, second)
    ending = f"check these new lines by hand, because they are not in the state: {SUPPORT_NUMBER}."
    assert str(failure.value).endswith(ending)


def test_a_state_of_the_native_package_is_taken_over(emulator: Emulator) -> None:
    """Once, so that the state has our form, and without a request."""
    provider = configured(emulator)
    olds = {"forwardings": {SALES_NUMBER: OFFICE}}
    news = olds | {"removed": "keep"}
    assert provider.diff("fleet", olds, news).changes is True
    assert provider.update("fleet", olds, news).outs == news
    assert emulator.requests == []
