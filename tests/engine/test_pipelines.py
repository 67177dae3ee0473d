"""The pipelines to copy: their own scripts run, on the real engine, with a test double for `gh` that notes its arguments."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_systems import (
    CHECKOUT,
    MAIN,
    UNPRIVILEGED,
    GitHub,
    GitLab,
    NotesServer,
    Settings,
    add_script,
    inherited,
    notes_server,
    read_only,
    repository,
    run,
)
from conftest import API_KEY
from workspace import PROJECT, Run, Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

ROTATION = CHECKOUT / "examples" / "on-call-rotation"
OFFICE, DESK = "+12025559999", "+12025558888"
COMMENT = "comment, or update the comment"
BRANCH = "refs/heads/a-branch"


def state_settings(stack: Workspace) -> dict[str, str]:
    """Where the state is, and what decrypts it."""
    return {name: stack.environment[name] for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")}


@pytest.fixture
def github(stack: Workspace, tmp_path: Path) -> GitHub:
    """A repository whose environment `production` holds the key; no key in the stack's configuration."""
    stack.unset("linq:apiKey")
    settings = Settings(state_settings(stack), {"LINQ_API_V3_API_KEY": API_KEY})
    return GitHub(stack, tmp_path / "runner", settings)


def declare(stack: Workspace, to: str, more: str = "") -> str:
    """A program of one line that forwards to `to`; returns the line's id."""
    line = stack.emulator.phone_numbers[0]
    declared = f'linq.PhoneNumberForwarding("x", phone_number="{line.phone_number}", forwarding_number="{to}")'
    stack.program(f"{declared}\n{more}\n")
    return line.id


def up(github: GitHub, to: str) -> str:
    """Declare one line and run the step of up.yml; returns the line's id."""
    line = declare(github.stack, to)
    done, _ = github.step("up", "up", "up")
    assert done.code == 0, done.output
    return line


def preview(github: GitHub, *, writable: bool = False) -> tuple[Run, dict[str, str]]:
    """Run the step of preview.yml for a branch, with a state that it can only read."""
    github.ref, github.prefix = BRANCH, UNPRIVILEGED
    try:
        if writable:
            return github.step("preview", "preview", "preview")
        with read_only(github.stack.folder / "backend"):
            return github.step("preview", "preview", "preview")
    finally:
        github.ref, github.prefix = MAIN, []


def test_up_applies_and_preview_comments_once(github: GitHub) -> None:
    """up.yml writes what is declared; preview.yml asks Linq nothing, and its comment, without secrets, is made, then updated."""
    line = up(github, OFFICE)
    assert github.stack.writes() == [(line, OFFICE)]
    github.stack.emulator.clear_requests()

    declare(github.stack, DESK, 'import os; print("passphrase:", os.environ["PULUMI_CONFIG_PASSPHRASE"] + "!")')
    done, outputs = preview(github)
    assert done.code == 0, done.output
    assert github.stack.methods() == []
    assert outputs["text"].startswith(
        "pulumi preview of stack dev ended with exit code 0."
        " Without a Linq key: compared with the state, not with the lines.\n"
    )
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in outputs["text"]
    assert "passphrase: [secret]!" in outputs["text"]
    assert outputs["text"].strip() in github.summary

    assert github.step("preview", "comment", COMMENT)[0].code == 0
    (asked, _), (posted, body) = github.calls
    assert asked[:3] == ["api", "--paginate", "repos/o/r/issues/7/comments"]
    assert 'select(.user.login == "github-actions[bot]" and (.body | startswith(env.MARKER)))' in asked[4]
    assert posted[:4] == ["api", "--method", "POST", "repos/o/r/issues/7/comments"]
    heading = "`pulumi preview` of this pull request, as its own code printed it:"
    assert body.startswith(f"<!-- linq-preview dev -->\n{heading}\n\n```text\npulumi preview of stack dev ended")

    github.answer = "501\n502"
    assert github.step("preview", "comment", COMMENT)[0].code == 0
    _, (patched, again) = github.calls
    assert patched[:4] == ["api", "--method", "PATCH", "repos/o/r/issues/comments/501"]
    assert again == body


