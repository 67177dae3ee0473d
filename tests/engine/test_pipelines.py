"""The pipelines to copy: their own scripts run, on the real engine, with a stand-in for `gh` that notes its arguments."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import API_KEY
from workspace import PROJECT, Run, Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

CHECKOUT = Path(__file__).resolve().parents[2]
PIPELINES, ROTATION = CHECKOUT / "pipelines", CHECKOUT / "examples" / "on-call-rotation"
OFFICE, DESK = "+12025559999", "+12025558888"
FENCE = "~~~~~~~~~~"

# Notes arguments and the file that one names, and answers a question with what $GH_ANSWER holds.
GH = f"""#!{sys.executable}
import json, os, pathlib, sys
files = [word.rpartition("@")[2] for word in sys.argv[1:] if word.rpartition("@")[2].startswith(os.environ["RUNNER_TEMP"])]
body = pathlib.Path(files[0]).read_text() if files else None
with open(os.environ["GH_CALLS"], "a") as calls:
    calls.write(json.dumps([sys.argv[1:], body]) + "\\n")
if "--jq" in sys.argv:
    print(os.environ["GH_ANSWER"])
"""


@dataclass
class Runner:
    """Runs the steps of a workflow as GitHub does: an expression is replaced only where it stands in `env`."""

    stack: Workspace
    folder: Path
    values: dict[str, str]
    answer: str = ""  # of `gh`
    summary: str = ""
    calls: list[Any] = field(default_factory=list)

    def step(self, workflow: str, job: str, name: str) -> tuple[Run, dict[str, str]]:
        """Run one step: what it printed, and its outputs."""
        done = subprocess.run(
            self.command(workflow, job, name),
            cwd=self.stack.folder,
            env=self.environment(workflow, job, name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.summary = self._taken("GITHUB_STEP_SUMMARY")
        self.calls = [json.loads(line) for line in self._taken("GH_CALLS").splitlines()]
        text = self._taken("GITHUB_OUTPUT")
        blocks = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
        plain = re.findall(r"^(\w+)=(.*)$", text.partition("<<")[0], re.MULTILINE)
        return Run(done.returncode, done.stdout), {name: value for name, _, value in blocks} | dict(plain)

    def command(self, workflow: str, job: str, name: str) -> list[str]:
        """GitHub's own call of `shell: bash`."""
        script = self.folder / "script"
        script.write_text(self._step(workflow, job, name)["run"])
        return ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]

    def environment(self, workflow: str, job: str, name: str) -> dict[str, str]:
        """What GitHub sets, and the `env` of workflow and step; of Pulumi and Linq nothing else but where it lives."""
        given = loaded(workflow)["env"] | self._step(workflow, job, name).get("env", {})
        inherited = {
            key: value
            for key, value in self.stack.environment.items()
            if not key.startswith("PULUMI_") or key in ("PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK")
        }
        files = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GH_CALLS")
        return (
            inherited
            | {key: self.values[value] if "${{" in value else value for key, value in given.items()}
            | {file: str(self.folder / file) for file in files}
            | {
                "GH_ANSWER": self.answer,
                "GITHUB_REPOSITORY": "o/r",
                "PATH": f"{self.folder}{os.pathsep}{inherited['PATH']}",
                "RUNNER_TEMP": str(self.folder),
                "STACK": "dev",
            }
        )

    @staticmethod
    def _step(workflow: str, job: str, name: str) -> dict[str, Any]:
        (step,) = (step for step in loaded(workflow)["jobs"][job]["steps"] if step.get("name") == name)
        return step

    def _taken(self, name: str) -> str:
        file = self.folder / name
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text


def loaded(workflow: str) -> Any:
    """A workflow to copy."""
    return yaml.load((PIPELINES / "github" / f"{workflow}.yml").read_text(), Loader=yaml.BaseLoader)


@pytest.fixture
def runner(stack: Workspace, tmp_path: Path) -> Runner:
    """A repository with a key and a passphrase as secrets, and no key in the stack's configuration."""
    stack.unset("linq:apiKey")
    folder = tmp_path / "runner"
    folder.mkdir()
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    values = {
        "${{ github.event.pull_request.number }}": "7",
        "${{ github.repository }}": "o/r",
        "${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}": "https://git.example/run",
        "${{ github.token }}": "token",
        "${{ secrets.LINQ_API_V3_API_KEY }}": API_KEY,
        "${{ secrets.PULUMI_ACCESS_TOKEN }}": "",
        "${{ secrets.PULUMI_CONFIG_PASSPHRASE }}": stack.environment["PULUMI_CONFIG_PASSPHRASE"],
        "${{ vars.LINQ_LIVE_CHECK || 'true' }}": "true",
        "${{ vars.PULUMI_BACKEND_URL }}": stack.environment["PULUMI_BACKEND_URL"],
    }
    return Runner(stack, folder, values)


