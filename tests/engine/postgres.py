"""A PostgreSQL server of our own, on 127.0.0.1 and a free port, which asks for passwords."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

OWNER, PASSWORD = "linq", "owner-3f1b8a"


@dataclass(frozen=True)
class Postgres:
    """How to reach it."""

    programs: Path
    port: int

    def url(self, user: str = OWNER, database: str = "postgres") -> str:
        """As `PULUMI_BACKEND_URL` takes it; the password comes from `PGPASSWORD`."""
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def sql(self, text: str, *, database: str = "postgres") -> str:
        """Run statements as the owner of everything: what they printed."""
        command = [self.programs / "psql", self.url(database=database), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text]
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start one, and end it with the block; a test is skipped where PostgreSQL is not installed."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql), so this was not run")
    folder = Path(tempfile.mkdtemp(prefix="linq-postgres-"))  # short: it holds a socket
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    programs, data = Path(found).resolve().parent, folder / "data"
    (folder / "password").write_text(PASSWORD)
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)
    initialise = ["-D", data, "-U", OWNER, "-A", "scram-sha-256", "--pwfile", folder / "password"]
    subprocess.run([programs / "initdb", *initialise], check=True, capture_output=True, cwd=folder, user=user)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    log = folder / "log"
    with log.open("w") as output:  # not a pipe, which would be full one day and stop the server
        command = [programs / "postgres", "-D", data, "-p", str(port), *options]
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, user=user)
    try:
        while "ready to accept connections" not in log.read_text():
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield Postgres(programs, port)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder)
