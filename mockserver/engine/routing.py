"""Find the operation of a request: by path segments, then by query and header conditions."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct, field

from mockserver.jsonschema import SchemaError, Schemas
from mockserver.media.form import Fields, parse_fields
from mockserver.media.styles import decode
from mockserver.messages import Request
from mockserver.plan import Operation

Target = TypeVar("Target")

PARAMETER = re.compile(r"\{([^{}]*)\}")
_UNRESERVED = "~!$&'()*+,;=:@"
_INVALID_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_COMPARED = 512
"""Characters of an unknown path that are compared with the templates."""


class Found(Struct, Generic[Target]):
    """The route of a path. ``target`` is None if the path does not have the method."""

    target: Target | None
    parameters: dict[str, str]
    """The raw text of each path parameter, still percent-encoded."""
    allowed: tuple[str, ...] = ()
    """The methods of all templates that match the path, if ``target`` is None."""


class _Node(Struct, Generic[Target]):
    static: dict[str, _Node[Target]] = field(default_factory=dict)
    patterns: list[tuple[_Pattern, _Node[Target]]] = field(default_factory=list)
    leaf: dict[str, tuple[Target, tuple[str, ...]]] | None = None
    """Method → target and the names of its parameters, in the order of the path."""


class _Pattern(Struct, frozen=True):
    text: str
    expression: re.Pattern[str] | None
    """None for a segment that consists of one parameter."""
    rank: tuple[int, int]
    """The sort key: more literal characters first, then fewer parameters."""


class Router(Generic[Target]):
    """Targets by path template and method, under each of ``base_paths``."""

    def __init__(self, routes: Iterable[tuple[str, str, Target]], base_paths: Sequence[str] = ("",)) -> None:
        self._root: _Node[Target] = _Node()
        self._prefixes = tuple(sorted((base for base in base_paths if base), key=len, reverse=True))
        self._at_root = "" in base_paths
        self._templates: list[tuple[str, str]] = []
        self._pairs: list[frozenset[str]] = []
        for method, template, target in routes:
            self._add(method, template, target)
        self._exact: dict[str, _Node[Target]] = {}
        self._parents: dict[str, _Node[Target]] = {}
        for base in (*self._prefixes, *([""] if self._at_root else [])):
            self._index(base, self._root)

    def _index(self, path: str, node: _Node[Target]) -> None:
        """Index the paths without parameters, and those whose only parameter is the last segment.

        Most requests have such paths, and one look-up of the whole text finds them. No less specific
        template has precedence over them.
        """
        if node.leaf is not None:
            self._exact.setdefault(path, node)
        if len(node.patterns) == 1 and node.patterns[0][0].expression is None:
            self._parents.setdefault(path, node)
        for segment, child in node.static.items():
            if quote(segment, safe=_UNRESERVED) == segment:
                self._index(f"{path}/{segment}", child)

    def _add(self, method: str, template: str, target: Target) -> None:
        self._templates.append((method, template))
        node, names = self._root, []
        for segment in template.split("/")[1:]:
            found = PARAMETER.findall(segment)
            if not found:
                node = node.static.setdefault(_decode(segment) or segment, _Node())
                continue
            names += found
            node = self._add_pattern(node, segment)
        if node.leaf is None:
            node.leaf = {}
        node.leaf.setdefault(method, (target, tuple(names)))

    @staticmethod
    def _add_pattern(node: _Node[Target], segment: str) -> _Node[Target]:
        shape = PARAMETER.sub("{}", segment)
        for pattern, child in node.patterns:
            if pattern.text == shape:
                return child
        added: _Node[Target] = _Node()
        literal = len(shape) - 2 * shape.count("{}")
        expression = None
        if shape != "{}":
            expression = _expression(shape)
        node.patterns.append((_Pattern(shape, expression, (-literal, shape.count("{}"))), added))
        node.patterns.sort(key=lambda pattern: pattern[0].rank)
        return added

    def find(self, method: str, raw_path: str) -> Found[Target] | None:
        """Return the route of a method and a raw path; None if no template matches the path."""
        if (node := self._exact.get(raw_path)) is not None and node.leaf and (hit := node.leaf.get(method)):
            return Found(hit[0], {})
        parent, _, last = raw_path.rpartition("/")
        if (
            last
            and (node := self._parents.get(parent)) is not None
            and "%" not in last
            and last not in node.static
        ):
            leaf = node.patterns[0][1].leaf
            if leaf and (hit := leaf.get(method)):
                return Found(hit[0], {hit[1][0]: last})
        return self._search(method, raw_path)

    def beside(self, parent: str) -> Container[str] | None:
        """Return the literal segments under a raw path that has also a parameter there; else None."""
        node = self._parents.get(parent)
        return None if node is None else node.static

    def has_below(self, parent: str) -> bool:
        """Return whether a path can be a raw path with one or more segments after it."""
        for prefix in (*self._prefixes, *([""] if self._at_root else [])):
            if not f"{parent}/".startswith(f"{prefix}/"):
                continue
            nodes = [self._root]
            for raw in parent[len(prefix) :].split("/")[1:]:
                segment = _decode(raw) if "%" in raw else raw
                nodes = [
                    child
                    for node in nodes
                    for child in (node.static.get(segment or ""), *(child for _, child in node.patterns))
                    if child is not None
                ]
            if any(node.static or node.patterns for node in nodes):
                return True
        return False

    def _search(self, method: str, raw_path: str) -> Found[Target] | None:
        not_found: Found[Target] | None = None
        for prefix in self._prefixes:
            if raw_path.startswith(prefix) and raw_path[len(prefix) : len(prefix) + 1] == "/":
                found = self._find(method, raw_path[len(prefix) :])
                if found is not None and found.target is not None:
                    return found
                not_found = not_found or found
        if self._at_root:
            found = self._find(method, raw_path)
            if found is not None and (found.target is not None or not_found is None):
                return found
        return not_found

    def _find(self, method: str, path: str) -> Found[Target] | None:
        segments = path.split("/")
        if segments[0]:
            return None
        count = len(segments)
        pending: list[tuple[_Node[Target], int, list[str]]] = [(self._root, 1, [])]
        allowed: list[str] = []
        while pending:
            node, index, values = pending.pop()
            while index < count:
                raw = segments[index]
                segment = raw if "%" not in raw else _decode(raw)
                index += 1
                if node.patterns and raw:
                    for pattern, child in reversed(node.patterns):
                        if pattern.expression is None:
                            pending.append((child, index, [*values, raw]))
                        elif (match := pattern.expression.fullmatch(raw)) is not None:
                            pending.append((child, index, [*values, *match.groups()]))
                following = node.static.get(segment) if segment is not None else None
                if following is None:
                    break
                node = following
            else:
                if node.leaf is not None:
                    hit = node.leaf.get(method)
                    if hit is not None:
                        return Found(hit[0], dict(zip(hit[1], values, strict=True)) if values else {})
                    allowed += (name for name in node.leaf if name not in allowed)
        return Found(None, {}, tuple(allowed)) if allowed else None

    def nearby(self, path: str, max_count: int = 5) -> list[tuple[str, str]]:
        """Return the methods and templates that are most similar to ``path``, at most ``most``.

        The similarity is the Dice coefficient of the pairs of adjacent characters. It takes a millisecond
        for a thousand operations.
        """
        if not self._pairs:
            self._pairs = [_pairs(PARAMETER.sub("{}", template)) for _, template in self._templates]
        pairs = _pairs(path[:_MAX_COMPARED])
        similarity = [2 * len(pairs & other) / (len(pairs) + len(other) or 1) for other in self._pairs]
        rated = sorted(
            zip(similarity, self._templates, strict=True),
            key=lambda entry: (-entry[0], entry[1][1], entry[1][0]),
        )
        return [operation for _, operation in rated[:max_count]]


def _expression(shape: str) -> re.Pattern[str]:
    """Return the expression of a segment that has text besides its parameters.

    Each parameter is as short as possible, and the last one takes the rest. The expression does not
    backtrack: a later match of a literal would only leave less text for the following parts.
    """
    first, *between, last = map(re.escape, shape.split("{}"))
    found = "".join(f"(?>(.+?){text})" for text in between)
    return re.compile(f"{first}{found}(.+){last}", re.DOTALL)


def _pairs(text: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(text)))


def _decode(segment: str) -> str | None:
    """Decode a segment. Return None if its percent-encoding is broken or not UTF-8."""
    if "%" not in segment:
        return segment
    if _INVALID_ESCAPE.search(segment):
        return None
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None


_VARIANT_PART = re.compile(r"[?#](?![^{}]*\})|\{[?#&]")


class Condition(NamedTuple):
    """A query parameter or header field that a request must have."""

    name: str
    values: frozenset[str]
    """The permitted values; empty for any value."""


class Variants(Generic[Target]):
    """The operations of one path and method, in the document's order."""

    def __init__(self) -> None:
        self._members: list[tuple[tuple[Condition, ...], Target]] = []

    def add(self, operation: Operation, schemas: Schemas, target: Target) -> None:
        """Add the target of an operation with its conditions."""
        self._members.append((tuple(_conditions(operation, schemas)), target))

    def names(self) -> Iterator[str]:
        """Yield the names of the header fields, in lower case, by which ``choose`` decides."""
        return (condition.name.lower() for conditions, _ in self._members for condition in conditions)

    def choose(self, request: Request) -> Target:
        """Return the operation with the most conditions, of those whose conditions all hold.

        If there is none, return the operation with the fewest conditions.
        """
        query = parse_fields(request.query_string)
        matching = [
            member
            for member in self._members
            if all(_holds(condition, query, request) for condition in member[0])
        ]
        if matching:
            return max(matching, key=lambda member: len(member[0]))[1]
        return min(self._members, key=lambda member: len(member[0]))[1]


