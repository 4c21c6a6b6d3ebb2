"""Read conditions on a request, and the rules of ``select`` that use them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from mockserver.compile.fields import member, properties
from mockserver.compile.scenario.responses import Binding
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.diagnostics import did_you_mean
from mockserver.engine.resources.conditions import is_glob
from mockserver.jsonschema import Schemas
from mockserver.plan import Condition, Lookup, Rule, SchemaRef

_MAX_DEPTH = 4
"""Levels of a body whose fields are suggested for an unknown name."""
_MAX_PROPOSALS = 500
PARTS = ("path", "query", "header", "cookie", "body", "method")


def parse_source(value: object) -> Lookup | None:
    """Return ``path.NAME`` and the like as a Lookup; None for anything else."""
    if value == "method":
        return Lookup("method", "")
    part, dot, name = value.partition(".") if isinstance(value, str) else ("", "", "")
    return Lookup(part, name) if dot and name and part in PARTS else None


def read_condition(key: str, node: Node, bindings: Mapping[str, Binding], report: Report) -> Condition | None:
    """Return the condition ``key: patterns``, or None after reporting an error."""
    source = parse_source(key) or _bare_name(key, bindings)
    if source is None:
        report.error(
            "S401",
            node.key_node,
            f"{key!r} is not a part of the request",
            "use a parameter's name, path.NAME, query.NAME, header.NAME, cookie.NAME, body.NAME, method.",
        )
        return None
    values = node.value if isinstance(node.value, list) else [node]
    patterns = []
    for value in values:
        if isinstance(value.value, dict | list) or value.value is None:
            report.error(
                "S401",
                value,
                f"the pattern for {key} is {value.describe()}",
                "give a text; * and ? stand for any characters.",
            )
            return None
        patterns.append(str(value.value).lower() if isinstance(value.value, bool) else str(value.value))
    check_part(source, node.key_node, bindings.values(), report)
    return Condition(source.part, source.name, tuple(patterns))  # type: ignore[arg-type]


def check_part(source: Lookup, node: Node, bindings: Collection[Binding], report: Report) -> None:
    """Report a part of the request that none of these operations documents.

    It is an error for a path, which has only the parameters of its template. It is a
    warning for a query or a body, which may have more members than documented.
    """
    if not bindings or source.part not in ("path", "query", "body") or _has_part(source, bindings):
        return
    report_at = report.error if source.part == "path" else report.warning
    report_at(
        "S405",
        node,
        f"{source.part}.{source.name} is in no request to {', '.join(binding.alias for binding in bindings)}",
        suggest(source.name, part_names(source.part, bindings)),
    )


def part_names(part: str, bindings: Iterable[Binding]) -> list[str]:
    """Return the names that the operations document in a part of their requests."""
    found: dict[str, None] = {}
    for binding in bindings:
        if part == "path":
            found |= dict.fromkeys(re.findall(r"\{([^{}]+)\}", binding.operation.path))
        elif part == "query":
            found |= dict.fromkeys(
                parameter.name for parameter in binding.operation.parameters if parameter.location == "query"
            )
        else:
            for ref in filter(None, _bodies(binding)):
                found |= dict.fromkeys(islice(_field_names(binding.schemas, ref), _MAX_PROPOSALS))
    return list(found)


def _has_part(source: Lookup, bindings: Collection[Binding]) -> bool:
    name = source.name
    if source.part == "body":
        steps = [step for step in re.split(r"[./]", name) if step]
        return any(
            ref is None or _has_field(binding.schemas, ref, steps)
            for binding in bindings
            for ref in _bodies(binding)
        )
    names = part_names(source.part, bindings)
    if source.part == "path":
        return name in names
    keys = [scheme for binding in bindings for scheme in binding.document.security_schemes.values()]
    return (
        name in names
        or name.partition("[")[0] in names
        or any((scheme.location, scheme.parameter) == ("query", name) for scheme in keys)
        or any(
            parameter.location == "querystring"
            for binding in bindings
            for parameter in binding.operation.parameters
        )
    )


def _bodies(binding: Binding) -> list[SchemaRef | None]:
    """Return the schema of each documented body; None for a body without a schema."""
    return [media.schema for media in binding.operation.body.content] if binding.operation.body else []


def _field_names(schemas: Schemas, ref: SchemaRef, depth: int = _MAX_DEPTH) -> Iterator[str]:
    """Yield the fields of a body, outer fields first: ``owner``, ``owner.email``, ``lines.0.sku``."""
    names = properties(schemas, ref).names
    yield from names
    steps: list[tuple[str, str]] = [(name, name) for name in names]
    if member(schemas, ref, ("*",)):
        steps.append(("0", "*"))
    for shown, step in steps if depth > 1 else ():
        below = member(schemas, ref, (step,))
        yield from (
            (f"{shown}.{field_name}" for field_name in _field_names(schemas, below, depth - 1))
            if below
            else ()
        )


def _has_field(schemas: Schemas, ref: SchemaRef, steps: Sequence[str]) -> bool:
    """Whether the schema of a body allows a field."""
    if steps and steps[0].isdigit() and (item := member(schemas, ref, ("*",))):
        return _has_field(schemas, item, steps[1:])
    known = properties(schemas, ref)
    if known.open or not steps:
        return True
    below = member(schemas, ref, steps[:1])
    return steps[0] in known.names and (below is None or _has_field(schemas, below, steps[1:]))


def _bare_name(key: str, bindings: Mapping[str, Binding]) -> Lookup | None:
    """Return the path parameter of that name, else the query parameter, else None."""
    if not bindings or any(f"{{{key}}}" in binding.operation.path for binding in bindings.values()):
        return Lookup("path", key)  # without a document, assume the most common case
    for binding in bindings.values():
        if any(
            parameter.name == key and parameter.location == "query"
            for parameter in binding.operation.parameters
        ):
            return Lookup("query", key)
    return None


def read_rules(
    node: Node,
    scenarios: Mapping[str, Node],
    bindings: Mapping[str, Binding],
    report: Report,
) -> tuple[Rule, ...]:
    """Return the rules of ``select``. Appends a rule without conditions if there is none."""
    if not isinstance(node.value, list):
        report.error(
            "S401",
            node,
            f"`select` is {node.describe()}",
            'write it as a list: - {requestId: "…", scenario: NAME}.',
        )
        return ()
    rules: list[Rule] = []
    earlier = _EarlierRules()
    for item in node.value:
        rule = _rule(item, scenarios, bindings, report)
        if rule is None:
            continue
        if (shadow := earlier.covering(rule)) is not None:
            report.error(
                "S403",
                item,
                f"this rule is never reached: rule {shadow + 1} matches all of its requests",
                "move it up, or remove it.",
            )
        rules.append(rule)
        earlier.add(rule)
    if rules and rules[-1].conditions and not any(not rule.conditions for rule in rules):
        rules.append(Rule((), next(iter(scenarios), rules[-1].scenario)))
    return tuple(rules)


def _rule(
    node: Node, scenarios: Mapping[str, Node], bindings: Mapping[str, Binding], report: Report
) -> Rule | None:
    if not isinstance(node.value, dict):
        report.error(
            "S401", node, f"a rule is {node.describe()}", 'write it as {requestId: "…", scenario: NAME}.'
        )
        return None
    target = node.value.get("scenario")
    if target is None:
        report.error("S401", node, "a rule needs `scenario`", "add `scenario: NAME`.")
        return None
    if not isinstance(target.value, str) or target.value not in scenarios:
        report.error(
            "S402",
            target,
            f"there is no scenario {target.describe()}",
            suggest(str(target.value), list(scenarios)),
        )
        return None
    conditions = []
    for key, child in node.value.items():
        if key != "scenario":
            condition = read_condition(key, child, bindings, report)
            if condition is None:
                return None
            conditions.append(condition)
    return Rule(tuple(conditions), target.value)


class _EarlierRules:
    """The rules so far, by a text that a request must have: a file may have thousands of rules."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._by_text: dict[tuple[str, str, str], list[int]] = {}
        self._other: list[int] = []
        """The rules without a text that a request must have."""
        self._left = _MAX_COMPARISONS

    def add(self, rule: Rule) -> None:
        """Add the next rule of the file."""
        number = len(self._rules)
        self._rules.append(rule)
        exact = [each for each in rule.conditions if not any(map(is_glob, each.patterns))]
        if not exact:
            self._other.append(number)
        for pattern in {each.lower() for each in exact[-1].patterns} if exact else ():
            self._by_text.setdefault((exact[-1].part, exact[-1].name, pattern), []).append(number)

    def covering(self, rule: Rule) -> int | None:
        """Return the index of the first rule that matches all requests of ``rule``; None if there is none."""
        candidates = [self._other]
        for condition in rule.conditions:
            key = condition.part, condition.name, condition.patterns[0].lower()
            candidates.append(self._by_text.get(key, []))
        for number in heapq.merge(*candidates):
            self._left -= 1
            if self._left < 0:
                return None
            if _covers(self._rules[number], rule):
                return number
        return None


_MAX_COMPARISONS = 20_000
"""Comparisons of two rules in one file. After that, it is not checked whether more rules are reached."""


def _covers(earlier: Rule, later: Rule) -> bool:
    """Whether every request that ``later`` matches is matched by ``earlier``."""
    patterns = {(condition.part, condition.name): condition.patterns for condition in later.conditions}
    return all(
        all(
            any(
                pattern == own
                or (not is_glob(pattern) and fnmatchcase(pattern.lower(), own.lower()))
                or own == "*"
                for own in condition.patterns
            )
            for pattern in patterns.get((condition.part, condition.name), ("\x00",))
        )
        for condition in earlier.conditions
    )


def suggest(name: str, known: Sequence[str]) -> str:
    """Return a remedy for a name that is not in ``known``."""
    if question := did_you_mean(name, known):
        return question
    shown = list(dict.fromkeys(known))[:12]
    if not shown:
        return "there are no names to choose from; define one first."
    return f"known names are {', '.join(shown)}{', …' if len(known) > len(shown) else ''}."
