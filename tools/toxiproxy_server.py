#!/usr/bin/env python3
"""Find or make the TCP proxy `toxiproxy-server` of the engine tests and print the directory to put on PATH.

It is built with Go, once for this user and version, and lies in the same cache as the Pulumi CLI.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from go_tools import GO_WHEEL, Tool, dotted, go_install, go_needed, pin, run, toolchain
from steps import Step, Unavailable, answer, say

MODULE = Path(__file__).resolve().parent / "toxiproxy"
TOXIPROXY = "github.com/Shopify/toxiproxy/v2"
PROGRAM = "toxiproxy-server"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the directory, or what is wrong."""
    parser = argparse.ArgumentParser(description="Find or make toxiproxy-server; prints its directory.")
    return run(parser, lambda options: find(options.cache), arguments)


def find(cache: Path) -> Path:
    """Return the directory of the proxy, which is built where there is none yet."""
    made, failures = Tool("toxiproxy", version(), [PROGRAM], verify).made(cache, {"go": build})
    if made is None:
        needs = f"it takes Go {dotted(go_needed(MODULE))} or newer, or the wheel {GO_WHEEL}, and the Go module proxy"
        raise Unavailable(f"{PROGRAM} could not be built: {' '.join(failures)}; {needs}")
    return made


def version() -> str:
    """Return the version that is built."""
    return pin(MODULE, rf"^\s+{re.escape(TOXIPROXY)} v(\S+)")


def build(root: Path, work: Path) -> None:
    """Build it with Go."""
    go, environment = toolchain(work, go_needed(MODULE))
    environment["GOBIN"] = str(root / "bin")
    install = go_install(go, ldflags=f"-X {TOXIPROXY}.Version={version()}")
    say(f"building toxiproxy {version()} with {go}: about 20 s, once for this user and version")
    Step("building toxiproxy", work, environment).run(install, cwd=MODULE)
    (root / "bin" / "server").rename(root / "bin" / PROGRAM)


def verify(directory: Path, work: Path) -> None:
    """Check that it runs and has the pinned version."""
    reported = answer([str(directory / PROGRAM), "-version"], os.environ)
    if version() not in reported.split():
        raise Unavailable(f"the version is {reported}, not {version()}")


if __name__ == "__main__":
    sys.exit(main())
