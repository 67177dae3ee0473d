"""Fixtures for the real Pulumi CLI: one workspace a test, copied from a template made once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from workspace import PROJECT, Workspace

from linq_provider.emulator import Emulator

API_KEY = "canary-4f9d2c71b8e35a60"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the CLI: this virtual environment first on PATH, nothing of the user's own Pulumi."""
    if shutil.which("pulumi") is None:
        pytest.fail("no pulumi on PATH: run the tests with `make test`, which gets one")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "LINQ_")) and "PROXY" not in k.upper()}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path_factory.mktemp("pulumi-home")),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_STACK": "dev",
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """An initialised stack `dev` with a secret key."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "backend").mkdir()
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    env = environment | {"PULUMI_BACKEND_URL": f"file://{folder / 'backend'}"}
    for args in (["stack", "init", "dev"], ["config", "set", "--secret", "linq:apiKey", API_KEY]):
        subprocess.run(["pulumi", *args, "--non-interactive"], cwd=folder, env=env, check=True, capture_output=True)
    return folder


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, none forwarded, seen by the key that the stack is configured with."""
    with Emulator(numbers=3, api_key=API_KEY) as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, template: Path, environment: dict[str, str], emulator: Emulator) -> Workspace:
    """A fresh stack, configured for the emulator."""
    folder = tmp_path / "stack"
    shutil.copytree(template, folder)
    return Workspace(folder, emulator, environment)
