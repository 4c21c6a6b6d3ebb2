"""What a run came to: Markdown for people, JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import documents, sharing
from benchmarks.budgets import MEGABYTE, Budget, first_start, idle_memory, later_start, of_load
from benchmarks.documents import OPERATIONS, STARTED
from benchmarks.load import Kind, Load
from benchmarks.mission import CONNECTIONS, LOADS, Outcome, Round
from benchmarks.peers import SERVERS

NOT_MEASURED = "–"
_WHEN = {"ours": ("first", "again"), "steady": ("first", "again"), "prism": ("first",)}


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
    for kind in (*LOADS, CONNECTIONS):
        head = (kind, "requests/s", "p50, ms", "p99, ms", "processor µs/request", "failed")
        rows = [
            (name, *_load_cells(rounds, kind))
            for name, rounds in outcome.rounds.items()
            if kind in rounds[0].loads
        ]
        parts.append(_table(head, rows))
    if outcome.added_memory:
        rows = [
            (f"{count:,}", f"{added / MEGABYTE:,.1f}", f"{added / count:,.0f}")
            for count, added in outcome.added_memory.items()
        ]
        parts.append(_table(("further keys, one call each", "MB added", "bytes a key"), rows))
    parts += _failures(outcome.failures)
    return "\n\n".join([*parts, *_judged(budgets)]) + "\n"


def documents_markdown(outcome: documents.Outcome, budgets: Sequence[Budget]) -> str:
    """The figures of documents of many operations, then their budgets."""
    head = ("start to the first answer, ms", *(f"{name}, {when}" for name in STARTED for when in _WHEN[name]))
    parts = ["## Documents of many operations", _table(head, _start_rows(outcome))]
    rows = [(f"{count:,}", *_pace_cells(loads)) for count, loads in sorted(outcome.routing.items())]
    columns = ("requests/s", "processor µs/request", "failed")
    if outcome.spread:
        rows.append((f"{OPERATIONS[-1]:,}, each in turn", *_pace_cells(outcome.spread)))
    parts.append(_table(("one operation of", *columns), rows))
    rows = [
        (f"{server}, {name}", *_pace_cells(loads))
        for server, bodies in outcome.bodies.items()
        for name, loads in bodies.items()
    ]
    parts.append(_table(("one operation, with and without a body", *columns), rows))
    return "\n\n".join([*parts, *_failures(outcome.failures), *_judged(budgets)]) + "\n"


def documents_record(outcome: documents.Outcome, budgets: Sequence[Budget]) -> dict[str, Any]:
    """Everything measured on documents of many operations, as JSON."""
    return {**_circumstances(), **asdict(outcome), "budgets": _recorded(budgets)}


def sharing_markdown(outcome: sharing.Outcome) -> str:
    """What sharing state costs."""
    parts = ["## State in memory and on Redis"]
    for kind in LOADS:
        head = (
            kind,
            "requests/s",
            "p50, ms",
            "p99, ms",
            "processor µs/request",
            "Redis's µs/request",
            "failed",
        )
        rows = []
        for name, kinds in outcome.rounds.items():
            loads, redis = [each.load for each in kinds[kind]], [each.redis for each in kinds[kind]]
            pace, processor, failed = _pace_cells(loads)
            times = [median(getattr(each, part) for each in loads) / 1000 for part in ("p50", "p99")]
            rows.append(
                (name, pace, *(f"{each:,.2f}" for each in times), processor, f"{median(redis):,.1f}", failed)
            )
        parts.append(_table(head, rows))
    return "\n\n".join(parts) + "\n"


def sharing_record(outcome: sharing.Outcome) -> dict[str, Any]:
    """Everything measured of shared state, as JSON."""
    return {**_circumstances(), **asdict(outcome)}


def _failures(failures: Mapping[str, str]) -> list[str]:
    return [f"**{name}** did not run: {reason}" for name, reason in failures.items()]


def _judged(budgets: Sequence[Budget]) -> tuple[str, str]:
    return "## Budgets", _table(("what", "measured", "budget", ""), map(_budget_cells, budgets))


def _start_rows(outcome: documents.Outcome) -> Iterable[tuple[str, ...]]:
    for name, starts in outcome.starts.items():
        cells = []
        for server in STARTED:
            times = starts.get(server, [])
            figures = {"first": times[:1], "again": times[1:]}
            cells += [f"{median(figures[when]):,.0f}" if figures[when] else "–" for when in _WHEN[server]]
        yield name, *cells


def _pace_cells(loads: list[Load]) -> tuple[str, ...]:
    return (
        f"{median(each.per_second for each in loads):,.0f}",
        f"{median(each.processor_time for each in loads):,.1f}",
        f"{sum(each.failed for each in loads):,}",
    )


def record(outcome: Outcome, budgets: Sequence[Budget]) -> dict[str, Any]:
    """Everything measured, every round by itself, as JSON."""
    return {
        **_circumstances(),
        "plan": asdict(outcome.plan),
        "rounds": {name: [asdict(each) for each in rounds] for name, rounds in outcome.rounds.items()},
        "failures": outcome.failures,
        "added_memory": outcome.added_memory,
        "body_bytes": {
            "pending": len(outcome.samples.pending.body),
            "issued": len(outcome.samples.issued.body),
        },
        "budgets": _recorded(budgets),
    }


def _recorded(budgets: Sequence[Budget]) -> list[dict[str, Any]]:
    return [asdict(each) | {"met": each.met} for each in budgets]


def _circumstances() -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {name: server.npm for name, server in SERVERS.items() if server.npm},
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
