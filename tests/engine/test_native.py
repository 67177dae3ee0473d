"""What only the native package can do, on the engine: import, cancel, fleets that fail in part, and moving to it.

What holds for both skins is tested once for both: those tests are marked `skins`.
"""

from __future__ import annotations

import json
import signal
import time

import pytest
from waiting import ending_within, wait_until
from workspace import Workspace

pytestmark = pytest.mark.engine

OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025557777"
SINGLE, FLEET = "linq:index:PhoneNumberForwarding", "linq:index:PhoneNumberForwardings"


@pytest.fixture
def native(stack: Workspace) -> Workspace:
    """A stack whose programs declare native resources."""
    stack.use_native()
    return stack


def program(stack: Workspace, text: str) -> None:
    """Make `text` the program; the lines are A, B, C by id and NA, NB, NC by number."""
    lines = stack.emulator.phone_numbers[:3]
    stack.program(
        f"A, B, C = {[line.id for line in lines]!r}\nNA, NB, NC = {[line.phone_number for line in lines]!r}\n"
        f"OFFICE, DESK, ELSEWHERE = {OFFICE!r}, {DESK!r}, {ELSEWHERE!r}\nOptions = pulumi.ResourceOptions\n"
        "def forward(name, line, number, **more):\n"
        "    return linq.PhoneNumberForwarding(name, phone_number=line, forwarding_number=number, **more)\n"
        "def fleet(name, forwardings, **more):\n"
        "    return linq.PhoneNumberForwardings(name, forwardings=forwardings, **more)\n" + text
    )


def up(stack: Workspace, text: str) -> None:
    """Deploy `text` and forget the requests."""
    program(stack, text)
    stack.up()
    stack.emulator.clear_requests()


def live(stack: Workspace) -> list[str]:
    """Where the lines forward."""
    return [line.forwarding_number or "" for line in stack.emulator.phone_numbers]


def edit(stack: Workspace, line: int, number: str) -> None:
    """Somebody else points a line elsewhere."""
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[line].id, number)


def break_line(stack: Workspace, line: int) -> None:
    """Every write to this line is refused, until `clear_faults`."""
    stack.emulator.fail("403", times=None, method="PUT", path_contains=stack.emulator.phone_numbers[line].id)


def import_(stack: Workspace, kind: str, name: str, id_: str, *, fails: bool = False) -> str:
    """`pulumi import`, unprotected; what it printed."""
    args = ("import", kind, name, id_, "--yes", "--protect=false", "--generate-code=false", "--skip-preview")
    return stack.run(*args, fails=fails).output


# The life of a line


def test_the_life_of_a_line(native: Workspace) -> None:
    """Create, no change, update, hand edit, refresh, heal, destroy; a preview writes nothing."""
    program(native, 'x = forward("x", NA, OFFICE)\npulumi.export("id", x.id)\n')
    assert 'forwardingNumber: "+12025559999"' in native.preview().output
    assert native.writes() == []
    native.up()
    assert live(native) == [OFFICE, "", ""]
    native.emulator.clear_requests()
    native.empty_preview()
    assert native.emulator.requests == []
    program(native, 'forward("x", NA, DESK)')
    assert f'~ forwardingNumber: "{OFFICE}" => "{DESK}"' in native.preview().output
    native.up()
    edit(native, 0, ELSEWHERE)
    assert f'~ forwardingNumber: "{DESK}" => "{ELSEWHERE}"' in native.refresh().output
    native.up()
    assert live(native) == [DESK, "", ""]
    native.empty_preview()
    native.destroy()
    assert live(native) == ["", "", ""]


def test_another_line_replaces_the_resource(native: Workspace) -> None:
    """The new line is forwarded before the old one is given up, and the preview shows that."""
    up(native, 'forward("x", NA, OFFICE)')
    program(native, 'forward("x", NB, OFFICE)')
    assert "+-linq:index:PhoneNumberForwarding: (replace)" in native.preview().output.replace("+- ", "+-")
    native.up()
    ids = [line.id for line in native.emulator.phone_numbers]
    assert native.writes() == [(ids[1], OFFICE), (ids[0], "")]
    native.empty_preview()


