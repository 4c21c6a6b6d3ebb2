"""Counts that belong to a namespace: creations, throws of dice, calls in a window of time."""

from __future__ import annotations

from itertools import islice

MOST = 100_000
"""Windows and tallies of one resource in one namespace; those not used for longest go first."""

_Shelf = tuple[str, str]


class Counters:
    """Counters by namespace, resource and name."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._runs: dict[_Shelf, dict[str, int]] = {}
        self._tallies: dict[_Shelf, dict[str, int]] = {}
        self._windows: dict[_Shelf, dict[str, tuple[int, int]]] = {}

    def run(self, namespace: str, resource: str, name: str) -> int:
        """The next number of a run that is never forgotten, from 1. ``name`` is one of a few."""
        run = self._runs.setdefault((namespace, resource), {})
        run[name] = number = run.get(name, 0) + 1
        return number

    def tally(self, namespace: str, resource: str, name: str) -> int:
        """The same for any number of names, of which the longest unused are forgotten."""
        tallies = self._tallies.setdefault((namespace, resource), {})
        number = tallies.pop(name, 0) + 1
        self._bound(tallies)
        tallies[name] = number
        return number

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]:
        """Count a call in its window. How many there are with it, and when the window began.

        A window begins with the first call after the last one is over.
        """
        windows = self._windows.setdefault((namespace, resource), {})
        count, began = windows.pop(name, (0, now))
        if not began <= now < began + length:
            count, began = 0, now
        self._bound(windows)
        windows[name] = count + 1, began
        return count + 1, began

    def reset(self, namespace: str, resource: str | None = None) -> None:
        tables: tuple[dict[_Shelf, object], ...] = (self._runs, self._tallies, self._windows)  # type: ignore[assignment]
        for table in tables:
            for shelf in [each for each in table if each[0] == namespace and resource in (None, each[1])]:
                del table[shelf]

    def _bound(self, table: dict[str, int] | dict[str, tuple[int, int]]) -> None:
        if len(table) >= self._most:
            for name in list(islice(table, max(1, self._most // 100))):
                del table[name]
