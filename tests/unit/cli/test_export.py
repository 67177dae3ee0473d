"""`linq-provider export`: programs and rosters that declare the account as it is."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from linting import assert_formatted_and_linted

from linq_provider import load_roster
from linq_provider.cli.exported import csv_text, exported, program_text
from linq_provider.emulator import Emulator
from linq_provider.phone_number import PhoneNumber

LINES: list[dict[str, Any]] = [
    {"id": "29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10", "phone_number": "+12025550101", "line_type": None},
    {
        "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "phone_number": "+12025550100",
        "forwarding_number": "+12025559999",
    },
]
PROGRAM = '''\
"""Where calls to the lines of a Linq account are forwarded: 2 lines, 1 of them forwarded.

Written by `linq-provider export` from the live account. `pulumi up` adopts the lines as they are and writes
nothing. "" means: not forwarded. Removing a resource clears its forwarding, unless it has `retain_on_delete`.
"""

import linq_provider as linq

# iMessage, 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e
linq.PhoneNumberForwarding(
    "line-12025550100",
    phone_number="+12025550100",
    forwarding_number="+12025559999",
)

# 29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10
linq.PhoneNumberForwarding(
    "line-12025550101",
    phone_number="+12025550101",
    forwarding_number="",
)
'''
ROSTER = """\
# Where calls to the lines of a Linq account are forwarded: 2 lines, 1 of them forwarded.
#
# Written by `linq-provider export` from the live account. In a Pulumi program:
#
#     import linq_provider as linq
#
#     linq.ForwardingRoster("lines", file="lines.yaml")
#
# `pulumi up` adopts the lines as they are and writes nothing. "" means: not forwarded.
# A line that is removed from this file later is cleared.
"+12025550100": "+12025559999"  # iMessage, 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e
"+12025550101": ""  # 29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10
"""
COUNT = "2 lines, 1 of them forwarded"  # the summary on stderr

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Two lines, listed in another order than that of their numbers."""
    with Emulator(LINES) as running:
        yield running


@pytest.fixture
def export(emulator: Emulator, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command, run in an empty folder: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LINQ_API_V3_API_KEY", emulator.api_key)
    return lambda *arguments, url=emulator.url: run("export", *arguments, LINQ_API_V3_BASE_URL=url)


def declared(program: str) -> list[dict[str, Any]]:
    """The arguments of each resource that a program declares; its name under `name`."""
    calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]
    return [
        {"name": ast.literal_eval(call.args[0]), **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}}
        for call in calls
    ]


def test_a_program(export: Run) -> None:
    """The default is a program on stdout that declares each line in the order of the numbers, after one GET."""
    assert export() == (0, PROGRAM, f"Program written to stdout: {COUNT}.\n")


def test_a_roster(export: Run) -> None:
    """`--format yaml` prints a roster, with how to use it."""
    assert export("--format", "yaml") == (0, ROSTER, f"Roster written to stdout: {COUNT}.\n")


def test_only_reads(export: Run, emulator: Emulator) -> None:
    """Exporting is one GET."""
    export()
    assert [request.method for request in emulator.requests] == ["GET"]


@pytest.mark.parametrize("name", ["lines.yaml", "lines.YML"])
def test_the_name_of_the_file_decides(export: Run, name: str) -> None:
    """A file that ends in .yaml or .yml becomes a roster, which load_roster reads as the account is."""
    assert export("-o", name) == (0, "", f"Roster written to {name}: {COUNT}.\n")
    assert load_roster(name) == {"+12025550100": "+12025559999", "+12025550101": ""}
    assert f'file="{name}"' in Path(name).read_text()


def test_a_dash_is_stdout(export: Run) -> None:
    """`-o -` is stdout."""
    assert export("-o", "-")[:2] == (0, PROGRAM)


@pytest.mark.parametrize("lines", [0, 1, 50, 51, 10_000])
def test_any_number_of_lines(export: Run, lines: int) -> None:
    """From none to 10,000: up to 50 resources with a name each, beyond it one fleet; the roster says the same."""
    with Emulator(lines) as many:
        live = {line.phone_number: line.forwarding_number or "" for line in many.phone_numbers}
        code, program, _ = export(url=many.url)
        assert export("-o", "lines.yaml", url=many.url)[0] == code == 0
    compile(program, "__main__.py", "exec")
    resources = declared(program)
    if lines > 50:
        assert resources == [{"name": "lines", "forwardings": live}]
    else:
        assert {each["phone_number"]: each["forwarding_number"] for each in resources} == live
        assert len({each["name"] for each in resources}) == lines
    if lines:
        assert load_roster("lines.yaml") == live


@pytest.mark.parametrize(("arguments", "words"), [((), "There is nothing to declare"), (("--format=yaml",), "refuses")])
def test_no_lines_are_said(export: Run, arguments: tuple[str, ...], words: str) -> None:
    """Where the key sees no lines, both the file and stderr say so."""
    with Emulator(0) as none:
        code, text, said = export(*arguments, url=none.url)
    assert code == 0
    assert words in text
    assert said.startswith("This key sees no lines at all")


