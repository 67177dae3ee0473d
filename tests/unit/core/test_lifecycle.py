"""The life of one forwarding, verb by verb: what is refused, what is written, and what never is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from linq_provider.api.client import LinqClient
from linq_provider.config import Settings
from linq_provider.core.account import Account
from linq_provider.core.declarations import Declarations
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Diff, Inputs, MaybeText, Outputs, Unknown
from linq_provider.emulator import Emulator, Fault
from linq_provider.errors import (
    APIResponseValidationError,
    AuthenticationError,
    InternalServerError,
    LinqError,
    PermissionDeniedError,
    RefusedError,
)

SALES, SALES_NUMBER = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025551234"
SUPPORT, SUPPORT_NUMBER = "5b0ee3f6-1c9b-4a43-9f55-6d0f0f4a7f10", "+12025551235"
NIGHT, NIGHT_NUMBER = "7d2f1c1e-8f57-4b6e-9f3d-0a7d4f7f0b11", "+12025551236"
NUMBERS = {SALES: SALES_NUMBER, SUPPORT: SUPPORT_NUMBER, NIGHT: NIGHT_NUMBER}
OFFICE, DESK, ELSEWHERE = "+12025559999", "+12025558888", "+12025550001"
UNKNOWN = Unknown.UNKNOWN
NEW = Inputs()


@dataclass
class World:
    """An account of three lines, and what the user was told. Each `process()` is a provider process."""

    emulator: Emulator
    client: LinqClient
    said: list[str] = field(default_factory=list)
    now: float = 1000.0

    def process(self, *, live_check: bool = True) -> ForwardingLifecycle:
        account = Account(self.client, clock=lambda: self.now)
        return ForwardingLifecycle(account, Declarations(), live_check=live_check, notify=self.said.append)

    def writes(self) -> list[tuple[str, str]]:
        """What was sent to be written: (id, number)."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        return [(put.path.rpartition("/")[2], put.body["forwarding_number"]) for put in puts]

    def methods(self) -> list[str]:
        return [request.method for request in self.emulator.requests]


@pytest.fixture
def world() -> Iterator[World]:
    """Sales, support and night, none forwarded."""
    with Emulator([{"id": id_, "phone_number": number} for id_, number in NUMBERS.items()]) as emulator:
        client = LinqClient(Settings(emulator.api_key, "test", base_url=emulator.url, timeout=10, max_retries=0))
        yield World(emulator, client)
        client.close()


@pytest.fixture
def emulator(world: World) -> Emulator:
    """The server of the world."""
    return world.emulator


@pytest.fixture
def lifecycle(world: World) -> ForwardingLifecycle:
    """One provider process."""
    return world.process()


def declared(to: MaybeText, *, line: MaybeText = SALES_NUMBER, overwrite: bool | Unknown | None = None) -> Inputs:
    """The inputs of a resource; `line` is a number or an id."""
    if isinstance(line, str) and not line.startswith("+"):
        return Inputs(phone_number_id=line, forwarding_number=to, overwrite=overwrite)
    return Inputs(phone_number=line, forwarding_number=to, overwrite=overwrite)


def recorded(to: str, *, line: str = SALES, by: str = "phone_number", overwrite: bool | None = None) -> Outputs:
    """The state of a resource."""
    return Outputs(line, NUMBERS[line], to, by, overwrite)


def problems(lifecycle: ForwardingLifecycle, news: Inputs, olds: Inputs = NEW) -> list[str]:
    """What check finds."""
    return lifecycle.check(olds, news)[1]


# check: validation


@pytest.mark.parametrize(
    ("news", "message"),
    [
        (Inputs(forwarding_number=""), "declare the line by exactly one of phone_number and phone_number_id"),
        (
            Inputs(SALES, SALES_NUMBER, ""),
            "declare the line by exactly one of phone_number and phone_number_id",
        ),
        (Inputs(SALES, UNKNOWN, ""), "declare the line by exactly one of phone_number and phone_number_id"),
        (declared(None), 'forwarding_number is missing; write "" for not forwarded'),
        (
            declared("", line="+1 (202) 555-1234"),
            "phone_number is not in E.164 format: remove the spaces, dashes and brackets",
        ),
        (declared("", line="+12025551234\n"), "phone_number is not in E.164 format: remove the line breaks"),
        (
            declared("+1 202-555-9999"),
            "forwarding_number is not in E.164 format: remove the spaces and dashes",
        ),
        (
            declared("12025559999"),
            "forwarding_number is not in E.164 format: if it is a number of the US or Canada, put + in front",
        ),
        (declared("office"), "forwarding_number is not in E.164 format: write digits in place of the letters"),
        (declared("+1202555٩٩٩٩"), "forwarding_number is not in E.164 format: type it anew: its digits"),
        (declared(" "), "forwarding_number is not in E.164 format: it is blank: write '+', country code and number"),
    ],
)
def test_check_refuses_what_can_never_work(
    lifecycle: ForwardingLifecycle, world: World, news: Inputs, message: str
) -> None:
    """Each mistake is named with its property and its cure, without a request."""
    assert [problem[: len(message)] for problem in problems(lifecycle, news)] == [message]
    assert world.methods() == []


