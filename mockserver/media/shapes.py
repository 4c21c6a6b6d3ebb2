"""The shapes of a schema: the types that its values may have, and the schemas of their parts.

Text has no types. The schema says whether ``5`` is a number or a string, and
whether ``a,b`` is an array. A schema with ``anyOf`` or several types has several
shapes. The text is read by each of them, and validation selects the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct, field

from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.keywords import TYPES, is_draft_4, is_nullable
from mockserver.jsonschema.references import escape
from mockserver.plan import JSON, SchemaRef

Types = frozenset[str]

STRUCTURED: Types = frozenset(("array", "object"))
MAX_SHAPES = 32
"""The maximum number of shapes of a schema, because ``allOf`` and ``anyOf`` multiply."""
MAX_VISITS = 5000
"""The maximum number of schemas visited for one schema, because references may double at each level."""


class Shape(Struct, frozen=True):
    """One combination of types and parts. A part has several schemas if ``allOf`` combines them."""

    types: Types = TYPES
    properties: Mapping[str, tuple[SchemaRef, ...]] = field(default_factory=dict)
    others: tuple[SchemaRef, ...] = ()
    """Schemas of other properties: ``additionalProperties``, ``patternProperties``."""
    prefix: tuple[SchemaRef, ...] = ()
    items: tuple[SchemaRef, ...] = ()
    separator: str = ","
    """The separator of the items of an array in one text (``collectionFormat`` of OpenAPI 2.0)."""

    def property(self, name: str) -> tuple[SchemaRef, ...]:
        """Return the schemas that may describe a property."""
        return self.properties.get(name) or self.others

    def item(self, index: int) -> tuple[SchemaRef, ...]:
        """Return the schemas that may describe the item at an index."""
        return (self.prefix[index],) if index < len(self.prefix) else self.items


ANYTHING = Shape()
_SEPARATORS = {"csv": ",", "ssv": " ", "tsv": "\t", "pipes": "|"}


class Shapes:
    """The shapes of the schemas of one document, cached."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._draft_4 = is_draft_4(schemas.dialect)
        self._shapes: dict[SchemaRef, tuple[Shape, ...]] = {}
        self._properties: dict[SchemaRef | None, dict[str, SchemaRef]] = {}
        self._visits = 0

    def of(self, ref: SchemaRef | None) -> tuple[Shape, ...]:
        """Return the shapes of a schema, at least one. A missing or broken schema allows any value."""
        if ref is None:
            return (ANYTHING,)
        shapes = self._shapes.get(ref)
        if shapes is None:
            self._visits = 0
            shapes = self._find(ref, frozenset()) or (ANYTHING,)
            self._shapes[ref] = shapes = (ANYTHING,) if self._visits > MAX_VISITS else shapes
        return shapes

    def types(self, ref: SchemaRef | None) -> Types:
        """Return the types of all shapes."""
        return frozenset().union(*(shape.types for shape in self.of(ref)))

    def properties(self, ref: SchemaRef | None) -> Mapping[str, SchemaRef]:
        """Return the properties of all shapes, each with its first schema."""
        found = self._properties.get(ref)
        if found is None:
            found = self._properties[ref] = {}
            for shape in self.of(ref):
                for name, refs in shape.properties.items():
                    found.setdefault(name, refs[0])
        return found

    def required(self, ref: SchemaRef | None) -> frozenset[str]:
        """Return the properties that the schema itself requires, without its subschemas."""
        try:
            node = self._schemas.lookup(ref)[0] if ref is not None else {}
        except SchemaError:
            return frozenset()
        stated = node.get("required") if isinstance(node, dict) else None
        return (
            frozenset(name for name in stated if isinstance(name, str))
            if isinstance(stated, list)
            else frozenset()
        )

    def _find(self, ref: SchemaRef, seen: frozenset[SchemaRef]) -> tuple[Shape, ...]:
        self._visits += 1
        if self._visits > MAX_VISITS:
            return (ANYTHING,)
        try:
            node, at = self._schemas.lookup(ref)
            if not isinstance(node, dict) or at in seen:
                return (ANYTHING,)
            return self._combine(node, at, seen | {at})
        except (SchemaError, RecursionError):
            return (ANYTHING,)

    def _combine(self, node: dict[str, JSON], at: SchemaRef, seen: frozenset[SchemaRef]) -> tuple[Shape, ...]:
        shapes: tuple[Shape, ...] = (self._own_shape(node, at),)
        for i in _indexes(node, "allOf"):
            shapes = _product(shapes, self._find(f"{at}/allOf/{i}", seen))
        if not self._draft_4 and isinstance(target := node.get("$ref"), str):
            shapes = _product(shapes, self._find(self._schemas.resolve(at, target), seen))
        for keyword in ("anyOf", "oneOf"):
            indexes = _indexes(node, keyword)
            if indexes:
                branches = (self._find(f"{at}/{keyword}/{i}", seen) for i in indexes)
                shapes = _product(shapes, [shape for branch in branches for shape in branch])
        if is_nullable(node, self._schemas.dialect):
            shapes = (*shapes, Shape(frozenset(("null",))))
        return shapes

    def _own_shape(self, node: dict[str, JSON], at: SchemaRef) -> Shape:
        properties = node.get("properties")
        others = [f"{at}/patternProperties/{escape(name)}" for name in _keys(node, "patternProperties")]
        others += [
            f"{at}/{keyword}"
            for keyword in ("additionalProperties", "unevaluatedProperties")
            if isinstance(node.get(keyword), dict)
        ]
        listed = "items" if isinstance(node.get("items"), list) else "prefixItems"
        rest = "additionalItems" if listed == "items" else "items"
        return Shape(
            types=_types(node),
            properties={name: (f"{at}/properties/{escape(name)}",) for name in properties}
            if isinstance(properties, dict)
            else {},
            others=tuple(others),
            prefix=tuple(f"{at}/{listed}/{i}" for i in _indexes(node, listed)),
            items=(f"{at}/{rest}",) if isinstance(node.get(rest), dict) else (),
            separator=_SEPARATORS.get(str(node.get("collectionFormat")), ","),
        )


