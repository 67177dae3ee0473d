"""A branch whose program attacks: each pipeline runs it as its preview, and nothing of it reaches production.

The state lies in PostgreSQL, whose role for previews has SELECT on one table. `hostile_branch.py` is the program.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ci_systems import (
    MAIN,
    SCRIPT,
    GitHub,
    GitLab,
    NotesServer,
    Settings,
    add_script,
    inherited,
    notes_server,
    repository,
    run,
)
from markdown_it import MarkdownIt
from postgres import PASSWORD, Postgres, postgres_server
from workspace import PROJECT, Run, Workspace

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

HOSTILE = Path(__file__).with_name("hostile_branch.py")
OFFICE = "+12025559999"
PREVIEW_PASSWORD = "preview-77c1d0"
KEY = "production-key-5b0e9c"  # in no other process of this machine
STACK = f"organization/{PROJECT}/dev"


class Evil(ThreadingHTTPServer):
    """A server of the attacker: notes who sent what."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _EvilHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []


class _EvilHandler(BaseHTTPRequestHandler):
    server: Evil

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path} {self.headers.get('Authorization')}")
        self.send_error(500)

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, seen by the production key only."""
    with Emulator(numbers=3, api_key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server; its role `preview` may log in, and nothing else."""
    with postgres_server() as server:
        server.sql(f"CREATE ROLE preview LOGIN PASSWORD '{PREVIEW_PASSWORD}'")
        yield server


@pytest.fixture
def evil() -> Iterator[Evil]:
    """It ends with the test."""
    with Evil() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def notes() -> Iterator[NotesServer]:
    """GitLab's API, which ends with the test."""
    with notes_server() as server:
        yield server


@dataclass
class Project:
    """A stack with its state in a database, and the settings that previews and production have."""

    stack: Workspace
    postgres: Postgres
    database: str

    def previews(self) -> dict[str, str]:
        """What the jobs of branches get."""
        url = self.postgres.url("preview", self.database)
        return {"PULUMI_BACKEND_URL": url, "PULUMI_CONFIG_PASSPHRASE": "local", "PGPASSWORD": PREVIEW_PASSWORD}

    def production(self) -> dict[str, str]:
        """What the default branch gets in place of it."""
        url = self.postgres.url(database=self.database)
        return {"PULUMI_BACKEND_URL": url, "PGPASSWORD": PASSWORD, "LINQ_API_V3_API_KEY": KEY}

    def state(self) -> str:
        """Every row of the database, every table and every right."""
        return "\n".join(
            self.postgres.sql(question, database=self.database)
            for question in (
                "SELECT * FROM pulumi_state ORDER BY key",
                "SELECT relname, relowner, relacl FROM pg_class WHERE relname LIKE 'pulumi%' ORDER BY relname",
                "SELECT rolname, rolsuper FROM pg_roles ORDER BY rolname",
                "SELECT nspname FROM pg_namespace ORDER BY nspname",
            )
        )

    def grant(self) -> None:
        """The one right of previews, once `up` has made the table."""
        self.postgres.sql("GRANT SELECT ON pulumi_state TO preview", database=self.database)

    def honest(self) -> None:
        """A fresh checkout of the default branch."""
        for left in ("planted", "ran-later", "json.py", "urllib.py", "re.py"):
            (self.stack.folder / left).unlink(missing_ok=True)
        shutil.rmtree(self.stack.folder / ".venv", ignore_errors=True)
        line = self.stack.emulator.phone_numbers[0].phone_number
        self.stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{OFFICE}")\n')
        self.stack.configure("linq:baseUrl", self.stack.emulator.url)

    def hostile(self, evil: Evil) -> None:
        """The branch: another program, and another server in the stack's file."""
        shutil.copy(HOSTILE, self.stack.folder / "__main__.py")
        (self.stack.folder / "evil-url").write_text(evil.url)
        self.stack.configure("linq:baseUrl", evil.url)


@pytest.fixture
def project(stack: Workspace, postgres: Postgres, request: pytest.FixtureRequest) -> Project:
    """A stack of its own database, without a key in its configuration."""
    database = "".join(filter(str.isalnum, request.node.name)).lower()[:60]
    postgres.sql(f"CREATE DATABASE {database}")
    stack.unset("linq:apiKey")
    project = Project(stack, postgres, database)
    stack.run("stack", "init", STACK, **project.production())
    project.grant()
    project.honest()
    add_script(stack.folder)
    return project


@dataclass
class Pipelines:
    """One CI system: its `up`, its preview, and the text that it would show to reviewers."""

    up: Callable[[], Run]
    preview: Callable[[], Run]
    drift: Callable[[], Run]
    shown: Callable[[], str]


def at_github(project: Project, tmp_path: Path) -> Pipelines:
    """The workflows of GitHub."""
    github = GitHub(project.stack, tmp_path / "runner", Settings(project.previews(), project.production()))

    def on(ref: str, name: str, job: str, step: str) -> Run:
        github.ref = ref
        return github.step(name, job, step)[0]

    def shown() -> str:
        done = on("refs/pull/7/merge", "preview", "comment", "comment, or update the comment")
        assert done.code == 0, done.output
        ((_, body),) = (call for call in github.calls if "POST" in call[0])
        return str(body)

    return Pipelines(
        lambda: on(MAIN, "up", "up", "up"),
        lambda: on("refs/pull/7/merge", "preview", "preview", "preview"),
        lambda: on("refs/heads/hostile", "drift", "check", "check"),
        shown,
    )


