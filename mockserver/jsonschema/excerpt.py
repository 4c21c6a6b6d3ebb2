"""A part of a large value that breaks its schema as the whole does, for the violations to be told of.

jsonschema-rs finds all errors of a value or the first one, and an error holds a copy of
what it is about: those of a list with a hundred thousand faults take gigabytes.
Its verdict takes neither memory nor much time. So lists and maps of a large
value are cut, one after the other, to a part with which it is still invalid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

from msgspec import Struct

from mockserver.plan import JSON

FEW_NODES = 250
"""Values inside of one that is looked at whole."""
FEW_CHARACTERS = 64 * 1024
"""Characters of the texts in it: each error has copies of them."""

_LASTING = frozenset(
    (
        "additionalItems",
        "additionalProperties",
        "anyOf",
        "falseSchema",
        "maxItems",
        "maxProperties",
        "oneOf",
        "propertyNames",
        "type",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    )
)
"""Keywords that a container breaks whatever else is in it (of ``anyOf`` and ``oneOf``: most likely)."""
_LEAST_ITEMS = 8
_LEAST_MEMBERS = 32
"""Fewer are the fields of a record, each with a meaning of its own."""
_CHUNKS = 16
_LOOKS = 8
"""How often all of the value may be looked through, before a part is left as large as it is."""

Path: TypeAlias = tuple[str | int, ...]
_Link: TypeAlias = "tuple[_Link, str | int] | None"


class Excerpt(Struct):
    """``value`` with its lists and maps cut. ``cuts``: where, and how many items were left out before."""

    value: JSON
    cuts: dict[Path, int]
    nodes: int
    characters: int

    @property
    def is_small(self) -> bool:
        """Whether all errors of it may be asked for."""
        return self.nodes <= FEW_NODES and self.characters <= FEW_CHARACTERS

    def is_certain(self, keyword: str, path: list[str | int]) -> bool:
        """Whether an error is one of the whole value too, and not of what was left out."""
        return keyword in _LASTING or tuple(path) not in self.cuts

    def original(self, path: list[str | int]) -> list[str | int]:
        """A path in the excerpt as one in the whole value."""
        return [
            step + self.cuts.get(tuple(path[:i]), 0) if isinstance(step, int) else step
            for i, step in enumerate(path)
        ]


class _Survey(Struct):
    nodes: int
    characters: int
    wide: _Link | tuple[()]
    """The outermost container that may be cut; an empty tuple where there is none."""


def excerpts(value: JSON, is_valid: Callable[[JSON], bool]) -> Iterator[Excerpt]:
    """Parts of a value that is not valid, neither of them valid, in its order."""
    return _narrowed(Excerpt(value, {}, 0, 0), set(), is_valid, _Work())


class _Work(Struct):
    left: int = 0
    """Values that may be looked at."""
    is_begun: bool = False


def _narrowed(
    found: Excerpt, whole: set[Path], is_valid: Callable[[JSON], bool], work: _Work
) -> Iterator[Excerpt]:
    """``whole``: containers in which the fault is gone when they are cut."""
    value, cuts = found.value, found.cuts
    survey = _survey(value, whole)
    if not work.is_begun:
        work.left, work.is_begun = survey.nodes * _LOOKS, True
    work.left -= survey.nodes
    if survey.nodes <= FEW_NODES or survey.wide == () or work.left <= 0:
        yield Excerpt(value, cuts, survey.nodes, survey.characters)
        return
    path = _path(survey.wide)
    is_whole = True
    for start, part in _parts(_at(value, path)):
        work.left -= survey.nodes // _CHUNKS
        candidate = _replaced(value, path, part)
        if not is_valid(candidate):
            is_whole = False
            moved = _moved(cuts, path, start, len(part)) | {path: cuts.get(path, 0) + start}
            apart = set(_moved(dict.fromkeys(whole, 0), path, start, len(part)))
            yield from _narrowed(Excerpt(candidate, moved, 0, 0), apart, is_valid, work)
            if work.left <= 0:
                return
    if is_whole:
        yield from _narrowed(found, {*whole, path}, is_valid, work)


def nodes(value: JSON) -> int:
    """How many values there are in one, with itself."""
    return _survey(value, set()).nodes


def _survey(value: JSON, whole: set[Path]) -> _Survey:
    nodes, characters = 1, len(value) if isinstance(value, str) else 0
    wide: _Link | tuple[()] = ()
    level: deque[tuple[JSON, _Link]] = deque([(value, None)] if isinstance(value, (dict, list)) else [])
    while level:
        node, link = level.popleft()
        nodes += len(node)
        is_list = isinstance(node, list)
        is_wide = len(node) > (_LEAST_ITEMS if is_list else _LEAST_MEMBERS)
        if is_wide and wide == () and not (whole and _path(link) in whole):
            wide = link
        for key, child in enumerate(node) if is_list else node.items():
            if isinstance(child, str):
                characters += len(child)
            elif child and isinstance(child, (dict, list)):
                level.append((child, (link, key)))
        if not is_list:
            characters += sum(map(len, node))
    return _Survey(nodes, characters, wide)


def _path(link: _Link | tuple[()]) -> Path:
    steps: list[str | int] = []
    while link:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))


def _at(value: JSON, path: Path) -> JSON:
    for step in path:
        value = value[step]
    return value


def _parts(node: JSON) -> Iterator[tuple[int, JSON]]:
    size = -(-len(node) // _CHUNKS)
    for start in range(0, len(node), size):
        part = (
            node[start : start + size]
            if isinstance(node, list)
            else dict(islice(node.items(), start, start + size))
        )
        # The items of a map are found by name, wherever they stand
        yield (start if isinstance(node, list) else 0), part


def _replaced(value: JSON, path: Path, part: JSON) -> JSON:
    if not path:
        return part
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], part)
    return copy


def _moved(paths: dict[Path, int], cut: Path, start: int, length: int) -> dict[Path, int]:
    """Paths as they are when the list at ``cut`` has only so many items from ``start`` on."""
    moved: dict[Path, int] = {}
    for path, number in paths.items():
        step = path[len(cut)] if path[: len(cut)] == cut and len(path) > len(cut) else None
        if not isinstance(step, int):
            moved[path] = number
        elif start <= step < start + length:
            moved[(*cut, step - start, *path[len(cut) + 1 :])] = number
    return moved
