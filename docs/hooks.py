"""What mkdocs calls for the site: its home, pages of examples/ and pipelines/, and a search that works from disk."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Any

from markdown.extensions.toc import slugify
from mkdocs.structure.files import File, Files

CHECKOUT = Path(__file__).resolve().parents[1]
HOME = "_index.md"  # the name that the Pulumi Registry wants; a site's home is index.md
PIPELINES = {"pipelines/github": "GitHub", "pipelines/gitlab": "GitLab", "pipelines/generic": "every CI system"}
LANGUAGES = {".json": "json", ".py": "python", ".sh": "bash", ".ts": "typescript", ".yaml": "yaml", ".yml": "yaml"}
LEFTOVERS = re.compile(
    r"/(\.?venv|node_modules|__pycache__|\.pulumi|\.\w+_cache)/"
)  # what running an example leaves behind
TABS = {"python": "Python", "typescript": "TypeScript", "yaml": "YAML", "go": "Go"}
_TAB = re.compile(r"^\{\{% choosable language (\w+) %\}\}\n(.*?)^\{\{% /choosable %\}\}\n", re.DOTALL | re.MULTILINE)
_TABS_FRAME = re.compile(r"^\{\{< /?chooser.*?>\}\}\n", re.MULTILINE)
_LINK_OR_BLOCK = re.compile(
    r"(^ *(`{3,}).*?^ *\2$)|\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)", re.DOTALL | re.MULTILINE
)


def on_files(files: Files, *, config: Any) -> Files:
    """Build the overview as the home of the site, and add the pages of the examples and pipelines."""
    home = files.get_file_from_path(HOME)
    files.remove(home)
    files.append(File.generated(config, "index.md", abs_src_path=home.abs_src_path))
    for page, text in _pages().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to files that the site shows lead there; links to others of the checkout are plain text.

    The chooser of languages, as the Pulumi Registry writes it, becomes tabs.
    """
    markdown = _TAB.sub(_tab, _TABS_FRAME.sub("", markdown))
    name = page.file.src_uri
    written_in = WRITTEN_IN.get(name, "docs")

    def link(found: re.Match[str]) -> str:
        block, _, text, target, anchor = found.groups()
        if block:
            return found[0]
        path = os.path.normpath(f"{written_in}/{target}")
        place = path[len("docs/") :] if path.startswith("docs/") else PLACES.get(path)
        return f"[{text}]({os.path.relpath(place, os.path.dirname(name) or '.')}{anchor or ''})" if place else text

    return _LINK_OR_BLOCK.sub(link, markdown)


def _tab(found: re.Match[str]) -> str:
    language, text = found.groups()
    return f'=== "{TABS[language]}"\n\n{textwrap.indent(text.strip(), "    ")}\n\n'


def _pages() -> dict[str, str]:
    """The pages that stand nowhere in docs/, by their names: a README, and all files of its folder."""
    pages = {"examples/index.md": (CHECKOUT / "examples/README.md").read_text()}
    for folder in EXAMPLES:
        pages[f"{folder}.md"] = f"{(CHECKOUT / folder / 'README.md').read_text()}\n## The files\n\n{_shown(folder)}"
    for folder, system in PIPELINES.items():
        head = f"# The files for {system}\n\n[Pipelines](../../docs/pipelines.md) says what they are for."
        pages[f"{folder}.md"] = f"{head}\n\n{_shown(folder)}"
    pages["pipelines/generic.md"] += _block("pipelines", "CODEOWNERS")
    return pages


def _files(folder: str) -> list[str]:
    """The names of a folder's files, the program first."""
    found = [str(file.relative_to(CHECKOUT / folder)) for file in (CHECKOUT / folder).rglob("*") if file.is_file()]
    names = [name for name in found if name != "README.md" and not LEFTOVERS.search(f"/{name}")]
    return sorted(names, key=lambda name: ("/" in name, not name.startswith(("__main__", "index")), name))


def _shown(folder: str) -> str:
    """All files of a folder."""
    return "".join(_block(folder, name) for name in _files(folder))


def _block(folder: str, name: str) -> str:
    """A file as a code block, with its name as the heading."""
    language = LANGUAGES.get(Path(name).suffix, "text")
    return f"### `{name}`\n\n````{language}\n{(CHECKOUT / folder / name).read_text().rstrip()}\n````\n\n"


EXAMPLES = sorted(f"examples/{readme.parent.name}" for readme in CHECKOUT.glob("examples/*/README.md"))
WRITTEN_IN = {"examples/index.md": "examples", **{f"{folder}.md": folder for folder in [*EXAMPLES, *PIPELINES]}}
# Where the site shows what is in the checkout.
PLACES = {
    "examples": "examples/index.md",
    "examples/README.md": "examples/index.md",
    "pipelines/CODEOWNERS": "pipelines/generic.md#codeowners",
    **{f"{folder}{file}": f"{folder}.md" for folder in EXAMPLES for file in ("", "/README.md")},
    **{
        f"{folder}/{name}": f"{folder}.md#{slugify(name, '-')}"
        for folder in [*EXAMPLES, *PIPELINES]
        for name in _files(folder)
    },
}


def on_post_build(*, config: Any) -> None:
    """Write the search index as a script too: a page that was opened from disk may not fetch JSON."""
    search = Path(config.site_dir) / "search"
    (search / "search_index.js").write_text(f"var __index = {(search / 'search_index.json').read_text()}")
