"""The check of the English finds what it is there for."""

from __future__ import annotations

from pathlib import Path

import prose
import pytest


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only file that is read."""
    monkeypatch.setattr(prose, "CHECKOUT", tmp_path)
    monkeypatch.setattr(prose, "READ", ("*",))
    return tmp_path / "page"


@pytest.mark.parametrize(
    ("suffix", "text", "found"),
    [
        (".md", "One line.\n\nThe command mends it.\n", "page.md:3: lost: 'mends' made people stumble."),
        (".md", "It waits for ever.\n", "page.md:1: archaism: 'for ever' is archaic."),
        (".py", 'N = 1\nTEXT = "the command that mends it"\n', "page.py:2: lost: 'mends' made people stumble."),
        (".md", "A plain sentence.\n\n```console\n$ mends\n```\n\nAnd `mends` as code.\n", ""),
    ],
)
def test_what_is_found(page: Path, suffix: str, text: str, found: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Lost words and what proselint finds, in pages and in texts of the package, but not in code."""
    page.with_suffix(suffix).write_text(text)
    assert prose.main() == bool(found)
    assert capsys.readouterr().out.strip() == found
