"""docs/spreadsheets.md: every file on it is read or refused as the page says, and its steps work."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from snippets import commands

from linq_provider.core.roster import RosterError, load_roster

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = CHECKOUT / "docs" / "spreadsheets.md"
FILES = sorted((CHECKOUT / "docs" / "spreadsheets").iterdir())
GOOD = [file for file in FILES if file.name != "spoiled.csv"]


def test_every_file_is_on_the_page() -> None:
    """Each file of the folder is linked, and nothing else."""
    linked = re.findall(r"\(spreadsheets/([\w-]+\.csv)\)", PAGE.read_text())
    assert sorted(linked) == [file.name for file in FILES]


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_a_file_as_a_spreadsheet_saves_it_is_read(file: Path) -> None:
    """Whatever the separator, the encoding, the line ends and the quotes."""
    assert load_roster(file) == {"+12025550100": "+12025559999", "+12025550101": "", "+12025550102": ""}


def test_the_files_differ_as_the_page_says() -> None:
    """Each is as its program writes it, byte for byte; no tool on the way to here has changed that."""
    raw = {file.name: file.read_bytes() for file in GOOD}
    mark = b"\xef\xbb\xbf"
    assert {name for name, text in raw.items() if text.startswith(mark)} == {"excel-english.csv", "excel-german.csv"}
    assert raw["excel-unicode-text.csv"].decode("utf-16").count("\t") == 8
    assert {name for name, text in raw.items() if b"\r\n" in text} == {
        "excel-english.csv",
        "excel-german.csv",
        "google-sheets.csv",
    }
    assert b"Whose;Phone Number" in raw["excel-german.csv"]
    assert b'"Whose";"Phone Number"' in raw["libreoffice-german.csv"]
    assert b'"Whose","Phone Number"' in raw["libreoffice-english.csv"]


def test_each_spoiled_cell_is_refused() -> None:
    """Not one row of the file of spoiled cells passes."""
    file = CHECKOUT / "docs" / "spreadsheets" / "spoiled.csv"
    rows = list(csv.reader(file.read_text().splitlines()))
    with pytest.raises(RosterError) as refused:
        load_roster(file)
    assert [problem.row for problem in refused.value.problems] == list(range(2, len(rows) + 1))
    assert {problem.column for problem in refused.value.problems} == {2}


def test_the_picture_shows_the_file() -> None:
    """The picture of spoiled cells has a title, a dark scheme, and the rows of spoiled.csv, cell for cell."""
    svg = (CHECKOUT / "docs" / "spoiled-cells.svg").read_text()
    drawing = ElementTree.fromstring(svg)
    texts = [element.text for element in drawing.iter() if element.tag.endswith("}text")]
    shown = [text for text in texts if not re.fullmatch(r"[A-C]|\d{1,2}", text or "")]
    rows = csv.reader((CHECKOUT / "docs" / "spreadsheets" / "spoiled.csv").read_text().splitlines())
    cells = [cell for row in rows for cell in row if cell]
    assert len(shown) > 35
    assert cells[: len(shown)] == shown
    assert {"title", "desc"} <= {element.tag.rpartition("}")[2] for element in drawing.iter()}
    assert "prefers-color-scheme: dark" in svg


def test_the_commands_of_the_pull_request_run(tmp_path: Path) -> None:
    """From a branch to a push, in a repository whose remote is a folder: one changed cell is one changed line."""
    remote, work = tmp_path / "remote", tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    subprocess.run(["git", "init", "--quiet", str(work)], check=True)

    def git(*words: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *words], cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    file = work / "lines.csv"
    file.write_bytes((CHECKOUT / "docs" / "spreadsheets" / "excel-german.csv").read_bytes())
    git("add", ".")
    git("commit", "--message", "Begin")
    git("remote", "add", "origin", str(remote))
    printed = {}
    wanted = [command for command in commands() if command.words[0] == "git" and command.page == PAGE.name]
    assert len(wanted) == 4
    for command in wanted:
        if command.words[1] == "diff":
            file.write_bytes(file.read_bytes().replace(b"01;none", b"01;+12025558888"))
        printed[command.words[1]] = git(*command.words[1:])
    assert "1 insertion(+), 1 deletion(-)" in printed["diff"]
    assert load_roster(file)["+12025550101"] == "+12025558888"
    assert "night-shift" in git("ls-remote", "--heads", "origin")
