"""What all commands share: help, wrong usage, completion, and what is said without the extra `cli`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from linq_provider import __version__
from linq_provider.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_the_commands(run: Run, flag: str) -> None:
    """`--help` lists the commands, the exit statuses, and how to switch completion on for each shell."""
    code, shown, said = run(flag)
    assert (code, said) == (0, "")
    for words in ("numbers", "export", "drift", "doctor", "emulator", "Exit status", "bash_source", "fish_source"):
        assert words in shown


def test_without_a_command_there_is_help(run: Run) -> None:
    """Without a command the help appears on stderr."""
    code, shown, said = run()
    assert (code, shown) == (1, "")
    assert "Commands:" in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    """The command in the help enables completion: it gives the shell a script, which completes the commands."""
    variable = "_LINQ_PROVIDER_COMPLETE"
    assert variable in run(**{variable: f"{shell}_source"})[1]
    words = {"COMP_WORDS": "linq-provider d" if shell != "fish" else "d", "COMP_CWORD": "1" if shell != "fish" else "d"}
    shown = run(**{variable: f"{shell}_complete"}, **words)[1]
    assert "doctor" in shown
    assert "drift" in shown
    assert "numbers" not in shown


def test_version(run: Run) -> None:
    """`--version` prints the version of the package."""
    assert run("--version") == (0, f"linq-provider, version {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["numbers", "--nonsense"], ["drift"], ["drift", "--roster"], ["export", "--format", "x"]],
)
def test_wrong_usage_is_one_sentence_and_exit_1(run: Run, arguments: list[str]) -> None:
    """Wrong usage is one line on stderr that names the help, and exit 1, because 2 means drift."""
    code, shown, said = run(*arguments)
    assert (code, shown) == (1, "")
    assert said.endswith("--help`.\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["numbers", "--jsn"], ["export", "--forc"], ["emulator", "--port", "x"], ["xyz"]]
)
def test_wrong_usage_ends_with_one_mark(run: Run, arguments: list[str]) -> None:
    """If a message of click already ends with a punctuation mark, no other is added."""
    said = run(*arguments)[2]
    assert re.search(r"(?<![.?])[.?] See `", said) or re.search(r"\?\)\. See `", said), said


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_says_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without click or rich there is one line with the pip command."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == f"linq-provider: {missing} is not installed; run `pip install 'linq-provider[cli]'`"
