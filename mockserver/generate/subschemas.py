"""The schemas that apply to a value, to a member of an object and to an item of an array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mockserver.generate.constraints import (
    SCALARS,
    Choice,
    ChoicesMade,
    Option,
    Shape,
    Signature,
    add,
    equality_key,
    type_of,
)
from mockserver.jsonschema import Direction, Schemas
from mockserver.jsonschema.discriminators import implicit_name
from mockserver.jsonschema.keywords import TYPES, is_draft_4, keywords
from mockserver.jsonschema.patterns import matcher
from mockserver.jsonschema.references import escape
from mockserver.plan import JSON, SchemaRef

_WITH_MEMBERS = frozenset(("properties", "allOf", "$ref"))
"""The keywords by which a schema may hide members."""
_WITH_PARTS = frozenset(("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "discriminator")) | {
    "dependencies",
    "dependentSchemas",
}
"""The keywords by which other schemas apply to the same value."""


class Shapes:
    """Combines schemas into shapes, which are cached."""

    def __init__(self, schemas: Schemas, direction: Direction, outermost: str) -> None:
        """``outermost`` is the base URI where the dynamic scope begins, for dynamic references."""
        self._schemas = schemas
        self._direction: Direction = direction
        self._outermost = outermost
        self._keywords = keywords(schemas.dialect).keys()
        self._draft_4 = is_draft_4(schemas.dialect)
        self._choices: dict[SchemaRef, tuple[Choice, ...]] = {}
        self._shapes: dict[tuple[tuple[SchemaRef, ...], ChoicesMade], Shape] = {}

    def shape(self, refs: tuple[SchemaRef, ...], taken: ChoicesMade = ()) -> Shape:
        """Return the shape of values that all schemas at ``refs`` allow, with the choices ``taken``."""
        shape = self._shapes.get((refs, taken))
        if shape is None:
            canonical = tuple(dict.fromkeys(self._schemas.lookup(ref)[1] for ref in refs))
            shape = self._shapes.get((canonical, taken))
            if shape is None:
                shape = self._shapes[canonical, taken] = self._sum(canonical, taken)
            self._shapes[refs, taken] = shape
        return shape

    def take(self, shape: Shape, choice: Choice, option: int) -> Shape:
        """Return the shape after one of its choices is made. ``option`` is an index."""
        return self.shape(shape.refs, (*shape.taken, (choice.at, option)))

    def _sum(self, refs: tuple[SchemaRef, ...], taken: ChoicesMade) -> Shape:
        shape = Shape(refs, taken)
        made = dict(taken)
        seen: set[SchemaRef] = set()
        stack = [(ref, True) for ref in reversed(refs)]
        while stack:
            at, is_whole = stack.pop()
            node, ref = self._schemas.lookup(at)
            if ref in seen:
                continue
            seen.add(ref)
            if node is False:
                shape.fault = "its schema is false"
            elif isinstance(node, dict):
                add(shape, node, ref, self._schemas.dialect, is_whole=is_whole)
                if not _WITH_MEMBERS.isdisjoint(node):
                    hidden = self._schemas.hidden(ref, self._direction)
                    shape.forbidden |= hidden
                    shape.concealed |= hidden
                if not _WITH_PARTS.isdisjoint(node):
                    stack.extend(reversed(list(self._parts(shape, node, ref, made, is_whole))))
        self._complete(shape)
        return shape

    @staticmethod
    def _complete(shape: Shape) -> None:
        """Derive the remaining facts of a shape after all schemas were added."""
        for name in shape.concealed:  # a hidden property is not required
            shape.required.pop(name, None)
        if clash := shape.forbidden.intersection(shape.required):
            shape.fault = f"{min(clash)!r} is both required and ruled out"
        is_distinctive = shape.is_uncertain or bool(shape.made)
        asserted = len(shape.patterns) + len(shape.formats)
        if asserted > 1 or (shape.formats and (shape.min_length or shape.max_length is not None)):
            shape.is_uncertain = True
        if shape.options is not None:
            excluded = {equality_key(value) for value in shape.excluded}
            shape.options = [
                option
                for option in shape.options
                if type_of(option) in shape.types and equality_key(option) not in excluded
            ]
        shape.fault = shape.contradiction()
        shape.is_leaf = not (shape.object_parts or shape.array_parts or shape.choices)
        if shape.is_leaf:
            is_described = shape.options is not None or shape.samples or shape.defaults
            is_described = is_described or shape.patterns or shape.formats
            shape.is_unconstrained = not is_described and shape.types == TYPES
            if not (is_distinctive or shape.fault):
                shape.signature = _signature(shape)
            is_single = len(shape.types) == 1 and shape.types <= SCALARS
            shape.is_plain = is_single and shape.options is None and not shape.fault

    def _parts(
        self,
        shape: Shape,
        node: Mapping[str, JSON],
        ref: SchemaRef,
        made: dict[SchemaRef, int],
        is_whole: bool,
    ) -> Iterator[tuple[SchemaRef, bool]]:
        """Yield the schemas that are part of this one, always or by a choice that is made."""
        if isinstance(target := node.get("$ref"), str):
            yield self._schemas.resolve(ref, target), is_whole
        if isinstance(target := node.get("$dynamicRef"), str) and not self._draft_4:
            yield self._schemas.resolve_dynamic(ref, target, self._outermost), is_whole
        if "oneOf" not in node and "anyOf" not in node and (tag := _inherited_tag(node, shape.refs[0])):
            shape.tags.setdefault(*tag)  # the discriminator of a parent in allOf
        if isinstance(parts := node.get("allOf"), list):
            yield from ((f"{ref}/allOf/{i}", is_whole and len(parts) == 1) for i in range(len(parts)))
        if isinstance(negation := node.get("not"), dict) and negation.keys() & self._keywords == {"not"}:
            yield f"{ref}/not/not", False
        choices = self._choices.get(ref)
        if choices is None:
            choices = self._choices[ref] = tuple(self._open_choices(node, ref))
        for choice in choices:
            if choice.at not in made:
                shape.choices.append(choice)
                continue
            option = choice.options[made[choice.at]]
            if choice.kind == "if":
                shape.is_uncertain = True
            if choice.kind == "oneOf":
                shape.made.append((choice, made[choice.at]))
            if option.required:
                shape.required.setdefault(option.required)
            if option.forbidden:
                shape.forbidden.add(option.forbidden)
            if option.tag:
                shape.tags.setdefault(*option.tag)
            yield from ((part, is_whole) for part in option.refs)

    def _open_choices(self, node: Mapping[str, JSON], ref: SchemaRef) -> Iterator[Choice]:
        """Yield the open choices of a schema."""
        for kind in ("oneOf", "anyOf"):
            if isinstance(node.get(kind), list):
                tags = self._tags(node, ref, kind)
                options = tuple(Option((f"{ref}/{kind}/{i}",), tag=tag) for i, tag in enumerate(tags))
                yield Choice("oneOf" if kind == "oneOf" else "anyOf", f"{ref}/{kind}", options)
        if not self._draft_4 and "if" in node:
            then = tuple(f"{ref}/{keyword}" for keyword in ("if", "then") if keyword in node)
            otherwise = (f"{ref}/else",) if "else" in node else ()
            yield Choice("if", f"{ref}/if", (Option(then), Option(otherwise)))
        keyword = "dependencies" if self._draft_4 else "dependentSchemas"
        if isinstance(dependent := node.get(keyword), dict):
            for name, schema in dependent.items():
                if not isinstance(schema, list):
                    at = f"{ref}/{keyword}/{escape(name)}"
                    present = Option((at,), required=name)
                    yield Choice("dependent", at, (present, Option(forbidden=name)))

    def _tags(self, node: Mapping[str, JSON], ref: SchemaRef, kind: str) -> list[tuple[str, str] | None]:
        """Return for each branch the property of the discriminator and a value that selects the branch."""
        found = self._schemas.discriminators.find(ref, node, kind)
        if found is None:
            return [None] * len(node[kind])
        return [(found.property, names[0]) if names else None for names in found.names]


def _signature(shape: Shape) -> Signature:
    options = None if shape.options is None else tuple(map(equality_key, shape.options))
    numbers = (shape.low, shape.low_open, shape.high, shape.high_open, *shape.steps)
    texts = (shape.min_length, shape.max_length, tuple(shape.patterns), tuple(shape.formats))
    return (shape.types, options, numbers, texts)


def _inherited_tag(node: Mapping[str, JSON], whole: SchemaRef) -> tuple[str, str] | None:
    """Return the discriminator property that ``whole`` inherits by ``allOf``, and its value for ``whole``."""
    stated = node.get("discriminator")
    if isinstance(stated, str):  # OpenAPI 2.0
        stated = {"propertyName": stated}
    if not isinstance(stated, dict) or not isinstance(name := stated.get("propertyName"), str):
        return None
    called = implicit_name(whole)
    mapping = stated.get("mapping")
    if isinstance(mapping, dict) and mapping:
        own = (value for value, ref in mapping.items() if str(ref).rpartition("/")[2] == called)
        return name, str(next(own, next(iter(mapping))))
    is_named = whole.rpartition("/")[0].endswith(("/schemas", "/definitions", "/$defs"))
    return (name, called) if is_named else None


def declared_names(shape: Shape) -> list[str]:
    """Return the names that the schemas mention, in order, without forbidden ones."""
    names: dict[str, None] = {}
    for part in shape.object_parts:
        if isinstance(properties := part.node.get("properties"), dict):
            names.update(dict.fromkeys(properties))
    names.update(dict.fromkeys(shape.tags))
    names.update(shape.required)
    return [name for name in names if name not in shape.forbidden]


def member_refs(shape: Shape, name: str) -> tuple[SchemaRef, ...] | None:
    """Return the schemas of the member ``name``, or None if it is forbidden."""
    if name in shape.forbidden:
        return None
    refs: list[SchemaRef] = []
    is_evaluated = False
    for part in shape.object_parts:
        own = [f"{part.ref}/{path}" for path in _declared(part.node, name)]
        if not own and "additionalProperties" in part.node:
            if part.node["additionalProperties"] is False:
                return None
            own = [f"{part.ref}/additionalProperties"]
        refs += own
        is_evaluated = is_evaluated or bool(own)
    for part in () if is_evaluated else shape.object_parts:
        if "unevaluatedProperties" in part.node:
            if part.node["unevaluatedProperties"] is False:
                return None
            refs.append(f"{part.ref}/unevaluatedProperties")
    return tuple(refs)


def is_map(shape: Shape) -> bool:
    """Return whether members without a fixed name are described."""
    return any(
        isinstance(part.node.get("additionalProperties"), dict) or "patternProperties" in part.node
        for part in shape.object_parts
    )


def name_patterns(shape: Shape) -> list[str]:
    """Return the patterns of ``patternProperties``."""
    return [
        pattern
        for part in shape.object_parts
        if isinstance(patterned := part.node.get("patternProperties"), dict)
        for pattern, schema in patterned.items()
        if schema is not False
    ]


def _declared(node: JSON, name: str) -> list[str]:
    found = []
    if isinstance(properties := node.get("properties"), dict) and name in properties:
        found.append(f"properties/{escape(name)}")
    if isinstance(patterned := node.get("patternProperties"), dict):
        found += [f"patternProperties/{escape(pattern)}" for pattern in patterned if matcher(pattern)(name)]
    return found


def item_refs(shape: Shape, index: int) -> tuple[SchemaRef, ...] | None:
    """Return the schemas of the item at ``index``, or None if such an item is impossible."""
    refs: list[SchemaRef] = []
    is_evaluated = False
    for part in shape.array_parts:
        keyword = _item_keyword(part.node, index)
        if not keyword:
            continue
        node: JSON = part.node
        for token in keyword.split("/"):
            node = node[int(token)] if isinstance(node, list) else node[token]
        if node is False:
            return None
        refs.append(f"{part.ref}/{keyword}")
        is_evaluated = True
    for part in () if is_evaluated else shape.array_parts:
        if "unevaluatedItems" in part.node:
            if part.node["unevaluatedItems"] is False:
                return None
            refs.append(f"{part.ref}/unevaluatedItems")
    return tuple(refs)


def _item_keyword(node: JSON, index: int) -> str:
    for keyword, rest in (("prefixItems", "items"), ("items", "additionalItems")):
        if isinstance(schemas := node.get(keyword), list):
            return f"{keyword}/{index}" if index < len(schemas) else rest if rest in node else ""
    return "items" if "items" in node else ""


def fixed_items(shape: Shape) -> int:
    """Return how many items have their own schemas (``prefixItems``; in Draft 4 a list of ``items``)."""
    lists = (part.node.get(keyword) for part in shape.array_parts for keyword in ("prefixItems", "items"))
    return max((len(schemas) for schemas in lists if isinstance(schemas, list)), default=0)
