"""Find the fields of items that name items of other resources: ``petId`` is the key of a pet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from msgspec.structs import replace

from mockserver.compile.scaffold import singular
from mockserver.compile.stateful.bodies import Bodies, last_word
from mockserver.diagnostics import MockServerError
from mockserver.engine.paging import plain
from mockserver.jsonschema import Schemas
from mockserver.jsonschema.references import escape, tokens
from mockserver.plan import JSON, DataResource, Document, SchemaRef

_TOO_GENERAL = frozenset(("id", "key", "name", "uuid", "code"))
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


def with_references(
    resources: Sequence[DataResource], bodies: Bodies, stated: Sequence[Link]
) -> list[DataResource]:
    """Return the resources with their references: field → the name of the resource with its keys.

    A reference is a field with a key, or with a list of keys. ``stated``: the links of the document.
    """
    names = {name: resource for resource in resources for name in _names(resource)}
    linked = _linked(resources, stated)
    found = []
    for resource in resources:
        references = {}
        fields = bodies.shapes.properties(resource.schema) if resource.schema is not None else {}
        for field, ref in fields.items():
            items, word = bodies.items(ref), plain(field)
            by_link = linked.get((resource.name, field))
            target = by_link or names.get(word.removesuffix("s") if items else word)
            is_alias = target is resource and not by_link and not items
            is_key = field == resource.key_field or is_alias
            if target is not None and not is_key and bodies.is_scalar(items or ref):
                references[field] = target.name
        found.append(replace(resource, references=references))
    return found


def _linked(
    resources: Sequence[DataResource], stated: Sequence[Link]
) -> Mapping[tuple[str, str], DataResource]:
    """Return the resources whose keys links state to be in fields, by resource and field."""
    owners = {index: resource for resource in resources for index in resource.operations}
    found = {}
    for link in stated:
        source, target = owners.get(link.source), owners.get(link.target)
        if source is None or target is None or target.parents or target.is_singleton:
            continue
        path = source.operations[link.source].path
        if target.operations[link.target].key == link.parameter and link.field[:-1] == path:
            found[source.name, link.field[-1]] = target
    return found


def _names(resource: DataResource) -> Iterator[str]:
    """Yield the plain names of fields with the key of a resource. Nested ones have no such fields."""
    if resource.parents or resource.is_singleton or not resource.key_field:
        return
    word = plain(singular(last_word(resource.path)))
    yield f"{word}{plain(resource.key_field)}"
    keys = {operation.key for operation in resource.operations.values() if operation.key}
    yield from (plain(key) for key in keys if plain(key) not in _TOO_GENERAL)
