"""The code blocks and the commands of README.md and docs/, for the tests that run them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
FOLLOWED = {  # by a test of their own, from top to bottom
    "getting-started.md",
    "installation.md",
    "leaving.md",
    "native.md",
    "pipelines.md",
    "try.md",
    "upgrade.md",
}
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """One fenced block, or an indented one, whose `language` is "console".

    `line` is where its text begins; `title` is the file that the page shows, or "".
    """

    page: str
    line: int
    language: str
    text: str = field(repr=False)
    title: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a console block, what the page shows that it prints, and its words without the comment."""

    place: str
    text: str
    output: str = field(repr=False)

    @property
    def page(self) -> str:
        """The file name."""
        return self.place.partition(":")[0]

    @property
    def words(self) -> list[str]:
        """As the shell splits them."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def blocks() -> list[Block]:
    """Every block of every page."""
    return [block for page in PAGES for block in blocks_of(page.name, page.read_text())]


def section(page: str, name: str) -> list[Block]:
    """The blocks of a page of docs/ below a heading, those below its own sub-headings included."""
    text = re.sub(r"^( *)```.*?^\1```$", _blank, (CHECKOUT / "docs" / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    heading = re.search(rf"^(##+) {re.escape(name)}$", text, re.MULTILINE)
    assert heading, f"{page} has no heading {name}"
    after = re.compile(rf"^##{{1,{len(heading[1]) - 1}}} ", re.MULTILINE).search(text, heading.end())
    lines = range(text.count("\n", 0, heading.start()) + 1, text.count("\n", 0, after.start() if after else len(text)))
    return [block for block in blocks() if block.page == page and block.line in lines]


def files(page: str) -> dict[str, str]:
    """The files that a page shows, by their names."""
    return {block.title: block.text for block in blocks() if block.page == page and block.title}


def _blank(found: re.Match[str]) -> str:
    """As many lines, without a text."""
    return "\n" * found[0].count("\n")


def commands() -> list[Command]:
    """Every command of every console block, but of the pages that a test follows from top to bottom."""
    found = [block for block in blocks() if block.language == "console" and block.page not in FOLLOWED]
    return [command for block in found for command in commands_of(block)]


def programs() -> list[Block]:
    """The Python blocks that are Pulumi programs, but of the pages that a test follows."""
    found = [block for block in blocks() if block.language == "python" and block.page not in FOLLOWED]
    return [block for block in found if "import linq_provider as linq" in block.text]


def blocks_of(page: str, text: str) -> Iterator[Block]:
    """The blocks of the text of one page."""
    fence = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(text):
        language, _, title = found[2].partition(" title=")
        yield Block(page, text.count("\n", 0, found.start()) + 2, language.strip(), found[3], title.strip('"'))
    rest = fence.sub(_blank, text)
    for found in re.finditer(r"(?<=\n\n)((?: {4}\S.*\n)+)(?=\n|\Z)", rest):
        shown = "".join(f"$ {line.strip()}\n" for line in found[1].splitlines())
        yield Block(page, rest.count("\n", 0, found.start()) + 1, "console", shown)


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of one console block."""
    begun, shown = "", ""
    for line in [*block.text.splitlines(keepends=True), "$ "]:
        if line.startswith("$ "):
            if begun:
                yield Command(str(block), begun, shown)
            begun, shown = line[2:].strip(), ""
        else:
            shown += line
