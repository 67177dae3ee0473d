"""`linq-provider doctor`: each check with what it finds, and how to fix it.

A shell script replaces the Pulumi CLI; tests/engine/test_cli.py uses the real one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linq_provider.cli.machine import machine_checks
from linq_provider.cli.output import Mark
from linq_provider.emulator import Emulator, Fault

KEY = "canary-4f9d2c71b8e35a60"
CHECKS = [
    "Python",
    "pulumi package",
    "Pulumi CLI",
    "Python host of Pulumi",
    "Python of the provider",
    "override",
    "key",
    "base URL",
    "destinations",
    "way to the API",
    "API",
    "lines",
]
BESIDE = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")

Run = Callable[..., tuple[int, str, str]]
Doctor = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Three lines, one of which forwards."""
    with Emulator(3, api_key=KEY) as running:
        running.set_forwarding("+12025550100", "+12025559999")
        yield running


@pytest.fixture
def machine(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A healthy machine, whose PATH is this folder alone; the working folder is another one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "pulumi", 'case "$1" in version) echo v3.259.0;; *) exec /bin/cat "${0%/*}/config";; esac')
    for name in BESIDE:
        program(folder / name, "")
    program(folder / "python3", "echo 0.1.0")
    for name in list(os.environ):
        if name.startswith(("LINQ_", "PULUMI_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", emulator.url)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return folder


@pytest.fixture
def doctor(machine: Path, run: Run) -> Doctor:
    """Run the command: its exit status, and each check in `--json`."""

    def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
        code, shown, said = run("doctor", "--json", *arguments)
        assert said == ""
        assert "canary" not in shown
        return code, {check["check"]: check for check in json.loads(shown)}

    return doctor


def program(file: Path, script: str) -> None:
    """A shell script that can be run."""
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_all_is_well(doctor: Doctor, emulator: Emulator) -> None:
    """On a healthy machine each check is ok and the exit status 0, after one GET."""
    code, checks = doctor()
    assert code == 0
    assert list(checks) == CHECKS
    assert {check["mark"] for check in checks.values()} == {"ok"}
    assert checks["key"]["finding"] == "well-formed, from LINQ_API_V3_API_KEY"
    assert checks["base URL"]["finding"] == f"{emulator.url}, which is not Linq's own"
    assert checks["lines"]["finding"] == "this key sees 3 lines, 1 of them forwarded"
    assert [request.method for request in emulator.requests] == ["GET"]


def test_where_calls_may_go(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule in force is shown, and a country that is none fails."""
    assert doctor()[1]["destinations"]["finding"] == "calls may go to: anywhere but premium rate"
    monkeypatch.setenv("LINQ_ALLOWED_FORWARDINGS", "us,+4930")
    assert doctor()[1]["destinations"]["finding"] == "calls may go to: US, +4930 (LINQ_ALLOWED_FORWARDINGS)"
    monkeypatch.setenv("LINQ_ALLOWED_FORWARDINGS", "UK")
    code, checks = doctor()
    assert code == 1
    assert checks["destinations"]["mark"] == "fails"
    assert checks["destinations"]["finding"] == "LINQ_ALLOWED_FORWARDINGS names UK, which is not a country."


@pytest.mark.usefixtures("machine")
def test_in_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe each check is a line with mark, name, finding and fix between tabs; a failure is exit 1."""
    monkeypatch.delenv("LINQ_API_V3_API_KEY")
    code, shown, _ = run("doctor")
    assert code == 1
    rows = [line.split("\t") for line in shown.splitlines()]
    assert [row[1] for row in rows] == CHECKS
    assert ["fails", "key", "No Linq API key is configured."] in [row[:3] for row in rows]
    assert (
        rows[CHECKS.index("key")][3]
        == "Set LINQ_API_V3_API_KEY, or give --stack the name of a stack that has linq:apiKey."
    )
    assert rows[-1] == ["not checked", "lines"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal(
    on_a_terminal: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    """On a terminal the mark is in colour, but for NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    code, shown = on_a_terminal("doctor")
    assert code == 0
    assert bool(re.search(r"\x1b\[32m", shown)) is not no_color
    assert "ok          " in shown
    assert "Pulumi CLI: 3.259.0" in shown


def test_an_old_cli(doctor: Doctor, machine: Path) -> None:
    """A Pulumi CLI older than 3.216 fails."""
    program(machine / "pulumi", "echo v3.215.9")
    code, checks = doctor()
    assert code == 1
    assert checks["Pulumi CLI"]["mark"] == "fails"
    assert checks["Pulumi CLI"]["finding"].startswith("3.215.9 is older than 3.216.0")
    assert "3.216 or newer" in checks["Pulumi CLI"]["fix"]


def test_a_cli_that_does_not_run(doctor: Doctor, machine: Path) -> None:
    """A `pulumi` that prints no version fails."""
    program(machine / "pulumi", "exit 1")
    assert doctor()[1]["Pulumi CLI"]["mark"] == "fails"


def test_no_cli(doctor: Doctor, machine: Path) -> None:
    """Without `pulumi` on PATH its check fails, and what needs it is not checked."""
    (machine / "pulumi").unlink()
    code, checks = doctor()
    assert code == 1
    assert (checks["Pulumi CLI"]["mark"], checks["Python host of Pulumi"]["mark"]) == ("fails", "not checked")


@pytest.mark.parametrize("missing", BESIDE)
def test_no_python_host(doctor: Doctor, machine: Path, missing: str) -> None:
    """A part of the Python host that is neither beside the CLI nor on PATH fails by name."""
    (machine / missing).unlink()
    code, checks = doctor()
    assert code == 1
    assert checks["Python host of Pulumi"]["finding"] == f"{missing} not found"


def test_a_linked_cli(doctor: Doctor, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to the CLI finds what lies beside the CLI itself."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "pulumi").symlink_to(machine / "pulumi")
    (tmp_path / "links" / "python3").symlink_to(machine / "python3")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))
    assert doctor()[0] == 0


def test_a_python_without_the_package(doctor: Doctor, machine: Path) -> None:
    """The python3 on PATH that cannot import the package fails, and the fix names the one that can."""
    program(machine / "python3", "echo \"ModuleNotFoundError: No module named 'pulumi'\" >&2; exit 1")
    code, checks = doctor()
    assert code == 1
    assert (
        "cannot import linq_provider: ModuleNotFoundError: No module named 'pulumi'"
        in (checks["Python of the provider"]["finding"])
    )
    assert sys.executable in checks["Python of the provider"]["fix"]


@pytest.mark.parametrize("folder", ["venv", "my venv"])
def test_a_forgotten_virtual_environment(
    doctor: Doctor, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Where the package is in a virtual environment that is not activated, the fix is the command that activates it."""
    program(machine / "python3", "echo \"ModuleNotFoundError: No module named 'linq_provider'\" >&2; exit 1")
    activate = tmp_path / folder / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / folder))
    assert doctor()[1]["Python of the provider"]["fix"] == (
        f"Run `. {shlex.quote(str(activate))}`, or set PULUMI_PYTHON_CMD to {sys.executable}."
    )


def test_pulumi_python_cmd(doctor: Doctor, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PULUMI_PYTHON_CMD is looked at before python3, as Pulumi does."""
    program(machine / "python3", "exit 1")
    monkeypatch.setenv("PULUMI_PYTHON_CMD", sys.executable)
    code, checks = doctor()
    assert code == 0
    assert checks["Python of the provider"]["finding"].startswith(f"{sys.executable} has linq_provider ")


@pytest.mark.parametrize(
    ("project", "mark", "words"),
    [
        ("name: x\nruntime: python\n", "ok", "bin/python3 has linq_provider"),
        ("name: x\nruntime: {name: python, options: {virtualenv: venv}}\n", "ok", "project/venv/bin/python has"),
        (
            "name: x\nruntime: {name: python, options: {toolchain: uv}}\n",
            "fails",
            "project/.venv/bin/python does not exist",
        ),
        ("name: x\nruntime: {name: python, options: {toolchain: poetry}}\n", "not checked", "poetry"),
        ("{", "ok", "bin/python3 has linq_provider"),
    ],
)
def test_the_python_of_a_project(doctor: Doctor, project: str, mark: str, words: str) -> None:
    """The runtime of the project above this folder decides which Python is started."""
    Path("Pulumi.yaml").write_text(project)
    Path("venv/bin").mkdir(parents=True)
    program(Path("venv/bin/python"), f'exec "{sys.executable}" "$@"')
    Path("below").mkdir()
    os.chdir("below")
    _, checks = doctor()
    assert checks["Python of the provider"]["mark"] == mark
    assert words in checks["Python of the provider"]["finding"]


NATIVE = "name: x\nruntime: yaml\nplugins: {providers: [{name: linq, path: venv/bin}]}\n"


def put_plugin(python: str) -> None:
    """The plugin as pip puts it into the virtual environment of the project."""
    Path("venv/bin").mkdir(parents=True)
    Path("venv/bin/pulumi-resource-linq").write_text(f"#!{python}\n")


def test_the_native_plugin_of_a_project(doctor: Doctor) -> None:
    """In a project of another language, only the plugin is checked; it has to be in the folder that Pulumi.yaml names."""
    Path("Pulumi.yaml").write_text(NATIVE)
    code, checks = doctor()
    assert code == 1
    assert "Python of the provider" not in checks
    assert checks["Native plugin"]["finding"].endswith("project/venv/bin/pulumi-resource-linq does not exist")
    assert checks["Native plugin"]["fix"].startswith("Run `pip install linq-provider`")
    put_plugin(sys.executable)
    code, checks = doctor()
    assert code == 0
    assert checks["Native plugin"]["finding"].endswith("project/venv/bin/pulumi-resource-linq")


def test_a_python_project_with_the_native_plugin(doctor: Doctor) -> None:
    """Both are checked; the plugin whose Python is gone fails."""
    Path("Pulumi.yaml").write_text(NATIVE.replace("yaml", "python", 1))
    put_plugin("/gone/bin/python")
    code, checks = doctor()
    assert code == 1
    assert checks["Python of the provider"]["mark"] == "ok"
    assert checks["Native plugin"]["finding"].endswith("its Python, /gone/bin/python, does not exist")


def test_an_installed_native_plugin(doctor: Doctor, tmp_path: Path) -> None:
    """A plugin that Pulumi has installed is found; where its Python is gone, the fix is to install it again."""
    Path("Pulumi.yaml").write_text("name: x\nruntime: nodejs\n")
    code, checks = doctor()
    assert code == 1
    assert checks["Native plugin"]["finding"] == "neither Pulumi.yaml nor `pulumi plugin install` provides it"
    python = tmp_path / "pulumi" / "plugins" / "resource-linq-v0.1.0" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    code, checks = doctor()
    assert code == 0
    assert checks["Native plugin"]["finding"].endswith("plugins/resource-linq-v0.1.0")
    python.unlink()
    python.symlink_to("/gone/bin/python")
    code, checks = doctor()
    assert code == 1
    assert checks["Native plugin"]["fix"] == "Run `pulumi plugin rm resource linq`, then install the plugin again."


@pytest.mark.parametrize(("package", "mark"), [("3.215.0", Mark.FAILS), ("3.216.0", Mark.OK), ("4.0.0rc1", Mark.OK)])
def test_the_pulumi_package(machine: Path, monkeypatch: pytest.MonkeyPatch, package: str, mark: Mark) -> None:
    """A pulumi package older than 3.216 fails."""
    monkeypatch.setattr("linq_provider.cli.machine.metadata.version", {"pulumi": package}.__getitem__)
    assert {check.check: check.mark for check in machine_checks()}["pulumi package"] is mark


@pytest.mark.parametrize(
    ("status", "words"), [("401", "HTTP 401, 2004"), ("403", "HTTP 403, 2005"), ("success-false", "")]
)
def test_an_answer_that_is_no_list(doctor: Doctor, emulator: Emulator, status: str, words: str) -> None:
    """401 and 403 say that the API is there and the key is not good; another answer, that the API is not."""
    emulator.fail(Fault.parse(status), times=None)
    code, checks = doctor()
    assert code == 1
    assert (checks["API"]["mark"], checks["lines"]["mark"]) == (("ok", "fails") if words else ("fails", "not checked"))
    assert words in checks["lines"]["finding"]


def test_a_key_that_sees_nothing(doctor: Doctor, emulator: Emulator) -> None:
    """A key that is accepted and sees no lines fails."""
    emulator.fail(Fault.parse("empty-list"), times=None)
    code, checks = doctor()
    assert code == 1
    assert checks["lines"]["finding"] == "the key is accepted, but it sees no lines"


def test_nobody_there(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port on which nothing listens is a failure of the API, with the next step."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        code, checks = doctor()
    assert code == 1
    assert "no connection to 127.0.0.1:" in checks["API"]["finding"]
    assert "the address in LINQ_API_V3_BASE_URL (Connection refused)" in checks["API"]["finding"]
    assert "the network" in checks["API"]["fix"]
    assert checks["lines"]["mark"] == "not checked"


def test_a_host_without_an_address(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base URL whose host has no address fails by name."""
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", "https://api.invalid/v3")
    monkeypatch.setenv("LINQ_TIMEOUT", "5")
    code, checks = doctor()
    assert code == 1
    assert checks["way to the API"]["finding"].startswith("directly to api.invalid, which has no address: ")


def test_a_proxy(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is named without its password, and only where the request goes through it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary-proxy@proxy.invalid:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://user:canary-proxy@proxy.invalid:3128")
    assert doctor()[1]["way to the API"]["finding"] == "directly to 127.0.0.1"
    monkeypatch.setenv("LINQ_API_V3_BASE_URL", "https://api.invalid/v3")
    monkeypatch.setenv("LINQ_TIMEOUT", "5")
    found = doctor()[1]["way to the API"]["finding"]
    assert found.startswith("through the proxy proxy.invalid, which has no address: ")
    monkeypatch.setenv("HTTPS_PROXY", "http://[canary-proxy")
    assert doctor()[1]["way to the API"]["finding"] == "the URL of the proxy is malformed"
    monkeypatch.setenv("NO_PROXY", "api.invalid")
    assert doctor()[1]["way to the API"]["finding"].startswith("directly to api.invalid")


@pytest.mark.parametrize(
    ("variable", "value"), [("LINQ_API_V3_API_KEY", "canary with spaces"), ("LINQ_API_V3_BASE_URL", "http://x")]
)
def test_a_setting_that_cannot_be_used(
    doctor: Doctor, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A malformed setting fails by name, what follows from it is not checked, and nothing is sent."""
    monkeypatch.setenv(variable, value)
    code, checks = doctor()
    assert code == 1
    assert variable in checks["configuration"]["finding"]
    assert checks["lines"]["mark"] == "not checked"
    assert emulator.requests == []


def test_an_override(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """LINQ_API_KEY_OVERRIDE is a warning, which is no failure."""
    monkeypatch.setenv("LINQ_API_KEY_OVERRIDE", KEY)
    code, checks = doctor()
    assert code == 0
    assert checks["override"]["mark"] == "warning"
    assert checks["key"]["finding"] == "well-formed, from LINQ_API_KEY_OVERRIDE"


@pytest.mark.parametrize(
    ("config", "mark", "finding"),
    [
        ({"linq:apiKey": {"value": KEY, "secret": True}}, "ok", "stored as a secret in stack dev"),
        ({"linq:apiKey": {"value": KEY, "secret": False}}, "fails", "set without --secret, which `pulumi up` refuses"),
        ({}, "ok", "stack dev has none; the key of the environment is used"),
    ],
)
def test_the_key_of_a_stack(doctor: Doctor, machine: Path, config: dict[str, object], mark: str, finding: str) -> None:
    """A key that the stack has in plaintext fails; no key at all does not."""
    (machine / "config").write_text(json.dumps(config))
    code, checks = doctor("--stack", "dev")
    assert code == int(mark == "fails")
    assert checks["key of the stack"]["mark"] == mark
    assert finding in checks["key of the stack"]["finding"]
    source = "linq:apiKey" if config else "LINQ_API_V3_API_KEY"
    assert checks["key"]["finding"] == f"well-formed, from {source}"


def test_a_setting_that_nobody_reads(doctor: Doctor, machine: Path) -> None:
    """A mistyped setting of a stack is a warning; those of other packages are not."""
    config = {
        "linq:apiKey": {"value": KEY, "secret": True},
        "linq:timeot": {"value": "9"},
        "aws:region": {"value": "x"},
    }
    (machine / "config").write_text(json.dumps(config))
    code, checks = doctor("--stack", "dev")
    assert code == 0
    assert checks["settings of the stack"]["mark"] == "warning"
    assert checks["settings of the stack"]["finding"] == "no such setting: linq:timeot"


def test_a_stack_that_cannot_be_read(doctor: Doctor) -> None:
    """A stack that cannot be read is a failed check; the rest still runs, as far as it can."""
    code, checks = doctor("--stack", "dev")
    assert code == 1
    assert "cannot read stack dev" in checks["configuration"]["finding"]
    assert checks["key"]["mark"] == "not checked"
    assert checks["override"]["mark"] == "ok"


# What the programs that it starts are given

PRIVATE = {
    "LINQ_API_V3_API_KEY": KEY,
    "LINQ_API_KEY_OVERRIDE": KEY,
    "LINQ_API_V3_CUSTOM_HEADERS": "X-Key: canary",
    "PULUMI_CONFIG_PASSPHRASE": "canary-passphrase",
    "PULUMI_CONFIG_PASSPHRASE_FILE": "canary-file",
    "PULUMI_ACCESS_TOKEN": "canary-token",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "MISE_GITHUB_TOKEN": "canary-mise",
    "HTTPS_PROXY": "http://user:canary@127.0.0.1:9",
}


def test_programs_are_told_no_secret(doctor: Doctor, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pulumi version` and the Python of the provider get a path and a home, but no key, passphrase, token or proxy."""
    for name, value in PRIVATE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/home/somebody")
    program(machine / "pulumi", '/usr/bin/env > "${0%/*}/told-pulumi"; echo v3.259.0')
    program(machine / "python3", '/usr/bin/env > "${0%/*}/told-python"; echo 0.1.0')
    assert doctor()[0] == 0
    for told in ("told-pulumi", "told-python"):
        text = (machine / told).read_text()
        assert [name for name in PRIVATE if f"{name}=" in text] == []
        assert "canary" not in text
        assert f"PATH={machine}\nHOME=/home/somebody" in text or "HOME=/home/somebody" in text.splitlines()


def test_code_of_the_current_folder_is_not_run(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules in the project folder that have the names of imported ones are never run."""
    for name in ("linq_provider", "pulumi", "json", "sitecustomize"):
        Path(f"{name}.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w')\n__version__ = '666'\n")
    monkeypatch.setenv("PULUMI_PYTHON_CMD", sys.executable)
    _, checks = doctor()
    assert checks["Python of the provider"]["mark"] == "ok"
    assert "666" not in checks["Python of the provider"]["finding"]
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("variable", "finding"),
    [
        ("python9", "PULUMI_PYTHON_CMD names python9, which does not exist"),
        ("/no/such/python", "PULUMI_PYTHON_CMD names /no/such/python, which does not exist"),
        ("", "there is no python3 on PATH"),
    ],
)
def test_an_interpreter_that_is_missing(
    doctor: Doctor, machine: Path, monkeypatch: pytest.MonkeyPatch, variable: str, finding: str
) -> None:
    """An interpreter that is not there is named, and what names it."""
    (machine / "python3").unlink()
    monkeypatch.setenv("PULUMI_PYTHON_CMD", variable)
    code, checks = doctor()
    assert (code, checks["Python of the provider"]["finding"]) == (1, finding)


@pytest.mark.parametrize("which", ["pulumi", "python3"])
def test_a_program_for_another_machine(doctor: Doctor, machine: Path, which: str) -> None:
    """A program that cannot be started is named, with why, and the other checks go on."""
    (machine / which).write_bytes(b"\x7fELF\x02\x01\x01" + bytes(64))
    code, checks = doctor()
    assert code == 1
    name = {"pulumi": "Pulumi CLI", "python3": "Python of the provider"}[which]
    assert checks[name]["finding"] == f"{machine / which} cannot be started: it is not a program for this machine."
    assert checks["lines"]["mark"] == "ok"


def test_names_are_only_text(machine: Path, run: Run) -> None:
    """A setting's name with markup, tabs and line breaks is neither colour nor another row."""
    config = {"linq:apiKey": {"value": KEY, "secret": True}, "linq:[bold]x\ty\n\x1b[31mok\tno": {"value": "9"}}
    (machine / "config").write_text(json.dumps(config))
    code, shown, _ = run("doctor", "--stack", "dev")
    assert code == 0
    row = next(line for line in shown.splitlines() if "settings of the stack" in line)
    assert row.split("\t")[2] == "no such setting: linq:[bold]x y [31mok no"
