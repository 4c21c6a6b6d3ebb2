"""Where a ``$ref`` leads: documents, JSON pointers (RFC 6901), ``$id`` and anchors; and errors of schemas."""

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
"""So many has no index of a list that there can be; reading more takes long."""


def escape(token: str) -> str:
    """One reference token, ready to stand after a ``/``."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """The member name that a reference token stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def pointer(tokens: Iterable[str | int]) -> str:
    """The pointer of a path of member names and array indices."""
    return "".join(f"/{escape(str(token))}" for token in tokens)


def tokens(pointer: str) -> list[str]:
    """The member names and indices that a pointer leads through."""
    split = pointer.split("/")[1:]
    return [unescape(token) for token in split] if "~" in pointer else split


def shown(text: str) -> str:
    """A text that may quote references, as people know them: without the base of local files."""
    return text.replace(ROOT, "")


def index(token: str, items: Sized) -> int | None:
    """Which of ``items`` a reference token names (section 4); None where there is no such item."""
    if token.isascii() and token.isdigit() and len(token) < _DIGITS and int(token) < len(items):
        return int(token)
    return None


class SchemaError(MockServerError):
    """A schema that cannot be used: malformed, unresolvable, or a pattern no engine here runs.

    ``ref`` is the place in the document, as near to the fault as is known.
    """

    def __init__(self, ref: SchemaRef, message: str) -> None:
        self.ref = ref
        self.message = shown(message)
        super().__init__(shown(f"{ref}: {message}"))


_ANNOTATIONS = frozenset(("$ref", "$comment", "description", "summary", "title"))
_NAMED = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "schemas"))
_DATA = frozenset(("example", "examples", "default", "enum", "const"))


class Place(NamedTuple):
    """A schema, its canonical reference, and the base URI that its own references start from."""

    node: JSON
    ref: SchemaRef
    base: str


class Index(Struct):
    """The identifiers of 2020-12 that only a walk over all trees finds (JSON Schema core, 8.2)."""

    resources: dict[str, SchemaRef] = field(default_factory=dict)
    """Absolute ``$id`` → its schema."""
    anchors: dict[tuple[str, str], SchemaRef] = field(default_factory=dict)
    """(base URI, ``$anchor`` or ``$dynamicAnchor``) → its schema."""
    dynamic: dict[str, dict[str, SchemaRef]] = field(default_factory=dict)
    """Base URI → its ``$dynamicAnchor``s."""

    def add(self, tree: JSON, uri: str) -> None:
        """Walk one tree; a stack, since documents may be deep."""
        stack: list[tuple[JSON, SchemaRef, str, bool]] = [(tree, f"{uri}#", uri, False)]
        while stack:
            node, ref, base, named = stack.pop()
            if isinstance(node, list):
                stack.extend((each, f"{ref}/{i}", base, False) for i, each in enumerate(node))
            elif isinstance(node, dict):
                if not named:
                    base = self._identify(node, ref, base)
                stack.extend(
                    (each, f"{ref}/{escape(key)}", base, not named and key in _NAMED)
                    for key, each in node.items()
                    if isinstance(each, (dict, list)) and (named or key not in _DATA)
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
    """The base URI inside ``node``, which changes where it has an ``$id``."""
    if isinstance(node, dict) and isinstance(identity := node.get("$id"), str):
        with suppress(ValueError):  # one that is no URI moves nothing
            return urljoin(base, identity).partition("#")[0]
    return base


class References:
    """Finds schemas by reference in a document's trees; answers are remembered."""

    def __init__(self, trees: Mapping[str, JSON], dialect: Dialect) -> None:
        self._trees = trees
        self._draft_4 = is_draft_4(dialect)
        self._places: dict[SchemaRef, Place] = {}
        self._resolved: dict[tuple[str, str], SchemaRef] = {}
        self._index: Index | None = None

    @property
    def index(self) -> Index:
        """Built when first asked for: most documents have nothing to index."""
        if self._index is None:
            self._index = Index()
            for uri, tree in self._trees.items():
                self._index.add(tree, uri)
        return self._index

    def place(self, ref: SchemaRef) -> Place:
        """What stands at a reference. Raises SchemaError where nothing does."""
        place = self._places.get(ref)
        if place is None:
            place = self._places[ref] = self._find(ref)
        return place

    def resolve(self, at: SchemaRef, target: str) -> SchemaRef:
        """The canonical reference of what ``$ref: target`` means in the schema at ``at``."""
        base = at.partition("#")[0] if self._draft_4 else self.place(at).base
        found = self._resolved.get((base, target))
        if found is None:
            found = self._resolved[base, target] = self._resolve(at, base, target)
        return found

    def bare(self, node: JSON) -> str | None:
        """The target of a schema that is nothing but a reference (in Draft 4, siblings do not count)."""
        if isinstance(node, dict) and isinstance(target := node.get("$ref"), str):
            return target if self._draft_4 or _ANNOTATIONS.issuperset(node) else None
        return None

    def follow(self, ref: SchemaRef) -> Place:
        """Follow references until there is a schema. Raises SchemaError for a ring of references."""
        seen: set[SchemaRef] = set()
        while True:
            place = self.place(ref)
            target = self.bare(place.node)
            if target is None:
                return place
            if place.ref in seen:
                raise SchemaError(place.ref, "its $ref leads back to itself without any schema between")
            seen.add(place.ref)
            ref = self.resolve(place.ref, target)

    def _resolve(self, at: SchemaRef, base: str, target: str) -> SchemaRef:
        # urljoin knows only hierarchical schemes; a bare fragment needs no joining at all
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
                return self.place(root + fragment).ref
            except SchemaError as missing:
                raise SchemaError(at, f"$ref {target!r} leads nowhere: {missing.message}") from None
        anchored = None if self._draft_4 else self.index.anchors.get((uri, unquote(fragment)))
        if anchored is None:
            raise SchemaError(at, f"$ref {target!r} leads nowhere: there is no anchor {fragment!r}")
        return anchored

    def _find(self, ref: SchemaRef) -> Place:
        uri, _, fragment = ref.partition("#")
        if uri not in self._trees:
            raise SchemaError(ref, f"{uri} is not part of the document")
        node, base, canonical = self._trees[uri], uri, f"{uri}#"
        for token in fragment.split("/")[1:]:
            base = base if self._draft_4 else rebase(base, node)
            # References in a document are percent-encoded; ours are not, and a path may hold a real %
            name = _member(node, unescape(token))
            if name is None:
                name = _member(node, unescape(unquote(token)))
            if name is None:
                raise SchemaError(ref, f"there is no {unescape(token)!r} at {canonical}")
            node = node[int(name)] if isinstance(node, list) else node[name]
            canonical += f"/{escape(name)}"
        return Place(node, canonical, base if self._draft_4 else rebase(base, node))


def _member(node: JSON, name: str) -> str | None:
    if isinstance(node, dict):
        return name if name in node else None
    if isinstance(node, list) and (place := index(name, node)) is not None:
        return str(place)
    return None
