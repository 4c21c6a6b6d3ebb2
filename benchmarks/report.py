"""What a run came to: Markdown for people, JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench import Bench
from benchmarks.budgets import LABELS, Budget
from benchmarks.peers import SERVERS
from benchmarks.trial import Results

NOT_MEASURED = "–"
_PRECISE = 10
"""Figures below it are told with two digits after the point."""


def conditions(bench: Bench) -> str:
    """The machine, and how it was measured."""
    machine = _machine()
    return (
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"Python {machine['python']}; {bench.connections} connections, {bench.seconds} s a load, medians of "
        f"{bench.rounds} rounds with the least and the most.\n"
    )


def markdown(part: str, results: Results, budgets: Sequence[Budget]) -> str:
    """The figures of one part, then its budgets."""
    present = {
        name for servers in results.loads.values() for rounds in servers.values() for name in rounds[0]
    }
    columns = [name for name in LABELS if name in present]
    head = ["", "", *(", ".join(filter(None, LABELS[name][:2])) for name in columns)]
    rows = [
        [load, server, *(_cell(name, [each[name] for each in rounds if name in each]) for name in columns)]
        for load, servers in results.loads.items()
        for server, rounds in servers.items()
    ]
    verdicts = [
        (each.what, _measured(each), f"{each.relation} {each.bound:.3g} {each.unit}", each.verdict)
        for each in budgets
    ]
    faults = [f"**{what}**: {reason}" for what, reason in (results.faults | results.invalid).items()]
    tables = [_table(head, rows, texts=2)] if rows else []
    budget_head = ("what", "measured", "budget", "")
    return "\n\n".join([f"### {part.capitalize()}", *tables, *faults, _table(budget_head, verdicts)]) + "\n"


def record(bench: Bench, parts: dict[str, Results], budgets: Sequence[Budget]) -> dict[str, Any]:
    """Everything measured, every round by itself, as JSON."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {name: server.npm for name, server in SERVERS.items() if server.npm},
        "plan": {name: getattr(bench, name) for name in ("seconds", "connections", "rounds")},
        "parts": {name: asdict(results) for name, results in parts.items()},
        "budgets": [asdict(each) | {"measured": each.measured, "verdict": each.verdict} for each in budgets],
    }


def _cell(name: str, values: Sequence[float]) -> str:
    if not values:
        return NOT_MEASURED
    if name in ("asked", "failed"):
        return f"{sum(values):,.0f}"
    return _spread([value / LABELS[name][2] for value in values])


def _measured(budget: Budget) -> str:
    return f"{_spread(budget.rounds)} {budget.unit}" if budget.rounds else NOT_MEASURED


def _spread(values: Sequence[float]) -> str:
    """The median, with the least and the most where they differ."""
    middle, least, most = (_told(each) for each in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def _told(value: float) -> str:
    return (
        f"{value:,.2f}" if value < _PRECISE else f"{value:,.1f}" if value < _PRECISE**2 else f"{value:,.0f}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table, padded to be read as it is: so many texts to the left, figures to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = ["| " + " | ".join(_aligned(line, widths, texts)) + " |" for line in lines]
    rule = (
        "|"
        + "|".join("-" * (width + 1) + (":" if at >= texts else "-") for at, width in enumerate(widths))
        + "|"
    )
    return "\n".join((padded[0], rule, *padded[1:]))


def _aligned(line: Sequence[str], widths: Sequence[int], texts: int) -> list[str]:
    return [
        cell.rjust(width) if at >= texts else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _machine() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "processor": model or platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
