"""The fields of an item that requests may set, and their names in requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from functools import cached_property

from mockserver.engine.paging import plain
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, DataResource, SchemaRef


class RequestFields:
    """Tells what of request bodies is stored in the items of one resource."""

    def __init__(self, resource: DataResource, schemas: Schemas, shapes: Shapes) -> None:
        self._resource = resource
        self._schemas = schemas
        self._shapes = shapes
        self._requests: dict[SchemaRef | None, tuple[frozenset[str], ...]] = {}

    def writable(self, body: JSON, ref: SchemaRef | None) -> dict[str, JSON]:
        """Return the fields of a request body that a client may set: none that is read-only.

        They have the names of the item's fields: ``FriendlyName`` in a request is ``friendly_name``.
        """
        if not isinstance(body, dict):
            return {}
        hidden, read_only, _ = self._request(ref)
        named = {self._own_name(name): member for name, member in body.items() if name not in hidden}
        return {name: member for name, member in named.items() if name not in read_only}

    def server_set(self, known: Mapping[str, JSON], ref: SchemaRef | None) -> dict[str, JSON]:
        """Return the fields of an item that a replacement keeps: those that its request cannot have."""
        writable, documented = self.writable(dict(known), ref), self.documented(ref)
        return {
            name: member
            for name, member in known.items()
            if name not in writable or (documented and name not in documented) or name in self._resource.times
        }

    def documented(self, ref: SchemaRef | None) -> frozenset[str]:
        """Return the item's fields that a request of a schema may have."""
        return self._request(ref)[2]

    def patch_operations(self, ref: SchemaRef | None) -> frozenset[str]:
        """Return the operations that the schema of a JSON Patch names."""
        items = (item for shape in self._shapes.of(ref) for item in shape.items)
        shapes = (shape for item in items for shape in self._shapes.of(item))
        found: set[str] = set()
        for op in (op for shape in shapes for op in shape.properties.get("op", ())):
            try:
                node = self._schemas.lookup(op)[0]
            except SchemaError:
                continue
            stated = node.get("enum", [node.get("const")]) if isinstance(node, dict) else ()
            found.update(name for name in stated if isinstance(name, str))
        return frozenset(found)

    def _request(self, ref: SchemaRef | None) -> tuple[frozenset[str], ...]:
        """Return what a request schema hides, what the item's hides of the rest, and all fields it has."""
        found = self._requests.get(ref)
        if found is None:
            names = self._shapes.properties(ref) if ref is not None else ()
            documented = frozenset(map(self._own_name, names))
            read_only = self._read_only(self._resource.schema) - documented
            found = self._requests[ref] = self._read_only(ref), read_only, documented
        return found

    def _own_name(self, name: str) -> str:
        """Return the item's field for a name in a request, which may have other case and separators."""
        return name if name in self._names else self._alike.get(plain(name), name)

    @cached_property
    def _names(self) -> Container[str]:
        """The names of the item's fields."""
        return self._shapes.properties(self._resource.schema) if self._resource.schema is not None else ()

    @cached_property
    def _alike(self) -> dict[str, str]:
        """The item's fields by their plain names, where these differ."""
        names = [*self._shapes.properties(self._resource.schema)] if self._resource.schema is not None else []
        count = Counter(map(plain, names))
        return {plain(name): name for name in names if count[plain(name)] == 1}

    def _read_only(self, ref: SchemaRef | None) -> frozenset[str]:
        """Return the properties of a schema that a request cannot set."""
        try:
            return self._schemas.hidden(ref, "request") if ref is not None else frozenset()
        except SchemaError:
            return frozenset()
