"""`linq-provider drift`: declared by a roster, or by the state of a stack, compared with what is live.

A shell script replaces the Pulumi CLI; tests/engine/test_cli.py uses the real one.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linq_provider.emulator import Emulator, Fault

A, B, C = "+12025550100", "+12025550101", "+12025550102"
A_ID = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
B_ID = "29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10"
C_ID = "3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21"
OFFICE, DESK = "+12025559999", "+12025558888"
LONDON, LONDON_ID = "+442071838750", "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, of which A forwards to the office."""
    lines = [
        {"id": A_ID, "phone_number": A, "forwarding_number": OFFICE},
        {"id": B_ID, "phone_number": B},
        {"id": C_ID, "phone_number": C},
    ]
    with Emulator(lines, api_key="canary-4f9d2c71b8e35a60") as running:
        yield running


@pytest.fixture
def drift(emulator: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in a separate folder, with the key in the environment: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINQ_API_V3_API_KEY", emulator.api_key)
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", emulator.url)
    return partial(run, "drift")


def roster(text: str) -> tuple[str, str]:
    """The arguments for a roster of this text."""
    Path("lines.yaml").write_text(text)
    return "--roster", "lines.yaml"


# A roster


def test_no_drift(drift: Run) -> None:
    """If every declared line is as declared, stdout is empty, stderr says how many there are, and exit is 0."""
    assert drift(*roster(f'"{A}": "{OFFICE}"\n{B_ID}: ""\n')) == (
        0,
        "",
        "Compared 2 declared lines with what is live: no differences.\n",
    )


def test_changed(drift: Run) -> None:
    """A line that forwards elsewhere is a row with both numbers, and the exit status is 2."""
    text = f'"{A}": "{DESK}"\n{B_ID.upper()}: "{DESK}"\n"{C}": ""\n'
    rows = f"changed\t{A}\t{DESK}\t{OFFICE}\tlines.yaml\nchanged\t{B_ID}\t{DESK}\tnot forwarded\tlines.yaml\n"
    said = (
        "Compared 3 declared lines with what is live: 2 differences. `pulumi up --refresh` writes what is declared.\n"
    )
    assert drift(*roster(text)) == (2, rows, said)


def test_cleared_is_declared_too(drift: Run) -> None:
    """A line declared as not forwarded that forwards is drift."""
    said = "Compared 1 declared line with what is live: 1 difference. `pulumi up --refresh` writes what is declared.\n"
    assert drift(*roster(f'"{A}": ""\n')) == (2, f"changed\t{A}\tnot forwarded\t{OFFICE}\tlines.yaml\n", said)


def test_gone(drift: Run, emulator: Emulator) -> None:
    """A declared line that the key does not see is drift."""
    emulator.remove_number(B)
    code, shown, _ = drift(*roster(f'"{A}": "{OFFICE}"\n"{B}": "{DESK}"\n'))
    assert (code, shown) == (2, f"gone\t{B}\t{DESK}\t-\tlines.yaml\n")


def test_undeclared_lines_are_listed_where_they_are_asked_for(drift: Run) -> None:
    """A line that forwards and is declared nowhere counts only with `--undeclared`, and then it is a row and exit 2."""
    declared = roster(f'"{B}": ""\n')
    assert drift(*declared)[:2] == (0, "")
    said = (
        "Compared 1 declared line with what is live: no differences. Lines that forward and are declared nowhere: 1.\n"
    )
    assert drift(*declared, "--undeclared") == (2, f"undeclared\t{A}\t-\t{OFFICE}\t-\n", said)


def test_no_undeclared_lines(drift: Run) -> None:
    """With `--undeclared` and nothing found the exit status is 0, and stderr says so."""
    said = (
        "Compared 1 declared line with what is live: no differences. Lines that forward and are declared nowhere: 0.\n"
    )
    assert drift(*roster(f'"{A}": "{OFFICE}"\n'), "--undeclared") == (0, "", said)


def test_json(drift: Run, emulator: Emulator) -> None:
    """`--json` prints one object with the three lists, "" for not forwarded; the exit status is the same."""
    emulator.remove_number(C)
    emulator.set_forwarding(B, DESK)
    code, shown, said = drift(*roster(f'"{A}": ""\n"{C}": ""\n'), "--undeclared", "--json")
    assert (code, said) == (2, "")
    assert json.loads(shown) == {
        "drift": True,
        "declared": 2,
        "changed": [{"line": A, "declared": "", "live": OFFICE, "declared_by": "lines.yaml"}],
        "gone": [{"line": C, "declared": "", "declared_by": "lines.yaml"}],
        "undeclared": [{"line": B, "id": B_ID, "live": DESK}],
    }


def test_json_without_drift(drift: Run) -> None:
    """Without drift the object says so; null says that undeclared lines were not looked for."""
    for option, found in ((), None), (("--undeclared",), []):
        code, shown, _ = drift(*roster(f'"{A}": "{OFFICE}"\n'), *option, "--json")
        assert code == 0
        assert json.loads(shown) == {"drift": False, "declared": 1, "changed": [], "gone": [], "undeclared": found}


def test_only_reads(drift: Run, emulator: Emulator) -> None:
    """Drift is found with one GET and left as it is."""
    drift(*roster(f'"{A}": "{DESK}"\n'))
    assert [request.method for request in emulator.requests] == ["GET"]
    assert emulator.forwarding(A) == OFFICE


@pytest.mark.parametrize("fault", ["empty-list", "raw=[]", "401", "403", "404"])
def test_what_could_not_be_told_is_no_drift(drift: Run, emulator: Emulator, fault: str) -> None:
    """An empty or malformed list and a refused key are exit 1 with one sentence, never "gone"."""
    emulator.fail(Fault.parse(fault), times=None)
    code, shown, said = drift(*roster(f'"{A}": "{OFFICE}"\n'))
    assert (code, shown) == (1, "")
    assert said.count("\n") == 1


def test_one_empty_list_is_asked_again(drift: Run, emulator: Emulator) -> None:
    """One empty answer is not believed."""
    emulator.fail(Fault.parse("empty-list"))
    assert drift(*roster(f'"{A}": "{OFFICE}"\n'))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say what is declared, with --roster or --stack."),
        (("--nonsense",), "--nonsense"),
        (("--roster", "missing.yaml"), "missing.yaml cannot be read"),
        (("--roster", "empty.yaml"), "names no lines"),
    ],
)
def test_wrong_use_is_not_drift(drift: Run, emulator: Emulator, arguments: tuple[str, ...], words: str) -> None:
    """Wrong usage and a roster that cannot be used are exit 1, never the 2 that means drift, without a request."""
    Path("empty.yaml").touch()
    code, shown, said = drift(*arguments)
    assert (code, shown) == (1, "")
    assert words in said
    assert said.count("\n") == 1
    assert emulator.requests == []


