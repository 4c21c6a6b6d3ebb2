"""Find creations on other paths than their items: ``POST /users/{userId}/orders`` for ``/orders/{id}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from mockserver.compile.scaffold import singular
from mockserver.compile.stateful.bodies import Bodies, last_word
from mockserver.compile.stateful.links import Link
from mockserver.compile.stateful.operations import (
    CREATES,
    PARAMETERS,
    OperationReader,
    PathOperations,
    path_parameters,
)
from mockserver.engine.paging import plain
from mockserver.plan import DataOperation, Document, SchemaRef

_PARAMETER = re.compile(r"([^/{}]+)/\{([^{}]+)\}")
"""A parameter in a path, and the word before it."""


class Creations:
    """Relates the creations of one document to the paths of items."""

    def __init__(
        self, document: Document, links: Sequence[Link], bodies: Bodies, reader: OperationReader
    ) -> None:
        self.links = links
        self._document = document
        self._bodies = bodies
        self._reader = reader

    def linked_key(
        self,
        paths: tuple[PathOperations | None, PathOperations],
        schema: SchemaRef | None,
        names: Sequence[str],
    ) -> str:
        """Return the field of an item that a link to the item's own path names, or an empty text.

        ``paths``: those of the collection and of the item.
        """
        own = {index: operation for path in paths if path for index, operation in path.operations.values()}
        targets = {index: path_parameters(own[index])[-1] for index, _ in paths[1].operations.values()}
        for link in self.links:
            source = self._document.operations[link.source]
            is_own = link.source in own
            if targets.get(link.target) != link.parameter or not (is_own or source.method == "POST"):
                continue
            answer = self._reader.answer(source, CREATES)
            body = self._bodies.item_of(answer, schema, names) if answer else None
            if body is None or link.field[:-1] != body.path:
                continue
            is_part = is_own or self._is_part(body.schema, schema)
            if is_part and self._reader.has(body.schema, link.field[-1]):
                return link.field[-1]
        return ""

    def elsewhere(
        self,
        paths: Iterable[PathOperations],
        item: PathOperations,
        schema: SchemaRef | None,
        names: Sequence[str],
        field_name: str,
    ) -> dict[int, DataOperation]:
        """Return the creations of ``item`` on other ``paths``, and the lists there.

        A link of the document says so, or the path has the same last word and its response is the item.
        """
        *parents, key = PARAMETERS.findall(item.template)
        reads = item.get("GET")
        found: dict[int, DataOperation] = {}
        if reads is None or schema is None:
            return found
        linked = {link.source for link in self.links if (link.target, link.parameter) == (reads[0], key)}
        word, wanted = last_word(item.template), self._bodies.canonical(schema)
        for path in paths:
            index, post = path.operations["POST"]
            answer = self._reader.answer(post, CREATES)
            if answer is None or not {*parents} <= {*path_parameters(post)}:
                continue
            body = self._bodies.item_of(answer, schema, names)
            is_linked = index in linked and self._is_part(body.schema, schema)
            is_item = last_word(path.template) == word and self._bodies.canonical(body.schema) == wanted
            if not is_item and not is_linked:
                continue
            why = "a link says so" if is_linked else f"its response is an item of {item.template}"
            fields = self._path_fields(path, parents, schema, field_name)
            made = self._reader.operation("creates", post, why, schema, names, on_item=False)
            found[index] = replace(made, parents=tuple(parents), fields=fields)
            get = path.get("GET")
            listed = self._reader.lists(get[1], schema, word, None) if get is not None else ""
            if get is None or isinstance(listed, str) or self._bodies.canonical(listed.schema) != wanted:
                continue
            found[get[0]] = replace(listed, parents=tuple(parents), fields=fields)
        return found

    def _is_part(self, ref: SchemaRef, schema: SchemaRef | None) -> bool:
        """Return whether an item has every field of another schema."""
        shapes = self._bodies.shapes
        own = shapes.properties(ref).keys()
        return schema is not None and bool(own) and own <= shapes.properties(schema).keys()

    def _path_fields(
        self, path: PathOperations, parents: Sequence[str], schema: SchemaRef, field_name: str
    ) -> dict[str, str]:
        """Return the fields of an item with the values of the path parameters that are not ``parents``."""
        own = {plain(name): name for name in self._bodies.shapes.properties(schema) if name != field_name}
        found = {}
        for above, parameter in _PARAMETER.findall(path.template):
            if parameter not in parents:
                long = f"{singular(above)}_{parameter}"
                known = [own[plain(name)] for name in (parameter, long) if plain(name) in own]
                found[parameter] = known[0] if known else long
        return found
