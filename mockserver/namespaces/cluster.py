"""Namespaces whose clock and journal are on Redis. What is here is a mirror; the store has the truth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from mockserver.diagnostics import Violation
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Call, Cut, Journal, Ledger, Record, kept
from mockserver.namespaces.memory import Memory
from mockserver.namespaces.namespaces import DEFAULT, Namespace, Namespaces
from mockserver.state.protocol import Unavailable
from mockserver.state.redis.store import RedisStore

_UNTOUCHED = "-"
_pack = msgspec.msgpack.Encoder(enc_hook=repr).encode
_unpack = msgspec.msgpack.decode


class SharedClock(Clock):
    """A clock that follows what the store says, and tells it when it is moved by a control request."""

    def __init__(self, namespace: str, store: RedisStore, frozen_at: int | None) -> None:
        super().__init__(frozen_at)
        self._namespace = namespace
        self._store = store
        self._first = frozen_at
        self._said = _UNTOUCHED
        self._mirrors = False

    def now(self) -> int:
        return self._store.connection.now() + self._offset if self._frozen is None else self._frozen

    def untouched(self) -> int:
        """The time of the clock as it is at first."""
        return self._first if self._first is not None else self._store.connection.now()

    def mirror(self, said: str) -> None:
        """Show what the store says: ``f`` and the time it stands at, ``o`` and an offset, or ``-``."""
        if said == self._said and not self._strayed():
            return
        self._said, self._mirrors = said, True
        try:
            if said == _UNTOUCHED:
                self._frozen, self._offset = self._first, 0
            elif said[0] == "f":
                self._frozen = int(said[1:])
            else:
                self._frozen, self._offset = None, int(said[1:])
            self._wake()
        finally:
            self._mirrors = False

    def _strayed(self) -> bool:
        """Whether work that came to nothing has moved it."""
        return self._said not in (self._told(), _UNTOUCHED) or (
            self._said == _UNTOUCHED and (self._frozen, self._offset) != (self._first, 0)
        )

    def _told(self) -> str:
        return f"o{self._offset}" if self._frozen is None else f"f{self._frozen}"

    def _wake(self) -> None:
        if not self._mirrors and self._store.active:
            self._store.set_clock(self._namespace, self._told())
        super()._wake()


class SharedJournal(Journal):
    """The calls of one namespace, of all workers."""

    __slots__ = ("_bytes", "_store")

    def __init__(self, namespace: str, ledger: Ledger, store: RedisStore) -> None:
        super().__init__(namespace, ledger)
        self._store = store
        self._bytes = ledger.most

    def write(self, request: Request, response: Response, when: int, seconds: float) -> None:
        publish = None
        if self._ledger.watch is not None:
            publish = partial(self._publish, request, response, when, seconds)
        if self._most:
            length, sent = len(request.body), len(response.body)
            request, response = kept(request, response)
            record = (
                when, seconds, request.method, request.raw_path, request.query_string, request.headers,
                bytes(request.body), length, response.status, response.headers, bytes(response.body), sent,
                response.decision,
                response.delay, response.fault, response.operation, response.resource, response.key,
                response.violations or (),
            )  # fmt: skip
            store = self._store
            words = (
                self.namespace,
                _pack(record),
                self._most,
                self._bytes,
                store.connection.now(),
                store.max_namespaces,
            )
            store.connection.send(words, publish, script="record")
        elif publish is not None:
            publish(0)

    def _publish(
        self, request: Request, response: Response, when: int, seconds: float, number: int | Unavailable
    ) -> None:
        """Tell who listens of a call, by the number that the store gave it; 0 where it keeps none."""
        if self._ledger.watch is not None:
            known = 0 if isinstance(number, Unavailable) else number
            self._ledger.watch(self.namespace, (known, when, seconds, request, response, 0))

    def __len__(self) -> int:
        self._store.read("records")
        return int(self._store.read("length", self.namespace))

    @property
    def size(self) -> int:
        return 0

    @property
    def lost(self) -> int:
        meta = self._meta()
        gone = int(meta.get("n", 0)) - int(meta.get("s", 0)) - int(meta.get("d", 0)) - len(self)
        return max(0, gone) if self._most else 0  # calls may have come between the two readings

    def records(self) -> list[Record]:
        return [_record(name, fields[1]) for name, fields in self._read()]

    def find(self, number: int) -> Call | None:
        return next((Call(*record) for record in self.records() if record[0] == number), None)

    def remove(self, numbers: Collection[int]) -> list[Call]:
        store, taken = self._store, []
        for name, fields in self._read():
            if _number(name) in numbers:
                store.write("!strike", self.namespace, name, len(fields[1]))
                taken.append(Call(*_record(name, fields[1])))
        return taken

    def clear(self) -> None:
        self._store.write("!clear", self.namespace)

    def _read(self) -> list[tuple[bytes, list[bytes]]]:
        """All calls that were answered before this was asked."""
        self._store.read("records")
        found: list[tuple[bytes, list[bytes]]] = self._store.read("journal", self.namespace)
        return found

    def drop(self, count: int) -> None:
        """Nothing: the script that writes keeps the bounds."""

    def _meta(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self._store.read("meta", self.namespace)
        return found


class SharedNamespaces(Namespaces):
    """The namespaces of all workers."""

    def __init__(
        self,
        store: RedisStore,
        frozen_at: int | None = None,
        most: int = 1000,
        *,
        ledger: Ledger | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._store = store
        self._clocks = WeakValueDictionary[str, SharedClock]()
        """Of namespaces that were forgotten here as well, for as long as something sleeps on them."""
        super().__init__(frozen_at, most, ledger=ledger, memory=memory)
        store.on_meta = self.mirror

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        """Let the clock of a namespace show what the store says."""
        world = self.find(namespace)
        if world is not None:
            self.clock(world).mirror(meta.get("c", _UNTOUCHED))

    @staticmethod
    def clock(world: Namespace) -> SharedClock:
        clock = world.clock
        assert isinstance(clock, SharedClock)  # noqa: S101 - made here
        return clock

    def __iter__(self) -> Iterator[Namespace]:
        """All that there is to tell of them is read at once: there may be a thousand."""
        store, names = self._store, self._store.read("namespaces")
        needs: list[tuple[str, ...]] = [("records",), ("global",)]
        for name in (DEFAULT, *names):
            needs += [("meta", name), ("length", name)]
            needs += [("count", name, resource) for resource in store.resources]
        store.prefetch(dict.fromkeys(needs))
        yield self.default
        for name in names:
            if name != DEFAULT and (world := self.find(name)) is not None:
                yield world

    def find(self, name: str) -> Namespace | None:
        """As ever; but one that is not used here for long is forgotten here, and stays in the store."""
        if name != DEFAULT and len(self._named) >= self.most and name not in self._named:
            oldest = self._named.pop(next(iter(self._named)))
            self.ledger.forget(oldest.journal)
        return super().find(name)

    def known(self, name: str) -> Namespace | None:
        if name != DEFAULT and name not in self._store.read("namespaces"):
            return None
        return self.find(name)

    def control(self, name: str) -> Namespace | None:
        world = self.find(name)
        if world is not None and name != DEFAULT:
            self._store.retain(name)
        return world

    def drop(self, name: str) -> None:
        if name not in self._store.read("namespaces"):
            raise KeyError(name)
        self._store.write("!drop", name, 1)
        self.dropped(name)
        if (world := self._named.pop(name, None)) is not None:
            self.ledger.forget(world.journal)
            world.clock.close()

    @property
    def evicted(self) -> int:
        return int(self._store.read("global").get("namespaces", 0))

    @evicted.setter
    def evicted(self, value: int) -> None:
        """Nothing: the store counts."""

    def _make(self, name: str) -> Namespace:
        clock = self._clocks.get(name)
        if clock is None or clock.closed:
            clock = self._clocks[name] = SharedClock(name, self._store, self.frozen_at)
        return Namespace(name, clock, SharedJournal(name, self.ledger, self._store))


def _number(name: bytes) -> int:
    return int(name.partition(b"-")[0])


def _record(name: bytes, raw: bytes) -> Record:
    (
        when, seconds, method, path, query, headers, body, length, status, fields, out, sent, decision,
        delay, fault, operation, resource, key, violations,
    ) = _unpack(raw)  # fmt: skip
    request = Request(method, path, query, headers, _cut(body, length))
    response = Response(
        status, [(field, value) for field, value in fields], _cut(out, sent), decision, delay, fault, None,
        operation, resource, key, tuple(msgspec.convert(each, Violation) for each in violations),
    )  # fmt: skip
    return _number(name), when, seconds, request, response, len(raw)


def _cut(body: bytes, length: int) -> bytes:
    if len(body) == length:
        return body
    cut = Cut(body)
    cut.length = length
    return cut
