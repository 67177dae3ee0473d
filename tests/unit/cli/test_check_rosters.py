"""`linq-provider check`: rosters are checked without a key, the engine or the network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from linq_provider.cli.commands import commands

CHECKOUT = Path(__file__).resolve().parents[3]
GOOD = "line,forwarding_number\n+12025550100,+12025559999\n+12025550101,none\n"
LONDON = "line,forwarding_number\n+12025550100,+442071838750\n"
OUTSIDE = "the forwarding number is in the United Kingdom (+44), outside of"

Check = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Run `linq-provider check ARGS` in an empty folder: exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("LINQ_", "PULUMI_"))]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(commands, ["check", *arguments], prog_name="linq-provider")
        return done.exit_code, done.stdout, done.stderr

    return run


def stack_file(name: str, setting: str) -> None:
    """A settings file of a stack, or of the project."""
    Path(name).write_text(f"config:\n  linq:allowedForwardings: {setting}\n  other: [1]\n")


def test_good_rosters_pass_in_silence(check: Check) -> None:
    """As a hook before a commit should."""
    Path("lines.csv").write_text(GOOD)
    Path("lines.yaml").write_text('+12025550100: ""\n')
    assert check("lines.csv", "lines.yaml") == (0, "", "")


def test_each_finding_is_a_place_and_a_sentence(check: Check) -> None:
    """In a form that editors can follow; every file is checked, whatever is wrong with those before it."""
    Path("a.csv").write_text("line;forwarding_number\n+12025550100;2025559999\n+12025550101;\n")
    Path("b.csv").write_text("line,forwarding_number\n+12025550100,+19005551234\n")
    code, said, errors = check("a.csv", "b.csv", "c.csv")
    assert code == 1
    assert said.splitlines() == [
        "a.csv:2:2: the forwarding number is not in E.164 format: if it is a number of the US or Canada, put +1 in front"
        " (+1…); if not, put + and its country code in front",
        "a.csv:3:2: the forwarding number is missing; write none for not forwarded",
        "b.csv:2:2: the forwarding number is a premium-rate number in the United States (+1); to allow it, add * or"
        " the first digits of the number (+1 is not enough) to linq:allowedForwardings",
    ]
    assert errors == "c.csv cannot be read: No such file or directory.\n"


def test_a_number_that_is_not_in_use_is_a_note(check: Check) -> None:
    """It fails nothing."""
    Path("lines.csv").write_text("line,forwarding_number\n+12025550100,+2025559999\n")
    code, said, _ = check("lines.csv")
    assert code == 0
    assert said.startswith(
        "lines.csv:2:2: note: numbers like this one are not in use in Egypt (+20), according to version "
    )


def test_the_rule_of_the_environment_counts(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `pulumi preview`; other settings, however wrong, are not read."""
    Path("lines.csv").write_text(LONDON)
    monkeypatch.setenv("LINQ_TIMEOUT", "soon")
    assert check("lines.csv")[0] == 0
    monkeypatch.setenv("LINQ_ALLOWED_FORWARDINGS", "US")
    code, said, _ = check("lines.csv")
    assert (code, said) == (
        1,
        f"lines.csv:2:2: {OUTSIDE} LINQ_ALLOWED_FORWARDINGS; if the number is intended, add GB there\n",
    )


@pytest.mark.parametrize("setting", ["US", '"US, DE"', '[US, "+49"]', '["US"]', "{value: US}", "NO"])
def test_the_rule_of_the_stack_beside_it_counts(check: Check, setting: str) -> None:
    """In every form that Pulumi takes; where the roster lies, not where the command runs."""
    Path("phones").mkdir()
    Path("phones/lines.csv").write_text(LONDON)
    stack_file("Pulumi.dev.yaml", "FR")
    assert check("phones/lines.csv")[0] == 0
    stack_file("phones/Pulumi.production.yaml", setting)
    code, said, _ = check("phones/lines.csv")
    assert code == 1
    assert f"{OUTSIDE} linq:allowedForwardings in Pulumi.production.yaml" in said