@pytest.mark.usefixtures("drift")
@pytest.mark.parametrize(("declared", "status"), [(OFFICE, 0), (DESK, 2)])
def test_on_a_terminal_there_is_a_table(
    on_a_terminal: Callable[..., tuple[int, str]], declared: str, status: int
) -> None:
    """On a terminal what differs is a table, and there is none where nothing differs."""
    code, shown = on_a_terminal("drift", *roster(f'"{A}": "{declared}"\n'))
    assert code == status
    assert ("Declared by" in shown, DESK in shown) == ((True, True) if status else (False, False))


# The state of a stack

STACK = "urn:pulumi:dev::project::"
ONE = "pulumi-python:dynamic/linq:PhoneNumberForwarding"
FLEET = "pulumi-python:dynamic/linq:PhoneNumberForwardings"
PROVIDER = "pulumi:providers:pulumi-python"


def secret(value: Any) -> dict[str, str]:
    """A secret as `pulumi stack export --show-secrets` shows it."""
    return {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": json.dumps(value),
    }


def resource(kind: str, name: str, id_: str, provider: str = "default", **outputs: Any) -> dict[str, Any]:
    """A resource of a state."""
    return {
        "urn": f"{STACK}{kind}::{name}",
        "custom": True,
        "id": id_,
        "type": kind,
        "outputs": outputs,
        "provider": f"{STACK}{PROVIDER}::{provider}::19153d0e-a3c1-4508-ba95-ac69705254f5",
    }


