"""Runs the pipelines' own scripts as GitHub, GitLab or another CI system would: each job with the variables that it gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from workspace import Run, Workspace

CHECKOUT = Path(__file__).resolve().parents[2]
PIPELINES = CHECKOUT / "pipelines"
SCRIPT = PIPELINES / "generic" / "pipeline.sh"
GITLAB = PIPELINES / "gitlab" / ".gitlab-ci.yml"
MAIN = "refs/heads/main"

# Root may write anywhere. Without its capabilities it may write only where the permissions of a file allow it.
UNPRIVILEGED = ["setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []

# As the real one, refuses without a token. Notes arguments and the file that one names; answers with what $GH_ANSWER holds.
GH = f"""#!{sys.executable}
import json, os, pathlib, sys
if not os.environ.get("GH_TOKEN"):
    sys.exit("To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable.")
files = [word.rpartition("@")[2] for word in sys.argv[1:] if word.rpartition("@")[2].startswith(os.environ["RUNNER_TEMP"])]
body = pathlib.Path(files[0]).read_text() if files else None
with open(os.environ["GH_CALLS"], "a") as calls:
    calls.write(json.dumps([sys.argv[1:], body]) + "\\n")
if "--jq" in sys.argv:
    print(os.environ["GH_ANSWER"])
"""


def loaded(file: Path) -> Any:
    """A pipeline with every scalar as text, or YAML 1.1 would read `on` as true."""
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)


def workflow(name: str) -> Any:
    """A workflow to copy."""
    return loaded(PIPELINES / "github" / f"{name}.yml")


def add_script(folder: Path) -> None:
    """Put the script where the pipelines expect it."""
    (folder / "ci").mkdir(exist_ok=True)
    shutil.copy(SCRIPT, folder / "ci")


def inherited(stack: Workspace) -> dict[str, str]:
    """What every job finds: where Pulumi lives, but no settings of Pulumi or Linq."""
    kept = ("PULUMI_HOME", "PULUMI_SKIP_UPDATE_CHECK")
    return {key: value for key, value in stack.environment.items() if not key.startswith("PULUMI_") or key in kept}


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run a script as a CI system does: no terminal, both outputs in one log."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in the folder can be written in the block, if root's capabilities are dropped."""
    subprocess.run(["chmod", "-R", "a-w", folder], check=True)
    yield
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)


@dataclass
class Settings:
    """The secrets and variables that a project has at GitHub; those of the environment come before the repository's."""

    repository: dict[str, str]
    production: dict[str, str]

    def value(self, expression: str, job: Mapping[str, Any], ref: str) -> str:
        """What `secrets.NAME`, `vars.NAME` or `secrets.NAME && 'text'` is in a job; a branch does not get the environment."""
        parts = re.fullmatch(r"(?:secrets|vars)\.(\w+)(?: && '([^']*)')?", expression)
        assert parts, expression
        scopes = [self.production] if (job.get("environment"), ref) == ("production", MAIN) else []
        found = next((scope[parts[1]] for scope in [*scopes, self.repository] if parts[1] in scope), "")
        return parts[2] if found and parts[2] else found


