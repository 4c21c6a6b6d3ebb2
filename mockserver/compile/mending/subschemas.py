"""Keywords that hold schemas: one, a list or a map of them; and what newer versions say by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mockserver.compile.mending.keywords import Rule
from mockserver.compile.mending.patterns import all_run
from mockserver.compile.mending.table import At, kind, link
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.compile.mending.schemas import Schemas

Node = dict[str, Any]

CHILD = frozenset(
    (
        *("not", "additionalProperties", "items", "if", "then", "else", "contains", "propertyNames"),
        *("unevaluatedItems", "unevaluatedProperties", "additionalItems", "contentSchema"),
    )
)
LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
MAPS = frozenset(
    ("properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies")
)

_UNSAID = ("passed over", "what that version has")


def _child(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value = node[keyword]
    if type(value) is dict or type(value) is bool:
        if type(value) is bool and schemas.draft_4 and not keyword.startswith("additional"):
            schemas.whole(node, keyword, (at, keyword))
        return
    place = (at, keyword)
    if keyword == "items" and isinstance(value, list):
        _items(schemas, node, value, place)
    elif keyword.startswith(("additional", "unevaluated")) and str(value).lower() in ("true", "false"):
        node[keyword] = str(value).lower() == "true"
        schemas.tell("as", place, f"`{keyword}`", kind(value), assumed=(str(value).lower(),))
    elif keyword in ("items", "additionalProperties") and isinstance(value, str):
        schemas.whole(node, keyword, place)
    else:
        schemas.drop(node, keyword, at)


def _items(schemas: Schemas, node: Node, value: list[JSON], place: At) -> None:
    if id(value) in schemas.moved:
        return
    _members(schemas, value, place)
    if not value:
        schemas.tell("keyword", place, "`items`", "an empty list")
        del node["items"]
    elif schemas.draft_4:
        schemas.tell(
            "other",
            place,
            "a list of items",
            schemas.dialect,
            assumed=("read as Draft 4 means it", "one schema"),
        )
    else:
        schemas.tell("older", place, "items", "a list", assumed=("prefixItems",))
        node.setdefault("prefixItems", value)
        del node["items"]
        if isinstance(rest := node.pop("additionalItems", None), (dict, bool)):
            node["items"] = rest


def _members(schemas: Schemas, value: list[JSON], place: At) -> None:
    """The schemas of a list; what is none goes."""
    for i in reversed(range(len(value))):
        if type(value[i]) is dict:
            continue
        if isinstance(value[i], bool):
            schemas.whole(value, i, (place, i))
        else:
            schemas.tell("no schema", (place, i), f"item {i}", kind(value[i]))
            del value[i]


def _list(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value, place = node[keyword], (at, keyword)
    if isinstance(value, dict) and value:
        node[keyword] = value = [value]
        schemas.tell("as", place, f"`{keyword}`", "a mapping", assumed=("a list of one schema",))
    if not isinstance(value, list):
        schemas.drop(node, keyword, at)
        return
    _members(schemas, value, place)
    if not value:
        schemas.tell("keyword", place, f"`{keyword}`", "a list of no schemas")
        del node[keyword]


def _map(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value, place = node[keyword], (at, keyword)
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = _by_name(value)
        if value is not None:
            node[keyword] = value
            schemas.tell("as", place, f"`{keyword}`", "a list", assumed=("a mapping of its names",))
    if not isinstance(value, dict):
        schemas.drop(node, keyword, at)
        return
    if isinstance(value.get("$ref"), str):
        value = node[keyword] = _spread(schemas, value, place)
    for name, each in list(value.items()):
        if type(each) is not dict and (schemas.draft_4 or type(each) is not bool):
            schemas.whole(value, name, (place, name))
    if keyword == "patternProperties":
        broken = [name for name in value if not all_run([name])]
        for name in broken:
            schemas.tell("pattern", (place, name), name, key=True)
            del value[name]


def _spread(schemas: Schemas, value: Node, place: At) -> Node:
    """Properties that are those of another schema, or of another mapping."""
    found = schemas.references.find(value, "schema", place)
    beside = {name: each for name, each in value.items() if name != "$ref"}
    if found is None or not isinstance(found.node, dict):
        return beside
    schemas.tell("reference place", place, "properties")
    there, at = found.node, found.at
    if isinstance(inner := there.get("properties"), dict):
        there, at = inner, (at, "properties")
    return {**{name: {"$ref": link((at, name))} for name in there if name != "$ref"}, **beside}


def _discriminator(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated, place = node[keyword], (at, keyword)
    if schemas.dialect == "2.0":
        if isinstance(stated, str):
            return
        name = stated.get("propertyName") if isinstance(stated, dict) else None
        if isinstance(name, str):
            node[keyword] = name
            schemas.tell("newer", place, "a discriminator that is a mapping", schemas.dialect)
        else:
            schemas.drop(node, keyword, at)
    elif isinstance(stated, str):
        node[keyword] = {"propertyName": stated}
        schemas.tell("older", place, "the discriminator", "a text", assumed=("propertyName below it",))
    elif not isinstance(stated, dict) or not isinstance(stated.get("propertyName"), str):
        schemas.drop(node, keyword, at)
    elif "mapping" in stated:
        mapping = stated["mapping"]
        good = isinstance(mapping, dict) and all(isinstance(each, str) for each in mapping.values())
        if not good:
            schemas.drop(stated, "mapping", place)


def _newer_child(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    """Keywords of 2020-12, which Draft 4 says in other words."""
    _child(schemas, node, keyword, at)
    if not schemas.draft_4 or keyword not in node:
        return
    if keyword == "propertyNames" or keyword.startswith("unevaluated"):
        schemas.tell("other", (at, keyword), keyword, schemas.dialect, assumed=_UNSAID)
        return
    schemas.tell("newer", (at, keyword), keyword, schemas.dialect)
    if keyword == "contains":
        parts = node.setdefault("allOf", [])
        if isinstance(parts, list):
            parts.append({"not": {"type": "array", "items": {"not": node[keyword]}}})
    elif keyword == "if":
        _if(node)


def _if(node: Node) -> None:
    condition = node["if"]
    for keyword, guard in (("then", {"not": condition}), ("else", condition)):
        if isinstance(node.get(keyword), dict):
            parts = node.setdefault("allOf", [])
            if isinstance(parts, list):
                parts.append({"anyOf": [guard, node[keyword]]})


def _prefix(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    _list(schemas, node, keyword, at)
    if schemas.draft_4 and keyword in node:
        schemas.tell("newer", (at, keyword), keyword, schemas.dialect)
        rest = node.pop("items", None)
        node["items"] = node.pop(keyword)
        schemas.moved.add(id(node["items"]))
        if isinstance(rest, (dict, bool)):
            node["additionalItems"] = rest


def _newer_map(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    _map(schemas, node, keyword, at)
    if schemas.draft_4 and keyword in node:
        schemas.tell("newer", (at, keyword), keyword, schemas.dialect)
        if keyword == "dependentSchemas":
            node["dependencies"] = {**node.pop(keyword), **node.get("dependencies", {})}


def _dependent(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if not isinstance(stated, dict):
        schemas.drop(node, keyword, at)
        return
    for name, each in list(stated.items()):
        is_list = isinstance(each, list) and all(isinstance(one, str) for one in each)
        if not is_list and (keyword == "dependentRequired" or not isinstance(each, dict)):
            schemas.drop(stated, name, (at, keyword))
        elif is_list:
            stated[name] = list(dict.fromkeys(each))
    if keyword == "dependentRequired" and schemas.draft_4:
        schemas.tell("newer", (at, keyword), keyword, schemas.dialect)
        node["dependencies"] = {**node.pop(keyword), **node.get("dependencies", {})}


def _by_name(values: list[Node]) -> Node | None:
    names = [each.get("name") for each in values]
    if not all(isinstance(each, str) for each in names):
        return None
    return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in values}


SUBSCHEMAS: Mapping[str, Rule] = {
    **dict.fromkeys(("items", "not", "additionalProperties", "additionalItems"), _child),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _list),
    **dict.fromkeys(("properties", "definitions"), _map),
    "discriminator": _discriminator,
    **dict.fromkeys(CHILD - {"items", "not", "additionalProperties", "additionalItems"}, _newer_child),
    "prefixItems": _prefix,
    **dict.fromkeys(("patternProperties", "dependentSchemas", "$defs"), _newer_map),
    **dict.fromkeys(("dependentRequired", "dependencies"), _dependent),
}
"""The rule of each keyword."""