def one(name: str, id_: str, number: Any, phone_number: Any, **more: Any) -> dict[str, Any]:
    """A PhoneNumberForwarding."""
    props = {"phone_number_id": id_, "phone_number": phone_number, "forwarding_number": number}
    return {**resource(ONE, name, id_, **props), **more}


def provider(name: str, **inputs: Any) -> dict[str, Any]:
    """A provider with these settings of the namespace `linq`; the engine's own, the default one, has no parent."""
    return {
        "urn": f"{STACK}{PROVIDER}::{name}",
        "id": "19153d0e-a3c1-4508-ba95-ac69705254f5",
        "type": PROVIDER,
        "inputs": {f"linq:{key}": value for key, value in inputs.items()},
        **({} if name == "default" else {"parent": f"{STACK}pulumi:pulumi:Stack::project-dev"}),
    }


State = Callable[..., None]


@pytest.fixture
def state(emulator: Emulator, drift: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> State:
    """Put these resources into the stack, whose key is the only one there is."""
    monkeypatch.delenv("LINQ_API_V3_API_KEY")
    folder = tmp_path / "bin"
    folder.mkdir()
    config = {"linq:apiKey": {"value": emulator.api_key, "secret": True}}
    (folder / "config").write_text(json.dumps(config))
    (folder / "pulumi").write_text(f'#!/bin/sh\nexec cat "{folder}/$1"\n')
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def put(*resources: dict[str, Any]) -> None:
        deployment = {"resources": [provider("default", apiKey=secret("a key of yesterday")), *resources]}
        (folder / "stack").write_text(json.dumps({"version": 3, "deployment": deployment}))

    return put


def test_a_stack_without_drift(drift: Run, state: State) -> None:
    """One resource and one fleet that say what is live: exit 0, with the key that the stack is configured with."""
    state(one("a", A_ID, OFFICE, A), resource(FLEET, "rest", "fleet", forwardings={B: "", C_ID: ""}))
    assert drift("--stack", "dev") == (0, "", "Compared 3 declared lines with what is live: no differences.\n")


def test_a_stack_with_drift(drift: Run, state: State, emulator: Emulator) -> None:
    """Each row names the resource that declares the line, and shows no declared number that is secret."""
    emulator.remove_number(C)
    state(
        one("a", A_ID, secret(DESK), A),
        resource(FLEET, "rest", "fleet", forwardings={B: DESK, C: secret(DESK)}),
    )
    code, shown, _ = drift("--stack", "dev")
    assert code == 2
    assert shown.splitlines() == [
        f"changed\t{A}\t[secret]\t{OFFICE}\ta",
        f"changed\t{B}\t{DESK}\tnot forwarded\trest",
        f"gone\t{C}\t[secret]\t-\trest",
    ]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_secrets_of_a_stack_are_not_shown(drift: Run, state: State, emulator: Emulator, form: tuple[str, ...]) -> None:
    """Of a map that is secret as a whole, and of a line whose number is secret, only the id is shown."""
    emulator.remove_number(C)
    state(
        one("a", A_ID, DESK, secret(A)),
        resource(FLEET, "all", "fleet", forwardings=secret({B: "+12025557777", C: "+12025557778"})),
    )
    code, shown, said = drift("--stack", "dev", *form)
    assert code == 2
    shown += said
    assert [value in shown for value in (A_ID, B_ID, "[secret]")] == [True] * 3
    assert [value in shown for value in (A, B, C, "+1202555777", emulator.api_key)] == [False] * 5


def test_what_is_not_declared(drift: Run, state: State) -> None:
    """What `.get()` reads, what waits for its deletion, and other resources declare nothing."""
    state(
        one("got", A_ID, DESK, A, external=True),
        one("old", B_ID, DESK, B, delete=True),
        resource("random:index:RandomPet", "pet", "x", forwarding_number=DESK),
    )
    assert drift("--stack", "dev") == (0, "", "Nothing was compared: stack dev declares no line.\n")
    code, shown, said = drift("--stack", "dev", "--undeclared")
    assert (code, shown) == (2, f"undeclared\t{A}\t-\t{OFFICE}\t-\n")
    assert said == "Nothing was compared: stack dev declares no line. Lines that forward and are declared nowhere: 1.\n"


@pytest.mark.parametrize("text", ['{"version": 3, "deployment": null}', '{"version": 3, "deployment": {}}'])
def test_a_stack_without_resources(drift: Run, state: State, tmp_path: Path, text: str) -> None:
    """A stack that was never deployed declares nothing, and stderr says so."""
    state()
    (tmp_path / "bin" / "stack").write_text(text)
    assert drift("--stack", "dev") == (0, "", "Nothing was compared: stack dev declares no line.\n")


def test_an_older_state(drift: Run, state: State) -> None:
    """A resource whose recorded number cannot be read is exit 1, not a guess."""
    state(one("a", A_ID, None, A))
    code, shown, said = drift("--stack", "dev")
    assert (code, shown) == (1, "")
    assert said.startswith("The state does not say which number 'a' declares.")


@pytest.fixture
def away() -> Iterator[Emulator]:
    """Another account, with one line that forwards nowhere."""
    with Emulator([{"id": LONDON_ID, "phone_number": LONDON}], api_key="canary-of-emea") as running:
        yield running


def in_emea(id_: str, number: str) -> dict[str, Any]:
    """A line that `linq.Provider("emea")` declares."""
    urn = f"{STACK}{PROVIDER}::emea::19153d0e-a3c1-4508-ba95-ac69705254f5"
    return one("london", id_, number, LONDON, provider=urn)


def emea(away: Emulator, key: str | None = None) -> dict[str, Any]:
    """The provider in the state."""
    return provider("emea", apiKey=secret(key or away.api_key), baseUrl=away.url, explicitProvider="emea")


def test_several_accounts(drift: Run, state: State, emulator: Emulator, away: Emulator) -> None:
    """Resources of a linq.Provider are compared with its account, by its key; the others with the stack's account."""
    state(emea(away), in_emea(LONDON_ID, DESK), one("a", A_ID, OFFICE, A))
    assert drift("--stack", "dev")[:2] == (2, f"changed\t{LONDON}\t{DESK}\tnot forwarded\tlondon\n")
    assert [request.method for request in (*emulator.requests, *away.requests)] == ["GET", "GET"]


def test_another_account_inherits_nothing(
    drift: Run, state: State, emulator: Emulator, away: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LINQ_API_KEY_OVERRIDE is for the stack's account only, and an account without declarations is not asked."""
    monkeypatch.setenv("LINQ_API_KEY_OVERRIDE", emulator.api_key)
    state(emea(away), in_emea(LONDON_ID, ""))
    assert drift("--stack", "dev")[:2] == (0, "")
    assert emulator.requests == []


def test_an_account_that_cannot_be_read(drift: Run, state: State, away: Emulator) -> None:
    """If one account refuses its key, the result is unknown: exit 1, and the error names the provider."""
    state(emea(away, "canary-7f3d1c9a"), in_emea(LONDON_ID, ""), one("a", A_ID, DESK, A))
    code, shown, said = drift("--stack", "dev")
    assert (code, shown) == (1, "")
    assert said.startswith("linq.Provider 'emea': GET /v3/phone_numbers failed: HTTP 401, 2004")
    assert "canary" not in said


def test_roster_and_stack_that_agree(drift: Run, state: State) -> None:
    """With both, each line that one of them declares is compared once, with the stack's key."""
    state(one("a", A_ID, DESK, A))
    code, shown, _ = drift("--stack", "dev", *roster(f'"{A}": "{DESK}"\n"{B}": "{DESK}"\n'))
    assert code == 2
    assert shown.splitlines() == [
        f"changed\t{A}\t{DESK}\t{OFFICE}\tlines.yaml",
        f"changed\t{B}\t{DESK}\tnot forwarded\tlines.yaml",
    ]


def test_roster_and_stack_that_disagree(drift: Run, state: State) -> None:
    """Two declarations of one line, by number and by id, with different numbers: exit 1, and no number is shown."""
    state(one("a", A_ID, secret(OFFICE), A))
    code, shown, said = drift("--stack", "dev", *roster(f'"{A}": "{DESK}"\n'))
    assert (code, shown) == (1, "")
    assert said.startswith(f"{A} is declared with two numbers: by lines.yaml and by a.")
    assert OFFICE not in said
    assert DESK not in said


# Whatever a forwarding is called

OURS = base64.b64encode(b"\x80\x04\x8c\x15linq_provider.dynamic\x94\x8c\x1dPhoneNumberForwardingProvider\x94\x93)R.")
THEIRS = base64.b64encode(b"\x80\x04\x8c\x0bacme.phones\x94\x8c\x08Provider\x94\x93)R.")
SHAPE = {"phone_number_id": A_ID, "phone_number": A, "forwarding_number": DESK}


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("pulumi-python:dynamic:Resource", {"__provider": OURS.decode(), **SHAPE}),
        ("pulumi-python:dynamic/acme/phones:SupportLine", {"__provider": OURS.decode(), **SHAPE}),
        ("pulumi-python:dynamic/acme:Line", {"__provider": secret(OURS.decode()), **SHAPE}),
        ("pulumi-python:dynamic/acme:Line", {"__provider": OURS.decode(), "forwarding_number": DESK}),
        ("pulumi-python:dynamic/acme:Line", {"__provider": THEIRS.decode(), **SHAPE}),
        ("pulumi-python:dynamic/acme:Line", {"__provider": "not base64", **SHAPE, "phone_number_id": secret(A_ID)}),
        ("linq:index:PhoneNumberForwarding", {"phoneNumberId": A_ID, "phoneNumber": A, "forwardingNumber": DESK}),
    ],
    ids=["subclass", "own type", "secret pickle", "few outputs", "own provider class", "no pickle", "native"],
)
def test_a_forwarding_of_any_type(drift: Run, state: State, kind: str, outputs: dict[str, Any]) -> None:
    """A forwarding is found by its provider's class or by its outputs, whatever its type is called."""
    state(resource(kind, "a", A_ID, **outputs))
    code, shown, _ = drift("--stack", "dev")
    assert code == 2
    assert shown in (f"changed\t{A}\t{DESK}\t{OFFICE}\ta\n", f"changed\t{A_ID}\t{DESK}\t{OFFICE}\ta\n")


