"""Look-ups while a program runs: which key goes to which server, how often, and the error messages."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import AuthenticationError, ConfigurationError, LinqError
from linq_provider.phone_number import PhoneNumber
from linq_provider.program import lookup
from linq_provider.program.lookup import get_phone_number, get_phone_numbers

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
OFFICE = "+12025559999"
LINES = [
    {"id": SALES, "phone_number": SALES_NUMBER, "forwarding_number": OFFICE, "line_type": "iMessage"},
    {"id": SUPPORT, "phone_number": SUPPORT_NUMBER, "line_type": "RCS"},
]
GET = ("GET", 200)
KEY, OTHER_KEY = "canary-4f9d2c71b8e35a60", "canary-90be17a3d2c84f56"


class NoEngine(pulumi.runtime.Mocks):
    """Stands in for the engine: look-ups never reach it."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        raise AssertionError(args.name)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(args.token)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Two lines, of which one is forwarded."""
    with Emulator(LINES, api_key=KEY) as running:
        yield running


@pytest.fixture
def other() -> Iterator[Emulator]:
    """Another account on another server, with one line."""
    with Emulator([{"id": SUPPORT, "phone_number": SUPPORT_NUMBER}], api_key=OTHER_KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A separate run of a program, without configuration and environment."""
    for name in ("LINQ_API_KEY_OVERRIDE", "LINQ_API_V3_API_KEY", "LINQ_API_V3_BASE_URL", "LINQ_MAX_RETRIES"):
        monkeypatch.delenv(name, raising=False)
    new_run()
    yield
    pulumi.runtime.set_all_config({}, [])


def new_run() -> None:
    """Begin another program run in this process."""
    pulumi.runtime.set_mocks(NoEngine())


def configure(emulator: Emulator, *, key: str = KEY, secret: bool = True) -> None:
    """The stack's configuration: this server, one try, and the key as `pulumi config set` keeps it."""
    settings = {"linq:apiKey": key, "linq:baseUrl": emulator.url, "linq:maxRetries": "0"}
    pulumi.runtime.set_all_config(settings, ["linq:apiKey"] if secret else [])


def asked(emulator: Emulator) -> list[tuple[str, int | None]]:
    """The requests that arrived; a key of another account would be answered with 401."""
    assert all(request.path.endswith("/v3/phone_numbers") for request in emulator.requests)
    return [(request.method, request.status) for request in emulator.requests]


def refused(look_up: Callable[[], object]) -> str:
    """The text of the error: one that Pulumi prints without a traceback, and without a key."""
    with pytest.raises(LinqError) as caught:
        look_up()
    assert isinstance(caught.value, pulumi.RunError)
    text = str(caught.value)
    assert not any(key[i : i + 8] in text for key in (KEY, OTHER_KEY) for i in range(len(key) - 7))
    assert len(text) <= 500
    return text


# What is found


def test_all_lines_are_listed(emulator: Emulator) -> None:
    """As frozen records, in the order of the account, "" where calls are not forwarded."""
    configure(emulator)
    assert get_phone_numbers() == [
        PhoneNumber(SALES, SALES_NUMBER, OFFICE, "iMessage"),
        PhoneNumber(SUPPORT, SUPPORT_NUMBER, "", "RCS"),
    ]


@pytest.mark.parametrize("line", [SUPPORT_NUMBER, SUPPORT, SUPPORT.upper()])
def test_one_line_is_found_by_either_name(emulator: Emulator, line: str) -> None:
    """By its number, or by its id in any case."""
    configure(emulator)
    assert get_phone_number(line) == PhoneNumber(SUPPORT, SUPPORT_NUMBER, "", "RCS")


def test_many_look_ups_are_one_request(emulator: Emulator) -> None:
    """Of all lines or of one, and what a program does to its list does not reach the next look-up."""
    configure(emulator)
    get_phone_numbers().clear()
    assert len(get_phone_numbers()) == 2
    assert get_phone_number(SALES).forwarding_number == OFFICE
    assert get_phone_number(SUPPORT_NUMBER).forwarding_number == ""
    assert asked(emulator) == [GET]


def test_a_run_keeps_what_it_saw_first(emulator: Emulator) -> None:
    """A program that looks twice sees the same, and the next run in this process looks again."""
    configure(emulator)
    assert get_phone_number(SALES).forwarding_number == OFFICE
    emulator.set_forwarding(SALES, None)
    assert get_phone_number(SALES).forwarding_number == OFFICE
    new_run()
    assert get_phone_number(SALES).forwarding_number == ""
    assert asked(emulator) == [GET, GET]


def test_runs_leave_nothing_behind(emulator: Emulator) -> None:
    """What an ended run saw is not kept in a long-lived process."""
    configure(emulator)
    kept = []
    for _ in range(4):
        new_run()
        get_phone_numbers()
        gc.collect()
        kept.append(len(lookup._listed))
    assert kept[1] == kept[3]  # Pulumi itself keeps the first run of a process


def test_without_a_run_nothing_is_remembered(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a plain script there is no end at which to forget."""
    configure(emulator)
    monkeypatch.setattr(pulumi.runtime.settings.SETTINGS, "monitor", None)
    get_phone_numbers()
    get_phone_numbers()
    assert asked(emulator) == [GET, GET]


# Which key goes to which server


def test_configuration_comes_from_the_environment_too(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the stack sets nothing, as for the resources."""
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", emulator.url)
    assert len(get_phone_numbers()) == 2


def test_the_override_beats_the_stack(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rotation, as for the resources; and the other key is another list."""
    configure(emulator)
    get_phone_numbers()
    rotated = emulator.create_token([SALES])
    monkeypatch.setenv("LINQ_API_KEY_OVERRIDE", rotated)
    assert [line.id for line in get_phone_numbers()] == [SALES]
    assert asked(emulator) == [GET, GET]


def test_another_account_is_given_by_arguments(
    emulator: Emulator, other: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each server gets only its own key, whatever the environment says, and one request."""
    configure(emulator)
    monkeypatch.setenv("LINQ_API_KEY_OVERRIDE", KEY)
    for _ in range(2):
        assert get_phone_number(SUPPORT).line_type == "RCS"
        assert len(get_phone_numbers(api_key=OTHER_KEY, base_url=other.url)) == 1
        assert get_phone_number(SUPPORT, api_key=OTHER_KEY, base_url=other.url).id == SUPPORT
    assert asked(emulator) == [GET]
    assert asked(other) == [GET]


def test_a_key_without_a_url_goes_to_linq(other: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never to the server of the stack or of the environment."""
    configure(other)
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", other.url)
    assert lookup._settings(OTHER_KEY, None).base_url == "https://api.linqapp.com/api/partner"


def test_a_url_without_a_key_is_refused(emulator: Emulator, other: Emulator) -> None:
    """The stack's key is not sent to another server."""
    configure(emulator)
    assert refused(lambda: get_phone_numbers(base_url=other.url)).startswith(
        "A look-up was given a base_url without an api_key"
    )
    assert asked(emulator) == asked(other) == []


def test_a_key_in_plaintext_is_refused(emulator: Emulator) -> None:
    """As by the resources, with the command that fixes it; a key of another account does not depend on it."""
    configure(emulator, secret=False)
    assert "Run `pulumi config set --secret linq:apiKey`" in refused(get_phone_numbers)
    assert "Run `pulumi config set --secret linq:apiKey`" in refused(lambda: get_phone_number(SALES))
    assert asked(emulator) == []
    assert len(get_phone_numbers(api_key=KEY, base_url=emulator.url)) == 2


# What is refused


def test_a_line_that_the_key_does_not_see(emulator: Emulator) -> None:
    """Names the line, how many lines are seen, and three of them."""
    for last in (6, 7):
        emulator.add_number(f"+1202555123{last}")
    configure(emulator)
    error = refused(lambda: get_phone_number("+12025550000"))
    seen = "4: +12025551234, +12025551235, +12025551236, …."
    assert error.startswith(f"This key does not see the line +12025550000; it sees {seen} A key can be limited")


@pytest.mark.parametrize(
    ("line", "hint"),
    [("+1 202 555 1234", "remove the spaces"), ("12025551234", "put + in front (+1…)"), ("", "like +1")],
)
def test_what_is_no_line_is_refused_without_a_request(emulator: Emulator, line: str, hint: str) -> None:
    """With the hint of what is wrong with the number."""
    configure(emulator)
    assert hint in refused(lambda: get_phone_number(line))
    assert asked(emulator) == []


@pytest.mark.parametrize("name", ["line", "api_key", "base_url"])
def test_an_output_is_refused(emulator: Emulator, name: str) -> None:
    """A look-up cannot wait for a value, and its error says what to pass instead."""
    configure(emulator)
    arguments: dict[str, Any] = {"line": SALES, name: pulumi.Output.secret(KEY)}
    with pytest.raises(TypeError, match=f"^{name} is an Output, .* config.require"):
        get_phone_number(**arguments)
    assert asked(emulator) == []


def test_an_account_without_lines_is_an_error(emulator: Emulator) -> None:
    """A program that declares what it finds would otherwise give up every line; a single wrong answer is asked again."""
    configure(emulator)
    emulator.fail(Fault.empty_list())
    assert len(get_phone_numbers()) == 2
    new_run()
    emulator.fail(Fault.empty_list(), times=2)
    assert refused(get_phone_numbers).startswith("This key sees no lines at all")


def test_a_failure_is_not_remembered(emulator: Emulator) -> None:
    """A program that catches it and looks again asks again."""
    configure(emulator)
    emulator.fail(Fault.server_error())
    assert "HTTP 500" in refused(get_phone_numbers)
    assert len(get_phone_numbers()) == 2
    assert asked(emulator) == [("GET", 500), GET]


def test_without_a_key_nothing_is_asked() -> None:
    """The error says both ways to set it."""
    assert refused(get_phone_numbers) == (
        "No Linq API key is configured. Run `pulumi config set --secret linq:apiKey`, or set the environment variable"
        " LINQ_API_V3_API_KEY."
    )


def test_a_wrong_key_is_not_told(emulator: Emulator) -> None:
    """Not even where the server repeats it; the error's cause is the typed one, and says where the key came from."""
    configure(emulator, key=OTHER_KEY)
    emulator.fail(Fault.error(401, message=f"Unknown token {OTHER_KEY}"))
    assert "The key came from linq:apiKey." in refused(get_phone_numbers)
    emulator.fail(Fault.error(401, message=f"Unknown token {KEY}"))
    text = refused(lambda: get_phone_numbers(api_key=KEY, base_url=emulator.url))
    assert "The key came from the argument api_key." in text
    with pytest.raises(LinqError) as caught:
        get_phone_numbers()
    assert isinstance(caught.value.__cause__, AuthenticationError)


@pytest.mark.parametrize("key", ["", f"{OTHER_KEY}\n", f"{OTHER_KEY} x"])
def test_a_malformed_key_is_not_told(key: str) -> None:
    """Refused before anything is sent."""
    assert refused(lambda: get_phone_numbers(api_key=key)).startswith("linq:apiKey ")
    with pytest.raises(LinqError) as caught:
        get_phone_numbers(api_key=key)
    assert isinstance(caught.value.__cause__, ConfigurationError)


def test_importing_look_ups_is_cheap(tmp_path: Path) -> None:
    """`requests` is imported by the first look-up, not by the import."""
    program = (
        "import sys, linq_provider.program.lookup; print({'requests', 'tenacity', 'urllib3'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
