"""Values that are nearly valid, for schemas without a valid value.

Parts with a valid value get it. Other parts satisfy as much as possible: the
structure, required names, constants and types. Endless recursion is cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mockserver.generate.attempt import Unsatisfiable
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.references import escape
from mockserver.plan import JSON, SchemaRef

MAX_DEPTH = 8
"""The depth after which objects and arrays are empty."""
MAX_PARTS = 2000
"""The number of parts after which objects and arrays are empty."""
_MAX_ITEMS = 3
_MAX_TEXT = 1000
_SIMPLEST: Mapping[str, JSON] = {
    "object": {}, "array": [], "string": "string", "integer": 0, "number": 0, "boolean": False, "null": None,
}  # fmt: skip


class Relaxed:
    """Generates one value. ``valid`` returns a valid value, or raises Unsatisfiable or SchemaError."""

    def __init__(self, schemas: Schemas, valid: Callable[[SchemaRef], JSON]) -> None:
        self._schemas = schemas
        self._valid = valid
        self._failed: set[SchemaRef] = set()
        """Schemas without a valid value, which are not tried again."""
        self._parts = 0

    def value(self, ref: SchemaRef, depth: int = 0) -> JSON:
        """Return a value as close as possible to the schema at ``ref``."""
        self._parts += 1
        try:
            node, at = self._schemas.lookup(ref)
        except SchemaError:
            return {}
        if at not in self._failed and self._parts < MAX_PARTS:
            try:
                return self._valid(at)
            except (Unsatisfiable, SchemaError):
                self._failed.add(at)
        return self._nearest(node, at, depth) if isinstance(node, dict) else {}

    def _nearest(self, node: dict[str, Any], at: SchemaRef, depth: int) -> JSON:
        if "const" in node:
            return node["const"]
        if isinstance(options := node.get("enum"), list) and options:
            return options[0]
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            return _SIMPLEST.get(_type(node), {})
        parts = [self.value(f"{at}/allOf/{i}", depth + 1) for i in range(_length(node.get("allOf")))]
        parts += [
            self.value(f"{at}/{name}/0", depth + 1) for name in ("oneOf", "anyOf") if _length(node.get(name))
        ]
        others = [part for part in parts if not isinstance(part, dict)]
        if others and "properties" not in node:
            return others[0]
        kind = "object" if parts else _type(node)
        if kind == "object":
            merged = self._object(node, at, depth)
            for part in parts:
                merged = {**part, **merged} if isinstance(part, dict) else merged
            return merged
        if kind == "array":
            return self._array(node, at, depth)
        return _scalar(kind, node)

    def _object(self, node: dict[str, Any], at: SchemaRef, depth: int) -> dict[str, JSON]:
        properties = node["properties"] if isinstance(node.get("properties"), dict) else {}
        listed = node.get("required")
        required = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        made: dict[str, JSON] = {}
        for name, member in properties.items():
            is_hidden = isinstance(member, dict) and member.get("writeOnly") is True
            if not is_hidden and (name in required or (depth < 2 and self._parts < MAX_PARTS)):
                made[name] = self.value(f"{at}/properties/{escape(name)}", depth + 1)
        for name in required:
            if name not in properties:
                made[name] = "string"
        return made

    def _array(self, node: dict[str, Any], at: SchemaRef, depth: int) -> list[JSON]:
        if not isinstance(node.get("items"), dict):
            return []
        fewest = node.get("minItems")
        count = min(fewest, _MAX_ITEMS) if isinstance(fewest, int) and fewest > 0 else 1
        return [self.value(f"{at}/items", depth + 1) for _ in range(count)]


def _length(parts: object) -> int:
    return len(parts) if isinstance(parts, list) else 0


def _type(node: Mapping[str, Any]) -> str:
    """Return the stated type, else the one that the other keywords imply."""
    stated = node.get("type")
    kinds = stated if isinstance(stated, list) else [stated]
    kind = next((name for name in kinds if name != "null" and name in _SIMPLEST), None)
    if kind is not None:
        return str(kind)
    if "null" in kinds:
        return "null"
    return "array" if "items" in node else "object"


def _scalar(kind: str, node: Mapping[str, Any]) -> JSON:
    if kind == "string":
        fewest, most = node.get("minLength"), node.get("maxLength")
        text = str(_SIMPLEST["string"])
        if isinstance(fewest, int):
            text = text.ljust(min(fewest, _MAX_TEXT), "x")
        return text[:most] if isinstance(most, int) and most >= 0 else text
    if kind in ("integer", "number"):
        bounds = [node.get(name) for name in ("minimum", "maximum")]
        return next((bound for bound in bounds if isinstance(bound, int) and not isinstance(bound, bool)), 0)
    return _SIMPLEST[kind]