def _types(node: Mapping[str, JSON]) -> Types:
    """Return the types that a schema states, else those that its other keywords imply."""
    stated = node.get("type")
    if isinstance(stated, str):
        return frozenset(("string" if stated == "file" else stated,))
    if isinstance(stated, list):
        return frozenset(name for name in stated if isinstance(name, str))
    values = node.get("enum", [node["const"]] if "const" in node else None)
    if isinstance(values, list) and values:
        return frozenset(_type(value) for value in values)
    if any(isinstance(node.get(keyword), dict) for keyword in ("properties", "additionalProperties")):
        return frozenset(("object",))
    if "items" in node or "prefixItems" in node:
        return frozenset(("array",))
    return TYPES


def _type(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "integer" if isinstance(value, int) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _product(left: Iterable[Shape], right: Iterable[Shape]) -> tuple[Shape, ...]:
    rights = tuple(right)
    merged = (_merge(one, other) for one in left for other in rights)
    return tuple(islice((shape for shape in merged if shape.types), MAX_SHAPES)) or (ANYTHING,)


def _merge(one: Shape, other: Shape) -> Shape:
    """Return the shape of values that have both shapes."""
    if other is ANYTHING:
        return one
    properties = dict(one.properties)
    for name, refs in other.properties.items():
        properties[name] = properties.get(name, ()) + refs
    return Shape(
        types=frozenset(_intersection(one.types, other.types)),
        properties=properties,
        others=one.others + other.others,
        prefix=one.prefix or other.prefix,
        items=one.items + other.items,
        separator=other.separator if one.separator == "," else one.separator,
    )


def _intersection(one: Types, other: Types) -> Iterator[str]:
    yield from one & other
    if ("number" in one and "integer" in other) or ("integer" in one and "number" in other):
        yield "integer"


def _indexes(node: Mapping[str, JSON], keyword: str) -> range:
    value = node.get(keyword)
    return range(len(value) if isinstance(value, list) else 0)


def _keys(node: Mapping[str, JSON], keyword: str) -> Iterable[str]:
    value = node.get(keyword)
    return value if isinstance(value, dict) else ()
