"""Operations that share a path and a method, and differ behind ``?`` or ``#`` in the key of ``paths``.

OpenAPI has no such keys, and thousands of published operations do:
``/responses?beta=true``, ``/#X-Amz-Target=Service.Operation``,
``/uploads?convert={convert}``, ``/events#x-amz-Client-Context``. The path ends
before the mark; what follows names query parameters or header fields that tell
the operations apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from mockserver.media.fields import Fields, parse_fields
from mockserver.media.percent import decode
from mockserver.plan import Operation
from mockserver.schema import SchemaError, Schemas
from mockserver.serve.request import Request

Target = TypeVar("Target")

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
