"""Adding one schema's own keywords to a shape. Malformed keywords are passed over: validators refuse them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from mockserver.fakes.identity import identity
from mockserver.fakes.shape import TYPES, Contains, Part, Shape
from mockserver.plan import JSON, Dialect, SchemaRef
from mockserver.schema.formats import RANGES
from mockserver.schema.keywords import is_draft_4, is_nullable

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
