"""The workflows of this project, and those that users copy: checked by actionlint, pinned, and with least rights."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

CHECKOUT = Path(__file__).resolve().parents[3]
OWN = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
COPIED = sorted((CHECKOUT / "pipelines" / "github").glob("*.yml"))
WORKFLOWS = OWN + COPIED
GITLAB = CHECKOUT / "pipelines" / "gitlab" / ".gitlab-ci.yml"
SCRIPT = CHECKOUT / "pipelines" / "generic" / "pipeline.sh"

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
    yield "pipeline.sh", SCRIPT.read_text()
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
        "release": {
            "attest": {"attestations", "id-token"},
            "publish": {"id-token"},
            "publish-python-sdk": {"id-token"},
            "publish-npm-sdk": {"id-token"},
            "release": {"contents"},
        },
    }.get(file.stem, {})


@each_workflow
def test_a_job_that_may_write_runs_nothing_of_a_branch(file: Path) -> None:
    """A job that may write checks out the script of the default branch at most; every checkout drops its token."""
    for job in loaded(file)["jobs"].values():
        used = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        if "write" in job.get("permissions", {}).values():
            assert set(used) <= {
                "",
                "actions/attest-build-provenance",
                "actions/checkout",
                "actions/download-artifact",
                "pypa/gh-action-pypi-publish",
            }
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert (step["with"]["ref"], step["with"]["sparse-checkout"]) == ("${{ env.DEFAULT_BRANCH }}", "ci")
    checkouts = [step for step in steps(file) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_the_key_is_in_the_protected_environment_only() -> None:
    """At GitHub the key, and any secret of it, is named by jobs of the environment `production` alone, or only tested for."""
    for file in COPIED:
        for name, job in loaded(file)["jobs"].items():
            text = repr(job).replace("secrets.LINQ_API_V3_API_KEY && 'any branch can read it'", "")
            has_key = "secrets.LINQ_API_V3_API_KEY" in text
            assert has_key == (job.get("environment") == "production"), (file.stem, name)
            assert not has_key or "BRANCH" in repr(job["steps"][-1]["env"]), (
                "the script could not refuse other branches"
            )


def test_the_branch_runs_last_in_its_job() -> None:
    """No step follows the one that runs a branch's code: it could have changed what that step runs."""
    preview = loaded(CHECKOUT / "pipelines" / "github" / "preview.yml")["jobs"]["preview"]
    assert [step.get("name") for step in preview["steps"]][-2:] == ["install", "preview"]


def test_the_token_for_notes_is_in_a_job_without_the_branch() -> None:
    """At GitLab the token's scope belongs to the job `note` alone, which checks nothing out and installs nothing."""
    jobs = gitlab_jobs()
    assert [name for name, job in jobs.items() if "LINQ_NOTE_TOKEN" in repr(job)] == ["note"]
    scopes = {name: job["environment"] for name, job in jobs.items()}
    assert [name for name, scope in scopes.items() if scope == {"name": "notes", "action": "access"}] == ["note"]
    assert jobs["note"]["variables"] == {"GIT_STRATEGY": "none"}
    assert jobs["note"]["before_script"] == []


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
    assert rotation["jobs"]["rotation"] == up["jobs"]["up"]
    assert [gitlab_jobs()["rotation"][key] for key in same] == [gitlab_jobs()["up"][key] for key in same]


def test_a_schedule_starts_one_job() -> None:
    """At GitLab a schedule checks for drift or, if its variable says so, does the rotation, and never both."""
    jobs = gitlab_jobs()
    (drift,), (rotation,) = (jobs[name]["rules"] for name in ("drift", "rotation"))
    schedule = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE == "schedule"'
    assert drift["if"] == f'{schedule} && $LINQ_SCHEDULE != "rotation"'
    assert rotation["if"] == f'{schedule} && $LINQ_SCHEDULE == "rotation"'


def test_no_expression_inside_a_script() -> None:
    """Scripts get what they need through their environment: none contains `${{ }}`."""
    found = dict(scripts())
    assert len(found) > 12
    assert [where for where, script in found.items() if "${{" in script] == []


def test_scripts_are_bash() -> None:
    """bash can parse every script."""
    for where, script in scripts():
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert (done.returncode, done.stderr) == (0, ""), where


def test_gitlab_jobs() -> None:
    """The GitLab pipeline has its five jobs, each with a script, a rule, a time limit and a stage that exists."""
    jobs = gitlab_jobs()
    assert set(jobs) == {"preview", "note", "up", "rotation", "drift"}
    for job in jobs.values():
        assert all(isinstance(line, str) for line in job["script"])
        assert job["script"]
        assert job["rules"]
        assert job["timeout"]
        assert job["stage"] in loaded(GITLAB)["stages"]


def test_every_rule_is_in_the_script() -> None:
    """GitHub and GitLab call the script for each job, and Pulumi is called nowhere else."""
    called = dict[str, set[str]]()
    own = tuple(file.stem for file in OWN)
    for where, script in scripts():
        if where != "pipeline.sh" and not where.startswith(own):
            called.setdefault(where.partition(":")[0], set()).update(re.findall(r"pipeline\.sh (\w+)", script))
            assert not re.search(r"(^|[\s&;|])(pulumi|pip) ", script), where
    assert {where: jobs for where, jobs in called.items() if jobs} == {
        "preview": {"install", "preview", "report"},
        "up": {"install", "up"},
        "rotation": {"install", "up"},
        "drift": {"install", "drift", "report"},
        "gitlab": {"install", "preview", "report", "up", "drift"},
    }


