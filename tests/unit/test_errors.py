"""The exceptions: one tree, one paragraph each, and they carry data."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

import linq_provider
from linq_provider import errors
from linq_provider.errors import (
    APIConnectionError,
    APIConnectionTimeoutError,
    APIError,
    ConfigurationError,
    FleetError,
    InternalServerError,
    LinqError,
    RateLimitError,
    RefusedError,
    api_error_class,
    listed,
    plain,
)

RATE_LIMITED = dict[str, Any](
    method="GET",
    path="/v3/phone_numbers",
    status_code=429,
    code="1007",
    detail="Rate limit exceeded",
    doc_url="https://docs.linqapp.com/error/codes/1xxx/1007/",
    trace_id="1bd6bf3e-14c9-4e5f-9a44-2f4a8e6a2c31",
    retry_after=7.0,
    attempts=3,
    should_retry=True,
)


def error_classes(root: type[LinqError] = LinqError) -> list[type[LinqError]]:
    """`root` and every exception below it that errors.py defines."""
    own = [root] if root.__module__ == errors.__name__ else []
    return own + [found for child in root.__subclasses__() for found in error_classes(child)]


def make(cls: type[LinqError], *, fields: dict[str, Any] = RATE_LIMITED, message: str = "It failed.") -> LinqError:
    """One exception of the class, with every field filled."""
    if issubclass(cls, APIError):
        return cls(**fields, next_step="Wait.")
    if issubclass(cls, FleetError):
        failures = {"+12025551234": APIError(**fields), "+12025551235": RefusedError(message)}
        return cls(message, failures, next_step="Try again.")
    if issubclass(cls, APIConnectionError):
        return cls(message, next_step="Check the network.", transient=False)
    return cls(message, next_step="Try again.")


def drawn_parents() -> dict[str, str]:
    """Class name to the name it hangs from, in the tree of the docstring."""
    stack = [(-1, "Exception")]
    parents = {}
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r"^[ |]*(?:\+-- )?(\w+Error|LinqError)\b", line)
        if node is None:
            continue
        depth = node.start(1)
        while stack[-1][0] >= depth:
            stack.pop()
        parents[node[1]] = stack[-1][1]
        stack.append((depth, node[1]))
    return parents


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """Every exception of errors.py is drawn in its docstring, below its base class, and no other is."""
    assert drawn_parents() == {cls.__name__: cls.__bases__[0].__name__ for cls in error_classes()}


def test_every_exception_is_a_public_name() -> None:
    """Each exception can be caught by a name that `linq_provider` exports, and all as LinqError."""
    for cls in error_classes():
        assert cls.__name__ in linq_provider.__all__
        assert getattr(linq_provider, cls.__name__) is cls
        assert issubclass(cls, LinqError)


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("duplicate", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_every_exception_survives_pickling_with_its_data(cls: type[LinqError], duplicate: object) -> None:
    """What a test runner or a process pool gets back is the same class with the same data and text."""
    error = make(cls)
    again = duplicate(error)  # type: ignore[operator]
    assert type(again) is cls
    assert str(again) == str(error)
    assert again.args == error.args
    assert vars(again).keys() == vars(error).keys()
    for name, value in vars(error).items():
        if name == "errors":  # exceptions are equal only to themselves
            assert {line: vars(e) for line, e in vars(again)[name].items()} == {k: vars(e) for k, e in value.items()}
        else:
            assert vars(again)[name] == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_fields_of_an_api_error_survive_every_pickle_protocol(protocol: int) -> None:
    """Status, code, doc_url, trace_id and the rest are attributes, before and after pickling."""
    error = pickle.loads(pickle.dumps(RateLimitError(**RATE_LIMITED), protocol))
    assert (error.method, error.path, error.status_code) == ("GET", "/v3/phone_numbers", 429)
    assert (error.code, error.detail) == ("1007", "Rate limit exceeded")
    assert error.doc_url == "https://docs.linqapp.com/error/codes/1xxx/1007/"
    assert error.trace_id == "1bd6bf3e-14c9-4e5f-9a44-2f4a8e6a2c31"
    assert (error.retry_after, error.attempts, error.should_retry) == (7.0, 3, True)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "BadRequestError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
        (599, "InternalServerError"),
        (302, "APIError"),
        (405, "APIError"),
        (410, "APIError"),
        (418, "APIError"),
    ],
)
def test_each_status_has_its_exception(status: int, name: str) -> None:
    """The names are those of Linq's own SDKs."""
    assert api_error_class(status).__name__ == name


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_a_success_other_than_200_is_an_answer_that_cannot_be_trusted(status: int) -> None:
    """Linq documents 200 only: after a write answered 204 the outcome is open, as this class says."""
    assert api_error_class(status).__name__ == "APIResponseValidationError"


