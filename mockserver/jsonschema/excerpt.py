"""Excerpts: small invalid parts of a large invalid value, from which violations are reported.

jsonschema-rs returns all errors of a value or the first one. An error has a copy
of its value, so the errors of a list with a hundred thousand faults take
gigabytes. To check whether a value is valid takes little memory and time. So the
lists and maps of a large value are cut, one after the other, while it stays invalid,
and then its long texts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

import msgspec
from msgspec import Struct

from mockserver.plan import JSON

MAX_NODES_OF_EXCERPT = 150
"""The maximum number of values in an excerpt of which all errors are read."""
MAX_CHARACTERS_OF_EXCERPT = 64 * 1024
"""The maximum number of characters of its texts, because each error has copies of them."""

_CERTAIN_KEYWORDS = frozenset(
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
"""Keywords whose errors do not depend on items that were cut (``anyOf`` and ``oneOf``: most likely)."""
_MAX_TEXT = 1_000
"""The characters of a text above which it is cut."""
_MIN_ITEMS = 8
_MIN_MEMBERS = 32
"""Smaller maps are records, whose members have different meanings. They are not cut."""
_CHUNKS = 16
_encode = msgspec.json.Encoder().encode
_MAX_PASSES = 8
"""The maximum work, in passes over the whole value. After that, an excerpt is not cut further."""
_MIN_WORK = 256 * 1024
"""The work in octets of JSON that a small value may take all the same."""
_MAX_SURVEYED = 20_000
"""The maximum number of values that a survey looks at."""

Path: TypeAlias = tuple[str | int, ...]
_Link: TypeAlias = "tuple[_Link, str | int] | None"


class Excerpt(Struct):
    """A value with cut lists and maps. ``cuts``: path to the number of items that were cut before it."""

    value: JSON
    cuts: dict[Path, int]
    nodes: int
    characters: int

    @property
    def is_small(self) -> bool:
        """Whether all of its errors may be read."""
        return self.nodes <= MAX_NODES_OF_EXCERPT and self.characters <= MAX_CHARACTERS_OF_EXCERPT

    def is_certain(self, keyword: str, path: list[str | int]) -> bool:
        """Return whether an error is also one of the whole value, and not an effect of the cut."""
        return keyword in _CERTAIN_KEYWORDS or tuple(path) not in self.cuts

    def original(self, path: list[str | int]) -> list[str | int]:
        """Return the path in the whole value for a path in the excerpt."""
        return [
            step + self.cuts.get(tuple(path[:i]), 0) if isinstance(step, int) else step
            for i, step in enumerate(path)
        ]


class _Survey(Struct):
    nodes: int
    characters: int
    wide: _Link | tuple[()]
    """The outermost container that may be cut, or an empty tuple."""


def excerpts(value: JSON, is_valid: Callable[[JSON], bool]) -> Iterator[Excerpt]:
    """Yield invalid parts of an invalid value, in order."""
    size = _size(value)
    work = _Work(max(_MAX_PASSES * size, _MIN_WORK), is_valid)
    return _narrow(Excerpt(value, {}, 0, 0), size, set(), work)


class _Work(Struct):
    left: int
    """The octets of JSON that may still be validated."""
    is_valid: Callable[[JSON], bool]


def _narrow(found: Excerpt, of_found: int, whole: set[Path], work: _Work) -> Iterator[Excerpt]:
    """Yield the excerpts of ``found``, whose value has about ``of_found`` octets as JSON.

    ``whole``: containers that cannot be cut and stay invalid.
    """
    value, cuts = found.value, found.cuts
    survey = _survey(value, whole, MAX_NODES_OF_EXCERPT if work.left > 0 else _MAX_SURVEYED)
    if survey.nodes <= MAX_NODES_OF_EXCERPT or survey.wide == () or work.left <= 0:
        found = Excerpt(value, cuts, survey.nodes, survey.characters)
        yield found if survey.characters <= MAX_CHARACTERS_OF_EXCERPT else _shorten(found, work)
        return
    path = _path(survey.wide)
    container = _at(value, path)
    of_container = _size(container) if path else of_found
    size = of_found - of_container + of_container // _CHUNKS
    is_whole = True
    for start, part in _parts(container):
        candidate = _replace(value, path, part)
        work.left -= size
        if not work.is_valid(candidate):
            is_whole = False
            moved = _move(cuts, path, start, len(part)) | {path: cuts.get(path, 0) + start}
            apart = set(_move(dict.fromkeys(whole, 0), path, start, len(part)))
            yield from _narrow(Excerpt(candidate, moved, 0, 0), size, apart, work)
        if work.left <= 0:
            return
    if is_whole:
        yield from _narrow(found, of_found, {*whole, path}, work)


def _shorten(found: Excerpt, work: _Work) -> Excerpt:
    """Return an excerpt with its long texts cut, if it stays invalid; else the same."""
    if found.nodes > _MAX_SURVEYED:
        return found
    cuts = dict(found.cuts)
    characters = 0

    def cut(value: JSON, path: Path) -> JSON:
        nonlocal characters
        if isinstance(value, list):
            return [cut(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            return {name: cut(member, (*path, name)) for name, member in value.items()}
        if isinstance(value, str):
            if len(value) > _MAX_TEXT:
                cuts[path] = 0
                value = value[:_MAX_TEXT]
            characters += len(value)
        return value

    value = cut(found.value, ())
    return found if work.is_valid(value) else Excerpt(value, cuts, found.nodes, characters)


def _size(value: JSON) -> int:
    """Return the octets of a value as JSON. This is much faster than to count its parts."""
    return len(_encode(value))


def measure(value: JSON) -> tuple[int, int]:
    """Return the number of values in a value, itself included, and that of the characters of its texts.

    Above _MAX_SURVEYED values, they may be too small.
    """
    survey = _survey(value, set(), _MAX_SURVEYED)
    return survey.nodes, survey.characters


def _survey(value: JSON, whole: set[Path], enough: int) -> _Survey:
    """Look at the values level by level, until more than ``enough`` and a container to cut are found.

    Above that, the numbers are too small.
    """
    nodes, characters = 1, len(value) if isinstance(value, str) else 0
    left = _MAX_SURVEYED
    wide: _Link | tuple[()] = ()
    level: deque[tuple[JSON, _Link]] = deque([(value, None)] if isinstance(value, (dict, list)) else [])
    while level and left > 0:
        node, link = level.popleft()
        nodes += len(node)
        is_list = isinstance(node, list)
        is_wide = len(node) > (_MIN_ITEMS if is_list else _MIN_MEMBERS)
        if is_wide and wide == () and not (whole and _path(link) in whole):
            wide = link
        if wide != () and nodes > enough:
            break
        members = enumerate(node) if is_list else node.items()
        for key, child in members if len(node) <= left else islice(members, left):
            kind = type(child)  # twice as fast as isinstance, and a value that was read has no subclasses
            if kind is str:
                characters += len(child)
            elif child and (kind is dict or kind is list):
                level.append((child, (link, key)))
        left -= len(node)
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
        # The members of a map have names, so their position does not matter
        yield (start if isinstance(node, list) else 0), part


def _replace(value: JSON, path: Path, part: JSON) -> JSON:
    if not path:
        return part
    copy = value.copy()
    copy[path[0]] = _replace(value[path[0]], path[1:], part)
    return copy


def _move(paths: dict[Path, int], cut: Path, start: int, length: int) -> dict[Path, int]:
    """Return ``paths`` after a cut of the list at ``cut`` to ``length`` items from ``start`` on."""
    moved: dict[Path, int] = {}
    for path, number in paths.items():
        step = path[len(cut)] if path[: len(cut)] == cut and len(path) > len(cut) else None
        if not isinstance(step, int):
            moved[path] = number
        elif start <= step < start + length:
            moved[(*cut, step - start, *path[len(cut) + 1 :])] = number
    return moved
