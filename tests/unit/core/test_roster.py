"""Roster files: what is read from YAML and CSV, and what is refused, where, without a forwarding number."""

from __future__ import annotations

import csv
import io
import os
import pickle
import traceback
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linq_provider.config import AllowedForwardings
from linq_provider.core.destinations import Destinations
from linq_provider.core.roster import load_roster
from linq_provider.errors import ConfigurationError, LinqError

GENERATED = settings(database=None, deadline=None, derandomize=True)
UUID = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
HIDDEN = "2025557777"  # the digits of every forwarding number below

NUMBERS = st.integers(10, 10**15 - 1).map("+{}".format)  # a pattern is drawn several times as slowly
ROSTERS = st.dictionaries(NUMBERS | st.uuids().map(str), NUMBERS | st.just(""), min_size=1)
NO_FILE = "it is not a regular file but a folder, device or pipe."

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a roster file into the current folder; text is UTF-8, line ends as given."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> Path:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return Path(name)

    return write


def refused(file: Path) -> str:
    """The text of the error, after checking that neither it nor its traceback contains a forwarding number."""
    with pytest.raises(ConfigurationError) as caught:
        load_roster(file)
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


# What is read


@pytest.mark.parametrize(
    "text",
    [
        f'"+12025550100": "+1{HIDDEN}"\n{UUID}: ""\n',
        f"+12025550100: +1{HIDDEN}\n{UUID}: ''\n",
        f"# sales\n---\n+12025550100: +1{HIDDEN} # office\n\n{UUID.upper()}: ''\n...\n",
        f"{{+12025550100: '+1{HIDDEN}', '{UUID}': ''}}",
        f"\ufeff+12025550100: +1{HIDDEN}\r\n{UUID}: ''\r\n",
        f"? +12025550100\n: +1{HIDDEN}\n? {UUID}\n: ''\n",
    ],
    ids=["quoted", "plain", "comments", "one line", "BOM and CRLF", "explicit keys"],
)
@pytest.mark.parametrize("name", ["lines.yaml", "lines.yml", "LINES.YAML"])
def test_yaml_is_a_mapping_of_lines_to_numbers(write: Write, name: str, text: str) -> None:
    """Quoted or not, a number keeps its plus, a UUID is read in lower case, and "" is not forwarded."""
    assert load_roster(write(name, text)) == {"+12025550100": f"+1{HIDDEN}", UUID: ""}


@pytest.mark.parametrize(
    "text",
    [
        f"line,forwarding_number\n+12025550100,+1{HIDDEN}\n{UUID},none\n",
        f"phone_number,forwarding_number\n+12025550100,+1{HIDDEN}\n{UUID},NONE",
        f"forwarding_number,phone_number_id\n+1{HIDDEN},+12025550100\nNone,{UUID}\n",
        f"owner,line,forwarding_number\n,+12025550100,+1{HIDDEN}\nEve,{UUID.upper()},none\n",
        f'"line","forwarding_number","note"\n"+12025550100","+1{HIDDEN}","two\nlines, ""1"" cell"\n"{UUID}","none",""\n',
        f"\ufeffline,forwarding_number\r\n+12025550100,+1{HIDDEN}\r\n{UUID},none\r\n",
        f"\n\nline,forwarding_number\n\n+12025550100,+1{HIDDEN}\n,,,\n  \n{UUID},none\n\n",
        f"line,forwarding_number,,\n+12025550100,+1{HIDDEN},,more\n{UUID},none,,\n",
        f' line , forwarding_number\n +12025550100 , "+1{HIDDEN}"\n{UUID}, none \n',
    ],
    ids=["line", "no last end", "id", "columns", "quoted", "BOM and CRLF", "empty rows", "nameless", "spaces"],
)
def test_csv_is_a_column_of_lines_and_one_of_numbers(write: Write, text: str) -> None:
    """With any other columns, in any order; a line that is not forwarded has none."""
    assert load_roster(write("lines.csv", text)) == {"+12025550100": f"+1{HIDDEN}", UUID: ""}


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    "header", ["line|forwarding_number", "Phone Number|Forwarding Number", "PHONE_NUMBER_ID|ForwardingNumber"]
)
def test_csv_is_read_as_spreadsheets_save_it(
    write: Write, separator: str, encoding: str, ends: str, header: str
) -> None:
    """Excel, LibreOffice and Google Sheets, in English and German, on Windows, macOS and Linux."""
    rows = [f"Wo|{header}", f"Büro|+12025550100|+1{HIDDEN}", f'"Halle; 2, links"|{UUID}|none', "||"]
    text = ends.join(row.replace("|", separator) for row in rows) + ends
    assert load_roster(write("lines.csv", text.encode(encoding))) == {"+12025550100": f"+1{HIDDEN}", UUID: ""}


