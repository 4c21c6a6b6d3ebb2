"""Select the scenario of a new key by the ``select`` rules of a scenario file."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mockserver.jsonschema.references import value_at
from mockserver.messages import Request
from mockserver.namespaces.namespaces import DEFAULT
from mockserver.plan import Condition, Lookup, Rule

Read = Callable[[Request, dict[str, str], Any], "str | None"]
Holds = Callable[[Request, dict[str, str], Any], bool]


class Selection:
    """The compiled rules of one resource. The first rule whose conditions all hold decides.

    Rules with one condition and without globs are in tables, so that a file can reserve any number of
    keys without a loop over them.
    """

    def __init__(self, rules: Sequence[Rule], default: str, scenarios: Collection[str]) -> None:
        self.assigned: Mapping[str, str] = {}
        """Namespace → the scenario of its new keys, which has precedence over the rules."""
        self._scenarios = scenarios
        self._default = default
        self._rules: list[tuple[int, list[Holds], str]] = []
        self._tables: list[tuple[Read, dict[str, tuple[int, str]]]] = []
        tables: dict[Lookup, dict[str, tuple[int, str]]] = {}
        for order, rule in enumerate(rules):
            only = rule.conditions[0] if len(rule.conditions) == 1 else None
            if only is None or any(is_glob(pattern) for pattern in only.patterns):
                self._rules.append((order, [condition(part) for part in rule.conditions], rule.scenario))
                continue
            lookup = Lookup(only.part, only.name)
            if lookup not in tables:
                tables[lookup] = {}
                self._tables.append((reader(lookup), tables[lookup]))
            for text in only.patterns:
                tables[lookup].setdefault(text.lower(), (order, rule.scenario))
        self._only_table: tuple[str, dict[str, tuple[int, str]]] | None = None
        if not self._rules and len(tables) == 1 and (lookup := next(iter(tables))).part == "path":
            self._only_table = lookup.name, tables[lookup]

    def choose(self, request: Request, path: dict[str, str], body: Any) -> str:
        """Return the scenario of a key that occurs in ``request`` for the first time."""
        if self.assigned:
            assigned = self.assigned.get(request.headers.get("x-mock-namespace", DEFAULT))
            if assigned is not None and assigned in self._scenarios:
                return assigned
        return self.by_rules(request, path, body)

    def by_rules(self, request: Request, path: dict[str, str], body: Any) -> str:
        """Return the scenario by the rules of the file."""
        if self._only_table is not None:  # nearly every file: its rules only reserve some keys
            name, table = self._only_table
            value = path.get(name)
            found = table.get(value.lower()) if value is not None else None
            return self._default if found is None else found[1]
        best, chosen = len(self._rules) + 1_000_000, self._default
        for read, table in self._tables:
            value = read(request, path, body)
            if value is not None and (found := table.get(value.lower())) is not None and found[0] < best:
                best, chosen = found
        for order, conditions, scenario in self._rules:
            if order > best:
                break
            if all(holds(request, path, body) for holds in conditions):
                return scenario
        return chosen


def condition(stated: Condition) -> Holds:
    """Compile a condition into a function of a request, its path parameters and its body."""
    read = reader(Lookup(stated.part, stated.name))
    literals = frozenset(pattern.lower() for pattern in stated.patterns if not is_glob(pattern))
    globs = [
        re.compile(fnmatch.translate(pattern), re.IGNORECASE)
        for pattern in stated.patterns
        if is_glob(pattern)
    ]

    def holds(request: Request, path: dict[str, str], body: Any) -> bool:
        value = read(request, path, body)
        if value is None:
            return False
        return value.lower() in literals or any(glob.match(value) for glob in globs)

    return holds


def is_glob(pattern: str) -> bool:
    """Return whether a pattern has wildcards."""
    return any(character in pattern for character in "*?[")


def reader(lookup: Lookup) -> Read:
    """Return a function of a request, its path parameters and its body to the text of one part.

    The function returns None for an absent part.
    """
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
            steps = [step for step in re.split(r"[./]", name) if step]
            return lambda request, path, body: _in_body(body, steps)
    raise AssertionError(lookup)


def query(request: Request) -> dict[str, str]:
    """Return the first value of each query parameter, form-decoded."""
    from urllib.parse import parse_qsl  # few requests need it

    found: dict[str, str] = {}
    for name, value in parse_qsl(request.query_string, keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return found


def cookies(request: Request) -> dict[str, str]:
    """Return the cookies by name; none if the header is malformed."""
    from http.cookies import CookieError, SimpleCookie  # few requests need it

    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _in_body(body: Any, steps: list[str]) -> str | None:
    body = value_at(body, steps)
    if body is None or isinstance(body, dict | list):
        return None
    if isinstance(body, bool):
        return "true" if body else "false"
    return str(body)
