"""Every code block and command of README.md and docs/ is run, or checked against what would run it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from snippets import CHECKOUT, FOLLOWED, Block, Command, blocks, blocks_of, commands, commands_of, programs

from linq_provider.cli.commands import commands as linq_provider
from linq_provider.emulator import Emulator

EXAMPLE = CHECKOUT / "examples" / "testing-your-stack"
BLOCKS, COMMANDS = blocks(), commands()
PAGES = {"README.md": CHECKOUT / "README.md"} | {page.name: page for page in (CHECKOUT / "docs").glob("*.md")}
COMPLETIONS = [command for command in COMMANDS if "_LINQ_PROVIDER_COMPLETE" in command.text]
UNIT_TESTS = [block for block in BLOCKS if "def test_" in block.text and "automation" not in block.text]
LANGUAGES = {"python", "typescript", "go", "console", "yaml", "json", "csv", "text", "toml"}
CHANGED = "+12025558888"  # in the output that a page shows: somebody has changed the first line before
NAMES = "HTTPS_PROXY|NO_PROXY|PATH|PULUMI_[A-Z_]+|PG[A-Z]+|NO_COLOR"


def of(language: str) -> list[Block]:
    """The blocks of one language."""
    return [block for block in BLOCKS if block.language == language]


def called(*names: str) -> list[Command]:
    """The commands that call one of these programs."""
    return [command for command in COMMANDS if command.words[0] in names]


def matches(shown: str, printed: str) -> bool:
    """Whether `printed` is what a page shows, with anything for `…`."""
    pattern = re.escape(shown.rstrip()).replace("…", "(?:.|\n)*")
    return re.fullmatch(pattern, printed.rstrip()) is not None


ASKS = re.compile(
    r"read -rs |pulumi config set .*--secret [^\s#]+\s*(#.*)?$|gh secret set [^<|]*$|createuser .*--pwprompt"
)


def test_what_asks_for_a_secret_ends_its_block() -> None:
    """A block is copied as a whole: a command after it would be pasted as the secret."""
    pages = [*PAGES.values(), *(CHECKOUT / "examples").glob("**/README.md")]
    consoles = [
        block for page in pages for block in blocks_of(page.name, page.read_text()) if block.language == "console"
    ]
    asking = [[bool(ASKS.match(command.text)) for command in commands_of(block)] for block in consoles]
    assert sum(map(any, asking)) > 15
    assert [str(block) for block, asks in zip(consoles, asking, strict=True) if any(asks[:-1])] == []


def test_every_block_says_what_it_is() -> None:
    """Each block has a language that a test checks; a block that cannot be run has the language `text`."""
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    assert len(programs()) > 5
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    """Each Python block is complete: it compiles, and nothing in it is a name that it does not define or import."""
    compile(block.text, str(block), "exec")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select=F,E9", "--stdin-filename=block.py", "-"],
        input=block.text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "block", [block for block in of("python") if block not in programs() and block.page not in FOLLOWED], ids=str
)
def test_python_that_is_no_program_runs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block that is no Pulumi program runs; the programs are run by tests/engine/test_snippets.py."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(pulumi.runtime.settings, "get_monitor", lambda: None)  # that of an earlier test's mocks
    exec(compile(block.text, str(block), "exec"), {"__name__": "__main__", "__file__": str(block)})


def test_what_is_shown_of_an_example_stands_there() -> None:
    """The program and the test on the engine in docs/testing.md are those of the example, which tests/engine runs."""
    shown = [block.text for block in of("python") if block.page == "testing.md"]
    program, deployment = (EXAMPLE / "__main__.py", EXAMPLE / "tests" / "test_deployment.py")
    assert program.read_text() in shown
    assert [deployment.read_text().startswith(text) for text in shown if "automation" in text] == [True]


def test_tests_pass(tmp_path: Path) -> None:
    """The blocks of tests that need no engine pass, each as a file beside the program of the example."""
    shutil.copy(EXAMPLE / "__main__.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    files = {f"test_{Path(block.page).stem}_{block.line}.py": block.text for block in UNIT_TESTS}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "pytest_linq_provider", "-p", "no:cacheprovider"],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert files
    assert [name for name in files if name not in done.stdout] == []


@pytest.mark.parametrize("block", [*of("yaml"), *of("json"), *of("csv")], ids=str)
def test_data_parses(block: Block) -> None:
    """Each block of YAML, JSON or CSV is that, and names no key twice."""
    if block.language == "csv":
        assert len({len(row) for row in csv.reader(io.StringIO(block.text), strict=True)}) == 1
    elif block.language == "json":
        json.loads(block.text, object_pairs_hook=without_duplicates)
    else:
        keys: list[Any] = re.findall(r"^([^\s#:-][^:]*):", block.text, re.MULTILINE)
        assert len(keys) == len(set(keys))
        assert yaml.safe_load(block.text)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_every_command_is_known() -> None:
    """Each command of a page is well-formed for a shell and calls a program that a test below, or one of the engine, checks."""
    checked = {"linq-provider", "pulumi", "make", "pip", "python", "export", "unset", "read", ".", "find", "git"}
    others = [command for command in COMMANDS if command.words[0] not in checked and command not in COMPLETIONS]
    assert list(map(str, others)) == []
    script = "\n".join(command.text for command in COMMANDS)
    done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMPLETIONS, ids=str)
def test_completion_is_switched_on(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line about completion makes its shell complete the command; where a shell is missing, it is not tried."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    shell = re.findall(r"(\w+)_source", command.text)[0]
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    before, after = {
        "bash": ("", "complete -p linq-provider"),
        "zsh": ("autoload -Uz compinit; compinit -u", "print $_comps[linq-provider]"),
        "fish": ("", "complete -C 'linq-provider do'"),
    }[shell]
    script = "\n".join([before, command.text, after])
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_every_shell_has_its_completion() -> None:
    """The page has a line for each shell that the command supports."""
    assert {re.findall(r"(\w+)_source", command.text)[0] for command in COMPLETIONS} == {"bash", "zsh", "fish"}


def test_a_console_block_is_made_of_commands() -> None:
    """No console block is without a command, so that none is overlooked."""
    assert [str(block) for block in of("console") if not block.text.startswith("$ ")] == []


@pytest.mark.parametrize("command", called("linq-provider"), ids=str)
def test_commands_of_ours_are_accepted(command: Command) -> None:
    """Each `linq-provider …` names a command that exists, with arguments and options that it takes."""
    _, name, *arguments = command.words
    linq_provider.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("page", sorted({command.page for command in called("linq-provider")}))
def test_commands_of_ours_print_what_is_shown(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """Run in order, the `linq-provider` commands of a page that need no stack succeed, and print what the page shows."""
    monkeypatch.chdir(tmp_path)
    if page == "spreadsheets.md":
        shutil.copytree(CHECKOUT / "docs" / "spreadsheets", tmp_path, dirs_exist_ok=True)
    for name, text in re.findall(r"`(\w+\.csv)`:\n\n```csv\n(.*?)```", (PAGES[page]).read_text(), re.DOTALL):
        Path(name).write_text(text)
    first = emulator.phone_numbers[0].id
    emulator.set_forwarding(first, "+12025559999")
    for command in called("linq-provider"):
        needs_more = {"--stack", "emulator", "doctor"} & set(command.words)
        if command.page != page or needs_more:
            continue
        if {"--roster", "check"} & set(command.words) and not Path("lines.yaml").exists():
            CliRunner().invoke(linq_provider, ["export", "-o", "lines.yaml"])
        if CHANGED in command.output:
            emulator.set_forwarding(first, CHANGED)
        done = CliRunner().invoke(linq_provider, command.words[1:], prog_name="linq-provider")
        if command.output or page == "cli.md":
            assert matches(command.output, done.output), f"{command}\n{done.output}"
        fails = re.search(r"was left as it is|^[\w-]+\.csv:\d+:|\"ok\": false", command.output, re.MULTILINE)
        drifts = CHANGED in command.output
        assert done.exit_code == (1 if fails else 2 if drifts else 0), f"{command}\n{done.output}"


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Three lines, none forwarded; the environment is that of its greeting."""
    for name in [name for name in os.environ if name.startswith("LINQ_")]:
        monkeypatch.delenv(name)
    with Emulator(numbers=3) as running:
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", running.url)
        monkeypatch.setenv("LINQ_API_V3_API_KEY", running.api_key)
        yield running


