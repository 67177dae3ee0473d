"""Record a stack as this version writes it, as test data for every later version.

    python tools/record_state.py        needs the Pulumi CLI on PATH

Makes the folder `tests/engine/states/VERSION`: a program, the stack's settings, and `state.json`, what `pulumi stack
export` said after one `up`. Their secrets are those of a test, encrypted with the passphrase of `pulumi_environment`.
Run it once for each release, with the oldest Python and `pulumi` that the release supports, and never again: the data
represents what users have.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pulumi_environment import pulumi_environment

from linq_provider._version import __version__
from linq_provider.emulator import Emulator

STATES = Path(__file__).resolve().parent.parent / "tests" / "engine" / "states"
API_KEY = "canary-4f9d2c71b8e35a60"
OF_THIS_MACHINE = ("sourcePosition", "stackTrace")  # paths; nothing but messages is made of them
PROGRAM = '''\
"""Five lines: one named by its number, one by its id, one with everything else, and a fleet of two."""

import pulumi

import linq_provider as linq

linq.PhoneNumberForwarding("by-number", phone_number="{0.phone_number}", forwarding_number="+12025559991")
linq.PhoneNumberForwarding("by-id", phone_number_id="{1.id}", forwarding_number="+12025559992")
linq.PhoneNumberForwarding(
    "secret",
    phone_number="{2.phone_number}",
    forwarding_number=pulumi.Output.secret("+12025559993"),
    overwrite=True,
)
linq.PhoneNumberForwardings(
    "fleet",
    forwardings={{"{3.phone_number}": "+12025559994", "{4.id}": pulumi.Output.secret("+12025559995")}},
    overwrite=["{4.id}"],
    allow_clearing=7,
)
'''


def record(folder: Path) -> None:
    """Run the program in `folder` and export the state beside it."""
    (folder / "Pulumi.yaml").write_text("name: engine-test\nruntime: python\n")
    with tempfile.TemporaryDirectory(prefix="record-") as scratch, Emulator(numbers=5, api_key=API_KEY) as emulator:
        # In the environment and not in the settings, so that it is not in the state.
        environment = pulumi_environment(Path(scratch), LINQ_API_V3_BASE_URL=emulator.url)

        def pulumi(*args: str) -> bytes:
            command = ["pulumi", *args, "--non-interactive"]
            return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE).stdout

        (folder / "__main__.py").write_text(PROGRAM.format(*emulator.phone_numbers))
        pulumi("stack", "init", "dev")
        pulumi("config", "set", "--secret", "linq:apiKey", API_KEY)
        pulumi("up", "--yes", "--skip-preview")
        state: dict[str, Any] = json.loads(pulumi("stack", "export"))
    for resource in state["deployment"]["resources"]:
        for name in OF_THIS_MACHINE:
            resource.pop(name, None)
    text = json.dumps(state, indent=2) + "\n"
    for path in (os.path.expanduser("~"), sys.prefix, scratch):
        if path in text:
            raise SystemExit(f"the state names {path}, which is of this machine only")
    (folder / "state.json").write_text(text)


def main() -> int:
    """Record this version; a state that is there is never replaced."""
    folder = STATES / __version__
    if folder.exists():
        print(f"{folder} is there: the state of a version is recorded once", file=sys.stderr)
        return 1
    folder.mkdir(parents=True)
    try:
        record(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
