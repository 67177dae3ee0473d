"""A demonstration of everything on the real Pulumi engine, against the emulator: `make demo`.

Runs the root project in a temporary copy, checks the server after each step, and ends with exit code 1
at the first step that did not do what it prints. With WATCH=1 it waits before the last step, so that the emulator's
page can be looked at and tried out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from pulumi_environment import pulumi_environment

from linq_provider.emulator import Emulator

CHECKOUT = Path(__file__).resolve().parent.parent
OFFICE, MOBILE, STRANGER = "+12025559999", "+12025558888", "+12025550666"
WATCH = os.environ.get("WATCH", "") not in ("", "0")
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, DIM, RESET = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if COLOUR else ("", "", "")


class StepFailed(Exception):
    """A step did not do what it says."""


class Demo:
    """A copy of the root project in `folder`, its own Pulumi home and backend, and an emulator."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.emulator = emulator
        self.line = emulator.phone_numbers[0]
        self.folder = folder
        shutil.copy(CHECKOUT / "Pulumi.yaml", folder)
        shutil.copytree(CHECKOUT / "examples" / "quickstart", folder / "examples" / "quickstart")
        self.environment = pulumi_environment(
            folder, LINQ_API_V3_BASE_URL=emulator.url, LINQ_API_V3_API_KEY=emulator.api_key
        )

    def run(self, command: str, *, quiet: bool = False) -> str:
        """Run a command of the story, show it with its output, and return the output."""
        print(f"{BOLD}$ {command}{RESET}", flush=True)
        options = ["--non-interactive"] if command.startswith("pulumi") else []
        if command.startswith(("pulumi up", "pulumi refresh", "pulumi destroy")):
            options += ["--suppress-progress"]
        done = subprocess.run(
            [*command.split(), *options],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not quiet or done.returncode:
            print("".join(f"  {line}\n" for line in done.stdout.splitlines() if line.strip()), end="", flush=True)
        if done.returncode:
            raise StepFailed(f"`{command}` ended with exit code {done.returncode}")
        return done.stdout

    def hold(self) -> None:
        """Keep the emulator open until the reader has seen enough; what they did by hand is undone then."""
        key = "Enter or Ctrl-C" if sys.stdin.isatty() else "SIGINT or SIGTERM"
        print(f"  watch it at {self.emulator.page_url}: change a forwarding, try a fault; {key} goes on", flush=True)
        wait_for_reader()
        print()
        self.emulator.clear_faults()
        self.emulator.set_forwarding(self.line.id, MOBILE)
        self.emulator.clear_requests()

    def holds(self, number: str | None, *, writes: int) -> None:
        """Show where the line forwards at the server, and demand that it is `number` after so many writes."""
        live = self.emulator.phone_numbers[0].forwarding_number
        puts = sum(request.method == "PUT" for request in self.emulator.requests)
        self.emulator.clear_requests()
        print(f"{DIM}  server: {self.line.phone_number} -> {live or 'not forwarded'}  (writes: {puts}){RESET}\n")
        if (live, puts) != (number, writes):
            raise StepFailed(f"the server should hold {number or 'no forwarding'} after {writes} write(s)")


def title(text: str) -> None:
    """A heading of the story."""
    print(f"{BOLD}== {text}{RESET}", flush=True)


def wait_for_reader() -> None:
    """Return at Enter, SIGINT or SIGTERM; without a terminal, only at one of the signals."""
    signals = (signal.SIGINT, signal.SIGTERM)
    # A shell starts background jobs with SIGINT ignored, and Python leaves it so.
    before = [signal.signal(number, signal.default_int_handler) for number in signals]
    with suppress(KeyboardInterrupt, EOFError):
        input() if sys.stdin.isatty() else threading.Event().wait()
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def demand(condition: bool, claim: str) -> None:
    """End the demo where a claim does not hold."""
    if not condition:
        raise StepFailed(claim)


def story(demo: Demo) -> None:
    """Set up, up, up again, change, drift, heal, destroy."""
    title("The account, as a Linq customer sees it")
    demo.run("linq-provider numbers")
    demo.run("pulumi stack init dev", quiet=True)
    demo.run(f"pulumi config set line {demo.line.phone_number}", quiet=True)
    demo.run(f"pulumi config set forwardTo {OFFICE}", quiet=True)
    demo.holds(None, writes=0)

    title("Declare it: the line forwards to the office")
    demo.run("pulumi up --yes")
    demo.holds(OFFICE, writes=1)

    title("The same again: nothing to do")
    demand("unchanged" in demo.run("pulumi up --yes --expect-no-changes"), "the second up changes nothing")
    demo.holds(OFFICE, writes=0)

    title("A changed number: the preview shows it, up writes it")
    demo.run(f"pulumi config set forwardTo {MOBILE}", quiet=True)
    shown = demo.run("pulumi preview --diff")
    demand(f'"{OFFICE}" => "{MOBILE}"' in shown, "the preview shows the old and the new number")
    demo.run("pulumi up --yes --skip-preview")
    demo.holds(MOBILE, writes=1)

    title("Somebody changes it by hand: refresh shows the drift")
    demo.emulator.set_forwarding(demo.line.id, STRANGER)
    shown = demo.run("pulumi refresh --yes --skip-preview --diff")
    demand(f'"{MOBILE}" => "{STRANGER}"' in shown, "refresh shows the drift")
    demo.holds(STRANGER, writes=0)

    title("up heals it")
    demo.run("pulumi up --yes --skip-preview")
    demo.holds(MOBILE, writes=1)

    if WATCH:
        title("Held open before the end, because of WATCH")
        demo.hold()

    title("destroy clears the forwarding")
    demo.run("pulumi destroy --yes --skip-preview")
    demo.holds(None, writes=1)


def main() -> int:
    """Run all steps; return 0 if every step did what it prints."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linq-demo-") as folder, Emulator(numbers=3) as emulator:
        print(f"watch it at {emulator.page_url}\n", flush=True)
        try:
            story(Demo(Path(folder), emulator))
        except StepFailed as error:
            print(f"\n{BOLD}The demo failed: {error}.{RESET}", file=sys.stderr)
            return 1
    print(f"{BOLD}Every step did what it says, in {time.monotonic() - started:.0f} s.{RESET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
