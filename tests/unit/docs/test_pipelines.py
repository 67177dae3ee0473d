"""The workflows of this project, and those that users copy: checked by actionlint, pinned, and with least rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
OWN = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
COPIED = sorted((CHECKOUT / "pipelines" / "github").glob("*.yml"))
WORKFLOWS = OWN + COPIED
GITLAB = CHECKOUT / "pipelines" / "gitlab" / ".gitlab-ci.yml"

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def loaded(file: Path) -> Any:
    """The file with every scalar as text, or YAML 1.1 would read `on` as true."""
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in loaded(file)["jobs"].values() for step in job["steps"]]


def gitlab_jobs() -> dict[str, Any]:
    keywords = {"workflow", "stages", "variables", "default"}
    return {name: job for name, job in loaded(GITLAB).items() if name not in keywords}


def scripts() -> Iterator[tuple[str, str]]:
    """Every shell script, and where it stands."""
    for file in WORKFLOWS:
        yield from ((f"{file.stem}: {step.get('name')}", step["run"]) for step in steps(file) if "run" in step)
    yield from (("gitlab: default", line) for line in loaded(GITLAB)["default"]["before_script"])
    yield from ((f"gitlab: {name}", line) for name, job in gitlab_jobs().items() for line in job["script"])


def actionlint(*files: Path) -> tuple[int, str]:
    """Exit code and output; without the linters that it finds on some machines only."""
    program = shutil.which("actionlint")
    if program is None:
        pytest.fail("no actionlint on PATH: run the tests with `make test`, which gets one")
    command = [program, "-no-color", "-oneline", "-shellcheck=", "-pyflakes=", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_actionlint_passes() -> None:
    """actionlint finds nothing in the project's own workflows and in those to copy."""
    assert {file.stem for file in WORKFLOWS} == {"ci", "release", "preview", "up", "drift", "rotation"}
    assert actionlint(*WORKFLOWS) == (0, "")


def test_actionlint_would_find_an_injection(tmp_path: Path) -> None:
    """The same actionlint refuses a pull request's title inside a script."""
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(
        "on: pull_request\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
    )
    code, said = actionlint(workflow)
    assert code == 1
    assert "potentially untrusted" in said


