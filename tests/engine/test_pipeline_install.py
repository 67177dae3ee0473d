"""`pipeline.sh install`: nothing is installed or unpacked whose hash is not the one that the repository holds."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from ci_systems import add_script, run
from workspace import Run

ARCHIVE = "pulumi-v9.9.9-linux-x64.tar.gz"

# Takes the file from a folder in place of the download site, and notes the address.
CURL = """#!/bin/sh
for last; do :; done
echo "$last" >> "$SITE/asked"
while [ "$1" != --output ]; do shift; done
cp "$SITE/$(basename "$2")" "$2"
"""


@dataclass(frozen=True)
class Project:
    """A folder with a lock file for its one package, and the download site of the CLI."""

    folder: Path
    site: Path

    def lock(self, requirement: str, cli: str) -> None:
        """Write both lock files."""
        (self.folder / "requirements.txt").write_text(requirement)
        (self.folder / "pulumi.sha256").write_text(cli)

    def install(self) -> Run:
        """Run the script, without any package index."""
        environment = os.environ | {
            "PATH": f"{self.site}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "SITE": str(self.site),
        }
        return run(["bash", "ci/pipeline.sh", "install"], self.folder, environment)

    def installed(self) -> set[str]:
        """What of the two is there."""
        return {
            path.name
            for path in (self.folder / ".venv").rglob("*")
            if path.name in ("pulumi", "pulumi-9.9.9.dist-info")
        }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The package `pulumi` 9.9.9 as a wheel in the folder, and its CLI at the site."""
    folder, site = tmp_path / "project", tmp_path / "site"
    (folder / "wheels").mkdir(parents=True)
    site.mkdir()
    add_script(folder)
    with zipfile.ZipFile(folder / "wheels" / "pulumi-9.9.9-py3-none-any.whl", "w") as wheel:
        info = "pulumi-9.9.9.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pulumi\nVersion: 9.9.9\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    with tarfile.open(site / ARCHIVE, "w:gz") as archive:
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = 23, 0o755
        archive.addfile(member, io.BytesIO(b"#!/bin/sh\necho v9.9.9\n\n"))
    (site / "curl").write_text(CURL)
    (site / "curl").chmod(0o755)
    return Project(folder, site)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def locked(project: Project) -> tuple[str, str]:
    """Both lock files as they should be."""
    wheel = project.folder / "wheels" / "pulumi-9.9.9-py3-none-any.whl"
    requirement = f"./wheels/{wheel.name} --hash=sha256:{sha256(wheel)}\n"
    return requirement, f"{sha256(project.site / ARCHIVE)}  {ARCHIVE}\n"


def test_both_are_installed_where_their_hashes_are_right(project: Project) -> None:
    """Package and CLI are installed into .venv; the CLI comes from Pulumi's download site."""
    project.lock(*locked(project))
    done = project.install()
    assert done.code == 0, done.output
    said = subprocess.run([project.folder / ".venv" / "bin" / "pulumi"], capture_output=True, text=True, check=True)
    assert said.stdout == "v9.9.9\n"
    assert project.installed() == {"pulumi", "pulumi-9.9.9.dist-info"}
    assert (project.site / "asked").read_text() == f"https://get.pulumi.com/releases/sdk/{ARCHIVE}\n"


@pytest.mark.parametrize("change", ["another hash", "no hash"])
def test_a_package_without_its_hash_is_refused(project: Project, change: str) -> None:
    """A package whose hash differs, or that has none: pip refuses, and the CLI is not even downloaded."""
    requirement, cli = locked(project)
    package, _, hash_ = requirement.partition(" --hash=sha256:")
    project.lock(
        f"{package} --hash=sha256:{hash_[::-1].strip()}\n" if change == "another hash" else f"{package}\n", cli
    )
    done = project.install()
    assert done.code != 0
    assert "hash" in done.output.lower()
    assert project.installed() == set()
    assert not (project.site / "asked").exists()


def test_a_cli_with_another_hash_is_refused(project: Project) -> None:
    """A CLI whose checksum differs from pulumi.sha256 is not unpacked."""
    project.lock(*locked(project))
    with (project.site / ARCHIVE).open("ab") as archive:
        archive.write(b"x")
    done = project.install()
    assert done.code == 1
    assert f"The download {ARCHIVE} does not have the hash in pulumi.sha256. Nothing was unpacked." in done.output
    assert project.installed() == {"pulumi-9.9.9.dist-info"}


@pytest.mark.parametrize("written", ["", "0  pulumi-v9.9.8-linux-x64.tar.gz\n", "pulumi-v9.9.9-linux-x64.tar.gz\n"])
def test_a_cli_of_another_version_is_refused(project: Project, written: str) -> None:
    """pulumi.sha256 that names another version than requirements.txt, or nothing: refused before the download."""
    project.lock(locked(project)[0], written)
    done = project.install()
    assert done.code == 1
    assert "but requirements.txt has pulumi 9.9.9. Give both the same version." in done.output
    assert not (project.site / "asked").exists()
