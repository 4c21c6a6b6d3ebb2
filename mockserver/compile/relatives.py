"""The other operations of a resource's life: what brings it into being, lists it and ends it.

They are told by their paths: of an item that ``GET /orders/{id}`` reads,
``POST /orders`` makes one, ``GET /orders`` lists them and ``DELETE
/orders/{id}`` ends it, where their answers bear that out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mockserver.compile.outline import Outline, answer_fields, answer_schema
from mockserver.errors import MockServerError
from mockserver.plan import Document, Operation
from mockserver.schema import Schemas


def with_relatives(outline: Outline, document: Document, schemas: Schemas) -> Outline:
    """``outline`` with the resource's whole life; the same where nothing brings it into being."""
    reading = next(iter(outline.operations.values()))
    found = dict(_relatives(outline, document, schemas, reading))
    return replace(outline, life=found) if "create" in found else outline


def _relatives(
    outline: Outline, document: Document, schemas: Schemas, reading: Operation
) -> Iterator[tuple[str, tuple[Operation, str]]]:
    collection = reading.path.removesuffix(f"/{{{outline.key}}}")
    if collection == reading.path:
        return
    at = {(each.path, each.method): each for each in document.operations}
    if made := at.get((collection, "POST")):
        told = _member(schemas, made, (outline.key, "id", f"{outline.resource}Id", f"{outline.resource}_id"))
        if told:
            yield "create", (made, f"creates: body.{told}")
    if (listed := at.get((collection, "GET"))) and (place := _array(schemas, listed)):
        yield "list", (listed, f"lists: {place}, items: {next(iter(outline.operations))}")
    if ended := at.get((reading.path, "DELETE")):
        yield "delete", (ended, "deletes: true")


def _member(schemas: Schemas, operation: Operation, names: tuple[str, ...]) -> str | None:
    """The member of its answer that tells a fresh key."""
    members = {name.replace("_", "").lower(): name for name in answer_fields(schemas, operation)}
    wanted = (name.replace("_", "").replace("-", "").lower() for name in names)
    return next((members[each] for each in wanted if each in members), None)


def _array(schemas: Schemas, operation: Operation) -> str | None:
    """Where in its answer the list stands."""
    ref = answer_schema(operation)
    try:
        node = schemas.lookup(ref)[0] if ref else None
    except MockServerError:
        return None
    if isinstance(node, dict) and node.get("type") == "array":
        return "body"
    arrays = [name for name, each in answer_fields(schemas, operation).items() if each.get("type") == "array"]
    return f"body.{arrays[0]}" if len(arrays) == 1 else None
