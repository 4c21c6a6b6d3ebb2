"""Read what may reject a call before its operation: ``limit``, ``concurrency`` and ``flaky``.

``limit: 5/s`` or ``{rate: 100/1m, by: header.X-Api-Key, state: rate-limited}``;
``concurrency: 2`` or ``{most: 2, wait: 5s, state: busy}``;
``flaky: {rate: 10%, answers: [500, reset]}``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mockserver import inputs
from mockserver.compile.scenario.conditions import parse_source
from mockserver.compile.scenario.delays_faults import (
    FAULTS,
    MAX_CALLS,
    WIREMOCK,
    join_names,
    read_duration,
    read_members,
)
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.plan import Concurrency, Flaky, Limit, Lookup

_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d+(?:\.\d+)?)?\s*(ms|s|m|h|d)$")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%$")
_LIMIT = frozenset(["rate", "by", "state"])
_CONCURRENCY = frozenset(["most", "wait", "state"])
_FLAKY = frozenset(["rate", "answers"])


def read_limits(node: Node, states: Collection[str], report: Report) -> tuple[Limit, ...]:
    """Read one limit, or a list of limits."""
    nodes = node.value if isinstance(node.value, list) else [node]
    found = [_limit(child, states, report) for child in nodes]
    return tuple(limit for limit in found if limit is not None)


def _limit(node: Node, states: Collection[str], report: Report) -> Limit | None:
    plain = not isinstance(node.value, dict)
    members = {"rate": node} if plain else read_members(node, _LIMIT, "a limit", report)
    rate = members["rate"].value if "rate" in members else None
    found = _RATE.match(rate) if isinstance(rate, str) else None
    try:
        count, window = (
            (int(found[1]), inputs.parse_duration(f"{found[2] or 1}{found[3]}")) if found else (0, 0)
        )
    except ValueError:
        count, window = 0, 0  # too many, or too long
    if not (1 <= count <= MAX_CALLS and window):
        report.error("S601", node, "invalid limit", "write 5/s, 100/1m or {rate: 5/s, by: header.X-Api-Key}.")
        return None
    by: Lookup | None = None
    if "by" in members and members["by"].value != "namespace":
        by = Lookup("key", "") if members["by"].value == "key" else parse_source(members["by"].value)
        if by is None:
            report.error(
                "S601",
                members["by"],
                f"invalid `by` value {members['by'].describe()}",
                "write key, namespace, or a part of the request such as header.X-Api-Key.",
            )
    return Limit(count, window, by, read_state_name(members.get("state"), states, report))


def read_concurrency(node: Node, states: Collection[str], report: Report) -> Concurrency | None:
    """Read how many calls may run at the same time."""
    plain = not isinstance(node.value, dict)
    members = {"most": node} if plain else read_members(node, _CONCURRENCY, "`concurrency`", report)
    max_calls = members["most"].value if "most" in members else None
    if isinstance(max_calls, bool) or not isinstance(max_calls, int) or not 1 <= max_calls <= MAX_CALLS:
        report.error("S602", node, "invalid concurrency", "write 2, or {most: 2, wait: 5s}.")
        return None
    wait = read_duration(members["wait"], "`wait`", report) if "wait" in members else 0
    return Concurrency(max_calls, wait, read_state_name(members.get("state"), states, report))


def read_flaky(node: Node, states: Collection[str], report: Report) -> Flaky | None:
    """Read the rate of random failures, and the failures to choose from."""
    members = read_members(node, _FLAKY, "`flaky`", report)
    rate, answers = members.get("rate"), members.get("answers")
    found = _PERCENT.match(rate.value) if rate is not None and isinstance(rate.value, str) else None
    stated = rate.value if rate is not None else None
    probability = float(found[1]) / 100 if found else stated if isinstance(stated, float | int) else -1.0
    wanted = answers.value if answers is not None else None
    if isinstance(stated, bool) or not 0 <= probability <= 1 or not isinstance(wanted, list) or not wanted:
        report.error(
            "S603", node, "invalid `flaky` value", "write {rate: 10%, answers: [500, reset, A-STATE]}."
        )
        return None
    names = []
    for child in wanted:
        value = child.value
        name = WIREMOCK.get(value, value) if isinstance(value, str) else value
        if isinstance(name, str) and (name in FAULTS or name in states):
            names.append(name)
        elif isinstance(name, int) and not isinstance(name, bool) and 200 <= name <= 999:
            names.append(str(name))
        else:
            report.error(
                "S603",
                child,
                f"{child.describe()} is not a status, a fault or a state",
                f"the faults are {join_names(FAULTS)}, the states {join_names(states)}.",
            )
    return Flaky(float(probability), tuple(names))


def read_state_name(node: Node | None, states: Collection[str], report: Report) -> str:
    """Return the name of a state; empty without a node, and after reporting an unknown state."""
    if node is None:
        return ""
    if isinstance(node.value, str) and node.value in states:
        return node.value
    report.error(
        "S203", node, f"there is no state {node.describe()}", f"the states are {join_names(states)}."
    )
    return ""