def test_every_stack_has_to_allow_a_number(check: Check) -> None:
    """Which stack reads the roster is not known; a stack without the setting has that of the project."""
    Path("lines.csv").write_text(LONDON)
    stack_file("Pulumi.yaml", "{value: GB}")
    assert check("lines.csv")[0] == 0
    stack_file("Pulumi.dev.yaml", '"*"')
    Path("Pulumi.test.yaml").write_text("encryptionsalt: v1\n")
    assert check("lines.csv")[0] == 0
    stack_file("Pulumi.production.yaml", "US")
    assert "Pulumi.production.yaml" in check("lines.csv")[1]
    stack_file("Pulumi.production.yaml", "GB")
    stack_file("Pulumi.yaml", "US")
    assert "Pulumi.yaml" in check("lines.csv")[1]  # for the stack `test`


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "config: {linq:allowedForwardings: {secure: v1:x}}",
            "linq:allowedForwardings is encrypted in Pulumi.dev.yaml",
        ),
        ("config: [", "Pulumi.dev.yaml cannot be read, so it is not known where calls may go"),
        (
            "config: {linq:allowedForwardings: +4930}",
            'linq:allowedForwardings must be one text in quotes, such as "GB,+4930": countries and prefixes',
        ),
        ("config: {linq:allowedForwardings: UK}", "linq:allowedForwardings in Pulumi.dev.yaml names UK"),
    ],
)
def test_a_rule_that_cannot_be_read_fails(check: Check, text: str, error: str) -> None:
    """What is not known is not allowed."""
    Path("lines.csv").write_text(GOOD)
    Path("Pulumi.dev.yaml").write_text(text)
    code, said, errors = check("lines.csv")
    assert (code, said) == (1, "")
    assert errors.startswith(error)


@pytest.mark.parametrize("text", ["", "[]", "config: 5", "config: {}", "name: x"])
def test_a_stack_without_a_rule_says_nothing(check: Check, text: str) -> None:
    """An empty file, too."""
    Path("lines.csv").write_text(LONDON)
    Path("Pulumi.dev.yaml").write_text(text)
    assert check("lines.csv") == (0, "", "")


def test_json_holds_the_same(check: Check) -> None:
    """One object, with plain words for keys."""
    Path("good.csv").write_text(GOOD)
    Path("bad.csv").write_text("line,forwarding_number\n+12025550100,+2025559999\n+12025550101,+19005551234\n")
    code, said, errors = check("good.csv", "bad.csv", "none.csv", "--json")
    found = json.loads(said)
    assert (code, errors, found["ok"]) == (1, "", False)
    good, bad, none = found["files"]
    assert good == {"file": "good.csv", "ok": True, "lines": 2, "error": "", "problems": [], "notes": []}
    assert (bad["ok"], bad["lines"]) == (False, 2)
    ((problem,), (note,)) = bad["problems"], bad["notes"]
    assert (problem["line"], problem["column"]) == (3, 2)
    assert problem["text"].startswith("the forwarding number is a premium-rate number")
    assert (note["line"], note["column"]) == (2, 2)
    assert none["error"] == "none.csv cannot be read: No such file or directory."


def test_without_a_file_it_says_how_it_is_used(check: Check) -> None:
    """Usage errors are exit status 1, as everywhere."""
    code, _, errors = check()
    assert code == 1
    assert "Missing argument" in errors


def test_no_number_is_repeated(check: Check) -> None:
    """Neither of a broken nor of a forbidden row, in text or JSON."""
    Path("lines.csv").write_text("line,forwarding_number\n+12025550100,+19005551234\n+12025550101,+2025559999\n")
    Path("worse.csv").write_text("line,forwarding_number\n+12025550100,900 555 1234\n")
    for arguments in (["lines.csv", "worse.csv"], ["lines.csv", "worse.csv", "--json"]):
        _, said, errors = check(*arguments)
        assert [digits for digits in ("5551234", "555 1234", "5559999") if digits in said + errors] == []


def test_there_is_neither_key_nor_engine_nor_network() -> None:
    """No HTTP client, no socket, no other program, and no variable of ours or Pulumi's."""
    script = (
        "import sys; from linq_provider.cli.check_rosters import check;"
        "refused = {'socket.connect', 'socket.getaddrinfo', 'subprocess.Popen', 'os.posix_spawn'};"
        "sys.addaudithook(lambda event, _: sys.exit(event) if event in refused else None);"
        f"check([{str(CHECKOUT / 'examples/fleet-from-roster/lines.yaml')!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LINQ_", "PULUMI_"))}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_hook_for_pre_commit() -> None:
    """It runs this command on what looks like a roster, with what the command line needs; pre-commit takes it."""
    file = CHECKOUT / ".pre-commit-hooks.yaml"
    (hook,) = yaml.safe_load(file.read_text())
    assert hook["entry"].split() == ["linq-provider", "check"]
    assert hook["entry"].split()[1] in commands.commands
    extra = (CHECKOUT / "pyproject.toml").read_text().partition("\ncli = [")[2].partition("]")[0]
    assert hook["additional_dependencies"] == json.loads(f"[{extra}]")
    names = ["lines.csv", "a/lines.yaml", "roster-2027.yml", "a/airlines.csv", "lines.py"]
    assert [name for name in names if re.search(hook["files"], name)] == names[:3]
    validate = [sys.executable, "-m", "pre_commit", "validate-manifest", str(file)]
    done = subprocess.run(validate, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
