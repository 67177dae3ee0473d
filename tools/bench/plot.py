"""The picture of docs/performance.md: wall time against the number of lines."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from bench.results import LABELS, VERBS, Results

SHOWN = ("up", "up again", "change", "destroy")
STYLES = {
    "noop": ("#888888", ":", "s"),
    "single": ("#0072b2", "-", "o"),
    "fleet": ("#d55e00", "-", "D"),
    "naive": ("#cc79a7", "--", "v"),
    "script": ("#009e73", "--", "^"),
    "threads": ("#56b4e9", "--", "<"),
    "terraform": ("#6a3d9a", "--", "P"),
}


def require() -> None:
    """Exit with a message if the picture cannot be drawn, before an hour is spent on measuring."""
    if importlib.util.find_spec("matplotlib") is None:
        raise SystemExit("The picture needs matplotlib. Install what constraints.txt names: make lint")


def draw(results: Results, path: Path) -> None:
    """Write the PNG, which names the run in its metadata; none where no peers were measured. Needs matplotlib."""
    if not any(results.sizes(contestant, delay_ms=delay_ms) for contestant in LABELS for delay_ms in (0, 100)):
        return
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, rows = pyplot.subplots(2, len(SHOWN), figsize=(18, 9.5), sharex=True, sharey=True, layout="constrained")
    for axes_row, delay_ms in zip(rows, (0, 100), strict=True):
        for axes, verb in zip(axes_row, SHOWN, strict=True):
            for contestant in LABELS:
                _draw_line(axes, results, contestant, delay_ms, verb)
            axes.set(xscale="log", yscale="log", title=f"{VERBS[verb]}, server answers after {delay_ms} ms")
            axes.grid(visible=True, which="both", alpha=0.25)
            axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    for axes in rows[-1]:
        axes.set_xlabel("lines")
    for axes_row in rows:
        axes_row[0].set_ylabel("wall time, s (median)")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(LABELS), fontsize=12)
    figure.savefig(path, dpi=90, metadata={"Title": results.run["id"], "Software": None})
    pyplot.close(figure)


def _draw_line(axes: object, results: Results, contestant: str, delay_ms: int, verb: str) -> None:
    """One contestant; the floor asks no server, so that its line is the same for every delay."""
    measured_at = 0 if contestant == "noop" else delay_ms
    sizes = results.sizes(contestant, delay_ms=measured_at)
    points = [(lines, results.median(contestant, lines=lines, verb=verb, delay_ms=measured_at)) for lines in sizes]
    known = [(lines, seconds) for lines, seconds in points if seconds is not None]
    colour, line, marker = STYLES[contestant]
    axes.plot(  # type: ignore[attr-defined]
        [lines for lines, _ in known],
        [seconds for _, seconds in known],
        color=colour,
        linestyle=line,
        marker=marker,
        label=LABELS[contestant],
        linewidth=2,
    )