@dataclass
class GitHub:
    """Runs the steps of a workflow; expressions are replaced only in `env`."""

    stack: Workspace
    folder: Path  # RUNNER_TEMP
    settings: Settings
    ref: str = MAIN
    values: dict[str, str] = field(default_factory=dict)  # of the expressions that are no setting
    answer: str = ""  # of `gh`
    prefix: list[str] = field(default_factory=list)
    summary: str = ""
    calls: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give the runner `gh`, and the trusted checkout that some jobs make."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "gh").write_text(GH)
        (self.folder / "gh").chmod(0o755)
        for checkout in (self.stack.folder, self.trusted):
            checkout.mkdir(exist_ok=True)
            add_script(checkout)

    @property
    def trusted(self) -> Path:
        """The checkout of the default branch's script."""
        return self.folder / "trusted"

    def step(self, name: str, job: str, step: str) -> tuple[Run, dict[str, str]]:
        """Run one step: what it printed, and its outputs."""
        done = run(self.command(name, job, step), self.checkout(name, job), self.environment(name, job, step))
        self.summary = self._taken("GITHUB_STEP_SUMMARY")
        self.calls = [json.loads(line) for line in self._taken("GH_CALLS").splitlines()]
        text = self._taken("GITHUB_OUTPUT")
        blocks = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
        plain = re.findall(r"^(\w+)=(.*)$", text.partition("<<")[0], re.MULTILINE)
        outputs = {key: value for key, _, value in blocks} | dict(plain)
        self.values |= {f"needs.{job}.outputs.{key}": value for key, value in outputs.items()}
        return done, outputs

    def command(self, name: str, job: str, step: str) -> list[str]:
        """GitHub's own call of `shell: bash`."""
        script = self.folder / "script"
        script.write_text(self._step(name, job, step)["run"])
        return [*self.prefix, "bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]

    def checkout(self, name: str, job: str) -> Path:
        """The branch's checkout, or the default branch's where the job asks for that."""
        (options,) = (
            step["with"] for step in workflow(name)["jobs"][job]["steps"] if "checkout@" in step.get("uses", "")
        )
        return self.trusted if options.get("ref") == "${{ env.DEFAULT_BRANCH }}" else self.stack.folder

    def environment(self, name: str, job: str, step: str) -> dict[str, str]:
        """What GitHub sets, and the `env` of workflow and step."""
        given = workflow(name)["env"] | self._step(name, job, step).get("env", {})
        files = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GH_CALLS")
        return (
            inherited(self.stack)
            | {key: self._value(value, workflow(name)["jobs"][job]) for key, value in given.items()}
            | {file: str(self.folder / file) for file in files}
            | {
                "GH_ANSWER": self.answer,
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "o/r",
                "PATH": f"{self.folder}{os.pathsep}{self.stack.environment['PATH']}",
                "RUNNER_TEMP": str(self.folder),
                "STACK": "dev",
            }
        )

    def _value(self, text: str, job: Mapping[str, Any]) -> str:
        values = {
            "github.event.pull_request.number": "7",
            "github.ref": self.ref,
            "github.repository": "o/r",
            "github.run_id": "42",
            "github.server_url": "https://git.example",
            "github.token": "token",
        } | self.values
        return re.sub(
            r"\$\{\{ (.*?) \}\}",
            lambda found: values[found[1]] if found[1] in values else self.settings.value(found[1], job, self.ref),
            text,
        )

    @staticmethod
    def _step(name: str, job: str, step: str) -> dict[str, Any]:
        (found,) = (found for found in workflow(name)["jobs"][job]["steps"] if found.get("name") == step)
        return dict(found)

    def _taken(self, name: str) -> str:
        file = self.folder / name
        text = file.read_text(errors="replace") if file.exists() else ""
        file.unlink(missing_ok=True)
        return text


@dataclass
class GitLab:
    """Runs the jobs of the pipeline: a variable reaches the jobs of its scope, a protected one the default branch only."""

    stack: Workspace
    variables: dict[str, dict[str, str]]  # by environment scope; those of "production" are protected
    predefined: dict[str, str] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)

    def job(self, name: str, *, branch: str = "", **more: str) -> Run:
        """Run a job's script; `branch` is empty in the pipeline of a merge request."""
        add_script(self.stack.folder)
        command = [*self.prefix, "bash", "-eo", "pipefail", "-c", "\n".join(loaded(GITLAB)[name]["script"])]
        return run(command, self.stack.folder, self.environment(name, branch) | more)

    def environment(self, name: str, branch: str) -> dict[str, str]:
        """The variables of one job."""
        declared = loaded(GITLAB)[name].get("environment", "")
        scope = declared if isinstance(declared, str) else declared["name"]
        scoped = {} if scope == "production" and branch != "main" else self.variables.get(scope, {})
        set_by_gitlab = {"CI_DEFAULT_BRANCH": "main"} | ({"CI_COMMIT_BRANCH": branch} if branch else {})
        pipeline = loaded(GITLAB)["variables"] | {"STACK": "dev"}
        return inherited(self.stack) | self.predefined | set_by_gitlab | pipeline | self.variables.get("*", {}) | scoped


class NotesServer(ThreadingHTTPServer):
    """GitLab's API for the notes of one merge request: one note a page, and who asked for what."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Notes)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.users = {"note-token": 7, "branch-token": 9}
        self.notes: dict[int, tuple[int, str]] = {90: (9, "somebody else's")}  # id: author, body
        self.asked: list[str] = []


class _Notes(BaseHTTPRequestHandler):
    """Lists, makes and changes notes."""

    server: NotesServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/user":
            self.reply({"id": self.user})
            return
        ids = sorted(self.server.notes)
        page = int(parse_qs(urlsplit(self.path).query)["page"][0])
        author, body = self.server.notes[ids[page - 1]]
        following = str(page + 1) if page < len(ids) else ""
        self.reply([{"id": ids[page - 1], "author": {"id": author}, "body": body}], **{"X-Next-Page": following})

    def do_POST(self) -> None:
        self.write(max(self.server.notes) + 1)

    def do_PUT(self) -> None:
        self.write(int(self.path.rpartition("/")[2]))

    @property
    def user(self) -> int | None:
        return self.server.users.get(self.headers.get("PRIVATE-TOKEN", ""))

    def write(self, note: int) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        if self.user is not None:
            self.server.notes[note] = (self.user, body)
        self.reply({})

    def reply(self, answer: object, **headers: str) -> None:
        self.server.asked.append(f"{self.command} {self.headers.get('PRIVATE-TOKEN')}")
        data = json.dumps(answer).encode()
        self.send_response(401 if self.user is None else 200)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def notes_server() -> Iterator[NotesServer]:
    """A GitLab that ends with the block."""
    with NotesServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def repository(folder: Path) -> str:
    """A bare repository that holds the script on branch main; its URL."""
    source = folder / "source"
    source.mkdir(parents=True)
    add_script(source)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "script"]):
        subprocess.run(["git", *command], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", source, folder / "bare.git"], check=True)
    return f"file://{folder / 'bare.git'}"
