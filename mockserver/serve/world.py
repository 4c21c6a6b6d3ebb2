"""A namespace at run time: a world of its own, with its own clock."""

from __future__ import annotations

import re

from mockserver.serve.clock import Clock

DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")


class World:
    """One namespace: its clock. State lives in the store, under the world's name."""

    __slots__ = ("clock", "name")

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock


class Worlds:
    """The namespaces, made on first use and bounded: the one not used for longest goes first."""

    def __init__(self, frozen_at: int | None = None, most: int = 1000) -> None:
        self._frozen_at = frozen_at
        self._most = most
        self.default = World(DEFAULT, Clock(frozen_at))
        self._named: dict[str, World] = {}

    def find(self, name: str) -> World | None:
        """The world of a namespace header; None where that is no name."""
        if name == DEFAULT:
            return self.default
        world = self._named.pop(name, None)
        if world is None:
            if not _NAME.match(name):
                return None
            if len(self._named) >= self._most:
                self._named.pop(next(iter(self._named)))
            world = World(name, Clock(self._frozen_at))
        self._named[name] = world
        return world
