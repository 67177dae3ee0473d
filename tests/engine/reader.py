"""Somebody who follows a page of the documentation from top to bottom, in folders of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from snippets import Block, Command, commands_of

from linq_provider.emulator import Emulator

GIT_URL = "https://git.example.com/linq-provider.git"  # in place of the address of the repository
INDEX = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA_BUNDLE")  # how this machine reaches its package index


def program(folder: Path, name: str, text: str) -> None:
    """Put an executable script there."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def put_python(folder: Path) -> None:
    """A `python3` that is in no virtual environment, whichever runs the tests."""
    program(folder, "python3", f'#!/bin/sh\nexec {Path(sys.base_prefix, "bin", "python3")} "$@"\n')


def reach_the_index() -> dict[str, str]:
    """The variables with which this machine reaches its package index, and its caches of packages."""
    index = {
        name: value for name, value in os.environ.items() if name.upper().startswith(INDEX) or "PROXY" in name.upper()
    }
    caches = Path.home() / ".cache"
    return {"PIP_CACHE_DIR": str(caches / "pip"), "UV_CACHE_DIR": str(caches / "uv")} | index


def written(account: Emulator) -> list[str]:
    """The numbers that were written to an account, in order."""
    return [request.body["forwarding_number"] for request in account.requests if request.method == "PUT"]


@dataclass
class Reader:
    """Somebody with an empty folder, who types what the page says: `answers` where a command asks, names of their own."""

    home: Path
    environment: dict[str, str]
    answers: dict[str, str] = field(default_factory=dict)  # by how the command begins
    own: dict[str, str] = field(default_factory=dict)  # in place of what the page has

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        (self.home / "folder").write_text(str(self.home))

    @property
    def folder(self) -> Path:
        """Where the last command has ended."""
        return Path((self.home / "folder").read_text().strip())

    def type(self, command: Command) -> str:
        """Run one command where the one before has ended, with its variables; what it printed."""
        script = f"""
            [ ! -e {self.home}/variables ] || . {self.home}/variables
            set -ae
            cd "$(cat {self.home}/folder)"
            {self.with_own(command.text)}
            export -p > {self.home}/variables
            pwd > {self.home}/folder
        """
        answer = next((text for begun, text in self.answers.items() if command.text.startswith(begun)), "")
        done = subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # no terminal that a question could be asked at
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def follow(self, block: Block | Command) -> None:
        """Type a command, or each of a block; each has to print what the page shows."""
        for command in commands_of(block) if isinstance(block, Block) else [block]:
            printed = self.type(command)
            assert self.is_shown(command, printed), f"{command}\n{printed}"

    @contextmanager
    def in_another_terminal(self, block: Block) -> Iterator[None]:
        """Run the emulator of a page, which has to print what the page shows; its key is the answer from then on."""
        (command,) = commands_of(block)
        running = subprocess.Popen(
            ["bash", "-c", f"exec {self.with_own(command.text)}"],
            cwd=self.folder,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert running.stdout is not None
            printed = "".join(running.stdout.readline() for _ in range(7))
            assert self.is_shown(command, printed), printed
            key = re.search(r"^API key: +(\S+)$", printed, re.MULTILINE)
            assert key
            self.answers["pulumi config set --secret linq:apiKey"] = f"{key[1]}\n"
            yield
        finally:
            running.terminate()
            running.wait(30)

    def is_shown(self, command: Command, printed: str) -> bool:
        """Whether the page shows this, if it shows anything: `…` is a part of a line, alone on a line any lines."""
        shown = self.with_own(command.output.strip()).splitlines()
        lines = ["(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + " *\n" for line in shown]
        return not lines or re.fullmatch("".join(lines), printed.strip() + "\n") is not None

    def with_own(self, text: str) -> str:
        """A text of the page with the reader's own names in it."""
        for name, own in self.own.items():
            text = text.replace(name, own)
        return text
