"""Telling a cause in a documented error body.

Each field whose name gives it a role is offered what the cause says in that
role, and keeps the first with which the whole body is still valid. Where none
fits there is no change: the body was valid before, and stays so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, SchemaRef
from mockserver.serve.cause import Cause, role

_MAX_DEPTH = 4
_ABSENT = object()


class Telling:
    """One body being told one cause. ``fake(ref)`` makes the value of an optional field."""

    def __init__(
        self, shapes: Shapes, is_valid: Callable[[JSON], bool], fake: Callable[[SchemaRef], JSON]
    ) -> None:
        self._shapes = shapes
        self._is_valid = is_valid
        self._fake = fake
        self._whole: dict[str, JSON] = {}

    def tell(self, body: JSON, ref: SchemaRef, cause: Cause) -> JSON:
        """``body``, valid by the schema at ``ref``, with the cause in it; still valid."""
        self._whole = {"": copy.deepcopy(body)}
        is_open = isinstance(body, dict) and not self._shapes.properties(ref)
        if is_open and self._offer(self._whole, "", [cause.as_problem()]):
            return self._whole[""]
        self._field(self._whole, "", ref, cause, ("list", True), 0)
        return self._whole[""]

    def _object(self, node: dict[str, JSON], ref: SchemaRef | None, cause: Cause, depth: int) -> None:
        known = self._shapes.properties(ref) if ref else {}
        names = [*known, *(name for name in node if name not in known)]
        roles = {name: role(name) for name in names}
        in_prose = not {"list", "prose"}.isdisjoint(roles.values())
        for name in names:
            self._field(node, name, known.get(name), cause, (roles[name], in_prose), depth)
        ordered = {name: node[name] for name in names if name in node}
        node.clear()
        node.update(ordered)

    def _field(
        self,
        node: dict[str, JSON],
        name: str,
        ref: SchemaRef | None,
        cause: Cause,
        meaning: tuple[str, bool],
        depth: int,
    ) -> None:
        purpose, in_prose = meaning
        candidates = list(cause.says(purpose, in_prose=in_prose))
        item = self._item(ref)
        if item and self._shapes.properties(item):
            candidates = []  # a list of documented objects is filled field by field
        if self._offer(node, name, candidates) or depth > _MAX_DEPTH:
            return
        if name not in node and not (
            purpose == "list" and ref and self._offer(node, name, [self._fake(ref)])
        ):
            return
        if isinstance(node[name], dict):
            self._object(node[name], ref, cause, depth + 1)
        elif isinstance(node[name], list) and not cause.is_item:
            self._list(node, name, item, cause, depth + 1)

    def _list(
        self, node: dict[str, JSON], name: str, item: SchemaRef | None, cause: Cause, depth: int
    ) -> None:
        """Fill a list with one item for each violation, made after its first item."""
        fake = node[name]
        example = fake[0] if fake else item and self._fake(item)
        if not isinstance(example, dict):
            return
        told = []
        for each in cause.items():
            node[name] = [copy.deepcopy(example)]
            if not self._holds():
                break  # the list must be longer than one, or something else than objects
            self._object(node[name][0], item, each, depth)
            told.append(node[name][0])
        node[name] = fake
        self._offer(node, name, [told, told[:1]] if told else [])

    def _item(self, ref: SchemaRef | None) -> SchemaRef | None:
        """The schema of an array's items, where there is one for all."""
        return next((shape.items[0] for shape in self._shapes.of(ref) if shape.items), None)

    def _offer(self, node: dict[str, JSON], name: str, candidates: Sequence[JSON]) -> bool:
        """Put the first candidate in place that leaves the body valid; tell whether there was one."""
        before = node.get(name, _ABSENT)
        for candidate in candidates:
            node[name] = candidate
            if self._holds():
                return True
        if before is _ABSENT:
            node.pop(name, None)
        else:
            node[name] = before
        return False

    def _holds(self) -> bool:
        return self._is_valid(self._whole[""])
