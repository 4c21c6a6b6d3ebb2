"""What several schemas together ask of one value.

Keywords of a wrong type are passed over: validators refuse them. Two JSON values are equal by
JSON Schema core, section 4.2.2: 1 equals 1.0, and neither equals true.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct, field

from mockserver.jsonschema.formats import RANGES
from mockserver.jsonschema.keywords import is_draft_4, is_nullable
from mockserver.plan import JSON, Dialect, SchemaRef

TYPES = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
SCALARS = frozenset(("boolean", "integer", "number", "string"))

Taken = tuple[tuple[SchemaRef, int], ...]
"""Choices already made: where the choice stands, and the number of the option."""


Span = tuple[Fraction, int, int]
"""Numbers on a grid: the step, and the least and the greatest count of steps."""


class Option(Struct, frozen=True):
    """One way out of a choice."""

    refs: tuple[SchemaRef, ...] = ()
    required: str = ""
    forbidden: str = ""
    tag: tuple[str, str] | None = None
    """Discriminator property and its value."""


class Choice(Struct, frozen=True):
    """An open choice. ``oneOf`` asks for exactly one option, ``anyOf`` for any."""

    kind: Literal["oneOf", "anyOf", "if", "dependent"]
    at: SchemaRef
    options: tuple[Option, ...]


class Part(Struct, frozen=True):
    """One schema's say about members of an object or items of an array."""

    ref: SchemaRef
    node: Mapping[str, JSON]


class Contains(Struct, frozen=True):
    """At least ``least`` and at most ``most`` items match ``ref``."""

    ref: SchemaRef
    least: int
    most: int | None


class Shape(Struct, eq=False):
    """The sum of a conjunction. Built by Shapes, and not changed afterwards."""

    refs: tuple[SchemaRef, ...]
    taken: Taken = ()
    types: frozenset[str] = TYPES
    options: list[JSON] | None = None
    """Values of ``enum`` and ``const`` that all schemas allow."""
    samples: list[JSON] = field(default_factory=list)
    """Examples, valid or not."""
    defaults: list[JSON] = field(default_factory=list)
    """Valid or not; the one nearest to the value goes first."""
    choices: list[Choice] = field(default_factory=list)
    made: list[tuple[Choice, int]] = field(default_factory=list)
    """The choices of ``oneOf`` that were made, and how."""
    tags: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    """Why there can be no such value, where that is plain."""
    needs_test: bool = False
    """Whether a value made from this shape may still be wrong (``not`` and the like)."""
    excluded: list[JSON] = field(default_factory=list)

    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    steps: list[Fraction] = field(default_factory=list)
    spans: dict[tuple[str, bool], Span] = field(default_factory=dict)
    """The numbers to choose from, by name and wholeness, once they have been found."""

    shortest: int = 0
    longest: int | None = None
    patterns: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)

    fewest_items: int = 0
    most_items: int | None = None
    unique: bool = False
    contains: list[Contains] = field(default_factory=list)
    array_parts: list[Part] = field(default_factory=list)

    fewest_members: int = 0
    most_members: int | None = None
    required: dict[str, None] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    concealed: set[str] = field(default_factory=set)
    """Of the forbidden names, those that readOnly or writeOnly hides."""
    names: list[SchemaRef] = field(default_factory=list)
    """Schemas of ``propertyNames``."""
    dependent: dict[str, list[str]] = field(default_factory=dict)
    object_parts: list[Part] = field(default_factory=list)

    is_leaf: bool = False
    """Whether its values have no parts that are described, and no alternatives."""
    is_mute: bool = False
    """Whether nothing at all is said of its values."""
    is_plain: bool = False
    """Whether it is a leaf of a single type that can be made outright."""

    @property
    def at(self) -> SchemaRef:
        """The first of its schemas, for a reader to look at."""
        return self.refs[0] if self.refs else ""

    def raise_low(self, bound: Fraction, *, is_open: bool) -> None:
        """Take a lower bound into account."""
        if self.low is None or bound > self.low or (bound == self.low and is_open):
            self.low, self.low_open = bound, is_open

    def lower_high(self, bound: Fraction, *, is_open: bool) -> None:
        """Take an upper bound into account."""
        if self.high is None or bound < self.high or (bound == self.high and is_open):
            self.high, self.high_open = bound, is_open

    def contradiction(self) -> str:
        """Why no value can be of this shape, as far as bounds and types tell; empty otherwise."""
        if self.fault:
            return self.fault
        if not self.types:
            return "no type is allowed by all of its schemas"
        if self.options is not None and not self.options:
            return "no value of its enum is allowed"
        return ""