def test_excels_own_first_line_is_no_header(write: Write) -> None:
    """`sep=;` tells Excel the separator; places still count from the top of the file."""
    text = f"sep=;\r\nline;forwarding_number\r\n+12025550100;+1{HIDDEN}\r\n+12025550101;\r\n"
    assert refused(write("lines.csv", text)).startswith("lines.csv, line 4, column 2: the forwarding number is missing")
    assert load_roster(write("lines.csv", text.replace("01;", "01;none"))) == {
        "+12025550100": f"+1{HIDDEN}",
        "+12025550101": "",
    }


def test_a_file_is_a_path_or_its_text(write: Write) -> None:
    """Relative to the current folder, as `open` takes it."""
    write("lines.yaml", f"+12025550100: +1{HIDDEN}")
    assert load_roster("lines.yaml") == load_roster(Path("lines.yaml")) == {"+12025550100": f"+1{HIDDEN}"}


@GENERATED
@given(ROSTERS)
def test_a_roster_written_as_yaml_reads_back(tmp_path_factory: pytest.TempPathFactory, roster: dict[str, str]) -> None:
    """Whatever PyYAML quotes or leaves plain."""
    file = tmp_path_factory.getbasetemp() / "written.yaml"
    file.write_text(yaml.safe_dump(roster))
    assert load_roster(file) == roster


@GENERATED
@given(ROSTERS)
def test_a_roster_written_as_csv_reads_back(tmp_path_factory: pytest.TempPathFactory, roster: dict[str, str]) -> None:
    """As Python's csv module writes it."""
    written = io.StringIO()
    rows = [(line, number or "none") for line, number in roster.items()]
    csv.writer(written).writerows([("line", "forwarding_number"), *rows])
    file = tmp_path_factory.getbasetemp() / "written.csv"
    file.write_bytes(written.getvalue().encode())
    assert load_roster(file) == roster


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [("lines.yaml", "", '"{}": "{}"\n'), ("lines.csv", "line,forwarding_number\n", "{},{}\n")],
)
def test_ten_thousand_lines_are_read(write: Write, name: str, head: str, row: str) -> None:
    """Every line of a large account, in the order of the file."""
    roster = {f"+1202{n:07}": f"+1303{n:07}" if n % 3 else "" for n in range(5_000_000, 5_010_000)}
    nowhere = "" if name == "lines.yaml" else "none"
    text = head + "".join(row.format(line, number or nowhere) for line, number in roster.items())
    assert list(load_roster(write(name, text)).items()) == list(roster.items())


