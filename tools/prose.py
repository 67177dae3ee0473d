"""Check the English of everything that a person reads: proselint, and the words that this project gave up.

    python tools/prose.py               the pages, and the texts and docstrings of the package; 1 if something was found

Code and quoted words are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from proselint.checks import __register__ as checks
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, types
from proselint.tools import LintFile

CHECKOUT = Path(__file__).resolve().parent.parent
READ = ("*.md", "docs/*.md", "examples/**/*.md", "templates/**/*.md", "linq_provider/**/*.py")
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = {"annotations", "lexical_illusions", "misc", "restricted", "typography", "weasel_words"}
# Words of earlier texts that readers did not understand at once.
LOST = (
    "mends?",
    "mended",
    "without a word",
    "clears nobody",
    "silences? everybody",
    "stands? in for",
    "stand-in",
    "by the way of",
    "have a hand in",
    "has a hand in",
    "nobody sees",
    "goes by",
    "what gave way",
    "lives of their own",
    "at home in",
    "heals?",
    "as it says",
    "no state knows",
    "if it is meant",
    "puts? it right",
    "belongs? into",
)

CheckRegistry().register_many((*checks, Check(types.Existence(LOST), path="lost", message="'{}' made people stumble.")))


def prose(file: Path) -> Iterator[tuple[int, str]]:
    """The paragraphs of a file, each with the number of its line."""
    text = file.read_text()
    if file.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 1:
                yield node.lineno, _without_code(node.value)
    else:
        yield 1, _without_code(FENCED.sub(lambda found: "\n" * found[0].count("\n"), text))


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "code", text)


def main() -> int:
    """Print what was found."""
    chosen = {name: on for name, on in DEFAULT["checks"].items() if name.split(".")[0] not in LEFT_OUT}
    config = {"max_errors": 1000, "checks": chosen | {"lost": True}}
    found = 0
    for file in (file for pattern in READ for file in sorted(CHECKOUT.glob(pattern))):
        for line, text in prose(file):
            for result in LintFile(str(file), text).lint(config):
                found += 1
                place = f"{file.relative_to(CHECKOUT)}:{line + result.pos[0] - 1}"
                print(f"{place}: {result.check_result.check_path}: {result.check_result.message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
