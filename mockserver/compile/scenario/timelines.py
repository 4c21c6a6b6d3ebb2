"""``scenarios`` of a scenario file: timelines of steps, what ends each step, and which step follows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mockserver.compile.scenario.conditions import read_condition
from mockserver.compile.scenario.delays_faults import (
    MOST_CALLS,
    listed,
    read_delay,
    read_dribble,
    read_duration,
    read_fault,
    unknown_keys,
)
from mockserver.compile.scenario.responses import Bound
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.plan import Branch, Condition, Delay, Dribble, Scenario, Step

_BRANCH = frozenset(["to", "when", "weight"])
_EXAMPLE = "write a state's name, or [{when: {header.X-Plan: gold}, to: NAME}, {weight: 9, to: NAME}, …]."

Facts = list[tuple[Condition, ...]]
"""What the branches of a file ask of a request; a branch has an index into it."""


@dataclass(slots=True)
class Way:
    """A branch before its target is known as an index."""

    to: Node
    operation: str
    fact: int = -1
    weight: int = 0


class BranchReader:
    """Reads branches; what they ask of a request is added to ``facts``."""

    def __init__(
        self, aliases: Collection[str], report: Report, bound: Mapping[str, Bound], facts: Facts
    ) -> None:
        self.aliases = aliases
        self.report = report
        self.bound = bound
        self.facts = facts

    def operation(self, node: Node, alias: object) -> str:
        """The alias of one of the file's operations; empty and a diagnostic where it is none."""
        if isinstance(alias, str) and alias in self.aliases:
            return alias
        self.report.error(
            "S202",
            node,
            f"{alias!r} is none of this file's operations",
            f"they are {listed(self.aliases)}.",
        )
        return ""

    def on(self, node: Node) -> Iterator[Way]:
        """``{cancel: cancelled, approve: [branches]}``: where an operation moves the resource at once."""
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S404", node, f"`on` is {node.kind()}", "write it as {cancel: cancelled, approve: issued}."
            )
            return
        for alias, child in node.value.items():
            if self.operation(child.at_key, alias):
                if isinstance(child.value, str):
                    yield Way(child, alias)
                else:
                    yield from self.ways(child, alias)

    def ways(self, node: Node, operation: str) -> Iterator[Way]:
        """The branches of a list; a name alone is ``next`` itself."""
        if isinstance(node.value, str):
            return
        if not isinstance(node.value, list) or not node.value:
            self.report.error("S404", node, f"the way on is {node.kind()}", _EXAMPLE)
            return
        for index, child in enumerate(node.value):
            way = self._way(child, operation)
            if way is not None:
                yield way
                if way.fact < 0 and not way.weight and index + 1 < len(node.value):
                    self.report.error(
                        "S404",
                        node.value[index + 1],
                        "this branch is never reached: the one before it asks nothing",
                        "move that one to the end, or give it a condition or a weight.",
                    )

    def _way(self, node: Node, operation: str) -> Way | None:
        if isinstance(node.value, str):
            return Way(node, operation)
        members = unknown_keys(node, _BRANCH, "a branch", self.report)
        if "to" not in members or not isinstance(members["to"].value, str):
            self.report.error("S404", node, "a branch leads to no state", _EXAMPLE)
            return None
        way = Way(members["to"], operation)
        if (weight := members.get("weight")) is not None:
            value = weight.value
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
                self.report.error(
                    "S404", weight, f"a weight of {weight.kind()} cannot be", "give a whole number from 1."
                )
            else:
                way.weight = value
        if (when := members.get("when")) is not None:
            way.fact = self._fact(when)
        return way

    def _fact(self, node: Node) -> int:
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S404", node, f"`when` is {node.kind()}", "write it as {body.reason: superseded}."
            )
            return -1
        found = [read_condition(key, child, self.bound, self.report) for key, child in node.value.items()]
        fact = tuple(condition for condition in found if condition is not None)
        if fact not in self.facts:
            self.facts.append(fact)
        return self.facts.index(fact)


_LONG = frozenset(["state", "until", "next", "on", "delay", "dribble", "fault"])
_HOLDS = frozenset(["calls", "after", "operation"])


@dataclass(slots=True)
class _Draft:
    """A step before its ``next`` is known as an index."""

    node: Node
    state: str
    calls: int = 0
    counted: str = ""
    after: int = 0
    operation: str = ""
    next: Node | None = None
    ways: list[Way] = field(default_factory=list)
    delay: Delay | None = None
    dribble: Dribble | None = None
    fault: str = ""

    @property
    def holds(self) -> bool:
        return bool(self.calls or self.after or self.operation)


def read_scenario(
    name: str,
    node: Node,
    states: Collection[str],
    aliases: Collection[str],
    report: Report,
    *,
    bound: Mapping[str, Bound] | None = None,
    facts: Facts | None = None,
) -> Scenario | None:
    """The scenario at ``node``; None when something in it is wrong, which ``report`` then says.

    Conditions of its branches are added to ``facts``.
    """
    before = report.errors
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
    reader = _Reader(name, states, aliases, report, bound or {}, facts if facts is not None else [])
    drafts = [reader.step(child) for child in node.value]
    steps = [draft for draft in drafts if draft is not None]
    if len(steps) < len(drafts) or report.errors > before:
        return None
    found = reader.link(steps)
    return Scenario(name, found) if report.errors == before else None


