"""Read YAML with positions, for scenario files.

PyYAML composes the nodes, because it records line and column. Plain scalars are
resolved by the core schema of YAML 1.2, as in documents: ``no``, ``on`` and dates
are strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from mockserver.compile.source import SCENARIO_FILE, Source, syntax_error
from mockserver.diagnostics import Diagnostic, Location
from mockserver.jsonschema.references import index
from mockserver.plan import JSON

_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(slots=True)
class Report:
    """The diagnostics of one run, in the order in which they were reported."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    _seen: set[Diagnostic] = field(default_factory=set)
    errors: int = 0
    """Number of calls of ``error``. ``diagnostics`` holds an error that several responses share only once."""

    def error(self, code: str, node: Node, message: str, remedy: str) -> None:
        """Report an error at ``node``. Equal errors are reported once."""
        self.errors += 1
        self._add(Diagnostic(code, message, node.location, remedy))

    def warning(self, code: str, node: Node, message: str, remedy: str) -> None:
        """Report a warning at ``node``. Equal warnings are reported once."""
        self._add(Diagnostic(code, message, node.location, remedy, "warning"))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self._seen:
            self._seen.add(diagnostic)
            self.diagnostics.append(diagnostic)


@dataclass(slots=True)
class Node:
    """A value with its location. ``value`` is a scalar, a list of nodes, or a map of key to node."""

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    location: Location
    key: Location | None = None
    """Location of the key of this value, in a mapping."""

    @property
    def key_node(self) -> Node:
        """This node with the location of its key, for diagnostics about the key."""
        return Node(self.value, self.key or self.location)

    def plain(self) -> JSON:
        """Return the value without locations."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def items(self) -> Iterator[tuple[str, Node]]:
        """Return the members of a mapping; nothing for other values."""
        return iter(self.value.items()) if isinstance(self.value, dict) else iter(())

    def at(self, path: list[str]) -> Node:
        """Return the node at the parts of a JSON pointer, or the deepest node on that path that exists."""
        node = self
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[part]
            elif isinstance(node.value, list) and (place := index(part, node.value)) is not None:
                node = node.value[place]
            else:
                break
        return node

    def describe(self) -> str:
        """Return the kind or value of this node, for messages."""
        value = self.value
        if isinstance(value, dict):
            return "a mapping"
        if isinstance(value, list):
            return "a list"
        if value is None:
            return "null"
        return f"{value!r}"


def read_text(node: Node | None, key: str, code: str, remedy: str, report: Report) -> str:
    """Return the text of a node, "" without a node. Report any other value with ``code``."""
    if node is None:
        return ""
    if not isinstance(node.value, str):
        report.error(code, node, f"`{key}` is {node.describe()}", remedy)
        return ""
    return node.value


def compose(source: Source, report: Report) -> Node | None:
    """Return the nodes of a source that ``source.parse`` has parsed. Report duplicate keys.

    Returns None for an empty text, and after reporting a syntax error.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(source.text, loader)
    except yaml.YAMLError as error:
        fault = syntax_error(source.text, str(error), Location(source.name), SCENARIO_FILE)
        report.diagnostics.append(fault.diagnostic)
        return None
    return _node(root, source.name, report) if root is not None else None


def _node(node: yaml.Node, name: str, report: Report) -> Node:
    location = _location(node, name)
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Node] = {}
        for label, value in node.value:
            key = str(label.value) if isinstance(label, yaml.ScalarNode) else "?"
            child = _node(value, name, report)
            child.key = _location(label, name)
            if key in members:
                report.error("S102", child.key_node, f"the key {key!r} is given twice", "remove one of them.")
                if isinstance(child.value, dict) and isinstance(earlier := members[key].value, dict):
                    # Merge both, so that no further error says that a member is missing
                    child.value = {**earlier, **child.value}
            members[key] = child
        return Node(members, location)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(child, name, report) for child in node.value], location)
    return Node(_scalar(node), location)


def _location(node: yaml.Node, name: str) -> Location:
    return Location(name, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.Node) -> bool | int | float | str | None:
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style:  # quoted or a block; plain scalars have none
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
