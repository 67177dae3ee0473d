#!/usr/bin/env python3
"""Find or make a Go program that the tests need, and print the directory to put on PATH.

    python tools/bootstrap/go_programs.py toxiproxy|actionlint

It is built with Go, once for this user and version, and lies in the same cache as the Pulumi CLI.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from go_tools import GO_WHEEL, Tool, dotted, go_install, go_needed, pin, run, toolchain
from steps import Step, Unavailable, answer, say


@dataclass(frozen=True)
class GoProgram:
    """A program of the Go module that is pinned in the folder `name` beside this file.

    `package` holds the `variable` that the version is written into, and `built` is what Go calls the program.
    """

    name: str
    program: str
    package: str
    variable: str
    built: str

    @property
    def module(self) -> Path:
        """The folder of its go.mod."""
        return Path(__file__).resolve().parent / self.name

    @property
    def version(self) -> str:
        """The version that is built."""
        return pin(self.module, rf"^\s+{re.escape(self.package)} v(\S+)")

    def find(self, cache: Path) -> Path:
        """Return its directory; it is built where there is none yet."""
        made, failures = Tool(self.name, self.version, [self.program], self.verify).made(cache, {"go": self.build})
        if made is None:
            needed = dotted(go_needed(self.module))
            needs = f"it takes Go {needed} or newer, or the wheel {GO_WHEEL}, and the Go module proxy"
            raise Unavailable(f"{self.program} could not be built: {' '.join(failures)}; {needs}")
        return made

    def build(self, root: Path, work: Path) -> None:
        """Build it with Go."""
        go, environment = toolchain(work, go_needed(self.module))
        environment["GOBIN"] = str(root / "bin")
        install = go_install(go, ldflags=f"-X {self.package}.{self.variable}={self.version}")
        say(f"building {self.name} {self.version} with {go}: about 20 s, once for this user and version")
        Step(f"building {self.name}", work, environment).run(install, cwd=self.module)
        (root / "bin" / self.built).rename(root / "bin" / self.program)

    def verify(self, directory: Path, work: Path) -> None:
        """Check that it runs and has the pinned version."""
        reported = answer([str(directory / self.program), "-version"], os.environ)
        if self.version not in reported.split():
            raise Unavailable(f"the version is {reported}, not {self.version}")


PROGRAMS = {
    # A real TCP proxy between provider and emulator, for the faults below HTTP.
    "toxiproxy": GoProgram("toxiproxy", "toxiproxy-server", "github.com/Shopify/toxiproxy/v2", "Version", "server"),
    # Checks the workflows of GitHub.
    "actionlint": GoProgram("actionlint", "actionlint", "github.com/rhysd/actionlint", "version", "actionlint"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the directory, or what is wrong."""
    parser = argparse.ArgumentParser(description="Find or make a Go program that the tests need; prints its directory.")
    parser.add_argument("name", choices=PROGRAMS)
    return run(parser, lambda options: PROGRAMS[options.name].find(options.cache), arguments)


if __name__ == "__main__":
    sys.exit(main())
