"""A namespace at run time: a world of its own, with its own clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mockserver.media.styles import decode
from mockserver.messages import Request
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Journal, Ledger
from mockserver.namespaces.memory import Memory
from mockserver.state.protocol import NamespacesFull

DEFAULT = "default"
PREFIX = "/__ns/"
_FORGOTTEN = 10_000
"""Evicted namespaces that are remembered by name."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


class Namespace:
    """One namespace: its clock and journal. State lives in the store, under the world's name."""

    __slots__ = ("clock", "controlled", "journal", "name")

    def __init__(self, name: str, clock: Clock, journal: Journal) -> None:
        self.name = name
        self.clock = clock
        self.journal = journal
        self.controlled = False
        """Whether a control request was about it: what somebody prepared is not lost to other clients."""


class Namespaces:
    """The namespaces, made on first use and bounded: the one not used for longest goes first.

    One that was controlled stays until it is dropped.
    """

    def __init__(
        self,
        frozen_at: int | None = None,
        most: int = 1000,
        *,
        ledger: Ledger | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.frozen_at = frozen_at
        self.most = most
        self.ledger = ledger or Ledger()
        self.memory = memory or Memory()
        """Of all that is served for them."""
        self.evicted = 0
        self.dropped: Callable[[str], None] = lambda name: None
        """Called with the name of a namespace that is gone."""
        self.default = self._make(DEFAULT)
        self._named: dict[str, Namespace] = {}
        self._forgotten: dict[str, int] = {}
        """How many calls went with each namespace that the bound pushed out."""

    def __iter__(self) -> Iterator[Namespace]:
        """The default one, then the others, longest unused first."""
        yield self.default
        yield from self._named.values()

    def find(self, name: str) -> Namespace | None:
        """The world of a namespace header; None where that is no name. Raises NamespacesFull."""
        if name == DEFAULT:
            return self.default
        world = self._named.pop(name, None)
        if world is None:
            if not is_name(name):
                return None
            if len(self._named) >= self.most:
                self._make_room()
            world = self._make(name)
            world.journal.number = self._forgotten.pop(name, 0)
        self._named[name] = world
        return world

    def known(self, name: str) -> Namespace | None:
        """The world of that name, if there is one."""
        return self.default if name == DEFAULT else self._named.get(name)

    def shown(self, name: str) -> Namespace:
        """The world of that name as this process knows it, or the default one."""
        return self._named.get(name, self.default)

    def seen(self) -> list[Namespace]:
        """Those that this process knows."""
        return [self.default, *self._named.values()]

    def drop(self, name: str) -> None:
        """Let a namespace go with all that was in it. Raises KeyError where there is none."""
        world = self._named.pop(name)
        self.ledger.close(world.journal)
        self.dropped(name)
        world.clock.close()

    def control(self, name: str) -> Namespace | None:
        """The same for a control request, which lets it stay."""
        world = self.find(name)
        if world is not None:
            world.controlled = True
        return world

    def _make_room(self) -> None:
        for name, world in self._named.items():
            if not world.controlled:
                self._evict(name)
                return
        raise NamespacesFull

    def _evict(self, name: str) -> None:
        """Drop a namespace for want of room: should it come back, its calls are known to be lost."""
        self._forgotten[name] = self._named[name].journal.came
        if len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        self.drop(name)
        self.evicted += 1

    def _make(self, name: str) -> Namespace:
        return Namespace(name, Clock(self.frozen_at), self.ledger.open(name))


def is_name(text: str) -> bool:
    """Whether a namespace can have this name."""
    return _NAME.match(text) is not None


def enter(request: Request) -> None:
    """Take ``/__ns/t1/pets`` for ``/pets`` in the namespace t1: a client is often given a URL and no more."""
    if request.raw_path.startswith(PREFIX):
        name, slash, rest = request.raw_path.removeprefix(PREFIX).partition("/")
        request.raw_path = slash + rest or "/"
        request.headers = {**request.headers, "x-mock-namespace": decode(name) or name}
