"""The namespaces of a process: created on first use, bounded, and found by their name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mockserver.media.styles import decode
from mockserver.messages import Request
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Journal, JournalPool
from mockserver.namespaces.memory import Memory
from mockserver.state.protocol import NamespacesFull

DEFAULT = "default"
PREFIX = "/__ns/"
_MAX_EVICTED_NAMES = 10_000
"""The maximum number of evicted namespaces whose names are remembered."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\Z")


class Namespace:
    """A namespace: its name, clock and journal. Its resource state is in the store, under its name."""

    __slots__ = ("clock", "controlled", "journal", "name")

    def __init__(self, name: str, clock: Clock, journal: Journal) -> None:
        self.name = name
        self.clock = clock
        self.journal = journal
        self.controlled = False
        """Whether a control request has used it. Then it is not evicted."""


class Namespaces:
    """The namespaces. Above ``max_namespaces``, beside the default one, the least recently used is evicted.

    A namespace that a control request has used stays until it is deleted.
    """

    def __init__(
        self,
        frozen_at: int | None = None,
        max_namespaces: int = 1000,
        *,
        journal_pool: JournalPool | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.frozen_at = frozen_at
        self.max_namespaces = max_namespaces
        self.journal_pool = journal_pool or JournalPool()
        self.memory = memory or Memory()
        """The account of memory that all namespaces share."""
        self.evicted = 0
        self.on_drop: Callable[[str], None] = lambda name: None
        """Called with the name of a namespace that was deleted or evicted."""
        self.default = self._create(DEFAULT)
        self._named: dict[str, Namespace] = {}
        self._evicted_calls: dict[str, int] = {}
        """The number of calls of each evicted namespace, by name."""

    def __iter__(self) -> Iterator[Namespace]:
        """Yield the default namespace, then the others, the least recently used first."""
        yield self.default
        yield from self._named.values()

    def get_or_create(self, name: str) -> Namespace | None:
        """Return the namespace of this name, or None if the name is not valid. Raises NamespacesFull."""
        if name == DEFAULT:
            return self.default
        namespace = self._named.pop(name, None)
        if namespace is None:
            if not is_valid_name(name):
                return None
            if len(self._named) >= self.max_namespaces:
                self._make_room()
            namespace = self._create(name)
            namespace.journal.number = self._evicted_calls.pop(name, 0)
        self._named[name] = namespace
        return namespace

    def get(self, name: str) -> Namespace | None:
        """Return the namespace of this name, or None."""
        return self.default if name == DEFAULT else self._named.get(name)

    def get_or_default(self, name: str) -> Namespace:
        """Return the namespace of this name if it is in this process, or the default one."""
        return self._named.get(name, self.default)

    def local(self) -> list[Namespace]:
        """Return the namespaces that are in this process."""
        return [self.default, *self._named.values()]

    def drop(self, name: str) -> None:
        """Delete a namespace with all its content. Raises KeyError if there is none."""
        namespace = self._named.pop(name)
        self.journal_pool.close(namespace.journal)
        self.on_drop(name)
        namespace.clock.close()

    def control(self, name: str) -> Namespace | None:
        """Do what ``get_or_create`` does, for a control request: the namespace is never evicted."""
        namespace = self.get_or_create(name)
        if namespace is not None:
            namespace.controlled = True
        return namespace

    def _make_room(self) -> None:
        for name, namespace in self._named.items():
            if not namespace.controlled:
                self._evict(name)
                return
        raise NamespacesFull

    def _evict(self, name: str) -> None:
        """Delete a namespace to make room. If it is created again, its journal counts the lost calls."""
        self._evicted_calls[name] = self._named[name].journal.recorded
        if len(self._evicted_calls) > _MAX_EVICTED_NAMES:
            del self._evicted_calls[next(iter(self._evicted_calls))]
        self.drop(name)
        self.evicted += 1

    def _create(self, name: str) -> Namespace:
        return Namespace(name, Clock(self.frozen_at), self.journal_pool.open(name))


def is_valid_name(text: str) -> bool:
    """Return whether a namespace can have this name."""
    return _NAME.match(text) is not None


def strip_namespace_prefix(request: Request) -> None:
    """Change a request for ``/__ns/t1/pets`` to one for ``/pets`` with the header of the namespace t1.

    So a client needs only a base URL to use a namespace.
    """
    if request.raw_path.startswith(PREFIX):
        name, slash, rest = request.raw_path.removeprefix(PREFIX).partition("/")
        request.raw_path = slash + rest or "/"
        request.headers = {**request.headers, "x-mock-namespace": decode(name) or name}
        request.section = None  # this request has a field that its section has not
