"""The constraints that several schemas together put on one value.

Keywords with values of a wrong type are ignored, because validators reject them. JSON
values are equal by JSON Schema core, section 4.2.2: 1 equals 1.0, and neither equals true.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Literal

from msgspec import Struct, field

from mockserver.jsonschema.formats import RANGES
from mockserver.jsonschema.keywords import TYPES, is_draft_4, is_nullable
from mockserver.plan import JSON, Dialect, SchemaRef

SCALARS = frozenset(("boolean", "integer", "number", "string"))

ChoicesMade = tuple[tuple[SchemaRef, int], ...]
"""The choices that are made: the location of the choice, and the index of the option."""


Span = tuple[Fraction, int, int]
"""A range of multiples: the step, and the minimum and maximum number of steps."""


Signature = tuple[Hashable, ...]


class Option(Struct, frozen=True):
    """One option of a choice."""

    refs: tuple[SchemaRef, ...] = ()
    required: str = ""
    forbidden: str = ""
    tag: tuple[str, str] | None = None
    """The property of a discriminator, and its value."""


class Choice(Struct, frozen=True):
    """An open choice. ``oneOf`` requires exactly one option, ``anyOf`` at least one."""

    kind: Literal["oneOf", "anyOf", "if", "dependent"]
    at: SchemaRef
    options: tuple[Option, ...]


class Part(Struct, frozen=True):
    """A schema that describes members of an object or items of an array."""

    ref: SchemaRef
    node: Mapping[str, JSON]


class Contains(Struct, frozen=True):
    """At least ``minimum`` and at most ``maximum`` items match ``ref``."""

    ref: SchemaRef
    minimum: int
    maximum: int | None


class Shape(Struct, eq=False):
    """The combined constraints of schemas. Built by Shapes, and not changed afterwards."""

    refs: tuple[SchemaRef, ...]
    taken: ChoicesMade = ()
    types: frozenset[str] = TYPES
    options: list[JSON] | None = None
    """Values of ``enum`` and ``const`` that all schemas allow."""
    samples: list[JSON] = field(default_factory=list)
    """Examples, valid or not."""
    defaults: list[JSON] = field(default_factory=list)
    """Defaults, valid or not. The one of the outermost schema is first."""
    choices: list[Choice] = field(default_factory=list)
    made: list[tuple[Choice, int]] = field(default_factory=list)
    """The choices of ``oneOf`` that were made, with the index of the option."""
    tags: dict[str, str] = field(default_factory=dict)
    fault: str = ""
    """Why no value is possible, if that is known."""
    is_uncertain: bool = False
    """Whether a generated value may be invalid for another reason than its choices, for example ``not``."""
    excluded: list[JSON] = field(default_factory=list)

    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    steps: list[Fraction] = field(default_factory=list)
    spans: dict[tuple[str, bool], Span] = field(default_factory=dict)
    """A cache of the ranges of numbers, by name and whether they are integers."""

    min_length: int = 0
    max_length: int | None = None
    patterns: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)

    min_items: int = 0
    max_items: int | None = None
    unique: bool = False
    contains: list[Contains] = field(default_factory=list)
    array_parts: list[Part] = field(default_factory=list)

    min_members: int = 0
    max_members: int | None = None
    required: dict[str, None] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    concealed: set[str] = field(default_factory=set)
    """The forbidden names that readOnly or writeOnly hides."""
    names: list[SchemaRef] = field(default_factory=list)
    """Schemas of ``propertyNames``."""
    dependent: dict[str, list[str]] = field(default_factory=dict)
    object_parts: list[Part] = field(default_factory=list)

    signature: Signature | None = None
    """What constrains scalars, if that is all there is: shapes with the same one allow the same scalars."""
    is_leaf: bool = False
    """Whether it describes no parts and has no choices."""
    is_unconstrained: bool = False
    """Whether it has no constraints at all."""
    is_plain: bool = False
    """Whether it is a leaf of one type that can be generated directly."""

    @property
    def at(self) -> SchemaRef:
        """The location of the first schema, for messages."""
        return self.refs[0] if self.refs else ""

    @property
    def needs_test(self) -> bool:
        """Whether a generated value may be invalid."""
        return self.is_uncertain or bool(self.choices) or bool(self.made)

    def settles_options(self) -> bool:
        """Return whether all values of ``options`` are allowed for certain, apart from open choices."""
        return not self.is_uncertain and all(map(self._is_settled, self.options or ()))

    def _is_settled(self, value: JSON) -> bool:
        if value is None or isinstance(value, bool):
            return True
        if isinstance(value, (int, float)):
            low, high = self.low, self.high
            is_above = low is None or value > low or (value == low and not self.low_open)
            return is_above and not self.steps and (high is None or value < high)
        is_free = not (self.patterns or self.formats or self.min_length) and self.max_length is None
        return is_free and isinstance(value, str)

    def raise_low(self, bound: Fraction, *, is_open: bool) -> None:
        """Add a lower bound."""
        if self.low is None or bound > self.low or (bound == self.low and is_open):
            self.low, self.low_open = bound, is_open

    def lower_high(self, bound: Fraction, *, is_open: bool) -> None:
        """Add an upper bound."""
        if self.high is None or bound < self.high or (bound == self.high and is_open):
            self.high, self.high_open = bound, is_open

    def contradiction(self) -> str:
        """Return why no value is possible, by types and enum, or an empty text."""
        if self.fault:
            return self.fault
        if not self.types:
            return "no type is allowed by all of its schemas"
        if self.options is not None and not self.options:
            return "no value of its enum is allowed"
        return ""


def equality_key(value: JSON) -> Hashable:
    """Return a key that is equal for equal values only."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return ("object", frozenset((name, equality_key(member)) for name, member in value.items()))
    if isinstance(value, list):
        return ("array", tuple(equality_key(item) for item in value))
    hashable: Hashable = value
    return hashable