def test_a_preview_with_a_key_of_its_own(github: GitHub) -> None:
    """LINQ_PREVIEW_API_KEY, the exception: the preview compares with the lines, refuses somebody else's, and writes nothing."""
    line = declare(github.stack, OFFICE)
    github.stack.emulator.set_forwarding(line, DESK)
    github.settings.repository["LINQ_PREVIEW_API_KEY"] = API_KEY
    done, outputs = preview(github)
    assert done.code not in (0, 7)
    assert outputs["text"].startswith(f"pulumi preview of stack dev ended with exit code {done.code}.\n")
    assert DESK in outputs["text"]
    assert set(github.stack.methods()) == {"GET"}
    assert API_KEY not in outputs["text"] + github.summary + done.output


def test_a_long_preview_is_cut(github: GitHub) -> None:
    """A comment stays within GitHub's limit, and says that it is cut; the log has everything."""
    declare(github.stack, OFFICE, 'print("\\u20ac" * 50 + "\\n", *["\\u20ac" * 50 + "\\n"] * 1500)')
    done, outputs = preview(github)
    assert done.code == 0, done.output[-2000:]
    assert len(outputs["text"].encode()) < 131_072  # Linux's limit for one variable
    assert github.step("preview", "comment", COMMENT)[0].code == 0
    assert github.calls[1][1].endswith("\n(cut here; the rest is in the log)\n```\n")
    assert len(github.calls[1][1]) < 65_536
    assert len(done.output) > 65_536


def test_a_production_key_in_reach_of_pull_requests_is_refused(github: GitHub) -> None:
    """The production key as a secret of the repository, or of GitLab's preview: refused before the branch's code runs."""
    declare(github.stack, OFFICE, 'open("ran", "w")')
    github.settings.repository["LINQ_API_V3_API_KEY"] = API_KEY
    done, outputs = preview(github)
    assert (done.code, outputs) == (1, {})
    assert "::error::The key LINQ_API_V3_API_KEY is in reach of pull requests" in done.output
    gitlab = GitLab(github.stack, {"*": state_settings(github.stack) | {"LINQ_API_V3_API_KEY": API_KEY}})
    done = gitlab.job("preview")
    assert done.code == 1
    assert "is in reach of pull requests" in done.output
    assert not (github.stack.folder / "ran").exists()
    assert API_KEY not in done.output


@pytest.mark.parametrize("written", ["  linq:apiKey:\n    secure: v1:x:y\n", '  "linq:apiKey": {secure: v1:x:y}\n'])
def test_a_key_in_the_stack_file_is_refused(github: GitHub, written: str) -> None:
    """A key in Pulumi.dev.yaml, which every preview could decrypt: preview, up and drift refuse, and say what to do."""
    declare(github.stack, OFFICE, 'open("ran", "w")')
    settings = github.stack.folder / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + written)
    runs = [preview(github)[0], github.step("up", "up", "up")[0], github.step("drift", "check", "check")[0]]
    assert [done.code for done in runs] == [1, 1, 1]
    assert all(
        "Run `pulumi config rm linq:apiKey --stack dev`, revoke that key at Linq" in done.output for done in runs
    )
    assert not (github.stack.folder / "ran").exists()
    assert github.stack.methods() == []


def test_a_preview_that_could_write_the_state_is_refused(github: GitHub) -> None:
    """Credentials that can write the state: refused before the branch's code runs, unless the risk is accepted."""
    declare(github.stack, OFFICE, 'open("ran", "w")')
    done, outputs = preview(github, writable=True)
    assert (done.code, outputs) == (1, {})
    assert "any branch could plant code there that the next `pulumi up` runs" in done.output
    assert not (github.stack.folder / "ran").exists()
    assert "linq-preview-may-write" not in "".join(
        file.read_text() for file in (github.stack.folder / "backend").rglob("*") if file.is_file()
    )
    github.settings.repository["LINQ_PREVIEW_MAY_WRITE_STATE"] = "true"
    done, _ = preview(github, writable=True)
    assert done.code == 0, done.output
    assert (github.stack.folder / "ran").exists()


