"""The scripts of the release workflow, run: what builds is locked, and what is tested is what was built."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from ci_systems import CHECKOUT, loaded, run
from workspace import Run

RELEASE = CHECKOUT / ".github" / "workflows" / "release.yml"
LOCK = (CHECKOUT / ".github" / "build-requirements.txt").read_text()
LOCKED = dict(re.findall(r"^([\w-]+)==(\S+)", LOCK, re.MULTILINE))


def step(job: str, name: str, folder: Path, **environment: str) -> Run:
    """Run one step of the workflow in a folder."""
    (script,) = (step["run"] for step in loaded(RELEASE)["jobs"][job]["steps"] if step.get("name") == name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run(["bash", "-eo", "pipefail", "-c", script], folder, os.environ | {"PATH": path} | environment)


def copy(folder: Path) -> Path:
    """The checkout without what was made in it."""
    made = shutil.ignore_patterns(".*_cache", ".git", ".venv", ".hypothesis", "__pycache__", "dist", "site")
    return Path(shutil.copytree(CHECKOUT, folder / "checkout", ignore=made))


def test_what_builds_is_locked_by_hash_at_the_versions_of_the_project() -> None:
    """Every package that builds a release has its hashes, and the version that constraints.txt pins."""
    requirements = re.findall(r"^\S+==.*(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+$", LOCK, re.MULTILINE)
    assert len(requirements) == len(LOCKED) > 5
    pins = dict(
        re.findall(r"^([\w-]+)==(\S+)", (CHECKOUT / "constraints.txt").read_text().replace("_", "-"), re.MULTILINE)
    )
    assert {name: version for name, version in LOCKED.items() if pins.get(name) != version} == {}


def test_the_build_installs_nothing_but_what_builds(tmp_path: Path) -> None:
    """The step as written makes a wheel and a source distribution, with the locked packages and no others."""
    done = step("build", "build", copy(tmp_path), RUNNER_TEMP=str(tmp_path))
    assert done.code == 0, done.output
    assert {file.suffix for file in (tmp_path / "checkout" / "dist").iterdir()} == {".whl", ".gz"}
    installed = {folder.name.partition("-")[0] for folder in (tmp_path / "build").rglob("*.dist-info")}
    assert installed - {"pip", "setuptools", "wheel"} == {name.replace("-", "_") for name in LOCKED}


def test_the_plugin_is_packed_beside_what_the_index_gets(tmp_path: Path) -> None:
    """The step makes an archive for each platform, and leaves `dist` to the package index."""
    folder = copy(tmp_path)
    assert step("build", "build", folder, RUNNER_TEMP=str(tmp_path)).code == 0
    before = set((folder / "dist").iterdir())
    done = step("build", "pack the plugin", folder, RUNNER_TEMP=str(tmp_path))
    assert done.code == 0, done.output
    assert set((folder / "dist").iterdir()) == before
    assert {file.name.rpartition("-v")[0] for file in (folder / "plugins").iterdir()} == {"pulumi-resource-linq"}
    assert len(list((folder / "plugins").iterdir())) == 4


def test_only_the_wheel_of_the_sdk_goes_to_the_index(tmp_path: Path) -> None:
    """The index refuses any other file, and the release must not fail half-way."""
    (tmp_path / "sdks").mkdir()
    for name in ("pulumi_linq-0.1.0-py3-none-any.whl", "pulumi-linq-0.1.0.tgz", "pulumi-linq-go.tar.gz"):
        (tmp_path / "sdks" / name).touch()
    done = step("publish-python-sdk", "keep the wheel only", tmp_path)
    assert done.code == 0, done.output
    assert [file.suffix for file in (tmp_path / "sdks").iterdir()] == [".whl"]


@pytest.mark.parametrize(
    ("tag", "changelog", "said"),
    [
        ("v1.2.3", "## [1.2.3]\n", ""),
        ("v1.2.4", "## [1.2.3]\n", "::error::The tag is v1.2.4, the version 1.2.3.\n"),
        ("v1.2.3", "## [1.2.2]\n", "::error::CHANGELOG.md has no section 1.2.3.\n"),
    ],
)
def test_the_tag_is_the_version(tmp_path: Path, tag: str, changelog: str, said: str) -> None:
    """Nothing is built from a tag that differs from the version, or is missing from the changelog."""
    (tmp_path / "linq_provider").mkdir()
    (tmp_path / "linq_provider" / "_version.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    name = "the tag is the version, and the changelog has a section for it"
    done = step("build", name, tmp_path, GITHUB_REF_NAME=tag)
    assert (done.code, done.output) == (1 if said else 0, said)


@pytest.mark.parametrize(("program", "code"), [("[ -e dist/.built ]", 0), ("echo rebuilt > dist/x.whl", 1)])
def test_what_is_tested_is_what_was_built(tmp_path: Path, program: str, code: int) -> None:
    """make uses the wheel that was built before; tests of a rebuilt wheel do not count."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "x.whl").write_text("as built\n")
    (tmp_path / "make").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "make").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = step("test", "test what was built", tmp_path, RUNNER_TEMP=str(tmp_path), PATH=path)
    assert done.code == code, done.output


def test_make_does_not_build_what_is_marked_as_built(tmp_path: Path) -> None:
    """With a wheel and a fresh dist/.built, make installs that wheel, and builds none."""
    checkout = copy(tmp_path)
    (checkout / "dist").mkdir()
    (checkout / "dist" / ".built").touch()
    done = run(["make", "--dry-run", ".venv/.installed"], checkout, os.environ)
    assert "install --no-deps --force-reinstall dist/*.whl" in done.output
    assert "-m build" not in done.output


def test_what_is_published_was_attested_and_tested() -> None:
    """Publishing waits for the attestation and the tests; the attestation covers every file of the build."""
    jobs = loaded(RELEASE)["jobs"]
    assert set(jobs["publish"]["needs"]) == {"attest", "test"}
    assert [jobs[name]["needs"] for name in ("attest", "test")] == [["build", "sdks"], "build"]
    (attested,) = (step["with"] for step in jobs["attest"]["steps"] if "attest-build-provenance" in step["uses"])
    assert attested == {"subject-path": "built/*/*"}
    everything = {"path": "built"}
    assert [step["with"] for step in jobs["attest"]["steps"] if "download" in step["uses"]] == [everything]
    for name in ("publish-python-sdk", "publish-npm-sdk"):
        assert jobs[name]["needs"] == "publish"
