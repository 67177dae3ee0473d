"""The release assets of the native package, installed by Pulumi into an empty home."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import plugin_assets
import pytest
from pulumi_environment import pulumi_environment
from reader import program
from snippets import CHECKOUT
from workspace import PROJECT, Workspace, printed

from linq_provider import __version__

pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make plugin` makes, of a wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True)
    plugin_assets.main(folder)
    return folder


def test_an_asset_for_each_platform(assets: Path) -> None:
    """Each has Pulumi's name, and holds the plugin and the wheel; the same files make the same bytes."""
    names = {file.name for file in assets.glob("*.tar.gz")}
    assert names == {
        f"pulumi-resource-linq-v{__version__}-{platform}.tar.gz"
        for platform in ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
    }
    (packed,) = {file.read_bytes() for file in assets.glob("*.tar.gz")}
    plugin_assets.main(assets)
    assert {file.read_bytes() for file in assets.glob("*.tar.gz")} == {packed}
    with tarfile.open(assets / min(names)) as tar:
        wheel = f"linq_provider-{__version__}-py3-none-any.whl"
        assert set(tar.getnames()) == {"PulumiPlugin.yaml", "__main__.py", "requirements.txt", wheel}


def test_pulumi_installs_an_asset(assets: Path, tmp_path: Path) -> None:
    """The command of docs/native.md makes the plugin's own virtual environment, in which the plugin serves."""
    environment = pulumi_environment(tmp_path)
    environment.pop("PYTHONPATH", None)
    page = (CHECKOUT / "docs" / "native.md").read_text()
    (shown,) = re.findall(r"^\$ (pulumi plugin install .*)$", page, re.MULTILINE)
    *install, asset = shown.split()
    install.append(str(assets / Path(asset).name))
    done = subprocess.run(
        install, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(
        ["pulumi", "plugin", "ls", "--json"], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert [(each["name"], each["version"]) for each in json.loads(shown.stdout)] == [("linq", __version__)]
    # As newer language hosts than the one that tools/bootstrap builds start it: the folder, then the engine's address.
    folder = Path(environment["PULUMI_HOME"]) / "plugins" / f"resource-linq-v{__version__}"
    started = subprocess.Popen(
        [str(folder / "bin" / "python"), str(folder), "127.0.0.1:1"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout
        assert started.stdout.readline().strip().isdigit()
    finally:
        started.kill()
        started.communicate()


@pytest.fixture
def lonely(stack: Workspace, tmp_path: Path) -> Workspace:
    """A program that uses the native package, where no plugin is on PATH and nothing can be downloaded."""
    stack.header = "import pulumi\n"
    (tmp_path / "programs").mkdir()
    program(tmp_path / "programs", "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    pulumi = Path(shutil.which("pulumi") or "pulumi").parent
    path = os.pathsep.join(map(str, [tmp_path / "programs", pulumi, "/usr/bin", "/bin"]))
    stack.environment |= {"PATH": path, "HTTPS_PROXY": "http://127.0.0.1:9"}
    return stack


def declare(stack: Workspace, version: str = "", path: str = "") -> None:
    """A line, with the version that an SDK would ask for, and the path of the plugin in Pulumi.yaml."""
    opts = f"pulumi.ResourceOptions(version={version!r})" if version else "None"
    stack.program(f"pulumi.CustomResource('linq:index:PhoneNumberForwarding', 'line', {{}}, {opts})")
    plugins = f"plugins:\n  providers:\n    - name: linq\n      path: {path}\n" if path else ""
    (stack.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n{plugins}")


def is_explained(output: str, row: str) -> None:
    """Pulumi prints this message, which docs/errors.md has in a row of its table; `…` is any text."""
    table = (CHECKOUT / "docs" / "errors.md").read_text().partition("\n## The plugin linq is not found\n")[2]
    (message,) = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if line.startswith(f"| {row}")]
    wanted = ".*".join(map(re.escape, message.split("…")))
    assert re.search(wanted, " ".join(output.split())), output


def test_pulumi_finds_no_plugin(lonely: Workspace) -> None:
    """A program with an SDK asks for the version of the SDK."""
    declare(lonely, version=__version__)
    is_explained(lonely.up(fails=True).output, "Could not automatically download")


def test_pulumi_finds_no_plugin_at_the_path(lonely: Workspace) -> None:
    """No folder, a folder without the plugin, and a plugin without its Python."""
    declare(lonely, path="venv/bin")
    is_explained(lonely.up(fails=True).output, "parsing plugin options")
    (lonely.folder / "venv" / "bin").mkdir(parents=True)
    is_explained(lonely.up(fails=True).output, "failed to load plugin …/pulumi-resource-linq: loading")
    program(lonely.folder / "venv" / "bin", "pulumi-resource-linq", "#!/gone/bin/python\n")
    is_explained(lonely.up(fails=True).output, "failed to load plugin …/pulumi-resource-linq: plugin not found")


def test_a_program_runs_with_an_installed_asset(assets: Path, lonely: Workspace) -> None:
    """If the language host is new enough to start a plugin in Python; else docs/errors.md explains what Pulumi prints."""
    (asset,) = assets.glob("*-linux-amd64.tar.gz")
    environment = {
        name: value for name, value in lonely.environment.items() if name not in ("PYTHONPATH", "HTTPS_PROXY")
    }
    install = ["pulumi", "plugin", "install", "resource", "linq", f"v{__version__}", "--file", str(asset)]
    printed(install, folder=lonely.folder, environment=environment)
    declare(lonely, version=__version__)
    run = lonely.up(fails=None)
    if "exited prematurely" in run.output:
        is_explained(run.output, "Detected that")
        pytest.skip("the language host for Python on PATH is too old to start a plugin in Python")
    assert "phoneNumber" in run.output  # what the plugin says about a line without a number
    assert "warning" not in run.output


@pytest.mark.skipif(not shutil.which("pulumi-language-yaml"), reason="`make test` builds the language host for YAML")
def test_package_add_takes_the_plugin(lonely: Workspace) -> None:
    """As docs/native.md says: Pulumi accepts the schema, and a YAML program keeps no path of the plugin."""
    (lonely.folder / ".venv").symlink_to(sys.prefix)
    (lonely.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: yaml\n")
    lonely.environment["PATH"] += os.pathsep + str(Path(shutil.which("pulumi-language-yaml") or "").parent)
    page = (CHECKOUT / "docs" / "native.md").read_text()
    (shown,) = re.findall(r"^\$ pulumi (package add .*)$", page, re.MULTILINE)
    lonely.run(*shown.split())
    assert f"linq: linq@{__version__}\n" in (lonely.folder / "Pulumi.yaml").read_text()
    assert (lonely.folder / "sdks" / "linq" / f"linq-{__version__}.yaml").is_file()
    schema = lonely.run("package", "get-schema", shown.split()[-1]).output
    assert '"linq:index:PhoneNumberForwardings"' in schema