def test_the_message_tells_everything_known_in_one_sentence_and_ends_with_the_next_step() -> None:
    """What was asked, status, code and text, trace_id, doc_url, attempts, next step, in this order."""
    assert str(RateLimitError(**RATE_LIMITED, next_step="Run the command again later.")) == (
        "GET /v3/phone_numbers failed: HTTP 429, 1007 Rate limit exceeded,"
        " trace_id 1bd6bf3e-14c9-4e5f-9a44-2f4a8e6a2c31,"
        " see https://docs.linqapp.com/error/codes/1xxx/1007/, after 3 attempts."
        " Run the command again later."
    )


def test_the_message_leaves_out_what_the_answer_did_not_say() -> None:
    """No empty brackets, no 'None'."""
    assert str(InternalServerError("GET", "/v3/phone_numbers", 500)) == ("GET /v3/phone_numbers failed: HTTP 500.")


@pytest.mark.parametrize("cls", error_classes(), ids=lambda cls: cls.__name__)
def test_row_31_no_message_is_longer_than_500_characters_or_more_than_one_line(cls: type[LinqError]) -> None:
    """Whatever goes in, one paragraph of at most 500 characters comes out, its next step whole."""
    long = "\x1b[31m\a line\r\n\u202e" * 20_000
    fields = RATE_LIMITED | {"path": f"/v3/phone_numbers/{'i' * 128}", "code": long, "detail": long}
    fields |= {"doc_url": long, "trace_id": long, "attempts": 8}
    next_step = "Run `pulumi preview --refresh` to see what the line does now, then `pulumi up --refresh`."
    error = make(cls, fields=fields, message=long)
    error.next_step = next_step
    assert str(error).endswith(next_step)
    assert len(str(error)) <= 500
    assert all(line.isprintable() for line in str(error).split("\n"))
    # One for what it is about, one for each line of the account, one for the next step.
    assert len(str(error).split("\n")) == (1 + 2 + 1 if cls is FleetError else 1)


