"""Bundling: a schema with all schemas that it refers to, as one self-contained schema of its dialect.

Requests may not have ``readOnly`` properties, and responses no ``writeOnly`` properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct, field

from mockserver.jsonschema.discriminators import IMPOSSIBLE, Discriminators
from mockserver.jsonschema.formats import within_range
from mockserver.jsonschema.keywords import (
    IN_PLACE,
    MAX_SCHEMAS,
    is_draft_4,
    is_nullable,
    is_too_complex,
    keywords,
)
from mockserver.jsonschema.patterns import BACKTRACKING, backtracks, strict
from mockserver.jsonschema.references import References, SchemaError, escape
from mockserver.plan import JSON, Dialect, SchemaRef

Names = frozenset[str]
NONE: Names = frozenset()
_MAX_DEPTH = 8


class HiddenProperties:
    """The properties that the schemas of a document hide by readOnly or writeOnly."""

    def __init__(self, references: References, flag: str, *, draft_4: bool) -> None:
        """``flag``: readOnly or writeOnly."""
        self._references = references
        self._flag = flag
        self._draft_4 = draft_4
        self._known: dict[SchemaRef, Names] = {}

    def of(self, ref: SchemaRef) -> Names:
        """Return the properties that the schema at ``ref`` hides. Raises SchemaError."""
        location = self._references.follow(ref)
        return self.names(location.ref, location.node) if isinstance(location.node, dict) else NONE

    def names(self, at: SchemaRef, node: dict[str, JSON]) -> Names:
        """Return the properties that a schema, or a part of its ``allOf``, hides."""
        known = self._known.get(at)
        if known is not None:
            return known
        self._known[at] = NONE  # ends a cycle of allOf
        names: set[str] = set()
        if isinstance(properties := node.get("properties"), dict):
            under = f"{at}/properties"
            names.update(
                name
                for name, schema in properties.items()
                if self._is_flagged(f"{under}/{escape(name)}", schema)
            )
        if isinstance(parts := node.get("allOf"), list):
            for i in range(len(parts)):
                names |= self.of(f"{at}/allOf/{i}")
        if not self._draft_4 and isinstance(node.get("$ref"), str):
            names |= self.of(self._references.resolve(at, node["$ref"]))
        found = self._known[at] = frozenset(names) if names else NONE
        return found

    def _is_flagged(self, at: SchemaRef, node: JSON, depth: int = 0) -> bool:
        if not isinstance(node, dict) or depth > _MAX_DEPTH:
            return False
        if node.get(self._flag) is True:
            return True
        if isinstance(target := node.get("$ref"), str):
            location = self._references.follow(self._references.resolve(at, target))
            return self._is_flagged(location.ref, location.node, depth + 1)
        parts = node.get("allOf")
        return isinstance(parts, list) and any(
            self._is_flagged(f"{at}/allOf/{i}", part, depth + 1) for i, part in enumerate(parts)
        )


Direction = Literal["request", "response"]
FLAGS: dict[Direction, str] = {"request": "readOnly", "response": "writeOnly"}
"""The keyword that hides a property in a direction."""
Reading = Literal["openapi", "no_discriminator", "no_format", "forgiving"]
"""How to interpret a schema: as OpenAPI says; without discriminators; without discriminators and formats;
or forgiving, which ignores hidden properties and allows common variants of formats.
"""
REFUSE_NULL = frozenset(("allOf", "anyOf", "oneOf", "not"))
"""If a schema has one of these, adding null to ``type`` is not enough to allow null."""
HAS_BRANCH_CONSTRAINTS = "discriminator of branches"
"""Marks a definition, among its keywords, in which a discriminator constrains branches."""
_FRAGILE = frozenset(("oneOf", "not", "if", "maxContains"))
"""With these, a subschema that accepts less may let the whole schema accept more."""


class Definition(Struct, eq=False):
    """A transformed schema of the document, as a definition of bundles."""

    name: str
    source: SchemaRef
    hidden: Names
    """The properties that an enclosing schema hides, for example by ``allOf``."""
    inner: bool = False
    """Whether this is a nullable schema without its null."""
    schema: JSON = None
    resource: str = ""
    """The base URI of the JSON Schema resource, if the bundle has dynamic references."""
    anchor: str = ""
    needs: list[Definition] = field(default_factory=list)
    keywords: set[str] = field(default_factory=set)
    """All keywords in it."""


class Bundle(Struct, frozen=True):
    """A self-contained schema, and the source of each of its definitions."""

    schema: JSON
    sources: dict[str, SchemaRef]
    readings: tuple[Reading, ...] = ()
    """The other readings, except ``forgiving``, that may accept other values."""
    may_forgive: bool = False
    """Whether the forgiving reading may accept more values."""
    patterns: tuple[str, ...] = ()
    """The patterns that backtrack. In the schema they are formats, so that their work can be limited."""


class _DynamicError(Exception):
    """A ``$dynamicRef`` was found by a bundler that is not in dynamic mode."""


class Bundler:
    """Creates bundles for one direction and reading of a document. Definitions are cached.

    ``forgiving``: references that lead nowhere are ignored.
    """

    def __init__(
        self,
        references: References,
        dialect: Dialect,
        direction: Direction,
        reading: Reading = "openapi",
        *,
        forgiving: bool = False,
    ) -> None:
        self._references = references
        self._forgiving = forgiving
        self._skipped: set[SchemaRef] = set()
        self._reading: Reading = reading
        self._discriminators = Discriminators(references)
        self._dialect = dialect
        self._draft_4 = is_draft_4(dialect)
        self._takes_null = direction == "request"
        self._keywords = keywords(dialect)
        self.hidden_properties = HiddenProperties(references, FLAGS[direction], draft_4=self._draft_4)
        self._container = "definitions" if self._draft_4 else "$defs"
        self._definitions: dict[tuple[SchemaRef, Names, bool, str], Definition] = {}
        self._resources: dict[str, str] = {}
        self._measured: set[str] = set()
        """The names of definitions that are not too complex."""
        self._dynamic = False
        self._transform: dict[str, Callable[[SchemaRef, JSON, Names, Definition], JSON]] = {
            "schema": self._schema,
            "list": self._list,
            "map": self._map,
            "items": lambda *args: (self._list if isinstance(args[1], list) else self._schema)(*args),
            "dependencies": self._map,
        }

    def bundle(self, ref: SchemaRef) -> Bundle:
        """Return the bundle of a schema. Raises SchemaError if one that it needs is malformed or missing."""
        try:
            return self._bundle(ref)
        except _DynamicError:
            self._dynamic = True
            self._definitions.clear()
            self._measured.clear()
            return self._bundle(ref)
        except RecursionError:
            raise SchemaError(ref, "the schema is nested too deeply") from None

    def skip(self, ref: SchemaRef) -> None:
        """Leave the keyword or schema at ``ref`` out of bundles; if it is out already, its parent."""
        while ref in self._skipped and not ref.endswith("#"):
            ref = ref.rpartition("/")[0]
        self._skipped.add(ref)
        self._definitions.clear()
        self._measured.clear()

    def allow_anything(self, ref: SchemaRef) -> Bundle:
        """Return a bundle that accepts every value, for a schema that cannot be used."""
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
        sources = {definition.name: definition.source for definition in reached.values()}
        used = set().union(*(definition.keywords for definition in reached.values()))
        schema = {"$ref": self._link(root), self._container: self._layout(reached)}
        may_forgive = not used.isdisjoint(("format", *FLAGS.values()))
        patterns = (word.removeprefix(BACKTRACKING) for word in used if word.startswith(BACKTRACKING))
        return Bundle(schema, sources, _other_readings(used), may_forgive, tuple(patterns))

    def _measure(self, reached: dict[str, Definition]) -> None:
        """Raise SchemaError for a schema that is too complex to validate with."""
        for definition in reached.values():
            if definition.name not in self._measured and is_too_complex(
                definition.schema, lambda link: reached[link.rpartition("/")[2]].schema
            ):
                detail = (
                    f"over {MAX_SCHEMAS:,} schemas apply to one value, by allOf, oneOf, anyOf and their $refs"
                )
                raise SchemaError(definition.source, detail)
            self._measured.add(definition.name)

    def _layout(self, reached: dict[str, Definition]) -> dict[str, JSON]:
        if not self._dynamic:
            return {definition.name: definition.schema for definition in reached.values()}
        # Dynamic scope consists of schema resources, so each resource of the document stays one
        resources: dict[str, JSON] = {}
        for definition in reached.values():
            name, anchor = self._resources[definition.resource], definition.anchor
            group = resources.setdefault(name, {"$id": f"urn:{name}", "$defs": {}})
            anchored = {"$dynamicAnchor": anchor, **definition.schema} if anchor else definition.schema
            group["$defs"][definition.name] = anchored
        return resources

    def _link(self, definition: Definition) -> str:
        base = f"urn:{self._resources[definition.resource]}" if self._dynamic else ""
        return f"{base}#/{self._container}/{definition.name}"

    def _define(self, ref: SchemaRef, hidden: Names, *, inner: bool = False, anchor: str = "") -> Definition:
        location = self._references.follow(ref)
        key = (location.ref, hidden, inner, anchor)
        definition = self._definitions.get(key)
        if definition is None:
            name = f"s{len(self._definitions)}"
            definition = Definition(name, location.ref, hidden, inner, None, location.base, anchor)
            self._definitions[key] = definition
            if self._dynamic and location.base not in self._resources:
                self._resources[location.base] = f"resource-{len(self._resources)}"
        return definition

    def _fill(self, definition: Definition) -> None:
        node = self._references.location(definition.source).node
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
        if self._skipped and at in self._skipped:
            return {}
        if not isinstance(node, dict):
            raise SchemaError(at, "this is not a schema")
        out: dict[str, JSON] = {}
        hidden = inherited | self.hidden_properties.names(at, node)
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
            if self._skipped and f"{at}/{keyword}" in self._skipped:
                continue
            kind = self._keywords.get(keyword)
            if kind == "value" or (isinstance(value, bool) and keyword.startswith("additional")):
                out[keyword] = value
            elif kind is not None:
                passed = hidden if keyword in IN_PLACE else NONE
                out[keyword] = self._transform[kind](f"{at}/{keyword}", value, passed, into)
        into.keywords.update(node)
        self._apply_openapi_keywords(node, out, hidden)
        if isinstance(pattern := out.get("pattern"), str) and backtracks(pattern):
            _account_for(pattern, out, into)
        if "discriminator" in node and self._reading in ("openapi", "forgiving"):
            self._constrain_branches(at, node, out, into)
        return out

    def _is_forgiven_null(self, node: dict[str, JSON]) -> bool:
        """Return whether ``nullable`` has no meaning in the dialect, but requests may have null anyway."""
        return self._takes_null and node.get("nullable") is True

    def _constrain_branches(
        self, at: SchemaRef, node: dict[str, JSON], out: dict[str, JSON], into: Definition
    ) -> None:
        """Let each branch accept only the values for which the discriminator selects it."""
        for keyword in ("oneOf", "anyOf"):
            discriminator = self._discriminators.find(at, node, keyword)
            if discriminator is None:
                continue
            into.keywords.add(HAS_BRANCH_CONSTRAINTS)
            for i, branch in enumerate(out[keyword]):
                constraint = discriminator.branch_constraint(i)
                if constraint is not None and self._draft_4:
                    out[keyword][i] = {"allOf": [branch, constraint]}
                elif constraint is not None:
                    out[keyword][i] = {**branch, "allOf": [*branch.get("allOf", ()), constraint]}

    def _list(self, at: SchemaRef, nodes: JSON, hidden: Names, into: Definition) -> JSON:
        if not isinstance(nodes, list):
            return nodes  # malformed: the meta-schema reports it
        return [self._schema(f"{at}/{i}", node, hidden, into) for i, node in enumerate(nodes)]

    def _map(self, at: SchemaRef, nodes: JSON, hidden: Names, into: Definition) -> JSON:
        if not isinstance(nodes, dict):
            return nodes
        return {
            name: node if isinstance(node, list) else self._schema(f"{at}/{escape(name)}", node, hidden, into)
            for name, node in nodes.items()
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
            location = self._references.location(ref)
            if self._references.index.dynamic.get(location.base, {}).get(anchor) == location.ref:
                if not self._dynamic:
                    raise _DynamicError
                definition = self._define(ref, NONE, anchor=anchor)
                into.needs.append(definition)
                yield "$dynamicRef", f"urn:{self._resources[definition.resource]}#{anchor}"
                return
        definition = self._define(ref, hidden)
        into.needs.append(definition)
        yield "$ref", self._link(definition)

    def _apply_openapi_keywords(self, node: dict[str, JSON], out: dict[str, JSON], hidden: Names) -> None:
        """Apply the keywords of OpenAPI, such as ``nullable``, to those of JSON Schema."""
        if hidden:
            if isinstance(out.get("properties"), dict):
                instead: JSON = {} if self._reading == "forgiving" else IMPOSSIBLE
                out["properties"] = {
                    name: instead if name in hidden else schema for name, schema in out["properties"].items()
                }
            if isinstance(required := out.get("required"), list):
                out["required"] = [name for name in required if name not in hidden]
        if self._draft_4:
            if out.get("required") == []:
                del out["required"]
            if out.get("type") == "file":  # of responses and form data in OpenAPI 2.0
                out["type"] = "string"
        if is_nullable(node, self._dialect) or self._is_forgiven_null(node):
            _admit_null(out)
        if self._reading == "no_format":
            out.pop("format", None)
        within_range(out, draft_4=self._draft_4)
        if isinstance(pattern := out.get("pattern"), str):
            out["pattern"] = strict(pattern)
        if isinstance(patterned := out.get("patternProperties"), dict):
            out["patternProperties"] = {strict(name): schema for name, schema in patterned.items()}


def _account_for(pattern: str, schema: dict[str, JSON], into: Definition) -> None:
    """Replace a pattern that backtracks by a format, whose work counts for the request."""
    name = BACKTRACKING + pattern
    both = schema.get("allOf", [])
    if "format" in schema and not isinstance(both, list):
        return  # malformed: the meta-schema reports it
    del schema["pattern"]
    if "format" in schema:
        schema["allOf"] = [*both, {"format": name}]
    else:
        schema["format"] = name
    into.keywords.add(name)


def _other_readings(used: set[str]) -> tuple[Reading, ...]:
    """Return the readings that may accept other values, for a schema with these keywords."""
    no_discriminator: tuple[Reading, ...] = ("no_discriminator",) if HAS_BRANCH_CONSTRAINTS in used else ()
    return (
        (*no_discriminator, "no_format")
        if "format" in used and not _FRAGILE.isdisjoint(used)
        else no_discriminator
    )


def _admit_null(schema: dict[str, JSON]) -> None:
    """Add null to ``type``. Add it to ``enum`` too, as authors expect."""
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind, "null"] if kind != "null" else kind
    elif isinstance(kind, list) and "null" not in kind:
        schema["type"] = [*kind, "null"]
    if isinstance(options := schema.get("enum"), list) and None not in options:
        schema["enum"] = [*options, None]
