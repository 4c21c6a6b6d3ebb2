"""Find the item, the list of items and the key's field in the bodies of one document's operations."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mockserver.compile.scaffold import singular
from mockserver.diagnostics import MockServerError
from mockserver.engine.paging import plain
from mockserver.engine.response.negotiation import default_response, is_json
from mockserver.jsonschema import Schemas
from mockserver.media.shapes import Shapes
from mockserver.plan import DocumentedResponse, MediaType, Operation, SchemaRef

_LIST_NAMES = ("data", "items", "results", "values", "value", "content", "records", "entries", "list")
_WRAPPERS = ("data", "result", "item", "response", "payload", "attributes", "object", "value")
_MAX_WRAPPERS = 2
"""The objects around an item that are looked into."""
_SCALARS = frozenset(("string", "integer", "number"))
_KEY_WORDS = (
    "id", "uuid", "guid", "sid", "key", "name", "slug", "code", "number", "username", "login", "email",
    "token", "handle", "identifier", "reference", "uid", "gid",
)  # fmt: skip
"""Names of fields that identify an object, as the last word of a path parameter's name."""


class Body(NamedTuple):
    """A part of a body: where it is, and its schema."""

    path: tuple[str, ...]
    schema: SchemaRef


class Bodies:
    """The bodies of one document's operations."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.shapes = Shapes(schemas)

    def response(self, operation: Operation, statuses: Sequence[int] = ()) -> tuple[DocumentedResponse, int]:
        """Return the response with the first of ``statuses`` that is documented, else the default one."""
        exact = {response.status: response for response in operation.responses}
        for status in statuses:
            if str(status) in exact:
                return exact[str(status)], status
        return default_response(operation)

    @staticmethod
    def json_schema(content: Sequence[MediaType]) -> SchemaRef | None:
        """Return the schema of the first JSON body, else of the first body with a schema."""
        found = [media for media in content if media.schema]
        return next((m.schema for m in found if is_json(m.name)), found[0].schema if found else None)

    def request(self, operation: Operation) -> SchemaRef | None:
        """Return the schema of the request body, or None."""
        return self.json_schema(operation.body.content) if operation.body else None

    def canonical(self, ref: SchemaRef | None) -> SchemaRef | None:
        """Return the canonical reference to a schema, through ``$ref`` and ``allOf`` with one part."""
        for _ in range(8):
            if ref is None:
                return None
            try:
                node, ref = self.schemas.lookup(ref)
            except MockServerError:
                return None
            parts = node.get("allOf") if isinstance(node, dict) else None
            if not isinstance(parts, list) or len(parts) != 1 or "properties" in node:
                break
            ref = f"{ref}/allOf/0"
        return ref

    def is_object(self, ref: SchemaRef | None) -> bool:
        """Return whether the values of a schema are objects with named properties."""
        return ref is not None and bool(self.shapes.properties(ref))

    def is_scalar(self, ref: SchemaRef) -> bool:
        """Return whether the values of a schema are texts or numbers."""
        types = self.shapes.types(ref) - {"null"}
        return bool(types) and types <= _SCALARS

    def items(self, ref: SchemaRef | None) -> SchemaRef | None:
        """Return the schema of the items, if every value of a schema is an array; else None."""
        if ref is None or self.shapes.types(ref) - {"null"} != {"array"}:
            return None
        return next((shape.items[0] for shape in self.shapes.of(ref) if shape.items), None)

    def lists(self, ref: SchemaRef | None, depth: int = 0) -> Iterator[Body]:
        """Yield the arrays of objects in a body: the body itself, or a property of it."""
        item = self.items(ref)
        if item is not None:
            yield Body((), item)
        elif ref is not None:
            for name, part in self.shapes.properties(ref).items():
                if (found := self.items(part)) is not None:
                    yield Body((name,), found)
                elif depth < 1 and (name in _WRAPPERS or name.startswith("_embedded")):
                    yield from (Body((name, *body.path), body.schema) for body in self.lists(part, depth + 1))

    def list_of(self, ref: SchemaRef | None, item: SchemaRef | None, word: str) -> Body | str:
        """Return the list of ``item`` in a body; ``word``: the last word of its path. Else why not."""
        found = [*self.lists(ref)]
        wanted = self.canonical(item)
        if same := [body for body in found if wanted and self.canonical(body.schema) == wanted]:
            return same[0]
        objects = [body for body in found if self.is_object(body.schema)]
        if len(objects) == 1:
            return objects[0]
        for name in (word, *_LIST_NAMES):
            named = [body for body in found if not body.path or body.path[-1].lower() == name.lower()]
            if named:
                return named[0]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join("/".join(body.path) for body in found)
            return f"its response has several lists: {names}"
        return "its response has no list"

    def list_at(self, ref: SchemaRef | None, path: tuple[str, ...]) -> Body | str:
        """Return the list at ``path`` in a body, or why there is none."""
        for name in path:
            ref = self.shapes.properties(ref).get(name) if ref is not None else None
        item = self.items(ref)
        if item is None:
            return f"x-mock-resource says that the list is {'.'.join(('body', *path))}, which is no list"
        return Body(path, item)

    def item_of(self, ref: SchemaRef, item: SchemaRef | None, names: Collection[str]) -> Body:
        """Return where the item is in a body. ``names``: the fields that may hold its key."""
        return self._item_in(ref, item, names, _MAX_WRAPPERS) or Body((), ref)

    def _item_in(
        self, ref: SchemaRef, item: SchemaRef | None, names: Collection[str], depth: int
    ) -> Body | None:
        wanted = self.canonical(item)
        if wanted is not None and self.canonical(ref) == wanted:
            return Body((), ref)
        known = self.shapes.properties(ref)
        parts = {name: part for name, part in known.items() if self.is_object(part)}
        if wanted is not None:
            for name, part in parts.items():
                if self.canonical(part) == wanted:
                    return Body((name,), part)
        if self.has_key(known, names):
            return None
        if names:
            keyed = [
                name for name, part in parts.items() if self.has_key(self.shapes.properties(part), names)
            ]
            named = [name for name in keyed if name in _WRAPPERS] or keyed
            if len(named) == 1:
                return Body((named[0],), parts[named[0]])
        for name in (name for name in parts if depth > 1 and name in _WRAPPERS):
            if (inner := self._item_in(parts[name], item, names, depth - 1)) is not None:
                return Body((name, *inner.path), inner.schema)
        return None

    def item_in_request(
        self, ref: SchemaRef, item: SchemaRef | None, names: Collection[str], word: str
    ) -> Body:
        """Return where the item is in a request; ``word``: the last word of the path."""
        if self.is_alike(ref, item):
            return Body((), ref)
        inner = self.item_of(ref, item, names)
        parts = [inner] if inner.path else []
        parts += [Body((name,), part) for name, part in self.shapes.properties(ref).items()]
        return next((body for body in parts if self.is_wrapped(body, item, word)), Body((), ref))

    def is_wrapped(self, body: Body, item: SchemaRef | None, word: str) -> bool:
        """Return whether a part of a request is the item; ``word``: the last word of the path."""
        if self.canonical(body.schema) == self.canonical(item):
            return True
        names = (*_WRAPPERS, plain(singular(word)))
        return plain(body.path[-1]) in names and self.is_alike(body.schema, item)

    @staticmethod
    def has_key(properties: Collection[str], names: Collection[str]) -> bool:
        """Return whether one of the plain ``names`` of a key is among the names of properties."""
        return any(plain(name) in names for name in properties)

    def is_alike(self, ref: SchemaRef | None, item: SchemaRef | None) -> bool:
        """Return whether two schemas describe the same thing: the same schema, or most names of one."""
        if ref is None or item is None:
            return False
        if self.canonical(ref) == self.canonical(item):
            return True
        one, other = self.shapes.properties(ref).keys(), self.shapes.properties(item).keys()
        shared = len(one & other)
        return shared > 0 and 2 * shared >= min(len(one), len(other))

    def key_field(self, schema: SchemaRef | None, parameter: str, collection: str) -> str:
        """Return the field of an item with its key; empty if there is none."""
        if schema is None:
            return ""
        properties = self.shapes.properties(schema)
        scalar = {
            plain(name): name for name, part in properties.items() if self.shapes.types(part) & _SCALARS
        }
        return next((scalar[name] for name in key_names(parameter, collection) if name in scalar), "")


def key_names(parameter: str, collection: str) -> list[str]:
    """Return the plain names of a field that may hold the key of a path parameter, the best one first."""
    word = plain(singular(collection))
    whole = plain(parameter)
    found = [whole] if whole else []
    found += [whole[start:] for start in range(1, len(whole)) if whole[start:].endswith(_KEY_WORDS)]
    if whole == word or not whole:
        found += ["id", "name", "slug", "key", "code"] if whole else ["id"]
    found += [f"{word}{name}" for name in ("id", "uuid", "key", "name") if not whole or whole.endswith(name)]
    return [*dict.fromkeys([*found, "id", "uuid"])]


def last_word(template: str) -> str:
    """Return the last word of a path that is no parameter."""
    words = [word for word in template.split("/") if word and "{" not in word]
    return words[-1] if words else ""
