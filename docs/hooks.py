"""What the site needs beside the pages, called by mkdocs: its home, and links to files that are not on it."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.structure.files import File, Files

HOME = "_index.md"  # the name that the Pulumi Registry wants; a site's home is index.md
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Build the overview as the home of the site."""
    home = files.get_file_from_path(HOME)
    files.remove(home)
    files.append(File.generated(config, "index.md", abs_src_path=home.abs_src_path))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to the checkout, which work where the repository is read, are plain text on the site."""
    return _OUTSIDE.sub(r"\1", markdown)
