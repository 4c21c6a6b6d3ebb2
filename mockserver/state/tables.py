"""Tables beside the state of resources: how each was created, counters, and how much memory each takes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

Place = TypeVar("Place", bound=Hashable)
_SLACK = 64
"""One in so many of the bytes is given up beyond what is too much: room is not made for each thing."""


class Sizes(Generic[Place]):
    """Bytes by place, and ``most`` that all of them may take."""

    __slots__ = ("_sizes", "most", "total")

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._sizes: dict[Place, int] = {}

    def grow(self, place: Place, by: int) -> None:
        """Count more bytes, or less."""
        self.total += by
        self._sizes[place] = size = self._sizes.get(place, 0) + by
        if not size:
            del self._sizes[place]

    def forget(self, place: Place) -> None:
        """Count nothing of a place that is gone."""
        self.total -= self._sizes.pop(place, 0)

    def relieve(self, evict: Callable[[Place], int]) -> None:
        """Where there is too much, let the fullest place give things up until there is enough room.

        ``evict`` lets the longest unused of a place go; how many they were: 0 ends it.
        """
        if self.total > self.most:
            enough = self.most - self.most // _SLACK
            while self.total > enough and self._sizes:
                if not evict(max(self._sizes, key=self._sizes.__getitem__)):
                    return


def text_size(text: str) -> int:
    """Bytes of a text's characters, at most. Always the same for the same text."""
    return len(text) if text.isascii() else 4 * len(text)


MOST_BYTES = 256 * 1024 * 1024
"""Bytes that the requests of creation and the handles take together; then the longest unused resources go."""
_OVERHEAD = 512
_HANDLE = 480
"""Bytes of a handle in both tables, but for its characters."""

_Shelf = tuple[str, str]


class CreationRecord(NamedTuple):
    """The request that created a resource."""

    number: int
    """Counts the creations of a namespace and resource from 1."""
    request: bytes
    """JSON: method, path, query, headers, body."""
    csr: str = ""
    """The certificate signing request in it, where the scenario file says where it stands."""
    common_name: str = ""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.request) + text_size(self.csr) + text_size(self.common_name) + _OVERHEAD


class Creations:
    """Births and handles by namespace, resource and key."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.sizes: Sizes[_Shelf] = Sizes(most)
        self.on_growth: Callable[[str, str], None] = lambda namespace, resource: None
        """Called with the namespace and resource of which more is kept."""
        self._births: dict[_Shelf, dict[str, CreationRecord]] = {}
        self._keys: dict[_Shelf, dict[tuple[str, str], str]] = {}
        self._handles: dict[_Shelf, dict[str, tuple[tuple[str, str], ...]]] = {}

    def put(self, namespace: str, resource: str, key: str, birth: CreationRecord) -> None:
        shelf = namespace, resource
        self.drop(namespace, resource, (key,))
        self._births.setdefault(shelf, {})[key] = birth
        self.sizes.grow(shelf, birth.size)
        self.on_growth(namespace, resource)

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None:
        return self._births.get((namespace, resource), {}).get(key)

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        """Let a resource be known by its handles: name → value."""
        shelf = namespace, resource
        names = tuple(handles.items())
        self._unname(shelf, key)
        self._handles.setdefault(shelf, {})[key] = names
        self._keys.setdefault(shelf, {}).update(dict.fromkeys(names, key))
        self.sizes.grow(shelf, _size(names))
        self.on_growth(namespace, resource)

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return key in self._handles.get((namespace, resource), ())

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        """The key of the resource that a handle's value names."""
        return self._keys.get((namespace, resource), {}).get((handle, value))

    def drop(self, namespace: str, resource: str, keys: Iterable[str]) -> None:
        """Forget resources that are gone."""
        shelf = namespace, resource
        births, handles = self._births.get(shelf), self._handles.get(shelf)
        if not births and not handles:
            return
        for key in keys:
            if births and (birth := births.pop(key, None)) is not None:
                self.sizes.grow(shelf, -birth.size)
            self._unname(shelf, key)

    def reset(self, namespace: str, resource: str | None = None) -> None:
        for shelf in {*self._births, *self._handles}:
            if shelf[0] == namespace and resource in (None, shelf[1]):
                self._births.pop(shelf, None)
                self._handles.pop(shelf, None)
                self._keys.pop(shelf, None)
                self.sizes.forget(shelf)

    def _unname(self, shelf: _Shelf, key: str) -> None:
        names = self._handles.get(shelf, {}).pop(key, ())
        if not names:
            return
        for name in names:
            if self._keys[shelf].get(name) == key:
                del self._keys[shelf][name]
        self.sizes.grow(shelf, -_size(names))


