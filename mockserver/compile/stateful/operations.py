"""Read one operation of a document: whether it creates or changes an item, and where the item is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from mockserver.compile.stateful.bodies import Bodies, Body, last_word
from mockserver.plan import DataOperation, DataVerb, Operation, SchemaRef

PARAMETERS = re.compile(r"\{([^{}]+)\}")
"""The parameters in the template of a path."""
CREATES, _REPLACES = (201, 200, 202), (200, 201, 204)
"""The preferred statuses of a creation and of a replacement."""


@dataclass(slots=True)
class PathOperations:
    """The operations of one path, by method."""

    template: str
    operations: dict[str, tuple[int, Operation]] = field(default_factory=dict)

    def get(self, method: str) -> tuple[int, Operation] | None:
        return self.operations.get(method)


class OperationReader:
    """Reads the operations of one document."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies

    def operation(
        self,
        verb: DataVerb,
        operation: Operation,
        why: str,
        schema: SchemaRef | None,
        names: Sequence[str],
        *,
        on_item: bool,
    ) -> DataOperation:
        """Return what an operation does to an item. ``names``: the fields that may hold its key."""
        preferred = {"creates": CREATES, "replaces": _REPLACES}.get(verb, ())
        response, status = self._bodies.response(operation, preferred)
        answer = self._bodies.json_schema(response.content)
        body = None
        if answer is not None and self._bodies.items(answer) is None:
            body = self._bodies.item_of(answer, schema, names)
            if not self._bodies.is_object(body.schema) or (
                verb != "reads" and schema is not None and not self._shows(body.schema, schema, names, verb)
            ):
                body = None
        request = self._bodies.request(operation)
        sent = None
        if request is not None:
            sent = self._bodies.item_in_request(request, schema, names, last_word(operation.path))
        parents, key = path_parameters(operation), ""
        if on_item:
            *rest, key = parents
            parents = tuple(rest)
        return DataOperation(
            verb, why, parents, key, False, status,
            body.path if body else (), body.schema if body else None,
            sent.path if sent else (), sent.schema if sent else None,
        )  # fmt: skip

    def stated(
        self,
        does: str,
        operation: Operation,
        schema: SchemaRef | None,
        names: Sequence[str],
        *,
        on_item: bool = True,
    ) -> DataOperation:
        """Return what the document states that an operation does to the item in its path, or to a new one."""
        verb = cast("DataVerb", does)
        return self.operation(verb, operation, "x-mock-resource says so", schema, names, on_item=on_item)

    def lists(
        self, operation: Operation, item: SchemaRef | None, word: str, at: tuple[str, ...] | None
    ) -> DataOperation | str:
        """Return where an operation lists items, at the stated place or where it is found; else why not."""
        body: Body | str
        if at is None:
            body, why = self._bodies.list_of(self.answer(operation), item, word), "GET on the collection"
        else:
            body, why = self._bodies.list_at(self.answer(operation), at), "x-mock-resource says so"
        if isinstance(body, str):
            return body
        where = f"body.{'.'.join(body.path)}" if body.path else "body"
        return DataOperation(
            "lists", f"{why}; the list is {where}", path_parameters(operation),
            status=self._bodies.response(operation)[1], path=body.path, schema=body.schema,
        )  # fmt: skip

    def _shows(self, ref: SchemaRef, schema: SchemaRef, names: Sequence[str], verb: str) -> bool:
        """Return whether the response of a writing operation shows the item, or the key of a new one."""
        own = self._bodies.shapes.properties(ref)
        if self._bodies.is_alike(ref, schema) or (verb == "creates" and self._bodies.has_key(own, names)):
            return True
        return self._bodies.has_key(own.keys() & self._bodies.shapes.properties(schema).keys(), names)

    def answer(self, operation: Operation, statuses: Sequence[int] = ()) -> SchemaRef | None:
        """Return the schema of the JSON body of the response of success, or None."""
        response, status = self._bodies.response(operation, statuses)
        return self._bodies.json_schema(response.content) if 200 <= status < 300 else None

    def updates(self, operation: Operation, schema: SchemaRef | None) -> bool:
        """Return whether POST to an item changes it: it has a body, and answers with the item or nothing."""
        answer = self.answer(operation)
        if operation.body is None:
            return False
        return answer is None or self._bodies.is_alike(answer, schema)

    def creation_problem(
        self, operation: Operation, schema: SchemaRef | None, names: Sequence[str]
    ) -> str | None:
        """Return why POST to a collection does not create an item, or None if it does."""
        answer = self.answer(operation, CREATES)
        request = self._bodies.request(operation)
        if answer is None:
            if self._bodies.is_alike(request, schema) or self.creates_by_status(operation):
                return None
            return "neither its request nor its response is like an item"
        if self._bodies.items(answer) is not None:
            return "its response is a list"
        if self._bodies.items(request) is not None:
            return "its request is a list"
        if schema is None:
            return None if self._bodies.is_object(answer) else "its response is no object"
        inner = self._bodies.item_of(answer, schema, names)
        if self._bodies.is_alike(inner.schema, schema):
            return None
        if request is not None:
            sent = self._bodies.item_in_request(request, schema, names, last_word(operation.path))
            if self._bodies.is_alike(sent.schema, schema):
                return None
        if self._bodies.key_field(inner.schema, names[0], "") or self.creates_by_status(operation):
            return None
        return "neither its request nor its response is like an item"

    def has(self, ref: SchemaRef | None, name: str) -> bool:
        """Return whether a schema has a property."""
        return ref is not None and name in self._bodies.shapes.properties(ref)

    @staticmethod
    def creates_by_status(operation: Operation) -> bool:
        """Return whether an operation documents 201."""
        return any(response.status == "201" for response in operation.responses)


def path_parameters(operation: Operation) -> tuple[str, ...]:
    """Return the parameters in the path of an operation."""
    return tuple(PARAMETERS.findall(operation.path))
