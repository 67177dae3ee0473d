"""The benchmark: its server, its measuring, its verdicts, and the document that it writes."""

from __future__ import annotations

import contextlib
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
from bench import __main__ as bench_main
from bench import measure as bench_measure
from bench import plot, report
from bench.claims import findings
from bench.contestants import CONTESTANTS, Contestant
from bench.measure import Counted, Run, Server
from bench.plan import AT_ONCE, PLAN, QUICK, SERVICES, SLOW, Part
from bench.results import COLUMNS, COMPARED, VERBS, Results, Sample, interval, load, save

from linq_provider.emulator import Emulator

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "performance.md"
LINE = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server of the benchmark, without any account."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module")
def published() -> Results:
    """The run of docs/performance.md."""
    return load(DOCUMENT.with_suffix(".json"))


@pytest.fixture
def whole() -> Results:
    """A run of the whole plan in which every command takes one second, and every `up` writes each line once."""
    samples = [one for part in PLAN for index in range(part.rounds) for one in one_round(part, index)]
    return Results({**bench_main.about(), "holes": []}, samples)


def one_round(part: Part, index: int) -> list[Sample]:
    """A round in which every command takes one second, and every `up` writes each line once."""
    return [
        sample(
            part.name,
            name,
            lines=lines,
            service=part.service,
            verb=verb,
            turn=index * len(part.verbs) + step,
            puts=lines if verb == "up" else 0,
        )
        for name, lines in part.entries
        for step, verb in enumerate(part.verbs)
    ]


def with_samples(run: Results, samples: list[Sample]) -> Results:
    return replace(run, samples=samples)


def changed(run: Results, part: str, contestant: str, verb: str, **to: Any) -> Results:
    """The run with other figures for one command."""
    return with_samples(
        run,
        [
            replace(one, **to) if (one.part, one.contestant, one.verb) == (part, contestant, verb) else one
            for one in run.samples
        ],
    )