def test_the_emulator_greets_as_shown(tmp_path: Path) -> None:
    """Each `linq-provider emulator …` starts, prints what the page shows, and ends when it is interrupted."""
    emulators = [command for command in called("linq-provider") if command.words[1] == "emulator"]
    assert emulators
    for command in emulators:
        free = [
            "0" if before == "--port" else word for before, word in zip(command.words, command.words[1:], strict=False)
        ]
        started = [sys.executable, "-u", "-m", "linq_provider", *free]
        with subprocess.Popen(started, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            printed = "".join(running.stdout.readline() for _ in range(7))
            running.terminate()
            assert running.wait(30) == 0, str(command)
        assert printed.startswith("Base URL: http://127.0.0.1:")
        assert not command.output or matches(command.output, printed), printed


@pytest.mark.parametrize("command", called("make", "pip", "python", "."), ids=str)
def test_commands_name_what_exists(command: Command) -> None:
    """Each make target is in the Makefile, each package can be named so, each script is in the checkout."""
    program, *words = command.words
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
        assert [word for word in words if "=" not in word and word not in targets] == []
    elif program == "pip":
        assert words[0] == "install"
        assert [Requirement(word).name for word in words[1:] if not word.startswith("-")]
    elif program == "python" and words[0] == "-m":
        assert words[1] in ("venv", "pytest", "linq_provider")
    elif program == "python":
        assert (CHECKOUT / words[0]).is_file()
    else:
        assert words == [".venv/bin/activate"]  # made by `make`


def test_no_key_is_typed_in_a_command() -> None:
    """A key or passphrase in an `export` stays in the history of the shell: the pages have it asked for with `read -rs`."""
    typed = re.compile(r"^\$ (?:.*\s)?\w*(?:API_KEY\w*|PASSPHRASE)=", re.MULTILINE)
    pages = [*PAGES.values(), *(CHECKOUT / "examples").rglob("README.md")]
    assert [page.name for page in pages if typed.search(page.read_text())] == []


@pytest.mark.parametrize("command", called("read"), ids=str)
def test_what_is_asked_for_is_exported(command: Command) -> None:
    """Each `read` shows nothing of what is typed, and hands it to the programs that are started next."""
    *asked, name = command.words[:3]
    assert asked == ["read", "-rs"]
    assert command.words[3:] == ["&&", "export", name]
    assert re.fullmatch(NAMES, name) or f"`{name}`" in (CHECKOUT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("command", called("export", "unset"), ids=str)
def test_variables_are_read_by_somebody(command: Command) -> None:
    """Each variable that a page sets is a setting of ours, or one that Pulumi or the shell reads."""
    settings = (CHECKOUT / "docs" / "configuration.md").read_text()
    for word in command.words[1:]:
        name = word.partition("=")[0]
        assert re.fullmatch(NAMES, name) or f"`{name}`" in settings, name


def test_empty_attributes_are_taken_away(tmp_path: Path) -> None:
    """Each `find` deletes the empty attribute files of the backend, and nothing else."""
    stacks = tmp_path / ".pulumi" / "stacks"
    for command in called("find"):
        stacks.mkdir(parents=True, exist_ok=True)
        (stacks / "dev.json.attrs").write_text("")
        (stacks / "prod.json.attrs").write_text("{}")
        (stacks / "dev.json").write_text("")
        subprocess.run(command.words, cwd=tmp_path, check=True)
        assert {file.name for file in stacks.iterdir()} == {"prod.json.attrs", "dev.json"}
    assert called("find")