def identity(value: JSON) -> Hashable:
    """A key that equal values share and no others."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(each)) for name, each in value.items()))
    if isinstance(value, list):
        return ("array", tuple(identity(each) for each in value))
    hashable: Hashable = value
    return hashable


def type_of(value: JSON) -> str:
    """The narrowest type of a value; ``integer`` for 1 and, as in 2020-12, for 1.0."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


OBJECT_KEYWORDS = ("properties", "patternProperties", "additionalProperties", "unevaluatedProperties")
ARRAY_KEYWORDS = ("items", "prefixItems", "additionalItems", "unevaluatedItems")


def add(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, dialect: Dialect, *, is_whole: bool) -> None:
    """``is_whole``: whether the schema's examples are of the whole value, not of a part that allOf joins."""
    _add_types(shape, node, dialect)
    _add_values(shape, node, dialect, is_whole=is_whole)
    _add_numbers(shape, node, draft_4=is_draft_4(dialect))
    _add_texts(shape, node)
    _add_arrays(shape, node, ref, draft_4=is_draft_4(dialect))
    _add_objects(shape, node, ref, draft_4=is_draft_4(dialect))
    if "not" in node:
        _exclude(shape, node["not"])


def _add_types(shape: Shape, node: Mapping[str, JSON], dialect: Dialect) -> None:
    stated = node.get("type")
    types = {stated} if isinstance(stated, str) else set(stated) if isinstance(stated, list) else None
    if types is not None:
        if "number" in types:
            types.add("integer")
        if "file" in types:
            types.add("string")
        if is_nullable(node, dialect):
            types.add("null")
        shape.types &= types


def _add_values(shape: Shape, node: Mapping[str, JSON], dialect: Dialect, *, is_whole: bool) -> None:
    options = node.get("enum")
    if "const" in node and not is_draft_4(dialect):
        _allow_only(shape, [node["const"]])
    if isinstance(options, list):
        _allow_only(
            shape, [*options, None] if is_nullable(node, dialect) and None not in options else options
        )
    examples = node.get("examples")
    samples = [node["example"]] if "example" in node else []
    samples += examples if isinstance(examples, list) else []
    # An empty or a null example tells a reader nothing that a made value does not tell better
    shape.samples += [
        each
        for each in samples
        if each not in (None, "", [], {}) and (is_whole or not isinstance(each, (dict, list)))
    ]
    if "default" in node and (is_whole or not isinstance(node["default"], (dict, list))):
        shape.defaults.append(node["default"])


def _allow_only(shape: Shape, options: list[JSON]) -> None:
    if shape.options is None:
        shape.options = list({identity(each): each for each in options}.values())
    else:
        allowed = {identity(each) for each in options}
        shape.options = [each for each in shape.options if identity(each) in allowed]


def _add_numbers(shape: Shape, node: Mapping[str, JSON], *, draft_4: bool) -> None:
    for keyword, exclusive, add_bound in (
        ("minimum", "exclusiveMinimum", shape.raise_low),
        ("maximum", "exclusiveMaximum", shape.lower_high),
    ):
        if (bound := _fraction(node.get(keyword))) is not None:
            add_bound(bound, is_open=draft_4 and node.get(exclusive) is True)
        if not draft_4 and (bound := _fraction(node.get(exclusive))) is not None:
            add_bound(bound, is_open=True)
    if (step := _fraction(node.get("multipleOf"))) is not None and step > 0:
        shape.steps.append(step)
    name = node.get("format")
    if isinstance(name, str) and name in RANGES:
        low, high = RANGES[name]
        shape.raise_low(Fraction(low), is_open=False)
        shape.lower_high(Fraction(high), is_open=False)


