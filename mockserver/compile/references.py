"""Load a document and all files that it refers to, and check its references.

Each file of a document becomes a *tree* under a URI below ``ROOT``. Relative
``$ref``s resolve against that URI (RFC 3986). Only files inside the root folder
are read, after resolving symbolic links. Nothing is fetched unless allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin

from mockserver.compile.source import Source, SourceError, parse, read
from mockserver.diagnostics import Diagnostic, Location
from mockserver.jsonschema.references import escape, index, tokens, value_at
from mockserver.jsonschema.references import pointer as pointer_of
from mockserver.plan import JSON, ROOT, SchemaRef

_NAMED = frozenset(
    [
        *("properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies"),
        *("schemas", "parameters", "responses", "requestBodies", "headers", "securitySchemes", "links"),
        *("callbacks", "pathItems", "paths", "webhooks", "content", "encoding", "examples", "mediaTypes"),
        "securityDefinitions",
    ]
)
"""Keywords whose member names are chosen by the author, not by a specification."""
_MAX_QUICK_SIZE = 256 * 1024
_MAX_LEVELS = 3
_OPAQUE = frozenset(["example", "default", "enum", "const", "value", "x-examples", "mapping", "dataValue"])


@dataclass(frozen=True, slots=True)
class ReferenceScope:
    """What references may reach. ``root`` is the folder of the files; None allows no file."""

    root: Path | None
    allow_remote: bool = False


@dataclass
class Trees:
    """Every file that a document consists of, by URI."""

    root_uri: str
    sources: dict[str, Source] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    """Identifier given by ``$id`` or ``$self`` → URI of the tree and pointer."""
    faults: dict[SchemaRef, Diagnostic] = field(default_factory=dict)
    """Faults by target: refused, missing or endless. A target that is not a URI has its own text as key."""
    targets: set[SchemaRef] = field(default_factory=set)
    is_quick: bool = False
    """Whether only small files get line numbers, because finding them takes longer than reading."""
    _nodes: dict[SchemaRef, JSON] = field(default_factory=dict)
    """Cache of ``node``."""

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """The faults, in the order of discovery."""
        return [*self.faults.values()]

    def node(self, ref: SchemaRef) -> JSON:
        """Return the value at an absolute reference. Raises KeyError if there is none."""
        if ref not in self._nodes:
            self._nodes[ref] = self._find(ref)
        return self._nodes[ref]

    def _find(self, ref: SchemaRef) -> JSON:
        uri, _, pointer = ref.partition("#")
        node, outer = self.sources[uri].value, ref
        for _ in range(_MAX_LEVELS):  # start from an enclosing value that is known
            outer = outer.rpartition("/")[0]
            if "#" in outer and outer in self._nodes:
                node, pointer = self._nodes[outer], ref[len(outer) :]
                break
        for part in tokens(unquote(pointer) if "%" in pointer else pointer):
            if isinstance(node, dict):
                node = node[part]
            elif isinstance(node, list) and (position := index(part, node)) is not None:
                node = node[position]
            else:
                raise KeyError(ref)
        return node

    def resolve(self, ref: SchemaRef) -> tuple[JSON, SchemaRef]:
        """Follow ``$ref``s from an absolute reference. Return the object and its reference.

        Raises KeyError if a ``$ref`` dangles or is endless.
        """
        seen = set()
        while True:
            node = self.node(ref)
            target = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(target, str):
                return node, ref
            if ref in seen:
                raise KeyError(ref)
            seen.add(ref)
            ref = absolute(target, ref)

    def has_schema_id(self, ref: SchemaRef) -> bool:
        """Whether ``ref`` is within a schema that has an ``$id``, which changes the base of references."""
        uri, pointer = urldefrag(ref)
        path = tokens(unquote(pointer))
        nodes = (value_at(self.sources[uri].value, path[:depth]) for depth in range(len(path) + 1))
        return any(isinstance(node, dict) and isinstance(node.get("$id"), str) for node in nodes)

    def locate(self, ref: SchemaRef) -> Location:
        """Return the file, line and column of an absolute reference."""
        uri, pointer = urldefrag(ref)
        return self.locate_path(uri, tokens(unquote(pointer)))

    def locate_path(self, uri: str, path: list[str], *, key: bool = False) -> Location:
        """Return the location of a path of names in a tree; of its last key if ``key`` is set."""
        source = self.sources[uri]
        pointer = pointer_of(path)
        if self.is_quick and len(source.text) > _MAX_QUICK_SIZE:
            return Location(source.name, pointer=pointer)
        return source.locate_parts(path, pointer, key=key)

    def clear_cache(self) -> None:
        """Clear the cache of ``node``, after the trees have changed."""
        self._nodes.clear()


def absolute(target: str, base: SchemaRef) -> SchemaRef:
    """Return the ``target`` of a ``$ref`` in the tree of ``base`` as an absolute reference.

    Raises ValueError if it is not a URI.
    """
    tree = base.partition("#")[0]
    joined = tree + target if target[:1] == "#" else urljoin(tree, target)
    return joined if "#" in joined else joined + "#"


def file_uri(path: Path, root: Path) -> str:
    """Return the URI of the tree of a file below ``root``. Raises ValueError for a file outside."""
    return ROOT + quote(path.relative_to(root).as_posix())


def load_trees(path: Path, name: str, scope: ReferenceScope, *, quick: bool = False) -> Trees:
    """Read the document at ``path`` and every file that it refers to.

    Collects faults of references (refused, missing, dangling, endless) in
    ``Trees.faults``. Raises SourceError if the root document cannot be read, and
    ValueError if it is outside the root folder.
    """
    root_source = read(path, name)
    root = scope.root or path.parent
    trees = Trees(file_uri(path.resolve(), root.resolve()), is_quick=quick)
    return _load_trees(trees, root_source, scope)


def load_trees_from_text(text: str, name: str, *, quick: bool = False) -> Trees:
    """Load a document from a text. It may refer only to itself. Raises SourceError."""
    trees = Trees(ROOT + quote(name), is_quick=quick)
    return _load_trees(trees, parse(text, name), ReferenceScope(None))


def _load_trees(trees: Trees, root_source: Source, scope: ReferenceScope) -> Trees:
    trees.sources[trees.root_uri] = root_source
    queue = [trees.root_uri]
    targets: dict[SchemaRef, SchemaRef] = {}
    while queue:
        uri = queue.pop()
        for pointer, target in _references(trees.sources[uri].value):
            site = f"{uri}#{pointer}"
            try:
                found = absolute(target, uri)
            except ValueError as error:  # for example, an invalid address in brackets
                remedy = "write a path relative to this file, or a pointer such as #/components/schemas/Pet."
                message = f"$ref {target!r} is not a URI: {error}"
                trees.faults[target] = Diagnostic("D201", message, trees.locate(site), remedy)
                continue
            if found in targets:
                continue
            targets[found] = site
            other = urldefrag(found).url
            if other in trees.sources or _is_embedded(target, trees, uri):
                continue
            source = _read_target(other, target, found, site, trees, scope)
            if source is not None:
                trees.sources[other] = source
                queue.append(other)
    trees.targets = set(targets)
    _check_targets(targets, trees)
    return trees


def _references(tree: JSON) -> Iterator[tuple[str, str]]:
    """Yield every ``$ref`` of a tree, with the pointer of the object that holds it.

    Skips values that are data: examples, defaults, enums and extensions.
    """
    stack: list[tuple[JSON, str, bool]] = [(tree, "", False)]
    while stack:
        node, pointer, named = stack.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and not named:
                yield pointer, target
            for key, value in node.items():
                if not isinstance(value, (dict, list)):
                    continue
                if named:
                    stack.append((value, f"{pointer}/{escape(key)}", False))
                elif key not in _OPAQUE and not key.startswith("x-"):
                    # A list has no names: `parameters` as a list has references, `examples` has data
                    is_named = key in _NAMED and isinstance(value, dict)
                    if is_named or key != "examples":
                        stack.append((value, f"{pointer}/{escape(key)}", is_named))
        elif isinstance(node, list):
            stack.extend((value, f"{pointer}/{index}", False) for index, value in enumerate(node))


def _is_embedded(target: str, trees: Trees, uri: str) -> bool:
    """Whether a reference names a resource that a tree embeds by ``$id`` (JSON Schema 2020-12, 8.2)."""
    if not trees.bases:
        for holder, source in trees.sources.items():
            if '"$id"' in source.text or "$id:" in source.text or "$self" in source.text:
                trees.bases |= dict.fromkeys(_identifiers(source.value, holder), holder)
        trees.bases.setdefault("", "")
    return urldefrag(absolute(target, uri)).url in trees.bases or any(
        urljoin(base, urldefrag(target).url) in trees.bases for base in trees.bases if base
    )


def _identifiers(tree: JSON, uri: str) -> Iterator[str]:
    stack = [(tree, uri)]
    while stack:
        node, base = stack.pop()
        if isinstance(node, dict):
            for keyword in ("$id", "$self"):
                identifier = node.get(keyword)
                if isinstance(identifier, str):
                    try:
                        base = urldefrag(urljoin(base, identifier)).url
                    except ValueError:
                        continue  # not a URI
                    yield base
            stack.extend((value, base) for value in node.values())
        elif isinstance(node, list):
            stack.extend((value, base) for value in node)


def _read_target(
    uri: str, target: str, found: SchemaRef, site: SchemaRef, trees: Trees, scope: ReferenceScope
) -> Source | None:
    """Read the file at ``uri``, or record a fault and return None. Messages never quote its content."""

    def refuse(code: str, message: str, remedy: str) -> None:
        trees.faults[found] = Diagnostic(code, f"$ref {target!r} {message}", trees.locate(site), remedy)

    if not uri.startswith(ROOT):
        scheme = uri.partition(":")[0]
        if scheme in ("http", "https"):
            if scope.allow_remote:
                return _fetch(uri, target, found, site, trees)
            refuse(
                "D202",
                "points to another host, and remote references are off",
                "save it beside the document, or pass --allow-remote-refs.",
            )
        else:
            refuse(
                "D203", f"uses the scheme {scheme!r}, which is not read", "use a path relative to this file."
            )
        return None
    if scope.root is None or not site.startswith(ROOT):
        refuse(
            "D203",
            "names a file of this machine, but the document comes from elsewhere",
            "put everything into one document.",
        )
        return None
    path = scope.root / unquote(uri.removeprefix(ROOT))
    try:
        inside = path.resolve().is_relative_to(scope.root.resolve())
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside or _climbs(target, site):
        refuse(
            "D203",
            "leaves the document's folder, so it is not read",
            "move the file inside, or pass --ref-root with a folder that holds both.",
        )
        return None
    try:
        return read(path, os.path.relpath(path), "referenced file")
    except SourceError as fault:
        refuse(
            fault.diagnostic.code, f"names a file that {fault.diagnostic.message}", fault.diagnostic.remedy
        )
        return None


def _climbs(target: str, site: SchemaRef) -> bool:
    """Whether ``..`` in a target leaves the root. Joining URIs drops such steps silently."""
    depth = urldefrag(site).url.removeprefix(ROOT).count("/")
    for step in unquote(urldefrag(target).url).split("/"):
        depth += -1 if step == ".." else 0 if step in ("", ".") else 1
        if depth < 0:
            return True
    return target.startswith("/")


def _fetch(uri: str, target: str, found: SchemaRef, site: SchemaRef, trees: Trees) -> Source | None:
    # heavy (urllib.request); only needed for remote references
    from mockserver.compile.remote import FetchError, fetch_text

    try:
        return parse(fetch_text(uri), uri, "referenced document")
    except SourceError as fault:
        trees.faults[found] = fault.diagnostic
    except FetchError as error:
        message = f"$ref {target!r} cannot be fetched: {error}"
        trees.faults[found] = Diagnostic("D204", message, trees.locate(site), "save it beside the document.")
    return None


def _check_targets(targets: dict[SchemaRef, SchemaRef], trees: Trees) -> None:
    """Record faults for references that dangle, and for chains that never reach an object."""
    checked: set[SchemaRef] = set()
    """References of earlier chains."""
    for target, site in targets.items():
        uri, fragment = urldefrag(target)
        if uri not in trees.sources or (fragment and not fragment.startswith("/")):
            continue  # already reported, or an $anchor, which the schema compiler checks
        seen = {target}
        current = target
        while current not in checked:
            try:
                node = trees.node(current)
            except KeyError:
                seen.discard(current)  # reported where it is a target itself
                if current == target and not trees.bases.keys() - {""} and not trees.has_schema_id(site):
                    trees.faults[target] = Diagnostic(
                        "D201",
                        f"$ref {fragment_of(target, site)!r} points to nothing",
                        trees.locate(site),
                        "correct the pointer, or add its target.",
                    )
                break
            following = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(following, str) or (len(node) > 1 and "properties" in node):
                break
            try:
                current = absolute(following, current)
            except ValueError:
                break  # reported at its own location
            if urldefrag(current).url not in trees.sources:
                break
            if current in seen:
                trees.faults[target] = Diagnostic(
                    "D205",
                    f"$ref {fragment_of(target, site)!r} leads back to itself and never reaches an object",
                    trees.locate(site),
                    "point one of these references to a schema.",
                )
                break
            seen.add(current)
        checked |= seen


def fragment_of(target: SchemaRef, site: SchemaRef) -> str:
    """Return a reference in short form: ``#/…`` within the tree of ``site``."""
    uri, fragment = urldefrag(target)
    return f"#{fragment}" if uri == urldefrag(site).url else f"{uri.removeprefix(ROOT)}#{fragment}"
