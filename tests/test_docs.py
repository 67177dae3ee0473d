"""What the documents say is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent


def test_what_it_will_not_do_is_what_the_engine_tests_claim() -> None:
    """Every sentence of the README's section on safety is the docstring of a test with the real engine."""
    claims = {
        " ".join((ast.get_docstring(function) or "").split())
        for file in (CHECKOUT / "tests" / "engine").glob("test_*.py")
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
    }
    section = (CHECKOUT / "README.md").read_text().partition("## What it will not do")[2].partition("\n## ")[0]
    sentences = {line.removeprefix("- ") for line in section.splitlines() if line.startswith("- ")}
    assert len(sentences) > 5
    assert sentences - claims == set()


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
