"""Which scenario a key begins with: the ``select`` rules of a scenario file."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mockserver.jsonschema.references import index
from mockserver.messages import Request
from mockserver.namespaces.namespaces import DEFAULT
from mockserver.plan import Condition, Lookup, Rule

Read = Callable[[Request, dict[str, str], Any], "str | None"]
Holds = Callable[[Request, dict[str, str], Any], bool]


class Selection:
    """The rules of one resource, compiled: the first whose conditions all hold decides.

    Rules that ask one part for one of some texts are looked up instead of
    tried, so that a file may reserve any number of keys.
    """

    def __init__(self, rules: Sequence[Rule], default: str, scenarios: Collection[str]) -> None:
        self.assigned: Mapping[str, str] = {}
        """Namespace → the scenario that every new key of it begins with, whatever the rules say."""
        self._scenarios = scenarios
        self._default = default
        self._tried: list[tuple[int, list[Holds], str]] = []
        self._reserved: list[tuple[Read, dict[str, tuple[int, str]]]] = []
        tables: dict[Lookup, dict[str, tuple[int, str]]] = {}
        for order, rule in enumerate(rules):
            only = rule.conditions[0] if len(rule.conditions) == 1 else None
            if only is None or any(_is_glob(each) for each in only.patterns):
                self._tried.append((order, [condition(each) for each in rule.conditions], rule.scenario))
                continue
            place = Lookup(only.part, only.name)
            if place not in tables:
                tables[place] = {}
                self._reserved.append((reader(place), tables[place]))
            for text in only.patterns:
                tables[place].setdefault(text.lower(), (order, rule.scenario))
        self._single: tuple[str, dict[str, tuple[int, str]]] | None = None
        if not self._tried and len(tables) == 1 and (place := next(iter(tables))).part == "path":
            self._single = place.name, tables[place]

    def choose(self, request: Request, path: dict[str, str], body: Any) -> str:
        """The scenario for a key that ``request`` is the first to name."""
        if self.assigned:
            assigned = self.assigned.get(request.headers.get("x-mock-namespace", DEFAULT))
            if assigned is not None and assigned in self._scenarios:
                return assigned
        return self.by_rules(request, path, body)

    def by_rules(self, request: Request, path: dict[str, str], body: Any) -> str:
        """The scenario by the file's own rules."""
        if self._single is not None:  # nearly every file: some keys are reserved, and that is all
            name, table = self._single
            value = path.get(name)
            found = table.get(value.lower()) if value is not None else None
            return self._default if found is None else found[1]
        best, chosen = len(self._tried) + 1_000_000, self._default
        for read, table in self._reserved:
            value = read(request, path, body)
            if value is not None and (found := table.get(value.lower())) is not None and found[0] < best:
                best, chosen = found
        for order, conditions, scenario in self._tried:
            if order > best:
                break
            if all(holds(request, path, body) for holds in conditions):
                return scenario
        return chosen


def condition(stated: Condition) -> Holds:
    """A function from a request, its path parameters and its body to whether a part of it matches."""
    read = reader(Lookup(stated.part, stated.name))
    literals = frozenset(each.lower() for each in stated.patterns if not _is_glob(each))
    globs = [re.compile(fnmatch.translate(each), re.IGNORECASE) for each in stated.patterns if _is_glob(each)]

    def holds(request: Request, path: dict[str, str], body: Any) -> bool:
        value = read(request, path, body)
        if value is None:
            return False
        return value.lower() in literals or any(each.match(value) for each in globs)

    return holds


def _is_glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def reader(lookup: Lookup) -> Read:
    """A function from a request, its path parameters and its body to the text of one part; None if absent."""
    name = lookup.name
    match lookup.part:
        case "path":
            return lambda request, path, body: path.get(name)
        case "header":
            return lambda request, path, body: request.headers.get(name.lower())
        case "query":
            return lambda request, path, body: query(request).get(name)
        case "cookie":
            return lambda request, path, body: cookies(request).get(name)
        case "method":
            return lambda request, path, body: request.method
        case "body":
            steps = [each for each in re.split(r"[./]", name) if each]
            return lambda request, path, body: _in_body(body, steps)
    raise AssertionError(lookup)


def query(request: Request) -> dict[str, str]:
    """The first value of each query parameter, form-decoded."""
    from urllib.parse import parse_qsl

    found: dict[str, str] = {}
    for name, value in parse_qsl(request.query_string, keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return found


def cookies(request: Request) -> dict[str, str]:
    """Each cookie by name; none where the header cannot be read."""
    from http.cookies import CookieError, SimpleCookie

    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _in_body(body: Any, steps: list[str]) -> str | None:
    for step in steps:
        if isinstance(body, dict) and step in body:
            body = body[step]
        elif isinstance(body, list) and (place := index(step, body)) is not None:
            body = body[place]
        else:
            return None
    if body is None or isinstance(body, dict | list):
        return None
    if isinstance(body, bool):
        return "true" if body else "false"
    return str(body)