@each_workflow
def test_actions_are_pinned(file: Path) -> None:
    """Every action is pinned by a full commit SHA, with its version beside it."""
    lines = [line for line in file.read_text().splitlines() if "uses:" in line]
    assert len(lines) == sum("uses" in step for step in steps(file)) > 0
    pinned = re.compile(r" *- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_an_action_has_one_version() -> None:
    """No action is pinned to two commits or two versions."""
    texts = "\n".join(file.read_text() for file in WORKFLOWS)
    pins = set(re.findall(r"uses: (\S+)@(\w+) # (\S+)", texts))
    assert len({action for action, _, _ in pins}) == len(pins)


@each_workflow
def test_rights_are_least(file: Path) -> None:
    """No workflow may write by default, and no job may more than is listed here."""
    workflow = loaded(file)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    given = {
        name: {right for right, level in job["permissions"].items() if level == "write"}
        for name, job in workflow["jobs"].items()
        if "permissions" in job
    }
    assert all(
        level in ("read", "write") for job in workflow["jobs"].values() for level in job.get("permissions", {}).values()
    )
    assert {name: rights for name, rights in given.items() if rights} == {
        "preview": {"comment": {"pull-requests"}},
        "drift": {"report": {"issues"}},
        "release": {"publish": {"id-token"}, "release": {"contents"}},
    }.get(file.stem, {})


@each_workflow
def test_a_job_that_may_write_runs_no_code_of_the_repository(file: Path) -> None:
    """A job that may write checks nothing out and installs nothing; every checkout drops its token."""
    for job in loaded(file)["jobs"].values():
        used = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        if "write" in job.get("permissions", {}).values():
            assert set(used) <= {"", "actions/download-artifact", "pypa/gh-action-pypi-publish"}
    checkouts = [step for step in steps(file) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


@each_workflow
def test_triggers_and_ends(file: Path) -> None:
    """Pull requests run without the secrets of a fork's target, and every job has an end."""
    assert "pull_request_target" not in loaded(file)["on"]
    assert "workflow_run" not in loaded(file)["on"]
    assert all(int(job["timeout-minutes"]) <= 180 for job in loaded(file)["jobs"].values())


def test_what_writes_is_never_cancelled() -> None:
    """A run that writes waits for the one before it, which nothing cancels: up, release, and GitLab's up."""
    for name in ("up", "release"):
        (file,) = (file for file in WORKFLOWS if file.stem == name)
        assert loaded(file)["concurrency"]["cancel-in-progress"] == "false"
    assert "${{" not in loaded(CHECKOUT / "pipelines" / "github" / "up.yml")["concurrency"]["group"]
    assert gitlab_jobs()["up"]["interruptible"] == "false"
    assert gitlab_jobs()["up"]["resource_group"]


def test_the_rotation_never_runs_beside_up() -> None:
    """The rotation and up wait for one another, at GitHub and at GitLab, and nothing cancels it."""
    up, rotation = (loaded(CHECKOUT / "pipelines" / "github" / f"{name}.yml") for name in ("up", "rotation"))
    assert rotation["concurrency"] == up["concurrency"]
    assert set(rotation["on"]) == {"schedule", "workflow_dispatch"}
    same = ("stage", "environment", "resource_group", "interruptible", "script")
    assert [gitlab_jobs()["rotation"][key] for key in same] == [gitlab_jobs()["up"][key] for key in same]


def test_a_schedule_starts_one_job() -> None:
    """At GitLab a schedule checks for drift, or hands over where it says so, and never both."""
    jobs = gitlab_jobs()
    (drift,), (rotation,) = (jobs[name]["rules"] for name in ("drift", "rotation"))
    assert drift["if"] == '$CI_PIPELINE_SOURCE == "schedule" && $LINQ_SCHEDULE != "rotation"'
    assert rotation["if"].endswith(' && $CI_PIPELINE_SOURCE == "schedule" && $LINQ_SCHEDULE == "rotation"')


def test_no_expression_inside_a_script() -> None:
    """Scripts get what they need through their environment: no `${{ }}` stands in one."""
    found = dict(scripts())
    assert len(found) > 12
    assert [where for where, script in found.items() if "${{" in script] == []


def test_scripts_are_bash() -> None:
    """bash can parse every script."""
    for where, script in scripts():
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert (done.returncode, done.stderr) == (0, ""), where


def test_gitlab_jobs() -> None:
    """The GitLab pipeline has its four jobs, each with a script, a rule, a time limit and a stage that exists."""
    jobs = gitlab_jobs()
    assert set(jobs) == {"preview", "up", "rotation", "drift"}
    for job in jobs.values():
        assert all(isinstance(line, str) for line in job["script"])
        assert job["script"]
        assert job["rules"]
        assert job["timeout"]
        assert job["stage"] in loaded(GITLAB)["stages"]


def test_both_say_the_same() -> None:
    """The Pulumi commands, the lines that install, and the exit code of drift are the same at GitHub and at GitLab."""
    github = {file.stem: "\n".join(step.get("run", "") for step in steps(file)) for file in COPIED}
    assert (
        len({step["run"] for file in COPIED for step in steps(file) if step.get("name", "").startswith("install")}) == 1
    )
    command = re.compile(r"^(?:exec )?(pulumi (?:preview|up) --[^>\n\\]*)", re.MULTILINE)
    for name, job in gitlab_jobs().items():
        (there,) = command.findall("\n".join(job["script"]))
        (here,) = command.findall(github[name])
        assert here.split() == there.split()
    line = next(line for line in loaded(GITLAB)["default"]["before_script"] if "PulumiCommand" in line)
    assert all(line in script for script in github.values())


def test_the_installed_cli_is_where_path_says(tmp_path: Path) -> None:
    """The line that installs the CLI takes the one of the package's version in ~/.pulumi/bin for it, without the network."""
    cli = tmp_path / ".pulumi" / "bin" / "pulumi"
    cli.parent.mkdir(parents=True)
    cli.write_text(f"#!/bin/sh\necho v{version('pulumi')}\n")
    cli.chmod(0o755)
    line = next(line for line in loaded(GITLAB)["default"]["before_script"] if "PulumiCommand" in line)
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {
        "HOME": str(tmp_path),
        "HTTPS_PROXY": nowhere,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [file.name for file in cli.parent.iterdir()] == ["pulumi"]


def test_the_document_names_every_secret_and_variable() -> None:
    """docs/pipelines.md names each secret and variable that the pipelines take, and each file to copy."""
    texts = "\n".join(file.read_text() for file in COPIED)
    named = set(re.findall(r"(?:secrets|vars)\.(\w+)", texts)) | set(re.findall(r"\$\{(\w+):-", GITLAB.read_text()))
    assert len(named) > 4
    document = (CHECKOUT / "docs" / "pipelines.md").read_text()
    assert {name for name in named if f"`{name}`" not in document} == set()
    for file in [*COPIED, GITLAB]:
        assert str(file.relative_to(CHECKOUT)) in document
