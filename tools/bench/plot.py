"""The pictures of docs/performance.md, one for each question."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from bench.contestants import CONTESTANTS
from bench.plan import AT_ONCE, SLOW
from bench.results import COMPARED, Results

PICTURES = {"performance-up.png": "up", "performance-unchanged.png": "up again"}
REQUESTS = "performance-requests.png"
STYLES = {  # colour, line, marker
    "noop": ("#888888", ":", "s"),
    "single": ("#0072b2", "-", "o"),
    "skip": ("#0072b2", "-.", "x"),
    "native": ("#e69f00", "-", "s"),
    "native_32": ("#e69f00", "-.", "x"),
    "fleet": ("#d55e00", "-", "D"),
    "naive": ("#cc79a7", "--", "v"),
    "script": ("#009e73", "--", "^"),
    "threads": ("#56b4e9", "--", "<"),
    "terraform": ("#6a3d9a", "--", "P"),
}


def draw(results: Results, folder: Path) -> None:
    """Write the pictures, which name the run in their metadata. Needs matplotlib."""
    for name, verb in PICTURES.items():
        _times(results, folder / name, verb)
    _requests(results, folder / REQUESTS)


def _times(results: Results, path: Path, verb: str) -> None:
    """Wall time against the number of lines; no-op resources ask no server, so their line is the same for each."""
    pyplot, figure, every = _figure(2)
    for axes, service in zip(every, (AT_ONCE, SLOW), strict=True):
        for name, (colour, line, marker) in STYLES.items():
            answers = AT_ONCE if name == "noop" else service
            sizes = results.sizes(name, answers)
            known = [(n, results.median(name, lines=n, service=answers, verb=verb)) for n in sizes]
            points = [point for point in known if point[1] is not None]
            style = {"color": colour, "linestyle": line, "marker": marker, "label": CONTESTANTS[name].label}
            axes.plot([n for n, _ in points], [seconds for _, seconds in points], **style)
        axes.set(xscale="log", yscale="log", xlabel="lines", title=f"the server answers after {service}")
        axes.grid(visible=True, which="both", alpha=0.25)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
    every[0].set_ylabel("wall time, s (median)")
    figure.legend(*every[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    _save(pyplot, figure, path, results)


def _requests(results: Results, path: Path) -> None:
    """Requests for 100 lines, by verb."""
    pyplot, figure, (axes,) = _figure(1)
    names = [name for name in STYLES if name != "noop"]
    verbs = {"up": "up", "up again": "up, no change", "change": "one line changed", "refresh": "refresh"}
    for place, (verb, label) in enumerate(verbs.items()):
        counts = []
        for name in names:
            samples = results.of(COMPARED, name, lines=100, service=AT_ONCE, verb=verb)
            counts.append(max((one.gets + one.puts for one in samples), default=0))
        bars = axes.barh([i + 0.2 * place for i in range(len(names))], counts, height=0.18, label=label)
        axes.bar_label(bars, padding=3, fontsize=8)
    axes.set_yticks([i + 0.3 for i in range(len(names))], [CONTESTANTS[name].label for name in names])
    axes.invert_yaxis()
    axes.set(xlabel="requests to Linq for 100 lines")
    figure.legend(loc="outside lower center", ncols=4)
    _save(pyplot, figure, path, results)


def _figure(columns: int) -> tuple[Any, Any, Any]:
    importlib.import_module("matplotlib").use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(1, columns, figsize=(12, 6), sharey=True, layout="constrained", squeeze=False)
    return pyplot, figure, axes[0]


def _save(pyplot: Any, figure: Any, path: Path, results: Results) -> None:
    figure.savefig(path, dpi=90, metadata={"Title": results.run["id"], "Software": None})
    pyplot.close(figure)
