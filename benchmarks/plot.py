"""Requests per second by load, ours and peers, drawn: ``benchmarks/results.svg``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.load import Figures
from benchmarks.peers import SERVERS

PICTURE = Path(__file__).parent / "results.svg"
_SHOWN = tuple(name for name in SERVERS if name != "no-journal")
_BAR = 0.16
_ROW = 0.55
"""Inches of height for each load."""


def draw(loads: Mapping[str, Mapping[str, list[Figures]]], picture: Path = PICTURE) -> None:
    """A row for each load that has peers: a bar for each server, with the spread of its rounds."""
    mpl.rcParams |= {"svg.hashsalt": "benchmarks", "svg.fonttype": "none"}
    rows = {
        load: servers
        for load, servers in loads.items()
        if {"ours", "steady"} <= servers.keys() and "per_second" in servers["ours"][0]
    }
    figure = Figure(figsize=(10, 1.2 + _ROW * len(rows)), layout="constrained")
    axes = figure.subplots()
    for number, server in enumerate(_SHOWN):
        places, widths, errors = [], [], []
        for row, servers in enumerate(rows.values()):
            if server in servers:
                shown = [name for name in _SHOWN if name in servers]
                places.append(row + (shown.index(server) - (len(shown) - 1) / 2) * _BAR)
                values = [each["per_second"] for each in servers[server]]
                middle = median(values)
                widths.append(middle)
                errors.append((middle - min(values), max(values) - middle))
        if not places:
            continue
        spread = tuple(zip(*errors, strict=True))
        axes.barh(places, widths, _BAR, xerr=spread, label=server, color=f"C{number}", error_kw={"lw": 0.8})
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("requests/s (logarithmic)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(ncols=len(_SHOWN), loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.savefig(picture, metadata={"Date": None})
