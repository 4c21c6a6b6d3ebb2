"""The ways on from a step: what ``next`` and ``on`` of a step in long form lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mockserver.compile.answers import Bound
from mockserver.compile.delivery import listed, unknown_keys
from mockserver.compile.nodes import Node, Report
from mockserver.compile.selection import read_condition
from mockserver.plan import Condition

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
        for alias, each in node.value.items():
            if self.operation(each.at_key, alias):
                if isinstance(each.value, str):
                    yield Way(each, alias)
                else:
                    yield from self.ways(each, alias)

    def ways(self, node: Node, operation: str) -> Iterator[Way]:
        """The branches of a list; a name alone is ``next`` itself."""
        if isinstance(node.value, str):
            return
        if not isinstance(node.value, list) or not node.value:
            self.report.error("S404", node, f"the way on is {node.kind()}", _EXAMPLE)
            return
        for index, each in enumerate(node.value):
            way = self._way(each, operation)
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
        found = [read_condition(key, each, self.bound, self.report) for key, each in node.value.items()]
        fact = tuple(each for each in found if each is not None)
        if fact not in self.facts:
            self.facts.append(fact)
        return self.facts.index(fact)
