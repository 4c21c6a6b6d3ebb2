"""Resolve references of a document, and correct those whose target can be guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from mockserver.compile.mending.table import At, Findings, ref, tree
from mockserver.compile.references import Trees, absolute
from mockserver.compile.source import quote_token
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.jsonschema.references import ANNOTATIONS, escape, index, tokens, unescape
from mockserver.plan import JSON, Dialect, SchemaRef

_MAX_JOINED = 6
"""Maximum number of parts of a pointer that form one key with slashes."""


class Found(NamedTuple):
    """The target of a reference and its location. ``is_unresolved``: an ``$id`` or anchor, left as it is."""

    node: JSON
    at: At
    is_unresolved: bool = False


class _Result(NamedTuple):
    found: Found | None
    rewritten: str = ""


class References:
    """Resolves the references of one document."""

    def __init__(
        self, trees: Trees, dialect: Dialect, sections: Mapping[str, str], findings: Findings
    ) -> None:
        self._trees = trees
        self._sections = sections
        self._findings = findings
        self._siblings_count = not is_draft_4(dialect)
        self._results: dict[tuple[str, str, str], _Result] = {}
        self._reaching: dict[SchemaRef, bool] = {}
        """Cache: whether the chain of references from here reaches an object."""
        self.mended: set[SchemaRef] = set()
        """Targets that were missing and were found elsewhere."""
        self._missing: set[SchemaRef] = set()
        self._prefixes: set[SchemaRef] | None = None

    def find(self, holder: dict[str, JSON], kind: str, at: At) -> Found | None:
        """Return the target of the ``$ref`` of ``holder``, or None after reporting a missing target.

        Corrects the ``$ref`` in ``holder`` if its target is found elsewhere.
        """
        target, uri = holder["$ref"], tree(at)
        response = self._results.get((uri, target, kind))
        if response is None:
            response = self._results[uri, target, kind] = self._search(target, uri, kind)
        if response.rewritten:
            self._findings.report("reference", at, target, assumed=(response.rewritten,))
            holder["$ref"] = response.rewritten
        if response.found is None:
            if self._siblings_count and self._trees.has_schema_id(ref(at)):
                return Found(None, at, is_unresolved=True)
            self._report_missing(target, uri, at)
        return response.found

    def is_target(self, at: At) -> bool:
        """Whether a reference points to a location or below it."""
        if self._prefixes is None:
            self._prefixes = set()
            for target in self._trees.targets:
                uri, _, pointer = target.partition("#")
                prefix = f"{uri}#"
                for token in tokens(unquote(pointer)):
                    prefix += f"/{escape(token)}"
                    self._prefixes.add(prefix)
        return ref(at) in self._prefixes

    def _report_missing(self, target: str, uri: str, at: At) -> None:
        missing = _absolute(target, uri)
        if missing not in self._missing and missing not in self._trees.faults:
            self._findings.report("dangling", at, target)
        self._missing.add(missing)

    def _search(self, target: str, uri: str, kind: str) -> _Result:
        wanted = _absolute(target, uri)
        other, _, fragment = wanted.partition("#")
        fault = self._trees.faults.get(wanted)
        if fault is None and fragment and not fragment.startswith("/") and self._siblings_count:
            return _Result(Found(None, (None, uri), is_unresolved=True))  # an anchor
        if fault is None and other not in self._trees.sources:
            return _Result(Found(None, (None, uri), is_unresolved=True))  # an $id
        if other in self._trees.sources and (not fragment or fragment.startswith("/")):
            try:
                found = Found(self._trees.node(wanted), _at(wanted))
            except KeyError:
                pass
            else:
                return _Result(found if self._reaches_object(wanted) else None)
        for intended in self._candidates(wanted, target, kind):
            if intended != wanted and self._reaches_object(intended):
                self.mended.add(wanted)
                start = f"{uri}#"
                written = intended.removeprefix(uri) if intended.startswith(start) else intended
                return _Result(Found(self._trees.node(intended), _at(intended)), written)
        return _Result(None)

    def _reaches_object(self, wanted: SchemaRef) -> bool:
        passed: list[SchemaRef] = []
        seen: set[SchemaRef] = set()
        ends = True
        while (known := self._reaching.get(wanted)) is None:
            if wanted in seen:
                ends = False
                if not seen.isdisjoint(self._trees.faults):
                    self._missing |= seen  # one fault per circle is enough
                break
            seen.add(wanted)
            passed.append(wanted)
            try:
                node = self._trees.node(wanted)
            except KeyError:
                ends = len(passed) > 1  # the last reference of a chain reports it
                break
            target = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(target, str) or (self._siblings_count and not ANNOTATIONS.issuperset(node)):
                break
            wanted = _absolute(target, wanted.partition("#")[0])
        else:
            ends = known
        self._reaching.update(dict.fromkeys(passed, ends))
        return ends

    def _candidates(self, wanted: SchemaRef, target: str, kind: str) -> Iterator[SchemaRef]:
        """Yield probable targets: a key with unescaped slashes, a component of that name."""
        other, _, pointer = wanted.partition("#")
        root = self._trees.root_uri
        if other in self._trees.sources and (found := self._unescaped(other, pointer)) is not None:
            yield found
        section = self._sections.get(kind)
        if section is None or (other != root and "/" in target):
            return
        name = (pointer if "#" in target else target).rpartition("/")[2]
        for fromkey in dict.fromkeys((name, unescape(unquote(name)), name.partition(".")[0])):
            if fromkey:
                place = f"{root}#/{section}/{quote_token(fromkey)}"
                try:
                    self._trees.node(place)
                except KeyError:
                    continue
                yield place

    def _unescaped(self, uri: str, pointer: str) -> SchemaRef | None:
        node, found = self._trees.sources[uri].value, f"{uri}#"
        parts = pointer.strip("/").split("/")
        at = 0
        while at < len(parts):
            for end in range(at + 1, min(at + _MAX_JOINED, len(parts)) + 1):
                text = "/".join(parts[at:end])
                name = _member(node, text)
                if name is not None:
                    break
            else:
                return None
            node = node[int(name)] if isinstance(node, list) else node[name]
            found += f"/{quote_token(name)}"
            at = end
        return found if found.partition("#")[2] else None


def _member(node: JSON, text: str) -> str | None:
    names = (text, f"/{text}", unescape(text), unescape(unquote(text)), "/" + unescape(unquote(text)))
    if isinstance(node, dict):
        return next((name for name in names if name in node), None)
    if isinstance(node, list) and (place := index(text, node)) is not None:
        return str(place)
    return None


def _absolute(target: str, uri: str) -> SchemaRef:
    """Return the absolute reference, or ``target`` itself if it is not a URI, as in ``Trees.faults``."""
    try:
        return absolute(target, uri)
    except ValueError:
        return target


def _at(wanted: SchemaRef) -> At:
    uri, _, pointer = wanted.partition("#")
    at: At = (None, uri)
    for token in tokens(unquote(pointer) if "%" in pointer else pointer):
        at = (at, token)
    return at
