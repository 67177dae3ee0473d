"""Runs other programs for commands: their environment, their folder, and why one could not be started."""

import errno
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from linq_provider.errors import LinqError

# What a program needs to start, and a version manager to find it. No key, token or passphrase has such a name.
NEEDED = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "PULUMI_HOME")
NEEDED_PREFIXES = ("LC_", "PYTHON", "PYENV_", "ASDF_", "CONDA_", "MISE_")
SECRET_WORDS = ("KEY", "PASS", "SECRET", "TOKEN")


def run_program(
    *command: str, environment: Mapping[str, str], timeout: float, folder: str | None = None, if_slow: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with nothing on stdin. `if_slow`: the next step if it takes over `timeout` seconds."""
    try:
        return subprocess.run(
            command,
            env={**environment, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except OSError as error:
        raise _not_started(command[0], error) from None
    except subprocess.TimeoutExpired:
        raise LinqError(f"`{' '.join(command[:2])}` did not finish within {timeout} s.", next_step=if_slow) from None


def least_environment() -> dict[str, str]:
    """The environment that every program may get: without the key and without any passphrase, token or login."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in NEEDED or name.startswith(NEEDED_PREFIXES)) and not any(word in name for word in SECRET_WORDS)
    }


def environment_without_key() -> dict[str, str]:
    """The environment for the Pulumi CLI to read a stack: with passphrase and logins, but without Linq's variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LINQ_")}


def working_folder() -> Path:
    """The folder that the command was started in."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise LinqError(
            "The folder that this command was started in no longer exists.", next_step="Change to another folder."
        ) from None


def _not_started(program: str, error: OSError) -> LinqError:
    if error.errno == errno.ENOEXEC:
        return LinqError(
            f"{program} cannot be started: it is not a program for this machine.",
            next_step="Install the one for its processor and operating system.",
        )
    if error.errno == errno.ENOENT and os.path.lexists(program):
        return LinqError(
            f"{program} cannot be started: the interpreter that it names does not exist.",
            next_step="Install the program again.",
        )
    return LinqError(
        f"{program} cannot be started: {error.strerror or error}.", next_step="Check the file and its permissions."
    )