def _fraction(value: JSON) -> Fraction | None:
    """The decimal number that was written: 0.1 is a tenth, not the float next to it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return Fraction(value) if isinstance(value, int) else Fraction(repr(value))
    except (ValueError, OverflowError):
        return None


def _count(value: JSON) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value < 0:
        return None
    return int(value)


def _most(known: int | None, stated: JSON) -> int | None:
    count = _count(stated)
    return known if count is None else count if known is None else min(known, count)


def _least(known: int, stated: JSON) -> int:
    return max(known, _count(stated) or 0)


def _add_texts(shape: Shape, node: Mapping[str, JSON]) -> None:
    shape.shortest = _least(shape.shortest, node.get("minLength"))
    shape.longest = _most(shape.longest, node.get("maxLength"))
    for keyword, known in (("pattern", shape.patterns), ("format", shape.formats)):
        if isinstance(text := node.get(keyword), str) and text not in known:
            known.append(text)


def _add_arrays(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, *, draft_4: bool) -> None:
    shape.fewest_items = _least(shape.fewest_items, node.get("minItems"))
    shape.most_items = _most(shape.most_items, node.get("maxItems"))
    shape.unique = shape.unique or node.get("uniqueItems") is True
    if any(keyword in node for keyword in ARRAY_KEYWORDS):
        shape.array_parts.append(Part(ref, node))
    if "contains" in node and not draft_4:
        least = _count(node.get("minContains", 1))
        shape.contains.append(
            Contains(f"{ref}/contains", 1 if least is None else least, _count(node.get("maxContains")))
        )
        shape.needs_test = True


def _add_objects(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, *, draft_4: bool) -> None:
    shape.fewest_members = _least(shape.fewest_members, node.get("minProperties"))
    shape.most_members = _most(shape.most_members, node.get("maxProperties"))
    if isinstance(required := node.get("required"), list):
        shape.required.update(dict.fromkeys(name for name in required if isinstance(name, str)))
    if any(keyword in node for keyword in OBJECT_KEYWORDS):
        shape.object_parts.append(Part(ref, node))
    if "propertyNames" in node and not draft_4:
        shape.names.append(f"{ref}/propertyNames")
    for keyword in ("dependencies",) if draft_4 else ("dependentRequired",):
        if isinstance(dependent := node.get(keyword), dict):
            for name, others in dependent.items():
                if isinstance(others, list):
                    shape.dependent.setdefault(name, []).extend(others)


def _exclude(shape: Shape, schema: JSON) -> None:
    """What ``not`` rules out in plain words; the rest is found by testing."""
    shape.needs_test = True
    if schema is True or schema == {}:
        shape.fault = "not rules out everything"
    elif isinstance(schema, dict):
        for part in (
            schema["anyOf"] if schema.keys() == {"anyOf"} and isinstance(schema["anyOf"], list) else ()
        ):
            _exclude(shape, part)
        required = schema.get("required")
        if schema.keys() <= {"required", "type"} and isinstance(required, list) and len(required) == 1:
            shape.forbidden.add(required[0])
        elif schema.keys() == {"type"}:
            stated = schema["type"]
            ruled_out = {stated} if isinstance(stated, str) else set(stated)
            shape.types &= TYPES - ruled_out - ({"integer"} if "number" in ruled_out else set())
        elif schema.keys() == {"const"}:
            shape.excluded.append(schema["const"])
        elif schema.keys() == {"enum"} and isinstance(schema["enum"], list):
            shape.excluded += schema["enum"]
