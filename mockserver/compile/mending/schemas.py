"""Walk through schemas, and apply the rules of their keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mockserver.compile.mending.keywords import TYPE_ALIASES, VALUES, Rule, are_valid_patterns
from mockserver.compile.mending.references import Found, References
from mockserver.compile.mending.table import At, Findings, kind, link
from mockserver.jsonschema.keywords import TYPES, is_draft_4
from mockserver.plan import JSON, Dialect

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

_UNSUPPORTED = ("passed over", "what that version has")


def _child(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value = node[keyword]
    if type(value) is dict or type(value) is bool:
        if type(value) is bool and schemas.draft_4 and not keyword.startswith("additional"):
            schemas.ensure_schema(node, keyword, (at, keyword))
        return
    target_at = (at, keyword)
    if keyword == "items" and isinstance(value, list):
        _items(schemas, node, value, target_at)
    elif keyword.startswith(("additional", "unevaluated")) and str(value).lower() in ("true", "false"):
        node[keyword] = str(value).lower() == "true"
        schemas.report("as", target_at, f"`{keyword}`", kind(value), assumed=(str(value).lower(),))
    elif keyword in ("items", "additionalProperties") and isinstance(value, str):
        schemas.ensure_schema(node, keyword, target_at)
    else:
        schemas.drop(node, keyword, at)


def _items(schemas: Schemas, node: Node, value: list[JSON], target_at: At) -> None:
    if id(value) in schemas.moved:
        return
    _members(schemas, value, target_at)
    if not value:
        schemas.report("keyword", target_at, "`items`", "an empty list")
        del node["items"]
    elif schemas.draft_4:
        schemas.report(
            "other",
            target_at,
            "a list of items",
            schemas.dialect,
            assumed=("read as Draft 4 means it", "one schema"),
        )
    else:
        schemas.report("older", target_at, "items", "a list", assumed=("prefixItems",))
        node.setdefault("prefixItems", value)
        del node["items"]
        if isinstance(rest := node.pop("additionalItems", None), (dict, bool)):
            node["items"] = rest


def _members(schemas: Schemas, value: list[JSON], target_at: At) -> None:
    """Drop items of a list that are not schemas."""
    for i in reversed(range(len(value))):
        if type(value[i]) is dict:
            continue
        if isinstance(value[i], bool):
            schemas.ensure_schema(value, i, (target_at, i))
        else:
            schemas.report("no schema", (target_at, i), f"item {i}", kind(value[i]))
            del value[i]


def _list(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value, target_at = node[keyword], (at, keyword)
    if isinstance(value, dict) and value:
        node[keyword] = value = [value]
        schemas.report("as", target_at, f"`{keyword}`", "a mapping", assumed=("a list of one schema",))
    if not isinstance(value, list):
        schemas.drop(node, keyword, at)
        return
    _members(schemas, value, target_at)
    if not value:
        schemas.report("keyword", target_at, f"`{keyword}`", "a list of no schemas")
        del node[keyword]


def _map(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    value, target_at = node[keyword], (at, keyword)
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = _by_name(value)
        if value is not None:
            node[keyword] = value
            schemas.report("as", target_at, f"`{keyword}`", "a list", assumed=("a mapping of its names",))
    if not isinstance(value, dict):
        schemas.drop(node, keyword, at)
        return
    if isinstance(value.get("$ref"), str):
        value = node[keyword] = _expand(schemas, value, target_at)
    for name, schema in list(value.items()):
        if type(schema) is not dict and (schemas.draft_4 or type(schema) is not bool):
            schemas.ensure_schema(value, name, (target_at, name))
    if keyword == "patternProperties":
        broken = [name for name in value if not are_valid_patterns([name])]
        for name in broken:
            schemas.report("pattern", (target_at, name), name, key=True)
            del value[name]


def _expand(schemas: Schemas, value: Node, target_at: At) -> Node:
    """Replace properties with a ``$ref`` by references to the properties of the target."""
    found = schemas.references.find(value, "schema", target_at)
    beside = {name: schema for name, schema in value.items() if name != "$ref"}
    if found is None or not isinstance(found.node, dict):
        return beside
    schemas.report("reference place", target_at, "properties")
    there, at = found.node, found.at
    if isinstance(inner := there.get("properties"), dict):
        there, at = inner, (at, "properties")
    return {**{name: {"$ref": link((at, name))} for name in there if name != "$ref"}, **beside}


def _discriminator(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated, target_at = node[keyword], (at, keyword)
    if schemas.dialect == "2.0":
        if isinstance(stated, str):
            return
        name = stated.get("propertyName") if isinstance(stated, dict) else None
        if isinstance(name, str):
            node[keyword] = name
            schemas.report("newer", target_at, "a discriminator that is a mapping", schemas.dialect)
        else:
            schemas.drop(node, keyword, at)
    elif isinstance(stated, str):
        node[keyword] = {"propertyName": stated}
        schemas.report("older", target_at, "the discriminator", "a text", assumed=("propertyName below it",))
    elif not isinstance(stated, dict) or not isinstance(stated.get("propertyName"), str):
        schemas.drop(node, keyword, at)
    elif "mapping" in stated:
        mapping = stated["mapping"]
        good = isinstance(mapping, dict) and all(isinstance(ref, str) for ref in mapping.values())
        if not good:
            schemas.drop(stated, "mapping", target_at)


def _newer_child(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    """Mend a keyword of 2020-12. For Draft 4, rewrite it with keywords of Draft 4."""
    _child(schemas, node, keyword, at)
    if not schemas.draft_4 or keyword not in node:
        return
    if keyword == "propertyNames" or keyword.startswith("unevaluated"):
        schemas.report("other", (at, keyword), keyword, schemas.dialect, assumed=_UNSUPPORTED)
        return
    schemas.report("newer", (at, keyword), keyword, schemas.dialect)
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


def _prefix_items(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    _list(schemas, node, keyword, at)
    if schemas.draft_4 and keyword in node:
        schemas.report("newer", (at, keyword), keyword, schemas.dialect)
        rest = node.pop("items", None)
        node["items"] = node.pop(keyword)
        schemas.moved.add(id(node["items"]))
        if isinstance(rest, (dict, bool)):
            node["additionalItems"] = rest


def _newer_map(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    _map(schemas, node, keyword, at)
    if schemas.draft_4 and keyword in node:
        schemas.report("newer", (at, keyword), keyword, schemas.dialect)
        if keyword == "dependentSchemas":
            node["dependencies"] = {**node.pop(keyword), **node.get("dependencies", {})}


def _dependencies(schemas: Schemas, node: Node, keyword: str, at: At) -> None:
    stated = node[keyword]
    if not isinstance(stated, dict):
        schemas.drop(node, keyword, at)
        return
    for name, dependency in list(stated.items()):
        is_list = isinstance(dependency, list) and all(isinstance(name, str) for name in dependency)
        if not is_list and (keyword == "dependentRequired" or not isinstance(dependency, dict)):
            schemas.drop(stated, name, (at, keyword))
        elif is_list:
            stated[name] = list(dict.fromkeys(dependency))
    if keyword == "dependentRequired" and schemas.draft_4:
        schemas.report("newer", (at, keyword), keyword, schemas.dialect)
        node["dependencies"] = {**node.pop(keyword), **node.get("dependencies", {})}


def _by_name(values: list[Node]) -> Node | None:
    names = [member.get("name") for member in values]
    if not all(isinstance(name, str) for name in names):
        return None
    return {
        member["name"]: {key: value for key, value in member.items() if key != "name"} for member in values
    }


SUBSCHEMAS: Mapping[str, Rule] = {
    **dict.fromkeys(("items", "not", "additionalProperties", "additionalItems"), _child),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _list),
    **dict.fromkeys(("properties", "definitions"), _map),
    "discriminator": _discriminator,
    **dict.fromkeys(CHILD - {"items", "not", "additionalProperties", "additionalItems"}, _newer_child),
    "prefixItems": _prefix_items,
    **dict.fromkeys(("patternProperties", "dependentSchemas", "$defs"), _newer_map),
    **dict.fromkeys(("dependentRequired", "dependencies"), _dependencies),
}
"""Keyword → rule."""


Node = dict[str, Any]
Follow = Callable[[str, Node, At, Found], None]

_PAIRS = tuple((f"min{noun}", f"max{noun}") for noun in ("Length", "Items", "Properties"))
_LOWS = ("minimum", "exclusiveMinimum")
_HIGHS = ("maximum", "exclusiveMaximum")
_BOUNDED = frozenset((*_HIGHS, *(high for _, high in _PAIRS)))
"""Upper bounds. Each contradiction of bounds has one of them."""
_RULES: Mapping[str, Rule] = {**VALUES, **SUBSCHEMAS}
_IGNORED = frozenset(
    (
        "$ref",
        "default",
        "example",
        "xml",
        "externalDocs",
        "$dynamicRef",
        "$schema",
        "$id",
        "id",
        "collectionFormat",
    )
)


class Schemas:
    """Mends the schemas of one document in place."""

    def __init__(
        self,
        dialect: Dialect,
        references: References,
        findings: Findings,
        kinds: dict[int, str],
        follow: Follow,
    ) -> None:
        """``kinds`` maps identities of objects to kinds. ``follow`` is called for each reference."""
        self.dialect = dialect
        self.draft_4 = is_draft_4(dialect)
        self.references = references
        self.report = findings.report
        self.patterns: list[tuple[Node, str, At]] = []
        self.moved: set[int] = set()
        """Identities of lists that were moved to another keyword."""
        self._seen: set[int] = set()
        self._kinds = kinds
        self._follow = follow

    def ensure_schema(self, holder: Any, key: Any, at: At) -> JSON:
        """Return the schema under ``key``. Replaces other values with a schema that accepts any value."""
        node = holder[key]
        if isinstance(node, dict) or (isinstance(node, bool) and not self.draft_4):
            return node
        if isinstance(node, bool):
            holder[key] = {} if node else {"not": {}}
            self.report("newer", at, f"the schema {str(node).lower()}", self.dialect)
            return holder[key]
        if isinstance(node, str) and (node in TYPES or node.lower() in TYPE_ALIASES):
            holder[key] = {"type": node}
            self.report("as", at, f"`{at[1]}`", kind(node), assumed=(f"the type {node}",))
        else:
            holder[key] = {}
            self.report("no schema", at, f"`{at[1]}`", kind(node))
        return holder[key]

    def walk(self, root: JSON, at: At) -> None:
        """Mend a schema, its subschemas and the schemas that it refers to."""
        pending: list[tuple[JSON, At]] = [(root, at)]
        while pending:
            node, target_at = pending.pop()
            if type(node) is not dict or id(node) in self._seen:
                continue
            self._seen.add(id(node))
            self._kinds[id(node)] = "schema"
            if "$ref" in node and not self._refer(node, target_at):
                continue
            for keyword in list(node):
                rule = _RULES.get(keyword)
                if rule is not None:
                    if keyword in node:
                        rule(self, node, keyword, target_at)
                elif keyword not in _IGNORED and self.draft_4 and keyword[:2] != "x-":
                    self._unknown(node, keyword, target_at)
            if not _BOUNDED.isdisjoint(node):
                self._pairs(node, target_at)
            self._push(node, target_at, pending)

    def mend_mixed(self, node: Node, keywords: Iterable[str], at: At) -> None:
        """Mend these keywords of a schema that 2.0 mixes into another object."""
        for keyword in keywords:
            if keyword in node and keyword in _RULES:
                _RULES[keyword](self, node, keyword, at)
        self._pairs(node, at)
        if isinstance(items := node.get("items"), dict):
            self.walk(items, (at, "items"))

    def finish(self) -> None:
        """Check all patterns together, and drop invalid ones. One check is enough if all are valid."""
        texts = list(dict.fromkeys(node[key] for node, key, _ in self.patterns))
        if not texts or are_valid_patterns(texts):
            return
        broken = {text for text in texts if not are_valid_patterns([text])}
        for node, key, at in self.patterns:
            text = node.get(key)
            if text in broken:
                self.report("pattern", (at, key), text)
                del node[key]

    def _refer(self, node: Node, at: At) -> bool:
        """Mend the ``$ref`` of a schema. Return whether the keywords beside it apply."""
        if not isinstance(node["$ref"], str):
            self.drop(node, "$ref", at)
            return True
        found = self.references.find(node, "schema", at)
        if found is None:
            del node["$ref"]
            return True
        if not found.is_unresolved:
            if isinstance(found.node, dict):
                self._follow("schema", node, at, found)
            elif not isinstance(found.node, bool) or self.draft_4:
                self.report("no schema", at, f"$ref {node['$ref']!r}", kind(found.node))
                del node["$ref"]
                return True
        return not self.draft_4

    def _push(self, node: Node, at: At, stack: list[tuple[JSON, At]]) -> None:
        pending: list[tuple[JSON, At]] = []
        for keyword, value in node.items():
            if type(value) is not dict and type(value) is not list:
                continue
            if keyword in CHILD:
                if type(value) is dict:
                    pending.append((value, (at, keyword)))
                else:  # items of Draft 4
                    target_at = (at, keyword)
                    pending.extend((child, (target_at, i)) for i, child in enumerate(value))
            elif keyword in MAPS and isinstance(value, dict):
                target_at = (at, keyword)
                self._kinds[id(value)] = "map"
                pending.extend((child, (target_at, name)) for name, child in value.items())
            elif keyword in LISTS:
                target_at = (at, keyword)
                pending.extend((child, (target_at, i)) for i, child in enumerate(value))
        stack.extend(reversed(pending))

    def drop(self, node: Node, keyword: str, at: At) -> None:
        self.report("keyword", (at, keyword), f"`{keyword}`", kind(node[keyword]))
        del node[keyword]

    def _unknown(self, node: Node, keyword: str, at: At) -> None:
        target_at = (at, keyword)
        self.report("key", target_at, "schema", keyword, key=True)
        if not self.references.is_target(target_at):
            del node[keyword]

    def _pairs(self, node: Node, at: At) -> None:
        """Drop pairs of bounds that no value satisfies."""
        for low, high in _PAIRS:
            if low in node and high in node and node[low] > node[high]:
                self.report("bounds", at, f"{low} {node[low]} is more than {high} {node[high]}")
                del node[low], node[high]
        lows = [(node[low], low) for low in _LOWS if type(node.get(low)) in (int, float)]
        highs = [(node[high], high) for high in _HIGHS if type(node.get(high)) in (int, float)]
        if not lows or not highs:
            return
        (low, lower), (high, upper) = max(lows), min(highs)
        is_open = not (lower == "minimum" and upper == "maximum")
        if node.get("exclusiveMinimum") is True and lower == "minimum":
            lower, is_open = "exclusiveMinimum", True
        if node.get("exclusiveMaximum") is True and upper == "maximum":
            upper, is_open = "exclusiveMaximum", True
        if low > high:
            self.report("bounds", at, f"{lower} {low} is more than {upper} {high}")
        elif low == high and is_open:
            self.report("bounds", at, f"{lower} {low} and {upper} {high} leave no number between them")
        else:
            return
        for keyword in (*_LOWS, *_HIGHS):
            node.pop(keyword, None)
