"""Where a reference into a document stands in its files, as near as can be told."""

from __future__ import annotations

import contextlib
from urllib.parse import unquote, urldefrag

from mockserver.compile.operations import SYNTHETIC
from mockserver.compile.references import Trees, absolute
from mockserver.errors import Location
from mockserver.plan import JSON, ROOT, SchemaRef
from mockserver.schema.pointers import escape, index, tokens

_MOST_STEPS = 64
"""References followed on the way to one place."""


def locate(trees: Trees, ref: SchemaRef, *, through: bool = False) -> Location:
    """File, line and column of ``ref``; of the deepest part of it that exists.

    References on the way are followed, so that what a path holds only by
    ``$ref`` is found where it is written; ``through`` follows one at its end as well.
    """
    if through:
        with contextlib.suppress(KeyError):
            _, ref = trees.resolve(ref)
    uri, path = _existing(trees, *_split(ref))
    if uri not in trees.sources:
        return trees.sources[trees.root_uri].locate("")
    return trees.sources[uri].locate("".join(f"/{escape(part)}" for part in path))


def _split(ref: SchemaRef) -> tuple[str, list[str]]:
    uri, pointer = urldefrag(ref)
    path = tokens(pointer)
    if uri == SYNTHETIC and path:  # named after the place of the parameter or header that it was made from
        origin, *rest = path
        origin = unquote(origin)
        if origin.startswith(ROOT):
            uri, path = _split(origin)
            return uri, path + rest
    return uri, path


def _existing(trees: Trees, uri: str, path: list[str]) -> tuple[str, list[str]]:
    """The tree in which a path ends, and as much of the path as there is."""
    node: JSON = trees.sources[uri].value if uri in trees.sources else None
    done: list[str] = []
    pending = list(path)
    steps = 0
    while pending:
        part = pending[0]
        name = next((each for each in (part, unquote(part)) if _member(node, each) is not None), None)
        if name is not None:
            pending.pop(0)
            done.append(name)
            node = _member(node, name)
            continue
        target = node.get("$ref") if isinstance(node, dict) else None
        steps += 1
        if not isinstance(target, str) or steps > _MOST_STEPS:
            break
        other, start = _split(absolute(target, f"{uri}#"))
        if other not in trees.sources:
            break
        uri, node, done = other, trees.sources[other].value, []
        pending = start + pending
    return uri, done


def _member(node: JSON, name: str) -> JSON | None:
    if isinstance(node, dict):
        return node.get(name)
    if isinstance(node, list) and (place := index(name, node)) is not None:
        return node[place]
    return None