def test_yaml_is_read_without_libyaml(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML may be built without it; its own parser quotes the file in its errors, which are not passed on."""
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert load_roster(write("lines.yaml", f"+12025550100: +1{HIDDEN}\n")) == {"+12025550100": f"+1{HIDDEN}"}
    error = refused(write("lines.yaml", f"+12025550100: !n{HIDDEN}!x y"))
    assert error == "lines.yaml, line 1, column 15: this is not YAML: found undefined tag handle '!n…!'."
    assert refused(write("lines.yaml", "[" * 100_000)).startswith(
        "lines.yaml, line 1, column 1: a roster is one mapping"
    )
    error = refused(write("lines.yaml", f"# é\n+12025550100: +1{HIDDEN}\x00"))
    assert error.startswith("lines.yaml, line 2, column 27: YAML does not allow the character at this place")


# What is refused in a row


@pytest.mark.parametrize("spelling", ["", " ~", " null", " NULL", " |"])
def test_yaml_without_a_number_is_refused(write: Write, spelling: str) -> None:
    """A key without a value must not clear the line."""
    error = refused(write("lines.yaml", f'+12025550100: ""\n+12025550101:{spelling}\n'))
    assert error.startswith("lines.yaml, line 2, column 1")
    assert error.endswith(': the forwarding number is missing; write "" for not forwarded.')


def test_csv_without_a_cell_for_the_number_is_refused(write: Write) -> None:
    """A row that ends early is not a row with an empty cell."""
    error = refused(write("lines.csv", f"line,forwarding_number\n+12025550101,+1{HIDDEN}\n+12025550100\n"))
    assert error == "lines.csv, line 3, column 2: the forwarding number is missing; write none for not forwarded."


@pytest.mark.parametrize("cell", ["", '""', "  ", "\u00a0"])
def test_a_blank_cell_silences_nobody(write: Write, cell: str) -> None:
    """In a spreadsheet a cell is emptied by one wrong key."""
    error = refused(write("lines.csv", f"line,forwarding_number\n+12025550101,+1{HIDDEN}\n+12025550100,{cell}\n"))
    assert error == "lines.csv, line 3, column 2: the forwarding number is missing; write none for not forwarded."


@pytest.mark.parametrize("cell", ["-", "n/a", "N/A", "not forwarded", "off"])
def test_what_people_write_for_not_forwarded_is_told_the_one_word(write: Write, cell: str) -> None:
    """Each format has its own word; in YAML that is an empty text, as in a program."""
    error = refused(write("lines.csv", f"line,forwarding_number\n+12025550100,{cell}\n"))
    assert error == "lines.csv, line 2, column 2: this is not a forwarding number; write none for not forwarded."
    for text in (cell, "none"):
        error = refused(write("lines.yaml", f"+12025550100: '{text}'\n"))
        assert error == 'lines.yaml, line 1, column 15: this is not a forwarding number; write "" for not forwarded.'


@pytest.mark.parametrize("row", [f"+12025550100,+1{HIDDEN},", f"x,+12025550100,+1{HIDDEN}", "+12025550100,1,202,5"])
def test_csv_with_more_cells_than_its_header_is_refused(write: Write, row: str) -> None:
    """One separator too many shifts the cells after it, so they can no longer be identified."""
    for separator, name in ((",", "a comma"), (";", "a semicolon"), ("\t", "a tab")):
        error = refused(write("lines.csv", f"line,forwarding_number\n{row}\n".replace(",", separator)))
        assert (
            error
            == f"lines.csv, line 2, column 3: the row has more cells than the header: if a text contains {name}, put it in quotes."
        )


@pytest.mark.parametrize("row", [f",+1{HIDDEN}", f'"",+1{HIDDEN}'])
def test_csv_without_a_line_is_refused(write: Write, row: str) -> None:
    """A number that is for no line is a mistake in the table."""
    error = refused(write("lines.csv", f"line,forwarding_number\n{row}\n"))
    assert error == "lines.csv, line 2, column 1: the phone line is missing."


def test_csv_that_ends_before_the_line_is_refused(write: Write) -> None:
    """The column of the line may be the last."""
    error = refused(write("lines.csv", f"forwarding_number,line\n+1{HIDDEN}\n"))
    assert error == "lines.csv, line 2, column 2: the phone line is missing."


def test_a_number_that_is_none_is_refused_at_its_place(write: Write) -> None:
    """The error gives the number's place and says what to correct, without the number."""
    expected = "the forwarding number is not in E.164 format: remove the spaces."
    error = refused(write("lines.yaml", f'# office\n"+12025550100":  "+1 {HIDDEN}"\n'))
    assert error == f"lines.yaml, line 2, column 18: {expected}"
    error = refused(write("lines.csv", f"note,line,forwarding_number\nx,+12025550100,+1 {HIDDEN}\n"))
    assert error == f"lines.csv, line 2, column 3: {expected}"


def test_a_line_that_is_none_is_refused_at_its_place(write: Write) -> None:
    """Spreadsheets take the plus away."""
    expected = (
        "the phone line is not a phone_number_id and is not in E.164 format: if it is a number of the US or Canada, put + in"
        " front (+1…); if not, put + and its country code in front."
    )
    assert refused(write("lines.yaml", f"\n12025550100: +1{HIDDEN}\n")) == f"lines.yaml, line 2, column 1: {expected}"
    error = refused(write("lines.csv", f'note,line,forwarding_number\n"a\nb",12025550100,+1{HIDDEN}\n'))
    assert error == f"lines.csv, line 2, column 2: {expected}"


def test_after_a_cell_of_several_lines_the_place_is_that_of_the_file(write: Write) -> None:
    """As an editor counts lines, not rows."""
    error = refused(write("lines.csv", 'line,forwarding_number,note\n+12025550100,none,"a\nb\nc"\n+1202,x\n'))
    assert error.startswith("lines.csv, line 5, column 2: ")


@pytest.mark.parametrize("line", ["+12025550100", UUID])
def test_a_line_twice_is_refused(write: Write, line: str) -> None:
    """Also in capitals, and the message names the first place."""
    error = refused(write("lines.yaml", f"{line}: ''\n+12025550101: ''\n\n'{line.upper()}': +1{HIDDEN}\n"))
    assert error == "lines.yaml, line 4, column 1: the same phone line is in line 1, column 1 already."
    error = refused(write("lines.csv", f"forwarding_number,line\nnone,{line}\n+1{HIDDEN},{line.upper()}\n"))
    assert error == "lines.csv, line 3, column 2: the same phone line is in line 2, column 2 already."


def test_all_problems_are_told_at_once(write: Write) -> None:
    """One a line of the message, in the order of the file, and the one that ends the reading last."""
    text = f"+12025550100: {HIDDEN}\n{HIDDEN[:-1]}0:\n+12025550101: +1{HIDDEN}\n+12025550101: [+1{HIDDEN}]\nx: x\n"
    assert refused(write("lines.yaml", text)).splitlines() == [
        "lines.yaml has 4 problems:",
        "  - line 1, column 15: the forwarding number is not in E.164 format: if it is a number of the US or Canada,"
        " put +1 in front (+1…); if not, put + and its country code in front",
        "  - line 2, column 1: the phone line is not a phone_number_id and is not in E.164 format: if it is a number of the US or"
        " Canada, put +1 in front (+1…); if not, put + and its country code in front",
        '  - line 2, column 12: the forwarding number is missing; write "" for not forwarded',
        "  - line 4, column 15: a roster is one mapping of lines to numbers, like +12025550100: +12025559999,"
        " without lists or levels",
    ]


@pytest.mark.parametrize(("wrong", "last"), [(10, "line 11, column 2"), (11, "and 1 more"), (500, "and 490 more")])
def test_ten_problems_are_shown(write: Write, wrong: int, last: str) -> None:
    """Of more than ten, the number of the others."""
    rows = "".join(f"+1202555{i:04d},{HIDDEN}\n" for i in range(wrong))
    lines = refused(write("lines.csv", f"line,forwarding_number\n{rows}")).splitlines()
    assert lines[0] == f"lines.csv has {wrong} problems:"
    assert lines[-1].startswith(f"  - {last}")
    assert len(lines) == 1 + min(wrong, 11)


def test_the_error_survives_pickling(write: Write) -> None:
    """What a test runner or a process pool gets back is the same text."""
    with pytest.raises(LinqError) as caught:
        load_roster(write("lines.yaml", "x: ''\ny: ''\n"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# What is refused as a whole


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lines.yaml", ""),
        ("lines.yaml", "\ufeff"),
        ("lines.yaml", "# +12025550100: +12025557777\n"),
        ("lines.yaml", "{}\n"),
        ("lines.yaml", "---\n"),
        ("lines.yaml", "null\n"),
        ("lines.csv", ""),
        ("lines.csv", "\r\n\r\n"),
        ("lines.csv", "line,forwarding_number\n"),
        ("lines.csv", "line,forwarding_number\n,\n"),
    ],
)
def test_a_roster_without_lines_is_refused(write: Write, name: str, text: str) -> None:
    """If the file is emptied by mistake, no line may be cleared."""
    assert refused(write(name, text)) == (
        f"{name} names no lines. An empty roster is refused: it would clear every line of a fleet."
    )


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (f"- +12025550100: +1{HIDDEN}", "line 1, column 1", "a roster is one mapping"),
        (f"+12025550100:+1{HIDDEN}", "line 1, column 1", "a roster is one mapping"),
        (f"\n+12025550100:\n  to: +1{HIDDEN}", "line 3, column 3", "a roster is one mapping"),
        (f"? [+12025550100]\n: +1{HIDDEN}", "line 1, column 3", "a roster is one mapping"),
        (f"+12025550100: &office +1{HIDDEN}", "line 1, column 15", "a roster must not use anchors, aliases or tags"),
        (f"+12025550100: *n{HIDDEN}", "line 1, column 15", "a roster must not use anchors, aliases or tags"),
        (f"+12025550100: !!str {HIDDEN}", "line 1, column 15", "a roster must not use anchors, aliases or tags"),
        ("!!python/object:os.system {a: b}", "line 1, column 1", "a roster must not use anchors, aliases or tags"),
        (f"&a {{+12025550100: +1{HIDDEN}}}", "line 1, column 1", "a roster must not use anchors, aliases or tags"),
        (
            f"+12025550100: ''\n---\n+12025550101: +1{HIDDEN}",
            "line 2, column 1",
            "a roster must be a single YAML document",
        ),
        (f"+12025550100: ''\n\t+12025550101: +1{HIDDEN}", "line 2, column 1", "this is not YAML: "),
        (f"+12025550100: ''\n]: +1{HIDDEN}", "line 2, column 1", "this is not YAML: "),
        (f"+12025550100: !n{HIDDEN}!x y", "line 1, column 15", "this is not YAML: "),
        (f"+12025550100: '+1{HIDDEN}", "line 1, column 28", "this is not YAML: found unexpected end of stream."),
        (
            f"# é\n+12025550100: +1{HIDDEN}\x00",
            "line 2, column 27",
            "YAML does not allow the character at this place: delete it",
        ),
    ],
)
def test_yaml_of_another_shape_is_refused_at_its_place(write: Write, text: str, place: str, reason: str) -> None:
    """Lists, levels, anchors, aliases, tags, documents, and what is not YAML."""
    assert refused(write("lines.yaml", text)).startswith(f"lines.yaml, {place}: {reason}")


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (f"+12025550100,+1{HIDDEN}\n", "line 1, column 1", "the header must have forwarding_number and exactly one of"),
        (f"line|forwarding_number\n+12025550100|+1{HIDDEN}\n", "line 1, column 1", "the header must have"),
        (f"Line,Phone Number,Forwarding Number\n,+12025550100,+1{HIDDEN}\n", "line 1, column 1", "the header must"),
        (f"\nline,number\n+12025550100,+1{HIDDEN}\n", "line 2, column 1", "the header must have"),
        (f"line,phone_number,forwarding_number\n,+12025550100,+1{HIDDEN}\n", "line 1, column 1", "the header must"),
        ("line,forwarding_number,forwarding_number\n+12025550100,,\n", "line 1, column 1", "the header must have"),
        (f'line,forwarding_number\n+12025550100,"+1{HIDDEN}\n\n', "line 2, column 1", "this is not CSV: "),
        (f'line,forwarding_number\n+12025550100,"+1{HIDDEN}"x\n', "line 2, column 1", "this is not CSV: "),
        (f"line,forwarding_number\n+12025550100,{HIDDEN * 20_000}\n", "line 2, column 1", "this is not CSV: "),
    ],
)
def test_csv_of_another_shape_is_refused_at_its_place(write: Write, text: str, place: str, reason: str) -> None:
    """A header that is missing, ambiguous or separated by something else, and what is not CSV."""
    assert refused(write("lines.csv", text)).startswith(f"lines.csv, {place}: {reason}")


