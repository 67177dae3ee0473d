"""The dynamic provider: what the state contains, and what is returned to the engine."""

from __future__ import annotations

import base64
import pickle
import pickletools
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown

import linq_provider as linq
from linq_provider.dynamic import PhoneNumberForwardingProvider, PhoneNumberForwardingsProvider
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import FleetError

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025550001"
UNKNOWN = Unknown()  # type: ignore[no-untyped-call]


# What the state contains


def test_the_pickle_is_a_name() -> None:
    """The provider is stored as its import path, in 100 characters, the same for Python 3.10 to 3.13."""
    stored = serialize_provider(PhoneNumberForwardingProvider())
    for_ever = "gASVPgAAAAAAAACMFWxpbnFfcHJvdmlkZXIuZHluYW1pY5SMHVBob25lTnVtYmVyRm9yd2FyZGluZ1Byb3ZpZGVylJOUKVKULg=="
    assert len(stored) == len(for_ever) == 100
    stored_bytes, known = base64.b64decode(stored), base64.b64decode(for_ever)
    assert (stored_bytes[0], stored_bytes[2:]) == (known[0], known[2:])  # [1] is the protocol


def test_the_pickle_holds_no_dictionary_and_no_key() -> None:
    """Configured or not, only the name is stored: a dictionary would end a large program, a key leak."""
    provider = PhoneNumberForwardingProvider()
    provider.configure(ConfigureRequest(Config({"linq:apiKey": "canary-5be1c7"}, "project")))
    stored = base64.b64decode(serialize_provider(provider))
    told = {opcode.name: argument for opcode, argument, _ in pickletools.genops(stored)}
    assert not told.keys() & {"DICT", "EMPTY_DICT", "SETITEM", "SETITEMS", "BUILD"}
    assert b"canary" not in stored
    assert type(pickle.loads(stored)) is PhoneNumberForwardingProvider