def test_preview_of_a_fork(github: GitHub) -> None:
    """Without any secret: what can be checked is; neither account nor state is asked, and the stack's file stays as it was."""
    github.settings.repository = {"PULUMI_BACKEND_URL": "s3://unreachable.invalid"}
    settings = github.stack.folder / "Pulumi.dev.yaml"
    settings.write_text(settings.read_text() + "  linq:apiKey:\n    secure: v1:x:y\n  to: not-a-number\n")
    declare(github.stack, OFFICE)
    kept = settings.read_text()
    done, _ = preview(github)
    assert done.code == 0, done.output
    assert "Without secrets: compared with nothing, so every line is shown as new." in github.summary
    assert f'forwarding_number: "{OFFICE}"' in github.summary
    assert settings.read_text() == kept

    line = github.stack.emulator.phone_numbers[0].phone_number
    github.stack.program(
        f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number=pulumi.Config().require("to"))'
    )
    done, _ = preview(github)
    assert done.code != 0
    assert "E.164" in github.summary
    assert github.stack.methods() == []


@pytest.mark.parametrize("ref", [BRANCH, "refs/tags/main", "refs/pull/7/merge", "refs/heads/refs/heads/main", ""])
def test_what_has_the_key_refuses_every_other_branch(github: GitHub, ref: str) -> None:
    """up, rotation and drift, started by hand on another branch or tag: refused before anything is asked or run."""
    declare(github.stack, OFFICE, 'open("ran", "w")')
    github.ref = ref
    github.settings.repository |= (
        github.settings.production
    )  # as if GitHub did not keep the environment from the branch
    for name, job, step in (("up", "up", "up"), ("rotation", "rotation", "up"), ("drift", "check", "check")):
        done, outputs = github.step(name, job, step)
        assert (done.code, outputs) == (1, {})
        assert f"::error::This job runs on branch main only, and BRANCH is '{ref}'. Nothing was done." in done.output
    assert not (github.stack.folder / "ran").exists()
    assert github.stack.methods() == []


def test_drift_opens_comments_and_closes(github: GitHub) -> None:
    """drift.yml: a hand edit opens one issue, is a comment on it the next night, and after the next up it is closed."""
    line = up(github, OFFICE)
    github.stack.emulator.set_forwarding(line, DESK)
    report(github, "true")
    (listed, _), (label, _), (created, body) = github.calls
    assert listed[:6] == ["issue", "list", "--state", "open", "--label", "linq-drift-dev"]
    assert label[:3] == ["label", "create", "linq-drift-dev"]
    assert created[:6] == ["issue", "create", "--title", "Drift in stack dev", "--label", "linq-drift-dev"]
    assert body.startswith("Stack `dev` is not what is declared (https://git.example/o/r/actions/runs/42).")
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in body
    assert API_KEY not in body

    github.answer = "12"
    report(github, "true")
    assert [call[:3] for call, _ in github.calls[1:]] == [["issue", "comment", "12"]]
    assert DESK in github.calls[1][1]

    github.stack.emulator.clear_requests()
    assert github.step("up", "up", "up")[0].code == 0
    assert github.stack.writes() == [(line, OFFICE)]
    report(github, "false")
    assert [call[:4] for call, _ in github.calls[1:]] == [["issue", "close", "12", "--comment"]]

    github.answer = ""
    report(github, "false")
    assert len(github.calls) == 1


def report(github: GitHub, drift: str) -> None:
    """Run both jobs of drift.yml; the first must have the expected result."""
    done, outputs = github.step("drift", "check", "check")
    assert (done.code, outputs["drift"]) == (0, drift), done.output
    done, _ = github.step("drift", "report", "open, comment on or close the issue")
    assert done.code == 0, done.output


