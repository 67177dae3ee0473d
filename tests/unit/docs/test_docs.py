"""What the documents say is true."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from fnmatch import fnmatchcase
from pathlib import Path

from linq_provider.emulator import Emulator, Fault, faults

CHECKOUT = Path(__file__).resolve().parents[3]


def existing_tests() -> set[str]:
    """Every test of the checkout, as `file::name`."""
    return {
        f"{file.relative_to(CHECKOUT)}::{node.name}"
        for file in (CHECKOUT / "tests").rglob("test_*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_danger_names_the_tests_that_prove_it() -> None:
    """docs/safety.md has a test in each row of its tables, and every test that it names exists."""
    page = (CHECKOUT / "docs" / "safety.md").read_text()
    rows = [row.split(" | ") for row in re.findall(r"^\| \*\*.*\|$", page, re.MULTILINE)]
    assert len(rows) > 20
    assert [row[0] for row in rows if "`tests/" not in row[-1]] == []
    named = set(re.findall(r"`(tests/[^`]+::[^`]+)`", page))
    assert named - existing_tests() == set()


def test_links_lead_somewhere() -> None:
    """Every relative link of the documents names a file of the checkout."""
    for document in [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_setting_is_documented() -> None:
    """docs/configuration.md names each setting and variable that the code reads, and no other."""
    named = re.compile(r"linq:[a-z]\w+|LINQ_[A-Z0-9_]+[A-Z0-9]")
    read = set(named.findall((CHECKOUT / "linq_provider" / "config.py").read_text())) - {"linq:explicitProvider"}
    assert set(named.findall((CHECKOUT / "docs" / "configuration.md").read_text())) == read


def test_every_member_of_the_emulator_is_documented() -> None:
    """docs/testing.md has a row for each argument and each public member of `Emulator`, and for no other."""
    arguments, members = tables(CHECKOUT / "docs" / "testing.md", "## The emulator")
    assert names(arguments) == set(inspect.signature(Emulator).parameters)
    assert names(members) == {name for name in vars(Emulator) if not name.startswith("_")}


def test_every_fault_is_documented() -> None:
    """docs/testing.md names each fault of the emulator, and says for each whether the request is carried out."""
    (rows,) = tables(CHECKOUT / "docs" / "testing.md", "## Faults")
    named = {name: row[2] for row in rows for name in re.findall(r"`([\w-]+=?)", row[0])}
    with_argument = {f"{name}=" for name in faults._WITH_ARGUMENT}
    assert set(named) - {"503"} == {*faults._WITHOUT_ARGUMENT, *with_argument}
    for name, carried_out in named.items():
        fault = Fault.parse(f"{name}1" if name.endswith("=") else name)
        assert {"yes": True, "no": False}[carried_out] == fault.applied, name


def test_every_row_of_reliability_names_its_tests() -> None:
    """docs/reliability.md has each row once; the tests it names exist, and every test named after a row is there."""
    table = (CHECKOUT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", table, re.MULTILINE)
    assert [int(row) for row, _ in rows] == list(range(1, 43))
    existing = existing_tests()
    for row, cell in rows:
        patterns = re.findall(r"`([^`]+)`", cell)
        matched = {pattern: {test for test in existing if fnmatchcase(test, pattern)} for pattern in patterns}
        assert patterns, f"row {row} has no test"
        assert [pattern for pattern in patterns if not matched[pattern]] == [], f"row {row}"
        named_after_it = {test for test in existing if f"::test_row_{int(row):02}_" in test}
        assert named_after_it - set().union(*matched.values()) == set(), f"row {row}"


ATTACKERS = (
    "the API's answers",
    "the network",
    "a stack file, `Pulumi.<stack>.yaml`",
    "the state",
    "a roster",
    "the working folder",
    "a web page in your browser",
    "another user of the machine",
    "a branch in a pipeline",
)


def test_every_row_of_security_names_its_tests() -> None:
    """SECURITY.md says for each attacker what stops them, and the tests that it names for that exist."""
    (rows,) = tables(CHECKOUT / "SECURITY.md", "## What an attacker can do")
    assert tuple(row[0] for row in rows) == ATTACKERS
    existing = existing_tests()
    for who, can, stops, proof in rows:
        patterns = re.findall(r"`([^`]+)`", proof)
        assert can, who
        assert stops, who
        assert patterns, who
        assert [pattern for pattern in patterns if not any(fnmatchcase(test, pattern) for test in existing)] == [], who


def tables(page: Path, heading: str) -> list[list[list[str]]]:
    """The tables below a heading, without their heads: each a list of rows, each row a list of cells."""
    section = page.read_text().partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\|(?:-+\|)+\n((?:\|.*\n)+)", section, re.MULTILINE)
    return [[row.strip("| ").split(" | ") for row in table.splitlines()] for table in found]


def names(rows: list[list[str]]) -> set[str]:
    """What the first cell of each row names."""
    return {name for row in rows for name in re.findall(r"`(\w+)", row[0])}


def listed_mutants() -> list[tuple[str, str, str]]:
    """The claim, the file and the old text of each mutant of `make mutants`."""
    listed = runpy.run_path(str(CHECKOUT / "tests" / "mutants.py"))["MUTANTS"]
    return [(claim, file, old) for file, claims in listed.items() for claim, (old, _, _) in claims.items()]


def test_every_row_of_reliability_has_a_mutant() -> None:
    """Some behaviour of each row is removed by `make mutants`; row 33 is about versions, not about a behaviour."""
    rows = {int(row[1]) for claim, *_ in listed_mutants() if (row := re.match(r"row (\d+): ", claim))}
    assert rows == set(range(1, 43)) - {33}


def test_every_mutant_changes_the_code_of_today() -> None:
    """The text that a mutant replaces is in its file exactly once."""
    package = CHECKOUT / "linq_provider"
    counts = {claim: (package / file).read_text().count(old) for claim, file, old in listed_mutants()}
    assert {claim: count for claim, count in counts.items() if count != 1} == {}
