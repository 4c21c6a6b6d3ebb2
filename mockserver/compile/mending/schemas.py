"""The walk through schemas: each once, its keywords by their rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mockserver.compile.mending.keywords import MEANT, TYPES, VALUES, Rule
from mockserver.compile.mending.patterns import all_run
from mockserver.compile.mending.references import Found, References
from mockserver.compile.mending.subschemas import CHILD, LISTS, MAPS, SUBSCHEMAS
from mockserver.compile.mending.table import At, Findings, kind
from mockserver.plan import JSON, Dialect
from mockserver.schema.keywords import is_draft_4

Node = dict[str, Any]
Follow = Callable[[str, Node, At, Found], None]

_PAIRS = tuple((f"min{each}", f"max{each}") for each in ("Length", "Items", "Properties"))
_LOWS = ("minimum", "exclusiveMinimum")
_HIGHS = ("maximum", "exclusiveMaximum")
_BOUNDED = frozenset((*_HIGHS, *(high for _, high in _PAIRS)))
"""Of two bounds that contradict each other, one is of these."""
_RULES: Mapping[str, Rule] = {**VALUES, **SUBSCHEMAS}
_PASSED = frozenset(
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
        """``kinds`` has what each object has been read as; ``follow`` is told of each reference."""
        self.dialect = dialect
        self.draft_4 = is_draft_4(dialect)
        self.references = references
        self.tell = findings.tell
        self.patterns: list[tuple[Node, str, At]] = []
        self.moved: set[int] = set()
        """Of lists that stand under another keyword than they were written under."""
        self._seen: set[int] = set()
        self._kinds = kinds
        self._follow = follow

    def whole(self, holder: Any, key: Any, at: At) -> JSON:
        """The schema under ``key``; where there is none, one that takes any value stands there now."""
        node = holder[key]
        if isinstance(node, dict) or (isinstance(node, bool) and not self.draft_4):
            return node
        if isinstance(node, bool):
            holder[key] = {} if node else {"not": {}}
            self.tell("newer", at, f"the schema {str(node).lower()}", self.dialect)
            return holder[key]
        if isinstance(node, str) and (node in TYPES or node.lower() in MEANT):
            holder[key] = {"type": node}
            self.tell("as", at, f"`{at[1]}`", kind(node), assumed=(f"the type {node}",))
        else:
            holder[key] = {}
            self.tell("no schema", at, f"`{at[1]}`", kind(node))
        return holder[key]

    def walk(self, root: JSON, at: At) -> None:
        """Mend a schema, and every schema that it holds or refers to."""
        pending: list[tuple[JSON, At]] = [(root, at)]
        while pending:
            node, place = pending.pop()
            if type(node) is not dict or id(node) in self._seen:
                continue
            self._seen.add(id(node))
            self._kinds[id(node)] = "schema"
            if "$ref" in node and not self._refer(node, place):
                continue
            for keyword in list(node):
                rule = _RULES.get(keyword)
                if rule is not None:
                    if keyword in node:
                        rule(self, node, keyword, place)
                elif keyword not in _PASSED and self.draft_4 and keyword[:2] != "x-":
                    self._unknown(node, keyword, place)
            if not _BOUNDED.isdisjoint(node):
                self._pairs(node, place)
            self._push(node, place, pending)

    def mixed(self, node: Node, keywords: Iterable[str], at: At) -> None:
        """Mend the schema that 2.0 mixes into another object: these keywords of it."""
        for keyword in keywords:
            if keyword in node and keyword in _RULES:
                _RULES[keyword](self, node, keyword, at)
        self._pairs(node, at)
        if isinstance(items := node.get("items"), dict):
            self.walk(items, (at, "items"))

    def finish(self) -> None:
        """Judge what is judged together: patterns, which compile in one go where nothing is wrong."""
        texts = list(dict.fromkeys(node[key] for node, key, _ in self.patterns))
        if not texts or all_run(texts):
            return
        broken = {text for text in texts if not all_run([text])}
        for node, key, at in self.patterns:
            text = node.get(key)
            if text in broken:
                self.tell("pattern", (at, key), text)
                del node[key]

    def _refer(self, node: Node, at: At) -> bool:
        """Whether the keywords beside a reference count."""
        if not isinstance(node["$ref"], str):
            self.drop(node, "$ref", at)
            return True
        found = self.references.find(node, "schema", at)
        if found is None:
            del node["$ref"]
            return True
        if not found.is_left:
            if isinstance(found.node, dict):
                self._follow("schema", node, at, found)
            elif not isinstance(found.node, bool) or self.draft_4:
                self.tell("no schema", at, f"$ref {node['$ref']!r}", kind(found.node))
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
                    place = (at, keyword)
                    pending.extend((each, (place, i)) for i, each in enumerate(value))
            elif keyword in MAPS and isinstance(value, dict):
                place = (at, keyword)
                self._kinds[id(value)] = "map"
                pending.extend((each, (place, name)) for name, each in value.items())
            elif keyword in LISTS:
                place = (at, keyword)
                pending.extend((each, (place, i)) for i, each in enumerate(value))
        stack.extend(reversed(pending))

    def drop(self, node: Node, keyword: str, at: At) -> None:
        self.tell("keyword", (at, keyword), f"`{keyword}`", kind(node[keyword]))
        del node[keyword]

    def _unknown(self, node: Node, keyword: str, at: At) -> None:
        place = (at, keyword)
        self.tell("key", place, "schema", keyword, key=True)
        if not self.references.is_target(place):
            del node[keyword]

    def _pairs(self, node: Node, at: At) -> None:
        """Bounds of which no value keeps both."""
        for low, high in _PAIRS:
            if low in node and high in node and node[low] > node[high]:
                self.tell("bounds", at, f"{low} {node[low]} is more than {high} {node[high]}")
                del node[low], node[high]
        lows = [(node[each], each) for each in _LOWS if type(node.get(each)) in (int, float)]
        highs = [(node[each], each) for each in _HIGHS if type(node.get(each)) in (int, float)]
        if not lows or not highs:
            return
        (low, lower), (high, upper) = max(lows), min(highs)
        is_open = not (lower == "minimum" and upper == "maximum")
        if node.get("exclusiveMinimum") is True and lower == "minimum":
            lower, is_open = "exclusiveMinimum", True
        if node.get("exclusiveMaximum") is True and upper == "maximum":
            upper, is_open = "exclusiveMaximum", True
        if low > high:
            self.tell("bounds", at, f"{lower} {low} is more than {upper} {high}")
        elif low == high and is_open:
            self.tell("bounds", at, f"{lower} {low} and {upper} {high} leave no number between them")
        else:
            return
        for each in (*_LOWS, *_HIGHS):
            node.pop(each, None)