@pytest.mark.parametrize(
    ("kind", "id_", "outputs"),
    [
        ("pulumi-python:dynamic/acme:Roster", "fleet", {"__provider": OURS.decode()}),
        ("pulumi-python:dynamic/acme:Roster", "fleet", {"__provider": THEIRS.decode()}),
        ("linq:index:PhoneNumberForwardings", "rest", {}),
    ],
    ids=["own type", "own provider class", "native"],
)
def test_a_fleet_of_any_type(drift: Run, state: State, kind: str, id_: str, outputs: dict[str, Any]) -> None:
    """So is a fleet."""
    state(resource(kind, "all", id_, forwardings={A: DESK, B: ""}, **outputs))
    code, shown, said = drift("--stack", "dev")
    assert (code, shown) == (2, f"changed\t{A}\t{DESK}\t{OFFICE}\tall\n")
    assert said.startswith("Compared 2 declared lines with what is live: 1 difference.")


@pytest.mark.parametrize(
    ("kind", "outputs"),
    [
        ("pulumi-python:dynamic:Resource", {"__provider": THEIRS.decode(), "forwarding_number": DESK}),
        ("pulumi-python:dynamic:Resource", {"__provider": THEIRS.decode(), **SHAPE, "phone_number_id": B_ID}),
        ("linq:index:ForwardingRoster", {"forwardings": {A: DESK}}),
        ("linq:index:Other", {}),
    ],
)
def test_what_is_no_forwarding(drift: Run, state: State, kind: str, outputs: dict[str, Any]) -> None:
    """What neither our provider made nor looks like it, such as the component around a fleet, declares nothing."""
    state(resource(kind, "a", A_ID, **outputs))
    assert drift("--stack", "dev") == (0, "", "Nothing was compared: stack dev declares no line.\n")


