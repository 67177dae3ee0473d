"""`linq-provider numbers`: the account's lines, for a pipe, for a program, and for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linq_provider.emulator import Emulator, Fault

LINES: list[dict[str, Any]] = [
    {
        "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "phone_number": "+12025550100",
        "forwarding_number": "+12025559999",
    },
    {"id": "29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10", "phone_number": "+12025550101", "line_type": "RCS"},
    {"id": "3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21", "phone_number": "+12025550102", "line_type": None},
]

Numbers = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator with one line of each kind, and the two variables that point a program at it."""
    with Emulator(LINES) as running:
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", running.url)
        monkeypatch.setenv("LINQ_API_V3_API_KEY", running.api_key)
        yield running


@pytest.fixture
def numbers(emulator: Emulator, run: Callable[..., tuple[int, str, str]]) -> Numbers:
    """The command: exit status, stdout, stderr."""
    return lambda *arguments, **environment: run("numbers", *arguments, **environment)


def test_in_a_pipe_they_are_tab_separated(numbers: Numbers) -> None:
    """In a pipe, each line holds number, target, id and type between tabs, without a header or colours."""
    code, shown, said = numbers(FORCE_COLOR="1")
    assert (code, said) == (0, "")
    assert [line.split("\t") for line in shown.splitlines()] == [
        ["+12025550100", "+12025559999", "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "iMessage"],
        ["+12025550101", "not forwarded", "29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10", "RCS"],
        ["+12025550102", "not forwarded", "3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21", "-"],
    ]


def test_as_json(numbers: Numbers) -> None:
    """`--json` prints an array with four fields a line, "" where nothing is forwarded."""
    code, shown, said = numbers("--json")
    assert (code, said) == (0, "")
    assert json.loads(shown) == [
        {
            "id": line["id"],
            "phone_number": line["phone_number"],
            "forwarding_number": line.get("forwarding_number", ""),
            "line_type": line.get("line_type", "iMessage"),
        }
        for line in LINES
    ]


def test_text_of_the_server_is_one_cell(numbers: Numbers) -> None:
    """A tab, a line break or an escape sequence from the server makes neither a row nor a colour."""
    with Emulator([{"phone_number": "+12025550100", "line_type": "a\tb\nc\x1b[31m"}]) as other:
        _, shown, _ = numbers(LINQ_API_V3_BASE_URL=other.url, LINQ_API_V3_API_KEY=other.api_key)
    assert shown.count("\t") == 3
    assert shown.count("\n") == 1
    assert shown.endswith("\t-\n")


@pytest.mark.usefixtures("emulator")
def test_on_a_terminal_they_are_a_table(on_a_terminal: Callable[..., tuple[int, str]]) -> None:
    """On a terminal there is a table with a header, without any colour that NO_COLOR would have to stop."""
    code, shown = on_a_terminal("numbers")
    assert code == 0
    assert "Forwards to" in shown
    assert "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e" in shown
    assert "not forwarded" in shown
    assert not re.search(r"\x1b\[[349]\d", shown)


@pytest.mark.usefixtures("emulator")
def test_ids_on_a_narrow_terminal_are_whole(
    on_a_terminal: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 60 columns an id may be folded, but no part of it is left out: it is there to be copied."""
    monkeypatch.setenv("COLUMNS", "60")
    assert "…" not in on_a_terminal("numbers")[1]


def test_no_lines_are_told(numbers: Numbers, emulator: Emulator) -> None:
    """A key that sees nothing is reported on stderr: an empty table alone would look like a bug of the command."""
    for line in emulator.phone_numbers:
        emulator.remove_number(line.id)
    assert numbers() == (0, "", "This key sees no lines at all: is it the right account?\n")


def test_they_are_read_and_never_written(numbers: Numbers, emulator: Emulator) -> None:
    """The command makes one GET."""
    numbers()
    assert [request.method for request in emulator.requests] == ["GET"]


def test_without_a_key_it_is_said_how_to_set_one(run: Callable[..., tuple[int, str, str]]) -> None:
    """Without a key: one sentence on stderr that names the variable, exit 1."""
    code, shown, said = run("numbers")
    assert (code, shown) == (1, "")
    assert "LINQ_API_V3_API_KEY" in said
    assert said.count("\n") == 1


def test_a_wrong_key_is_not_shown(numbers: Numbers) -> None:
    """A refused key: one line on stderr with Linq's code and not the key, exit 1."""
    code, shown, said = numbers(LINQ_API_V3_API_KEY="canary-7f3d1c9a")
    assert (code, shown) == (1, "")
    assert "2004" in said
    assert "canary" not in said
    assert said.count("\n") == 1


def test_an_error_of_the_api_is_one_line(numbers: Numbers, emulator: Emulator) -> None:
    """An error of the API is one line on stderr, exit 1."""
    emulator.fail(Fault.server_error(), times=None)
    code, shown, said = numbers(LINQ_MAX_RETRIES="0")
    assert (code, shown) == (1, "")
    assert "3006" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--forwarded"], ["0100"]),
        (["--search", "555-0101"], ["0101"]),
        (["--search", "(202) 555 01"], ["0100", "0101", "0102"]),
        (["--search", "+1202555.9999"], ["0100"]),
        (["--search", "29B7A7A0-54A1"], ["0101"]),
        (["--search", "555 010", "--forwarded"], ["0100"]),
        (["--search", ""], ["0100", "0101", "0102"]),
    ],
    ids=" ".join,
)
def test_some_of_them(numbers: Numbers, arguments: list[str], shown: list[str]) -> None:
    """`--forwarded` and `--search` choose lines, by any part of number, forwarding number or id, however it is written."""
    code, text, said = numbers(*arguments)
    assert (code, said) == (0, "")
    assert [line[8:12] for line in text.splitlines()] == shown
    assert [line["phone_number"][8:12] for line in json.loads(numbers("--json", *arguments)[1])] == shown


def test_none_of_them(numbers: Numbers) -> None:
    """Where no line is found, stderr says so and the exit status is 0."""
    assert numbers("--search", "999 000") == (0, "", "None of the 3 lines of this key matches.\n")
    assert json.loads(numbers("--search", "x", "--json")[1]) == []