@pytest.mark.parametrize("lines", [0, 2, 51])
def test_formatted_and_linted(export: Run, lines: int) -> None:
    """Ruff finds nothing to format and nothing to complain about, without any settings."""
    with Emulator(lines) as some:
        if lines:
            some.set_forwarding(some.phone_numbers[0].id, "office")
        export("-o", "exported.py", url=some.url)
    assert_formatted_and_linted("exported.py")


def test_what_cannot_be_declared_is_a_comment(export: Run, emulator: Emulator) -> None:
    """An invalid target, and lines that forward in a circle, become comments with the reason; stderr counts them."""
    emulator.set_forwarding("+12025550101", "office")
    for number, target in [("+12025550102", "+12025550103"), ("+12025550103", "+12025550102"), ("+12025550104", "+12025550102")]:  # fmt: skip
        emulator.add_number(number, target)
    code, program, said = export()
    assert (code, said.splitlines()) == (
        0,
        [
            "Program written to stdout: 2 lines, 2 of them forwarded.",
            "3 of 5 lines cannot be declared as they are; comments in the output say why.",
        ],
    )
    assert [each["phone_number"] for each in declared(program)] == ["+12025550100", "+12025550104"]
    assert (
        "# +12025550101 (29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10): the number that it forwards to is not in E.164 format"
        in program
    )
    assert "it forwards to +12025550103, which leads back to this line, so calls would never ring" in program
    assert export("-o", "lines.yaml")[0] == 0
    assert set(load_roster("lines.yaml")) == {"+12025550100", "+12025550104"}
    assert "the number that it forwards to is not in E.164 format" in Path("lines.yaml").read_text()


def test_a_roster_in_csv_is_read_back(export: Run, emulator: Emulator) -> None:
    """For spreadsheets: a line that is not forwarded has none, and the columns for people are ignored."""
    kinds = [line.line_type or "" for line in emulator.phone_numbers]
    assert export("--format", "csv")[1] == (
        "line,forwarding_number,type,id\n"
        f"+12025550100,+12025559999,{kinds[1]},182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e\n"
        f"+12025550101,none,{kinds[0]},29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10\n"
    )
    assert export("-o", "lines.csv") == (0, "", f"Roster written to lines.csv: {COUNT}.\n")
    assert load_roster("lines.csv") == {"+12025550100": "+12025559999", "+12025550101": ""}


def test_a_type_is_no_formula(export: Run, emulator: Emulator) -> None:
    """What a server writes must not be calculated by a spreadsheet."""
    account = exported([PhoneNumber("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025550100", "", "=HYPERLINK(1)")])
    assert "+12025550100,none,HYPERLINK(1),182bd5e5" in csv_text(account)


def test_what_cannot_be_declared_in_csv_is_told_on_stderr(export: Run, emulator: Emulator) -> None:
    """A table has no comments."""
    emulator.set_forwarding("+12025550101", "office")
    code, text, said = export("--format", "csv")
    assert code == 0
    assert load_roster_of(text) == {"+12025550100": "+12025559999"}
    assert said.splitlines() == [
        "Roster written to stdout: 1 line, 1 of them forwarded.",
        "1 of 2 lines cannot be declared as they are:",
        "+12025550101 (29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10): the number that it forwards to is not in E.164 format: write digits in"
        " place of the letters",
    ]


def load_roster_of(text: str) -> dict[str, str]:
    """What a CSV roster declares."""
    Path("read.csv").write_text(text)
    return load_roster("read.csv")


