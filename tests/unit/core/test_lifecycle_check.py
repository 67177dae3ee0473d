"""One forwarding at preview: what check refuses before anything is written, and what it lets pass."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from lifecycles import (
    DESK,
    ELSEWHERE,
    NEW,
    NIGHT,
    NIGHT_NUMBER,
    NUMBERS,
    OFFICE,
    SALES,
    SALES_NUMBER,
    SUPPORT,
    SUPPORT_NUMBER,
    UNKNOWN,
    World,
    declared,
    problems,
    recorded,
)
from walk_server import SharedLog

from linq_provider.core.declarations import Event
from linq_provider.core.lifecycle import ForwardingLifecycle
from linq_provider.core.records import Inputs
from linq_provider.emulator import Emulator
from linq_provider.errors import (
    RefusedError,
)

# Validation


@pytest.mark.parametrize(
    ("news", "message"),
    [
        (
            Inputs(forwarding_number=""),
            "declare the line by exactly one of phone_number and phone_number_id (if the program has only one, ignore_changes may have kept the other)",
        ),
        (
            Inputs(SALES, SALES_NUMBER, ""),
            "declare the line by exactly one of phone_number and phone_number_id (if the program has only one, ignore_changes may have kept the other)",
        ),
        (
            Inputs(SALES, UNKNOWN, ""),
            "declare the line by exactly one of phone_number and phone_number_id (if the program has only one, ignore_changes may have kept the other)",
        ),
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
        (declared("+1202555٩٩٩٩"), "forwarding_number is not in E.164 format: type it again: it has characters"),
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
        "declare the line by exactly one of phone_number and phone_number_id (if the program has only one, ignore_changes may have kept the other)",
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


# The live look


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


@pytest.mark.parametrize("live", [OFFICE, DESK])
def test_check_of_a_changed_line_takes_one_list(lifecycle: ForwardingLifecycle, world: World, live: str) -> None:
    """A list that has the recorded or the declared number contradicts nothing, so it is not asked for again."""
    world.emulator.set_forwarding(SALES, live)
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == []
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
        f"Line {SALES} ({SALES_NUMBER}) already forwards to +12025550001, which is not the declared number."
        " Declare that number to adopt it as it is, or set overwrite=True to replace it. If the resource was renamed, give"
        " it aliases, or run once with LINQ_ON_CONFLICT=overwrite."
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


def test_check_refuses_a_line_changed_outside_pulumi(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """A changed declaration of a line changed by hand is refused, with its number and the way out."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == [
        f"Line {SALES} ({SALES_NUMBER}) was changed outside Pulumi to {ELSEWHERE}."
        " Run `pulumi refresh` to see it, or set overwrite=True to replace it."
    ]


def test_check_leaves_a_cleared_line_to_update(lifecycle: ForwardingLifecycle, world: World) -> None:
    """An interrupted replacement may have cleared it, so check only says so; update refuses, and nothing is sent."""
    world.emulator.set_forwarding(SALES, "")
    assert problems(lifecycle, declared(DESK), declared(OFFICE)) == []
    assert world.said == [
        f"Line {SALES} ({SALES_NUMBER}) is no longer forwarded. If a replacement of its resource was interrupted, `pulumi up` forwards it again. If somebody else cleared it, `pulumi up` refuses to forward it."
    ]
    with pytest.raises(RefusedError, match="was changed outside Pulumi to not forwarded"):
        lifecycle.update(recorded(OFFICE), declared(DESK))
    assert world.writes() == []


@pytest.mark.parametrize("news", [declared(OFFICE), declared(""), declared(DESK, overwrite=True)])
def test_check_says_nothing_of_a_cleared_line_that_may_be_written(
    lifecycle: ForwardingLifecycle, world: World, news: Inputs
) -> None:
    """One that does not change, one that must be cleared, and one that may be overwritten."""
    world.emulator.set_forwarding(SALES, "")
    assert problems(lifecycle, news, declared(OFFICE)) == []
    assert world.said == []


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
    """The recorded number of the old line does not apply to the new one, which somebody else forwards."""
    emulator.set_forwarding(SUPPORT, OFFICE)
    [problem] = problems(lifecycle, declared(DESK, line=SUPPORT), declared(OFFICE, line=SALES))
    assert problem.startswith(f"Line {SUPPORT} ({SUPPORT_NUMBER}) already forwards to {OFFICE}")


def test_check_looks_where_only_overwrite_changes(lifecycle: ForwardingLifecycle, emulator: Emulator) -> None:
    """Taking overwrite away from a line changed by hand is refused at preview, as update will refuse it."""
    emulator.set_forwarding(SALES, ELSEWHERE)
    [problem] = problems(lifecycle, declared(OFFICE), declared(OFFICE, overwrite=True))
    assert problem.startswith(f"Line {SALES} ({SALES_NUMBER}) was changed outside Pulumi to {ELSEWHERE}.")
    with pytest.raises(RefusedError, match="was changed outside Pulumi"):
        lifecycle.update(recorded(OFFICE, overwrite=True), declared(OFFICE))


def test_check_without_a_live_check_validates_only(world: World) -> None:
    """With live_check off, no request is made, and validation still reports what it finds."""
    lifecycle = world.process(live_check=False)
    world.emulator.set_forwarding(SALES, ELSEWHERE)
    assert problems(lifecycle, declared(OFFICE)) == []
    assert problems(lifecycle, declared(OFFICE, line="+12025550199")) == []
    assert problems(lifecycle, declared("office")) != []
    assert problems(lifecycle, declared(SALES_NUMBER)) != []
    assert world.methods() == []


# Loops


ROUND = "The line would forward to another line that forwards back, so calls would go in a circle and never ring."
ROUND += " Declare another forwarding_number."


def all_problems(lifecycle: ForwardingLifecycle, program: Sequence[Inputs]) -> list[str]:
    """What check finds in a program of new resources."""
    return [problem for news in program for problem in problems(lifecycle, news)]


@pytest.mark.parametrize("line", [SALES_NUMBER, SALES, SALES.upper()])
def test_check_refuses_a_line_that_forwards_to_itself(lifecycle: ForwardingLifecycle, line: str) -> None:
    """A line that forwards to its own number is refused, however it is named."""
    assert problems(lifecycle, declared(SALES_NUMBER, line=line)) == [
        "The line would forward to itself, so calls would go in a circle and never ring. Declare another forwarding_number."
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
    assert problems(lifecycle, unchanged, unchanged) == [
        f"Line {SALES} ({SALES_NUMBER}) is declared by two resources of this program: by one with phone_number, by the other with phone_number_id. Remove one of the two: otherwise either number could be used."
    ]


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


def test_an_unknown_number_is_told_to_other_processes(world: World) -> None:
    """A line whose number is not known yet is declared in every process of the run."""
    events: list[Event] = []
    assert problems(world.process(log=SharedLog(events)), declared(UNKNOWN)) == []
    other = world.process(log=SharedLog(events))
    other.delete(recorded(OFFICE))
    assert world.methods() == []