def test_every_secret_is_hidden() -> None:
    """Each secret that a workflow takes is in the script's list of what is hidden, and each of the list in docs/pipelines.md."""
    listed = set(re.findall(r"[A-Z0-9_]{4,}", SCRIPT.read_text().partition("\nSECRETS=(")[2].partition(")")[0]))
    taken = set(re.findall(r"secrets\.(\w+)", "\n".join(file.read_text() for file in COPIED)))
    assert len(taken) > 8
    assert taken - listed == set()
    document = (CHECKOUT / "docs" / "pipelines.md").read_text()
    assert {name for name in listed if f"`{name}`" not in document} == set()


def report(file: Path, title: str = "Title") -> subprocess.CompletedProcess[bytes]:
    """Run `pipeline.sh report`."""
    return subprocess.run(
        ["bash", SCRIPT, "report", file, title], cwd=file.parent, capture_output=True, timeout=60, check=False
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["`", "```", "~~~", "\n", "\r", " ", "\t", "a", "-->", "<h1>", "\u2028"])).map("".join))
@example("`" * 20_000)
@example("```\n# out\n````\n")
def test_nothing_breaks_out_of_a_report(tmp_path: Path, text: str) -> None:
    """Whatever the file holds, the report is a title and one code block, as CommonMark reads it, and fits GitHub's limit."""
    (tmp_path / "text").write_bytes(text.encode())
    done = report(tmp_path / "text", "<!-- marker -->\nTitle")
    markdown = done.stdout.decode()
    tokens = [token for token in MarkdownIt("commonmark").parse(markdown) if token.nesting >= 0]
    assert [token.type for token in tokens] == ["html_block", "paragraph_open", "inline", "fence"]
    assert tokens[2].content == "Title"
    assert len(markdown) < 65_536
    assert "\r" not in markdown


def test_a_report_of_a_link_is_refused(tmp_path: Path) -> None:
    """A file that a branch's job replaced by a link, as to the environment of the job that has the token, is not read."""
    (tmp_path / "secret").write_text("note-token")
    (tmp_path / "preview.txt").symlink_to(tmp_path / "secret")
    done = report(tmp_path / "preview.txt")
    assert done.returncode != 0
    assert b"note-token" not in done.stdout + done.stderr


def test_a_report_shows_what_it_leaves_out(tmp_path: Path) -> None:
    """Control characters, escape sequences and bytes that are not text are shown as such; a cut file shows where."""
    (tmp_path / "text").write_bytes(b"a\x1b[31mb\xffc\xe2\x80\xaed\n" + b"x" * 30_000)
    markdown = report(tmp_path / "text").stdout.decode()
    assert markdown.startswith("Title\n\n```text\na\ufffd[31mb\ufffdc\ufffdd\nxxx")
    assert markdown.endswith("x\n(cut here; the rest is in the log)\n```\n")


def test_the_document_names_every_secret_and_variable() -> None:
    """docs/pipelines.md names each secret and variable that the pipelines take, and each file to copy."""
    texts = "\n".join(file.read_text() for file in COPIED)
    named = set(re.findall(r"(?:secrets|vars)\.(\w+)", texts)) | set(
        re.findall(r"\$\{(LINQ_\w+):-", GITLAB.read_text())
    )
    assert len(named) > 4
    document = (CHECKOUT / "docs" / "pipelines.md").read_text()
    assert {name for name in named if f"`{name}`" not in document} == set()
    for file in [*COPIED, GITLAB, SCRIPT, CHECKOUT / "pipelines" / "CODEOWNERS"]:
        assert str(file.relative_to(CHECKOUT)) in document


def test_the_examples_for_other_systems_call_the_script() -> None:
    """The blocks for Azure Pipelines and Jenkins call jobs that the script has, with variables that it reads."""
    document = (CHECKOUT / "docs" / "pipelines.md").read_text()
    section = document.partition("\n## Jenkins, Azure Pipelines and others\n")[2].partition("\n## ")[0]
    called = re.findall(r"bash ci/pipeline\.sh (\w+)", section)
    assert set(called) == {"install", "preview", "up", "drift", "report"}
    script = SCRIPT.read_text()
    given = set(re.findall(r"^ +([A-Z][A-Z0-9_]+)(?::| =) ", section, re.MULTILINE))
    assert {"BRANCH", "LINQ_API_V3_API_KEY", "PULUMI_CONFIG_PASSPHRASE"} <= given
    assert {name for name in given if name not in script} == set()


def test_every_refusal_is_explained() -> None:
    """docs/pipelines.md says what to do about each refusal of the script, and quotes its exact message."""
    document = (CHECKOUT / "docs" / "pipelines.md").read_text()
    section = document.partition("\n### When a job refuses\n")[2].partition("\n## ")[0]
    quoted = [text.removeprefix("… ") for text in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)]
    said = re.sub(r'" \\\n +"', " ", SCRIPT.read_text()).replace("$DEFAULT_BRANCH", "main")
    refusals = re.findall(r'refuse "(.*)', said)
    assert len(refusals) > 7
    of_pip = {"THESE PACKAGES DO NOT MATCH THE HASHES"}
    assert [text for text in quoted if text not in of_pip and not any(text in refusal for refusal in refusals)] == []
    unexplained = [refusal for refusal in refusals if not any(text in refusal for text in quoted)]
    assert [refusal[:40] for refusal in unexplained] == [
        "pipeline.sh knows install, preview, up, ",  # a call that no pipeline makes
        "Could not determine whether stack $STACK",  # Pulumi's own error stands above it
    ]