def test_nothing_of_a_state_is_run(drift: Run, state: State, tmp_path: Path) -> None:
    """The pickle of a provider is searched for a name and never loaded: whoever writes the state could run anything."""
    code = f"cposix\nsystem\n(Vtouch {tmp_path}/harm # linq_provider.dynamic\ntR."
    state(
        resource(
            "pulumi-python:dynamic:Resource", "a", A_ID, __provider=base64.b64encode(code.encode()).decode(), **SHAPE
        )
    )
    assert drift("--stack", "dev")[0] == 2
    assert not (tmp_path / "harm").exists()


def test_the_name_of_a_resource_is_whole(drift: Run, state: State) -> None:
    """A name may hold what separates the parts of a URN, and so may the type of a component around it."""
    state({**one("a::b", A_ID, DESK, A), "urn": f"{STACK}acme:x:Team${ONE}::a::b"})
    assert drift("--stack", "dev")[1] == f"changed\t{A}\t{DESK}\t{OFFICE}\ta::b\n"


@pytest.mark.parametrize("name", ["default", "default_emea", "default_1_0_0", "x::default", "emea"])
@pytest.mark.parametrize("explicit", [True, False])
def test_a_provider_is_found_by_its_reference(
    drift: Run, state: State, away: Emulator, name: str, explicit: bool
) -> None:
    """Whatever a declared provider is called, its account is asked, and not that of the stack."""
    inputs = {"apiKey": secret(away.api_key), "baseUrl": away.url, **({"explicitProvider": name} if explicit else {})}
    declared = {**provider(name, **inputs), "id": "5e0a", "parent": f"{STACK}pulumi:pulumi:Stack::project-dev"}
    state(declared, one("london", LONDON_ID, DESK, LONDON, provider=f"{declared['urn']}::5e0a"))
    assert drift("--stack", "dev")[:2] == (2, f"changed\t{LONDON}\t{DESK}\tnot forwarded\tlondon\n")


