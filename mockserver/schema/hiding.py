"""Properties that a direction does not see: ``readOnly`` in requests, ``writeOnly`` in responses."""

from __future__ import annotations

from mockserver.plan import JSON, SchemaRef
from mockserver.schema.pointers import escape
from mockserver.schema.references import References

Names = frozenset[str]
NONE: Names = frozenset()
_DEEPEST = 8


class Hiding:
    """What the schemas of one document hide by one keyword."""

    def __init__(self, references: References, flag: str, *, draft_4: bool) -> None:
        """``flag``: readOnly or writeOnly."""
        self._references = references
        self._flag = flag
        self._draft_4 = draft_4
        self._known: dict[SchemaRef, Names] = {}

    def of(self, ref: SchemaRef) -> Names:
        """The properties that the schema at ``ref`` hides."""
        place = self._references.follow(ref)
        return self.names(place.ref, place.node) if isinstance(place.node, dict) else NONE

    def names(self, at: SchemaRef, node: dict[str, JSON]) -> Names:
        """The properties that a schema, or a part of its ``allOf``, hides."""
        known = self._known.get(at)
        if known is not None:
            return known
        self._known[at] = NONE  # ends a ring of allOf
        names: set[str] = set()
        if isinstance(properties := node.get("properties"), dict):
            under = f"{at}/properties"
            names.update(
                name for name, each in properties.items() if self._is_flagged(f"{under}/{escape(name)}", each)
            )
        if isinstance(parts := node.get("allOf"), list):
            for i in range(len(parts)):
                names |= self.of(f"{at}/allOf/{i}")
        if not self._draft_4 and isinstance(node.get("$ref"), str):
            names |= self.of(self._references.resolve(at, node["$ref"]))
        found = self._known[at] = frozenset(names) if names else NONE
        return found

    def _is_flagged(self, at: SchemaRef, node: JSON, depth: int = 0) -> bool:
        if not isinstance(node, dict) or depth > _DEEPEST:
            return False
        if node.get(self._flag) is True:
            return True
        if isinstance(target := node.get("$ref"), str):
            place = self._references.follow(self._references.resolve(at, target))
            return self._is_flagged(place.ref, place.node, depth + 1)
        parts = node.get("allOf")
        return isinstance(parts, list) and any(
            self._is_flagged(f"{at}/allOf/{i}", part, depth + 1) for i, part in enumerate(parts)
        )
