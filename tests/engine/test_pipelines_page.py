"""docs/pipelines.md, followed from an empty folder: every command as written, with a bare repository in place of GitHub.

The emulator replaces Linq, and a real PostgreSQL server stores the state. The output must be as on the page.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_systems import CHECKOUT, GITLAB
from local_github import LocalGitHub
from postgres import PASSWORD, Postgres, postgres_server
from reader import Reader, program, put_python, reach_the_index
from snippets import Command, section

from linq_provider.emulator import Emulator

pytestmark = pytest.mark.engine

FIRST, SECOND = "+12025559999", "+12025558888"
UP, PREVIEW, PASSPHRASE, KEY = "up-password", "preview-password", "a passphrase", "linq-key-93ce10"
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
ANSWERS = {  # what the commands ask for
    "createuser --host db.example.com --username postgres --pwprompt linq_up": f"{UP}\n{UP}\n",
    "createuser --host db.example.com --username postgres --pwprompt linq_preview": f"{PREVIEW}\n{PREVIEW}\n",
    "read -rs PGPASSWORD": f"{UP}\n",
    "read -rs PULUMI_CONFIG_PASSPHRASE": f"{PASSPHRASE}\n",
    "gh secret set PGPASSWORD --env production": f"{UP}\n",
    "gh secret set PGPASSWORD": f"{PREVIEW}\n",
    "gh secret set PULUMI_CONFIG_PASSPHRASE": f"{PASSPHRASE}\n",
    "gh secret set LINQ_API_V3_API_KEY --env production": f"{KEY}\n",
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """The account of the page."""
    with Emulator(numbers=1, api_key=KEY) as running:
        yield running


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server whose administrator is called postgres."""
    with postgres_server() as server:
        server.sql(f"CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Pulumi's download site: the CLI of this machine as the release that it is, and its hash."""
    site = tmp_path / "site"
    site.mkdir()
    version = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout.strip()
    archive = site / f"pulumi-{version}-linux-x64.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as release:
        for name in PROGRAMS:
            release.add(str(Path(shutil.which(name) or name).resolve()), f"pulumi/{name}")
    hashes = (
        f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n0  pulumi-{version}-linux-arm64.tar.gz\n"
    )
    (site / f"pulumi-{version.removeprefix('v')}-checksums.txt").write_text(hashes)
    return site


@pytest.fixture
def github(tmp_path: Path) -> LocalGitHub:
    """GitHub, without a repository yet."""
    (tmp_path / "github").mkdir()
    return LocalGitHub(tmp_path / "github")


@pytest.fixture
def reader(tmp_path: Path, site: Path, github: LocalGitHub, emulator: Emulator, postgres: Postgres) -> Reader:
    """With the programs that the page asks for, and nothing of this checkout but a link to it."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    (home / "linq-provider").symlink_to(CHECKOUT)
    put_python(tools)
    program(
        tools,
        "curl",
        f"""#!/bin/sh
for last; do :; done
case $last in https://get.pulumi.com/releases/sdk/*) ;; *) exit 22 ;; esac
while [ "$#" -gt 1 ] && [ "$1" != --output ]; do shift; done
if [ "$1" = --output ]; then cp "{site}/$(basename "$last")" "$2"; else cat "{site}/$(basename "$last")"; fi
""",
    )
    program(
        tools,
        "gh",
        f"""#!/bin/sh
export LOCAL_GITHUB={github.folder} PYTHONPATH={os.pathsep.join(sys.path)} PATH="$PATH"
unset VIRTUAL_ENV
exec {sys.executable} -P {CHECKOUT}/tests/engine/local_github.py "$@"
""",
    )
    runner = reach_the_index() | {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LINQ_API_V3_BASE_URL": emulator.url,
        "PATH": f"{tools}{os.pathsep}{postgres.programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "PGPORT": str(postgres.port),
        "PGSSLMODE": "disable",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    (github.folder / "runner.json").write_text(json.dumps(runner))
    cli = Path(shutil.which("pulumi") or "pulumi").parent
    own = {"PATH": f"{runner['PATH']}{os.pathsep}{cli}", "PGPASSWORD": PASSWORD, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    identity = {
        f"GIT_{who}_{what}": "reader@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return Reader(home, runner | own | identity, ANSWERS, {"db.example.com": "127.0.0.1"})


def test_the_page_from_an_empty_folder(reader: Reader, github: LocalGitHub, emulator: Emulator) -> None:
    """Every command of "GitHub, from an empty folder" works, and every run shows what the page says."""
    line = emulator.phone_numbers[0]
    forwarded: list[str | None] = []  # when each of the three texts is shown
    for block in section("pipelines.md", "GitHub, from an empty folder"):
        if block.language == "text":
            state = github.state
            shown = state.comments[0] if len(forwarded) == 1 else state.logs["up"][-1]
            assert [text for text in block.text.splitlines() if text not in shown] == [], f"{block}\n{shown}"
            forwarded.append(emulator.phone_numbers[0].forwarding_number)
        else:
            reader.follow(block)
    assert forwarded == [FIRST, FIRST, SECOND]

    state = github.state
    assert (state.restricted, state.branches) == (True, ["main"])
    assert "LINQ_API_V3_API_KEY" not in state.repository
    assert state.protection is not None
    assert state.protection["required_pull_request_reviews"]["require_code_owner_reviews"] is True
    assert KEY not in json.dumps([state.logs, state.comments, state.repository])
    assert len(state.comments) == 1
    assert [len(state.logs[name]) for name in ("up", "preview", "drift")] == [2, 1, 1]
    assert state.issues == []

    emulator.set_forwarding(line.id, FIRST)
    reader.type(Command("test", "gh workflow run drift", ""))
    (issue,) = github.state.issues
    assert issue.startswith("Drift in stack production\n")
    assert f'forwarding_number: "{FIRST}" => "{SECOND}"' in issue
    with pytest.raises(AssertionError, match="Protected branch update failed"):
        reader.type(Command("test", "git commit -q --allow-empty -m direct && git push -q", ""))


def test_the_files_of_gitlab(reader: Reader) -> None:
    """The commands of "GitLab" put the pipeline and the code owners where GitLab looks for them."""
    (block,) = (block for block in section("pipelines.md", "GitLab") if block.language == "console")
    reader.type(Command("test", "linq=~/linq-provider", ""))
    reader.follow(block)
    assert (reader.home / ".gitlab-ci.yml").read_text() == GITLAB.read_text()
    owners = (reader.home / ".gitlab" / "CODEOWNERS").read_text()
    assert "@acme/telephony" in owners
    assert "@your-org" not in owners.partition("\n/")[2]
