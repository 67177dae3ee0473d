"""Writes docs/reference.md from the docstrings of the public names; `--check` only says whether it is up to date."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import linq_provider as linq

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
SECTIONS = {
    "Resources": [
        "PhoneNumberForwarding",
        "PhoneNumberForwarding.get",
        "PhoneNumberForwardings",
        "ForwardingRoster",
        "Provider",
    ],
    "Functions": ["load_roster", "get_phone_numbers", "get_phone_number"],
    "Records": ["PhoneNumber"],
}
HEAD = """# Reference

Made from the docstrings by `python tools/reference.py`. Errors have [a page of their own](errors.md), settings
[another](configuration.md).
"""
_ENTRY = re.compile(r"^( {4})(\w[\w, ]*): (.*)$")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(f"## {title}\n\n{''.join(map(entry, names))}" for title, names in SECTIONS.items())])


def entry(name: str) -> str:
    """One public name: its signature and its docstring."""
    found: Any = attrgetter(name)(linq)
    fields = [f"{f.name}: {f.type}" for f in dataclasses.fields(found)] if dataclasses.is_dataclass(found) else None
    call = f"linq.{name}({', '.join(fields)})" if fields else f"linq.{name}{signature(found)}"
    return f"### {name}\n\n```text\n{call}\n```\n\n{prose(inspect.getdoc(found) or '')}\n"


def signature(found: Any) -> str:
    """Its parameters, one a line, without what every Pulumi resource has."""
    parameters = [p for p in inspect.signature(found).parameters.values() if p.name != "self"]
    keywords = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    first = [p for p in parameters if p not in keywords]
    lines = [*map(str, first), *(["*"] if keywords else []), *map(str, keywords)]
    text = ",\n    ".join(lines).replace("pulumi.", "")
    return "(\n    " + re.sub(r": '([^']*)'", r": \1", text).replace("'", '"') + ",\n)"


def prose(docstring: str) -> str:
    """A docstring as Markdown: its sections `Args` and `Raises` as lists."""
    return "\n".join(_lines(docstring)).rstrip() + "\n"


def _lines(docstring: str) -> Iterator[str]:
    section = ""
    for line in docstring.splitlines():
        if line in ("Args:", "Raises:"):
            section = line
            yield f"**{'Arguments' if line == 'Args:' else 'Raises'}**\n"
        elif section and (found := _ENTRY.match(line)):
            yield f"- `{found[2]}`: {found[3]}"
        elif section and line.startswith("    "):
            yield f"  {line.strip()}"
        else:
            section = "" if line.strip() else section
            yield line


def main(*args: str) -> int:
    """Write or check; 1 when the page is not what the docstrings say."""
    if "--check" in args:
        return int(PAGE.read_text() != page())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
