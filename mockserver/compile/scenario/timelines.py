"""Read ``scenarios`` of a scenario file: the steps of each timeline, their holds and their branches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mockserver.compile.scenario.conditions import read_condition
from mockserver.compile.scenario.delays_faults import (
    MAX_CALLS,
    join_names,
    read_delay,
    read_dribble,
    read_duration,
    read_fault,
    read_members,
)
from mockserver.compile.scenario.responses import Binding
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.plan import Branch, Condition, Delay, Dribble, Scenario, Step

_BRANCH_KEYS = frozenset(["to", "when", "weight"])
_EXAMPLE = "write a state's name, or [{when: {header.X-Plan: gold}, to: NAME}, {weight: 9, to: NAME}, …]."

Predicates = list[tuple[Condition, ...]]
"""The conditions of each branch with ``when``. ``Branch.predicate`` is an index into this list."""


@dataclass(slots=True)
class Transition:
    """A branch whose target is still a name, not an index."""

    to: Node
    operation: str
    predicate: int = -1
    weight: int = 0


def is_exhaustive(branches: Sequence[Branch] | Sequence[Transition]) -> bool:
    """Whether one of the branches always applies when a hold ends."""
    return bool(branches) and (
        branches[-1].predicate < 0 or any(branch.weight and branch.predicate < 0 for branch in branches)
    )


class BranchReader:
    """Reads branches. Appends their conditions to ``predicates``."""

    def __init__(
        self,
        aliases: Collection[str],
        report: Report,
        bindings: Mapping[str, Binding],
        predicates: Predicates,
    ) -> None:
        self.aliases = aliases
        self.report = report
        self.bindings = bindings
        self.predicates = predicates

    def operation(self, node: Node, alias: object) -> str:
        """Return ``alias`` if the file has such an operation; else report it and return an empty text."""
        if isinstance(alias, str) and alias in self.aliases:
            return alias
        self.report.error(
            "S202",
            node,
            f"this file has no operation {alias!r}",
            f"its operations are {join_names(self.aliases)}.",
        )
        return ""

    def operation_transitions(self, node: Node) -> Iterator[Transition]:
        """Read ``on``, the transitions by operation: ``{cancel: cancelled, approve: [branches]}``."""
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S404",
                node,
                f"`on` is {node.describe()}",
                "write it as {cancel: cancelled, approve: issued}.",
            )
            return
        for alias, child in node.value.items():
            if self.operation(child.key_node, alias):
                if isinstance(child.value, str):
                    yield Transition(child, alias)
                else:
                    yield from self.transitions(child, alias)

    def transitions(self, node: Node, operation: str) -> Iterator[Transition]:
        """Read a list of branches. A plain name yields none: the caller reads it as ``next``."""
        if isinstance(node.value, str):
            return
        if not isinstance(node.value, list) or not node.value:
            self.report.error("S404", node, f"the branches are {node.describe()}", _EXAMPLE)
            return
        for index, child in enumerate(node.value):
            transition = self._transition(child, operation)
            if transition is not None:
                yield transition
                if transition.predicate < 0 and not transition.weight and index + 1 < len(node.value):
                    self.report.error(
                        "S404",
                        node.value[index + 1],
                        "this branch is never reached: the branch before it has no condition",
                        "move the branch before it to the end, or give it a condition or a weight.",
                    )

    def _transition(self, node: Node, operation: str) -> Transition | None:
        if isinstance(node.value, str):
            return Transition(node, operation)
        members = read_members(node, _BRANCH_KEYS, "a branch", self.report)
        if "to" not in members or not isinstance(members["to"].value, str):
            self.report.error("S404", node, "a branch needs `to`", _EXAMPLE)
            return None
        transition = Transition(members["to"], operation)
        if (weight := members.get("weight")) is not None:
            value = weight.value
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
                self.report.error(
                    "S404",
                    weight,
                    f"invalid weight {weight.describe()}",
                    "give a whole number from 1 to 1,000,000.",
                )
            else:
                transition.weight = value
        if (when := members.get("when")) is not None:
            transition.predicate = self._predicate(when)
        return transition

    def _predicate(self, node: Node) -> int:
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S404", node, f"`when` is {node.describe()}", "write it as {body.reason: superseded}."
            )
            return -1
        found = [read_condition(key, child, self.bindings, self.report) for key, child in node.value.items()]
        predicate = tuple(condition for condition in found if condition is not None)
        if predicate not in self.predicates:
            self.predicates.append(predicate)
        return self.predicates.index(predicate)


_STEP_KEYS = frozenset(["state", "until", "next", "on", "delay", "dribble", "fault"])
_HOLD_KEYS = frozenset(["calls", "after", "operation"])


@dataclass(slots=True)
class _StepDraft:
    """A step whose ``next`` is still a name, not an index."""

    node: Node
    state: str
    calls: int = 0
    counted: str = ""
    after: int = 0
    operation: str = ""
    next: Node | None = None
    transitions: list[Transition] = field(default_factory=list)
    delay: Delay | None = None
    dribble: Dribble | None = None
    fault: str = ""

    @property
    def has_hold(self) -> bool:
        return bool(self.calls or self.after or self.operation)


def read_scenario(
    name: str,
    node: Node,
    states: Collection[str],
    aliases: Collection[str],
    report: Report,
    *,
    bindings: Mapping[str, Binding] | None = None,
    predicates: Predicates | None = None,
) -> Scenario | None:
    """Return the scenario at ``node``, or None after reporting an error.

    Appends the conditions of its branches to ``predicates``.
    """
    before = report.errors
    if isinstance(node.value, str):
        node = Node([node], node.location, node.key)
    if not isinstance(node.value, list) or not node.value:
        report.error(
            "S301",
            node,
            f"scenario {name!r} is {node.describe()}, not a list of steps",
            "write it as [pending: 2, issued].",
        )
        return None
    reader = _Reader(
        name, states, aliases, report, bindings or {}, predicates if predicates is not None else []
    )
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
        bindings: Mapping[str, Binding],
        predicates: Predicates,
    ) -> None:
        self.name = name
        self.states = states
        self.report = report
        self.branches = BranchReader(aliases, report, bindings, predicates)

    def step(self, node: Node) -> _StepDraft | None:
        value = node.value
        if isinstance(value, str):
            return _StepDraft(node, value) if self._is_state(value, node) else None
        if not isinstance(value, dict) or not value:
            self.report.error(
                "S301",
                node,
                f"a step of {self.name!r} is {node.describe()}",
                "name a state, or write `state: hold`.",
            )
            return None
        if "state" in value:
            return self._long_step(value, node)
        if len(value) > 1:
            self.report.error(
                "S301",
                node,
                "a step in short form has exactly one state",
                "write each step as its own list item.",
            )
            return None
        [(state, hold)] = value.items()
        if not self._is_state(state, hold.key_node):
            return None
        draft = _StepDraft(node, state)
        if isinstance(hold.value, dict):
            self._hold(hold, draft)
        elif isinstance(hold.value, str):
            draft.after = read_duration(hold, "a hold", self.report, minimum=1)
        else:
            draft.calls = self._calls(hold)
        return draft

    def _long_step(self, value: dict[str, Node], node: Node) -> _StepDraft | None:
        read_members(node, _STEP_KEYS, "a step", self.report)
        state = value["state"]
        if not isinstance(state.value, str) or not self._is_state(state.value, state):
            return None
        draft = _StepDraft(node, state.value)
        if (until := value.get("until")) is not None:
            self._hold(until, draft)
        if (following := value.get("next")) is not None:
            draft.next = following
            draft.transitions += self.branches.transitions(following, "")
        if (moves := value.get("on")) is not None:
            draft.transitions += self.branches.operation_transitions(moves)
        if (delay := value.get("delay")) is not None:
            draft.delay = read_delay(delay, self.report)
        if (dribble := value.get("dribble")) is not None:
            draft.dribble = read_dribble(dribble, self.report)
        if (fault := value.get("fault")) is not None:
            draft.fault = read_fault(fault, self.report)
        return draft

    def _hold(self, node: Node, draft: _StepDraft) -> None:
        if not isinstance(node.value, dict) or not node.value:
            self.report.error(
                "S302",
                node,
                f"`until` is {node.describe()}",
                "write it as {calls: 2, after: 30s, operation: approve}.",
            )
            return
        for key, unknown_key in read_members(node, _HOLD_KEYS, "`until`", self.report).items():
            if key == "calls":
                self._call_hold(unknown_key, draft)
            elif key == "after":
                draft.after = read_duration(unknown_key, "`after`", self.report, minimum=1)
            elif key == "operation":
                draft.operation = self.branches.operation(unknown_key, unknown_key.value)

    def _call_hold(self, node: Node, draft: _StepDraft) -> None:
        """Read a number of calls, or ``{poll: 2}``: calls of one operation."""
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(alias, node)] = node.value.items()
            draft.counted = self.branches.operation(node.key_node, alias)
        draft.calls = self._calls(node)

    def _calls(self, node: Node) -> int:
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_CALLS:
            return value
        self.report.error(
            "S302",
            node,
            f"invalid number of calls {node.describe()}",
            f"give a number of calls, 1 to {MAX_CALLS:,}, {{OPERATION: 2}}, or a duration such as 30s.",
        )
        return 0

    def _is_state(self, state: str, node: Node) -> bool:
        if state in self.states:
            return True
        self.report.error(
            "S203", node, f"there is no state {state!r}", f"the states are {join_names(self.states)}."
        )
        return False

    def link(self, drafts: list[_StepDraft]) -> tuple[Step, ...]:
        """Resolve the successors of each step. Report holds without a next step, and steps never reached."""
        steps = []
        for index, draft in enumerate(drafts):
            following = self._next_index(index, draft, drafts)
            branches = tuple(
                Branch(
                    self._step_index(transition.to, index, drafts),
                    transition.operation,
                    transition.predicate,
                    transition.weight,
                )
                for transition in draft.transitions
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
        self._check_reachable(drafts, steps)
        return tuple(steps)

    def _check_reachable(self, drafts: list[_StepDraft], steps: list[Step]) -> None:
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
                    "give the step before it a hold, such as `pending: 2`, or remove this step.",
                )

    def _next_index(self, index: int, draft: _StepDraft, drafts: list[_StepDraft]) -> int:
        """Return the index of the step after a hold, when no branch applies."""
        after = index + 1 if index + 1 < len(drafts) else -1
        if not draft.has_hold:
            if draft.next is not None:
                self.report.error(
                    "S303",
                    draft.next.key_node,
                    f"step {index + 1} of {self.name!r} never ends, so `next` has no effect",
                    "add a hold with `until`, or write `on: {OPERATION: NAME}`.",
                )
            return -1
        if draft.next is not None and isinstance(draft.next.value, str):
            return self._step_index(draft.next, index, drafts)
        transitions = [transition for transition in draft.transitions if not transition.operation]
        if after >= 0:
            return after
        if is_exhaustive(transitions):
            return self._step_index(transitions[-1].to, index, drafts)
        self.report.error(
            "S303",
            draft.node,
            f"the last step of {self.name!r} has a hold, but no step follows it",
            "remove its hold, or add `next`.",
        )
        return -1

    def _step_index(self, node: Node, index: int, drafts: list[_StepDraft]) -> int:
        """Return the index of the first other step with that state, else of this step."""
        for found, draft in enumerate(drafts):
            if draft.state == node.value and found != index:
                return found
        if node.value == drafts[index].state:
            return index
        self.report.error(
            "S203",
            node,
            f"`next` names {node.describe()}, which is not a state of this scenario",
            f"they are {join_names(draft.state for draft in drafts)}.",
        )
        return -1
