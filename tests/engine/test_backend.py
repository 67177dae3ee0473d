"""State that a team shares: a PostgreSQL backend, and two pipelines on one stack."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import API_KEY
from workspace import PROJECT, Run, Workspace

from linq_provider.emulator import Fault

pytestmark = pytest.mark.engine

OFFICE, DESK = "+12025559999", "+12025558888"
LOCKED = "the stack is currently locked by 1 lock(s)"


def forwarding(stack: Workspace, to: str) -> None:
    """A program of one line."""
    line = stack.emulator.phone_numbers[0].phone_number
    stack.program(f'linq.PhoneNumberForwarding("x", phone_number="{line}", forwarding_number="{to}")')


def two_pipelines(stack: Workspace) -> Run:
    """Two runs of `up` at once: what the second one printed, once the first has ended well."""
    forwarding(stack, OFFICE)
    stack.up()
    forwarding(stack, DESK)
    stack.emulator.clear_requests()
    stack.emulator.fail(Fault.parse("delay=6"), times=1, method="PUT")
    first = stack.start("up", "--yes", "--skip-preview")
    while "PUT" not in stack.methods():
        assert first.poll() is None, first.communicate()[0]
    second = stack.up(fails=True)
    printed, _ = first.communicate(timeout=60)
    assert first.returncode == 0, printed
    return second


def test_two_pipelines_on_one_stack(stack: Workspace) -> None:
    """The second of two runs at once fails at once and cleanly, writes nothing, and works when the first has ended."""
    shown = two_pipelines(stack).output
    assert LOCKED in shown
    assert API_KEY not in shown
    assert [number for _, number in stack.writes()] == [DESK]
    forwarding(stack, OFFICE)
    stack.up()
    assert stack.emulator.phone_numbers[0].forwarding_number == OFFICE
    stack.empty_preview()


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, on 127.0.0.1 and a free port."""
    programs = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql), so this was not run")
    folder = Path(tempfile.mkdtemp(prefix="linq-postgres-"))  # short: it holds a socket
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    initdb = Path(programs)
    data = folder / "data"
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, user)
    initialise = [initdb, "-D", data, "-U", "linq", "-A", "trust"]
    subprocess.run(initialise, check=True, capture_output=True, cwd=folder, user=user)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    server = subprocess.Popen(
        [initdb.with_name("postgres"), "-D", data, "-p", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        user=user,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if "ready to accept connections" in line:
                break
        assert server.poll() is None, "the server did not start"
        yield f"postgres://linq@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
        shutil.rmtree(folder)


def test_state_in_postgresql(stack: Workspace, postgres: str) -> None:
    """`pulumi login postgres://…` holds the state: up, drift, a second pipeline that fails cleanly, destroy."""
    stack.environment["PULUMI_BACKEND_URL"] = postgres
    shutil.rmtree(stack.folder / "backend")
    stack.run("stack", "init", f"organization/{PROJECT}/dev")
    stack.configure("linq:baseUrl", stack.emulator.url)
    stack.unset("linq:apiKey")
    stack.run("config", "set", "--secret", "linq:apiKey", API_KEY)
    assert LOCKED in two_pipelines(stack).output
    assert stack.emulator.phone_numbers[0].forwarding_number == DESK
    stack.empty_preview()
    stack.emulator.set_forwarding(stack.emulator.phone_numbers[0].id, OFFICE)
    stack.run("preview", "--refresh", "--expect-no-changes", fails=7)
    stack.up("--refresh")
    assert stack.emulator.phone_numbers[0].forwarding_number == DESK
    assert API_KEY not in stack.run("stack", "export").output
    stack.destroy()
    assert stack.emulator.phone_numbers[0].forwarding_number is None
    assert not (stack.folder / "backend").exists()