def at_gitlab(project: Project, tmp_path: Path, notes: NotesServer) -> Pipelines:
    """The jobs of GitLab; the attacker has a note with the marker already."""
    predefined = {
        "CI_API_V4_URL": notes.url,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_REPOSITORY_URL": repository(tmp_path / "repository"),
    }
    scopes = {"production": project.production(), "notes": {"LINQ_NOTE_TOKEN": "note-token"}}
    gitlab = GitLab(project.stack, {"*": project.previews()} | scopes, predefined)
    notes.notes[91] = (9, "<!-- linq-preview dev --> forged")

    def shown() -> str:
        done = gitlab.job("note")
        assert done.code == 0, done.output
        ((_, body),) = (note for note in notes.notes.values() if note[0] == 7)
        return body

    return Pipelines(
        lambda: gitlab.job("up", branch="main"),
        lambda: gitlab.job("preview"),
        lambda: gitlab.job("drift", branch="hostile"),
        shown,
    )


def at_another(project: Project, tmp_path: Path) -> Pipelines:
    """The script alone."""
    trusted = tmp_path / "trusted"
    base = inherited(project.stack) | {"STACK": "dev"} | project.previews()

    def job(name: str, **variables: str) -> Run:
        return run(["bash", "ci/pipeline.sh", name], project.stack.folder, base | variables)

    def shown() -> str:
        trusted.mkdir()
        text = str(project.stack.folder / "preview.txt")
        return run(["bash", str(SCRIPT), "report", text, "The preview:"], trusted, base).output

    return Pipelines(
        lambda: job("up", BRANCH="main", **project.production()),
        lambda: job("preview"),
        lambda: job("drift", BRANCH="hostile"),
        shown,
    )


def the_pipelines(system: str, project: Project, tmp_path: Path, notes: NotesServer) -> Pipelines:
    """Those of one CI system."""
    if system == "gitlab":
        return at_gitlab(project, tmp_path, notes)
    return {"github": at_github, "another": at_another}[system](project, tmp_path)


def kinds(markdown: str) -> list[str]:
    """The blocks that the text is made of, as CommonMark reads it."""
    return [token.type for token in MarkdownIt("commonmark").parse(markdown) if token.nesting >= 0]


@pytest.mark.parametrize("system", ["github", "gitlab", "another"])
def test_a_hostile_branch_reaches_nothing(
    system: str, project: Project, evil: Evil, notes: NotesServer, tmp_path: Path
) -> None:
    """No write to the state, no key, no post as the note's author, no way out of the fence, no other base URL."""
    pipelines = the_pipelines(system, project, tmp_path, notes)
    first = pipelines.up()
    assert first.code == 0, first.output
    before, written = project.state(), project.stack.writes()

    project.hostile(evil)
    attacked = pipelines.preview()
    loot = (project.stack.folder / "loot").read_text()
    assert PREVIEW_PASSWORD in loot, "the attack saw less than it could"
    assert project.state() == before
    assert KEY not in loot + attacked.output
    assert PASSWORD not in loot
    assert [note for note in notes.notes.values() if note[0] == 7] == []
    assert evil.asked == []

    refused = pipelines.drift()
    assert refused.code == 1
    assert "runs on branch main only" in refused.output

    (project.stack.folder / "ran-later").unlink(missing_ok=True)  # the rest of the branch's own job may have run it
    shown = pipelines.shown()
    assert not (project.stack.folder / "ran-later").exists()
    assert "broken out" in shown
    assert kinds(shown)[-1] == "fence"
    assert set(kinds(shown)[:-1]) <= {"html_block", "paragraph_open", "inline"}
    assert kinds(shown).count("fence") == 1
    assert not {"\x1b", "\u202e", "\u2028", "\r"} & set(shown)
    assert notes.notes.get(91, (9, ""))[0] == 9

    project.honest()
    again = pipelines.up()
    assert again.code == 0, again.output
    assert again.changes == {}
    assert not (project.stack.folder / "planted").exists()
    assert project.stack.writes() == written
    assert evil.asked == []


def test_with_the_right_to_write_the_attack_works(project: Project, evil: Evil, tmp_path: Path) -> None:
    """The same program, with the credentials of `up`: refused before it runs; where that is overruled, it gets the key."""
    pipelines = at_github(project, tmp_path)
    assert pipelines.up().code == 0
    settings = project.previews() | {k: v for k, v in project.production().items() if k != "LINQ_API_V3_API_KEY"}
    github = GitHub(project.stack, tmp_path / "runner", Settings(settings, project.production()))
    project.hostile(evil)
    done, _ = github.step("preview", "preview", "preview")
    assert done.code == 1
    assert "The credentials of this preview can write the state of stack dev" in done.output
    assert not (project.stack.folder / "loot").exists()

    github.settings.repository["LINQ_PREVIEW_MAY_WRITE_STATE"] = "true"
    github.step("preview", "preview", "preview")
    project.honest()
    pipelines.up()
    assert (project.stack.folder / "planted").read_text().strip() == KEY