def test_the_preview_shows_a_fleet_line_by_line(native: Workspace) -> None:
    """Only what changes, under the line's own name."""
    up(native, 'fleet("f", {NA: OFFICE, NB: OFFICE})')
    program(native, 'fleet("f", {NA: OFFICE, NB: DESK, NC: DESK})')
    shown = native.preview().output
    _, b, c = (line.phone_number for line in native.emulator.phone_numbers)
    assert f'~ {b}: "{OFFICE}" => "{DESK}"' in shown
    assert f'+ {c}: "{DESK}"' in shown
    native.up()
    assert live(native) == [OFFICE, DESK, DESK]
    native.empty_preview()


# Import and reading


@pytest.mark.parametrize("by", ["number", "id"])
def test_import_of_a_line(native: Workspace, by: str) -> None:
    """Nothing is written, and a program that declares the line in the same way has nothing to do."""
    edit(native, 0, OFFICE)
    line = native.emulator.phone_numbers[0]
    import_(native, SINGLE, "x", line.phone_number if by == "number" else line.id.upper())
    assert native.writes() == []
    name = "phone_number=NA" if by == "number" else "phone_number_id=A"
    program(native, f'linq.PhoneNumberForwarding("x", {name}, forwarding_number=OFFICE)')
    native.empty_preview()
    native.up()
    assert native.writes() == []
    assert native.state()["x"]["id"] == line.id
    native.destroy()
    assert live(native)[0] == ""


def test_import_in_a_program(native: Workspace) -> None:
    """`import_` in the options of a resource adopts the line, without a write."""
    edit(native, 0, OFFICE)
    up(native, 'forward("x", NA, OFFICE, opts=Options(import_=NA))')
    program(native, 'forward("x", NA, OFFICE)')
    native.empty_preview()
    assert native.writes() == []


def test_import_of_the_whole_account(native: Workspace) -> None:
    """As one fleet, with the lines that are not forwarded."""
    edit(native, 0, OFFICE)
    edit(native, 2, DESK)
    import_(native, FLEET, "f", "*")
    assert native.writes() == []
    program(native, 'fleet("f", {NA: OFFICE, NB: "", NC: DESK})')
    native.empty_preview()
    program(native, 'fleet("f", {NA: OFFICE, NB: OFFICE, NC: DESK})')
    native.up()
    assert native.writes() == [(native.emulator.phone_numbers[1].id, OFFICE)]
    native.empty_preview()


@pytest.mark.parametrize(
    ("kind", "id_", "said"),
    [
        (SINGLE, "+12025550199", "This key sees no line +12025550199."),
        (FLEET, "fleet", "Import it with the id '*': every line that the key sees."),
    ],
)
def test_import_of_what_is_not_there(native: Workspace, kind: str, id_: str, said: str) -> None:
    """One sentence with the way out, and nothing in the state."""
    assert said in import_(native, kind, "x", id_, fails=True)
    assert native.state() == {}


def test_a_line_that_is_only_read_is_never_written(native: Workspace) -> None:
    """`get` brings the live value, at every refresh; an id together with a number is refused."""
    edit(native, 0, OFFICE)
    up(native, 'pulumi.export("to", linq.PhoneNumberForwarding.get("r", A).forwarding_number)')
    edit(native, 0, DESK)
    native.refresh()
    assert native.outputs("r")["forwarding_number"] == DESK
    native.up()
    native.destroy()
    assert live(native)[0] == DESK
    assert native.writes() == []
    program(native, 'forward("x", NA, OFFICE, opts=Options(id=A))')
    assert (
        "declares a forwarding, but its options contain an id, so Pulumi only reads it" in native.up(fails=True).output
    )
    assert native.writes() == []


