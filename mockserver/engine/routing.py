"""Which operation a request belongs to: a state machine over path segments, then variants by query."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
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
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_COMPARED = 512
"""Characters of an unknown path that are compared with the templates."""


class Found(Struct, Generic[Target]):
    """Where a path leads. ``target`` is None where the path has no such method."""

    target: Target | None
    parameters: dict[str, str]
    """Raw text of each path parameter, still percent-encoded."""
    allowed: tuple[str, ...] = ()
    """The methods of every template that matches the path; filled in when ``target`` is None."""


class _Node(Struct, Generic[Target]):
    static: dict[str, _Node[Target]] = field(default_factory=dict)
    patterns: list[tuple[_Pattern, _Node[Target]]] = field(default_factory=list)
    leaf: dict[str, tuple[Target, tuple[str, ...]]] | None = None
    """Method → target and its parameters' names, in the order of the path."""


class _Pattern(Struct, frozen=True):
    text: str
    expression: re.Pattern[str] | None
    """None for a segment that is one parameter and nothing else."""
    rank: tuple[int, int]


class Router(Generic[Target]):
    """Targets by path template and method, answered under each of ``base_paths``."""

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
            self._shorten(base, self._root)

    def _shorten(self, path: str, node: _Node[Target]) -> None:
        """Index the paths without a parameter, and those with one as their last segment.

        Most requests are for such paths, and one look-up of the whole text
        finds them; nothing less specific can stand before them.
        """
        if node.leaf is not None:
            self._exact.setdefault(path, node)
        if len(node.patterns) == 1 and node.patterns[0][0].expression is None:
            self._parents.setdefault(path, node)
        for segment, child in node.static.items():
            if quote(segment, safe=_UNRESERVED) == segment:
                self._shorten(f"{path}/{segment}", child)

    def _add(self, method: str, template: str, target: Target) -> None:
        self._templates.append((method, template))
        node, names = self._root, []
        for segment in template.split("/")[1:]:
            found = PARAMETER.findall(segment)
            if not found:
                node = node.static.setdefault(_decoded(segment) or segment, _Node())
                continue
            names += found
            node = self._templated(node, segment)
        if node.leaf is None:
            node.leaf = {}
        node.leaf.setdefault(method, (target, tuple(names)))

    @staticmethod
    def _templated(node: _Node[Target], segment: str) -> _Node[Target]:
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
        node.patterns.sort(key=lambda each: each[0].rank)
        return added

    def find(self, method: str, raw_path: str) -> Found[Target] | None:
        """The target of a request line; None where no template matches the path."""
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
        """The literal segments under a raw path where a whole segment may be a parameter too; else None."""
        node = self._parents.get(parent)
        return None if node is None else node.static

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
                segment = raw if "%" not in raw else _decoded(raw)
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
                    allowed += (each for each in node.leaf if each not in allowed)
        return Found(None, {}, tuple(allowed)) if allowed else None

    def nearby(self, path: str, most: int = 5) -> list[tuple[str, str]]:
        """The documented operations whose templates look most like ``path``: method and template.

        Likeness is that of their pairs of neighbouring characters (Dice's
        coefficient), which takes a millisecond for a thousand operations.
        """
        if not self._pairs:
            self._pairs = [_pairs(PARAMETER.sub("{}", template)) for _, template in self._templates]
        asked = _pairs(path[:_COMPARED])
        likeness = [2 * len(asked & each) / (len(asked) + len(each) or 1) for each in self._pairs]
        rated = sorted(
            zip(likeness, self._templates, strict=True), key=lambda each: (-each[0], each[1][1], each[1][0])
        )
        return [operation for _, operation in rated[:most]]


def _expression(shape: str) -> re.Pattern[str]:
    """For a segment with text beside its parameters: each as short as it can be, the last has the rest.

    Where a text is found first is where it is taken for found: to look for it
    further on would leave less for what follows. So nothing is tried twice.
    """
    first, *between, last = map(re.escape, shape.split("{}"))
    found = "".join(f"(?>(.+?){text})" for text in between)
    return re.compile(f"{first}{found}(.+){last}", re.DOTALL)


def _pairs(text: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(text)))


def _decoded(segment: str) -> str | None:
    """A segment without its percent-encoding; None where that is broken or no UTF-8."""
    if "%" not in segment:
        return segment
    if _BROKEN.search(segment):
        return None
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None


_MARK = re.compile(r"[?#](?![^{}]*\})|\{[?#&]")


class Condition(NamedTuple):
    """A query parameter or header field that a request has to carry."""

    name: str
    values: frozenset[str]
    """One of these; any, where there is none."""


class Variants(Generic[Target]):
    """The operations of one path and method, in the document's order."""

    def __init__(self) -> None:
        self._members: list[tuple[tuple[Condition, ...], Target]] = []

    def add(self, operation: Operation, schemas: Schemas, target: Target) -> None:
        """Add the target of an operation with its conditions."""
        self._members.append((tuple(_conditions(operation, schemas)), target))

    def choose(self, request: Request) -> Target:
        """The operation with the most conditions, of those whose conditions all hold.

        Where none holds, the one with the fewest: the plain one, where there is one.
        """
        query = parse_fields(request.query_string)
        held = [each for each in self._members if all(_holds(one, query, request) for one in each[0])]
        if held:
            return max(held, key=lambda each: len(each[0]))[1]
        return min(self._members, key=lambda each: len(each[0]))[1]


def _holds(condition: Condition, query: Fields, request: Request) -> bool:
    given = [decode(text) for text in query.get(condition.name, ())]
    field = request.headers.get(condition.name.lower())
    if field is not None:
        given.append(field.strip())
    return bool(given) if not condition.values else any(each in condition.values for each in given)


def has_mark(template: str) -> bool:
    """Whether a key of ``paths`` goes on behind ``?`` or ``#``."""
    return ("?" in template or "#" in template) and _MARK.search(template) is not None


def path_of(template: str) -> str:
    """The path of a key of ``paths``: what stands before ``?`` or ``#`` outside of a parameter."""
    found = _MARK.search(template) if "?" in template or "#" in template else None
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
    """The values that a parameter may have where the document lists them."""
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
                return frozenset(_text(each) for each in options)
    return frozenset()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
