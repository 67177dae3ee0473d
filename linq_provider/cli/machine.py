"""Checks of this machine: Python, the Pulumi CLI, and the Python that Pulumi starts."""

import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from linq_provider.cli.output import Check, Mark, checked
from linq_provider.cli.plugin import installed_plugins, native_plugin
from linq_provider.cli.programs import least_environment, run_program
from linq_provider.cli.pulumi_project import find_project
from linq_provider.errors import LinqError, plain

OLDEST_PYTHON = (3, 10, 0)
OLDEST_PULUMI = (3, 216, 0)  # the first with ReadResult.inputs; pyproject.toml says so too
# Pulumi installs them beside the CLI; the last two are scripts for Python programs.
BESIDE = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
PROBE = "import linq_provider; print(linq_provider.__version__)"
NO_CODE = "/"  # a folder to start Python in, because Python 3.10 imports code from the folder that it is started in
TIMEOUT = 60  # seconds for one program
INSTALL = "Install the Pulumi CLI, version 3.216 or newer: https://www.pulumi.com/docs/install/."


def machine_checks() -> Iterator[Check]:
    """Everything that needs neither a key nor the network."""
    yield checked("Python", _version, platform.python_version(), OLDEST_PYTHON, "Use Python 3.10 or newer.")
    yield checked("pulumi package", _version, metadata.version("pulumi"), OLDEST_PULUMI, "Run `pip install -U pulumi`.")
    if pulumi := shutil.which("pulumi"):
        yield checked("Pulumi CLI", _cli, pulumi)
        yield checked("Python host of Pulumi", _host, pulumi)
    else:
        yield Check("Pulumi CLI", Mark.FAILS, "there is no `pulumi` on PATH", INSTALL)
        yield Check("Python host of Pulumi", Mark.NOT_CHECKED)
    project = find_project()
    if project.python_options is not None:
        yield checked("Python of the provider", _provider_python, project.folder, project.python_options)
    if project.python_options is None or project.plugin_path or installed_plugins():
        yield checked("Native plugin", native_plugin, project)


def _version(found: str, oldest: tuple[int, ...], fix: str, where: str = "") -> str:
    if tuple(int(number) for number in re.findall(r"\d+", found)[:3]) < oldest:
        raise LinqError(f"{found} is older than {'.'.join(map(str, oldest))}{where}", next_step=fix)
    return f"{found}{where}"


def _cli(pulumi: str) -> str:
    done = run_program(pulumi, "version", environment=least_environment(), timeout=TIMEOUT)
    if done.returncode or not re.match(r"v?\d+\.\d+\.\d+", done.stdout):
        raise LinqError(f"`{pulumi} version` prints no version", next_step=INSTALL)
    return _version(done.stdout.strip().lstrip("v"), OLDEST_PULUMI, INSTALL, f" ({pulumi})")


def _host(pulumi: str) -> str:
    beside = {str(Path(pulumi).absolute().parent), str(Path(pulumi).resolve().parent)}
    path = os.pathsep.join([*beside, os.environ.get("PATH", os.defpath)])
    missing = [program for program in BESIDE if shutil.which(program, path=path) is None]
    if missing:
        raise LinqError(f"{', '.join(missing)} not found", next_step=INSTALL)
    return "found beside the CLI or on PATH"


def _provider_python(folder: Path, options: Mapping[str, Any]) -> str | Check:
    """Whether the Python that Pulumi starts for dynamic providers has this package."""
    if options.get("toolchain") == "poetry" and not options.get("virtualenv"):
        finding = "poetry chooses it: run `poetry run linq-provider doctor`"
        return Check("Python of the provider", Mark.NOT_CHECKED, finding)
    fix = _how_to_install(options)
    python = _interpreter(folder, options, fix)
    environment = {**least_environment(), "PYTHONSAFEPATH": "1"}  # like -P, which Python 3.10 does not have
    done = run_program(python, "-c", PROBE, environment=environment, timeout=TIMEOUT, folder=NO_CODE)
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2]
        raise LinqError(f"{python} cannot import linq_provider: {plain(said)}", next_step=fix)
    return f"{python} has linq_provider {done.stdout.strip()}"


def _interpreter(folder: Path, options: Mapping[str, Any], fix: str) -> str:
    """The Python that pulumi-resource-pulumi-python would choose."""
    environment = options.get("virtualenv") or (".venv" if options.get("toolchain") == "uv" else None)
    if environment:
        python = folder / str(environment) / "bin" / "python"
        if not python.is_file():
            raise LinqError(f"{python} does not exist", next_step=fix)
        return str(python)
    variable = os.environ.get("PULUMI_PYTHON_CMD")
    found = shutil.which(variable or "python3")
    if found is None:
        raise LinqError(
            f"PULUMI_PYTHON_CMD names {variable}, which does not exist" if variable else "there is no python3 on PATH",
            next_step=fix,
        )
    return os.path.abspath(found)


def _how_to_install(options: Mapping[str, Any]) -> str:
    if options.get("virtualenv") or options.get("toolchain"):
        return "Run `pulumi install` in the project, with linq-provider among its requirements."
    activate = Path(sys.prefix) / "bin" / "activate"
    if activate.is_file():
        return f"Run `. {shlex.quote(str(activate))}`, or set PULUMI_PYTHON_CMD to {sys.executable}."
    return f"Install linq-provider for that Python too, or set PULUMI_PYTHON_CMD to {sys.executable}."