def test_functions(native: Workspace) -> None:
    """A line by number or id, and all lines; one that is not there is a sentence."""
    edit(native, 1, OFFICE)
    program(
        native,
        'pulumi.export("one", linq.get_phone_number(NB))\npulumi.export("same", linq.get_phone_number(B.upper()))\n'
        'pulumi.export("all", linq.get_phone_numbers())\n',
    )
    native.up()
    shown = json.loads(native.run("stack", "output", "--json").output)
    line = native.emulator.phone_numbers[1]
    assert shown["one"] == {"id": line.id, "phoneNumber": line.phone_number, "forwardingNumber": OFFICE}
    assert shown["same"] == shown["one"]
    assert shown["one"] in shown["all"]["phoneNumbers"]
    assert len(shown["all"]["phoneNumbers"]) == 3
    program(native, 'linq.get_phone_number("+12025550199")')
    assert "This key does not see the line +12025550199" in native.preview(fails=True).output


# Fleets that fail in part


def test_a_fleet_that_fails_in_part_records_the_rest(native: Workspace) -> None:
    """The state has what was written; the next up writes just what is missing."""
    up(native, 'fleet("f", {NA: OFFICE, NB: OFFICE})')
    program(native, 'fleet("f", {NA: DESK, NB: DESK, NC: DESK})')
    break_line(native, 1)
    assert "1 of 3 lines are not as declared" in native.up(fails=True).output
    a, b, c = (line.phone_number for line in native.emulator.phone_numbers)
    assert native.outputs("f")["forwardings"] == {a: DESK, b: OFFICE, c: DESK}
    native.emulator.clear_faults()
    native.emulator.clear_requests()
    native.up()
    assert native.writes() == [(native.emulator.phone_numbers[1].id, DESK)]
    native.empty_preview()


def test_a_fleet_that_fails_in_part_is_destroyed(native: Workspace) -> None:
    """Right after the failure: just the lines that it has are cleared."""
    edit(native, 1, ELSEWHERE)
    program(native, 'fleet("f", {NA: OFFICE, NB: OFFICE, NC: OFFICE}, overwrite=True)')
    break_line(native, 1)
    native.up(fails=True)
    assert live(native) == [OFFICE, ELSEWHERE, OFFICE]
    native.emulator.clear_faults()
    native.emulator.clear_requests()
    native.destroy()
    assert live(native) == ["", ELSEWHERE, ""]
    assert {number for _, number in native.writes()} == {""}


def test_a_new_fleet_of_which_no_line_was_written_is_not_recorded(native: Workspace) -> None:
    """There is nothing to record, and the next up starts again."""
    program(native, 'fleet("f", {NA: OFFICE})')
    break_line(native, 0)
    native.up(fails=True)
    assert native.state() == {}
    native.emulator.clear_faults()
    native.up()
    native.empty_preview()


def test_a_line_cleared_by_a_fleet_that_failed_and_given_away_is_left_alone(native: Workspace) -> None:
    """The state records that the line was cleared; the next up only writes what is missing."""
    up(native, 'fleet("f", {NA: OFFICE, NB: OFFICE})')
    program(native, 'fleet("f", {NA: DESK})')
    break_line(native, 0)
    native.up(fails=True)
    native.emulator.clear_faults()
    edit(native, 1, ELSEWHERE)
    native.up("--refresh")
    assert live(native)[:2] == [DESK, ELSEWHERE]
    native.empty_preview()


# The run


def test_ctrl_c_during_retries_ends_soon(native: Workspace) -> None:
    """Within 10 s, with a state that is true and nothing pending."""
    program(native, 'forward("x", NA, OFFICE)')
    native.emulator.fail("503", times=None, method="PUT")
    engine = native.start("up", "--yes", "--skip-preview")
    native.until_request("PUT")
    with ending_within(10):
        engine.send_signal(signal.SIGINT)
        engine.communicate(timeout=60)
    assert native.state() == {}
    native.emulator.clear_faults()
    native.run("cancel", "--yes", fails=None)
    native.up("--refresh")
    assert live(native)[0] == OFFICE
    native.empty_preview()