def _holds(condition: Condition, query: Fields, request: Request) -> bool:
    given = [decode(text) for text in query.get(condition.name, ())]
    field = request.headers.get(condition.name.lower())
    if field is not None:
        given.append(field.strip())
    return bool(given) if not condition.values else any(value in condition.values for value in given)


def has_mark(template: str) -> bool:
    """Return whether a key of ``paths`` has a part after ``?`` or ``#``."""
    return ("?" in template or "#" in template) and _VARIANT_PART.search(template) is not None


def path_of(template: str) -> str:
    """Return the path of a key of ``paths``: the part before ``?`` or ``#`` outside of a parameter."""
    found = _VARIANT_PART.search(template) if "?" in template or "#" in template else None
    return template if found is None else template[: found.start()] or "/"


def _conditions(operation: Operation, schemas: Schemas) -> Iterable[Condition]:
    rest = operation.path[len(path_of(operation.path)) :].lstrip("/?#&{")
    for pair in filter(None, re.split(r"[&#?,]", rest.rstrip("}") if "=" not in rest else rest)):
        name, _, text = pair.partition("=")
        value = decode(text)
        if value and "{" not in value:
            yield Condition(name, frozenset((value,)))
        else:
            yield Condition(name, _enum(operation, schemas, name))


def _enum(operation: Operation, schemas: Schemas, name: str) -> frozenset[str]:
    """Return the ``enum`` of a query or header parameter; empty if it has none."""
    for parameter in operation.parameters:
        if (
            parameter.name.lower() == name.lower()
            and parameter.schema
            and parameter.location in ("query", "header")
        ):
            try:
                node = schemas.lookup(parameter.schema)[0]
            except SchemaError:
                continue
            options = node.get("enum") if isinstance(node, dict) else None
            if isinstance(options, list):
                return frozenset(_text(option) for option in options)
    return frozenset()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
