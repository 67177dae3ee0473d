"""GitHub for one repository on this machine: a bare Git repository whose hooks run the workflows, and the command `gh`.

`gh` is this module, run as a script. The repository's settings, pull request, issues and logs are kept in a file in the
folder that $LOCAL_GITHUB names. A secret of the environment reaches the branches that the environment names, and no others;
a protected branch takes nothing but merges. A value that is asked for is read from stdin.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ci_systems import MAIN, Settings, loaded

HOOK = "#!/bin/sh\nexec gh hook {name}\n"
REF = "refs/heads/"


@dataclass
class State:
    """What GitHub remembers."""

    repository: dict[str, str] = field(default_factory=dict)
    production: dict[str, str] | None = None  # until the environment is made
    restricted: bool = False
    branches: list[str] = field(default_factory=list)  # that may use a restricted environment
    protection: dict[str, Any] | None = None
    pull_request: str = ""  # the branch of the one that there is
    comments: list[str] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=dict)  # by workflow, one for each run


@dataclass
class LocalGitHub:
    """The repository, and the runner of its workflows."""

    folder: Path

    @property
    def bare(self) -> Path:
        """Where `origin` is."""
        return self.folder / "repository.git"

    @property
    def state(self) -> State:
        """As it is now; other processes may have changed it."""
        file = self.folder / "state.json"
        return State(**json.loads(file.read_text())) if file.exists() else State()

    def change(self, **values: Any) -> None:
        """Remember something."""
        (self.folder / "state.json").write_text(json.dumps(asdict(self.state) | values))

    def git(self, *arguments: str | Path, folder: Path | None = None, **environment: str) -> str:
        """Run Git outside of the repository whose hook this may be."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-c", "user.name=GitHub", "-c", "user.email=github@example.com", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=clean | environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.strip()

    def checkout(self, branch: str) -> Path:
        """A fresh clone."""
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="checkout-"))
        self.git("clone", "-q", "-b", branch, self.bare, folder)
        return folder

    # What the hooks do.

    def refuse_push(self, refs: list[str]) -> None:
        """Let nothing but a merge into a protected branch."""
        if MAIN in refs and self.state.protection and "MERGING" not in os.environ:
            sys.exit("error: GH006: Protected branch update failed for refs/heads/main.")

    def pushed(self, refs: list[str]) -> None:
        """Run what a push starts."""
        for ref in refs:
            if ref == MAIN:
                self.run("up", "main")
            elif ref == REF + self.state.pull_request:
                self.run("preview", self.state.pull_request)

    def run(self, name: str, branch: str) -> None:
        """Run the jobs of a workflow, until one fails that the next one needs."""
        workflow = loaded(self.checkout(branch) / ".github" / "workflows" / f"{name}.yml")
        outputs: dict[str, str] = {}
        log, succeeded = "", True
        for job_name, job in workflow["jobs"].items():
            if succeeded or "!cancelled()" in job.get("if", ""):
                printed, found, succeeded = self.job(job, branch, workflow["env"], outputs)
                outputs |= {f"needs.{job_name}.outputs.{key}": value for key, value in found.items()}
                log += printed
        runs = self.state.logs
        self.change(logs={**runs, name: [*runs.get(name, []), log]})

    def job(
        self, job: Mapping[str, Any], branch: str, env: Mapping[str, str], outputs: Mapping[str, str]
    ) -> tuple[str, dict[str, str], bool]:
        """Run the steps of a job: its log, its outputs, and whether all succeeded."""
        log, found = "", dict[str, str]()
        folder = self.checkout(branch)
        with tempfile.TemporaryDirectory(prefix="linq-job-") as temporary:
            for step in job["steps"]:
                if "checkout@" in step.get("uses", "") and "ref" in step["with"]:
                    folder = self.checkout(env["DEFAULT_BRANCH"])
                if "run" in step:
                    values = {**env, **step.get("env", {})}
                    given = {key: self.value(value, job, branch, outputs) for key, value in values.items()}
                    code, printed = self.step(step["run"], folder, given, Path(temporary))
                    log += printed
                    found |= written(Path(temporary) / "GITHUB_OUTPUT")
                    if code != 0:
                        return log, found, False
        return log, found, True

    def step(self, script: str, folder: Path, environment: Mapping[str, str], temporary: Path) -> tuple[int, str]:
        """Run one script on the runner: exit code and log."""
        (temporary / "script").write_text(script)
        runner = json.loads((self.folder / "runner.json").read_text())
        given = {name: str(temporary / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        given |= {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/phone-lines", "RUNNER_TEMP": str(temporary)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", temporary / "script"],
            cwd=folder,
            env=runner | given | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def value(self, text: str, job: Mapping[str, Any], branch: str, outputs: Mapping[str, str]) -> str:
        """The text with its expressions replaced."""
        state = self.state
        reaches = state.production is not None and (not state.restricted or branch in state.branches)
        settings = Settings(state.repository, state.production or {} if reaches else {})
        known = {
            "github.event.pull_request.number": "1",
            "github.ref": REF + branch,
            "github.repository": "acme/phone-lines",
            "github.run_id": "42",
            "github.server_url": "https://git.example",
            "github.token": "token",
        } | dict(outputs)

        def replaced(found: re.Match[str]) -> str:
            expression = found[1]
            if expression.startswith(("secrets.", "vars.")):
                return settings.value(expression, job, MAIN)
            return known.get(expression, "")

        return re.sub(r"\$\{\{ (.*?) \}\}", replaced, text)

    # What `gh` does.

    def create_repository(self) -> None:
        """Make the bare repository with its hooks, and the remote `origin` of the current folder."""
        self.git("init", "-q", "--bare", "-b", "main", self.bare)
        for name in ("pre-receive", "post-receive"):
            (self.bare / "hooks" / name).write_text(HOOK.format(name=name))
            (self.bare / "hooks" / name).chmod(0o755)
        self.git("remote", "add", "origin", self.bare)

    def set(self, name: str, options: list[str]) -> None:
        """Set a secret or a variable, of the repository or of the environment."""
        value = options[options.index("--body") + 1] if "--body" in options else sys.stdin.readline().rstrip("\n")
        if "--env" not in options:
            self.change(repository=self.state.repository | {name: value})
        elif self.state.production is None:
            sys.exit("HTTP 404: Not Found: there is no environment production")
        else:
            self.change(production=self.state.production | {name: value})

    def api(self, arguments: list[str]) -> None:
        """The calls of the page, and those of the workflows."""
        method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
        (path,) = (word for word in arguments if word.startswith("repos/"))
        body = dict(word.split("=", 1) for word in arguments if re.match(r"(name|body)=", word))
        if "--input" in arguments:
            body = json.loads(Path(arguments[arguments.index("--input") + 1]).read_text())
        match method, path.rpartition("/")[2]:
            case "PUT", "production":
                assert body["deployment_branch_policy"] == {"protected_branches": False, "custom_branch_policies": True}
                self.change(production=self.state.production or {}, restricted=True)
            case "POST", "deployment-branch-policies":
                self.change(branches=[*self.state.branches, body["name"]])
            case "PUT", "protection":
                self.change(protection=body)
            case "GET", "comments":
                print(*range(1, len(self.state.comments) + 1), sep="\n")
            case "POST", "comments":
                self.change(comments=[*self.state.comments, Path(body["body"].removeprefix("@")).read_text()])
            case "PATCH", number:
                comments = self.state.comments
                comments[int(number) - 1] = Path(body["body"].removeprefix("@")).read_text()
                self.change(comments=comments)
            case other:
                raise AssertionError(other)

    def open_pull_request(self) -> None:
        """One for the current branch, whose preview is run."""
        self.change(pull_request=self.git("branch", "--show-current"))
        self.run("preview", self.state.pull_request)

    def merge(self) -> None:
        """Bring the pull request into main, and delete its branch."""
        folder = self.checkout("main")
        self.git("merge", "-q", "--squash", f"origin/{self.state.pull_request}", folder=folder)
        self.git("commit", "-q", "-m", f"Merge {self.state.pull_request}", folder=folder)
        self.git("push", "-q", "origin", "main", folder=folder, MERGING="true")

    def issue(self, arguments: list[str]) -> None:
        """Open issues; the number is not shown, because there is none yet."""
        if arguments[0] == "create":
            title = arguments[arguments.index("--title") + 1]
            text = Path(arguments[arguments.index("--body-file") + 1]).read_text()
            self.change(issues=[*self.state.issues, f"{title}\n{text}"])


def written(file: Path) -> dict[str, str]:
    """The outputs in the file of a step."""
    text = file.read_text() if file.exists() else ""
    blocks = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
    plain = dict(re.findall(r"^(\w+)=(.*)$", text.partition("<<")[0], re.MULTILINE))
    return plain | {name: value for name, _, value in blocks}


def hook(github: LocalGitHub, name: str) -> None:
    """Be a hook of the repository, which is given what was pushed."""
    refs = [line.split()[2] for line in sys.stdin]
    {"pre-receive": github.refuse_push, "post-receive": github.pushed}[name](refs)


def main(arguments: list[str]) -> None:
    """Be `gh`, or a hook."""
    github = LocalGitHub(Path(os.environ["LOCAL_GITHUB"]))
    match arguments:
        case ["hook", name]:
            hook(github, name)
        case ["repo", "create", *_]:
            github.create_repository()
        case ["secret" | "variable", "set", name, *options]:
            github.set(name, options)
        case ["api", *rest]:
            github.api(rest)
        case ["pr", "create", "--fill"]:
            github.open_pull_request()
        case ["pr", "merge", "--squash"]:
            github.merge()
        case ["workflow", "run", name]:
            github.run(name, "main")
        case ["issue", *rest]:
            github.issue(rest)
        case ["label", "create", *_]:
            pass
        case other:
            sys.exit(f"gh: unknown command {other}")


if __name__ == "__main__":
    main(sys.argv[1:])