def test_the_plugin_ends_with_a_killed_engine(native: Workspace) -> None:
    """A killed engine sends no cancel; nothing of the run stays behind."""
    program(native, 'forward("x", NA, OFFICE)')
    native.emulator.fail("hang", times=None, method="PUT")
    engine = native.start("up", "--yes", "--skip-preview")
    native.until_request("PUT")
    assert native.providers()
    engine.kill()
    engine.communicate()
    wait_until(lambda: not native.providers(), seconds=2)


@pytest.mark.parametrize("limit", [2, 8])
def test_as_many_lines_at_a_time_as_the_setting_says(native: Workspace, limit: int) -> None:
    """`linq:maxConcurrency` holds for single resources, of which a dynamic provider can write four at a time."""
    native.configure("linq:maxConcurrency", str(limit))
    native.declare_lines(8)
    native.emulator.fail("hang", times=None, method="PUT")
    engine = native.start("up", "--yes", "--skip-preview", "--parallel", "32")
    try:
        wait_until(lambda: len(native.writes()) == limit, seconds=60)
        time.sleep(1)
        assert len(native.writes()) == limit
    finally:
        engine.kill()
        engine.communicate()


def test_a_custom_timeout_ends_a_call(native: Workspace) -> None:
    """`custom_timeouts` of a resource is the time that one call of it may take."""
    program(native, 'forward("x", NA, OFFICE, opts=Options(custom_timeouts=pulumi.CustomTimeouts(create="6s")))')
    native.emulator.fail("hang", times=None, method="PUT")
    with ending_within(60):
        assert "no complete answer arrived in time" in native.up(fails=True).output


# Settings and keys


def test_secrets_are_nowhere_in_plaintext(native: Workspace) -> None:
    """Neither the key, however it was set, nor a number that the program calls secret."""
    key = native.emulator.api_key
    native.unset("linq:apiKey")
    native.configure("linq:apiKey", key)
    shown = ""
    for number in (OFFICE, DESK):
        program(native, f'forward("x", NA, pulumi.Output.secret("{number}"))')
        shown += native.preview().output + native.up().output
    state = native.state_text()
    assert key not in state + shown
    assert OFFICE not in state + shown
    assert DESK not in state + shown
    assert live(native)[0] == DESK


def test_a_new_key_costs_no_request(native: Workspace) -> None:
    """The preview shows the provider, nothing is replaced, and no line is touched."""
    up(native, 'forward("x", NA, OFFICE)')
    native.run("config", "set", "--secret", "linq:apiKey", native.emulator.create_token())
    shown = native.preview().output
    assert "replace" not in shown
    native.up()
    assert native.emulator.requests == []
    native.empty_preview()


def test_another_account_replaces_nothing(native: Workspace) -> None:
    """The base URL is shown as a change of the provider: a replacement would clear the lines of the old account."""
    up(native, 'forward("x", NA, OFFICE)')
    native.configure("linq:baseUrl", native.emulator.url.replace("127.0.0.1", "localhost"))
    native.emulator.allow_host("localhost")
    assert "replace" not in native.preview().output
    native.up()
    assert native.writes() == []
    native.empty_preview()


def test_a_setting_that_cannot_be_used_is_a_sentence(native: Workspace) -> None:
    """It names the setting or the variable, before any request."""
    program(native, 'forward("x", NA, OFFICE)')
    native.configure("linq:timeout", "soon")
    assert "linq:timeout" in native.preview(fails=True).output
    native.unset("linq:timeout")
    refused = native.preview(fails=True, LINQ_API_KEY_OVERRIDE="two words").output
    assert "LINQ_API_KEY_OVERRIDE contains a space" in refused
    assert "Traceback" not in refused
    assert native.emulator.requests == []


def test_a_provider_of_the_programs_own_inherits_nothing(native: Workspace) -> None:
    """It needs its own key, even if the environment has one."""
    program(
        native, 'forward("x", NA, OFFICE, opts=Options(provider=linq.Provider("emea", base_url="http://localhost")))'
    )
    said = native.preview(fails=True, LINQ_API_V3_API_KEY=native.emulator.api_key).output
    assert "The provider 'emea' needs an apiKey." in said
    assert native.emulator.requests == []


