"""Paths of openapi-spec-validator through a document's own trees.

jsonschema-path finds each node anew through ``referencing``, with a check by
protocol at every step: half of all that a judgement takes on documents of
thousands of operations. Here a path is its parent's node and one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from jsonschema_path.accessors import SchemaAccessor
from jsonschema_path.paths import SchemaPath

from mockserver.compile.references import Trees, absolute
from mockserver.plan import JSON

_Place = tuple[Any, str]
"""A node, references followed, and the URI of its tree."""


class _Accessor(SchemaAccessor):
    trees: Trees
    places: dict[tuple[Any, ...], _Place]

    def __getitem__(self, parts: Sequence[Any]) -> Any:
        """What stands at a path. Raises KeyError, as the accessor does that this one stands in for."""
        try:
            return self._place(tuple(parts))[0]
        except _Unfollowed:
            return super().__getitem__(parts)

    @classmethod
    def _get_subnode(cls, node: Any, part: Any) -> Any:
        return _member(node, part)

    def _place(self, parts: tuple[Any, ...]) -> _Place:
        found = self.places.get(parts)
        if found is None:
            if parts:
                node, uri = self._place(parts[:-1])
                found = self._followed(_member(node, parts[-1]), uri)
            else:
                found = self._followed(self.node, self.trees.root_uri)
            self.places[parts] = found
        return found

    def _followed(self, node: Any, uri: str) -> _Place:
        seen = set()
        while isinstance(node, dict) and isinstance(target := node.get("$ref"), str):
            ref = absolute(target, uri)
            if ref in seen:
                raise _Unfollowed
            seen.add(ref)
            try:
                node = self.trees.node(ref)
            except KeyError:
                raise _Unfollowed from None  # by $id or anchor, say
            uri = ref.partition("#")[0]
        return node, uri


class _Unfollowed(Exception):  # noqa: N818 - a turn of the way, not a fault
    """A reference that only ``referencing`` can follow."""


def pathway(trees: Trees, handlers: dict[str, Any]) -> SchemaPath:
    """The path at the root of a document; ``handlers`` fetch other trees by scheme."""
    root = cast("dict[str, JSON]", trees.sources[trees.root_uri].value)
    accessor = _Accessor.from_schema(cast("Any", root), base_uri=trees.root_uri, handlers=handlers)
    made = cast("_Accessor", accessor)
    made.trees, made.places = trees, {}
    return SchemaPath(made)


def _member(node: Any, part: Any) -> Any:
    if isinstance(node, (dict, list)):
        try:
            return node[part]
        except (KeyError, IndexError, TypeError):
            pass
    raise KeyError(part)