def test_drift_that_could_not_be_determined(github: GitHub) -> None:
    """With a wrong key the drift check fails without a result, so no issue is changed."""
    up(github, OFFICE)
    github.stack.emulator.fail(Fault.parse("401"), times=None)
    done, outputs = github.step("drift", "check", "check")
    assert done.code == 1  # for every exit code of Pulumi
    assert "::error::Could not determine whether stack dev has drifted" in done.output
    assert outputs == {}


def test_a_cancelled_up_leaves_no_lock(github: GitHub) -> None:
    """GitHub's cancel interrupts Pulumi itself: the write under way ends, and the next up finds no lock."""
    line = declare(github.stack, OFFICE)
    github.stack.emulator.fail(Fault.parse("delay=2"), method="PUT")
    process = subprocess.Popen(
        github.command("up", "up", "up"),
        cwd=github.stack.folder,
        env=github.environment("up", "up", "up"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while "PUT" not in github.stack.methods():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)  # to the first process of the step only, as GitHub does
    assert process.wait(60) != 0
    assert [*(github.stack.folder / "backend" / ".pulumi" / "locks").rglob("*.json")] == []
    assert github.step("up", "up", "up")[0].code == 0
    assert github.stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    assert {written for written, _ in github.stack.writes()} == {line}


# GitLab.


@pytest.fixture
def notes() -> Iterator[NotesServer]:
    """A GitLab that ends with the test."""
    with notes_server() as server:
        yield server


@pytest.fixture
def gitlab(stack: Workspace, notes: NotesServer, tmp_path: Path) -> GitLab:
    """A project with the key in the scope production, and the token for notes in the scope notes."""
    stack.unset("linq:apiKey")
    predefined = {
        "CI_API_V4_URL": notes.url,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_REPOSITORY_URL": repository(tmp_path / "repository"),
    }
    scopes = {"production": {"LINQ_API_V3_API_KEY": API_KEY}, "notes": {"LINQ_NOTE_TOKEN": "note-token"}}
    return GitLab(stack, {"*": state_settings(stack)} | scopes, predefined)


def merge_request(gitlab: GitLab) -> Run:
    """Run the job `preview`, with a state that it can only read."""
    gitlab.prefix = UNPRIVILEGED
    with read_only(gitlab.stack.folder / "backend"):
        done = gitlab.job("preview")
    gitlab.prefix = []
    return done


def test_gitlab_up_preview_note_and_drift(gitlab: GitLab, notes: NotesServer) -> None:
    """GitLab: up writes; preview makes an artifact without secrets; note keeps one note; drift is 7, 0 once healed, else 1."""
    line = declare(gitlab.stack, OFFICE)
    assert gitlab.job("up", branch="main").code == 0
    assert gitlab.stack.writes() == [(line, OFFICE)]
    gitlab.stack.emulator.clear_requests()

    declare(gitlab.stack, DESK, 'import os; print("passphrase:", os.environ["PULUMI_CONFIG_PASSPHRASE"] + "!")')
    for asked in (["GET", "GET", "POST"], ["GET", "GET", "GET", "PUT"]):
        notes.asked.clear()
        done = merge_request(gitlab)
        assert done.code == 0, done.output
        done = gitlab.job("note")
        assert done.code == 0, done.output
        assert notes.asked == [f"{method} note-token" for method in asked]
        assert set(notes.notes) == {90, 91}
        author, body = notes.notes[91]
        assert author == 7
        assert body.startswith("<!-- linq-preview dev -->\n`pulumi preview` of this merge request, as its own code")
        assert (gitlab.stack.folder / "preview.txt").read_text().strip() in body
        assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in body
        assert "passphrase: [secret]!" in body
    assert notes.notes[90] == (9, "somebody else's")
    assert gitlab.stack.methods() == []

    declare(gitlab.stack, OFFICE)
    gitlab.stack.emulator.set_forwarding(line, DESK)
    assert gitlab.job("drift", branch="main").code == 7
    assert DESK in (gitlab.stack.folder / "drift.txt").read_text()
    assert gitlab.job("up", branch="main").code == 0
    assert gitlab.job("drift", branch="main").code == 0
    assert gitlab.job("drift", branch="main", LINQ_API_V3_API_KEY="another-key").code == 1


def test_gitlab_without_a_token_for_notes(gitlab: GitLab, notes: NotesServer) -> None:
    """GitLab: without LINQ_NOTE_TOKEN the job ends well and says where the preview is."""
    del gitlab.variables["notes"]
    done = gitlab.job("note")
    assert (done.code, done.output) == (0, "No LINQ_NOTE_TOKEN: the preview is the link in the merge request.\n")
    assert notes.asked == []


@pytest.mark.parametrize("job", ["up", "rotation", "drift"])
def test_gitlab_refuses_every_other_branch(gitlab: GitLab, job: str) -> None:
    """GitLab: the jobs that have the key refuse another branch and the pipeline of a merge request."""
    declare(gitlab.stack, OFFICE, 'open("ran", "w")')
    for branch in ("a-branch", ""):
        done = gitlab.job(job, branch=branch, LINQ_API_V3_API_KEY=API_KEY)
        assert done.code == 1
        assert f"This job runs on branch main only, and BRANCH is '{branch}'." in done.output
    assert not (gitlab.stack.folder / "ran").exists()


def test_the_rotation_hands_over(github: GitHub, gitlab: GitLab) -> None:
    """rotation.yml and GitLab's rotation: the first run of a day is one write, a second one none; without anybody on call it fails."""
    stack = github.stack
    for file in ("__main__.py", "rota.py", "rota.yaml"):
        shutil.copy(ROTATION / file, stack.folder)
    stack.configure(f"{PROJECT}:today", "2027-01-10")
    runs = [github.step("rotation", "rotation", "up")[0]]
    stack.configure(f"{PROJECT}:today", "2027-01-11")
    runs += [gitlab.job("rotation", branch="main"), github.step("rotation", "rotation", "up")[0]]
    assert [done.code for done in runs] == [0, 0, 0], runs
    assert [number for _, number in stack.writes()] == ["+12025550190", "+12025550191"]

    stack.configure(f"{PROJECT}:today", "2026-01-11")
    uncovered, _ = github.step("rotation", "rotation", "up")
    assert uncovered.code != 0
    assert "nobody is on call on 2026-01-11" in uncovered.output
    assert stack.emulator.phone_numbers[0].forwarding_number == "+12025550191"


# Any other CI.


def test_the_script_alone(stack: Workspace) -> None:
    """Another CI: up, preview and drift with nothing but the script, and environment variables that are empty where unset."""
    stack.unset("linq:apiKey")
    add_script(stack.folder)
    settings = inherited(stack) | state_settings(stack) | {"STACK": "dev", "AWS_ACCESS_KEY_ID": "", "PGPASSWORD": ""}
    trusted = settings | {"BRANCH": "main", "LINQ_API_V3_API_KEY": API_KEY}

    def pipeline(job: str, environment: dict[str, str]) -> Run:
        return run([*UNPRIVILEGED, "bash", "ci/pipeline.sh", job], stack.folder, environment)

    line = declare(stack, OFFICE)
    assert pipeline("up", trusted).code == 0
    assert stack.writes() == [(line, OFFICE)]
    declare(stack, DESK)
    with read_only(stack.folder / "backend"):
        done = pipeline("preview", settings | {"LINQ_API_V3_API_KEY": ""})
        assert done.code == 0, done.output
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in (stack.folder / "preview.txt").read_text()
    assert done.output == (stack.folder / "preview.txt").read_text()
    assert [pipeline("drift", trusted).code, pipeline("up", trusted).code, pipeline("drift", trusted).code] == [7, 0, 0]
    assert pipeline("down", trusted).output == "pipeline.sh knows install, preview, up, drift and report.\n"
