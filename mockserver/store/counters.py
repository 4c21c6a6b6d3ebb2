"""Counts that belong to a namespace: creations, throws of dice, calls in a window of time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeVar

from mockserver.store.sizes import Sizes, text_size

MOST = 100_000
"""Windows and tallies of one resource in one namespace; those not used for longest go first."""
MOST_BYTES = 256 * 1024 * 1024
"""Bytes of the windows and tallies of all namespaces."""
_EACH = 320
"""Bytes of a count and its name, but for the characters."""

_Shelf = tuple[str, str]
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
