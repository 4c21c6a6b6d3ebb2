"""Which schemas speak of one member of an object, or of one item of an array."""

from __future__ import annotations

from mockserver.fakes.shape import Shape
from mockserver.plan import JSON, SchemaRef
from mockserver.schema.patterns import matcher
from mockserver.schema.pointers import escape


def named(shape: Shape) -> list[str]:
    """The names that its schemas mention, in their order, the ruled out ones left out."""
    names: dict[str, None] = {}
    for part in shape.object_parts:
        if isinstance(properties := part.node.get("properties"), dict):
            names.update(dict.fromkeys(properties))
    names.update(dict.fromkeys(shape.tags))
    names.update(shape.required)
    return [name for name in names if name not in shape.forbidden]


def member(shape: Shape, name: str) -> tuple[SchemaRef, ...] | None:
    """The schemas of the member ``name``; None if it is ruled out."""
    if name in shape.forbidden:
        return None
    refs: list[SchemaRef] = []
    is_evaluated = False
    for part in shape.object_parts:
        own = [f"{part.ref}/{each}" for each in _declared(part.node, name)]
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
    """Whether members without a fixed name are described, and so expected."""
    return any(
        isinstance(part.node.get("additionalProperties"), dict) or "patternProperties" in part.node
        for part in shape.object_parts
    )


def name_patterns(shape: Shape) -> list[str]:
    """Patterns of ``patternProperties``, for names to be made from."""
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
        found += [f"patternProperties/{escape(each)}" for each in patterned if matcher(each)(name)]
    return found


def item(shape: Shape, index: int) -> tuple[SchemaRef, ...] | None:
    """The schemas of the item at ``index``; None if there can be none."""
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
    """How many items have schemas of their own (``prefixItems``, in Draft 4 a list of ``items``)."""
    lists = (part.node.get(keyword) for part in shape.array_parts for keyword in ("prefixItems", "items"))
    return max((len(each) for each in lists if isinstance(each, list)), default=0)
