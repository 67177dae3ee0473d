"""The examples as files: complete, listed, and without a key. tests/engine/test_examples.py runs them."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

import linq_provider as linq

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir())
BROUGHT = {"linq_provider", "pulumi", "yaml"}  # what `pip install linq-provider` makes importable
LEFTOVER = re.compile(
    r"__pycache__|\.pytest_cache|\.mypy_cache|node_modules|/\.venv/"
)  # what running an example leaves behind


def files_of(folder: Path) -> list[Path]:
    """Every file of an example."""
    return [file for file in folder.rglob("*") if file.is_file() and not LEFTOVER.search(str(file))]


def console(readme: Path) -> list[str]:
    """The commands that a README shows."""
    blocks = re.findall(r"```console\n(.*?)```", readme.read_text(), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


PROGRAMS = {"python": "__main__.py", "nodejs": "index.ts", "yaml": "Pulumi.yaml", "go": "main.go"}


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_complete(name: str) -> None:
    """Each example has a project, a README with commands, and a program: in Python, if it is not of the native package."""
    folder = EXAMPLES / name
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert {PROGRAMS[project["runtime"]], "README.md"} <= {file.name for file in folder.iterdir()}
    assert project["runtime"] == "python" or name.startswith("native-")
    assert project["description"].endswith(".")
    assert console(folder / "README.md")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_needs_this_package_only(name: str) -> None:
    """Each Python file compiles and imports only from its own folder, Python's library and the package's requirements."""
    folder = EXAMPLES / name
    programs = [file for file in files_of(folder) if file.suffix == ".py"]
    own = {file.stem for file in programs}
    brought = BROUGHT | ({"pytest"} if (folder / "tests").exists() else set())
    brought |= {"pulumi_linq"} if name.startswith("native-") else set()
    brought |= {"pulumi_policy"} if (folder / "policy").exists() else set()
    for program in programs:
        tree = ast.parse(program.read_text())
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        foreign = {name.partition(".")[0] for name in names} - own - brought - sys.stdlib_module_names
        assert foreign == set(), program.name


def test_every_example_is_in_the_table() -> None:
    """examples/README.md lists each folder once, and nothing that is not there."""
    table = re.findall(r"^\| \[([\w-]+)\]\(([\w-]+)\) \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(table) == [(name, name) for name in NAMES]


@pytest.mark.parametrize("readme", sorted(EXAMPLES.rglob("README.md")), ids=lambda file: file.parent.name)
def test_links_and_commands_name_files_that_exist(readme: Path) -> None:
    """Every relative link of an example's README leads somewhere, and every file that a command or the text names is there."""
    text = readme.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (readme.parent / target).exists(), target
    words = [word for command in console(readme) for word in shlex.split(command, comments=True)]
    words += re.findall(r"`([\w./-]+)`", text)
    for word in words:
        if re.fullmatch(r"[\w./-]+\.(py|yaml|csv|json)", word):
            assert list(readme.parent.rglob(word)), word


def test_settings_that_a_readme_sets_are_read_by_the_program() -> None:
    """Each `pulumi config set KEY` of a README is a setting that the example reads, or the key itself."""
    for name in NAMES:
        programs = [EXAMPLES / name / program for program in PROGRAMS.values()]
        program = "".join(program.read_text() for program in programs if program.exists())
        read = set(re.findall(r'\.(?:get|require)(?:_\w+)?\("(\w+)"\)', program))
        for command in console(EXAMPLES / name / "README.md"):
            if match := re.match(r"pulumi config (?:set|rm) (?:--secret )?([\w:-]+)", command):
                assert match[1] == "linq:apiKey" or match[1].rpartition(":")[2] in read, command


def test_the_csv_of_the_fleet_is_its_roster(tmp_path: Path) -> None:
    """The CSV file that fleet-from-roster's README shows declares the same as its lines.yaml."""
    readme = (EXAMPLES / "fleet-from-roster" / "README.md").read_text()
    (tmp_path / "lines.csv").write_text(readme.partition("```csv\n")[2].partition("```")[0])
    assert linq.load_roster(tmp_path / "lines.csv") == linq.load_roster(EXAMPLES / "fleet-from-roster" / "lines.yaml")


def test_the_page_of_the_native_package_shows_its_examples() -> None:
    """What docs/native.md shows in TypeScript and YAML stands in the examples."""
    page = (EXAMPLES.parent / "docs" / "native.md").read_text()
    (shown,) = re.findall(r"```typescript [^\n]*\n(.*?)```", page, re.DOTALL)
    assert shown == (EXAMPLES / "native-typescript" / "index.ts").read_text()
    (resources,) = re.findall(r"^(resources:.*?)```", page, re.DOTALL | re.MULTILINE)
    assert resources in (EXAMPLES / "native-yaml" / "Pulumi.yaml").read_text()


def test_no_key_stands_in_an_example() -> None:
    """No file of an example holds anything like a key, encrypted or not."""
    key = re.compile(r"[0-9a-f]{20}|[A-Za-z0-9+/]{32}|apiKey: *\S|secure:|Bearer |API_KEY=[^…]|^encryptionsalt:", re.M)
    for file in files_of(EXAMPLES):
        assert key.search(re.sub(r"github\.com/[\w/.]+", "", file.read_text())) is None, file


@pytest.mark.parametrize(
    ("day", "swaps", "person"),
    [
        ("2026-01-12", "{}", "ada"),
        ("2026-01-18", "{}", "ada"),
        ("2026-01-19", "{}", "grace"),
        ("2040-01-01", "{}", "linus"),
        ("2026-01-25", "{2026-01-19: linus}", "linus"),
        ("2026-01-26", "{2026-01-19: linus}", "linus"),
        ("2026-01-11", "{}", "nobody is on call on 2026-01-11: rota.yaml begins on 2026-01-12"),
        ("2026-01-12", "{2026-01-20: linus}", "rota.yaml has a swap on 2026-01-20, on which no week begins"),
        ("2026-01-12", "{2026-01-12: alan}", "alan is on call on 2026-01-12, but has no number"),
    ],
)
def test_the_rota_covers_every_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str, swaps: str, person: str
) -> None:
    """on-call-rotation: a week each, again and again; who is on call does not end, and a mistake in a swap is named."""
    rotation = EXAMPLES / "on-call-rotation"
    monkeypatch.chdir(tmp_path)
    Path("rota.yaml").write_text((rotation / "rota.yaml").read_text().replace("swaps: {}", f"swaps: {swaps}"))
    shift_of = runpy.run_path(str(rotation / "rota.py"), run_name="rota")["shift_of"]
    try:
        found = shift_of(date.fromisoformat(day), "rota.yaml").person
    except ValueError as error:
        found = str(error)
    assert found.startswith(person)