def test_a_provider_that_was_replaced(drift: Run, state: State, away: Emulator) -> None:
    """Of two providers with one URN, that with the id of the reference counts."""
    old = {**emea(away, "canary-of-yesterday"), "id": "0001", "delete": True}
    state(emea(away), old, in_emea(LONDON_ID, ""))
    assert drift("--stack", "dev")[0] == 0
    state(emea(away, "canary-of-tomorrow"), {**emea(away), "id": "0001", "delete": True}, in_emea(LONDON_ID, ""))
    assert drift("--stack", "dev")[0] == 1


def test_a_provider_that_is_missing(drift: Run, state: State, emulator: Emulator) -> None:
    """Where the state does not say which account a line belongs to, it is exit 1 and not a guess."""
    state(in_emea(LONDON_ID, ""))
    code, shown, said = drift("--stack", "dev")
    assert (code, shown) == (1, "")
    assert said.startswith("The state does not say in which account 'london' is: its provider is missing.")
    assert emulator.requests == []


def test_a_native_provider(drift: Run, state: State, away: Emulator) -> None:
    """A provider of the native package has its settings without a namespace; the engine's own is the stack's."""
    native = {**provider("emea"), "urn": f"{STACK}pulumi:providers:linq::emea", "type": "pulumi:providers:linq"}
    native["inputs"] = {"apiKey": secret(away.api_key), "baseUrl": away.url, "version": "1.0.0"}
    default = {**native, "urn": f"{STACK}pulumi:providers:linq::default_1_0_0", "inputs": {"apiKey": secret("old")}}
    default.pop("parent")
    outputs = {"phoneNumberId": LONDON_ID, "phoneNumber": LONDON, "forwardingNumber": DESK}
    london = resource("linq:index:PhoneNumberForwarding", "london", LONDON_ID, **outputs)
    rest = resource("linq:index:PhoneNumberForwardings", "rest", "rest", forwardings={A: OFFICE})
    state(
        native,
        default,
        {**london, "provider": f"{native['urn']}::{native['id']}"},
        {**rest, "provider": f"{default['urn']}::{default['id']}"},
    )
    assert drift("--stack", "dev")[:2] == (2, f"changed\t{LONDON}\t{DESK}\tnot forwarded\tlondon\n")


