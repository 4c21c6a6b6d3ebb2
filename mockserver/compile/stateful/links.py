"""The links of a document (OpenAPI, Link Object): a field of a response is a parameter of an operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from mockserver.diagnostics import MockServerError
from mockserver.jsonschema import Schemas
from mockserver.jsonschema.references import escape, tokens
from mockserver.plan import JSON, Document, SchemaRef

_EXPRESSION = re.compile(r"\{?\$response\.body#(/[^{}]+)\}?$")


class Link(NamedTuple):
    """A statement of a document: a field of a response is a path parameter of an operation."""

    source: int
    """The index of the operation with the response."""
    field: tuple[str, ...]
    """Where the field is in the body, without the indexes of lists."""
    target: int
    """The index of the operation with the parameter."""
    parameter: str


def links(document: Document, schemas: Schemas) -> list[Link]:
    """Return the links of a document's responses (OpenAPI, Link Object). What cannot be read is left out."""
    by_id = {operation.id: index for index, operation in enumerate(document.operations)}
    by_pointer = {
        unquote(operation.pointer.partition("#")[2]): index
        for index, operation in enumerate(document.operations)
    }
    found = []
    for source, operation in enumerate(document.operations):
        for link in _link_objects(operation.pointer, schemas):
            pointer = unquote(str(link.get("operationRef", "")).partition("#")[2])
            target = by_id.get(str(link.get("operationId", "")), by_pointer.get(pointer))
            parameters = link.get("parameters")
            for name, value in parameters.items() if isinstance(parameters, dict) else ():
                expression = _EXPRESSION.match(value) if isinstance(value, str) else None
                if target is not None and expression is not None:
                    field = tuple(token for token in tokens(expression[1]) if not token.isdigit())
                    found.append(Link(source, field, target, str(name).removeprefix("path.")))
    return found


def _link_objects(operation: SchemaRef, schemas: Schemas) -> Iterator[dict[str, JSON]]:
    for response, _ in _members(f"{operation}/responses", schemas):
        for _, link in _members(f"{response}/links", schemas):
            yield link


def _members(ref: SchemaRef, schemas: Schemas) -> Iterator[tuple[SchemaRef, dict[str, JSON]]]:
    """Yield the members of an object in the document that are objects, behind their references."""
    try:
        node, ref = schemas.lookup(ref)
    except (MockServerError, ValueError):
        return
    for name in node if isinstance(node, dict) else ():
        try:
            member, location = schemas.lookup(f"{ref}/{escape(str(name))}")
        except (MockServerError, ValueError):
            continue
        if isinstance(member, dict):
            yield location, member
