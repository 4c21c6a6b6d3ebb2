"""A schema with everything that it refers to, as one self-contained schema of its own dialect.

In requests ``readOnly`` properties are left out, in responses ``writeOnly`` properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct, field

from mockserver.jsonschema.discriminators import IMPOSSIBLE, Discriminators
from mockserver.jsonschema.formats import within_range
from mockserver.jsonschema.keywords import IN_PLACE, MOST, is_draft_4, is_nullable, keywords, spreads_too_far
from mockserver.jsonschema.patterns import BACKTRACKING, backtracks, strict
from mockserver.jsonschema.references import References, SchemaError, escape
from mockserver.plan import JSON, Dialect, SchemaRef

Names = frozenset[str]
NONE: Names = frozenset()
_DEEPEST = 8


class Hiding:
    """What the schemas of one document hide by one keyword."""

    def __init__(self, references: References, flag: str, *, draft_4: bool) -> None:
        """``flag``: readOnly or writeOnly."""
        self._references = references
        self._flag = flag
        self._draft_4 = draft_4
        self._known: dict[SchemaRef, Names] = {}

    def of(self, ref: SchemaRef) -> Names:
        """The properties that the schema at ``ref`` hides."""
        place = self._references.follow(ref)
        return self.names(place.ref, place.node) if isinstance(place.node, dict) else NONE

    def names(self, at: SchemaRef, node: dict[str, JSON]) -> Names:
        """The properties that a schema, or a part of its ``allOf``, hides."""
        known = self._known.get(at)
        if known is not None:
            return known
        self._known[at] = NONE  # ends a ring of allOf
        names: set[str] = set()
        if isinstance(properties := node.get("properties"), dict):
            under = f"{at}/properties"
            names.update(
                name for name, each in properties.items() if self._is_flagged(f"{under}/{escape(name)}", each)
            )
        if isinstance(parts := node.get("allOf"), list):
            for i in range(len(parts)):
                names |= self.of(f"{at}/allOf/{i}")
        if not self._draft_4 and isinstance(node.get("$ref"), str):
            names |= self.of(self._references.resolve(at, node["$ref"]))
        found = self._known[at] = frozenset(names) if names else NONE
        return found

    def _is_flagged(self, at: SchemaRef, node: JSON, depth: int = 0) -> bool:
        if not isinstance(node, dict) or depth > _DEEPEST:
            return False
        if node.get(self._flag) is True:
            return True
        if isinstance(target := node.get("$ref"), str):
            place = self._references.follow(self._references.resolve(at, target))
            return self._is_flagged(place.ref, place.node, depth + 1)
        parts = node.get("allOf")
        return isinstance(parts, list) and any(
            self._is_flagged(f"{at}/allOf/{i}", part, depth + 1) for i, part in enumerate(parts)
        )


Direction = Literal["request", "response"]
FLAGS: dict[Direction, str] = {"request": "readOnly", "response": "writeOnly"}
"""The keyword that hides a property from a direction."""
Reading = Literal["meant", "plain", "loose", "forgiving"]
"""As OpenAPI means it; without discriminators; without formats too; with what a client may be forgiven:
hidden properties are passed over, and formats read as people write them.
"""
REFUSE_NULL = frozenset(("allOf", "anyOf", "oneOf", "not"))
"""Beside these, admitting null to ``type`` is not enough to admit it."""
PINNED = "discriminator of branches"
"""Among the keywords of a definition: that one of its discriminators chooses among branches."""
_FRAGILE = frozenset(("oneOf", "not", "if", "maxContains"))
"""Under these, a part that asserts more may let the whole assert less."""


class Definition(Struct, eq=False):
    """One schema of the document, transformed."""

    name: str
    source: SchemaRef
    hidden: Names
    """Properties that an enclosing ``allOf`` or the like hides."""
    inner: bool = False
    """Whether this is the part of a nullable schema that is not about null."""
    schema: JSON = None
    resource: str = ""
    """Base URI of the JSON Schema resource, where dynamic references are about."""
    anchor: str = ""
    needs: list[Definition] = field(default_factory=list)
    keywords: set[str] = field(default_factory=set)
    """All that are used in it."""


class Bundle(Struct, frozen=True):
    """A self-contained schema, and the source of each of its definitions."""

    schema: JSON
    sources: dict[str, SchemaRef]
    readings: tuple[Reading, ...] = ()
    """The other readings that may come to other verdicts, ``forgiving`` apart."""
    may_forgive: bool = False
    """Whether the forgiving reading may take more."""
    patterns: tuple[str, ...] = ()
    """Those that backtrack. They stand in the schema as formats, so that it is known what they take."""


class _DynamicError(Exception):
    """A ``$dynamicRef`` was met by a closure that is not laid out for it."""


class Bundler:
    """Bundles for one direction and reading of one document. Definitions are kept between bundles."""

    def __init__(
        self,
        references: References,
        dialect: Dialect,
        direction: Direction,
        reading: Reading = "meant",
        *,
        forgiving: bool = False,
    ) -> None:
        self._references = references
        self._forgiving = forgiving
        self._passed_over: set[SchemaRef] = set()
        self._reading: Reading = reading
        self._discriminators = Discriminators(references)
        self._dialect = dialect
        self._draft_4 = is_draft_4(dialect)
        self._takes_null = direction == "request"
        self._keywords = keywords(dialect)
        self.hiding = Hiding(references, FLAGS[direction], draft_4=self._draft_4)
        self._container = "definitions" if self._draft_4 else "$defs"
        self._definitions: dict[tuple[SchemaRef, Names, bool, str], Definition] = {}
        self._resources: dict[str, str] = {}
        self._measured: set[str] = set()
        """Names of definitions that do not spread too far."""
        self._dynamic = False
        self._transform: dict[str, Callable[[SchemaRef, JSON, Names, Definition], JSON]] = {
            "schema": self._schema,
            "list": self._list,
            "map": self._map,
            "items": lambda *args: (self._list if isinstance(args[1], list) else self._schema)(*args),
            "dependencies": self._map,
        }

    def bundle(self, ref: SchemaRef) -> Bundle:
        """Raises SchemaError where a schema that is reached is malformed or does not exist."""
        try:
            return self._bundle(ref)
        except _DynamicError:
            self._dynamic = True
            self._definitions.clear()
            self._measured.clear()
            return self._bundle(ref)
        except RecursionError:
            raise SchemaError(ref, "the schema is nested too deeply") from None

    def pass_over(self, ref: SchemaRef) -> None:
        """Leave the keyword or schema at ``ref`` out of bundles; where it is out, what it is in."""
        while ref in self._passed_over and not ref.endswith("#"):
            ref = ref.rpartition("/")[0]
        self._passed_over.add(ref)
        self._definitions.clear()
        self._measured.clear()

    def anything(self, ref: SchemaRef) -> Bundle:
        """The bundle of a schema that cannot be used at all: it takes every value."""
        return Bundle({"$ref": f"#/{self._container}/s0", self._container: {"s0": {}}}, {"s0": ref})

    def _bundle(self, ref: SchemaRef) -> Bundle:
        root = self._define(ref, NONE)
        reached: dict[str, Definition] = {}
        stack = [root]
        while stack:
            definition = stack.pop()
            if definition.name not in reached:
                reached[definition.name] = definition
                if definition.schema is None:
                    self._fill(definition)
                stack.extend(definition.needs)
        self._measure(reached)
        sources = {each.name: each.source for each in reached.values()}
        used = set().union(*(each.keywords for each in reached.values()))
        schema = {"$ref": self._link(root), self._container: self._layout(reached)}
        may_forgive = not used.isdisjoint(("format", *FLAGS.values()))
        patterns = (each.removeprefix(BACKTRACKING) for each in used if each.startswith(BACKTRACKING))
        return Bundle(schema, sources, _other_readings(used), may_forgive, tuple(patterns))

    def _measure(self, reached: dict[str, Definition]) -> None:
        """Refuse a schema that comes to more than can be judged."""
        for each in reached.values():
            if each.name not in self._measured and spreads_too_far(
                each.schema, lambda link: reached[link.rpartition("/")[2]].schema
            ):
                detail = (
                    f"over {MOST:,} schemas apply to one value, through allOf, oneOf, anyOf and their $refs"
                )
                raise SchemaError(each.source, detail)
            self._measured.add(each.name)

    def _layout(self, reached: dict[str, Definition]) -> dict[str, JSON]:
        if not self._dynamic:
            return {each.name: each.schema for each in reached.values()}
        # Dynamic scope runs over schema resources, so each source resource stays one of its own
        resources: dict[str, JSON] = {}
        for each in reached.values():
            name = self._resources[each.resource]
            group = resources.setdefault(name, {"$id": f"urn:{name}", "$defs": {}})
            anchored = {"$dynamicAnchor": each.anchor, **each.schema} if each.anchor else each.schema
            group["$defs"][each.name] = anchored
        return resources

    def _link(self, definition: Definition) -> str:
        base = f"urn:{self._resources[definition.resource]}" if self._dynamic else ""
        return f"{base}#/{self._container}/{definition.name}"

    def _define(self, ref: SchemaRef, hidden: Names, *, inner: bool = False, anchor: str = "") -> Definition:
        place = self._references.follow(ref)
        key = (place.ref, hidden, inner, anchor)
        definition = self._definitions.get(key)
        if definition is None:
            name = f"s{len(self._definitions)}"
            definition = Definition(name, place.ref, hidden, inner, None, place.base, anchor)
            self._definitions[key] = definition
            if self._dynamic and place.base not in self._resources:
                self._resources[place.base] = f"resource-{len(self._resources)}"
        return definition

    def _fill(self, definition: Definition) -> None:
        node = self._references.place(definition.source).node
        definition.needs.clear()
        if definition.inner:
            node = {key: value for key, value in node.items() if key not in ("nullable", "x-nullable")}
        schema = self._schema(definition.source, node, definition.hidden, definition)
        if self._dynamic:
            dynamic = self._references.index.dynamic.get(definition.resource, {})
            definition.needs.extend(self._define(ref, NONE, anchor=anchor) for anchor, ref in dynamic.items())
        if isinstance(schema, bool) and definition.anchor:
            schema = {} if schema else IMPOSSIBLE
        definition.schema = schema

    def _schema(self, at: SchemaRef, node: JSON, inherited: Names, into: Definition) -> JSON:
        if isinstance(node, bool):
            return node if not self._draft_4 else {} if node else IMPOSSIBLE
        if self._passed_over and at in self._passed_over:
            return {}
        if not isinstance(node, dict):
            raise SchemaError(at, "this is not a schema")
        out: dict[str, JSON] = {}
        hidden = inherited | self.hiding.names(at, node)
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(target := node.get(keyword), str) and (keyword == "$ref" or not self._draft_4):
                out.update(self._reference(at, keyword, target, hidden, into))
        if out and self._draft_4:  # siblings of $ref are ignored
            return {"anyOf": [{"type": "null"}, out]} if self._is_forgiven_null(node) else out
        is_nullable_here = is_nullable(node, self._dialect) or self._is_forgiven_null(node)
        if is_nullable_here and not REFUSE_NULL.isdisjoint(node):
            inner = self._define(at, inherited, inner=True)
            into.needs.append(inner)
            return {"anyOf": [{"type": "null"}, {"$ref": self._link(inner)}]}
        for keyword, value in node.items():
            if self._passed_over and f"{at}/{keyword}" in self._passed_over:
                continue
            kind = self._keywords.get(keyword)
            if kind == "value" or (isinstance(value, bool) and keyword.startswith("additional")):
                out[keyword] = value
            elif kind is not None:
                passed = hidden if keyword in IN_PLACE else NONE
                out[keyword] = self._transform[kind](f"{at}/{keyword}", value, passed, into)
        into.keywords.update(node)
        self._settle(node, out, hidden)
        if isinstance(pattern := out.get("pattern"), str) and backtracks(pattern):
            _account_for(pattern, out, into)
        if "discriminator" in node and self._reading in ("meant", "forgiving"):
            self._pin(at, node, out, into)
        return out

    def _is_forgiven_null(self, node: dict[str, JSON]) -> bool:
        """Whether ``nullable`` stands where the dialect gives it no meaning: requests may hold null then."""
        return self._takes_null and node.get("nullable") is True

    def _pin(self, at: SchemaRef, node: dict[str, JSON], out: dict[str, JSON], into: Definition) -> None:
        """Let each branch take only what the discriminator means for it."""
        for keyword in ("oneOf", "anyOf"):
            discriminator = self._discriminators.find(at, node, keyword)
            if discriminator is None:
                continue
            into.keywords.add(PINNED)
            for i, branch in enumerate(out[keyword]):
                pin = discriminator.pin(i)
                if pin is not None and self._draft_4:
                    out[keyword][i] = {"allOf": [branch, pin]}
                elif pin is not None:
                    out[keyword][i] = {**branch, "allOf": [*branch.get("allOf", ()), pin]}

    def _list(self, at: SchemaRef, nodes: JSON, hidden: Names, into: Definition) -> JSON:
        if not isinstance(nodes, list):
            return nodes  # malformed: the meta-schema tells
        return [self._schema(f"{at}/{i}", node, hidden, into) for i, node in enumerate(nodes)]

    def _map(self, at: SchemaRef, nodes: JSON, hidden: Names, into: Definition) -> JSON:
        if not isinstance(nodes, dict):
            return nodes
        return {
            name: each if isinstance(each, list) else self._schema(f"{at}/{escape(name)}", each, hidden, into)
            for name, each in nodes.items()
        }

    def _reference(
        self, at: SchemaRef, keyword: str, target: str, hidden: Names, into: Definition
    ) -> Iterator[tuple[str, str]]:
        try:
            ref = self._references.resolve(at, target)
            self._references.follow(ref)
        except SchemaError:
            if self._forgiving:
                return
            raise
        anchor = target.partition("#")[2]
        if keyword == "$dynamicRef":
            place = self._references.place(ref)
            if self._references.index.dynamic.get(place.base, {}).get(anchor) == place.ref:
                if not self._dynamic:
                    raise _DynamicError
                definition = self._define(ref, NONE, anchor=anchor)
                into.needs.append(definition)
                yield "$dynamicRef", f"urn:{self._resources[definition.resource]}#{anchor}"
                return
        definition = self._define(ref, hidden)
        into.needs.append(definition)
        yield "$ref", self._link(definition)

    def _settle(self, node: dict[str, JSON], out: dict[str, JSON], hidden: Names) -> None:
        """What the keywords of OpenAPI itself do to those of JSON Schema."""
        if hidden:
            if isinstance(out.get("properties"), dict):
                instead: JSON = {} if self._reading == "forgiving" else IMPOSSIBLE
                out["properties"] = {
                    name: instead if name in hidden else each for name, each in out["properties"].items()
                }
            if isinstance(required := out.get("required"), list):
                out["required"] = [name for name in required if name not in hidden]
        if self._draft_4:
            if out.get("required") == []:
                del out["required"]
            if out.get("type") == "file":  # 2.0's response and form data
                out["type"] = "string"
        if is_nullable(node, self._dialect) or self._is_forgiven_null(node):
            _admit_null(out)
        if self._reading == "loose":
            out.pop("format", None)
        within_range(out, draft_4=self._draft_4)
        if isinstance(pattern := out.get("pattern"), str):
            out["pattern"] = strict(pattern)
        if isinstance(patterned := out.get("patternProperties"), dict):
            out["patternProperties"] = {strict(name): each for name, each in patterned.items()}


def _account_for(pattern: str, schema: dict[str, JSON], into: Definition) -> None:
    """Let a pattern that backtracks be run as a format, which is on the account of the request."""
    name = BACKTRACKING + pattern
    both = schema.get("allOf", [])
    if "format" in schema and not isinstance(both, list):
        return  # malformed: the meta-schema tells
    del schema["pattern"]
    if "format" in schema:
        schema["allOf"] = [*both, {"format": name}]
    else:
        schema["format"] = name
    into.keywords.add(name)


def _other_readings(used: set[str]) -> tuple[Reading, ...]:
    """Those that may come to another verdict on a schema of these keywords."""
    plain: tuple[Reading, ...] = ("plain",) if PINNED in used else ()
    return (*plain, "loose") if "format" in used and not _FRAGILE.isdisjoint(used) else plain


def _admit_null(schema: dict[str, JSON]) -> None:
    """Add null to ``type``, and (read leniently, as authors mean it) to ``enum``."""
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind, "null"] if kind != "null" else kind
    elif isinstance(kind, list) and "null" not in kind:
        schema["type"] = [*kind, "null"]
    if isinstance(options := schema.get("enum"), list) and None not in options:
        schema["enum"] = [*options, None]
