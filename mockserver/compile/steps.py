"""Timelines as a scenario file writes them → the Plan's steps.

Short form: ``[pending: 2, issued]`` (two calls), ``[pending: 30s, issued]`` (by
the clock), ``[issued]`` (for ever). Long form: ``{state: pending, until:
{calls: 2, after: 30s, operation: approve}, next: issued, delay: 200ms, fault: reset}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mockserver import duration
from mockserver.compile.nodes import Node, Report
from mockserver.plan import Scenario, Step

_LONG = frozenset(["state", "until", "next", "delay", "fault"])
_HOLDS = frozenset(["calls", "after", "operation"])
FAULTS = frozenset(["reset", "empty", "garbage", "short", "chunk", "stall", "close"])


@dataclass(slots=True)
class _Draft:
    """A step before its ``next`` is known as an index."""

    node: Node
    state: str
    calls: int = 0
    after: int = 0
    operation: str = ""
    next: Node | None = None
    delay: int = 0
    fault: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.calls or self.after or self.operation)


def read_scenario(
    name: str, node: Node, states: Collection[str], aliases: Collection[str], report: Report
) -> Scenario | None:
    """The scenario at ``node``; None when something in it is wrong, which ``report`` then says."""
    before = len(report.found)
    if isinstance(node.value, str):
        node = Node([node], node.where, node.key)
    if not isinstance(node.value, list) or not node.value:
        report.error(
            "S301",
            node,
            f"scenario {name!r} is {node.kind()}, not a list of steps",
            "write it as [pending: 2, issued].",
        )
        return None
    reader = _Reader(name, states, aliases, report)
    drafts = [reader.step(each) for each in node.value]
    steps = [each for each in drafts if each is not None]
    if len(steps) < len(drafts) or len(report.found) > before:
        return None
    found = reader.link(steps)
    return Scenario(name, found) if len(report.found) == before else None


class _Reader:
    def __init__(self, name: str, states: Collection[str], aliases: Collection[str], report: Report) -> None:
        self.name = name
        self.states = states
        self.aliases = aliases
        self.report = report

    def step(self, node: Node) -> _Draft | None:
        value = node.value
        if isinstance(value, str):
            return _Draft(node, value) if self._known(value, node) else None
        if not isinstance(value, dict) or not value:
            self.report.error(
                "S301",
                node,
                f"a step of {self.name!r} is {node.kind()}",
                "name a state, or write `state: hold`.",
            )
            return None
        if "state" in value:
            return self._long(value, node)
        if len(value) > 1:
            self.report.error(
                "S301", node, "a step in short form has one state", "write each step as an item of its own."
            )
            return None
        [(state, hold)] = value.items()
        if not self._known(state, hold.at_key):
            return None
        draft = _Draft(node, state)
        if isinstance(hold.value, dict):
            self._until(hold, draft)
        elif isinstance(hold.value, str):
            draft.after = self._duration(hold, "a hold")
        else:
            draft.calls = self._calls(hold)
        return draft

    def _long(self, value: dict[str, Node], node: Node) -> _Draft | None:
        for key, each in value.items():
            if key not in _LONG:
                self.report.error(
                    "S201", each.at_key, f"a step has no key {key!r}", f"its keys are {_listed(_LONG)}."
                )
        state = value["state"]
        if not isinstance(state.value, str) or not self._known(state.value, state):
            return None
        draft = _Draft(node, state.value, next=value.get("next"))
        if (until := value.get("until")) is not None:
            self._until(until, draft)
        if (delay := value.get("delay")) is not None:
            draft.delay = self._duration(delay, "a delay")
        if (fault := value.get("fault")) is not None:
            draft.fault = read_fault(fault, self.report)
        return draft

    def _until(self, node: Node, draft: _Draft) -> None:
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S302",
                node,
                f"`until` is {node.kind()}",
                "write it as {calls: 2, after: 30s, operation: approve}.",
            )
            return
        for key, each in node.value.items():
            if key == "calls":
                draft.calls = self._calls(each)
            elif key == "after":
                draft.after = self._duration(each, "`after`")
            elif key == "operation":
                draft.operation = self._operation(each)
            else:
                self.report.error(
                    "S201", each.at_key, f"`until` has no key {key!r}", f"its keys are {_listed(_HOLDS)}."
                )

    def _calls(self, node: Node) -> int:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.report.error(
            "S302",
            node,
            f"a hold of {node.kind()} calls cannot be",
            "give a whole number of calls from 1, or a duration such as 30s.",
        )
        return 0

    def _duration(self, node: Node, what: str) -> int:
        return read_duration(node, what, self.report, least=1)

    def _operation(self, node: Node) -> str:
        if isinstance(node.value, str) and node.value in self.aliases:
            return node.value
        self.report.error(
            "S202",
            node,
            f"{node.kind()} is none of this file's operations",
            f"they are {_listed(self.aliases)}.",
        )
        return ""

    def _known(self, state: str, node: Node) -> bool:
        if state in self.states:
            return True
        self.report.error(
            "S203", node, f"there is no state {state!r}", f"the states are {_listed(self.states)}."
        )
        return False

    def link(self, drafts: list[_Draft]) -> tuple[Step, ...]:
        """Find each step's successor; report holds that lead nowhere and steps that nothing leads to."""
        steps = []
        for index, draft in enumerate(drafts):
            following = self._following(index, draft, drafts)
            steps.append(
                Step(
                    draft.state,
                    draft.calls,
                    draft.after,
                    draft.operation,
                    following,
                    draft.delay,
                    draft.fault,
                )
            )
        reached, pending = set(), [0]
        while pending:
            index = pending.pop()
            if index not in reached and 0 <= index < len(steps):
                reached.add(index)
                pending.append(steps[index].next if drafts[index].holds else -1)
        for index, draft in enumerate(drafts):
            if index not in reached:
                self.report.error(
                    "S304",
                    draft.node,
                    f"step {index + 1} of {self.name!r} is never reached",
                    "give the step before it a hold, such as `pending: 2`, or remove this one.",
                )
        return tuple(steps)

    def _following(self, index: int, draft: _Draft, drafts: list[_Draft]) -> int:
        if draft.next is None:
            if draft.holds and index + 1 == len(drafts):
                self.report.error(
                    "S303",
                    draft.node,
                    f"the last step of {self.name!r} ends, and nothing follows it",
                    "remove its hold, or say what is `next`.",
                )
            return index + 1 if index + 1 < len(drafts) else -1
        if not draft.holds:
            self.report.error(
                "S303",
                draft.next.at_key,
                f"step {index + 1} of {self.name!r} never ends, so it has no `next`",
                "give it a hold by `until`.",
            )
        for found, each in enumerate(drafts):
            if each.state == draft.next.value and found != index:
                return found
        if draft.next.value == draft.state:
            return index
        self.report.error(
            "S203",
            draft.next,
            f"`next` names {draft.next.kind()}, which is no state of this scenario",
            f"they are {_listed(each.state for each in drafts)}.",
        )
        return -1


def read_duration(node: Node, what: str, report: Report, *, least: int = 0) -> int:
    """A duration in milliseconds; 0 and a diagnostic when it is none or less than ``least``."""
    try:
        length = duration.milliseconds(node.value) if isinstance(node.value, str) else -1
    except ValueError:
        length = -1
    if length < least:
        report.error(
            "S302",
            node,
            f"{what} of {node.kind()} cannot be",
            "write a duration with its unit: 200ms, 30s, 5m, 1h, 2d.",
        )
        return 0
    return length


def read_fault(node: Node, report: Report) -> str:
    """The name of a wire fault; empty and a diagnostic when there is none of that name."""
    if isinstance(node.value, str) and node.value in FAULTS:
        return node.value
    report.error("S305", node, f"there is no fault {node.kind()}", f"the faults are {_listed(FAULTS)}.")
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
