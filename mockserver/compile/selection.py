"""Conditions on a request, and the rules that select a scenario by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from mockserver.compile.answers import Bound
from mockserver.compile.nodes import Node, Report
from mockserver.plan import Condition, Lookup, Rule

PARTS = ("path", "query", "header", "cookie", "body", "method")


def lookup(value: object) -> Lookup | None:
    """``path.NAME`` and the like as a Lookup; None where it is none."""
    if value == "method":
        return Lookup("method", "")
    part, dot, name = value.partition(".") if isinstance(value, str) else ("", "", "")
    return Lookup(part, name) if dot and name and part in PARTS else None


def read_condition(key: str, node: Node, bound: Mapping[str, Bound], report: Report) -> Condition | None:
    """One part of the request and its patterns; None and a diagnostic when there is no such part."""
    place = lookup(key) or _bare(key, bound)
    if place is None:
        report.error(
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
            report.error(
                "S401",
                each,
                f"the pattern for {key} is {each.kind()}",
                "give a text; * and ? stand for any characters.",
            )
            return None
        patterns.append(str(each.value).lower() if isinstance(each.value, bool) else str(each.value))
    return Condition(place.part, place.name, tuple(patterns))  # type: ignore[arg-type]


def _bare(key: str, bound: Mapping[str, Bound]) -> Lookup | None:
    """A name alone means the path parameter of that name, else the query parameter."""
    if not bound or any(f"{{{key}}}" in each.operation.path for each in bound.values()):
        return Lookup("path", key)  # without a document, that is what it most often is
    for each in bound.values():
        if any(
            parameter.name == key and parameter.location == "query" for parameter in each.operation.parameters
        ):
            return Lookup("query", key)
    return None


def read_rules(
    node: Node,
    named: Mapping[str, Node],
    bound: Mapping[str, Bound],
    report: Report,
) -> tuple[Rule, ...]:
    """The rules of ``select``; a last one for what they leave over is added."""
    if not isinstance(node.value, list):
        report.error(
            "S401",
            node,
            f"`select` is {node.kind()}",
            'write it as a list: - {requestId: "…", scenario: NAME}.',
        )
        return ()
    rules: list[Rule] = []
    for each in node.value:
        rule = _rule(each, named, bound, report)
        if rule is None:
            continue
        shadow = next((index for index, earlier in enumerate(rules) if _covers(earlier, rule)), None)
        if shadow is not None:
            report.error(
                "S403",
                each,
                f"this rule is never reached: rule {shadow + 1} takes all that it would",
                "move it up, or remove it.",
            )
        rules.append(rule)
    if rules and rules[-1].conditions and not any(not rule.conditions for rule in rules):
        rules.append(Rule((), next(iter(named), rules[-1].scenario)))
    return tuple(rules)


def _rule(node: Node, named: Mapping[str, Node], bound: Mapping[str, Bound], report: Report) -> Rule | None:
    if not isinstance(node.value, dict):
        report.error(
            "S401", node, f"a rule is {node.kind()}", 'write it as {requestId: "…", scenario: NAME}.'
        )
        return None
    target = node.value.get("scenario")
    if target is None:
        report.error("S401", node, "a rule without `scenario` selects nothing", "add `scenario: NAME`.")
        return None
    if not isinstance(target.value, str) or target.value not in named:
        report.error(
            "S402", target, f"there is no scenario {target.kind()}", suggest(str(target.value), list(named))
        )
        return None
    conditions = []
    for key, each in node.value.items():
        if key != "scenario":
            condition = read_condition(key, each, bound, report)
            if condition is None:
                return None
            conditions.append(condition)
    return Rule(tuple(conditions), target.value)


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


def nearest(name: str, known: Collection[str], cutoff: float = 0.5) -> str:
    """The one of ``known`` that ``name`` most likely stands for; empty where it is near none."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The beginning of a remedy for a name that is nearly one of ``known``; empty where it is not."""
    meant = nearest(name, known)
    return f"did you mean {meant!r}? " if meant else ""


def suggest(name: str, known: Sequence[str]) -> str:
    """A remedy for a name that is none of ``known``."""
    if meant := did_you_mean(name, known):
        return meant.rstrip()
    shown = list(dict.fromkeys(known))[:12]
    if not shown:
        return "there is none to name; write one first."
    return f"known are {', '.join(shown)}{', …' if len(known) > len(shown) else ''}."