def test_undeclared_lines_of_every_account(drift: Run, state: State, emulator: Emulator, away: Emulator) -> None:
    """`--undeclared` also asks accounts in which the stack declares nothing, as a killed run can leave them."""
    away.set_forwarding(LONDON, DESK)
    state(emea(away))
    code, shown, said = drift("--stack", "dev", "--undeclared")
    assert (code, shown.splitlines()) == (
        2,
        [f"undeclared\t{A}\t-\t{OFFICE}\t-", f"undeclared\t{LONDON}\t-\t{DESK}\t-"],
    )
    assert said.endswith("Lines that forward and are declared nowhere: 2.\n")
    emulator.clear_requests()
    drift("--stack", "dev")
    assert (len(emulator.requests), len(away.requests)) == (1, 1)


def test_undeclared_lines_without_a_key_of_the_stack(drift: Run, state: State, away: Emulator, tmp_path: Path) -> None:
    """A stack whose accounts are all those of a `linq.Provider` needs no key of its own."""
    (tmp_path / "bin" / "config").write_text("{}")
    state(emea(away), in_emea(LONDON_ID, ""))
    assert drift("--stack", "dev", "--undeclared")[:2] == (0, "")


def test_a_value_that_is_not_known(drift: Run, state: State) -> None:
    """A number that the engine recorded as unknown is exit 1, not drift."""
    state(one("a", A_ID, "04da6b54-80e4-46f7-96ec-b56ff0331ba9", A))
    assert drift("--stack", "dev")[0] == 1


@pytest.mark.parametrize("name", ["[bold]emea[/bold]", "emea\x1b[31m\n\tx", "e" * 1000, ""])
def test_the_name_of_a_provider_is_only_text(drift: Run, state: State, away: Emulator, name: str) -> None:
    """A provider with markup, control characters or nothing in its name is neither obeyed nor a traceback."""
    declared = {**emea(away, "canary-7f3d1c9a"), "urn": f"{STACK}{PROVIDER}::{name}"}
    declared["inputs"]["linq:explicitProvider"] = name
    reference = f"{declared['urn']}::{declared['id']}"
    state(declared, one(name, LONDON_ID, "", LONDON, provider=reference))
    code, shown, said = drift("--stack", "dev")
    assert (code, shown, said.count("\n")) == (1, "", 1)
    assert "\x1b" not in said
    assert len(said) < 502


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"urn": f"{STACK}{ONE}::a"},
        {"urn": f"{STACK}{ONE}::a", "type": ONE},
        {"urn": f"{STACK}{ONE}::a", "type": ONE, "id": A_ID, "outputs": []},
        {
            "urn": f"{STACK}{ONE}::a",
            "type": ONE,
            "id": A_ID,
            "outputs": {"forwarding_number": {**secret(""), "plaintext": "{"}},
        },
        {"urn": f"{STACK}{PROVIDER}::p", "type": PROVIDER, "inputs": 3},
        {"urn": 3, "type": FLEET, "id": "fleet", "outputs": {"forwardings": {A: 1}}},
        3,
    ],
    ids=str,
)
def test_a_state_of_another_shape(drift: Run, state: State, broken: Any) -> None:
    """What no state of Pulumi looks like is either passed over or an error in a sentence."""
    state(broken)
    code, shown, said = drift("--stack", "dev", "--undeclared")
    assert (code, shown) in ((1, ""), (2, f"undeclared\t{A}\t-\t{OFFICE}\t-\n"))
    assert said.count("\n") == 1


def test_a_refresh_hides_no_drift(drift: Run, state: State) -> None:
    """What a refresh found is recorded as live, but what the stack last wrote stays declared; it is always secret."""
    fleet = resource(FLEET, "all", "fleet", forwardings={B: "", C: DESK}, applied_numbers=secret({C: OFFICE}))
    state({**one("a", A_ID, OFFICE, A), "outputs": {**SHAPE, "applied_number": secret(DESK)}}, fleet)
    code, shown, _ = drift("--stack", "dev")
    assert code == 2
    assert shown.splitlines() == [
        f"changed\t{A}\t[secret]\t{OFFICE}\ta",
        f"changed\t{C}\t[secret]\tnot forwarded\tall",
    ]
