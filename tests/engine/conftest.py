"""Fixtures for the real Pulumi CLI: one workspace a test, copied from a template made once a session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi_environment import pulumi_environment
from workspace import PROJECT, Workspace

from linq_provider.emulator import Emulator

API_KEY = "canary-4f9d2c71b8e35a60"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised stack `dev` with a secret key, made once and copied for each test."""
    if shutil.which("pulumi") is None:
        pytest.fail("no pulumi on PATH: run the tests with `make test`, which gets one")
    folder = tmp_path_factory.mktemp("template")
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    environment = pulumi_environment(folder)
    for args in (["stack", "init", "dev"], ["config", "set", "--secret", "linq:apiKey", API_KEY]):
        command = ["pulumi", *args, "--non-interactive"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, none forwarded, seen by the key that the stack is configured with."""
    with Emulator(numbers=3, api_key=API_KEY) as running:
        yield running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that are marked `skins` over both skins, or over those that the mark names; SKIN=native runs all."""
    marker = metafunc.definition.get_closest_marker("skins")
    if "skin" in metafunc.fixturenames and ("SKIN" in os.environ or marker):
        marked = marker.args if marker and marker.args else ("dynamic", "native")
        metafunc.parametrize("skin", [os.environ["SKIN"]] if "SKIN" in os.environ else marked, indirect=True)


@pytest.fixture
def skin(request: pytest.FixtureRequest) -> str:
    """What the programs of the stack import as `linq`."""
    name: str = getattr(request, "param", "dynamic")
    return name


@pytest.fixture
def stack(tmp_path: Path, template: Path, emulator: Emulator, skin: str) -> Iterator[Workspace]:
    """A fresh stack, configured for the emulator; a provider that outlives the test is ended."""
    folder = tmp_path / "stack"
    shutil.copytree(template, folder)
    workspace = Workspace(folder, emulator)
    if skin == "native":
        workspace.use_native()
    yield workspace
    for provider in workspace.providers():
        os.kill(provider, signal.SIGKILL)