def ask(url: str, method: str, path: str, *, token: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://").partition("/")[0], timeout=10)
    sent = None if body is None else json.dumps(body)
    connection.request(method, f"/api/partner/v3/{path}", sent, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text if answer.status == 200 else None


def sample(part: str = COMPARED, contestant: str = "fleet", **of: Any) -> Sample:
    named = {"part": part, "contestant": contestant, "service": AT_ONCE, "verb": "up", "problem": None}
    figures = {**dict.fromkeys(COLUMNS, 0), "seconds": 1.0, "span": 1.0, "state_bytes": 1}
    return Sample(**{**figures, **named, **of})


def test_the_document_is_what_its_json_says(published: Results) -> None:
    """Every table of docs/performance.md is made from docs/performance.json, to the letter."""
    document = DOCUMENT.read_text()
    assert report.rewrite(document, published) == document


def test_no_figure_is_typed_by_hand() -> None:
    """Outside of its tables docs/performance.md holds no time, size or ratio."""
    prose = re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", "", DOCUMENT.read_text(), flags=re.DOTALL)
    assert "95 %" in prose
    assert re.findall(r"\d[\d.,]*\s?(?:ms|s|x|MB|kB|GB|seconds?|minutes?|times)\b", prose) == []


@pytest.mark.parametrize("name", [*plot.PICTURES, plot.REQUESTS])
def test_a_picture_is_of_the_same_run(published: Results, name: str) -> None:
    """Each picture was drawn from docs/performance.json: it names the run, and the page shows it."""
    assert f"]({name})" in DOCUMENT.read_text()
    data = DOCUMENT.with_name(name).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    texts, at = [], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        texts += [data[at + 8 : at + 8 + size]] if kind == b"tEXt" else []
        at += size + 12
    assert f"Title\0{published.run['id']}".encode() in texts


def test_the_published_run_is_whole(published: Results) -> None:
    """It has every command of the plan, without a disturbance, and every claim holds."""
    assert published.run["holes"] == []
    assert published.run["missing"] == []
    measured = {(one.part, one.contestant, one.lines, one.service, one.turn, one.verb) for one in published.samples}
    failed = {(one.part, one.contestant, one.lines, one.service) for one in published.samples if one.problem}
    planned = {
        (part.name, name, lines, part.service, turn, part.verbs[turn % len(part.verbs)])
        for part in PLAN
        for name, lines in part.entries
        for turn in range(part.rounds * len(part.verbs))
    }
    assert {one for one in planned - measured if one[:4] not in failed} == set()
    assert {contestant for _, contestant, _, _ in failed} <= {"naive"}
    assert max(one.foreign for one in published.samples) <= bench_main.FOREIGN_CORES


@pytest.mark.parametrize("plan", [PLAN, QUICK])
def test_the_plan_compares_everybody(plan: tuple[Part, ...]) -> None:
    """All contestants have 10 and 100 lines; only no-op resources, which ask no server, have no slow one."""
    everybody = {name for name, one in CONTESTANTS.items() if one.compared}
    for lines in (10, 100):
        for service in (AT_ONCE, SLOW):
            parts = [part for part in plan if part.entries[0][1] == lines and part.service == service]
            names = {name for part in parts if part.name == COMPARED for name, _ in part.entries}
            if parts or plan is PLAN:
                assert names == everybody - ({"noop"} if service == SLOW else set())


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
    server.open_account("key", lines=3)
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
        server.open_account(token, lines=3)
    ask(server.url, "GET", "phone_numbers", token="one")
    server.start_counting("one")
    for number in ("+12025559999", ""):
        ask(server.url, "PUT", f"phone_numbers/{LINE}", token="one", body={"forwarding_number": number})
    counted = server.counted("one")
    assert (counted.gets, counted.puts, counted.refused) == (0, 2, 0)
    assert 0 < counted.busy <= counted.span
    assert server.counted("two") == Counted(0, 0, 0, 0, 0)


@pytest.mark.parametrize("service", [{"delay": 0.05}, {"load": 0.05}])
def test_the_server_takes_its_time(server: Server, service: dict[str, float]) -> None:
    """An account with a delay answers that much later, and one under load for each call under way."""
    server.open_account("slow", lines=3, **service)
    for _ in range(3):
        ask(server.url, "GET", "phone_numbers", token="slow")
    assert 2 * 0.05 <= server.counted("slow").span < 5


def test_the_server_limits_the_rate(server: Server) -> None:
    """Above the rate the answer is 429, and it is counted."""
    server.open_account("limited", lines=3, rate=1)
    answers = [ask(server.url, "GET", "phone_numbers", token="limited")[0] for _ in range(20)]
    assert answers[0] == 200
    assert server.counted("limited").refused == answers.count(429) > 10


def test_a_command_is_measured(tmp_path: Path) -> None:
    """The memory of a process that a shell starts is found, the reason of a failure, and what ran elsewhere."""
    (tmp_path / "script.py").write_text(
        "import time\n"
        "held = b'x' * 80_000_000\n"
        "while time.process_time() < 0.5: pass\n"
        "raise SystemExit('error: out of lines')\n"
    )
    spin = "import time\nwhile time.process_time() < 20: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as other:
        command = ["sh", "-c", f"{sys.executable} script.py; echo and so on; exit 3"]
        ran = bench_measure.run(command, folder=tmp_path, environment=dict(os.environ))
        other.kill()
    assert 0.5 < ran.seconds < 60
    assert ran.elsewhere > 0.1
    assert ran.problem == "error: out of lines"
    assert 80 < ran.peaks["client"] < 200
    assert set(ran.peaks) == {"client"}


def test_a_disturbed_round_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured until it is quiet, and at most three times; what stays disturbed is a hole."""
    part = Part(COMPARED, (("script", 1),), AT_ONCE, 1)
    quiet, disturbed = sample(foreign=0.1), sample(foreign=0.5)
    rounds = iter([[quiet, disturbed], [quiet, quiet]])
    monkeypatch.setattr(bench_main, "one_round", lambda *_: next(rounds))
    assert bench_main.quiet_round(part, 0) == [quiet, quiet]
    rounds = iter([[disturbed]] * 3)
    assert bench_main.quiet_round(part, 0) == [disturbed]
    assert next(rounds, None) is None
    assert bench_main.hole(quiet) is None
    assert bench_main.hole(disturbed) == "other work ran beside fleet"
    assert bench_main.hole(sample(problem="error")) == "fleet failed: error"
    assert bench_main.hole(sample(problem="error", contestant="naive")) is None


def test_an_interrupted_run_has_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved names the parts that are missing, and no document is made from it."""
    rounds = iter([[sample()]] * PLAN[0].rounds)
    monkeypatch.setattr(bench_main, "one_round", lambda *_: next(rounds))
    with pytest.raises(StopIteration):
        bench_main.measure(PLAN[:3], tmp_path / "run.json", bench_main.start(PLAN[:3]))
    interrupted = load(tmp_path / "run.json")
    assert interrupted.run["holes"] == [f"{part} was not measured" for part in PLAN[1:3]]
    with pytest.raises(
        SystemExit, match=r"has holes: compare \(single first\), up to 10 lines, 100 ms was not measured; "
    ):
        bench_main.publish(interrupted)


def test_only_the_parts_with_holes_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their samples replace the disturbed ones; the others stay, and so does the id of the run."""
    parts = [Part(COMPARED, (("script", 1),), AT_ONCE, 1), Part(COMPARED, (("fleet", 1),), AT_ONCE, 1)]
    assert len({str(part) for part in PLAN}) == len(PLAN)  # a hole names one part
    first, *others = sample(contestant="script", lines=1), sample(foreign=0.5, lines=1), sample(seconds=2.0, lines=1)
    rounds = iter([[first], *[[others[0]]] * 3, [others[1]]])
    monkeypatch.setattr(bench_main, "one_round", lambda *_: next(rounds))
    disturbed = bench_main.measure(parts, tmp_path / "run.json", bench_main.start(parts))
    assert disturbed.run["holes"] == [f"{parts[1]}: other work ran beside fleet"]
    again = bench_main.measure(parts, tmp_path / "run.json", bench_main.same_machine(load(tmp_path / "run.json")))
    assert (again.run["holes"], again.run["id"]) == ([], disturbed.run["id"])
    assert again.samples == load(tmp_path / "run.json").samples == [first, others[1]]
    monkeypatch.setitem(again.run, "cores", 1)
    with pytest.raises(SystemExit, match="on another machine"):
        bench_main.same_machine(again)


def test_contestants_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a turn each runs a verb before anyone runs the next one, and in the next turn another one begins."""
    order: list[tuple[str, str]] = []

    def run(command: list[str], *, folder: Path, environment: dict[str, str]) -> Run:
        order.append((folder.name, command[0]))
        return Run(1.0, 0.0, {}, "error: too many" if command[0] == "change" and folder.name == "b-1" else None)

    monkeypatch.setattr("bench.contestants.run", run)
    for name in ("a", "b"):
        contestant = Contestant(name, {}, {verb: (verb,) for verb in VERBS})
        monkeypatch.setattr(Contestant, "missing", None)
        monkeypatch.setitem(CONTESTANTS, name, contestant)
    samples = bench_main.one_round(Part(COMPARED, (("a", 1), ("b", 1)), AT_ONCE, 1), 0)
    assert order == [
        *(("a-1", "up"), ("b-1", "up"), ("b-1", "up again"), ("a-1", "up again")),
        *(("a-1", "change"), ("b-1", "change"), ("a-1", "refresh"), ("a-1", "destroy")),
    ]
    assert [one.problem for one in samples if one.contestant == "b"] == [None, None, "error: too many"]


@pytest.mark.parametrize("failing", [None, "fleet"])
@pytest.mark.parametrize("words", [[], ["--quick"]], ids=["whole", "quick"])
def test_a_run_shows_its_tables(
    words: list[str],
    failing: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Claims need the whole plan without a failure; the times are always shown."""

    def one_round_with_failure(part: Part, index: int) -> list[Sample]:
        return [
            replace(one, problem="error" if one.contestant == failing else None)
            for one in one_round(part, index)
            if one.contestant != failing or one.verb == "up"
        ]

    monkeypatch.setattr(bench_main, "one_round", one_round_with_failure)
    monkeypatch.setattr(bench_main, "RESULTS", tmp_path / "performance.json")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["bench", *words])
    with pytest.raises(SystemExit, match="fleet failed: error") if failing else contextlib.nullcontext():
        bench_main.main()
    tables = capsys.readouterr().out
    assert ("| claim |" in tables) == (not words and failing is None)
    assert "| single resources | 0 ms | 100 | 1.00 | 1.00 | 1.00 | 1.00 | 1.00 |\n" in tables
    assert ("| fleet | 0 ms | 100 | failed | - | - | - | - |\n" in tables) == (failing is not None)


def test_a_signal_that_was_ignored_is_heard_again() -> None:
    """Commands of a benchmark that was started with SIGINT ignored still receive it."""
    program = (
        "import signal, sys\nfrom unittest import mock\nfrom bench import __main__ as bench\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "sys.argv[1:] = ['--report']\n"
        "with mock.patch.object(bench, 'load'), mock.patch.object(bench, 'publish'):\n"
        "    bench.main()\n"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    environment = {**os.environ, "PYTHONPATH": str(DOCUMENT.parents[1] / "tools")}
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
def test_when_a_ratio_falls_short(
    whole: Results, seconds: tuple[float, ...], measured: str, enclosed: str, verdict: str
) -> None:
    """A ratio falls short only if even the lower end of its interval is above the bound."""
    others = [one for one in whole.samples if one.part != "fleet"]
    floor = [sample(part="fleet", contestant="noop", verb="up again", turn=3 * i + 1) for i in range(len(seconds))]
    slow = [replace(one, service=SLOW, contestant=name) for one in floor for name in ("noop", "fleet")]
    ours = [sample(part="fleet", seconds=each, turn=3 * i) for i, each in enumerate(seconds)]
    found = next(findings(with_samples(whole, [*others, *floor, *slow, *ours, *again_and_change(floor)])))
    assert found.claim.startswith("fleet of 1,000: `up`, ")
    assert (found.measured, found.interval, found.bound, found.verdict) == (measured, enclosed, "2.5", verdict)


def again_and_change(floor: list[Sample]) -> list[Sample]:
    return [replace(one, contestant="fleet", verb=verb) for one in floor for verb in ("up again", "change")]


@pytest.mark.parametrize(
    ("part", "verb", "figures", "claim"),
    [
        ("fleet", "up again", {"gets": 1}, "requests of an `up` without change"),
        ("fleet", "change", {"puts": 11}, "PUT for 1 % changed"),
        ("fleet", "change", {"puts": 9}, "PUT for 1 % changed"),
        ("fleet", "change", {"gets": 3}, "GET for 1 % changed"),
        ("large", "change", {"client_mb": 251.0}, "peak memory"),
    ],
)
def test_a_figure_above_its_bound_falls_short(
    whole: Results, part: str, verb: str, figures: dict[str, float], claim: str
) -> None:
    """A request or MB too many, or a line too few, is enough."""
    found = {one.claim: one.verdict for one in findings(changed(whole, part, "fleet", verb, **figures))}
    assert [verdict for name, verdict in found.items() if claim in name] == ["falls short"]


def test_a_run_comes_back_from_its_file(tmp_path: Path, whole: Results) -> None:
    """What was saved is what is loaded, and the file of another version is refused."""
    save(whole, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == whole
    (tmp_path / "run.json").write_text((tmp_path / "run.json").read_text().replace('"turn"', '"round"'))
    with pytest.raises(SystemExit, match="Another version of the benchmark wrote"):
        load(tmp_path / "run.json")
    with pytest.raises(SystemExit, match="Run `make bench` first"):
        load(tmp_path / "none.json")


def test_a_failure_is_shown(whole: Results) -> None:
    """The table says which contestant failed, and the text below it says why."""
    problem = "error: too many lines"
    shown = report.render(changed(whole, COMPARED, "terraform", "change", problem=problem, lines=100))["times"]
    assert re.search(r"^\| Terraform, curl \| 0 ms \| 100 \|.*\| failed \|", shown, re.MULTILINE)
    assert f"`{problem}`" in shown


def test_growth_is_the_difference_to_the_size_before(whole: Results) -> None:
    """What each further line costs is the difference to the size before, divided by the lines between them."""
    samples = [sample(contestant="noop", lines=lines, seconds=seconds) for lines, seconds in [(10, 1.0), (100, 2.8)]]
    rows = report.render(with_samples(whole, [*whole.samples, *samples]))["growth"]
    alone = "\n".join(report.growth_rows(with_samples(whole, samples)))
    assert alone.splitlines()[2:] == ["| no-op resources | 10 | 1.00 | - |", "| no-op resources | 100 | 2.80 | 20.0 |"]
    assert rows.count("| fleet |") >= 5


def test_a_document_without_a_marker_is_refused(whole: Results) -> None:
    """A table that has no place in the document is missed, not left out."""
    with pytest.raises(SystemExit, match="begin run"):
        report.rewrite("# Performance\n", whole)


def test_the_services_are_the_servers_own() -> None:
    """Every kind of server can be opened as an account."""
    with Server() as server:
        for name, service in SERVICES.items():
            server.open_account(name.replace(" ", "-"), lines=1, **service)
