"""The benchmark: its server, its measuring, its verdicts, and the document that it writes."""

from __future__ import annotations

import http.client
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench import measure as bench_measure
from bench import plan as bench_plan
from bench import plot as bench_plot
from bench import report as bench_report
from bench import run as bench_run
from bench.capacity import capacity
from bench.claims import findings
from bench.contestants import CONTESTANTS, Contestant
from bench.measure import Counted, Server
from bench.results import LABELS, VERBS, Results, Sample, interval, load, save
from bench.small import small_figures

from linq_provider.emulator import Emulator

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = CHECKOUT / "docs" / "performance.md"
LINE = "00000000-0000-4000-8000-000000000001"
SAMPLE = Sample("fleet", "fleet", 1000, 0, 0, "up", 2.0, 1, 1000, 1.0, 0.1, 60.0, 130.0, 50.0, 65000, None)
NOOP = replace(SAMPLE, contestant="noop", lines=1, verb="up again", seconds=1.0, gets=0, puts=0, span=0.0, busy=0.0)
RUN = {
    "id": "0123456789ab",
    "date": "2026-01-02",
    "minutes": 1.0,
    "versions": {"Python": "3.11.7", "Terraform": None},
    "cores": 2,
    "memory_gb": 8,
    "load": 0.0,
    "missing": [],
    "unfinished": [],
    "note": "",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server of the benchmark, without any account."""
    with Server() as running:
        yield running


def results(*samples: Sample, **run: Any) -> Results:
    return Results({**RUN, **run}, {"lean": 20000.0, "emulator": 10000.0}, list(samples))


def ask(url: str, method: str, path: str, *, token: str, body: object = None) -> tuple[int, Any]:
    address = url.removeprefix("http://").partition("/")[0]
    connection = http.client.HTTPConnection(address, timeout=10)
    sent = None if body is None else json.dumps(body)
    connection.request(method, f"/api/partner/v3/{path}", sent, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text if answer.status == 200 else None


def pairs_of(*seconds: float, **of: Any) -> list[Sample]:
    """Samples of the rounds 0, 1, ..."""
    return [replace(SAMPLE, **{**of, "round": index, "seconds": each}) for index, each in enumerate(seconds)]


def test_the_document_is_what_its_json_says() -> None:
    """Every table of docs/performance.md is made from docs/performance.json, to the letter."""
    document = DOCUMENT.read_text()
    assert bench_report.rewrite(document, load(DOCUMENT.with_suffix(".json"))) == document


def test_no_figure_is_typed_by_hand() -> None:
    """Outside of its tables docs/performance.md holds no time, size or ratio."""
    prose = re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", "", DOCUMENT.read_text(), flags=re.DOTALL)
    assert "95 %" in prose
    assert re.findall(r"\d[\d.,]*\s?(?:ms|s|x|MB|kB|GB|seconds?|minutes?|times)\b", prose) == []


def test_the_picture_is_of_the_same_run() -> None:
    """docs/performance.png was drawn from docs/performance.json: it names the run."""
    data = DOCUMENT.with_suffix(".png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    texts, at = [], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        texts += [data[at + 8 : at + 8 + size]] if kind == b"tEXt" else []
        at += size + 12
    assert f"Title\0{load(DOCUMENT.with_suffix('.json')).run['id']}".encode() in texts


def test_a_run_without_peers_has_no_picture(tmp_path: Path) -> None:
    """`bench.py --only single` measures nothing that could be drawn, and ends well all the same."""
    whole = load(CHECKOUT / "docs" / "performance.json")
    alone = replace(whole, samples=[sample for sample in whole.samples if sample.part == "single"])
    bench_plot.draw(alone, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "phone_numbers", None),
        ("PUT", f"phone_numbers/{LINE}", {"forwarding_number": "+12025559999"}),
        ("PUT", f"phone_numbers/{LINE}", {"forwarding_number": ""}),
        ("PUT", f"phone_numbers/{LINE}", {"forwarding_number": None}),
        ("PUT", "phone_numbers/00000000-0000-4000-8000-000000000099", {"forwarding_number": ""}),
        ("GET", "phone_number", None),
    ],
)
def test_the_server_answers_as_the_emulator_does(server: Server, method: str, path: str, body: object) -> None:
    """A list, a forwarded line and a cleared one are the emulator's, byte by byte, and so is each status."""
    server.open_account("key", lines=3, delay=0)
    numbers = [{"id": f"{LINE[:-1]}{i}", "phone_number": f"+1202555000{i}"} for i in range(3)]
    with Emulator(numbers=numbers, api_key="key") as emulator:
        for url in (server.url, emulator.url):
            ask(url, "PUT", f"phone_numbers/{LINE[:-1]}2", token="key", body={"forwarding_number": "+12025558888"})
            ask(url, "GET", "phone_numbers", token="key")
        answers = [ask(url, method, path, token="key", body=body) for url in (server.url, emulator.url)]
        lists = [ask(url, "GET", "phone_numbers", token="key") for url in (server.url, emulator.url)]
        refused = [ask(url, "GET", "phone_numbers", token="other") for url in (server.url, emulator.url)]
    assert answers[0] == answers[1]
    assert lists[0] == lists[1]
    assert refused == [(401, None), (401, None)]


def test_the_server_counts_for_each_account(server: Server) -> None:
    """Requests of one contestant are not counted for another, nor those from before the count began."""
    for token in ("one", "two"):
        server.open_account(token, lines=3, delay=0)
    ask(server.url, "GET", "phone_numbers", token="one")
    server.start_counting("one")
    for number in ("+12025559999", ""):
        ask(server.url, "PUT", f"phone_numbers/{LINE}", token="one", body={"forwarding_number": number})
    counted = server.counted("one")
    assert (counted.gets, counted.puts) == (0, 2)
    assert 0 < counted.busy <= counted.span
    assert server.counted("two") == Counted(0, 0, 0, 0)


def test_the_server_takes_its_time(server: Server) -> None:
    """An account with a delay answers that much later."""
    server.open_account("slow", lines=3, delay=0.05)
    for _ in range(3):
        ask(server.url, "GET", "phone_numbers", token="slow")
    assert 2 * 0.05 <= server.counted("slow").span < 5


def test_its_capacity_is_measured(server: Server) -> None:
    """16 clients that do nothing else are answered, and their answers counted."""
    server.open_account("busy", lines=1000, delay=0)
    per_second = capacity(server.url, "busy", seconds=0.1)
    assert 0 < per_second * 0.1 <= server.counted("busy").puts


def test_a_command_is_measured(tmp_path: Path) -> None:
    """The peak memory of a process that a shell starts is found, and the reason of a failure."""
    (tmp_path / "script.py").write_text(
        "import time\n"
        "held = b'x' * 80_000_000\n"
        "while time.process_time() < 0.2: pass\n"
        "raise SystemExit('error: out of lines')\n"
    )
    command = ["sh", "-c", f"{sys.executable} script.py; echo and so on; exit 3"]
    ran = bench_measure.run(command, folder=tmp_path, environment=dict(os.environ))
    assert 0.2 < ran.seconds < 60
    assert ran.problem == "error: out of lines"
    if os.path.isdir("/proc/self"):
        assert 80 < ran.peaks["client"] < 200
        assert set(ran.peaks) == {"client"}


def test_who_failed_is_out(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contestant whose command fails is asked nothing more, and its failure is shown."""
    commands = dict.fromkeys(VERBS, (sys.executable, "-c", ""))
    failing = {**commands, "change": (sys.executable, "-c", "raise SystemExit('error: too many lines')")}
    monkeypatch.setitem(CONTESTANTS, "script", Contestant("script", {}, commands))
    monkeypatch.setitem(CONTESTANTS, "naive", Contestant("naive", {}, failing))
    part = bench_plan.Part("peers-3", (("script", 3), ("naive", 3)), 0, 2, 1)
    samples = list(bench_run.measure(part, tmp_path, server))
    assert [(s.round, s.verb) for s in samples if s.contestant == "script"] == [(i, v) for i in (0, 1) for v in VERBS]
    assert [(s.round, s.verb, s.problem) for s in samples if s.contestant == "naive"] == [
        (0, "up", None),
        (0, "up again", None),
        (0, "change", "error: too many lines"),
    ]
    times = bench_report.render(results(*samples))["times"]
    assert re.search(
        r"^\| 0 ms \| 3 \| naive provider \| \d.* \| \d.* \| failed \| - \| - \| 1 \|$", times, re.MULTILINE
    )
    assert "`error: too many lines`" in times


def test_they_take_turns(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a round each runs a verb before anyone runs the next one, and in the next round another one begins."""
    for name in ("script", "threads"):
        monkeypatch.setitem(CONTESTANTS, name, Contestant(name, {}, dict.fromkeys(VERBS, (sys.executable, "-c", ""))))
    part = bench_plan.Part("peers-1", (("script", 1), ("threads", 1)), 0, 2, 1)
    order = [(s.round, s.verb, s.contestant) for s in bench_run.measure(part, tmp_path, server)]
    assert order[:4] == [
        (0, "up", "script"),
        (0, "up", "threads"),
        (0, "up again", "script"),
        (0, "up again", "threads"),
    ]
    assert order[10:12] == [(1, "up", "threads"), (1, "up", "script")]


def test_a_signal_that_was_ignored_is_heard_again() -> None:
    """The commands of a benchmark that was started with SIGINT ignored still receive it."""
    asks = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    program = (
        "import signal, subprocess, sys\nfrom bench.run import hear_sigint\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "hear_sigint()\n"
        f"subprocess.run([sys.executable, '-c', {asks!r}])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tools")}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"


@pytest.mark.parametrize(
    ("values", "enclosed"),
    [
        ([9, 1, 8, 2, 7, 3, 6, 4, 5], (2, 8)),
        ([1, 2, 3, 4, 5, 6], (1, 6)),
        ([1, 2, 3, 4, 5], None),
        ([*range(1, 21)], (6, 15)),
    ],
)
def test_the_interval_of_a_median(values: list[float], enclosed: tuple[float, float] | None) -> None:
    """As in the tables for the sign test: of nine values it is the second to the eighth; below six there is none."""
    assert interval(values) == enclosed


@pytest.mark.parametrize(
    ("seconds", "measured", "enclosed", "verdict"),
    [
        ((2.0, 2.1, 2.2, 2.3, 2.4, 2.4, 2.5, 2.9, 9.0), "2.40", "2.10 to 2.90", "holds"),
        ((2.4, 2.5, 2.6, 2.6, 2.6, 2.6, 2.7, 2.8, 2.9), "2.60", "2.50 to 2.80", "holds within the interval"),
        ((2.4, 2.6, 2.6, 2.6, 2.6, 2.6, 2.7, 2.8, 2.9), "2.60", "2.60 to 2.80", "falls short"),
        ((2.0, 2.0, 2.0), "2.00", "-", "open: 3 pairs are too few"),
    ],
)
def test_when_a_ratio_falls_short(seconds: tuple[float, ...], measured: str, enclosed: str, verdict: str) -> None:
    """A ratio falls short only if even the lower end of its interval is above the bound."""
    floor = [replace(NOOP, round=index) for index in range(len(seconds))]
    found = findings(results(*pairs_of(*seconds), *floor))[0]
    assert found.claim.startswith("fleet of 1,000, 0 ms: `up`, ")
    assert (found.measured, found.interval, found.bound, found.verdict) == (measured, enclosed, "2.50", verdict)


def test_a_pair_is_of_one_round() -> None:
    """The time of a command is divided by the floor of the same round, not of another."""
    ours = [replace(SAMPLE, round=0, seconds=2.0), replace(SAMPLE, round=1, seconds=8.0)]
    floor = [replace(NOOP, round=1, seconds=4.0), replace(NOOP, round=0, seconds=1.0)]
    found = findings(results(*ours, *floor))[0]
    assert (found.spread, found.count) == ("2.00 to 2.00", 2)


def test_what_is_claimed_of_requests() -> None:
    """One request too many, or a line too few, in one round is enough to fall short."""
    changes = [replace(SAMPLE, verb="change", round=index, gets=1, puts=10) for index in range(9)]
    assert [found.verdict for found in findings(results(*changes))[5:7]] == ["holds", "holds"]
    changes[4] = replace(changes[4], gets=3, puts=9)
    assert [found.verdict for found in findings(results(*changes))[5:7]] == ["falls short", "falls short"]


def test_what_is_claimed_of_ten_thousand_lines() -> None:
    """The provider's memory counts in every verb, and so does a command that failed."""
    large = [replace(SAMPLE, part="large", lines=10000, verb=verb, client_mb=90.0) for verb in VERBS]
    assert [found.verdict for found in findings(results(*large))[7:9]] == ["holds", "holds"]
    large[3] = replace(large[3], client_mb=251.0, problem="error")
    assert [found.verdict for found in findings(results(*large))[7:9]] == ["falls short", "falls short"]


def test_what_was_not_measured_is_said() -> None:
    """A run of one part names the others, and its claims say that they were not measured."""
    parts = bench_plan.planned(only=["1000"], pairs=9, quick=False)
    assert [(part.name, part.delay_ms) for part in parts] == [("peers-1000", 0), ("peers-1000", 100)]
    missing = bench_plan.left_out(parts)
    assert missing == [
        *("peers-10 at 0 ms", "peers-10 at 100 ms", "peers-100 at 0 ms", "peers-100 at 100 ms"),
        *("fleet at 0 ms", "fleet at 100 ms", "single at 0 ms", "peers-300 at 0 ms", "peers-300 at 100 ms"),
        *("large at 0 ms", "large at 100 ms"),
    ]
    rendered = bench_report.render(results(missing=missing, unfinished=["large at 0 ms"]))
    assert "**Not in this run: peers-10 at 0 ms, peers-10 at 100 ms, " in rendered["run"]
    assert ", large at 100 ms, large at 0 ms.**" in rendered["run"]
    assert rendered["claims"].count("| not measured |") == len(findings(results()))


def test_the_plan_measures_what_is_asked() -> None:
    """Everybody has 10, 100, 300 and 1,000 lines, at both delays; claims rest on nine pairs."""
    parts = bench_plan.planned(only=[], pairs=9, quick=False)
    compared = {(name, lines, p.delay_ms) for p in parts if p.name.startswith("peers") for name, lines in p.entries}
    everybody = {(name, lines, 0) for name in LABELS for lines in (10, 100, 300, 1000)}
    assert compared == everybody | {(name, lines, 100) for name, lines, _ in everybody if name != "noop"}
    assert {p.rounds for p in parts if p.name in ("fleet", "single")} == {9}
    assert {(p.entries, p.delay_ms) for p in parts if p.name == "large"} == {
        ((("fleet", 10000),), 0),
        ((("fleet", 10000),), 100),
    }


def test_a_run_comes_back_from_its_file(tmp_path: Path) -> None:
    """What was saved is what is loaded."""
    measured = results(SAMPLE, replace(NOOP, problem="error: no"))
    save(measured, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == measured


def test_small_figures(tmp_path: Path) -> None:
    """The import and both rosters are measured in each round; if an older run lacks them, the report says so."""
    figures = small_figures(rounds=1, rows=20)
    assert [len(seconds) for seconds in figures.values()] == [1, 1, 1]
    assert all(seconds[0] > 0 for seconds in figures.values())
    measured = replace(results(), small={"reading": [0.25, 0.3, 0.2]})
    assert bench_report.render(measured)["small"].endswith("\n| reading | 250.0 | 200.0 to 300.0 | 3 |")
    save(measured, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == measured
    saved = json.loads((tmp_path / "run.json").read_text())
    del saved["small"]
    (tmp_path / "run.json").write_text(json.dumps(saved))
    assert bench_report.render(load(tmp_path / "run.json"))["small"] == "Not measured in this run."


def test_a_faster_peer_is_shown() -> None:
    """A peer's time is set against that of the faster one of ours; a slower peer has no row."""
    peers = replace(SAMPLE, part="peers-100", lines=100)
    rows = bench_report.render(
        results(
            replace(peers, contestant="single", seconds=4.0),
            replace(peers, contestant="fleet", seconds=2.0),
            replace(peers, contestant="script", seconds=1.5),
            replace(peers, contestant="terraform", seconds=3.0),
        )
    )["faster"].splitlines()[2:]
    assert rows == ["| 0 ms | 100 | script | 1.50 s for 2.00 s | - | - | - | - |"]


def test_the_engines_cost_is_told_by_size() -> None:
    """What each further line costs is the difference to the size before; what we add is the difference to the floor."""
    samples = [
        replace(SAMPLE, part=f"peers-{lines}", contestant=name, lines=lines, seconds=seconds)
        for name, lines, seconds in [("noop", 10, 1.0), ("single", 10, 1.1), ("noop", 100, 2.8), ("single", 100, 3.3)]
    ]
    rows = bench_report.render(results(*samples))["growth"].splitlines()[2:]
    assert rows == ["| 10 | up | 1.00 | - | 10.0 | - |", "| 100 | up | 2.80 | 20.0 | 5.0 | - |"]


def test_a_document_without_a_marker_is_refused() -> None:
    """A table that has no place in the document is missed, not left out."""
    with pytest.raises(SystemExit, match="begin run"):
        bench_report.rewrite("# Performance\n", results())
