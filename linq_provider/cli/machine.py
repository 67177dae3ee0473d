"""Checks of this machine: Python, the Pulumi CLI, and the Python that Pulumi starts."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from linq_provider.cli.check import Check, Mark
from linq_provider.cli.stack import pulumi_environment
from linq_provider.errors import plain

OLDEST_PYTHON = (3, 10, 0)
OLDEST_PULUMI = (3, 216, 0)  # the first with ReadResult.inputs; pyproject.toml says so too
# Pulumi's release keeps them beside the CLI; the last two are scripts for its Python programs.
BESIDE = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
TIMEOUT = 60  # seconds for one program
INSTALL = "Install the Pulumi CLI, 3.216 or newer, see https://www.pulumi.com/docs/install/"


def machine_checks() -> Iterator[Check]:
    """Everything that needs neither a key nor the network."""
    yield _version("Python", platform.python_version(), OLDEST_PYTHON, "Use Python 3.10 or newer.")
    yield _version("pulumi package", metadata.version("pulumi"), OLDEST_PULUMI, "Run `pip install -U pulumi`.")
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        yield Check("Pulumi CLI", Mark.FAILS, "there is no `pulumi` on PATH", f"{INSTALL}.")
        yield Check("Python host of Pulumi", Mark.NOT_CHECKED)
    else:
        yield _cli(pulumi)
        yield _host(pulumi)
    yield _provider_python()


def _version(name: str, found: str, oldest: tuple[int, ...], mend: str, where: str = "") -> Check:
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:3])
    if numbers < oldest:
        return Check(name, Mark.FAILS, f"{found} is older than {'.'.join(map(str, oldest))}{where}", mend)
    return Check(name, Mark.OK, f"{found}{where}")


def _cli(pulumi: str) -> Check:
    done = _run(pulumi, "version", environment=pulumi_environment())
    if done is None or done.returncode or not re.match(r"v?\d+\.\d+\.\d+", done.stdout):
        return Check("Pulumi CLI", Mark.FAILS, f"`{pulumi} version` prints no version", f"{INSTALL}.")
    return _version("Pulumi CLI", done.stdout.strip().lstrip("v"), OLDEST_PULUMI, f"{INSTALL}.", f" ({pulumi})")


def _host(pulumi: str) -> Check:
    beside = {str(Path(pulumi).absolute().parent), str(Path(pulumi).resolve().parent)}
    path = os.pathsep.join([*beside, os.environ.get("PATH", os.defpath)])
    missing = [program for program in BESIDE if shutil.which(program, path=path) is None]
    if missing:
        return Check("Python host of Pulumi", Mark.FAILS, f"{', '.join(missing)} not found", f"{INSTALL}.")
    return Check("Python host of Pulumi", Mark.OK, "beside the CLI or on PATH")


def _provider_python() -> Check:
    """Whether the Python that Pulumi starts for dynamic providers has this package."""
    name = "Python of the provider"
    folder, options = _project()
    if options is None:
        return Check(name, Mark.FAILS, "the project in this folder is not a Python one", "Use a Python project.")
    if options.get("toolchain") == "poetry" and not options.get("virtualenv"):
        return Check(name, Mark.NOT_CHECKED, "poetry chooses it; run `poetry run linq-provider doctor`")
    python = _interpreter(folder, options)
    if python is None:
        return Check(name, Mark.FAILS, "there is no such interpreter", _environment_mend(options))
    done = _run(python, "-c", "import linq_provider; print(linq_provider.__version__)", folder=folder)
    if done is None or done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] if done else "it cannot be run"
        return Check(
            name, Mark.FAILS, f"{python} cannot import linq_provider: {plain(said)}", _environment_mend(options)
        )
    return Check(name, Mark.OK, f"{python} has linq_provider {done.stdout.strip()}")


def _project() -> tuple[Path, Mapping[str, Any] | None]:
    """The folder of the project that this folder belongs to, and the options of its runtime; None if not Python."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        for file in (folder / "Pulumi.yaml", folder / "Pulumi.yml"):
            if file.is_file():
                return folder, _runtime_options(file)
    return here, {}


def _runtime_options(file: Path) -> Mapping[str, Any] | None:
    import yaml

    try:
        project = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    runtime = project.get("runtime") if isinstance(project, dict) else None
    if isinstance(runtime, str):
        runtime = {"name": runtime}
    if not isinstance(runtime, dict) or runtime.get("name") != "python":
        return None
    return runtime.get("options") or {}


def _interpreter(folder: Path, options: Mapping[str, Any]) -> str | None:
    """As pulumi-resource-pulumi-python chooses it."""
    environment = options.get("virtualenv") or (".venv" if options.get("toolchain") == "uv" else None)
    if environment:
        python = folder / str(environment) / "bin" / "python"
        return str(python) if python.is_file() else None
    return shutil.which(os.environ.get("PULUMI_PYTHON_CMD") or "python3")


def _environment_mend(options: Mapping[str, Any]) -> str:
    if options.get("virtualenv") or options.get("toolchain"):
        return "Run `pulumi install` in the project, with linq-provider among its requirements."
    return (
        "Activate the environment that linq-provider is installed in, or set PULUMI_PYTHON_CMD to its interpreter;"
        f" this one is {sys.executable}."
    )


def _run(
    *command: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str] | None:
    """A program run to its end, or None where it could not be."""
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
