"""References: documents, JSON pointers (RFC 6901), ``$id`` and anchors, and errors of schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urljoin

from msgspec import Struct, field

from mockserver.diagnostics import MockServerError
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.plan import JSON, ROOT, Dialect, SchemaRef

_DIGITS = 10
"""No list has an index of so many digits. Longer ones are slow to convert."""


def escape(token: str) -> str:
    """Escape a member name as a reference token (RFC 6901, section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Return the member name of a reference token."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(tokens: Iterable[str | int]) -> str:
    """Return the pointer for member names and array indexes."""
    return "".join(f"/{escape(str(token))}" for token in tokens)


def tokens(pointer: str) -> list[str]:
    """Return the member names and indexes of a pointer."""
    split = pointer.split("/")[1:]
    return [unescape(token) for token in split] if "~" in pointer else split


def shown(text: str) -> str:
    """Return a message without the base URI of local files in its references."""
    return text.replace(ROOT, "")


def index(token: str, items: Sized) -> int | None:
    """Return the index that a reference token names (section 4), or None if ``items`` has no such item."""
    if token.isascii() and token.isdigit() and len(token) < _DIGITS and int(token) < len(items):
        return int(token)
    return None


def value_at(value: JSON, path: Iterable[str]) -> JSON:
    """Return the part of ``value`` at these reference tokens (section 4), or None if there is none."""
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and (position := index(token, value)) is not None:
            value = value[position]
        else:
            return None
    return value


class SchemaError(MockServerError):
    """A schema cannot be used: it is malformed, a reference leads nowhere, or a pattern is not supported.

    ``ref`` is the location of the fault in the document, as precise as possible.
    """

    def __init__(self, ref: SchemaRef, message: str) -> None:
        self.ref = ref
        self.message = shown(message)
        super().__init__(shown(f"{ref}: {message}"))


ANNOTATIONS = frozenset(("$ref", "$comment", "description", "summary", "title"))
"""The members of a schema that only refers to another one."""
_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "schemas"))
_DATA = frozenset(("example", "examples", "default", "enum", "const"))


class Location(NamedTuple):
    """A schema, its canonical reference, and the base URI for its own references."""

    node: JSON
    ref: SchemaRef
    base: str


class Index(Struct):
    """The identifiers of Draft 2020-12 in all trees (JSON Schema core, section 8.2)."""

    resources: dict[str, SchemaRef] = field(default_factory=dict)
    """Absolute ``$id`` to its schema."""
    anchors: dict[tuple[str, str], SchemaRef] = field(default_factory=dict)
    """(Base URI, ``$anchor`` or ``$dynamicAnchor``) to its schema."""
    dynamic: dict[str, dict[str, SchemaRef]] = field(default_factory=dict)
    """Base URI to its ``$dynamicAnchor``s."""

    def add(self, tree: JSON, uri: str) -> None:
        """Add the identifiers of one tree. Not recursive, because documents may be deep."""
        stack: list[tuple[JSON, SchemaRef, str, bool]] = [(tree, f"{uri}#", uri, False)]
        while stack:
            node, ref, base, named = stack.pop()
            if isinstance(node, list):
                stack.extend((item, f"{ref}/{i}", base, False) for i, item in enumerate(node))
            elif isinstance(node, dict):
                if not named:
                    base = self._identify(node, ref, base)
                stack.extend(
                    (member, f"{ref}/{escape(key)}", base, not named and key in _NAMED)
                    for key, member in node.items()
                    if isinstance(member, (dict, list)) and (named or key not in _DATA)
                )

    def _identify(self, node: dict[str, JSON], ref: SchemaRef, base: str) -> str:
        base = rebase(base, node)
        if isinstance(node.get("$id"), str):
            self.resources.setdefault(base, ref)
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(anchor := node.get(keyword), str):
                self.anchors.setdefault((base, anchor), ref)
                if keyword == "$dynamicAnchor":
                    self.dynamic.setdefault(base, {}).setdefault(anchor, ref)
        return base


def rebase(base: str, node: JSON) -> str:
    """Return the base URI within ``node``: its ``$id``, or else ``base``."""
    if isinstance(node, dict) and isinstance(identity := node.get("$id"), str):
        with suppress(ValueError):  # an invalid URI is ignored
            return urljoin(base, identity).partition("#")[0]
    return base


