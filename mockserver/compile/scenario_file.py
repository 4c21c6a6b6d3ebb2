"""One scenario file → the Plan's Resource, with every mistake reported in one run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from mockserver.compile.answers import Bound, read_state
from mockserver.compile.document import Loaded
from mockserver.compile.nodes import Node, Report, compose
from mockserver.compile.source import Source
from mockserver.compile.steps import read_scenario
from mockserver.plan import Condition, Lookup, Operation, Resource, Rule, Scenario, State, Step
from mockserver.schema import Schemas

_KEYS = ("resource", "key", "operations", "states", "defaults", "scenarios", "select", "invalid")
_REQUIRED = ("resource", "key", "operations", "states", "scenarios")
_PARTS = ("path", "query", "header", "cookie", "body", "method")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*$")
_METHOD = re.compile(r"([A-Za-z]+)\s+(/\S*)$")
STATE_PREFIX = "state:"
"""``state:NAME`` is a scenario that every state has: that state, for ever."""


@dataclass(slots=True)
class Draft:
    """A resource with the nodes it was read from, for the rehearsal to point into."""

    resource: Resource
    bound: dict[str, Bound]
    nodes: dict[tuple[str, str], Node]
    """(state, alias) → the node of the answer."""
    defaults: Mapping[str, Node]


def read_scenario_file(
    source: Source, documents: Sequence[tuple[Loaded, Schemas]], report: Report
) -> Draft | None:
    """The resource that ``source`` describes; None when an error keeps it from being one."""
    root = compose(source, report)
    if root is None:
        return None
    return _Reader(source.name, root, documents, report).read()


class _Reader:
    def __init__(
        self, name: str, root: Node, documents: Sequence[tuple[Loaded, Schemas]], report: Report
    ) -> None:
        self.name = name
        self.root = root
        self.documents = documents
        self.report = report
        self.members: dict[str, Node] = root.value if isinstance(root.value, dict) else {}

    def read(self) -> Draft | None:
        if not isinstance(self.root.value, dict):
            self.report.error(
                "S204",
                self.root,
                f"a scenario file is a mapping, not {self.root.kind()}",
                "start with `resource: NAME`.",
            )
            return None
        for key, each in self.members.items():
            if key not in _KEYS and not key.startswith("x-"):
                self.report.error(
                    "S201", each.at_key, f"a scenario file has no key {key!r}", _suggest(key, _KEYS)
                )
        for key in _REQUIRED:
            if key not in self.members:
                self.report.error("S205", self.root, f"the key {key!r} is missing", _EXAMPLES[key])
        name = self._name()
        bound = self._operations()
        lookup = self._key(bound)
        states, nodes = self._states(bound)
        scenarios = self._scenarios(states, bound)
        rules = self._rules(scenarios, bound)
        invalid = self._invalid(states)
        if not bound or lookup is None or not states or not scenarios:
            return None
        resource = Resource(
            name=name,
            source=self.name,
            document=next(iter(bound.values())).document.name,
            key=lookup,
            operations={alias: each.operation.id for alias, each in bound.items()},
            states=states,
            scenarios=scenarios,
            rules=rules,
            invalid=invalid,
        )
        return Draft(resource, bound, nodes, dict(self._mapping("defaults")))

    def _name(self) -> str:
        node = self.members.get("resource")
        if node is None:
            return ""
        if not isinstance(node.value, str) or not _NAME.match(node.value):
            self.report.error(
                "S204", node, f"`resource` is {node.kind()}", "give it a name of letters, digits and hyphens."
            )
            return ""
        return node.value

    def _operations(self) -> dict[str, Bound]:
        bound = {}
        for alias, node in self._mapping("operations"):
            found = self._operation(node)
            if found is not None:
                document, operation, schemas = found
                bound[alias] = Bound(alias, operation, document.document, schemas)
        if "operations" in self.members and not self._mapping("operations"):
            self.report.error(
                "S204", self.members["operations"], "no operation is named", _EXAMPLES["operations"]
            )
        return bound

    def _operation(self, node: Node) -> tuple[Loaded, Operation, Schemas] | None:
        wanted = node.value
        known = []
        if isinstance(wanted, str):
            line = _METHOD.match(wanted.strip())
            for loaded, schemas in self.documents:
                for operation in loaded.document.operations:
                    known += [f"{operation.method} {operation.path}", operation.id]
                    by_line = line and (line[1].upper(), line[2]) == (operation.method, operation.path)
                    if by_line or wanted == operation.id:
                        return loaded, operation, schemas
        self.report.error(
            "S206", node, f"no document has the operation {node.kind()}", _suggest(str(wanted), known)
        )
        return None

    def _key(self, bound: Mapping[str, Bound]) -> Lookup | None:
        node = self.members.get("key")
        if node is None:
            return None
        lookup = _lookup(node.value)
        if lookup is None:
            self.report.error(
                "S207",
                node,
                f"`key` is {node.kind()}",
                "name a part of the request: path.NAME, query.NAME, header.NAME, cookie.NAME or body.NAME.",
            )
            return None
        for alias, each in bound.items():
            if lookup.part == "path" and f"{{{lookup.name}}}" not in each.operation.path:
                self.report.error(
                    "S207",
                    node,
                    f"{each.operation.path} (operation {alias!r}) has no parameter {{{lookup.name}}}",
                    "name a parameter of every operation's path.",
                )
        return Lookup(lookup.part, lookup.name, fold=_is_uuid(lookup, bound))

    def _states(self, bound: Mapping[str, Bound]) -> tuple[dict[str, State], dict[tuple[str, str], Node]]:
        states, nodes = {}, {}
        defaults = dict(self._mapping("defaults"))
        for name, node in self._mapping("states"):
            if not _NAME.match(name):
                self.report.error(
                    "S204",
                    node.at_key,
                    f"{name!r} is no name for a state",
                    "use letters, digits, dots and hyphens.",
                )
                continue
            states[name], answers = read_state(name, node, bound, defaults, self.report)
            nodes.update({(name, alias): each for alias, each in answers.items()})
        self._unused_defaults(defaults, bound)
        return states, nodes

    def _unused_defaults(self, defaults: Mapping[str, Node], bound: Mapping[str, Bound]) -> None:
        from mockserver.compile.answers import properties

        if not bound:
            return
        known = {
            name
            for each in bound.values()
            for response in each.operation.responses
            for media in response.content
            if media.schema
            for name in properties(each.schemas, media.schema).names
        }
        for name, node in defaults.items():
            if name not in known:
                self.report.error(
                    "S311",
                    node.at_key,
                    f"no documented body has the field {name!r} of `defaults`",
                    _suggest(name, sorted(known)),
                )

    def _scenarios(self, states: Mapping[str, State], bound: Mapping[str, Bound]) -> dict[str, Scenario]:
        scenarios = {}
        known = dict(self._mapping("states"))
        for name, node in self._mapping("scenarios"):
            if not _NAME.match(name):
                self.report.error(
                    "S204",
                    node.at_key,
                    f"{name!r} is no name for a scenario",
                    "use letters, digits, dots and hyphens.",
                )
                continue
            found = read_scenario(name, node, known, bound, self.report)
            if found is not None:
                scenarios[name] = found
        for state in states:
            scenarios[STATE_PREFIX + state] = Scenario(STATE_PREFIX + state, (Step(state),))
        return scenarios

    def _rules(self, scenarios: Mapping[str, Scenario], bound: Mapping[str, Bound]) -> tuple[Rule, ...]:
        named = dict(self._mapping("scenarios"))
        node = self.members.get("select")
        if node is None:
            first = next(iter(named), "")
            return (Rule((), first),) if first in scenarios else ()
        if not isinstance(node.value, list):
            self.report.error(
                "S401",
                node,
                f"`select` is {node.kind()}",
                'write it as a list: - {requestId: "…", scenario: NAME}.',
            )
            return ()
        rules: list[Rule] = []
        for each in node.value:
            rule = self._rule(each, named, bound)
            if rule is None:
                continue
            shadow = next((index for index, earlier in enumerate(rules) if _covers(earlier, rule)), None)
            if shadow is not None:
                self.report.error(
                    "S403",
                    each,
                    f"this rule is never reached: rule {shadow + 1} takes all that it would",
                    "move it up, or remove it.",
                )
            rules.append(rule)
        if rules and rules[-1].conditions and not any(not rule.conditions for rule in rules):
            rules.append(Rule((), next(iter(named), rules[-1].scenario)))
        return tuple(rules)

    def _rule(self, node: Node, named: Mapping[str, Node], bound: Mapping[str, Bound]) -> Rule | None:
        if not isinstance(node.value, dict):
            self.report.error(
                "S401", node, f"a rule is {node.kind()}", 'write it as {requestId: "…", scenario: NAME}.'
            )
            return None
        target = node.value.get("scenario")
        if target is None:
            self.report.error(
                "S401", node, "a rule without `scenario` selects nothing", "add `scenario: NAME`."
            )
            return None
        if not isinstance(target.value, str) or target.value not in named:
            self.report.error(
                "S402",
                target,
                f"there is no scenario {target.kind()}",
                _suggest(str(target.value), list(named)),
            )
            return None
        conditions = []
        for key, each in node.value.items():
            if key != "scenario":
                condition = self._condition(key, each, bound)
                if condition is None:
                    return None
                conditions.append(condition)
        return Rule(tuple(conditions), target.value)

    def _condition(self, key: str, node: Node, bound: Mapping[str, Bound]) -> Condition | None:
        lookup = _lookup(key) or self._bare(key, bound)
        if lookup is None:
            self.report.error(
                "S401",
                node.at_key,
                f"{key!r} is no part of the request",
                "use a parameter's name, path.NAME, query.NAME, header.NAME, cookie.NAME, body.NAME, method.",
            )
            return None
        values = node.value if isinstance(node.value, list) else [node]
        patterns = []
        for each in values:
            if isinstance(each.value, dict | list) or each.value is None:
                self.report.error(
                    "S401",
                    each,
                    f"the pattern for {key} is {each.kind()}",
                    "give a text; * and ? stand for any characters.",
                )
                return None
            patterns.append(str(each.value).lower() if isinstance(each.value, bool) else str(each.value))
        part = lookup.part
        return Condition(part, lookup.name, tuple(patterns))  # type: ignore[arg-type]

    @staticmethod
    def _bare(key: str, bound: Mapping[str, Bound]) -> Lookup | None:
        """A name alone means the path parameter of that name, else the query parameter."""
        if any(f"{{{key}}}" in each.operation.path for each in bound.values()):
            return Lookup("path", key)
        for each in bound.values():
            if any(
                parameter.name == key and parameter.location == "query"
                for parameter in each.operation.parameters
            ):
                return Lookup("query", key)
        return None

    def _invalid(self, states: Mapping[str, State]) -> str:
        node = self.members.get("invalid")
        if node is None:
            return ""
        if isinstance(node.value, str) and node.value in states:
            return node.value
        self.report.error(
            "S203", node, f"there is no state {node.kind()}", f"the states are {', '.join(states)}."
        )
        return ""

    def _mapping(self, key: str) -> list[tuple[str, Node]]:
        node = self.members.get(key)
        if node is None:
            return []
        if isinstance(node.value, dict):
            return list(node.value.items())
        if key not in self._told:
            self._told.add(key)
            self.report.error(
                "S204", node, f"`{key}` is {node.kind()}, not a mapping", _EXAMPLES.get(key, "")
            )
        return []

    @property
    def _told(self) -> set[str]:
        found: set[str] = self.__dict__.setdefault("_already_told", set())
        return found


_EXAMPLES = {
    "resource": "name what the file is about, such as `resource: certificate-request`.",
    "key": "say what tells one resource from another, such as `key: path.requestId`.",
    "operations": "name the operations, such as `operations: {poll: GET /requests/{requestId}}`.",
    "states": "describe the states, such as `states: {pending: {body: {status: pending}}}`.",
    "scenarios": "give at least one, such as `scenarios: {issued: [pending: 2, issued]}`.",
    "defaults": 'write it as `defaults: {createdAt: "{{ resource.created_at }}"}`.',
}


def _is_uuid(lookup: Lookup, bound: Mapping[str, Bound]) -> bool:
    """Whether the key is a UUID in every operation, whose case does not matter (RFC 9562 section 4)."""
    formats = set()
    for each in bound.values():
        for parameter in each.operation.parameters:
            if (parameter.location, parameter.name) == (lookup.part, lookup.name) and parameter.schema:
                schema, _ = each.schemas.lookup(parameter.schema)
                formats.add(schema.get("format") if isinstance(schema, dict) else None)
    return formats == {"uuid"}


def _lookup(value: object) -> Lookup | None:
    if value == "method":
        return Lookup("method", "")
    part, dot, name = value.partition(".") if isinstance(value, str) else ("", "", "")
    return Lookup(part, name) if dot and name and part in _PARTS else None


def _covers(earlier: Rule, later: Rule) -> bool:
    """Whether every request that ``later`` matches is matched by ``earlier``."""
    theirs = {(each.part, each.name): each.patterns for each in later.conditions}
    return all(
        all(
            any(
                pattern in (mine, "*")
                or (not _glob(pattern) and fnmatchcase(pattern.lower(), mine.lower()))
                or mine == "*"
                for mine in each.patterns
            )
            for pattern in theirs.get((each.part, each.name), ("\x00",))
        )
        for each in earlier.conditions
    )


def _glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def _suggest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = list(dict.fromkeys(known))[:12]
    return f"known are {', '.join(shown)}{', …' if len(known) > len(shown) else ''}." if shown else ""