class _Reader:
    def __init__(
        self,
        name: str,
        states: Collection[str],
        aliases: Collection[str],
        report: Report,
        bound: Mapping[str, Bound],
        facts: Facts,
    ) -> None:
        self.name = name
        self.states = states
        self.report = report
        self.branches = BranchReader(aliases, report, bound, facts)

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
            draft.after = read_duration(hold, "a hold", self.report, least=1)
        else:
            draft.calls = self._calls(hold)
        return draft

    def _long(self, value: dict[str, Node], node: Node) -> _Draft | None:
        unknown_keys(node, _LONG, "a step", self.report)
        state = value["state"]
        if not isinstance(state.value, str) or not self._known(state.value, state):
            return None
        draft = _Draft(node, state.value)
        if (until := value.get("until")) is not None:
            self._until(until, draft)
        if (following := value.get("next")) is not None:
            draft.next = following
            draft.ways += self.branches.ways(following, "")
        if (moves := value.get("on")) is not None:
            draft.ways += self.branches.on(moves)
        if (delay := value.get("delay")) is not None:
            draft.delay = read_delay(delay, self.report)
        if (dribble := value.get("dribble")) is not None:
            draft.dribble = read_dribble(dribble, self.report)
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
        for key, unknown_key in unknown_keys(node, _HOLDS, "`until`", self.report).items():
            if key == "calls":
                self._counted(unknown_key, draft)
            elif key == "after":
                draft.after = read_duration(unknown_key, "`after`", self.report, least=1)
            elif key == "operation":
                draft.operation = self.branches.operation(unknown_key, unknown_key.value)

    def _counted(self, node: Node, draft: _Draft) -> None:
        """A number of calls, or ``{poll: 2}``: calls of one operation."""
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(alias, node)] = node.value.items()
            draft.counted = self.branches.operation(node.at_key, alias)
        draft.calls = self._calls(node)

    def _calls(self, node: Node) -> int:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_CALLS:
            return value
        self.report.error(
            "S302",
            node,
            f"a hold of {node.kind()} calls cannot be",
            f"give a number of calls, 1 to {MOST_CALLS:,}, {{OPERATION: 2}}, or a duration such as 30s.",
        )
        return 0

    def _known(self, state: str, node: Node) -> bool:
        if state in self.states:
            return True
        self.report.error(
            "S203", node, f"there is no state {state!r}", f"the states are {listed(self.states)}."
        )
        return False

    def link(self, drafts: list[_Draft]) -> tuple[Step, ...]:
        """Find each step's successors; report holds that lead nowhere and steps that nothing leads to."""
        steps = []
        for index, draft in enumerate(drafts):
            following = self._following(index, draft, drafts)
            branches = tuple(
                Branch(self._target(way.to, index, drafts), way.operation, way.fact, way.weight)
                for way in draft.ways
            )
            steps.append(
                Step(
                    draft.state,
                    draft.calls,
                    draft.after,
                    draft.operation,
                    following,
                    draft.delay,
                    draft.fault,
                    counted=draft.counted,
                    branches=branches,
                    dribble=draft.dribble,
                )
            )
        self._reach(drafts, steps)
        return tuple(steps)

    def _reach(self, drafts: list[_Draft], steps: list[Step]) -> None:
        reached, pending = set(), [0]
        while pending:
            index = pending.pop()
            if index not in reached and 0 <= index < len(steps):
                reached.add(index)
                pending += [steps[index].next, *(branch.next for branch in steps[index].branches)]
        for index, draft in enumerate(drafts):
            if index not in reached:
                self.report.error(
                    "S304",
                    draft.node,
                    f"step {index + 1} of {self.name!r} is never reached",
                    "give the step before it a hold, such as `pending: 2`, or remove this one.",
                )

    def _following(self, index: int, draft: _Draft, drafts: list[_Draft]) -> int:
        """The step that follows when a hold ends and no branch applies."""
        after = index + 1 if index + 1 < len(drafts) else -1
        if not draft.holds:
            if draft.next is not None:
                self.report.error(
                    "S303",
                    draft.next.at_key,
                    f"step {index + 1} of {self.name!r} never ends, so it has no `next`",
                    "give it a hold by `until`, or say `on: {OPERATION: NAME}`.",
                )
            return -1
        if draft.next is not None and isinstance(draft.next.value, str):
            return self._target(draft.next, index, drafts)
        ways = [way for way in draft.ways if not way.operation]
        sure = bool(ways) and (ways[-1].fact < 0 or any(way.weight and way.fact < 0 for way in ways))
        if after < 0 and not sure:
            self.report.error(
                "S303",
                draft.node,
                f"the last step of {self.name!r} ends, and nothing follows it",
                "remove its hold, or say what is `next`.",
            )
        if after < 0 and sure:
            return self._target(ways[-1].to, index, drafts)
        return after

    def _target(self, node: Node, index: int, drafts: list[_Draft]) -> int:
        """The step of a state's name: the first of another step, else this one."""
        for found, draft in enumerate(drafts):
            if draft.state == node.value and found != index:
                return found
        if node.value == drafts[index].state:
            return index
        self.report.error(
            "S203",
            node,
            f"`next` names {node.kind()}, which is no state of this scenario",
            f"they are {listed(draft.state for draft in drafts)}.",
        )
        return -1