@pytest.mark.parametrize(
    "identity",
    [
        "nonsense",
        "",
        "{182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e}",
        "182bd5e56e1a4fe4a799aa6d9a6ab26e",
        "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e\n",
        "../182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "١82bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
    ],
)
def test_check_refuses_what_is_no_uuid(lifecycle: ForwardingLifecycle, identity: str) -> None:
    """An id is a UUID in its usual form, nothing around it."""
    news = Inputs(phone_number_id=identity, forwarding_number="")
    assert problems(lifecycle, news) == ["phone_number_id is not a UUID: see `linq-provider numbers`"]


@pytest.mark.parametrize("name", ["phone_number_id", "phone_number", "forwarding_number"])
def test_check_refuses_a_number_without_quotes(lifecycle: ForwardingLifecycle, world: World, name: str) -> None:
    """A phone number written as a number, which arrives as a float, is named as such."""
    inputs = {"phone_number": SALES_NUMBER, "forwarding_number": OFFICE} | {name: 12025551234.0}
    if name == "phone_number_id":
        del inputs["phone_number"]
    news = Inputs(**inputs)  # type: ignore[arg-type]
    assert problems(lifecycle, news) == [f"{name} is not text: put it in quotes"]
    assert world.methods() == []


@pytest.mark.parametrize("overwrite", ["false", "true", 0.0, 1.0])
def test_check_refuses_an_overwrite_that_is_no_bool(lifecycle: ForwardingLifecycle, overwrite: object) -> None:
    """The text "false", as `Config.get` returns it, must not mean yes."""
    news = Inputs(SALES, None, OFFICE, overwrite)  # type: ignore[arg-type]
    assert problems(lifecycle, news) == ["overwrite is neither True nor False"]


def test_check_names_everything_that_is_wrong(lifecycle: ForwardingLifecycle) -> None:
    """Several mistakes are reported at once."""
    assert problems(lifecycle, Inputs("x", "y")) == [
        "declare the line by exactly one of phone_number and phone_number_id",
        "phone_number_id is not a UUID: see `linq-provider numbers`",
        "phone_number is not in E.164 format: write digits in place of the letters",
        'forwarding_number is missing; write "" for not forwarded',
    ]


def test_check_lowers_an_id(lifecycle: ForwardingLifecycle) -> None:
    """An id in capitals is recorded in lower case, as Linq writes it."""
    news, wrong = lifecycle.check(NEW, declared(OFFICE, line=SALES.upper()))
    assert (news, wrong) == (Inputs(phone_number_id=SALES, forwarding_number=OFFICE), [])


@pytest.mark.parametrize(
    "news",
    [
        declared(UNKNOWN, line=UNKNOWN),
        declared(OFFICE, line=UNKNOWN),
        declared(UNKNOWN, line=SALES_NUMBER),
        Inputs(phone_number_id=UNKNOWN, forwarding_number=UNKNOWN, overwrite=UNKNOWN),
    ],
)
def test_check_lets_unknown_values_pass(lifecycle: ForwardingLifecycle, world: World, news: Inputs) -> None:
    """What is not known yet is neither refused nor looked up, and stays unknown."""
    assert lifecycle.check(NEW, news) == (news, [])
    assert world.methods() == []