def declare(stack: Workspace, to: str, more: str = "") -> str:
    """A program of one line that forwards to `to`; returns the line's id."""
    line = stack.emulator.phone_numbers[0]
    declared = f'linq.PhoneNumberForwarding("x", phone_number="{line.phone_number}", forwarding_number="{to}")'
    stack.program(f"{declared}\n{more}\n")
    return line.id


def up(runner: Runner, to: str) -> str:
    """Declare one line and run the step of up.yml; returns the line's id."""
    line = declare(runner.stack, to)
    done, _ = runner.step("up", "up", "up")
    assert done.code == 0, done.output
    return line


def test_up_applies_and_preview_comments_once(runner: Runner) -> None:
    """up.yml writes what is declared; preview.yml writes nothing, and its comment, without the key, is made, then updated."""
    line = up(runner, OFFICE)
    assert runner.stack.writes() == [(line, OFFICE)]
    runner.stack.emulator.clear_requests()

    declare(runner.stack, DESK, 'import os; print("key:", os.environ["LINQ_API_V3_API_KEY"])')
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code == 0, done.output
    assert set(runner.stack.methods()) == {"GET"}
    comment = outputs["comment"]
    assert comment.startswith(
        "<!-- linq-preview dev -->\n`pulumi preview` of stack `dev` ended with exit code 0.\n\n" + FENCE
    )
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in comment
    assert "key: [secret]" in comment
    assert API_KEY not in comment + runner.summary
    assert runner.summary.strip() == comment

    runner.values["${{ needs.preview.outputs.comment }}"] = comment
    assert runner.step("preview", "comment", "comment, or update the comment")[0].code == 0
    (asked, _), (posted, body) = runner.calls
    assert asked[:3] == ["api", "--paginate", "repos/o/r/issues/7/comments"]
    assert posted[:4] == ["api", "--method", "POST", "repos/o/r/issues/7/comments"]
    assert body == comment + "\n"

    runner.answer = "501\n502"
    assert runner.step("preview", "comment", "comment, or update the comment")[0].code == 0
    _, (patched, body) = runner.calls
    assert patched[:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/501"]
    assert body == comment + "\n"


def test_a_refused_preview_is_commented_and_fails(runner: Runner) -> None:
    """A line that somebody else points elsewhere: the comment says so, the job fails, and nothing is written."""
    line = declare(runner.stack, OFFICE)
    runner.stack.emulator.set_forwarding(line, DESK)
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code not in (0, 7)
    assert f"ended with exit code {done.code}." in outputs["comment"]
    assert DESK in outputs["comment"]
    assert runner.stack.writes() == []


def test_a_long_preview_is_cut(runner: Runner) -> None:
    """A comment stays under what GitHub takes, and says that it is cut."""
    declare(runner.stack, OFFICE, 'print("\\u20ac" * 50 + "\\n", *["\\u20ac" * 50 + "\\n"] * 1500)')
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code == 0, done.output[-2000:]
    assert outputs["comment"].endswith(f"\n(cut here; the rest is in the log)\n{FENCE}")
    assert len(outputs["comment"]) < 65_536
    assert len(outputs["comment"].encode()) < 131_072  # Linux's limit for one variable
    assert len(done.output) > 65_536


def test_preview_without_a_linq_key(runner: Runner) -> None:
    """LINQ_LIVE_CHECK=false: the preview compares with the state, needs no key, and asks Linq nothing."""
    up(runner, OFFICE)
    runner.stack.emulator.clear_requests()
    declare(runner.stack, DESK)
    runner.values["${{ secrets.LINQ_API_V3_API_KEY }}"] = ""
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code != 0
    assert "LINQ_API_V3_API_KEY is empty" in outputs["comment"]
    runner.values["${{ vars.LINQ_LIVE_CHECK || 'true' }}"] = "false"
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code == 0, done.output
    assert "Without a Linq key: compared with the state" in outputs["comment"]
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in outputs["comment"]
    assert runner.stack.methods() == []


def test_preview_of_a_fork(runner: Runner) -> None:
    """Without any secret: what can be checked is, in the summary and not in a comment; neither account nor state is asked."""
    for name in ("LINQ_API_V3_API_KEY", "PULUMI_CONFIG_PASSPHRASE"):
        runner.values[f"${{{{ secrets.{name} }}}}"] = ""
    runner.values["${{ vars.PULUMI_BACKEND_URL }}"] = "s3://unreachable.invalid"
    settings = runner.stack.folder / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + "  linq:apiKey:\n    secure: v1:x:y\n  to: not-a-number\n")
    declare(runner.stack, OFFICE)
    kept = settings.read_text()
    done, outputs = runner.step("preview", "preview", "preview")
    assert done.code == 0, done.output
    assert outputs == {}
    assert "Without secrets: compared with nothing, so every line is shown as new." in runner.summary
    assert f'forwarding_number: "{OFFICE}"' in runner.summary
    (runner.folder / ".pulumi" / "stacks" / "engine-test" / "dev.json").unlink()

    settings.write_text(kept)
    line = runner.stack.emulator.phone_numbers[0].phone_number
    runner.stack.program(
        f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number=pulumi.Config().require("to"))'
    )
    done, _ = runner.step("preview", "preview", "preview")
    assert done.code != 0
    assert "E.164" in runner.summary
    assert runner.stack.methods() == []