@pytest.mark.parametrize("name", ["lines.yaml", "lines.csv"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "utf-32"])
def test_a_file_in_another_encoding_is_refused(write: Write, name: str, encoding: str) -> None:
    """In one sentence, without what it could not read."""
    text = f"line,forwarding_number\n+12025550100,+1{HIDDEN} Büro €\n".encode(encoding, errors="ignore")
    assert refused(write(name, text)).startswith(f"{name}, line ")


def test_the_place_of_another_encoding_is_named(write: Write) -> None:
    """It is the first character that could not be read; and what to do about it."""
    text = f"line,forwarding_number,note\n+12025550100,+1{HIDDEN},Büro\n"
    assert refused(write("lines.csv", text.encode("cp1252"))) == (
        "lines.csv, line 2, column 28: this is not UTF-8: save the file as UTF-8, which spreadsheets call CSV UTF-8."
    )
    assert refused(write("lines.csv", text.encode("utf-16")[:-1])).startswith(
        "lines.csv, line 2, column 31: this is not UTF-16"
    )


# What is no file to be read


def test_a_file_that_is_not_there_is_refused(write: Write, tmp_path: Path) -> None:
    """In one sentence, as are a folder, a name that no file can have, and a name that ends otherwise."""
    assert refused(Path("lines.yaml")) == "lines.yaml cannot be read: No such file or directory."
    Path("folder.csv").mkdir()
    assert refused(Path("folder.csv")) == f"folder.csv cannot be read: {NO_FILE}"
    assert refused(Path("a\0.csv")) == "a .csv cannot be read: its name contains a NUL character."
    for name in ("lines.txt", "lines"):
        error = refused(write(name, f"+12025550100: +1{HIDDEN}"))
        assert error == f"{name} is not a roster: its name must end in .yaml, .yml or .csv."