# What is returned to the engine


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Sales and support, none forwarded; with a unique key, because lifecycles are cached by their settings."""
    lines = [{"id": SALES, "phone_number": SALES_NUMBER}, {"id": SUPPORT, "phone_number": SUPPORT_NUMBER}]
    with Emulator(lines, api_key=uuid4().hex) as running:
        yield running


def configured(emulator: Emulator, **settings: str) -> PhoneNumberForwardingProvider:
    """A provider as the engine makes one: from its pickle, with the stack's configuration."""
    config = {"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url, "linq:maxRetries": "0"}
    config |= {f"linq:{key}": value for key, value in settings.items()}
    provider = pickle.loads(base64.b64decode(serialize_provider(PhoneNumberForwardingProvider())))
    assert isinstance(provider, PhoneNumberForwardingProvider)
    provider.configure(ConfigureRequest(Config(config, "project")))
    return provider


@pytest.fixture
def provider(emulator: Emulator) -> PhoneNumberForwardingProvider:
    """A configured provider."""
    return configured(emulator)


def properties(to: object, line: object = SALES_NUMBER, **more: object) -> dict[str, Any]:
    """Inputs as the engine sends them."""
    name = "phone_number" if line in (SALES_NUMBER, SUPPORT_NUMBER) else "phone_number_id"
    return {name: line, "forwarding_number": to, "__provider": "a pickle"} | more


def state(to: str, **more: object) -> dict[str, Any]:
    """Outputs as the engine sends them."""
    stored = {"phone_number_id": SALES, "phone_number": SALES_NUMBER, "forwarding_number": to}
    return stored | {"declared_by": "phone_number", "__provider": "a pickle"} | more


def without_pickle(props: dict[str, Any]) -> dict[str, Any]:
    """The properties that are ours."""
    return {key: value for key, value in props.items() if key != "__provider"}


def test_the_life_of_one_resource(provider: PhoneNumberForwardingProvider, emulator: Emulator) -> None:
    """Every verb takes and returns the engine's dictionaries, without the provider's pickle."""
    checked = provider.check({}, properties(OFFICE))
    assert (checked.inputs, checked.failures) == (without_pickle(properties(OFFICE)), [])
    created = provider.create(properties(OFFICE))
    assert (created.id, created.outs) == (SALES, without_pickle(state(OFFICE)))
    assert provider.diff(SALES, state(OFFICE), properties(OFFICE)).changes is False
    other = configured(emulator, timeout="60")  # a separate process
    updated = other.update(SALES, state(OFFICE), properties(DESK, overwrite=True))
    assert updated.outs == without_pickle(state(DESK, overwrite=True))
    read = other.read(SALES, state(DESK, overwrite=True))
    assert (read.id, read.outs) == (SALES, without_pickle(state(DESK, overwrite=True)))
    assert read.inputs == without_pickle(properties(DESK, overwrite=True))
    other.delete(SALES, state(DESK))
    assert [request.method for request in emulator.requests] == ["GET", "PUT", "GET", "PUT", "PUT"]
    assert emulator.forwarding(SALES) == ""


@pytest.mark.parametrize(
    "given",
    [
        properties(UNKNOWN),
        properties(OFFICE, line=UNKNOWN),
        properties(UNKNOWN, overwrite=UNKNOWN),
        properties(OFFICE, overwrite=True),
        properties(OFFICE, overwrite=False),
        properties("", line=SUPPORT),
    ],
)
def test_inputs_come_back_as_they_were(provider: PhoneNumberForwardingProvider, given: dict[str, Any]) -> None:
    """What check returns is what the program declared: unknown stays Pulumi's unknown, False stays False."""

    def shown(props: dict[str, Any]) -> dict[str, Any]:
        return {key: "unknown" if isinstance(value, Unknown) else value for key, value in props.items()}

    checked = provider.check({}, given)
    assert checked.failures == []
    assert shown(checked.inputs) == shown(without_pickle(given))


@pytest.mark.parametrize(
    "wrong",
    [
        properties("bad"),
        properties(12025559999.0),
        properties(OFFICE, overwrite="false"),
        {"forwarding_number": OFFICE},
        {"phone_number": SALES_NUMBER, "phone_number_id": SALES},
        properties(OFFICE, line="nonsense"),
        properties(SALES_NUMBER),
        properties(OFFICE, line="00000000-0000-4000-8000-000000000000"),
        properties(OFFICE, line=SUPPORT),
    ],
)
def test_a_failure_names_no_property(
    provider: PhoneNumberForwardingProvider, emulator: Emulator, wrong: dict[str, Any]
) -> None:
    """The engine prints the value of a property that a failure names, secret or not: none names one."""
    emulator.set_forwarding(SUPPORT, ELSEWHERE)
    failures = provider.check({}, wrong).failures
    assert failures
    assert {failure.property for failure in failures} == {""}


def test_what_is_no_setting_fails_check(emulator: Emulator) -> None:
    """A setting that cannot be used is a failure of check, and of the other verbs: not of `configure`."""
    provider = configured(emulator, timeout="soon")
    [failure] = provider.check({}, properties(OFFICE)).failures
    assert failure.property == ""
    assert failure.reason.startswith("linq:timeout (environment: LINQ_TIMEOUT) must be a number of seconds")
    with pytest.raises(linq.ConfigurationError):
        provider.create(properties(OFFICE))


def test_live_check_off(emulator: Emulator) -> None:
    """linq:liveCheck false makes check validate only."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    assert configured(emulator, liveCheck="false").check({}, properties(OFFICE)).failures == []
    assert emulator.requests == []


def test_another_line_is_a_replacement(provider: PhoneNumberForwardingProvider) -> None:
    """Another line replaces; never by deleting first, which would be an outage."""
    diff = provider.diff(SALES, state(OFFICE), properties(OFFICE, line=SUPPORT_NUMBER))
    assert (diff.changes, diff.replaces) == (True, ["phone_number"])
    assert not diff.delete_before_replace


@pytest.mark.parametrize(
    "news",
    [
        properties(DESK),
        properties(UNKNOWN),
        properties(OFFICE, overwrite=True),
        properties(OFFICE, line=SALES),
    ],
)
def test_a_change_is_left_to_the_engine(provider: PhoneNumberForwardingProvider, news: dict[str, Any]) -> None:
    """A change in place names no property: the engine compares the inputs, for `replace_on_changes`."""
    diff = provider.diff(SALES, state(OFFICE), news)
    assert diff.changes is None
    assert not diff.replaces


def test_gone_leaves_the_state(
    provider: PhoneNumberForwardingProvider, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that is gone is returned to the engine as an empty id, and reported to the user in one line."""
    emulator.remove_number(SALES)
    read = provider.read(SALES, state(OFFICE))
    assert (read.id, read.outs) == ("", {})
    assert capsys.readouterr().out.startswith(
        f"linq: Line {SALES} ({SALES_NUMBER}) is no longer among the lines of this key"
    )


def test_get_has_no_inputs_to_return(provider: PhoneNumberForwardingProvider, emulator: Emulator) -> None:
    """`.get()` returns outputs only; a line that is not there is an error, because "gone" would count as success."""
    emulator.set_forwarding(SALES, OFFICE)
    emulator.remove_number(SUPPORT)
    read = provider.read(SALES, {"__provider": "a pickle"})
    assert read.inputs is None
    assert (read.outs or {})["forwarding_number"] == OFFICE
    with pytest.raises(linq.RefusedError, match="See the account's lines"):
        provider.read(SUPPORT, {"__provider": "a pickle"})


def test_providers_of_one_account_share_it(emulator: Emulator) -> None:
    """Two providers with the same settings share one list and one memory of who holds a line."""
    configured(emulator).create(properties(OFFICE))
    with pytest.raises(linq.RefusedError, match="is declared by another resource of this program too"):
        configured(emulator).create(properties(OFFICE, line=SALES))
    assert [request.method for request in emulator.requests] == ["GET", "PUT"]


def test_providers_of_two_accounts_share_nothing(emulator: Emulator) -> None:
    """Another key is another account: the same number there is another line."""
    with Emulator([{"id": SUPPORT, "phone_number": SALES_NUMBER}], api_key=uuid4().hex) as other:
        assert configured(emulator).create(properties(OFFICE)).id == SALES
        assert configured(other).create(properties(OFFICE)).id == SUPPORT


def test_an_error_is_its_text(provider: PhoneNumberForwardingProvider, emulator: Emulator) -> None:
    """What leaves a verb is our error, whose text is all that the user sees."""
    emulator.fail(Fault.server_error(), times=None)
    with pytest.raises(linq.InternalServerError, match=r"^GET /v3/phone_numbers failed: HTTP 500"):
        provider.create(properties(OFFICE))


@pytest.mark.parametrize("named", [{"phone_number": SALES_NUMBER}, {"phone_number_id": SALES}])
def test_a_state_of_the_native_package_is_taken_over(
    provider: PhoneNumberForwardingProvider, emulator: Emulator, named: dict[str, str]
) -> None:
    """Once, so that the state has our form, and without a request; a new number is written as always."""
    olds = {"phoneNumberId": SALES, "phoneNumber": SALES_NUMBER, "forwardingNumber": OFFICE}
    news = named | {"forwarding_number": OFFICE}
    assert provider.diff(SALES, olds, news).changes is True
    (declared_by,) = named
    recorded = {"phone_number_id": SALES, "phone_number": SALES_NUMBER, "forwarding_number": OFFICE}
    assert provider.update(SALES, olds, news).outs == recorded | {"declared_by": declared_by}
    assert emulator.requests == []
    emulator.set_forwarding(SALES, OFFICE)
    assert provider.update(SALES, olds, news | {"forwarding_number": DESK}).outs["forwarding_number"] == DESK
    assert emulator.forwarding(SALES) == DESK


def test_a_fleet_that_failed_says_what_no_state_records(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """The state of a dynamic provider cannot record what its new lines forwarded to before, so it is reported once."""
    fleet = PhoneNumberForwardingsProvider()
    settings = {"linq:apiKey": emulator.api_key, "linq:baseUrl": emulator.url, "linq:maxRetries": "0"}
    fleet.configure(ConfigureRequest(Config(settings, "project")))
    emulator.set_forwarding(SALES, ELSEWHERE)
    emulator.fail(Fault.parse("403"), times=1, method="PUT", path_contains=SUPPORT)
    declared = {"forwardings": {SALES_NUMBER: OFFICE, SUPPORT_NUMBER: OFFICE}, "overwrite": True, "removed": "restore"}
    with pytest.raises(FleetError):
        fleet.create(declared)
    forgotten = f"linq: The state does not record the earlier numbers of these lines: {SALES_NUMBER} ({ELSEWHERE})."
    assert capsys.readouterr().out.splitlines()[-1] == forgotten