def test_row_31_a_next_step_that_fills_the_message_alone_is_cut_too() -> None:
    """The 500 characters hold even where the next step is longer than they are."""
    assert len(str(LinqError("It failed.", next_step="a " * 400))) <= 500


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("bell\a", "bell"),
        ("over\rwritten", "over written"),
        ("two\n\n\tlines", "two lines"),
        ("evil\u202egnp.exe", "evil gnp.exe"),
        ("zero\u200bwidth", "zero width"),
        ("half \ud800 pair", "half pair"),
        ("null\0", "null"),
        ("a\x9b31mb", "a 31mb"),
        ("a\U000e0041b", "a b"),
        ("a\ue000b", "a b"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_row_31_plain_removes_what_a_terminal_would_obey(text: str, kept: str) -> None:
    """Escape sequences, carriage returns and direction overrides lose their power; letters stay."""
    assert plain(text) == kept


def test_row_31_plain_cuts_with_an_ellipsis() -> None:
    """A cut is visible, and the result is exactly the limit."""
    assert plain("x" * 161) == "x" * 159 + "…"
    assert plain("x" * 160) == "x" * 160


@pytest.mark.parametrize("cls", [ConfigurationError, RefusedError, APIConnectionError, APIConnectionTimeoutError])
def test_a_message_without_next_step_has_no_trailing_space(cls: type[LinqError]) -> None:
    """The text is exactly the message."""
    assert str(cls("It failed.")) == "It failed."


def fleet_error(count: int, *, next_step: str = "Run `pulumi up --refresh`.") -> FleetError:
    """A fleet of which so many lines failed, as Linq answers when it is down."""
    failures: dict[str, LinqError] = {}
    for n in range(count):
        fields = RATE_LIMITED | {"path": f"/v3/phone_numbers/182bd5e5-6e1a-4fe4-a799-{n:012}", "status_code": 500}
        failures[f"+1202555{n:04}"] = InternalServerError(**fields, next_step="Run the command again.")
    return FleetError(f"{count:,} of 20,000 lines are not as declared", failures, next_step=next_step)


def test_one_line_of_a_fleet_is_told_in_full() -> None:
    """With its own next step, then that of the fleet."""
    assert str(fleet_error(1)).split("\n") == [
        "1 of 20,000 lines are not as declared:",
        "  - +12025550000: GET failed: HTTP 500, 1007 Rate limit exceeded,"
        " trace_id 1bd6bf3e-14c9-4e5f-9a44-2f4a8e6a2c31,"
        " see https://docs.linqapp.com/error/codes/1xxx/1007/, after 3 attempts. Run the command again.",
        "Run `pulumi up --refresh`.",
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_few_lines_of_a_fleet_are_all_named_with_their_reason(count: int) -> None:
    """The space is shared: each reason is cut no more than necessary, and none is left out."""
    first, *lines, last = str(fleet_error(count)).split("\n")
    assert (first, last) == (f"{count} of 20,000 lines are not as declared:", "Run `pulumi up --refresh`.")
    assert [line.partition(": ")[0] for line in lines] == [f"  - +1202555{n:04}" for n in range(count)]
    assert all("GET failed: HTTP 500, 1007 Rate limit exceeded" in line for line in lines)
    assert len(str(fleet_error(count))) <= 500


@pytest.mark.parametrize("count", [6, 20, 1_000, 20_000])
@pytest.mark.parametrize("next_step", ["Run `pulumi up --refresh`.", f"Do this: {'x ' * 100}end.", "x " * 400])
def test_of_many_lines_as_many_as_fit_are_named(count: int, next_step: str) -> None:
    """Then how many more there are, and the next step: 500 characters in all."""
    text = str(fleet_error(count, next_step=next_step))
    first, *lines, more, last = text.split("\n")
    assert first == f"{count:,} of 20,000 lines are not as declared:"
    assert [line.partition(": ")[0] for line in lines] == [f"  - +1202555{n:04}" for n in range(len(lines))]
    assert more == f"  - and {count - len(lines):,} more"
    assert last == plain(next_step, limit=340)
    assert len(text) <= 500
    assert len(lines) >= (4 if len(next_step) < 50 else 1 if len(next_step) < 300 else 0)


@pytest.mark.parametrize(
    ("count", "shown"), [(0, ""), (1, "+12025550000"), (2, "+12025550000, +12025550001"), (11, "and 1 more")]
)
def test_a_list_inside_a_sentence(count: int, shown: str) -> None:
    """Few are all named; of many ten, and how many more there are."""
    text = listed([f"+1202555{n:04}" for n in range(count)])
    assert text.endswith(shown)
    assert text.count("+") == min(count, 10)


def test_a_list_inside_a_sentence_fits() -> None:
    """Long names are fewer, so that neither "and … more" nor what follows is cut off."""
    names = [f"182bd5e5-6e1a-4fe4-a799-{n:012} (now +12025559999)" for n in range(11)]
    assert listed(names) == f"{names[0]}, {names[1]} and 9 more"
    assert listed(["x" * 500]) == f"{'x' * 159}…"