def test_a_device_or_a_pipe_is_never_read_or_waited_for(write: Write) -> None:
    """/dev/zero has no end, and a pipe without a writer no beginning; a link to one of them is no better."""
    Path("zero.csv").symlink_to("/dev/zero")
    os.mkfifo("pipe.csv")
    os.mkfifo("pipe.yaml")
    for name in ("zero.csv", "pipe.csv", "pipe.yaml"):
        assert refused(Path(name)) == f"{name} cannot be read: {NO_FILE}"


def test_a_link_to_a_file_is_read(write: Write) -> None:
    """As every program reads it."""
    write("real.csv", f"line,forwarding_number\n+12025550100,+1{HIDDEN}\n")
    Path("lines.csv").symlink_to("real.csv")
    assert load_roster("lines.csv") == {"+12025550100": f"+1{HIDDEN}"}


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1, 2 * 1024**3])
def test_a_file_of_more_than_10_mb_is_refused(write: Write, size: int) -> None:
    """Without reading it to its end, whatever it contains."""
    file = write("lines.csv", "line,forwarding_number\n")
    os.truncate(file, size)
    tracemalloc.start()
    try:
        assert refused(file) == "lines.csv cannot be read: it has more than 10 MB, which no roster needs."
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


# Where calls may go


def test_a_roster_may_break_the_rule_of_destinations(write: Write) -> None:
    """Only with `destinations`: an error with file, line and column of each number, and of a line of a wrong length."""
    file = write(
        "lines.csv", "line,forwarding_number\n+12025550100,+442071838750\n+120255501,none\n+12025550101,none\n"
    )
    assert load_roster(file)["+12025550100"] == "+442071838750"
    with pytest.raises(ConfigurationError) as caught:
        load_roster(file, destinations=Destinations((AllowedForwardings("linq:allowedForwardings", ("US",)),)))
    assert str(caught.value).splitlines() == [
        "lines.csv has 2 problems:",
        "  - line 2, column 2: the forwarding number is in the United Kingdom (+44), outside of"
        " linq:allowedForwardings; if the number is intended, add GB there",
        "  - line 3, column 1: the phone line has the wrong length for a phone number in the United States (+1); if it is"
        " right, declare the line by phone_number_id",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "- " * 1_000_000,
        "[" * 1_000_000,
        "{a: " * 1_000_000,
        "? " * 1_000_000,
        "a: [" * 250_000,
        "a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
        "".join(f"{' ' * level}a:\n" for level in range(2_000)),
    ],
    ids=["sequences", "brackets", "braces", "keys", "values", "aliases", "levels"],
)
def test_nested_yaml_is_refused_at_its_first_level(write: Write, text: str) -> None:
    """However deep it goes on, reading ends there, without recursion."""
    error = refused(write("lines.yaml", text))
    assert "roster" in error or "not YAML" in error
    assert "line 1, column " in error or "line 2, column " in error


@pytest.mark.parametrize(
    ("name", "head", "row"), [("lines.yaml", "", "+1{}: x\n"), ("lines.csv", "line,forwarding_number\n", "+1{},x\n")]
)
def test_a_long_file_of_mistakes_is_one_short_error(write: Write, name: str, head: str, row: str) -> None:
    """A wrong column of 20,000 rows does not flood the terminal."""
    error = refused(write(name, head + "".join(row.format(i) for i in range(10_000_000, 10_020_000))))
    assert error.startswith(f"{name} has 20000 problems:\n")
    assert len(error) < 2_000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '"+12025550100": ""\n+12025550101 +12025558888\n"+12025550102": ""\n',
            "line 2, column 1: this is not YAML: could not find expected ':'",
        ),
        (
            '"+12025550100": "+12025559999\n"+12025550101": "+12025558888"\n',
            "line 1, column 17: a quote seems to be missing: this text goes on to line 2",
        ),
    ],
)
def test_a_slip_is_named_where_it_is(tmp_path: Path, text: str, problem: str) -> None:
    """A missing colon or quote is reported in its own row, not in the next one, where YAML notices it."""
    file = tmp_path / "lines.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_roster(file)
    assert problem in str(refused.value)
