"""Read how a response is delivered: delays, dribbles and wire faults of a scenario file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from mockserver import inputs
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.engine.delays import LONGEST, MAX_WAIT
from mockserver.plan import Delay, Dribble

FAULTS = frozenset(["reset", "empty", "garbage", "short", "chunk", "stall", "close"])
WIREMOCK = {
    "CONNECTION_RESET_BY_PEER": "reset",
    "EMPTY_RESPONSE": "empty",
    "MALFORMED_RESPONSE_CHUNK": "chunk",
    "RANDOM_DATA_THEN_CLOSE": "garbage",
}
"""WireMock's fault names → our fault names."""
MAX_CHUNKS = 1000
MAX_CALLS = 1_000_000_000
_MAX_DURATION = inputs.format_duration(inputs.MAX_DURATION)
_FORMS = "write 200ms, {min: 100ms, max: 2s} or {median: 200ms, sigma: 0.5}; the maximum is one day."


def read_duration(node: Node, what: str, report: Report, *, minimum: int = 0) -> int:
    """Return a duration in milliseconds.

    Reports a value that is no duration or is less than ``minimum``, and returns 0.
    """
    try:
        length = inputs.parse_duration(node.value) if isinstance(node.value, str) else -1
    except ValueError:
        length = -1
    if length < minimum:
        report.error(
            "S302",
            node,
            f"invalid duration {node.describe()} for {what}",
            f"write a duration with its unit: 200ms, 30s, 5m, 1h, 2d, at most {_MAX_DURATION}.",
        )
        return 0
    return length


def read_delay(node: Node, report: Report) -> Delay | None:
    """Return a delay in any of its forms, or None after reporting an error."""
    before = report.errors
    delay = _ranged(node.value, report) if isinstance(node.value, dict) else _fixed(node, report)
    if report.errors > before:
        return None
    if delay is None or max(delay.low, delay.high) > LONGEST:
        report.error("S302", node, "invalid delay", _FORMS)
    elif max(delay.low, delay.high) > MAX_WAIT:
        longest = inputs.format_duration(max(delay.low, delay.high))
        report.warning(
            "S316",
            node,
            f"the delay holds a connection for {longest}",
            "most clients give up sooner; to hold a state, give its step a duration: `pending: 5m`.",
        )
    return delay


def _fixed(node: Node, report: Report) -> Delay:
    return Delay(low=read_duration(node, "a delay", report))


def _ranged(members: dict[str, Node], report: Report) -> Delay | None:
    """Read ``{min, max}`` or ``{median, sigma}``. Return None for anything else."""
    if members.keys() == {"min", "max"}:
        low, high = (read_duration(members[key], f"`{key}`", report) for key in ("min", "max"))
        return Delay("uniform", low, high) if low <= high else None
    if members.keys() == {"median", "sigma"}:
        median = read_duration(members["median"], "`median`", report, minimum=1)
        sigma = members["sigma"].value
        if isinstance(sigma, int | float) and not isinstance(sigma, bool) and 0 <= sigma <= 5:
            return Delay("lognormal", median, sigma=float(sigma))
    return None


def read_dribble(node: Node, report: Report) -> Dribble | None:
    """Return ``{chunks: 5, over: 2s}`` as a Dribble, or None after reporting an error."""
    members = node.value
    if isinstance(members, dict) and members.keys() == {"chunks", "over"}:
        chunks = members["chunks"].value
        over = read_duration(members["over"], "`over`", report)
        if isinstance(chunks, int) and not isinstance(chunks, bool) and 1 <= chunks <= MAX_CHUNKS:
            return Dribble(chunks, over)
    report.error(
        "S313",
        node,
        "invalid dribble",
        f"write {{chunks: 5, over: 2s}}, with 1 to {MAX_CHUNKS} chunks.",
    )
    return None


def read_fault(node: Node, report: Report) -> str:
    """Return our name of a wire fault, or an empty text after reporting an unknown name."""
    name = node.value
    if isinstance(name, str):
        name = WIREMOCK.get(name, name)
        if name in FAULTS:
            return name
    report.error(
        "S305",
        node,
        f"there is no fault {node.describe()}",
        f"the faults are {join_names(FAULTS)}; WireMock's names {join_names(WIREMOCK)} work too.",
    )
    return ""


def read_members(node: Node, known: Collection[str], what: str, report: Report) -> dict[str, Any]:
    """Return the members of a mapping; empty for other values. Report keys that are not ``known``."""
    members = node.value if isinstance(node.value, dict) else {}
    for key, child in members.items():
        if key not in known:
            report.error(
                "S201", child.key_node, f"{what} has no key {key!r}", f"its keys are {join_names(known)}."
            )
    return members


def join_names(names: Iterable[str]) -> str:
    """Return the distinct names in order, for a message."""
    return ", ".join(sorted(set(names))) or "none"