def _size(names: Iterable[tuple[str, str]]) -> int:
    return sum(_HANDLE + text_size(value) for _, value in names)


MOST = 100_000
"""Windows and tallies of one resource in one namespace; those not used for longest go first."""
_EACH = 320
"""Bytes of a count and its name, but for the characters."""

_Place = tuple[str, _Shelf]
Count = TypeVar("Count")


class Counters:
    """Counters by namespace, resource and name."""

    def __init__(self, most: int = MOST, max_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self.sizes: Sizes[_Place] = Sizes(max_bytes)
        self._runs: dict[_Shelf, dict[str, int]] = {}
        self._tallies: dict[_Shelf, dict[str, int]] = {}
        self._windows: dict[_Shelf, dict[str, tuple[int, int]]] = {}
        self._tables: Mapping[str, dict[_Shelf, dict[str, Any]]] = {
            "tallies": self._tallies,
            "windows": self._windows,
        }

    def run(self, namespace: str, resource: str, name: str) -> int:
        """The next number of a run that is never forgotten, from 1. ``name`` is one of a few."""
        run = self._runs.setdefault((namespace, resource), {})
        run[name] = number = run.get(name, 0) + 1
        return number

    def tally(self, namespace: str, resource: str, name: str) -> int:
        """The same for any number of names, of which the longest unused are forgotten."""
        tallies = self._tallies.setdefault((namespace, resource), {})
        number = tallies.pop(name, 0) + 1
        self._put("tallies", (namespace, resource), name, number, is_new=number == 1)
        return number

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]:
        """Count a call in its window. How many there are with it, and when the window began.

        A window begins with the first call after the last one is over.
        """
        windows = self._windows.setdefault((namespace, resource), {})
        known = windows.pop(name, None)
        count, began = known or (0, now)
        if not began <= now < began + length:
            count, began = 0, now
        self._put("windows", (namespace, resource), name, (count + 1, began), is_new=known is None)
        return count + 1, began

    def reset(self, namespace: str, resource: str | None = None) -> None:
        tables: tuple[dict[_Shelf, Any], ...] = (self._runs, self._tallies, self._windows)
        for table in tables:
            for shelf in [each for each in table if each[0] == namespace and resource in (None, each[1])]:
                del table[shelf]
                for kind, each in self._tables.items():
                    if each is table:
                        self.sizes.forget((kind, shelf))

    def _put(self, kind: str, shelf: _Shelf, name: str, count: object, *, is_new: bool) -> None:
        """Keep a count as the last one that was used."""
        table = self._tables[kind][shelf]
        if is_new:
            if len(table) >= self._most:
                self._evict((kind, shelf))
            self.sizes.grow((kind, shelf), _EACH + text_size(name))
            self.sizes.relieve(self._evict)
        table[name] = count

    def _evict(self, place: _Place) -> int:
        kind, shelf = place
        table = self._tables[kind][shelf]
        oldest = list(islice(table, max(1, min(len(table), self._most) // 100)))
        for name in oldest:
            del table[name]
        self.sizes.grow(place, -sum(_EACH + text_size(name) for name in oldest))
        return len(oldest)
