"""References as documents write them: found where they lead, or where their author meant them to lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from mockserver.compile.mending.table import At, Findings, ref, tree
from mockserver.compile.references import Trees, absolute
from mockserver.compile.source import quote_token
from mockserver.jsonschema.keywords import is_draft_4
from mockserver.jsonschema.references import escape, index, tokens, unescape
from mockserver.plan import JSON, Dialect, SchemaRef

_ANNOTATIONS = frozenset(("$ref", "$comment", "description", "summary", "title"))
_MOST_JOINED = 6
"""Parts of a pointer that may be one key with slashes in it."""


class Found(NamedTuple):
    """What a reference leads to, and where that stands; ``is_left``: only a schema's dialect can tell."""

    node: JSON
    at: At
    is_left: bool = False


class _Answer(NamedTuple):
    found: Found | None
    rewritten: str = ""


class References:
    """The references of one document."""

    def __init__(
        self, trees: Trees, dialect: Dialect, sections: Mapping[str, str], findings: Findings
    ) -> None:
        self._trees = trees
        self._sections = sections
        self._findings = findings
        self._siblings_count = not is_draft_4(dialect)
        self._answers: dict[tuple[str, str, str], _Answer] = {}
        self._ends: dict[SchemaRef, bool] = {}
        """Whether a chain of references that goes by here comes to an object."""
        self.mended: set[SchemaRef] = set()
        """What was looked for in vain, and has been found elsewhere."""
        self._missing: set[SchemaRef] = set()
        self._prefixes: set[SchemaRef] | None = None

    def find(self, holder: dict[str, JSON], kind: str, at: At) -> Found | None:
        """Where the ``$ref`` of ``holder`` leads; None where that is nowhere, which is told.

        A reference that is written oddly is written anew in ``holder``.
        """
        target, uri = holder["$ref"], tree(at)
        response = self._answers.get((uri, target, kind))
        if response is None:
            response = self._answers[uri, target, kind] = self._look(target, uri, kind)
        if response.rewritten:
            self._findings.tell("reference", at, target, assumed=(response.rewritten,))
            holder["$ref"] = response.rewritten
        if response.found is None:
            if self._siblings_count and self._trees.has_schema_id(ref(at)):
                return Found(None, at, is_left=True)
            self._miss(target, uri, at)
        return response.found

    def is_target(self, at: At) -> bool:
        """Whether anything refers to a place, or to something below it."""
        if self._prefixes is None:
            self._prefixes = set()
            for target in self._trees.targets:
                uri, _, pointer = target.partition("#")
                prefix = f"{uri}#"
                for token in tokens(unquote(pointer)):
                    prefix += f"/{escape(token)}"
                    self._prefixes.add(prefix)
        return ref(at) in self._prefixes

    def _miss(self, target: str, uri: str, at: At) -> None:
        missing = _joined(target, uri)
        if missing not in self._missing and missing not in self._trees.faults:
            self._findings.tell("dangling", at, target)
        self._missing.add(missing)

    def _look(self, target: str, uri: str, kind: str) -> _Answer:
        wanted = _joined(target, uri)
        other, _, fragment = wanted.partition("#")
        fault = self._trees.faults.get(wanted)
        if fault is None and fragment and not fragment.startswith("/") and self._siblings_count:
            return _Answer(Found(None, (None, uri), is_left=True))  # an anchor
        if fault is None and other not in self._trees.sources:
            return _Answer(Found(None, (None, uri), is_left=True))  # an $id
        if other in self._trees.sources and (not fragment or fragment.startswith("/")):
            try:
                found = Found(self._trees.node(wanted), _at(wanted))
            except KeyError:
                pass
            else:
                return _Answer(found if self._comes_to_an_end(wanted) else None)
        for meant in self._meant(wanted, target, kind):
            if meant != wanted and self._comes_to_an_end(meant):
                self.mended.add(wanted)
                start = f"{uri}#"
                written = meant.removeprefix(uri) if meant.startswith(start) else meant
                return _Answer(Found(self._trees.node(meant), _at(meant)), written)
        return _Answer(None)

    def _comes_to_an_end(self, wanted: SchemaRef) -> bool:
        passed: list[SchemaRef] = []
        seen: set[SchemaRef] = set()
        ends = True
        while (known := self._ends.get(wanted)) is None:
            if wanted in seen:
                ends = False
                if not seen.isdisjoint(self._trees.faults):
                    self._missing |= seen  # one of the circle is told, which is enough
                break
            seen.add(wanted)
            passed.append(wanted)
            try:
                node = self._trees.node(wanted)
            except KeyError:
                ends = len(passed) > 1  # of a chain, the last one is told where it stands
                break
            target = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(target, str) or (self._siblings_count and not _ANNOTATIONS.issuperset(node)):
                break
            wanted = _joined(target, wanted.partition("#")[0])
        else:
            ends = known
        self._ends.update(dict.fromkeys(passed, ends))
        return ends

    def _meant(self, wanted: SchemaRef, target: str, kind: str) -> Iterator[SchemaRef]:
        """What the author may have meant: a key with its slashes unescaped, a component by its name."""
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
            for end in range(at + 1, min(at + _MOST_JOINED, len(parts)) + 1):
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


def _joined(target: str, uri: str) -> SchemaRef:
    """As ``Trees.faults`` and ``Trees.targets`` know it: what is no URI goes by its own text."""
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
