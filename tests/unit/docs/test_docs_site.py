"""The pages of docs/ as a site: each is in the navigation, each link leads somewhere, each message has its entry."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
DOCS = CHECKOUT / "docs"
PACKAGE = CHECKOUT / "linq_provider"
PAGES = sorted(DOCS.glob("*.md"))
MESSAGE_PAGES = ("errors.md", "notices.md", "cli.md")
SITE: dict[str, Any] = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text())
# Texts of the code that no user reads as a separate message.
NO_MESSAGES = {
    "the last attempt returns or raises",  # cannot be reached
    "unexpected end of data",  # Python's, compared with
    "Tunnel connection failed",  # urllib3's, compared with
    "Tunnel connection failed: 407",  # the same
    "no stack named",  # Pulumi's, compared with
    "no Pulumi.yaml project file",  # the same
    "Asking Linq for the lines",  # while it works
    "Reading stack …",  # the same
    "Reading …",  # the same
    "Checking: …",  # the same
    "… (…): …",  # a line and why it was left out; the reasons are separate texts
    "Made the project … in ……. Go on with its README.md.",  # what was done
    "…; comments in … say why.",  # after how many lines are left out
    "the argument api_key",  # where a key came from, inside of the message of a 401
    "the argument base_url",  # where an address came from, inside of the message of a connection that failed
}
# doctor explains each of its findings itself; the others write programs, rosters, help, summaries and names.
NO_ERRORS = {"access.py", "machine.py", "plugin.py", "network.py", "doctor.py", "countries.py"}
OUTPUT = {
    ("commands.py", "HELP"),
    ("drift.py", "HELP"),
    ("check_rosters.py", "_print"),
    ("destinations.py", "summary"),
    ("export.py", "_report"),
    ("init.py", "FILES"),
    ("init.py", "_texts"),
    ("output.py", "count_forwarded"),
    *(("drift.py", name) for name in ("_print", "_summary", "_count")),
    *(("exported.py", name) for name in ("PROGRAM", "PROGRAM_OF_NOTHING", "ROSTER", "ROSTER_OF_NOTHING", "LEFT_OUT")),
    *(("exported.py", name) for name in ("summary", "_fleet", "_resources", "_entry")),
}


def prose(page: Path) -> str:
    """A page without its fenced blocks and its front matter."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def slug(heading: str) -> str:
    """The anchor of a heading, which is the same for mkdocs and GitHub on these pages."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("…", "")).strip().lower())


def anchors(page: Path) -> set[str]:
    """Every anchor of a page."""
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)}


def leaves(nav: Any) -> Iterator[str]:
    """The files that the navigation names."""
    if isinstance(nav, str):
        yield nav
    for item in nav if isinstance(nav, list) else nav.values() if isinstance(nav, dict) else ():
        yield from leaves(item)


def test_every_page_is_in_the_navigation() -> None:
    """Each page, example and pipeline is named by the navigation of the site once, and nothing that is not there."""
    assert [group for part in SITE["nav"] for group in part] == ["Start", "Everyday", "Team", "Trouble", "Reference"]
    named = sorted("_index.md" if name == "index.md" else name for name in leaves(SITE["nav"]))
    examples = [f"examples/{file.parent.name}.md" for file in CHECKOUT.glob("examples/*/README.md")]
    pipelines = [f"pipelines/{folder.name}.md" for folder in CHECKOUT.glob("pipelines/*/")]
    assert named == sorted([*(page.name for page in PAGES), "examples/index.md", *examples, *pipelines])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors(page: Path) -> None:
    """Every link of a page leads to a file of the checkout, and its anchor to a heading."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", prose(page)):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        assert linked.name != "_index.md", "the home of the site has another name there"
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


def test_the_site_fetches_nothing() -> None:
    """The site is built with warnings as errors, and its pages use no font, script or style of another host."""
    assert SITE["strict"] is True
    assert SITE["theme"]["font"] is False
    assert SITE["plugins"] == ["search"]
    assert SITE["validation"]["nav"]["omitted_files"] == SITE["validation"]["links"]["anchors"] == "warn"
    (build,) = re.findall(r"mkdocs build.*", (CHECKOUT / "Makefile").read_text())
    assert "--strict" in build
    assert "--quiet" not in build, "mkdocs then counts no warning"
    for file in [CHECKOUT / "mkdocs.yml", *DOCS.glob("*.css"), *DOCS.glob("*.js"), *DOCS.glob("*.svg")]:
        hosts = set(re.findall(r"//([\w.-]+)", file.read_text())) - {"www.w3.org"}
        assert hosts == set(), file.name


def test_the_package_names_its_repository() -> None:
    """The addresses in the wheel's metadata belong to the repository that docs/installation.md names."""
    section = (CHECKOUT / "pyproject.toml").read_text().partition("[project.urls]")[2].partition("\n[")[0]
    addresses = dict(re.findall(r'^(\w+) = "(.*)"$', section, re.MULTILINE))
    assert {"Repository", "Documentation", "Changelog"} <= set(addresses)
    assert f"git+{addresses['Repository']}" in (DOCS / "installation.md").read_text()
    repository = addresses["Repository"].removesuffix(".git")
    for address in addresses.values():
        assert address.startswith(repository), address
    schema = json.loads((CHECKOUT / "linq_provider" / "native" / "schema.json").read_text())
    assert schema["repository"] == repository
    assert schema["logoUrl"] == f"{repository}/docs/logo.svg"
    assert (DOCS / "logo.svg").exists()


