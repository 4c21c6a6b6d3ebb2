"""Which scenario a key begins with: the ``select`` rules of a scenario file."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any

from mockserver.plan import Condition, Lookup, Rule
from mockserver.serve.request import Request

Parts = dict[str, dict[str, Any]]
"""The parsed parts of a request: path, query, header and cookie parameters, decoded."""


class Selection:
    """The rules of one resource, compiled: the first whose conditions all hold decides."""

    def __init__(self, rules: Sequence[Rule], default: str) -> None:
        self._rules = [([_condition(each) for each in rule.conditions], rule.scenario) for rule in rules]
        self._default = default

    def choose(self, request: Request, path: dict[str, str], body: Any) -> str:
        """The scenario for a key that ``request`` is the first to name."""
        for conditions, scenario in self._rules:
            if all(holds(request, path, body) for holds in conditions):
                return scenario
        return self._default


def _condition(condition: Condition) -> Callable[[Request, dict[str, str], Any], bool]:
    read = reader(Lookup(condition.part, condition.name))
    literals = frozenset(each.lower() for each in condition.patterns if not _is_glob(each))
    globs = [
        re.compile(fnmatch.translate(each), re.IGNORECASE) for each in condition.patterns if _is_glob(each)
    ]

    def holds(request: Request, path: dict[str, str], body: Any) -> bool:
        value = read(request, path, body)
        if value is None:
            return False
        return value.lower() in literals or any(each.match(value) for each in globs)

    return holds


def _is_glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def reader(lookup: Lookup) -> Callable[[Request, dict[str, str], Any], str | None]:
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
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _in_body(body: Any, steps: list[str]) -> str | None:
    for step in steps:
        if isinstance(body, dict) and step in body:
            body = body[step]
        elif isinstance(body, list) and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    if body is None or isinstance(body, dict | list):
        return None
    if isinstance(body, bool):
        return "true" if body else "false"
    return str(body)