def type_of(value: JSON) -> str:
    """Return the narrowest type of a value: ``integer`` for 1 and, as in Draft 2020-12, for 1.0."""
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

_VALUES = frozenset(("const", "default", "enum", "example", "examples"))
_NUMBERS = frozenset(("exclusiveMaximum", "exclusiveMinimum", "format", "maximum", "minimum", "multipleOf"))
_TEXTS = frozenset(("format", "maxLength", "minLength", "pattern"))
_ARRAYS = frozenset(("contains", "maxItems", "minItems", "uniqueItems", *ARRAY_KEYWORDS))
_OBJECTS = frozenset(
    ("dependencies", "dependentRequired", "maxProperties", "minProperties", "propertyNames", "required")
) | {*OBJECT_KEYWORDS}


def add(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, dialect: Dialect, *, is_whole: bool) -> None:
    """Add the constraints of a schema. ``is_whole``: its examples are of the whole value, not of a part."""
    draft_4 = is_draft_4(dialect)
    stated = node.keys()
    _add_types(shape, node, dialect)
    if not _VALUES.isdisjoint(stated):
        _add_values(shape, node, dialect, is_whole=is_whole)
    if not _NUMBERS.isdisjoint(stated):
        _add_numbers(shape, node, draft_4=draft_4)
    if not _TEXTS.isdisjoint(stated):
        _add_texts(shape, node)
    if not _ARRAYS.isdisjoint(stated):
        _add_arrays(shape, node, ref, draft_4=draft_4)
    if not _OBJECTS.isdisjoint(stated):
        _add_objects(shape, node, ref, draft_4=draft_4)
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
    # A generated value is more useful than an empty or null example
    shape.samples += [
        sample
        for sample in samples
        if sample not in (None, "", [], {}) and (is_whole or not isinstance(sample, (dict, list)))
    ]
    if "default" in node and (is_whole or not isinstance(node["default"], (dict, list))):
        shape.defaults.append(node["default"])


def _allow_only(shape: Shape, options: list[JSON]) -> None:
    if shape.options is None:
        shape.options = list({equality_key(option): option for option in options}.values())
    else:
        allowed = {equality_key(option) for option in options}
        shape.options = [option for option in shape.options if equality_key(option) in allowed]


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
    """Return the decimal number as written: 0.1 is one tenth, not the nearest float."""
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


def _tighten_max(known: int | None, stated: JSON) -> int | None:
    count = _count(stated)
    return known if count is None else count if known is None else min(known, count)


def _tighten_min(known: int, stated: JSON) -> int:
    return max(known, _count(stated) or 0)


def _add_texts(shape: Shape, node: Mapping[str, JSON]) -> None:
    shape.min_length = _tighten_min(shape.min_length, node.get("minLength"))
    shape.max_length = _tighten_max(shape.max_length, node.get("maxLength"))
    for keyword, known in (("pattern", shape.patterns), ("format", shape.formats)):
        if isinstance(text := node.get(keyword), str) and text not in known:
            known.append(text)


def _add_arrays(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, *, draft_4: bool) -> None:
    shape.min_items = _tighten_min(shape.min_items, node.get("minItems"))
    shape.max_items = _tighten_max(shape.max_items, node.get("maxItems"))
    shape.unique = shape.unique or node.get("uniqueItems") is True
    if any(keyword in node for keyword in ARRAY_KEYWORDS):
        shape.array_parts.append(Part(ref, node))
    if "contains" in node and not draft_4:
        minimum = _count(node.get("minContains", 1))
        shape.contains.append(
            Contains(f"{ref}/contains", 1 if minimum is None else minimum, _count(node.get("maxContains")))
        )
        shape.is_uncertain = True


def _add_objects(shape: Shape, node: Mapping[str, JSON], ref: SchemaRef, *, draft_4: bool) -> None:
    shape.min_members = _tighten_min(shape.min_members, node.get("minProperties"))
    shape.max_members = _tighten_max(shape.max_members, node.get("maxProperties"))
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
    """Add what simple forms of ``not`` exclude. Validation finds the rest."""
    shape.is_uncertain = True
    if schema is True or schema == {}:
        shape.fault = "not excludes everything"
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


def are_disjoint(one: Shape, other: Shape) -> bool:
    """Return whether two shapes have enums without a common value."""
    if one.options is None or other.options is None:
        return False
    return {equality_key(value) for value in one.options}.isdisjoint(map(equality_key, other.options))
