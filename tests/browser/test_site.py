"""The documentation as a site, built by mkdocs: read from disk and from a server, and each of its links."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MKDOCS = Path(sys.prefix) / "docs" / "bin" / "mkdocs"  # where `make docs` installs it
COPIES = 'document.addEventListener("copy", (event) => { window.copied = event.target.value; })'


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site; a warning of mkdocs is an error."""
    if not MKDOCS.exists():
        pytest.skip("no mkdocs: `make docs` installs it")
    folder = tmp_path_factory.mktemp("site")
    command = [str(MKDOCS), "build", "--strict", "--site-dir", str(folder)]  # with --quiet, a warning would be none
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that prints nothing."""

    def log_message(self, *_: Any) -> None:
        """No line for each request."""


@pytest.fixture(params=["disk", "server"])
def root(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Where the site is read: from disk, and from a server."""
    if request.param == "disk":
        yield site.as_uri()
        return
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def visit(tab: Any, url: str) -> None:
    """Go to a page of the site, and wait until its script has run."""
    tab.call("Page.navigate", url=url)
    tab.until(f"location.href === {url!r} && document.readyState === 'complete'")


def test_the_search_finds_a_page(tab: Any, root: str) -> None:
    """The search works from disk and on a server, from a page in a folder too, and asks no other host."""
    visit(tab, f"{root}/examples/quickstart.html")
    tab.run("document.querySelector('.md-search__input').value = 'passphrase'")
    tab.run("document.querySelector('[for=__search]').click()")
    tab.until("document.querySelectorAll('.md-search-result__link').length > 2")
    links = tab.run("[...document.querySelectorAll('.md-search-result__link')].map((link) => link.href)")
    assert any(link.startswith(f"{root}/getting-started.html") for link in links), links
    assert tab.hosts() <= {urlsplit(root).netloc}
    assert tab.complaints() == []


@pytest.mark.parametrize("tab", [1280], indirect=True, ids=["desktop"])
def test_the_copy_button_copies_commands_only(tab: Any, site: Path) -> None:
    """Of a console block, the copy button takes the commands, without prompt, comment and output; of others, everything."""
    visit(tab, f"{site.as_uri()}/getting-started.html")
    tab.run(COPIES)
    copied = []
    for block in (".language-console:has(> pre .go)", ".language-yaml"):
        tab.until(f"document.querySelector('{block} [data-md-type=copy]') !== null")
        tab.click(f"{block} [data-md-type=copy]")
        copied.append(tab.until("window.copied"))
        tab.run("delete window.copied")
    assert copied[0].splitlines()[0] == "mkdir phone-lines"
    assert copied[0].splitlines()[-1] == "linq-provider --version"
    assert copied[1].startswith("name: phone-lines\n")
    assert "refresh: always # every" in copied[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(tab: Any, site: Path, scheme: str) -> None:
    """On a desktop and on a phone, what is too wide scrolls inside of the page."""
    tab.prefer(color_scheme=scheme)
    for page in ("index", "getting-started", "errors", "pipelines", "reference", "how-it-works"):
        visit(tab, f"{site.as_uri()}/{page}.html")
        assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page
        if folder := os.environ.get("SCREENSHOTS"):
            width = tab.run("window.innerWidth")
            tab.screenshot(Path(folder) / f"site-{page.replace('/', '-')}-{width}-{scheme}.png", whole=False)


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "link":
                self.links.add(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def test_no_link_of_the_site_is_broken(site: Path) -> None:
    """Every link of every page leads to a file of the site, and its anchor to a place in it."""
    pages = {file: Page(file) for file in site.rglob("*.html") if file.name != "404.html"}
    assert len(pages) > 30
    broken = []
    for file, page in pages.items():
        for link in page.links:
            url = urlsplit(urljoin(file.as_uri(), link))
            if url.scheme != "file":
                continue
            target = Path(unquote(url.path))
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(url.fragment)
            if not target.is_file() or (target in pages and anchor and anchor not in pages[target].anchors):
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []


def test_examples_and_pipelines_are_pages_of_the_site(site: Path) -> None:
    """Each example has a page with its README and its files, each pipeline one with its files, and links lead to them."""
    for readme in CHECKOUT.glob("examples/*/README.md"):
        page = (site / "examples" / f"{readme.parent.name}.html").read_text()
        assert {"the-files", "pulumiyaml"} <= set(re.findall(r'id="([^"]+)"', page)), readme.parent.name
    for folder, name in (("github", "upyml"), ("gitlab", "gitlab-ciyml"), ("generic", "pipelinesh")):
        assert name in Page(site / "pipelines" / f"{folder}.html").anchors
        assert f"pipelines/{folder}.html#{name}" in Page(site / "pipelines.html").links
    assert "../pipelines/github.html#rotationyml" in Page(site / "examples" / "on-call-rotation.html").links


def test_the_languages_of_the_registry_are_tabs(site: Path) -> None:
    """What the Pulumi Registry reads as a chooser is a tab for each language here, and nothing of it is left over."""
    for name in ("index.html", "installation-configuration.html"):
        page = (site / name).read_text()
        labels = re.search(r'<div class="tabbed-labels">(.*?)</div>', page, re.DOTALL)
        assert labels
        assert re.findall(r"<label[^>]*>(.*?)</label>", labels[1]) == ["Python", "TypeScript", "YAML", "Go"]
        assert not re.search(r"chooser|choosable", page)