def test_the_registry_finds_its_two_pages() -> None:
    """_index.md and installation-configuration.md have the front matter of the Pulumi Registry, and name every setting."""
    for name in ("_index.md", "installation-configuration.md"):
        front = yaml.safe_load((DOCS / name).read_text().split("---\n")[1])
        assert front["layout"] == "package"
        assert front["title"]
        assert len(front["meta_desc"]) <= 160
    rows = r"^\| (?:`linq:|\| `LINQ_).*$"
    settings = re.findall(rows, (DOCS / "configuration.md").read_text(), re.MULTILINE)
    assert settings
    assert re.findall(rows, (DOCS / "installation-configuration.md").read_text(), re.MULTILINE) == settings


def test_the_registry_has_an_example_and_an_installation_in_each_language() -> None:
    """The chooser has a tab for each language of the schema; the programs are those of the examples, which are run."""
    programs = {
        "typescript": "native-typescript/index.ts",
        "yaml": "native-yaml/Pulumi.yaml",
        "go": "native-go/main.go",
    }
    for name in ("_index.md", "installation-configuration.md"):
        page = (DOCS / name).read_text()
        tabs = re.findall(
            r"^{{% choosable language (\w+) %}}\n\n(.*?)\n\n{{% /choosable %}}$", page, re.DOTALL | re.MULTILINE
        )
        assert f'{{{{< chooser language "{",".join(language for language, _ in tabs)}" >}}}}' in page
        assert [language for language, _ in tabs] == ["python", *programs]
        assert page.index("{{< chooser") < page.index("{{% choosable") < page.index("{{< /chooser >}}")
        for language, text in tabs:
            if name == "_index.md" and language in programs:
                program = re.sub(r"^```\w+\n|```$", "", text)
                assert program in (CHECKOUT / "examples" / programs[language]).read_text(), language


def test_the_reference_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/reference.md is what the docstrings say."""
    specification = importlib.util.spec_from_file_location("reference", CHECKOUT / "tools" / "reference.py")
    assert specification
    assert specification.loader
    reference = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "reference", reference)
    specification.loader.exec_module(reference)
    assert (DOCS / "reference.md").read_text() == reference.page()


def test_the_tools_of_the_site_are_pinned() -> None:
    """docs/requirements.txt pins each package to one version, mkdocs-material among them."""
    lines = (DOCS / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert {"mkdocs", "mkdocs-material"} <= {pin.partition("==")[0] for pin in pins}


def test_the_picture_is_text() -> None:
    """The picture of the flow is well-formed, has a title and a description, text as text, and a dark scheme."""
    svg = (DOCS / "flow.svg").read_text()
    drawing = ElementTree.fromstring(svg)
    names = [element.tag.rpartition("}")[2] for element in drawing.iter()]
    assert {"title", "desc", "text"} <= set(names)
    assert not {"script", "image", "foreignObject"} & set(names)
    assert "prefers-color-scheme: dark" in svg
    said = " ".join("".join(element.itertext()) for element in drawing.iter() if element.tag.endswith("}text"))
    assert all(word in said for word in ("program", "engine", "Provider process", "Linq", "GET", "PUT", "State"))


def template(node: ast.AST) -> str | None:
    """The text of a string in the code, with `…` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", "…", node.value) if " {" in node.value else node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def texts(node: ast.AST, file: str) -> Iterator[str]:
    """Every string below `node`, without docstrings, next steps, help, decorators, annotations and `OUTPUT`."""
    if (text := template(node)) is not None:
        yield text
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.keyword) and node.arg in ("next_step", "help"):
        return
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    if (file, getattr(target or node, "id" if target else "name", None)) in OUTPUT:
        return
    for field, value in ast.iter_fields(node):
        if field not in ("decorator_list", "annotation", "returns"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from texts(child, file)


def same(text: str) -> str:
    """A message without what Markdown or the place where it stands adds to it."""
    text = " ".join(text.replace("`", "").split())
    return re.sub(r"…(?: ?…)+", "…", text).strip(" .:;,(")


MESSAGES = {
    (str(file.relative_to(PACKAGE)), same(text))
    for file in PACKAGE.rglob("*.py")
    if file.parent.name != "emulator" and file.name not in {*NO_ERRORS, "emulator.py"}
    for text in texts(ast.parse(file.read_text()), file.name)
    if text.count(" ") >= 2 and text not in NO_MESSAGES
}
EXCEPTIONS = {
    node.name
    for file in PACKAGE.rglob("*.py")
    if file.parent.name != "emulator"
    for node in ast.walk(ast.parse(file.read_text()))
    if isinstance(node, ast.ClassDef) and node.name.endswith("Error") and not node.name.startswith("_")
}


def test_every_message_has_an_entry() -> None:
    """Each text of the package that a user may read is on a page of messages, word for word."""
    page = same(re.sub(r"[|#*]", " ", "\n".join((DOCS / name).read_text() for name in MESSAGE_PAGES)))
    assert len(MESSAGES) > 100
    assert sorted((file, text) for file, text in MESSAGES if text not in page) == []


def test_every_exception_has_an_entry() -> None:
    """Each exception class of the package is named by a table of docs/errors.md, and no table names one that is not."""
    rows = [line.split("|")[1] for line in (DOCS / "errors.md").read_text().splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`(\w+Error)`", row)}
    assert "RefusedError" in EXCEPTIONS
    assert named == EXCEPTIONS


def test_every_entry_says_what_to_do() -> None:
    """Each entry of docs/errors.md has its `Do:`, or a table; the rows of tables are filled on all pages of messages."""
    entries = prose(DOCS / "errors.md").split("\n### ")[1:]
    assert len(entries) > 25
    for entry in entries:
        own = entry.partition("\n## ")[0]
        assert "**Do:**" in own or "\n|---" in own, own.splitlines()[0]
    rows = [line for name in MESSAGE_PAGES for line in prose(DOCS / name).splitlines() if line.startswith("| ")]
    assert [row for row in rows if "" in (cell.strip() for cell in row.strip("|").split("|"))] == []
