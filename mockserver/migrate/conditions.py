"""What a WireMock request pattern asks, as the operation of a document and conditions of ``select``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from mockserver.errors import Diagnostic
from mockserver.migrate.stubs import Found, Stub
from mockserver.plan import JSON, Document, Operation
from mockserver.schema.patterns import ACCOUNT, matcher

Wanted = str | list[str]
"""A text, a glob, or several of which one must be met."""
_CHOICE = re.compile(r"[\w-]+(\|[\w-]+)*")
_GLOB = re.compile(r"[*?\[]")
_PARTS = {"headers": "header", "queryParameters": "query", "cookies": "cookie"}
_PATHS = ("url", "urlPath", "urlPattern", "urlPathPattern", "urlPathTemplate")
_KNOWN = frozenset([*_PARTS, *_PATHS, "method", "pathParameters"])
_SAMPLES = ("1", "abc", "00000000-0000-4000-8000-000000000000", "2026-01-01")
"""Values of path parameters, by which a regular expression is tried on a template."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The operation that a stub answers, and what of the request it looks at: part → text or glob."""

    operation: Operation
    conditions: dict[str, Wanted]


def read_request(stub: Stub, document: Document, found: Found) -> Asked | None:
    """None, with a diagnostic, where no operation of the document is meant."""
    request = stub.request
    method = str(request.get("method", "ANY")).upper()
    operations = [each for each in document.operations if method in ("ANY", each.method)]
    conditions: dict[str, Wanted] = {}
    meant = _meant(request, operations, document.base_paths, conditions)
    if not meant:
        path = next((f"{name} {request[name]}" for name in _PATHS if name in request), "any path")
        remedy = "name the path as the document has it, or serve a document that has it."
        message = f"{stub.name}: no operation of the document is {method} {path}; the stub is left out"
        found.append(Diagnostic("M103", message, stub.where, remedy, "warning"))
        return None
    for other in meant[1:]:
        found.append(stub.lost(f"being for {other.method} {other.path} too", "write a state for it as well."))
    _read_parts(stub, conditions, found)
    for name in sorted(request.keys() - _KNOWN):
        found.append(stub.lost(f"request.{name}", "add a rule to `select`, or verify it in the test."))
    return Asked(meant[0], conditions)


def _meant(
    request: dict[str, JSON],
    operations: Sequence[Operation],
    bases: Sequence[str],
    conditions: dict[str, Wanted],
) -> list[Operation]:
    """The operations that a pattern's path leads to; values of path parameters join the conditions."""
    for name in ("urlPath", "url"):
        if isinstance(literal := request.get(name), str):
            try:
                parts = urlsplit(literal)
            except ValueError:
                return []
            conditions |= {f"query.{each}": value for each, value in parse_qsl(parts.query)}
            for operation in operations:
                for base in bases:
                    if (values := _values(base + operation.path, parts.path)) is not None:
                        conditions |= {f"path.{each}": value for each, value in values.items()}
                        return [operation]
            return []
    if isinstance(template := request.get("urlPathTemplate"), str):
        wanted = _shape(template)
        return [each for each in operations if any(_shape(base + each.path) == wanted for base in bases)]
    for name in ("urlPathPattern", "urlPattern"):
        if isinstance(pattern := request.get(name), str):
            try:
                matches = matcher(f"^(?:{pattern})$")
            except ValueError:
                return []
            ACCOUNT.begin()
            try:
                return [each for each in operations if any(map(matches, _samples(bases, each.path)))]
            finally:
                ACCOUNT.end()
    return list(operations)


def _shape(template: str) -> str:
    """A path template without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", template)


def _samples(bases: Sequence[str], template: str) -> list[str]:
    return [base + re.sub(r"\{[^}]*\}", sample, template) for base in bases for sample in _SAMPLES]


def _values(template: str, path: str) -> dict[str, str] | None:
    """The path parameters in a path; None where it is another's."""
    names: list[str] = re.findall(r"\{([^}]*)\}", template)
    found = re.fullmatch("([^/]+)".join(map(re.escape, re.split(r"\{[^}]*\}", template))), path)
    return None if found is None else dict(zip(names, map(unquote, found.groups()), strict=True))


def _read_parts(stub: Stub, conditions: dict[str, Wanted], found: Found) -> None:
    parts = {**_PARTS, "pathParameters": "path"}
    for member, part in parts.items():
        patterns = stub.request.get(member)
        for name, pattern in patterns.items() if isinstance(patterns, dict) else ():
            text = _text(pattern)
            if text is None:
                found.append(
                    stub.lost(
                        f"request.{member}.{name}: {pattern}", "a rule takes a text, or a glob with * and ?."
                    )
                )
            else:
                conditions[f"{part}.{name}"] = text


def _text(pattern: JSON) -> Wanted | None:
    """A value pattern as a text, a glob or several; None where it is more than that can say."""
    if not isinstance(pattern, dict) or len(pattern.keys() - {"caseInsensitive"}) != 1:
        return None
    match pattern:
        case {"equalTo": str() as value}:
            return _GLOB.sub(lambda found: f"[{found[0]}]", value)
        case {"contains": str() as value}:
            return "*" + _GLOB.sub(lambda found: f"[{found[0]}]", value) + "*"
        case {"matches": ".*" | ".+"}:
            return "*"
        case {"matches": str() as value} if _CHOICE.fullmatch(value):
            return value.split("|")
    return None
