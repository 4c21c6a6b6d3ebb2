"""Infer the resources of a document from its paths and schemas.

A collection is a path such as ``/pets`` whose items have the path ``/pets/{petId}``. A singleton is a path
such as ``/settings`` that is read and written. What is not clear stays stateless, with a reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from mockserver.compile.stateful.bodies import Bodies, key_names, last_word
from mockserver.compile.stateful.creations import Creations
from mockserver.compile.stateful.links import links
from mockserver.compile.stateful.operations import (
    CREATES,
    PARAMETERS,
    OperationReader,
    PathOperations,
    path_parameters,
)
from mockserver.compile.stateful.references import with_references
from mockserver.compile.stateful.stated import ITEM_VERBS, Statements
from mockserver.diagnostics import MockServerError
from mockserver.engine.paging import plain
from mockserver.engine.routing import has_mark
from mockserver.jsonschema import Schemas
from mockserver.plan import JSON, DataOperation, DataResource, DataVerb, Document, SchemaRef

_ITEM = re.compile(r"^(.*)/\{([^{}/]+)\}$")
_SUFFIX = r"(?:_?(?:at|on|date|time|timestamp))*$"
_CREATED = re.compile(r"(?:date_?)?(?:creat|insert|add)(?:ed|ion)?" + _SUFFIX, re.IGNORECASE)
_CHANGED = re.compile(r"(?:date_?|last_?)?(?:updat|modifi|chang|edit)(?:e?d)?" + _SUFFIX, re.IGNORECASE)


@dataclass(slots=True)
class Inference:
    """The resources of a document, and why its other operations are stateless, by their index."""

    resources: list[DataResource] = field(default_factory=list)
    stateless: dict[int, str] = field(default_factory=dict)
    unclear: dict[int, str] = field(default_factory=dict)
    """The part of ``stateless`` that writes, and may be expected to be stateful."""


def infer(document: Document, schemas: Schemas, claimed: Sequence[str] = ()) -> Inference:
    """Return the resources of a document, without the operations ``claimed`` by scenario files."""
    return _Reader(document, schemas, frozenset(claimed)).read()


def describe(
    document: Document,
    schemas: Schemas,
    name: str,
    schema: SchemaRef | None,
    key_field: str,
    operations: dict[int, DataOperation],
) -> DataResource:
    """Return a resource whose operations are already known, with what its schemas say of its fields."""
    return _Reader(document, schemas, frozenset()).described(name, schema, key_field, operations)


class _Reader:
    """Reads the resources of one document."""

    def __init__(self, document: Document, schemas: Schemas, claimed: frozenset[str]) -> None:
        self._document = document
        self._bodies = Bodies(schemas)
        self._reader = OperationReader(self._bodies)
        self._schemas = schemas
        self._stated = Statements(document, schemas)
        self._creations = Creations(document, links(document, schemas), self._bodies, self._reader)
        self._found = Inference()
        self._paths: dict[str, PathOperations] = {}
        self._taken: set[int] = set()
        for index, operation in enumerate(document.operations):
            if operation.id in claimed:
                self._found.stateless[index] = "a scenario file names it"
            elif has_mark(operation.path):
                self._found.stateless[index] = "its path has ? or #"
            elif self._stated.is_stateless(index):
                self._found.stateless[index] = self._stated.mistakes.get(index, "x-mock-resource says so")
            else:
                shape = _shape(operation.path)
                path = self._paths.setdefault(shape, PathOperations(operation.path.rstrip("/")))
                path.operations.setdefault(operation.method, (index, operation))
        self._below: dict[str, list[str]] = defaultdict(list)
        """The paths one segment below a path."""
        for shape in self._paths:
            self._below[shape.rpartition("/")[0]].append(shape)

    def read(self) -> Inference:
        shapes = sorted({*self._paths, *(s.rpartition("/")[0] for s in self._paths if s.endswith("/{}"))})
        for shape in shapes:
            if shape and not shape.endswith("/{}") and (item := f"{shape}/{{}}") in self._paths:
                self._collection(shape, item)
            elif shape.endswith("{}") and f"{shape}/{{}}" in self._paths:
                self._collection(shape, f"{shape}/{{}}")
        for shape in shapes:
            path = self._paths.get(shape)
            if path is not None and not any(index in self._taken for index, _ in path.operations.values()):
                self._collection_or_singleton(shape, path)
        self._stated.unused({*self._taken, *self._found.stateless, *self._found.unclear})
        self._found.unclear |= self._stated.mistakes
        for index in range(len(self._document.operations)):
            if index not in self._taken and index not in self._found.stateless:
                reason = self._found.unclear.get(index, "it belongs to no collection or singleton")
                self._found.stateless[index] = reason
        self._found.resources = with_references(self._found.resources, self._bodies, self._creations.links)
        return self._found

    def described(
        self, name: str, schema: SchemaRef | None, key_field: str, operations: dict[int, DataOperation]
    ) -> DataResource:
        """Return a resource with known operations."""
        self._add(name, schema, key_field, operations)
        return self._found.resources[-1]

    # A collection with items

    def _collection(self, shape: str, item_shape: str) -> None:
        collection, item = self._paths.get(shape), self._paths[item_shape]
        match = _ITEM.match(item.template)
        if match is None:
            return
        template, parameter = match[1], match[2]
        word = last_word(template)
        read = item.get("GET")
        answer = self._reader.answer(read[1]) if read else None
        if read and (answer is None or self._bodies.items(answer) is not None):
            why = "its response is a list" if answer else "its response has no schema of JSON"
            self._give_up(item, f"{why}, so {item.template} is not an item")
            return
        names = key_names(parameter, word)
        listed = self._listed(collection, answer, word)
        read_item = self._bodies.item_of(answer, listed, names) if answer else None
        schema = read_item.schema if read_item else self._written(collection, item, listed, names)
        field_name = self._bodies.key_field(schema or listed, parameter, word)
        created = collection.get("POST") if collection is not None and not field_name else None
        told = self._reader.answer(created[1], CREATES) if created is not None else None
        if told is not None and self._bodies.items(told) is None:  # only the response of POST has the key
            field_name = self._bodies.key_field(told, parameter, word)
        if not field_name or not plain(parameter).endswith(plain(field_name)):
            field_name = self._creations.linked_key((collection, item), schema or listed, names) or field_name
        field_name = self._stated_key((collection, item), schema or listed, told) or field_name
        operations: dict[int, DataOperation] = {}
        self._item_operations(item, schema, names, operations)
        if collection is not None:
            self._collection_operations(collection, item, schema, names, field_name, operations)
        if not any(operation.verb == "creates" for operation in operations.values()):
            free = [p for s, p in self._paths.items() if self._may_create_elsewhere(s, p)]
            operations |= self._creations.elsewhere(free, item, schema, names, field_name)
        if not self._has_writer(operations):
            self._give_up(item, f"no operation creates an item of {template}", is_unclear=False)
            if collection is not None:
                self._give_up(collection, f"no operation creates an item of {template}", is_unclear=False)
            return
        self._other_lists(shape, schema or listed, word, operations)
        self._actions(item_shape, schema, operations)
        self._add(template, schema or listed, field_name, operations)

    def _may_create_elsewhere(self, shape: str, path: PathOperations) -> bool:
        """Return whether POST to a path may create items that have another path."""
        post = path.get("POST")
        if post is None or shape.endswith("/{}") or f"{shape}/{{}}" in self._paths:
            return False
        return post[0] not in self._taken and self._stated[post[0]].does in ("", "creates")

    def _stated_key(self, paths: Sequence[PathOperations | None], *schemas: SchemaRef | None) -> str:
        """Return the field with the key that the document states, or an empty text."""
        indices = [index for path in paths if path for index, _ in path.operations.values()]
        known = [self._bodies.shapes.properties(schema) for schema in schemas if schema is not None]
        return self._stated.key(indices, dict.fromkeys(name for fields in known for name in fields))

    def _listed(
        self, collection: PathOperations | None, item: SchemaRef | None, word: str
    ) -> SchemaRef | None:
        """Return the schema of the items in the list of a collection, or None."""
        get = collection.get("GET") if collection else None
        body = self._bodies.list_of(self._reader.answer(get[1]), item, word) if get else ""
        return None if isinstance(body, str) else body.schema

    def _written(
        self,
        collection: PathOperations | None,
        item: PathOperations,
        listed: SchemaRef | None,
        names: Sequence[str],
    ) -> SchemaRef | None:
        """Return the schema of an item that no operation reads."""
        if listed is not None and self._bodies.is_object(listed):
            return listed
        writers = [entry for method in ("PUT", "PATCH", "POST") if (entry := item.get(method))]
        if collection is not None and (post := collection.get("POST")):
            writers.insert(0, post)
        for _, operation in writers:
            answer = self._reader.answer(operation)
            if answer is not None and self._bodies.is_object(answer):
                return self._bodies.item_of(answer, None, names).schema
        requests = (self._bodies.request(operation) for _, operation in writers)
        return next((ref for ref in requests if self._bodies.is_object(ref)), None)

    def _item_operations(
        self,
        item: PathOperations,
        schema: SchemaRef | None,
        names: Sequence[str],
        found: dict[int, DataOperation],
    ) -> None:
        verbs: dict[str, DataVerb] = {
            "GET": "reads", "PUT": "replaces", "PATCH": "merges", "DELETE": "deletes", "POST": "merges",
        }  # fmt: skip
        for method, (index, operation) in item.operations.items():
            stated = self._stated[index].does
            if stated in ITEM_VERBS:
                found[index] = self._reader.stated(stated, operation, schema, names)
                continue
            verb = verbs.get(method)
            if verb is None or stated:
                continue
            if method == "POST" and not self._reader.updates(operation, schema):
                self._found.unclear[index] = "POST to an item: its response is not the item"
                continue
            if method in ("PUT", "PATCH") and operation.body is None:
                self._found.unclear[index] = f"{method} without a request body"
                continue
            why = f"{method} on an item"
            if verb == "replaces" and self._bodies.items(self._bodies.request(operation)) is not None:
                verb, why = "merges", "PUT of a list of changes on an item"
            put = item.get("PUT")
            replaces = put is not None and self._bodies.items(self._bodies.request(put[1])) is None
            if method == "POST" and self._reader.creates_by_status(operation) and not replaces:
                verb, why = "replaces", "POST on an item, with the status 201"
            found[index] = self._reader.operation(verb, operation, why, schema, names, on_item=True)

    def _collection_operations(
        self,
        collection: PathOperations,
        item: PathOperations | None,
        schema: SchemaRef | None,
        names: Sequence[str],
        field_name: str,
        found: dict[int, DataOperation],
    ) -> None:
        word = last_word(collection.template)
        for method, (index, operation) in collection.operations.items():
            stated = self._stated[index]
            if stated.does == "creates":
                found[index] = self._reader.stated("creates", operation, schema, names, on_item=False)
            elif stated.does == "lists" or (method == "GET" and not stated.does):
                listed = self._reader.lists(operation, schema, word, stated.list)
                if isinstance(listed, str):
                    self._found.unclear[index] = listed
                else:
                    found[index] = listed
            elif stated.does:
                continue
            elif method == "POST":
                if (problem := self._reader.creation_problem(operation, schema, names)) is not None:
                    self._found.unclear[index] = problem
                else:
                    why = "POST on the collection"
                    found[index] = self._reader.operation(
                        "creates", operation, why, schema, names, on_item=False
                    )
            elif method in ("PUT", "PATCH"):
                request = self._bodies.request(operation)
                if (
                    field_name
                    and self._bodies.is_alike(request, schema)
                    and self._reader.has(request, field_name)
                ):
                    made = self._reader.operation(
                        "replaces" if method == "PUT" else "merges", operation,
                        f"{method} on the collection, with the key in the body", schema, names, on_item=False,
                    )  # fmt: skip
                    found[index] = replace(made, keyed_by_body=True)

    def _other_lists(
        self, shape: str, schema: SchemaRef | None, word: str, found: dict[int, DataOperation]
    ) -> None:
        """Add lists beside the items, such as ``/pets/findByStatus``, if their items have the same schema."""
        wanted = self._bodies.canonical(schema)
        for below in self._below.get(shape, ()):
            path = self._paths[below]
            get = path.get("GET")
            if below.endswith("/{}") or get is None or f"{below}/{{}}" in self._paths or wanted is None:
                continue
            body = self._bodies.list_of(self._reader.answer(get[1]), schema, word)
            if not isinstance(body, str) and self._bodies.canonical(body.schema) == wanted:
                found[get[0]] = DataOperation(
                    "lists", "GET of a list with items of the same schema", path_parameters(get[1]),
                    status=self._bodies.response(get[1])[1], path=body.path, schema=body.schema,
                )  # fmt: skip

    def _actions(self, item: str, schema: SchemaRef | None, found: dict[int, DataOperation]) -> None:
        """Add operations below an item that answer with the item."""
        wanted = self._bodies.canonical(schema)
        for below in self._below.get(item, ()):
            path = self._paths[below]
            if below.endswith("/{}") or f"{below}/{{}}" in self._paths:
                continue
            for index, operation in path.operations.values():
                if (stated := self._stated[index].does) in ITEM_VERBS:
                    found[index] = self._reader.stated(stated, operation, schema, ())
            for method in ("POST", "PUT", "PATCH"):
                entry = path.get(method)
                if entry is not None and (entry[0] in found or self._stated[entry[0]].does):
                    continue
                if entry is None or path.get("GET") is not None:
                    continue
                answer = self._reader.answer(entry[1])
                body = self._bodies.item_of(answer, schema, ()) if answer else None
                if wanted is not None and body is not None and self._bodies.canonical(body.schema) == wanted:
                    *parents, key = PARAMETERS.findall(entry[1].path)
                    found[entry[0]] = DataOperation(
                        "acts", "an action that answers with the item", tuple(parents), key,
                        status=self._bodies.response(entry[1])[1], path=body.path, schema=body.schema,
                    )  # fmt: skip
                elif answer is None or body is None:
                    self._found.stateless[entry[0]] = "an action whose response is not the item"

    # A collection without items, and a singleton

    def _collection_or_singleton(self, shape: str, path: PathOperations) -> None:
        get, post = path.get("GET"), path.get("POST")
        if get is None or shape.endswith("/{}"):
            return
        answer = self._reader.answer(get[1])
        word = last_word(path.template)
        body = self._bodies.list_of(answer, None, word) if answer is not None else ""
        writes = path.get("PUT") or path.get("PATCH")
        is_list = not isinstance(body, str) and (not writes or post or not body.path)
        if is_list and post is not None and not isinstance(body, str):
            schema = body.schema if self._bodies.is_object(body.schema) else None
            names = key_names("", word)
            operations: dict[int, DataOperation] = {}
            field_name = self._bodies.key_field(schema, "", word)
            if schema is None:
                return
            self._collection_operations(path, None, schema, names, field_name, operations)
            if self._has_writer(operations):
                self._add(path.template, schema, field_name, operations)
            return
        if writes is None or answer is None or not self._bodies.is_object(answer):
            return
        if self._bodies.items(answer) is not None:
            return
        operations = {}
        verbs: dict[str, DataVerb] = {
            "GET": "reads", "PUT": "replaces", "PATCH": "merges", "DELETE": "deletes",
        }  # fmt: skip
        for method, (index, operation) in path.operations.items():
            if (verb := verbs.get(method)) and (method not in ("PUT", "PATCH") or operation.body):
                why = f"{method} on a singleton"
                operations[index] = self._reader.operation(verb, operation, why, answer, (), on_item=False)
        self._add(path.template, answer, "", operations, is_singleton=True)

    # Common parts

    @staticmethod
    def _has_writer(operations: dict[int, DataOperation]) -> bool:
        return any(found.verb in ("creates", "replaces") for found in operations.values())

    def _give_up(self, path: PathOperations, reason: str, *, is_unclear: bool = True) -> None:
        for index, operation in path.operations.values():
            writes = is_unclear and operation.method != "GET"
            (self._found.unclear if writes else self._found.stateless).setdefault(index, reason)

    def _add(
        self,
        name: str,
        schema: SchemaRef | None,
        field_name: str,
        operations: dict[int, DataOperation],
        *,
        is_singleton: bool = False,
    ) -> None:
        properties = self._bodies.shapes.properties(schema) if schema else {}
        keyed = [properties, *(self._bodies.shapes.properties(o.schema) for o in operations.values())]
        key_schema = next((found[field_name] for found in keyed if field_name in found), None)
        key_schemas: dict[SchemaRef, None] = {}
        for index, found in operations.items():
            for parameter in self._document.operations[index].parameters:
                if (parameter.location, parameter.name) == ("path", found.key) and parameter.schema:
                    key_schemas[parameter.schema] = None
        formats = {self._format(ref) for ref in key_schemas}
        self._taken |= operations.keys()
        for index in operations:
            self._found.unclear.pop(index, None)
            self._found.stateless.pop(index, None)
        self._found.resources.append(
            DataResource(
                name,
                name,
                self._document.name,
                operations,
                schema,
                field_name,
                key_schema,
                {
                    name: ref
                    for known in keyed
                    for name, ref in known.items()
                    if field_name and name != field_name and plain(name) == plain(field_name)
                },
                tuple(key_schemas),
                is_singleton,
                formats == {"uuid"},
                self._times(properties),
                next(iter(operations.values())).parents,
                listed=self._listed_values(operations, properties),
            )
        )

    def _listed_values(
        self, operations: dict[int, DataOperation], properties: Mapping[str, SchemaRef]
    ) -> dict[str, JSON]:
        """Return the fields for which lists require a filter that can have one value only."""
        parameters = [
            parameter
            for index, operation in operations.items()
            for parameter in self._document.operations[index].parameters
            if operation.verb == "lists" and parameter.location == "query" and parameter.required
        ]
        found = {}
        for parameter in parameters:
            values = self._node(parameter.schema).get("enum")
            if parameter.name in properties and isinstance(values, list) and len(values) == 1:
                found[parameter.name] = values[0]
        return found

    def _times(self, properties: Mapping[str, SchemaRef]) -> dict[str, Literal["created", "changed"]]:
        found: dict[str, Literal["created", "changed"]] = {}
        for name, ref in properties.items():
            if self._format(ref) == "date-time":
                if _CREATED.match(name):
                    found[name] = "created"
                elif _CHANGED.match(name):
                    found[name] = "changed"
        return found

    def _format(self, ref: SchemaRef) -> str:
        return str(self._node(ref).get("format", ""))

    def _node(self, ref: SchemaRef | None) -> dict[str, JSON]:
        try:
            node = self._schemas.lookup(ref)[0] if ref else None
        except MockServerError:
            return {}
        return node if isinstance(node, dict) else {}


def _shape(path: str) -> str:
    return PARAMETERS.sub("{}", path).rstrip("/")
