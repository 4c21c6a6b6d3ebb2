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

from benchmarks.budgets import MEGABYTE, Budget, first_start, idle_memory, later_start, of_load
from benchmarks.load import Kind
from benchmarks.mission import LOADS, Outcome, Round
from benchmarks.peers import SERVERS

NOT_MEASURED = "–"


def markdown(outcome: Outcome, budgets: Sequence[Budget]) -> str:
    """The figures, then the budgets."""
    plan, machine = outcome.plan, _machine()
    pending, issued = (len(each.body) for each in (outcome.samples.pending, outcome.samples.issued))
    conditions = (
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"Python {machine['python']}; one server process on one core, {plan.connections} connections, "
        f"{plan.seconds} s a load, medians of {plan.rounds} rounds; {pending:,} bytes "
        f"of body from ours, WireMock and nginx while pending, {issued:,} once issued."
    )
    idle_head = ("", "first start, ms", "start again, ms", "idle PSS, MB", "idle RSS, MB")
    parts = ["## The mission's document", conditions, _table(idle_head, _idle_rows(outcome))]
    for kind in LOADS:
        head = (kind, "requests/s", "p50, ms", "p99, ms", "processor µs/request", "failed")
        rows = [(name, *_load_cells(rounds, kind)) for name, rounds in outcome.rounds.items()]
        parts.append(_table(head, rows))
    parts += [f"**{name}** did not run: {reason}" for name, reason in outcome.failures.items()]
    parts += ["## Budgets", _table(("what", "measured", "budget", ""), map(_budget_cells, budgets))]
    return "\n\n".join(parts) + "\n"


def record(outcome: Outcome, budgets: Sequence[Budget]) -> dict[str, Any]:
    """Everything measured, every round by itself, as JSON."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {name: server.npm for name, server in SERVERS.items() if server.npm},
        "plan": asdict(outcome.plan),
        "rounds": {name: [asdict(each) for each in rounds] for name, rounds in outcome.rounds.items()},
        "failures": outcome.failures,
        "added_memory": outcome.added_memory,
        "body_bytes": {
            "pending": len(outcome.samples.pending.body),
            "issued": len(outcome.samples.issued.body),
        },
        "budgets": [asdict(each) | {"met": each.met} for each in budgets],
    }


def _idle_rows(outcome: Outcome) -> Iterable[tuple[str, ...]]:
    for name, rounds in outcome.rounds.items():
        rss = median(each.memory.rss for each in rounds)
        yield (
            name,
            f"{first_start(rounds):,.0f}",
            f"{later_start(rounds):,.0f}",
            f"{idle_memory(rounds) / MEGABYTE:,.1f}",
            f"{rss / MEGABYTE:,.1f}",
        )


def _load_cells(rounds: list[Round], kind: Kind) -> tuple[str, ...]:
    return (
        f"{of_load(kind, lambda each: each.per_second)(rounds):,.0f}",
        f"{of_load(kind, lambda each: each.p50)(rounds) / 1000:,.2f}",
        f"{of_load(kind, lambda each: each.p99)(rounds) / 1000:,.2f}",
        f"{of_load(kind, lambda each: each.processor_time)(rounds):,.1f}",
        f"{sum(each.loads[kind].failed for each in rounds):,}",
    )


def _budget_cells(budget: Budget) -> tuple[str, ...]:
    if budget.measured is None:
        measured, verdict = NOT_MEASURED, "not measured"
    else:
        measured, verdict = f"{budget.measured:,.2f} {budget.unit}", "met" if budget.met else "**not met**"
    return budget.what, measured, f"{budget.relation} {budget.bound:g} {budget.unit}", verdict


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded to be read as it is: the first column to the left, the others to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = ["| " + " | ".join(_aligned(line, widths)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 1) + (":" if at else "-") for at, width in enumerate(widths)) + "|"
    return "\n".join((padded[0], rule, *padded[1:]))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


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
