"""A namespace at run time: a world of its own, with its own clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mockserver.media.percent import decode
from mockserver.serve.clock import Clock
from mockserver.serve.journal import Journal, Ledger
from mockserver.serve.request import Request

DEFAULT = "default"
PREFIX = "/__ns/"
_FORGOTTEN = 10_000
"""Evicted namespaces that are remembered by name."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


class World:
    """One namespace: its clock and journal. State lives in the store, under the world's name."""

    __slots__ = ("clock", "journal", "name")

    def __init__(self, name: str, clock: Clock, journal: Journal) -> None:
        self.name = name
        self.clock = clock
        self.journal = journal


class Worlds:
    """The namespaces, made on first use and bounded: the one not used for longest goes first."""

    def __init__(
        self, frozen_at: int | None = None, most: int = 1000, *, ledger: Ledger | None = None
    ) -> None:
        self.frozen_at = frozen_at
        self.most = most
        self.ledger = ledger or Ledger()
        self.evicted = 0
        self.dropped: Callable[[str], None] = lambda name: None
        """Called with the name of a namespace that is gone."""
        self.default = self._make(DEFAULT)
        self._named: dict[str, World] = {}
        self._forgotten: dict[str, int] = {}
        """How many calls went with each namespace that the bound pushed out."""

    def __iter__(self) -> Iterator[World]:
        """The default one, then the others, longest unused first."""
        yield self.default
        yield from self._named.values()

    def find(self, name: str) -> World | None:
        """The world of a namespace header; None where that is no name."""
        if name == DEFAULT:
            return self.default
        world = self._named.pop(name, None)
        if world is None:
            if not _NAME.match(name):
                return None
            if len(self._named) >= self.most:
                self._evict(next(iter(self._named)))
            world = self._make(name)
            world.journal.number = self._forgotten.pop(name, 0)
        self._named[name] = world
        return world

    def known(self, name: str) -> World | None:
        """The world of that name, if there is one."""
        return self.default if name == DEFAULT else self._named.get(name)

    def shown(self, name: str) -> World:
        """The world of that name as this process knows it, or the default one."""
        return self._named.get(name, self.default)

    def seen(self) -> list[World]:
        """Those that this process knows."""
        return [self.default, *self._named.values()]

    def drop(self, name: str) -> None:
        """Let a namespace go with all that was in it. Raises KeyError where there is none."""
        world = self._named.pop(name)
        self.ledger.close(world.journal)
        self.dropped(name)
        world.clock.close()

    def _evict(self, name: str) -> None:
        """Drop a namespace for want of room: should it come back, its calls are known to be lost."""
        self._forgotten[name] = self._named[name].journal.came
        if len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        self.drop(name)
        self.evicted += 1

    def _make(self, name: str) -> World:
        return World(name, Clock(self.frozen_at), self.ledger.open(name))


def enter(request: Request) -> None:
    """Take ``/__ns/t1/pets`` for ``/pets`` in the namespace t1: a client is often given a URL and no more."""
    if request.raw_path.startswith(PREFIX):
        name, slash, rest = request.raw_path.removeprefix(PREFIX).partition("/")
        request.raw_path = slash + rest or "/"
        request.headers = {**request.headers, "x-mock-namespace": decode(name) or name}
