"""A Pulumi stack in a folder, and the real CLI run on it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi_environment import pulumi_environment
from waiting import wait_until

from linq_provider.emulator import Emulator

PROJECT = "engine-test"
HEADER = "import pulumi\nimport linq_provider as linq\n"
NATIVE_HEADER = "import pulumi\nimport native_linq as linq\n"


@dataclass(frozen=True)
class Run:
    """What one CLI call printed, and its exit code."""

    code: int
    output: str

    @property
    def changes(self) -> dict[str, int]:
        """The summary's counts, like {"created": 2}; the stack itself and what did not change left out."""
        summary = self.output.partition("Resources:")[2]
        counts = {verb: int(n) for n, verb in re.findall(r"(\d+) (?:to )?(\w+)", summary.partition("Duration")[0])}
        return {verb: n for verb, n in counts.items() if verb not in ("unchanged", "changes", "change")}


def printed(command: list[str], *, folder: Path, environment: dict[str, str], answers: str = "") -> str:
    """What a command prints in a folder; it has to succeed within five minutes."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=answers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wait_for_end(engine: subprocess.Popen[str], *, seconds: float) -> None:
    """Wait for an engine that was told to end; one that does not is killed, and the test fails."""
    try:
        engine.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        engine.kill()
        raise


class Workspace:
    """One stack in a separate folder. `program` replaces the stack's program; the verbs run the real CLI."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.folder = folder
        self.header = HEADER
        self.emulator = emulator
        self.environment = pulumi_environment(folder)
        self.configure("linq:baseUrl", emulator.url)

    def program(self, text: str) -> None:
        """Make `text` the program of the stack; `pulumi` and `linq` are imported for it."""
        (self.folder / "__main__.py").write_text(self.header + textwrap.dedent(text))

    def use_native(self) -> None:
        """From now on `linq` is the native package, with the names of the dynamic one; see `native_linq`."""
        self.header = NATIVE_HEADER
        shutil.copy(Path(__file__).with_name("native_linq.py"), self.folder)
        scripts = sysconfig.get_path("scripts")
        plugins = f"plugins:\n  providers:\n    - name: linq\n      path: {scripts}\n"
        (self.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n{plugins}")

    def use_dynamic(self) -> None:
        """From now on `linq` is the dynamic provider."""
        self.header = HEADER

    def declare_lines(self, count: int) -> None:
        """Give the account so many lines in all, and make a program that declares each of them."""
        for n in range(count - len(self.emulator.phone_numbers)):
            self.emulator.add_number(f"+1303555{n:04}")
        lines = [line.phone_number for line in self.emulator.phone_numbers]
        self.program(
            f"""
            for i, line in enumerate({lines!r}):
                linq.PhoneNumberForwarding(f"line-{{i}}", phone_number=line, forwarding_number="+12025559999")
            """
        )

    def configure(self, key: str, value: str) -> None:
        """Write a plain setting into the stack's file, which is cheaper than `pulumi config set`."""
        file = self.folder / "Pulumi.dev.yaml"
        lines = [line for line in file.read_text().splitlines() if not line.startswith(f"  {key}:")]
        file.write_text("\n".join([*lines, f"  {key}: {json.dumps(value)}"]) + "\n")

    def unset(self, key: str) -> None:
        """Take a setting out of the stack's file, with the lines indented below it."""
        text = (self.folder / "Pulumi.dev.yaml").read_text()
        (self.folder / "Pulumi.dev.yaml").write_text(re.sub(rf"  {key}:.*\n(    .*\n)*", "", text))

    def run(self, *args: str, fails: bool | int | None = False, timeout: float = 300, **environment: str) -> Run:
        """Run `pulumi ARGS`; `fails` demands that it does (True), or with which code; None takes either."""
        done = subprocess.run(**self._call(args, environment), timeout=timeout, check=False)
        wanted = {None: done.returncode, True: done.returncode or 1, False: 0}.get(fails, fails)
        assert done.returncode == wanted, f"exit {done.returncode} of pulumi {' '.join(args)}\n{done.stdout}"
        return Run(done.returncode, done.stdout)

    def python(self, *args: str, environment: dict[str, str]) -> tuple[int, str]:
        """Run this interpreter by its full path: the exit code, and what it printed."""
        done = subprocess.run(
            [sys.executable, *args],
            cwd=self.folder.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    def start(self, *args: str, **environment: str) -> subprocess.Popen[str]:
        """Start `pulumi ARGS` in a separate process group, which can be killed."""
        return subprocess.Popen(**self._call(args, environment), start_new_session=True)

    def _call(self, args: tuple[str, ...], environment: dict[str, str]) -> dict[str, Any]:
        """How the CLI is called, for `subprocess`."""
        return {
            "args": ["pulumi", *args, "--non-interactive", "--color=never"],
            "cwd": self.folder,
            "env": self.environment | environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def providers(self) -> list[int]:
        """The process ids of this stack's providers that are alive."""
        return [int(process.name) for process in Path("/proc").glob("[0-9]*") if self._is_provider(process)]

    def _is_provider(self, process: Path) -> bool:
        try:
            command = (process / "cmdline").read_bytes()
            ours = b"pulumi.dynamic" in command or b"pulumi-resource-linq" in command
            return ours and bytes(self.folder) in (process / "environ").read_bytes()
        except OSError:
            return False

    def up(self, *args: str, fails: bool | int = False, **environment: str) -> Run:
        """`pulumi up` without the preview phase, which has separate tests."""
        return self.run("up", "--yes", "--skip-preview", *args, fails=fails, **environment)

    def preview(self, *args: str, fails: bool | int = False, **environment: str) -> Run:
        """`pulumi preview --diff`."""
        return self.run("preview", "--diff", *args, fails=fails, **environment)

    def refresh(self, *args: str, fails: bool | int = False, **environment: str) -> Run:
        """`pulumi refresh` without its preview phase."""
        return self.run("refresh", "--yes", "--skip-preview", "--diff", *args, fails=fails, **environment)

    def destroy(self, *args: str, fails: bool | int = False, **environment: str) -> Run:
        """`pulumi destroy` without its preview phase."""
        return self.run("destroy", "--yes", "--skip-preview", *args, fails=fails, **environment)

    def empty_preview(self) -> None:
        """The next preview plans nothing."""
        self.run("preview", "--expect-no-changes")

    @property
    def state_file(self) -> Path:
        """The state, as the file backend keeps it."""
        return self.folder / "backend" / ".pulumi" / "stacks" / PROJECT / "dev.json"

    def state_text(self) -> str:
        """The whole state file."""
        return self.state_file.read_text()

    def resources(self) -> list[dict[str, Any]]:
        """The stack's forwardings as the state file holds them, those that wait for deletion included."""
        resources = (json.loads(self.state_text())["checkpoint"]["latest"] or {}).get("resources", [])
        return [resource for resource in resources if re.search(r"\bdynamic/linq|^linq:", resource["type"])]

    def state(self) -> dict[str, dict[str, Any]]:
        """The stack's forwardings by resource name."""
        return {resource["urn"].rpartition("::")[2]: resource for resource in self.resources()}

    def outputs(self, name: str) -> dict[str, Any]:
        """The outputs of one resource, without the provider's pickle."""
        return _named_as_in_python(self.state()[name]["outputs"])

    def inputs(self, name: str) -> dict[str, Any]:
        """The inputs of one resource, without the provider's pickle."""
        return _named_as_in_python(self.state()[name]["inputs"])

    def pending(self) -> list[str]:
        """The kinds of operations that are pending in the state file."""
        latest = json.loads(self.state_text())["checkpoint"]["latest"] or {}
        return [operation["type"] for operation in latest.get("pending_operations", [])]

    def writes(self) -> list[tuple[str, str]]:
        """What was written at the server since the last `clear_requests`: (id, number)."""
        puts = [request for request in self.emulator.requests if request.method == "PUT"]
        return [(put.path.rpartition("/")[2], put.body["forwarding_number"]) for put in puts]

    def methods(self) -> list[str]:
        """The methods of the requests since the last `clear_requests`."""
        return [request.method for request in self.emulator.requests]

    def until_request(self, method: str, *, seconds: float = 60) -> None:
        """Wait until the server has seen a request."""
        wait_until(lambda: method in self.methods(), seconds=seconds)


def _named_as_in_python(props: dict[str, Any]) -> dict[str, Any]:
    """Properties in the spelling of the dynamic provider, whichever skin recorded them."""
    return {re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", k): v for k, v in props.items() if k != "__provider"}
