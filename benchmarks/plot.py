"""The figures of the last runs, drawn: ``benchmarks/results.svg``."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PICTURE = Path(__file__).parent / "results.svg"
_KINDS = ("one key", "new keys")


def draw(record: Path) -> None:
    """Draw what a run on the mission's document came to, by its record."""
    found = json.loads(record.read_text())
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    (pace, processor), (starts, memory) = figure.subplots(2, 2)
    _bars(pace, found, "requests/s", lambda each: float(each["per_second"]))
    _bars(processor, found, "processor µs/request", lambda each: float(each["processor_time"]))
    names = list(found["rounds"])
    first = [rounds[0]["start"] for rounds in found["rounds"].values()]
    again = [
        median([each["start"] for each in rounds[1:]] or [rounds[0]["start"]])
        for rounds in found["rounds"].values()
    ]
    _grouped(starts, names, {"first": first, "again": again}, "start to the first answer, ms")
    counts = [int(count) for count in found["added_memory"]]
    memory.plot(counts, [value / 2**20 for value in found["added_memory"].values()], marker="o")
    memory.set_title("memory added by keys, MB")
    memory.set_xlabel("keys")
    figure.savefig(PICTURE, metadata={"Date": None})


def _bars(axes: Axes, found: dict[str, Any], title: str, figure: Any) -> None:
    rows = {
        kind: [median(figure(each["loads"][kind]) for each in rounds) for rounds in found["rounds"].values()]
        for kind in _KINDS
    }
    _grouped(axes, list(found["rounds"]), rows, title)


def _grouped(axes: Axes, names: list[str], rows: dict[str, list[float]], title: str) -> None:
    width = 0.8 / len(rows)
    for number, (label, values) in enumerate(rows.items()):
        places = [place + number * width for place in range(len(names))]
        axes.bar(places, values, width, label=label)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(names))], names, fontsize=8)
    axes.set_title(title)
    axes.legend(fontsize=8)
