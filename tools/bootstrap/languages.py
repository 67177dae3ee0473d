#!/usr/bin/env python3
"""Find or make what other languages than Python need, and print the directory to put on PATH, after the Pulumi CLI's.

These are Pulumi's language hosts for YAML, Node.js and Go, and `gen-sdk`, which makes SDKs from a schema. They are
built with Go, once for this user and version, and lie in the same cache as the Pulumi CLI. A release of Pulumi brings
newer hosts, which come first on PATH.
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

MODULES = Path(__file__).resolve().parent / "languages"
YAML = MODULES / "yaml"
NODE_AND_GO = MODULES / "node-and-go"  # the last release of the SDK that holds both hosts
SCHEMA = MODULES.parents[2] / "linq_provider" / "native" / "schema.json"
SDK = "github.com/pulumi/pulumi/sdk/v3"
SDK_PIN = rf"^\s+{re.escape(SDK)} v(\S+)"
YAML_PIN = r"^\s+github.com/pulumi/pulumi-yaml v(\S+)"
TAGS = "osusergo,grpcnotrace"
PROGRAMS = ("pulumi-language-yaml", "pulumi-language-nodejs", "pulumi-language-go", "gen-sdk")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the directory, or what is wrong."""
    parser = argparse.ArgumentParser(description="Find or make Pulumi's language hosts; prints their directory.")
    return run(parser, lambda options: find(options.cache), arguments)


def find(cache: Path) -> Path:
    """Return the directory of the hosts; they are built where there are none yet."""
    made, failures = Tool("languages", version(), PROGRAMS, verify).made(cache, {"go": build})
    if made is None:
        needs = f"it takes Go {dotted(go_needed(YAML, NODE_AND_GO))} or newer, or the wheel {GO_WHEEL}"
        raise Unavailable(f"no language hosts: {' '.join(failures)}; {needs}, and the Go module proxy")
    return made


def version() -> str:
    """Return the versions that are built."""
    return f"{pin(YAML, YAML_PIN)}-{pin(NODE_AND_GO, SDK_PIN)}"


def build(root: Path, work: Path) -> None:
    """Build the hosts and the generator with Go."""
    go, environment = toolchain(work, go_needed(YAML, NODE_AND_GO))
    environment["GOBIN"] = str(root / "bin")
    say(f"building Pulumi's language hosts with {go}: about two minutes, once for this user and version")
    for label, module in (("YAML", YAML), ("Node.js and Go", NODE_AND_GO)):
        install = go_install(go, ldflags=f"-X {SDK}/go/common/version.Version=v{pin(module, SDK_PIN)}", tags=TAGS)
        Step(f"building the language hosts for {label}", work, environment).run(install, cwd=module)


def verify(directory: Path, work: Path) -> None:
    """Check that the generator runs: a host without an engine only waits."""
    answer([str(directory / "gen-sdk"), str(SCHEMA), str(work / "sdks")], os.environ)


if __name__ == "__main__":
    sys.exit(main())
