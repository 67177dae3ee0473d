"""State that a team shares: a PostgreSQL backend, and two pipelines on one stack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from ci_systems import UNPRIVILEGED, add_script, inherited, read_only, run
from conftest import API_KEY
from postgres import PASSWORD, Postgres, postgres_server
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


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One server for the tests of this file, which have a database each."""
    with postgres_server() as server:
        yield server


def test_state_in_postgresql(stack: Workspace, postgres: Postgres) -> None:
    """`pulumi login postgres://…` holds the state: up, drift, a second pipeline that fails cleanly, destroy."""
    stack.environment |= {"PULUMI_BACKEND_URL": postgres.url(), "PGPASSWORD": PASSWORD}
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


WRITES = [
    "INSERT INTO {table} VALUES ('x', '{{}}')",
    "UPDATE {table} SET data = '{{}}'",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "DROP TABLE {table}",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "CREATE TABLE other (x int)",
]


@pytest.mark.parametrize("table", ["pulumi_state", "Lines_State"])
def test_a_preview_with_a_role_that_may_only_read(stack: Workspace, postgres: Postgres, table: str) -> None:
    """PostgreSQL: `pipeline.sh preview` works with SELECT on the table alone, which cannot write; Pulumi itself fails."""
    database, role = f"database_{table.lower()}", f"reader_{table.lower()}"
    postgres.sql(f"CREATE DATABASE {database}")
    postgres.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'reader'")
    named = "" if table == "pulumi_state" else f"&table={table}"
    owner = {"PULUMI_BACKEND_URL": postgres.url(database=database) + named, "PGPASSWORD": PASSWORD}
    reader = {"PULUMI_BACKEND_URL": postgres.url(role, database) + named, "PGPASSWORD": "reader"}
    stack.unset("linq:apiKey")
    stack.run("stack", "init", f"organization/{PROJECT}/dev", **owner)
    forwarding(stack, OFFICE)
    stack.up(**owner, LINQ_API_V3_API_KEY=API_KEY)
    postgres.sql(f"GRANT SELECT ON {table} TO {role}", database=database)
    before = postgres.sql(f"SELECT * FROM {table} ORDER BY key", database=database)

    forwarding(stack, DESK)
    add_script(stack.folder)
    job = inherited(stack) | {"STACK": "dev", "PULUMI_CONFIG_PASSPHRASE": "local"}
    done = run(["bash", "ci/pipeline.sh", "preview"], stack.folder, job | reader)
    assert done.code == 0, done.output
    assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in done.output

    for statement in WRITES:
        text = statement.format(table=table)
        psql = run(["psql", postgres.url(role, database), "-XAtqc", text], stack.folder, job | reader)
        assert psql.code != 0, text
        assert "permission denied" in psql.output or "must be owner" in psql.output
    shown = stack.run("preview", fails=True, **reader).output
    assert "permission denied for schema public" in shown
    postgres.sql(f"GRANT CREATE ON SCHEMA public TO {role}", database=database)
    shown = stack.run("preview", fails=True, **reader).output
    assert f"must be owner of table {table.lower()}" in shown
    assert postgres.sql(f"SELECT * FROM {table} ORDER BY key", database=database) == before


def test_a_preview_needs_only_to_read_a_folder(stack: Workspace) -> None:
    """A state in a folder without write permission: a preview works, even while `up` holds the lock; nothing can write."""
    forwarding(stack, OFFICE)
    stack.up()
    forwarding(stack, DESK)
    locks = stack.folder / "backend" / ".pulumi" / "locks" / "organization" / PROJECT / "dev"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "1.json").write_text('{"pid": 1, "username": "a", "hostname": "b", "timestamp": "2026-11-24T05:17:09Z"}')
    with read_only(stack.folder / "backend"):
        before = {file: file.read_bytes() for file in (stack.folder / "backend").rglob("*") if file.is_file()}
        arguments = ["pulumi", "preview", "--diff", "--non-interactive", "--color=never"]
        done = run([*UNPRIVILEGED, *arguments], stack.folder, stack.environment)
        assert done.code == 0, done.output
        assert f'~ forwarding_number: "{OFFICE}" => "{DESK}"' in done.output
        for words in (["stack", "tag", "set", "a", "b"], ["cancel", "--yes"], ["up", "--yes", "--skip-preview"]):
            done = run([*UNPRIVILEGED, "pulumi", *words, "--non-interactive"], stack.folder, stack.environment)
            assert done.code != 0, words
        assert {file: file.read_bytes() for file in (stack.folder / "backend").rglob("*") if file.is_file()} == before
    assert [number for _, number in stack.writes()] == [OFFICE]