def test_a_key_of_the_environment_goes_nowhere_else(native: Workspace) -> None:
    """With an address that only the stack names, nothing is sent."""
    native.unset("linq:apiKey")
    native.configure("linq:baseUrl", "https://collector.example/api")
    program(native, 'forward("x", NA, OFFICE)')
    said = native.preview(fails=True, LINQ_API_V3_API_KEY=native.emulator.api_key).output
    assert "Nothing was sent: the key comes from LINQ_API_V3_API_KEY" in said


def test_ignore_changes_in_other_letters_is_refused(native: Workspace) -> None:
    """The engine would not find the line, and write over it."""
    up(native, 'fleet("f", {A: OFFICE})')
    path = 'forwardings[\\"{A.upper()}\\"]'
    program(native, f'fleet("f", {{A: DESK}}, opts=Options(ignore_changes=[f"{path}"]))')
    assert "ignore_changes and forwardings differ in upper and lower case" in native.up(fails=True).output
    assert live(native)[0] == OFFICE


# From the dynamic provider to the native one, and back

SAME = {
    "by number": 'forward("x", NA, OFFICE)',
    "by id": 'linq.PhoneNumberForwarding("x", phone_number_id=A, forwarding_number=OFFICE)',
    "fleet": 'fleet("x", {NA: OFFICE, B: DESK})',
    "provider": 'forward("x", NA, OFFICE, opts=Options(provider=linq.Provider("emea", api_key=KEY, base_url=URL)))',
}
SETTINGS = 'config = pulumi.Config("linq")\nKEY, URL = config.require_secret("apiKey"), config.require("baseUrl")\n'


@pytest.mark.parametrize("declared", SAME)
def test_there_and_back_without_a_request(stack: Workspace, declared: str) -> None:
    """Changing only the import sends nothing, in preview and up, and the next preview is empty."""
    text = SETTINGS + SAME[declared]
    up(stack, text)
    before = live(stack)
    stack.use_native()
    program(stack, text)
    stack.preview()
    stack.up()
    assert stack.emulator.requests == []
    assert stack.state()["x"]["type"].startswith("linq:index:")
    stack.empty_preview()
    assert "phoneNumber" in stack.state()["x"]["outputs"] or declared == "fleet"
    stack.use_dynamic()
    program(stack, BACK + text.replace("forward(", "aliased(").replace("linq.PhoneNumberForwarding(", "aliased_("))
    stack.preview()
    stack.up()
    assert stack.emulator.requests == []
    stack.empty_preview()
    assert live(stack) == before
    stack.destroy()
    assert live(stack) == ["", "", ""]


BACK = """
def back(kind, **more):
    opts = more.pop("opts", None)
    return {"opts": Options.merge(opts, Options(aliases=[pulumi.Alias(type_="linq:index:" + kind)])), **more}
def aliased(name, line, number, **more):
    return aliased_(name, phone_number=line, forwarding_number=number, **more)
def aliased_(name, **more):
    return linq.PhoneNumberForwarding(name, **back("PhoneNumberForwarding", **more))
def fleet(name, forwardings, **more):
    return linq.PhoneNumberForwardings(name, forwardings=forwardings, **back("PhoneNumberForwardings", **more))
"""


@pytest.mark.parametrize("declared", ["by number", "by id", "fleet"])
@pytest.mark.parametrize("there", [True, False], ids=["to native", "to dynamic"])
def test_a_move_without_an_alias_clears_nothing(stack: Workspace, declared: str, there: bool) -> None:
    """The engine creates the new resource and deletes the old one, in two processes; the line keeps its forwarding."""
    text = SAME[declared].replace('"x"', "NAME")
    if not there:
        stack.use_native()
    up(stack, 'NAME = "x"\n' + text)
    before = live(stack)
    if there:
        stack.use_native()
    else:
        stack.use_dynamic()
    program(stack, 'NAME = "y"\n' + text)
    stack.up()
    assert stack.writes() == []
    assert live(stack) == before
    stack.empty_preview()
