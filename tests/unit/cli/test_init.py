"""`linq-provider init`: a project that runs as it is; tests/engine/test_init.py runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from linting import assert_formatted_and_linted

from linq_provider import __version__, load_roster
from linq_provider.emulator import Emulator

Run = Callable[..., tuple[int, str, str]]

FILES = [".gitignore", "Pulumi.yaml", "README.md", "__main__.py", "requirements.txt"]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Emulator]:
    """Three lines, of which one forwards; the working folder is empty."""
    (tmp_path / "phones").mkdir()
    monkeypatch.chdir(tmp_path / "phones")
    with Emulator(3) as running:
        running.set_forwarding("+12025550100", "+12025559999")
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", running.url)
        monkeypatch.setenv("LINQ_API_V3_API_KEY", running.api_key)
        yield running


def made(folder: str = ".") -> list[str]:
    """The files of a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize("folder", [".", "new", "a/b/new", "{absolute}/new"])
def test_a_project(run: Run, emulator: Emulator, tmp_path: Path, folder: str) -> None:
    """The files of a project, in this folder or a new one, without a request."""
    folder = folder.format(absolute=tmp_path)
    code, shown, said = run("init", folder)
    assert (code, shown, made(folder)) == (0, "", FILES)
    name = "phones" if folder == "." else "new"
    assert said == f"Made the project {name} in {Path(folder).absolute()}. Go on with its README.md.\n"
    project = yaml.safe_load((Path(folder) / "Pulumi.yaml").read_text())
    assert (project["name"], project["runtime"]) == (name, "python")
    wheel = f"./wheels/linq_provider-{__version__}-py3-none-any.whl[cli]"
    assert (Path(folder) / "requirements.txt").read_text() == f"{wheel}\n"
    assert f"# {name}\n" in (Path(folder) / "README.md").read_text()
    assert "lines.yaml" not in (Path(folder) / "README.md").read_text()
    assert emulator.requests == []


def test_this_folder_is_the_default(run: Run, emulator: Emulator) -> None:
    """Without a name the project is made here, also beside other files."""
    Path("notes.txt").touch()
    assert run("init")[0] == 0
    assert made() == sorted([*FILES, "notes.txt"])
    assert emulator.requests == []


def test_a_project_from_the_account(run: Run, emulator: Emulator) -> None:
    """`--from-account` also writes a roster of the account as it is, which the program declares, after one GET."""
    code, _, said = run("init", "--from-account")
    assert code == 0
    assert said == f"Made the project phones in {Path.cwd()}: 3 lines, 1 of them forwarded. Go on with its README.md.\n"
    assert made() == sorted([*FILES, "lines.yaml"])
    assert load_roster("lines.yaml") == {"+12025550100": "+12025559999", "+12025550101": "", "+12025550102": ""}
    assert 'linq.ForwardingRoster("lines", file="lines.yaml")' in Path("__main__.py").read_text()
    assert "`lines.yaml`" in Path("README.md").read_text()
    assert [request.method for request in emulator.requests] == ["GET"]


def test_lines_that_cannot_be_declared(run: Run, emulator: Emulator) -> None:
    """Lines that cannot be declared as they are become comments; where there are no others, nothing is written."""
    emulator.set_forwarding("+12025550100", "office")
    emulator.set_forwarding("+12025550101", "+19005551234")  # premium rate
    code, _, said = run("init", "some", "--from-account")
    assert code == 0
    assert load_roster("some/lines.yaml") == {"+12025550102": ""}
    assert said.splitlines()[1:] == ["2 of 3 lines cannot be declared as they are; comments in lines.yaml say why."]
    for line in emulator.phone_numbers:
        emulator.set_forwarding(line.id, "office")
    code, _, said = run("init", "none", "--from-account")
    assert (code, said.partition(".")[0]) == (1, "No line of the account can be declared as it is now")
    assert not Path("none").exists()


def test_an_account_that_cannot_be_read(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines, and with a wrong key, nothing is written."""
    for line in emulator.phone_numbers:
        emulator.remove_number(line.id)
    assert run("init", "new", "--from-account")[0] == 1
    monkeypatch.setenv("LINQ_API_V3_API_KEY", "canary-7f3d1c9a")
    code, _, said = run("init", "new", "--from-account")
    assert (code, "canary" in said, Path("new").exists()) == (1, False, False)


def test_a_missing_key_says_the_next_step(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stack is there to have a key, so only the variable is named."""
    monkeypatch.delenv("LINQ_API_V3_API_KEY")
    said = run("init", "new", "--from-account")[2]
    assert said == "No Linq API key is configured. Set LINQ_API_V3_API_KEY to the key of the Linq account.\n"
    assert emulator.requests == []


@pytest.mark.parametrize("existing", [*FILES, "lines.yaml"])
def test_no_file_is_changed(run: Run, emulator: Emulator, existing: str) -> None:
    """Where one of the files exists, even as a link to nothing, nothing is written and nothing is asked."""
    Path(existing).symlink_to("nowhere")
    code, shown, said = run("init", "--from-account")
    assert (code, shown, said) == (1, "", f"{existing} exists, so nothing was written. Name another folder.\n")
    assert made() == [existing]
    assert emulator.requests == []


def test_a_folder_that_cannot_be_written(run: Run, emulator: Emulator) -> None:
    """A file in place of the folder is one sentence."""
    Path("file").touch()
    code, _, said = run("init", "file/new")
    assert (code, said.count("\n")) == (1, 1)
    assert "cannot be written: " in said
    assert emulator.requests == []


def test_every_file_or_none(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file appears meanwhile, it is left alone, and those that were written already are taken away."""
    Path("README.md").write_text("mine")
    monkeypatch.setattr("linq_provider.cli.init.os.path.lexists", lambda path: False)  # as it was a moment before
    assert run("init")[::2] == (1, f"{Path.cwd() / 'README.md'} cannot be written: File exists.\n")
    assert made() == ["README.md"]
    assert Path("README.md").read_text() == "mine"
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Our phones (new)", "Our-phones-new"),
        ("телефоны", "phone-lines"),
        ("a.b_c-1", "a.b_c-1"),
        ("x" * 150, "x" * 100),
    ],
)
def test_the_name_of_the_project(run: Run, emulator: Emulator, folder: str, name: str) -> None:
    """The project is called like its folder, as far as Pulumi allows it."""
    assert run("init", folder)[0] == 0
    assert yaml.safe_load((Path(folder) / "Pulumi.yaml").read_text())["name"] == name
    assert emulator.requests == []


@pytest.mark.usefixtures("emulator")
def test_text_of_the_server_is_not_filled_in(run: Run) -> None:
    """Text of the server is written as it is, whatever it looks like."""
    with Emulator([{"phone_number": "+12025550100", "line_type": "${VERSION} $$ {file}"}]) as other:
        run("init", "--from-account", LINQ_API_V3_BASE_URL=other.url, LINQ_API_V3_API_KEY=other.api_key)
    assert "# ${VERSION} $$ {file}, " in Path("lines.yaml").read_text()


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("arguments", [[], ["--from-account"]])
def test_formatted_and_linted(run: Run, arguments: list[str]) -> None:
    """Ruff finds nothing to format and nothing to complain about, without any settings."""
    run("init", *arguments)
    assert_formatted_and_linted("__main__.py")