def test_what_may_not_be_declared_is_a_comment(
    export: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that forwards where calls may not go would be refused at preview, and nothing with it adopted."""
    emulator.set_forwarding("+12025550101", "+19005551234")
    assert "the number that it forwards to is a premium-rate number in the United States (+1)" in export()[1]
    monkeypatch.setenv("LINQ_ALLOWED_FORWARDINGS", "+1900")
    assert (
        "the number that it forwards to is in the United States (+1), outside of LINQ_ALLOWED_FORWARDINGS"
        in export()[1]
    )


def test_a_number_that_names_no_line(export: Run, emulator: Emulator) -> None:
    """A line whose number is not E.164 is declared by its id."""
    emulator.add_number("202-555-0107", phone_number_id="3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21")
    _, program, _ = export()
    assert declared(program)[-1] == {
        "name": "line-3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21",
        "phone_number_id": "3a0f1b52-7c0d-4f7e-9d1e-0b8f6c5d4e21",
        "forwarding_number": "",
    }


def test_a_number_that_names_two_lines() -> None:
    """Two lines with one number are declared by their ids, so that the names differ; without an id, left out."""
    ids = ("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "29b7a7a0-54a1-4c1c-8a6b-5f7c4a3d2e10", "no-uuid")
    account = exported([PhoneNumber(id_, "+12025550100", "") for id_ in ids])
    assert [line.identity for line in account.lines] == list(ids[:2])
    assert account.left_out == ["+12025550100 (no-uuid): neither its number nor its id is well-formed"]


def test_text_of_the_server_stays_a_comment(export: Run) -> None:
    """Text of the server cannot become code, or another line of a roster."""
    evil = 'x"""\nimport os\n"+12025550109": "+12025559999"\u2028y'
    with Emulator([{"phone_number": "+12025550100", "line_type": evil}]) as other:
        _, program, _ = export(url=other.url)
        export("-o", "lines.yaml", url=other.url)
    assert len(declared(program)) == 1
    assert [type(node).__name__ for node in ast.parse(program).body] == ["Expr", "Import", "Expr"]
    assert load_roster("lines.yaml") == {"+12025550100": ""}


def test_a_file_is_not_overwritten(export: Run, emulator: Emulator) -> None:
    """A file that exists is left as it is, without a request, in one sentence that names --force."""
    Path("__main__.py").write_text("mine")
    code, text, said = export("-o", "__main__.py")
    assert (code, text) == (1, "")
    assert said == "__main__.py exists and was left as it is; name another file, or add --force.\n"
    assert Path("__main__.py").read_text() == "mine"
    assert emulator.requests == []


def test_a_link_to_nothing_is_not_overwritten(export: Run, tmp_path: Path) -> None:
    """A dangling link counts as a file that exists."""
    Path("__main__.py").symlink_to(tmp_path / "elsewhere.py")
    assert export("-o", "__main__.py")[0] == 1
    assert not (tmp_path / "elsewhere.py").exists()


def test_force_replaces(export: Run) -> None:
    """`--force` replaces the file, keeps its mode and a link to it, and leaves nothing else behind."""
    Path("real.py").write_text("mine")
    Path("real.py").chmod(0o600)
    Path("link.py").symlink_to("real.py")
    assert export("-o", "link.py", "--force") == (0, "", f"Program written to link.py: {COUNT}.\n")
    assert Path("real.py").read_text() == PROGRAM
    assert stat.S_IMODE(Path("real.py").stat().st_mode) == 0o600
    assert sorted(path.name for path in Path().iterdir()) == ["link.py", "real.py"]


def test_force_makes_a_new_file_too(export: Run) -> None:
    """`--force` without a file to replace writes a new one."""
    assert export("-o", "new.py", "--force")[:2] == (0, "")
    assert Path("new.py").read_text() == PROGRAM


def test_a_new_file_has_the_usual_mode(export: Run) -> None:
    """A new file has the mode that the umask gives it."""
    before = os.umask(0o022)
    try:
        export("-o", "new.py")
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("new.py").stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written(export: Run) -> None:
    """A folder that is not there is one sentence and exit 1."""
    code, text, said = export("-o", "missing/new.py")
    assert (code, text) == (1, "")
    assert said.startswith("missing/new.py cannot be written: ")
    assert said.count("\n") == 1


def test_a_folder_is_no_file(export: Run, emulator: Emulator) -> None:
    """A folder instead of a file is reported before any request, without advice to use --force."""
    code, _, said = export("-o", ".")
    assert code == 1
    assert "File '.' is a directory" in said
    assert "--force" not in said
    assert emulator.requests == []


@pytest.mark.parametrize("arguments", [["-o", "lines.txt"], ["-o", "lines"], ["-o", "lines.csv", "--format", "yaml"]])
def test_a_name_that_nobody_would_read(export: Run, emulator: Emulator, arguments: list[str]) -> None:
    """A program must end in .py, a roster in .yaml, .yml or .csv; others are refused before any request."""
    code, text, said = export(*arguments)
    assert (code, text) == (1, "")
    assert f"{arguments[1]} is not a name for " in said
    assert emulator.requests == []
    assert list(Path().iterdir()) == []


def test_no_lines_replace_no_file(export: Run, emulator: Emulator) -> None:
    """A key that sees no lines, most often the wrong one, empties no roster, not even with --force."""
    export("-o", "lines.yaml")
    before = Path("lines.yaml").read_text()
    for line in emulator.phone_numbers:
        emulator.remove_number(line.id)
    code, text, said = export("-o", "lines.yaml", "--force")
    assert (code, text) == (1, "")
    assert said == (
        "lines.yaml exists and was left as it is. This key sees no lines at all: is it the right account?\n"
    )
    assert Path("lines.yaml").read_text() == before


def test_a_failed_export_writes_no_file(export: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a refused key there is an error and no file."""
    monkeypatch.setenv("LINQ_API_V3_API_KEY", "canary-7f3d1c9a")
    code, _, said = export("-o", "new.py")
    assert code == 1
    assert "2004" in said
    assert "canary" not in said
    assert list(Path().iterdir()) == []


def test_a_program_without_lines_to_declare() -> None:
    """Where every line is left out, the program is only comments, and imports nothing."""
    text = program_text(exported([PhoneNumber("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "+12025550100", "office")]))
    assert [type(node).__name__ for node in ast.parse(text).body] == ["Expr"]
    assert "# +12025550100 (182bd5e5" in text