class References:
    """Finds schemas by reference in the trees of a document. Results are cached."""

    def __init__(self, trees: Mapping[str, JSON], dialect: Dialect) -> None:
        self._trees = trees
        self._draft_4 = is_draft_4(dialect)
        self._locations: dict[SchemaRef, Location] = {}
        self._resolved: dict[tuple[str, str], SchemaRef] = {}
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """The identifiers of all trees. Built on first use, because most documents have none."""
        if self._index is None:
            self._index = Index()
            for uri, tree in self._trees.items():
                self._index.add(tree, uri)
        return self._index

    def location(self, ref: SchemaRef) -> Location:
        """Return the location at a reference. Raises SchemaError if there is none."""
        location = self._locations.get(ref)
        if location is None:
            location = self._locations[ref] = self._find(ref)
        return location

    def resolve(self, at: SchemaRef, target: str) -> SchemaRef:
        """Return the canonical reference of ``$ref: target`` in the schema at ``at``. Raises SchemaError."""
        base = at.partition("#")[0] if self._draft_4 else self.location(at).base
        found = self._resolved.get((base, target))
        if found is None:
            found = self._resolved[base, target] = self._resolve(at, base, target)
        return found

    def reference_target(self, node: JSON) -> str | None:
        """Return the target of a schema that only is a reference, else None. Draft 4 ignores siblings."""
        if isinstance(node, dict) and isinstance(target := node.get("$ref"), str):
            return target if self._draft_4 or ANNOTATIONS.issuperset(node) else None
        return None

    def follow(self, ref: SchemaRef) -> Location:
        """Follow references to a schema. Raises SchemaError if they lead nowhere or to themselves."""
        seen: set[SchemaRef] = set()
        while True:
            location = self.location(ref)
            target = self.reference_target(location.node)
            if target is None:
                return location
            if location.ref in seen:
                raise SchemaError(location.ref, "its $ref leads back to itself without any schema between")
            seen.add(location.ref)
            ref = self.resolve(location.ref, target)

    def _resolve(self, at: SchemaRef, base: str, target: str) -> SchemaRef:
        # urljoin supports hierarchical schemes only; a fragment alone needs no join
        try:
            joined = base + target if target[:1] in ("#", "") else urljoin(base, target)
        except ValueError as error:
            raise SchemaError(at, f"$ref {target!r} is no URI: {error}") from None
        uri, _, fragment = joined.partition("#")
        root = f"{uri}#" if uri in self._trees else None
        if root is None and not self._draft_4:
            root = self.index.resources.get(uri)
        if root is None:
            raise SchemaError(at, f"$ref {target!r} leads out of the document, to {uri}")
        if not fragment or fragment.startswith("/"):
            try:
                return self.location(root + fragment).ref
            except SchemaError as missing:
                raise SchemaError(at, f"$ref {target!r} leads nowhere: {missing.message}") from None
        anchored = None if self._draft_4 else self.index.anchors.get((uri, unquote(fragment)))
        if anchored is None:
            raise SchemaError(at, f"$ref {target!r} leads nowhere: there is no anchor {fragment!r}")
        return anchored

    def _find(self, ref: SchemaRef) -> Location:
        uri = ref.partition("#")[0]
        if uri not in self._trees:
            raise SchemaError(ref, f"{uri} is not part of the document")
        node, base, canonical = self._trees[uri], uri, f"{uri}#"
        left: list[str] = []
        outer = ref
        while len(outer) > len(canonical):  # start from the nearest location that is known
            outer, _, token = outer.rpartition("/")
            left.append(token)
            if (known := self._locations.get(outer)) is not None:
                node, base, canonical = known.node, known.base, known.ref
                break
        for token in reversed(left):
            base = base if self._draft_4 else rebase(base, node)
            # References in a document are percent-encoded. Ours are not, and a path may contain a %
            name = _member(node, unescape(token))
            if name is None:
                name = _member(node, unescape(unquote(token)))
            if name is None:
                raise SchemaError(ref, f"there is no {unescape(token)!r} at {canonical}")
            node = node[int(name)] if isinstance(node, list) else node[name]
            canonical += f"/{escape(name)}"
        return Location(node, canonical, base if self._draft_4 else rebase(base, node))


def _member(node: JSON, name: str) -> str | None:
    if isinstance(node, dict):
        return name if name in node else None
    if isinstance(node, list) and (location := index(name, node)) is not None:
        return str(location)
    return None