def test_drift_opens_comments_and_closes(runner: Runner) -> None:
    """drift.yml: a hand edit opens one issue, is a comment on it the next night, and after the next up it is closed."""
    line = up(runner, OFFICE)
    runner.stack.emulator.set_forwarding(line, DESK)
    report(runner, "true")
    (listed, _), (label, _), (created, body) = runner.calls
    assert listed == [
        "issue",
        "list",
        "--state",
        "open",
        "--label",
        "linq-drift-dev",
        "--json",
        "number",
        "--jq",
        ".[0].number // empty",
    ]
    assert label[:3] == ["label", "create", "linq-drift-dev"]
    assert created[:6] == ["issue", "create", "--title", "Drift in stack dev", "--label", "linq-drift-dev"]
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in body
    assert API_KEY not in body

    runner.answer = "12"
    report(runner, "true")
    assert [call[:3] for call, _ in runner.calls[1:]] == [["issue", "comment", "12"]]
    assert DESK in runner.calls[1][1]

    runner.stack.emulator.clear_requests()
    assert runner.step("up", "up", "up")[0].code == 0
    assert runner.stack.writes() == [(line, OFFICE)]
    report(runner, "false")
    assert [call[:4] for call, _ in runner.calls[1:]] == [["issue", "close", "12", "--comment"]]

    runner.answer = ""
    report(runner, "false")
    assert len(runner.calls) == 1


def report(runner: Runner, drift: str) -> None:
    """Run both jobs of drift.yml; the first has to find what is said here."""
    done, outputs = runner.step("drift", "check", "check")
    assert (done.code, outputs["drift"]) == (0, drift), done.output
    runner.values |= {f"${{{{ needs.check.outputs.{name} }}}}": value for name, value in outputs.items()}
    done, _ = runner.step("drift", "report", "open, comment on or close the issue")
    assert done.code == 0, done.output


def test_drift_that_could_not_be_told(runner: Runner) -> None:
    """A wrong key fails the drift check: it says neither drift nor none, so no issue is touched."""
    up(runner, OFFICE)
    runner.stack.emulator.fail(Fault.parse("401"), times=None)
    done, outputs = runner.step("drift", "check", "check")
    assert done.code == 1  # whatever Pulumi's own code was
    assert "::error::It could not be told whether stack dev has drifted" in done.output
    assert outputs == {}