def test_check_lets_an_unknown_overwrite_pass(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """Whether somebody else's line may be taken is decided when overwrite is known."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, declared(OFFICE, overwrite=UNKNOWN)) == []
    with pytest.raises(RefusedError, match="already forwards to"):
        lifecycle.create(declared(OFFICE, overwrite=False))


@pytest.mark.parametrize(
    "news",
    [
        declared("+1 202 555 7777"),
        declared("", line="+1 202 555 7777"),
        declared("+12025557777", line="+12025550199"),
        declared("+12025557777", line=SALES),
        declared("+12025557777", line="+12025557777"),
        Inputs("+12025557777", "+12025557777", "+12025557777"),
        declared("tel:+12025557777;ext=7777"),
    ],
)
def test_check_never_repeats_what_is_declared(lifecycle: ForwardingLifecycle, emulator: Emulator, news: Inputs) -> None:
    """No refusal echoes a declared number, which may be secret."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    found = problems(lifecycle, news)
    assert found
    assert not any("7777" in problem for problem in found)


# check: the live look


def test_check_of_an_unchanged_resource_costs_nothing(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Unchanged inputs cause no request, even where the key is revoked and the line was changed."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.emulator.revoke_token(world.emulator.api_key)
    for line in (SALES_NUMBER, SUPPORT.upper()):
        olds, _ = world.process(live_check=False).check(NEW, declared(OFFICE, line=line))
        assert problems(lifecycle, declared(OFFICE, line=line), olds) == []
    assert world.methods() == []


def test_check_of_many_lines_shares_one_list(lifecycle: ForwardingLifecycle, world: World) -> None:
    """New lines, by number and by id, are looked up in one list."""
    for line in (SALES_NUMBER, SUPPORT, NIGHT_NUMBER):
        assert problems(lifecycle, declared(OFFICE, line=line)) == []
    assert world.methods() == ["GET"]


def test_check_reports_a_wrong_key(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """A key that Linq does not accept fails the preview of a new resource."""
    emulator.revoke_token(emulator.api_key)
    [problem] = problems(lifecycle, declared(OFFICE))
    assert problem.startswith("GET /v3/phone_numbers failed: HTTP 401, 2004 Unauthorized")


def test_check_reports_a_line_out_of_sight(world: World) -> None:
    """A line that this key does not see fails the preview, and the message shows what it sees."""
    [problem] = problems(world.process(), declared(OFFICE, line="+12025550199"))
    assert problem.startswith(
        "This key does not see the declared line; it sees 3: +12025551234, +12025551235, +12025551236."
    )


@pytest.mark.parametrize("line", [SALES_NUMBER, SALES])
@pytest.mark.parametrize("to", [OFFICE, ""])
def test_check_refuses_a_new_resource_on_somebody_elses_line(
    lifecycle: ForwardingLifecycle, emulator: Emulator, line: str, to: str
) -> None:
    """A new resource on a line that forwards elsewhere is refused, with that number and the way out."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, declared(to, line=line)) == [
        f"Line {SALES} already forwards to +12025550001, which is not the declared number."
        " Declare that number to adopt it as it is, or set overwrite=True to replace it."
    ]


@pytest.mark.parametrize(
    "news",
    [declared(OFFICE, overwrite=True), declared(ELSEWHERE), declared(OFFICE, line=SUPPORT)],
    ids=["overwrite", "adopts", "not-forwarded"],
)
def test_check_lets_a_new_resource_pass(lifecycle: ForwardingLifecycle, emulator: Emulator, news: Inputs) -> None:
    """With overwrite, with the live number, or on a line that is not forwarded, a new resource passes."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, news) == []


@pytest.mark.parametrize(("live", "shown"), [(ELSEWHERE, "+12025550001"), ("", "not forwarded")])
def test_check_refuses_a_line_changed_outside_pulumi(
    lifecycle: ForwardingLifecycle, emulator: Emulator, live: str, shown: str
) -> None:
    """A changed declaration of a line changed by hand is refused, with its number and the way out."""
    emulator.set_forwarding(SALES, live)
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == [
        f"Line {SALES} was changed outside Pulumi to {shown}."
        " Run `pulumi refresh` to see it, or set overwrite=True to replace it."
    ]


@pytest.mark.parametrize(
    ("live", "olds", "news"),
    [
        (OFFICE, declared(OFFICE), declared(DESK)),
        (DESK, declared(OFFICE), declared(DESK)),
        (ELSEWHERE, declared(OFFICE), declared(DESK, overwrite=True)),
        (OFFICE, declared(OFFICE), declared("")),
        ("", declared(""), declared(OFFICE)),
        (OFFICE, declared(OFFICE), declared(DESK, line=SALES)),
    ],
    ids=["as-recorded", "as-declared", "overwrite", "to-nothing", "from-nothing", "named-otherwise"],
)
def test_check_lets_a_changed_resource_pass(
    lifecycle: ForwardingLifecycle, emulator: Emulator, live: str, olds: Inputs, news: Inputs
) -> None:
    """A line that holds the recorded or the declared number, or that may be overwritten, passes."""
    emulator.set_forwarding(SALES, live)
    assert problems(lifecycle, news, olds) == []


def test_check_of_a_resource_that_moves_to_another_line(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """What is recorded of the old line says nothing about the new one: that one is somebody else's."""
    emulator.set_forwarding(SUPPORT, OFFICE)
    [problem] = problems(lifecycle, declared(DESK, line=SUPPORT), declared(OFFICE, line=SALES))
    assert problem.startswith(f"Line {SUPPORT} already forwards to {OFFICE}")


def test_check_looks_where_only_overwrite_changes(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """Taking overwrite away from a line changed by hand is refused at preview, as update will refuse it."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    [problem] = problems(lifecycle, declared(OFFICE), declared(OFFICE, overwrite=True))
    assert problem.startswith(f"Line {SALES} was changed outside Pulumi to {ELSEWHERE}.")
    with pytest.raises(RefusedError, match="was changed outside Pulumi"):
        lifecycle.update(recorded(OFFICE, overwrite=True), declared(OFFICE))


def test_check_without_a_live_check_validates_only(world: World) -> None:
    """With live_check off no request is made, and what validation can tell is still told."""
    lifecycle = world.process(live_check=False)
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, declared(OFFICE)) == []
    assert problems(lifecycle, declared(OFFICE, line="+12025550199")) == []
    assert problems(lifecycle, declared("office")) != []
    assert problems(lifecycle, declared(SALES_NUMBER)) != []
    assert world.methods() == []


# check: loops

ROUND = "The line forwards to another declared line that forwards back."
ROUND += " Calls would go round and never ring: declare another forwarding_number."


def all_problems(lifecycle: ForwardingLifecycle, program: Sequence[Inputs]) -> list[str]:
    """What check finds in a program of new resources."""
    return [problem for news in program for problem in problems(lifecycle, news)]


@pytest.mark.parametrize("line", [SALES_NUMBER, SALES, SALES.upper()])
def test_check_refuses_a_line_that_forwards_to_itself(lifecycle: ForwardingLifecycle, line: str) -> None:
    """A line that forwards to its own number is refused, however it is named."""
    assert problems(lifecycle, declared(SALES_NUMBER, line=line)) == [
        "The line forwards to itself. Calls would go round and never ring: declare another forwarding_number."
    ]


@pytest.mark.parametrize("names", list(itertools.product([False, True], repeat=2)))
def test_check_refuses_two_lines_that_forward_to_each_other(
    lifecycle: ForwardingLifecycle, names: tuple[bool, ...]
) -> None:
    """A loop of two is refused where it closes, whether the lines are named by number or by id."""
    a, b = (id_ if by_id else NUMBERS[id_] for id_, by_id in zip((SALES, SUPPORT), names, strict=True))
    program = [declared(SUPPORT_NUMBER, line=a), declared(SALES_NUMBER, line=b)]
    assert all_problems(lifecycle, program) == [ROUND]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("names", list(itertools.product([False, True], repeat=3)))
def test_check_refuses_a_round_of_three(
    lifecycle: ForwardingLifecycle, names: tuple[bool, ...], order: tuple[int, ...]
) -> None:
    """A loop of three is refused in every order and every mixture of names."""
    lines = [id_ if by_id else NUMBERS[id_] for id_, by_id in zip(NUMBERS, names, strict=True)]
    targets = [SUPPORT_NUMBER, NIGHT_NUMBER, SALES_NUMBER]
    program = [declared(targets[n], line=lines[n]) for n in order]
    assert all_problems(lifecycle, program) == [ROUND]


def test_check_finds_a_loop_closed_by_an_unchanged_line(lifecycle: ForwardingLifecycle) -> None:
    """A new line that closes a loop through an unchanged one is refused."""
    unchanged = declared(SUPPORT_NUMBER, line=SALES_NUMBER)
    assert problems(lifecycle, unchanged, unchanged) == []
    assert problems(lifecycle, declared(SALES_NUMBER, line=SUPPORT)) == [ROUND]


def test_a_line_under_two_names_is_refused(lifecycle: ForwardingLifecycle) -> None:
    """One line by its number and by its id is two resources: the second check refuses, also where it is unchanged."""
    assert problems(lifecycle, declared(DESK, line=SALES, overwrite=True)) == []
    unchanged = declared(OFFICE, line=SALES_NUMBER)
    (refusal,) = problems(lifecycle, unchanged, unchanged)
    assert "once by phone_number, once by phone_number_id" in refusal


def test_a_line_that_leads_into_a_loop_ends_the_search(lifecycle: ForwardingLifecycle) -> None:
    """A chain of declared lines is no loop; a line that only leads into one is not what is refused."""
    assert problems(lifecycle, declared(SUPPORT_NUMBER, line=SALES)) == []
    assert problems(lifecycle, declared(NIGHT_NUMBER, line=SUPPORT)) == []
    assert problems(lifecycle, declared(SUPPORT_NUMBER, line=NIGHT)) == [ROUND]
    assert problems(lifecycle, declared(SUPPORT_NUMBER, line=SALES)) == []


def test_an_unknown_number_closes_no_loop(lifecycle: ForwardingLifecycle) -> None:
    """A declared line whose number is not known yet does not count as forwarding back."""
    assert problems(lifecycle, declared(UNKNOWN, line=SUPPORT_NUMBER)) == []
    assert problems(lifecycle, declared(SUPPORT_NUMBER, line=SALES_NUMBER)) == []


# diff


def test_diff_of_the_same_is_no_change(lifecycle: ForwardingLifecycle) -> None:
    """State and program agree: no change, however the line is named."""
    assert lifecycle.diff(recorded(OFFICE), declared(OFFICE)) == Diff(False)
    assert lifecycle.diff(recorded(OFFICE, by="phone_number_id"), declared(OFFICE, line=SALES)) == Diff(False)
    assert lifecycle.diff(recorded("", overwrite=True), declared("", overwrite=True)) == Diff(False)


@pytest.mark.parametrize(
    ("olds", "news"),
    [
        (recorded(OFFICE), declared(DESK)),
        (recorded(OFFICE), declared("")),
        (recorded(""), declared(OFFICE)),
        (recorded(OFFICE), declared(UNKNOWN)),
        (recorded(OFFICE), declared(OFFICE, overwrite=True)),
        (recorded(OFFICE), declared(OFFICE, line=SALES)),
        (recorded(OFFICE, by="phone_number_id"), declared(OFFICE, line=SALES_NUMBER)),
    ],
)
def test_diff_on_one_line_is_an_update(lifecycle: ForwardingLifecycle, olds: Outputs, news: Inputs) -> None:
    """Another number, overwrite alone, or another name of the same line: an update, never a replacement."""
    assert lifecycle.diff(olds, news) == Diff(True)


@pytest.mark.parametrize(
    ("news", "name"),
    [
        (declared(OFFICE, line=SUPPORT_NUMBER), "phone_number"),
        (declared(OFFICE, line=SUPPORT), "phone_number_id"),
        (declared(DESK, line=UNKNOWN), "phone_number"),
    ],
)
def test_diff_of_another_line_is_a_replacement(lifecycle: ForwardingLifecycle, news: Inputs, name: str) -> None:
    """Another line replaces the resource, because of the input that names it."""
    assert lifecycle.diff(recorded(OFFICE), news) == Diff(True, (name,))


def test_diff_makes_no_request(world: World) -> None:
    """No diff asks the server for anything."""
    for news in (declared(OFFICE), declared(DESK), declared(OFFICE, line=SUPPORT)):
        world.process().diff(recorded(OFFICE), news)
    assert world.methods() == []


# create


def test_create_forwards_the_line(lifecycle: ForwardingLifecycle, world: World) -> None:
    """One write; the outputs are complete, and what the server then holds."""
    assert lifecycle.create(declared(OFFICE)) == Outputs(SALES, SALES_NUMBER, OFFICE, "phone_number", None)
    assert world.methods() == ["GET", "PUT"]
    assert world.emulator.forwarding(SALES) == OFFICE
    assert world.said == []


@pytest.mark.parametrize("to", [OFFICE, ""])
@pytest.mark.parametrize("overwrite", [None, True])
def test_create_adopts_without_a_write(
    lifecycle: ForwardingLifecycle, world: World, to: str, overwrite: bool | None
) -> None:
    """A line that already holds the declared number, "" included, is adopted without a write or a word."""
    world.emulator.set_forwarding(SALES, to)
    made = lifecycle.create(declared(to, line=SALES, overwrite=overwrite))
    assert made == Outputs(SALES, SALES_NUMBER, to, "phone_number_id", overwrite)
    assert world.methods() == ["GET"]
    assert world.said == []


def test_create_compares_with_fresh_data(lifecycle: ForwardingLifecycle, world: World) -> None:
    """What check saw 30 s ago does not count: the line is compared again before it is written."""
    assert problems(lifecycle, declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    world.now += 30
    with pytest.raises(RefusedError, match=r"already forwards to \+12025550001"):
        lifecycle.create(declared(OFFICE))
    assert world.writes() == []


def test_create_does_not_adopt_from_an_old_list(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A list older than 30 s is not enough to leave the write out."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert problems(lifecycle, declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, "")
    world.now += 30
    lifecycle.create(declared(OFFICE))
    assert world.writes() == [(SALES, OFFICE)]


@pytest.mark.parametrize("to", [OFFICE, ""])
def test_create_refuses_somebody_elses_line(world: World, to: str) -> None:
    """Where check was not allowed to look, too, a line that points elsewhere is refused and stays."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    lifecycle = world.process(live_check=False)
    assert problems(lifecycle, declared(to)) == []
    with pytest.raises(RefusedError, match=r"already forwards to \+12025550001"):
        lifecycle.create(declared(to))
    assert world.writes() == []


@pytest.mark.parametrize("to", [OFFICE, ""])
def test_create_with_overwrite_says_what_it_replaced(lifecycle: ForwardingLifecycle, world: World, to: str) -> None:
    """With overwrite the line is written once, and one info line names the number that was there."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    assert lifecycle.create(declared(to, overwrite=True)).overwrite is True
    assert world.writes() == [(SALES, to)]
    assert world.said == [f"Line {SALES} was forwarded to {ELSEWHERE}, which was replaced (overwrite=True)."]


def test_create_of_a_line_out_of_sight(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that this key does not see is refused, and nothing is written."""
    with pytest.raises(RefusedError, match="This key does not see the declared line"):
        lifecycle.create(declared(OFFICE, line="+12025550199"))
    assert world.writes() == []


def test_a_second_create_of_one_line_is_refused(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that this run created by number is refused by id, even for the same number or with overwrite."""
    lifecycle.create(declared(OFFICE))
    for news in (declared(OFFICE, line=SALES), declared(DESK, line=SALES, overwrite=True)):
        with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
            lifecycle.create(news)
    assert world.writes() == [(SALES, OFFICE)]


def test_a_create_on_a_line_that_another_resource_kept_is_refused(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that a resource of this program keeps unchanged is refused to a new one."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(declared(OFFICE), declared(OFFICE))
    lifecycle.diff(recorded(OFFICE), declared(OFFICE))
    with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
        lifecycle.create(declared(OFFICE, line=SALES))


def test_a_failed_create_holds_nothing(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A create that failed is no holder: the engine may try again, also for another resource."""
    world.emulator.fail(Fault.error(403), method="PUT")
    with pytest.raises(PermissionDeniedError):
        lifecycle.create(declared(OFFICE))
    assert lifecycle.create(declared(OFFICE, line=SALES)).forwarding_number == OFFICE


def test_a_refused_create_holds_nothing(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A create refused because of somebody else's number is no holder either."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    with pytest.raises(RefusedError):
        lifecycle.create(declared(OFFICE))
    assert lifecycle.create(declared(ELSEWHERE, line=SALES)).forwarding_number == ELSEWHERE


def test_a_create_repeated_after_its_write_was_applied(world: World) -> None:
    """A create whose write was applied but reported as failed succeeds when repeated, without a write."""
    lifecycle = world.process()
    lifecycle.check(NEW, declared(OFFICE))
    world.emulator.fail(Fault.server_error().applying(), method="PUT")
    world.emulator.fail(Fault.server_error(), method="GET")  # nor can it be found out what became of the write
    with pytest.raises(InternalServerError):
        lifecycle.create(declared(OFFICE))
    assert world.emulator.forwarding(SALES) == OFFICE
    world.emulator.clear_requests()
    assert world.process().create(declared(OFFICE)).forwarding_number == OFFICE
    assert world.writes() == []


def test_create_for_a_replacement_of_one_line(lifecycle: ForwardingLifecycle, world: World) -> None:
    """With replace_on_changes a line is created anew: the number that its state records is no stranger's."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(declared(OFFICE), declared(DESK))
    assert lifecycle.diff(recorded(OFFICE), declared(DESK)) == Diff(True)
    assert problems(lifecycle, declared(DESK)) == []  # checked once more, as new
    lifecycle.create(declared(DESK))
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, DESK)]


# update


def test_update_is_one_write(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Another number is one write of that number, nothing cleared before; the outputs are complete."""
    world.emulator.set_forwarding(SALES, OFFICE)
    made = lifecycle.update(recorded(OFFICE), declared(DESK))
    assert made == Outputs(SALES, SALES_NUMBER, DESK, "phone_number", None)
    assert world.writes() == [(SALES, DESK)]
    assert world.said == []


def test_update_to_not_forwarded(lifecycle: ForwardingLifecycle, world: World) -> None:
    """The declared "" clears the line in one write."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert lifecycle.update(recorded(OFFICE), declared("")).forwarding_number == ""
    assert world.writes() == [(SALES, "")]


@pytest.mark.parametrize(
    "news",
    [declared(OFFICE, overwrite=True), declared(OFFICE, line=SALES)],
    ids=["overwrite-alone", "named-otherwise"],
)
def test_update_without_another_number_writes_nothing(
    lifecycle: ForwardingLifecycle, world: World, news: Inputs
) -> None:
    """overwrite alone, or another name of the line, changes the record only."""
    world.emulator.set_forwarding(SALES, OFFICE)
    assert lifecycle.update(recorded(OFFICE), news).inputs == news
    assert world.writes() == []


@pytest.mark.parametrize(("live", "shown"), [(ELSEWHERE, r"\+12025550001"), ("", "not forwarded")])
def test_update_refuses_a_line_changed_outside_pulumi(world: World, live: str, shown: str) -> None:
    """A hand edit after check, a hand clear included, is found on fresh data and not written over."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process()
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == []
    world.emulator.set_forwarding(SALES, live)
    world.now += 30
    with pytest.raises(RefusedError, match=f"was changed outside Pulumi to {shown}"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


def test_update_with_overwrite_says_what_it_replaced(lifecycle: ForwardingLifecycle, world: World) -> None:
    """With overwrite a hand edit is replaced in one write, and one info line names it."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    lifecycle.update(recorded(OFFICE), declared(DESK, overwrite=True))
    assert world.writes() == [(SALES, DESK)]
    assert world.said == [f"Line {SALES} was forwarded to {ELSEWHERE}, which was replaced (overwrite=True)."]


def test_update_of_a_line_that_already_holds_the_number(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Somebody already set the declared number by hand: recorded without a write."""
    world.emulator.set_forwarding(SALES, DESK)
    assert lifecycle.update(recorded(OFFICE), declared(DESK)) == recorded(DESK)
    assert world.writes() == []


def test_update_of_a_line_that_another_resource_took(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that another resource created in this run is not written by a second one."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.create(declared(OFFICE, line=SALES))
    with pytest.raises(RefusedError, match="is declared by another resource of this program too"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


# read


@pytest.mark.parametrize("by", ["phone_number", "phone_number_id"])
@pytest.mark.parametrize("overwrite", [None, False, True])
@pytest.mark.parametrize("live", [OFFICE, ELSEWHERE, ""])
def test_read_returns_the_declared_inputs_with_the_live_number(
    lifecycle: ForwardingLifecycle, emulator: Emulator, by: str, overwrite: bool | None, live: str
) -> None:
    """Refresh sees complete outputs, and the inputs that were declared with only the number as it is now."""
    emulator.set_forwarding(SALES, live)
    olds = recorded(OFFICE, by=by, overwrite=overwrite)
    seen = lifecycle.read(olds)
    assert seen == Outputs(SALES, SALES_NUMBER, live, by, overwrite)
    line = SALES if by == "phone_number_id" else SALES_NUMBER
    assert seen.inputs == declared(live, line=line, overwrite=overwrite)


def test_drift_is_healed_by_the_next_update(world: World) -> None:
    """What refresh recorded differs from the program, which is an update that passes the guard."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    seen = world.process().read(recorded(OFFICE))
    assert seen is not None
    lifecycle = world.process()
    assert problems(lifecycle, declared(OFFICE), seen.inputs) == []
    assert lifecycle.diff(seen, declared(OFFICE)) == Diff(True)
    lifecycle.update(seen, declared(OFFICE))
    assert world.writes() == [(SALES, OFFICE)]
    assert world.said == []


def test_read_of_a_line_that_is_gone(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line missing from a well-formed list is gone, with one info line about where it may still ring."""
    world.emulator.remove_number(SALES)
    assert lifecycle.read(recorded(OFFICE)) is None
    assert world.said == [
        f"Line {SALES} is no longer among the lines of this key and leaves the state; if it still exists"
        " under another key, it keeps its forwarding."
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.error(401), AuthenticationError),
        (Fault.error(403), PermissionDeniedError),
        (Fault.server_error(), InternalServerError),
        (Fault.empty_list(), LinqError),
        (Fault.unsuccessful(), APIResponseValidationError),
        (Fault.raw(b'{"phone_numbers": null}'), APIResponseValidationError),
        (Fault.reset_mid_body(), LinqError),
    ],
    ids=["401", "403", "500", "empty", "unsuccessful", "no-list", "reset"],
)
def test_what_is_no_answer_is_never_gone(
    lifecycle: ForwardingLifecycle, world: World, fault: Fault, error: type[LinqError]
) -> None:
    """401, 403, 5xx, a broken connection, an empty or malformed list: an error, never "gone"."""
    world.emulator.fail(fault, times=None)
    with pytest.raises(error):
        lifecycle.read(recorded(OFFICE))
    assert world.said == []


def test_get_reads_a_line_that_nobody_declares_here(lifecycle: ForwardingLifecycle, world: World) -> None:
    """`.get()` returns the line as it is, by its id."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    seen = lifecycle.get(SALES)
    assert seen is not None
    assert (seen.phone_number_id, seen.phone_number, seen.forwarding_number) == (
        SALES,
        SALES_NUMBER,
        ELSEWHERE,
    )


def test_get_of_a_line_that_is_not_there(lifecycle: ForwardingLifecycle) -> None:
    """`.get()` of a line that this key does not see fails, and says how a line is taken over."""
    with pytest.raises(RefusedError) as refused:
        lifecycle.get("00000000-0000-4000-8000-000000000000")
    assert str(refused.value) == (
        "This key sees no line 00000000-0000-4000-8000-000000000000. Declare the line with"
        " PhoneNumberForwarding instead: adoption is automatic, and writes nothing where the declared number"
        " is already set."
    )


# delete


def test_delete_clears_the_line(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line that leaves the program is cleared in one write, without a word."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == []


@pytest.mark.parametrize("line", [SALES_NUMBER, SALES.upper()])
def test_delete_leaves_a_line_that_is_declared_elsewhere(
    lifecycle: ForwardingLifecycle, world: World, line: str
) -> None:
    """A rename is a create and then a delete of one line: nothing is written, and one info line says why."""
    world.emulator.set_forwarding(SALES, OFFICE)
    news, _ = lifecycle.check(NEW, declared(OFFICE, line=line))
    lifecycle.create(news)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == []
    assert world.said == [f"Line {SALES} keeps its forwarding: another resource of this program declares it."]


def test_delete_after_the_new_create_failed(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A line whose new resource could not be created is declared: deleting the old one leaves it alone."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle.check(NEW, declared(DESK, overwrite=True))
    world.emulator.fail(Fault.error(403), method="PUT")
    with pytest.raises(PermissionDeniedError):
        lifecycle.create(declared(DESK, overwrite=True))
    world.emulator.clear_requests()
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == []
    assert world.emulator.forwarding(SALES) == OFFICE


def test_delete_of_a_line_that_is_not_there(lifecycle: ForwardingLifecycle, world: World) -> None:
    """404 is done, with one info line."""
    world.emulator.remove_number(SALES)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == [
        f"Line {SALES} is not there any more, so there was nothing to clear; if it still exists under"
        " another key, it keeps its forwarding."
    ]


def test_delete_says_when_it_cleared_another_number(lifecycle: ForwardingLifecycle, world: World) -> None:
    """Where the line was changed by hand, it is cleared, and one info line names what it had been."""
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    lifecycle.delete(recorded(OFFICE))
    assert world.writes() == [(SALES, "")]
    assert world.said == [f"Line {SALES} was cleared; it had been forwarded outside Pulumi to {ELSEWHERE}."]


@pytest.mark.parametrize("fault", ["401", "403", "500"])
def test_a_failing_delete_is_an_error(lifecycle: ForwardingLifecycle, world: World, fault: str) -> None:
    """Anything but 404 leaves the resource in the state."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.fail(Fault.parse(fault), times=None, method="PUT")
    with pytest.raises(LinqError, match=f"HTTP {fault}"):
        lifecycle.delete(recorded(OFFICE))
    assert world.said == []


def test_delete_without_a_list_is_an_error(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A key that sees no lines at all clears nothing."""
    world.emulator.fail(Fault.empty_list(), times=None)
    with pytest.raises(LinqError, match="sees no lines at all"):
        lifecycle.delete(recorded(OFFICE))
    assert world.writes() == []


# whole runs


def test_two_resources_swap_their_lines(lifecycle: ForwardingLifecycle, world: World) -> None:
    """A swap with overwrite is two writes, each line going straight to its new number."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.set_forwarding(SUPPORT, DESK)
    x, y = declared(OFFICE, line=SUPPORT_NUMBER, overwrite=True), declared(DESK, overwrite=True)
    assert problems(lifecycle, x, declared(OFFICE, overwrite=True)) == []
    assert lifecycle.diff(recorded(OFFICE, overwrite=True), x).replaces == ("phone_number",)
    lifecycle.create(x)
    assert problems(lifecycle, y, declared(DESK, line=SUPPORT_NUMBER, overwrite=True)) == []
    assert lifecycle.diff(recorded(DESK, line=SUPPORT, overwrite=True), y).replaces == ("phone_number",)
    lifecycle.create(y)
    lifecycle.delete(recorded(OFFICE))
    lifecycle.delete(recorded(DESK, line=SUPPORT))
    assert world.writes() == [(SUPPORT, OFFICE), (SALES, DESK)]


def test_refresh_of_a_resource_that_is_no_longer_declared(lifecycle: ForwardingLifecycle, world: World) -> None:
    """`up --refresh` of a rename asks diff for the old resource first: that one does not hold its line."""
    world.emulator.set_forwarding(SALES, OFFICE)
    seen = lifecycle.read(recorded(OFFICE))
    assert seen is not None
    assert lifecycle.diff(seen, declared(OFFICE)) == Diff(False)
    lifecycle.check(NEW, declared(OFFICE))
    lifecycle.create(declared(OFFICE))
    lifecycle.delete(seen)
    assert world.writes() == []


def test_reads_stay_reads(world: World) -> None:
    """No check, diff or read, refused or passed, sends anything but GET."""
    world.emulator.set_forwarding(SALES, OFFICE)
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    texts: list[MaybeText] = [OFFICE, "", "bad", UNKNOWN, None]
    lines: list[MaybeText] = [SALES_NUMBER, SALES.upper(), SUPPORT, "+12025550199", UNKNOWN]
    for to, line, overwrite in itertools.product(texts, lines, [None, True, UNKNOWN]):
        lifecycle = world.process()
        for olds in (NEW, declared(DESK)):
            news, _ = lifecycle.check(olds, declared(to, line=line, overwrite=overwrite))
            lifecycle.diff(recorded(DESK), news)
    world.process().read(recorded(OFFICE))
    world.process().get(SALES)
    world.emulator.remove_number(SALES)
    world.process().read(recorded(OFFICE))
    assert set(world.methods()) == {"GET"}


@pytest.mark.parametrize(
    "failing",
    [
        lambda lifecycle: lifecycle.create(declared(OFFICE, line="+12025550199")),
        lambda lifecycle: lifecycle.create(declared(OFFICE, line=SUPPORT)),
        lambda lifecycle: lifecycle.update(recorded(OFFICE, line=SUPPORT), declared(DESK, line=SUPPORT)),
        lambda lifecycle: lifecycle.get("00000000-0000-4000-8000-000000000000"),
    ],
)
def test_a_refusal_is_one_paragraph(world: World, failing: Callable[[ForwardingLifecycle], object]) -> None:
    """What the user reads is one line of at most 500 characters, ending with the next step."""
    world.emulator.set_forwarding(SUPPORT, ELSEWHERE)
    for extra in range(60):
        world.emulator.add_number(f"+1303555{extra:04}")
    with pytest.raises(RefusedError) as refused:
        failing(world.process())
    assert len(str(refused.value)) <= 500
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(refused.value.next_step)


# What only shows when several resources, or several attempts, come together


def test_a_write_in_doubt_makes_the_list_stale(world: World) -> None:
    """Who adopts a line looks again where a clear of it may have been applied: the shared list may be wrong."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process()
    lifecycle.read(recorded(OFFICE))
    world.emulator.fail(Fault.reset_after_write(), times=None, method="PUT")
    world.emulator.fail(Fault.server_error(), times=None, method="GET")
    with pytest.raises(LinqError, match="may have been applied"):
        lifecycle.delete(recorded(OFFICE))
    world.emulator.clear_faults()
    assert world.emulator.forwarding(SALES) == ""
    assert problems(lifecycle, declared(OFFICE)) == []
    lifecycle.create(declared(OFFICE))
    assert world.emulator.forwarding(SALES) == OFFICE


def test_an_owner_that_comes_late_is_not_silent(world: World) -> None:
    """A resource that does not change finds out where another one took its line before it was registered."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process()
    newcomer = declared(DESK, line=SALES, overwrite=True)
    assert problems(lifecycle, newcomer) == []
    lifecycle.create(newcomer)
    owner = recorded(OFFICE)
    lifecycle.check(owner.inputs, owner.inputs)
    with pytest.raises(RefusedError, match="declared by another resource"):
        lifecycle.diff(owner, owner.inputs)


def test_the_refresh_of_an_old_self_holds_nothing(world: World) -> None:
    """With --run-program a resource that leaves its line is compared with its old self after the new owner's check."""
    world.emulator.set_forwarding(SALES, OFFICE)
    lifecycle = world.process(live_check=False)
    assert problems(lifecycle, declared(OFFICE)) == []
    old = recorded(OFFICE)
    lifecycle.check(old.inputs, declared(OFFICE, line=SUPPORT_NUMBER))
    assert lifecycle.diff(old, old.inputs) == Diff(False)
    lifecycle.create(declared(OFFICE))
    assert world.writes() == []


def test_a_loop_is_refused_where_nobody_looked_before(world: World) -> None:
    """With linq:liveCheck false, too, no line is written that forwards to itself."""
    lifecycle = world.process(live_check=False)
    news = declared(SALES_NUMBER, line=SALES)
    assert problems(lifecycle, news) == []
    with pytest.raises(RefusedError, match="forwards to itself"):
        lifecycle.create(news)
    assert world.writes() == []
