"""What schemas show of stored values: the fields that they mention and do not hide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from operator import is_
from typing import Any, NamedTuple

from mockserver.engine.data.bases import subschemas
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef

_MAX_DEPTH = 32
_CONTAINERS = frozenset((dict, list))
_Refs = tuple[SchemaRef, ...]
"""The schemas of one part: of several branches, or combined by ``allOf``."""


class _View(NamedTuple):
    """What the schemas of a part show of its value."""

    known: Mapping[str, _Refs]
    is_open: bool
    """Whether objects may have other properties."""
    hidden: frozenset[str]
    items: _Refs


class Views:
    """The views of the schemas of one document, cached."""

    def __init__(self, schemas: Schemas, shapes: Shapes) -> None:
        self._schemas = schemas
        self._shapes = shapes
        self._views: dict[_Refs, _View] = {}

    def visible(self, value: JSON, ref: SchemaRef) -> Any:
        """Return the part of a stored value that a schema mentions and does not hide.

        Lists and objects in it of which all is visible are those of the value itself.
        """
        found = self._visible(value, (ref,), 0)
        return found.copy() if found is value and isinstance(found, dict | list) else found

    def _visible(self, value: Any, refs: _Refs, depth: int) -> Any:
        if not refs or depth > _MAX_DEPTH or type(value) not in _CONTAINERS:
            return value
        view = self._views.get(refs)
        if view is None:
            view = self._views[refs] = self._view(refs)
        if type(value) is list:
            if not view.items or _CONTAINERS.isdisjoint(map(type, value)):
                return value
            items = [self._visible(member, view.items, depth + 1) for member in value]
            return value if all(map(is_, items, value)) else items
        known = view.known
        shown = value
        if view.hidden or not (view.is_open or value.keys() <= known.keys()):
            shown = {
                name: member
                for name, member in value.items()
                if (view.is_open or name in known) and name not in view.hidden
            }
        if _CONTAINERS.isdisjoint(map(type, shown.values())):
            return shown
        parts = {
            name: part
            for name, member in shown.items()
            if (part := self._visible(member, known.get(name, ()), depth + 1)) is not member
        }
        return {**shown, **parts} if parts else shown

    def _view(self, refs: _Refs) -> _View:
        known: dict[str, dict[SchemaRef, None]] = {}
        items: dict[SchemaRef, None] = {}
        for shape in (shape for ref in refs for shape in self._shapes.of(ref)):
            items.update(dict.fromkeys(shape.items))
            for name, own in shape.properties.items():
                known.setdefault(name, {}).update(dict.fromkeys(own))
        if known:  # else the schema says nothing of its fields
            for name in (name for ref in refs for name in self._required(ref, set())):
                known.setdefault(name, {})
        return _View(
            {name: tuple(own) for name, own in known.items()},
            not known or any(map(self._is_open, refs)),
            frozenset().union(*map(self._hidden, refs)),
            tuple(items),
        )

    def _required(self, ref: SchemaRef, seen: set[SchemaRef]) -> Iterator[str]:
        """Yield the fields that a schema or a branch of it requires, which it need not describe."""
        with suppress(SchemaError):
            node, at = self._schemas.lookup(ref)
            if not isinstance(node, dict) or at in seen:
                return
            seen.add(at)
            yield from self._shapes.required(at)
            for keyword in ("allOf", "oneOf", "anyOf"):
                for part in subschemas(node, at, keyword):
                    yield from self._required(part, seen)

    def _hidden(self, ref: SchemaRef) -> frozenset[str]:
        try:
            return self._schemas.hidden(ref, "response")
        except SchemaError:
            return frozenset()

    def _is_open(self, ref: SchemaRef) -> bool:
        """Return whether the schema says that objects may have other properties."""
        if any(shape.others for shape in self._shapes.of(ref)):
            return True
        try:
            node = self._schemas.lookup(ref)[0]
        except SchemaError:
            return False
        return isinstance(node, dict) and node.get("additionalProperties") is True