def test_a_cancelled_up_leaves_no_lock(runner: Runner) -> None:
    """GitHub's cancel interrupts Pulumi itself: the write under way ends, and the next up needs nothing taken away."""
    line = declare(runner.stack, OFFICE)
    runner.stack.emulator.fail(Fault.parse("delay=2"), method="PUT")
    process = subprocess.Popen(
        runner.command("up", "up", "up"),
        cwd=runner.stack.folder,
        env=runner.environment("up", "up", "up"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while "PUT" not in runner.stack.methods():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)  # to the first process of the step only, as GitHub does
    assert process.wait(60) != 0
    assert [*(runner.stack.folder / "backend" / ".pulumi" / "locks").rglob("*.json")] == []
    assert runner.step("up", "up", "up")[0].code == 0
    assert runner.stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    assert {written for written, _ in runner.stack.writes()} == {line}


# GitLab.


class GitLab(ThreadingHTTPServer):
    """Stands in for the notes of one merge request: pages of one note, and what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Notes)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.notes = {90: "somebody else's"}
        self.asked: list[str] = []


class Notes(BaseHTTPRequestHandler):
    """Lists, makes and changes notes."""

    server: GitLab
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        ids = sorted(self.server.notes)
        page = int((re.findall(r"[?&]page=(\d+)", self.path) or ["1"])[0])
        more = (
            f'<{self.server.url}/projects/3/merge_requests/7/notes?page={page + 1}>; rel="next"'
            if page < len(ids)
            else ""
        )
        self.reply([{"id": ids[page - 1], "body": self.server.notes[ids[page - 1]]}], Link=more)

    def do_POST(self) -> None:
        self.server.notes[max(self.server.notes) + 1] = self.body()
        self.reply({})

    def do_PUT(self) -> None:
        self.server.notes[int(self.path.rpartition("/")[2])] = self.body()
        self.reply({})

    def body(self) -> str:
        body: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return body

    def reply(self, answer: object, **headers: str) -> None:
        self.server.asked.append(f"{self.command} {self.headers['PRIVATE-TOKEN']}")
        data = json.dumps(answer).encode()
        self.send_response(200)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """A GitLab that ends with the test."""
    with GitLab() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def gitlab_job(stack: Workspace, name: str, **variables: str) -> Run:
    """Run a job's script as GitLab's runner does; the key comes as a variable, the passphrase and the state as well."""
    pipeline = yaml.load((PIPELINES / "gitlab" / ".gitlab-ci.yml").read_text(), Loader=yaml.BaseLoader)
    environment = {key: value for key, value in stack.environment.items() if key != "PULUMI_STACK"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(pipeline[name]["script"])],
        cwd=stack.folder,
        env=environment | {"STACK": "dev"} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def test_gitlab_up_preview_and_drift(stack: Workspace, gitlab: GitLab) -> None:
    """GitLab: up writes; preview keeps one note and an artifact, without the key; drift is 7, 0 once healed, else an error."""
    stack.unset("linq:apiKey")
    key = {"LINQ_API_V3_API_KEY": API_KEY}
    line = declare(stack, OFFICE)
    assert gitlab_job(stack, "up", **key).code == 0
    assert stack.writes() == [(line, OFFICE)]

    declare(stack, DESK, 'import os; print("key:", os.environ["LINQ_API_V3_API_KEY"])')
    note = {
        "CI_API_V4_URL": gitlab.url,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "LINQ_NOTE_TOKEN": "note-token",
    }
    for asked in (["GET", "POST"], ["GET", "GET", "PUT"]):
        gitlab.asked.clear()
        done = gitlab_job(stack, "preview", **key, **note)
        assert done.code == 0, done.output
        assert gitlab.asked == [f"{method} note-token" for method in asked]
        assert set(gitlab.notes) == {90, 91}
        assert gitlab.notes[91] == (stack.folder / "preview.txt").read_text()
        assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in gitlab.notes[91]
        assert "key: [secret]" in gitlab.notes[91]
        assert API_KEY not in gitlab.notes[91]
    assert gitlab.notes[90] == "somebody else's"

    declare(stack, OFFICE)
    stack.emulator.set_forwarding(line, DESK)
    assert gitlab_job(stack, "drift", **key).code == 7
    assert gitlab_job(stack, "up", **key).code == 0
    assert gitlab_job(stack, "drift", **key).code == 0
    assert gitlab_job(stack, "drift", LINQ_API_V3_API_KEY="another-key").code not in (0, 7)


def test_the_rotation_hands_over(runner: Runner) -> None:
    """rotation.yml and GitLab's rotation: the first run of a day is one write, a second one none; nobody on call fails."""
    stack = runner.stack
    for file in ("__main__.py", "rota.py", "rota.yaml"):
        shutil.copy(ROTATION / file, stack.folder)
    stack.configure(f"{PROJECT}:today", "2027-01-10")
    runs = [runner.step("rotation", "rotation", "up")[0]]
    stack.configure(f"{PROJECT}:today", "2027-01-11")
    runs += [gitlab_job(stack, "rotation", LINQ_API_V3_API_KEY=API_KEY), runner.step("rotation", "rotation", "up")[0]]
    assert [run.code for run in runs] == [0, 0, 0], runs
    assert [number for _, number in stack.writes()] == ["+12025550190", "+12025550191"]

    stack.configure(f"{PROJECT}:today", "2027-01-25")
    uncovered, _ = runner.step("rotation", "rotation", "up")
    assert uncovered.code != 0
    assert "nobody is on call on 2027-01-25" in uncovered.output
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025550191"


def test_gitlab_preview_without_secrets_and_without_a_key(stack: Workspace) -> None:
    """GitLab: a fork's preview, and one with LINQ_LIVE_CHECK=false, ask Linq nothing, and need no token for a note."""
    stack.unset("linq:apiKey")
    declare(stack, OFFICE)
    done = gitlab_job(stack, "preview", LINQ_LIVE_CHECK="false")
    assert done.code == 0, done.output
    assert "Without a Linq key" in (stack.folder / "preview.txt").read_text()
    done = gitlab_job(stack, "preview", PULUMI_CONFIG_PASSPHRASE="", PULUMI_BACKEND_URL="s3://unreachable.invalid")
    assert done.code == 0, done.output
    assert "Without secrets" in (stack.folder / "preview.txt").read_text()
    assert stack.methods() == []
