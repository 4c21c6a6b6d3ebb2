"""What a schema says about the *form* of a value: its types, and where its parts are described.

Text has no types. To read ``5`` or ``a,b`` one must know whether a number, a
string, an array or an object is meant. A schema may leave that open (``anyOf``,
a list of types), so it has several shapes; which one was meant is decided by
validating what each makes of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct, field

from mockserver.jsonschema import SchemaError, Schemas
from mockserver.jsonschema.keywords import is_draft_4, is_nullable
from mockserver.jsonschema.references import escape
from mockserver.plan import JSON, SchemaRef

Types = frozenset[str]

ANY: Types = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
STRUCTURED: Types = frozenset(("array", "object"))
MOST_SHAPES = 32
"""Combinations of ``allOf`` with ``anyOf`` multiply; those beyond are not tried."""
MAX_VISITS = 5000
"""Schemas that are looked at for the shapes of one: thirty levels that double are a thousand million."""


class Shape(Struct, frozen=True):
    """One way in which a value may be formed. Several references for one part come from ``allOf``."""

    types: Types = ANY
    properties: Mapping[str, tuple[SchemaRef, ...]] = field(default_factory=dict)
    others: tuple[SchemaRef, ...] = ()
    """Schemas of properties that are not listed: ``additionalProperties``, ``patternProperties``."""
    prefix: tuple[SchemaRef, ...] = ()
    items: tuple[SchemaRef, ...] = ()
    separator: str = ","
    """What separates the items where an array stands in one text (``collectionFormat`` of 2.0)."""

    def property(self, name: str) -> tuple[SchemaRef, ...]:
        """The schemas that may describe a property."""
        return self.properties.get(name) or self.others

    def item(self, index: int) -> tuple[SchemaRef, ...]:
        """The schemas that may describe the item at an index."""
        return (self.prefix[index],) if index < len(self.prefix) else self.items


ANYTHING = Shape()
_SEPARATORS = {"csv": ",", "ssv": " ", "tsv": "\t", "pipes": "|"}


class Shapes:
    """The shapes of one document's schemas; answers are remembered."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._draft_4 = is_draft_4(schemas.dialect)
        self._shapes: dict[SchemaRef, tuple[Shape, ...]] = {}
        self._visits = 0

    def of(self, ref: SchemaRef | None) -> tuple[Shape, ...]:
        """At least one; a schema that is missing or broken may have any form."""
        if ref is None:
            return (ANYTHING,)
        shapes = self._shapes.get(ref)
        if shapes is None:
            self._visits = 0
            shapes = self._find(ref, frozenset()) or (ANYTHING,)
            self._shapes[ref] = shapes = (ANYTHING,) if self._visits > MAX_VISITS else shapes
        return shapes

    def types(self, ref: SchemaRef | None) -> Types:
        """Every type that some shape admits."""
        return frozenset().union(*(shape.types for shape in self.of(ref)))

    def properties(self, ref: SchemaRef | None) -> dict[str, SchemaRef]:
        """Every property that some shape lists, with the first schema of it."""
        found: dict[str, SchemaRef] = {}
        for shape in self.of(ref):
            for name, refs in shape.properties.items():
                found.setdefault(name, refs[0])
        return found

    def required(self, ref: SchemaRef | None) -> frozenset[str]:
        """The properties that the schema itself requires."""
        try:
            node = self._schemas.lookup(ref)[0] if ref is not None else {}
        except SchemaError:
            return frozenset()
        stated = node.get("required") if isinstance(node, dict) else None
        return (
            frozenset(each for each in stated if isinstance(each, str))
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
        shapes: tuple[Shape, ...] = (self._own(node, at),)
        for i in _places(node, "allOf"):
            shapes = _product(shapes, self._find(f"{at}/allOf/{i}", seen))
        if not self._draft_4 and isinstance(target := node.get("$ref"), str):
            shapes = _product(shapes, self._find(self._schemas.resolve(at, target), seen))
        for keyword in ("anyOf", "oneOf"):
            places = _places(node, keyword)
            if places:
                branches = (self._find(f"{at}/{keyword}/{i}", seen) for i in places)
                shapes = _product(shapes, [shape for branch in branches for shape in branch])
        if is_nullable(node, self._schemas.dialect):
            shapes = (*shapes, Shape(frozenset(("null",))))
        return shapes

    def _own(self, node: dict[str, JSON], at: SchemaRef) -> Shape:
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
            prefix=tuple(f"{at}/{listed}/{i}" for i in _places(node, listed)),
            items=(f"{at}/{rest}",) if isinstance(node.get(rest), dict) else (),
            separator=_SEPARATORS.get(str(node.get("collectionFormat")), ","),
        )


def _types(node: Mapping[str, JSON]) -> Types:
    """The types that a schema names, or lets one guess by what else it says."""
    stated = node.get("type")
    if isinstance(stated, str):
        return frozenset(("string" if stated == "file" else stated,))
    if isinstance(stated, list):
        return frozenset(each for each in stated if isinstance(each, str))
    values = node.get("enum", [node["const"]] if "const" in node else None)
    if isinstance(values, list) and values:
        return frozenset(_type(each) for each in values)
    if any(isinstance(node.get(each), dict) for each in ("properties", "additionalProperties")):
        return frozenset(("object",))
    if "items" in node or "prefixItems" in node:
        return frozenset(("array",))
    return ANY


def _type(value: JSON) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "integer" if isinstance(value, int) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _product(left: Iterable[Shape], right: Iterable[Shape]) -> tuple[Shape, ...]:
    rights = tuple(right)
    merged = (_merge(one, other) for one in left for other in rights)
    return tuple(islice((each for each in merged if each.types), MOST_SHAPES)) or (ANYTHING,)


def _merge(one: Shape, other: Shape) -> Shape:
    """The shape of a value that has both."""
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


def _places(node: Mapping[str, JSON], keyword: str) -> range:
    value = node.get(keyword)
    return range(len(value) if isinstance(value, list) else 0)


def _keys(node: Mapping[str, JSON], keyword: str) -> Iterable[str]:
    value = node.get(keyword)
    return value if isinstance(value, dict) else ()
