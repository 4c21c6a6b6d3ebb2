"""Namespaces whose clock and journal are in Redis. The objects here are local copies of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from mockserver.diagnostics import Violation
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.journal import Call, Journal, JournalPool, Record, TruncatedBody, truncate
from mockserver.namespaces.memory import Memory
from mockserver.namespaces.namespaces import DEFAULT, Namespace, Namespaces
from mockserver.state.protocol import Unavailable
from mockserver.state.redis.store import RedisStore

_UNSET = "-"
_pack = msgspec.msgpack.Encoder(enc_hook=repr).encode
_unpack = msgspec.msgpack.decode


class SharedClock(Clock):
    """A clock that follows the clock in the store. If a control request moves it, it writes to the store."""

    def __init__(self, namespace: str, store: RedisStore, frozen_at: int | None) -> None:
        super().__init__(frozen_at)
        self._namespace = namespace
        self._store = store
        self._initial = frozen_at
        self._last_encoded = _UNSET
        self._mirroring = False

    def now(self) -> int:
        return self._store.connection.now() + self._offset if self._frozen is None else self._frozen

    def mirror(self, encoded: str) -> None:
        """Show the time in the store: ``f`` with a frozen time, ``o`` with an offset (ms), ``-`` if unset."""
        if encoded == self._last_encoded and not self._differs():
            return
        self._last_encoded, self._mirroring = encoded, True
        try:
            if encoded == _UNSET:
                self._frozen, self._offset = self._initial, 0
            elif encoded[0] == "f":
                self._frozen = int(encoded[1:])
            else:
                self._frozen, self._offset = None, int(encoded[1:])
            self._wake()
        finally:
            self._mirroring = False

    def _differs(self) -> bool:
        """Return whether work that was not committed has moved the clock."""
        return self._last_encoded not in (self._encoded(), _UNSET) or (
            self._last_encoded == _UNSET and (self._frozen, self._offset) != (self._initial, 0)
        )

    def _encoded(self) -> str:
        return f"o{self._offset}" if self._frozen is None else f"f{self._frozen}"

    def _wake(self) -> None:
        if not self._mirroring and self._store.active:
            self._store.set_clock(self._namespace, self._encoded())
        super()._wake()


class SharedJournal(Journal):
    """The calls of one namespace, from all workers."""

    __slots__ = ("_store",)

    def __init__(self, namespace: str, journal_pool: JournalPool, store: RedisStore) -> None:
        super().__init__(namespace, journal_pool)
        self._store = store

    def write(self, request: Request, response: Response, when: int, seconds: float) -> None:
        publish = None
        if self._pool.watch is not None:
            publish = partial(self._publish, request, response, when, seconds)
        if self._most:
            length, sent = len(request.body), len(response.body)
            request, response = truncate(request, response)
            record = (
                when, seconds, request.method, request.raw_path, request.query_string, request.headers,
                bytes(request.body), length, response.status, response.headers, bytes(response.body), sent,
                response.decision,
                response.delay, response.fault, response.operation, response.resource, response.key,
                response.violations or (),
            )  # fmt: skip
            self._store.record(self.namespace, _pack(record), publish)
        elif publish is not None:
            publish(0)

    def _publish(
        self, request: Request, response: Response, when: int, seconds: float, number: int | Unavailable
    ) -> None:
        """Pass a call to the observer. ``number`` is the one that the store assigned, 0 if it stores none."""
        if self._pool.watch is not None:
            stored = 0 if isinstance(number, Unavailable) else number
            self._pool.watch(self.namespace, (stored, when, seconds, request, response, 0))

    def __len__(self) -> int:
        self._store.read("records")
        removed = int(self._meta().get("t", 0))  # they are in the list as empty texts
        return max(0, int(self._store.read("length", self.namespace)) - removed)

    @property
    def size(self) -> int:
        return 0

    @property
    def lost(self) -> int:
        meta = self._meta()
        lost = int(meta.get("n", 0)) - int(meta.get("s", 0)) - int(meta.get("d", 0)) - len(self)
        return max(0, lost) if self._most else 0  # negative if calls came between the two reads

    def records(self) -> list[Record]:
        return [_record(number, raw) for number, raw in self._read()]

    def find(self, number: int) -> Call | None:
        return next((Call(*record) for record in self.records() if record[0] == number), None)

    def remove(self, numbers: Collection[int]) -> list[Call]:
        store, removed = self._store, []
        for number, raw in self._read():
            if number in numbers:
                store.write("!strike", self.namespace, number)
                removed.append(Call(*_record(number, raw)))
        return removed

    def clear(self) -> None:
        self._store.write("!clear", self.namespace)

    def _read(self) -> list[tuple[int, bytes]]:
        """Return all calls that were answered before this read: their numbers and records."""
        self._store.read("records")
        found: list[tuple[int, bytes]] = self._store.read("journal", self.namespace)
        return found

    def drop(self, count: int) -> None:
        """Do nothing: the script that records a call enforces the limits."""

    def _meta(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self._store.read("meta", self.namespace)
        return found


class SharedNamespaces(Namespaces):
    """The namespaces of all workers that share a store."""

    def __init__(
        self,
        store: RedisStore,
        frozen_at: int | None = None,
        max_namespaces: int = 1000,
        *,
        journal_pool: JournalPool | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._store = store
        self._clocks = WeakValueDictionary[str, SharedClock]()
        """Also the clocks of namespaces no longer held here, while something sleeps on them."""
        super().__init__(frozen_at, max_namespaces, journal_pool=journal_pool, memory=memory)
        store.on_meta, store.on_clock, store.frozen_at = self.mirror, self.mirror_clock, frozen_at
        store.journal_limits = self.journal_pool.calls, self.journal_pool.max_bytes

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        """Set the clock of a namespace to the one in the store. ``meta`` are its fields there."""
        self.mirror_clock(namespace, meta.get("c", _UNSET))

    def mirror_clock(self, name: str, encoded: str) -> None:
        """Set the clock of a namespace to the one in the store."""
        namespace = self.default if name == DEFAULT else self.get_or_create(name)
        if namespace is not None:
            clock = namespace.clock
            assert isinstance(clock, SharedClock)  # noqa: S101 - created by _create
            clock.mirror(encoded)

    def __iter__(self) -> Iterator[Namespace]:
        """Yield the namespaces. Their values are read in one round trip, because there may be a thousand."""
        store, names = self._store, self._store.read("namespaces")
        needs: list[tuple[str, ...]] = [("records",), ("global",)]
        for name in (DEFAULT, *names):
            needs += [("meta", name), ("length", name)]
            needs += [("count", name, resource) for resource in store.resources]
        store.prefetch(dict.fromkeys(needs))
        yield self.default
        for name in names:
            if name != DEFAULT and (namespace := self.get_or_create(name)) is not None:
                yield namespace

    def get_or_create(self, name: str) -> Namespace | None:
        """Return the namespace. The least recently used is no longer held here, but stays in the store."""
        if name != DEFAULT and len(self._named) >= self.max_namespaces and name not in self._named:
            oldest = self._named.pop(next(iter(self._named)))
            self.journal_pool.forget(oldest.journal)
        return super().get_or_create(name)

    def get(self, name: str) -> Namespace | None:
        if name != DEFAULT and name not in self._store.read("namespaces"):
            return None
        return self.get_or_create(name)

    def control(self, name: str) -> Namespace | None:
        namespace = self.get_or_create(name)
        if namespace is not None and name != DEFAULT:
            self._store.retain(name)
        return namespace

    def drop(self, name: str) -> None:
        if name not in self._store.read("namespaces"):
            raise KeyError(name)
        self._store.write("!drop", name, 1)
        self.on_drop(name)
        if (namespace := self._named.pop(name, None)) is not None:
            self.journal_pool.forget(namespace.journal)
            namespace.clock.close()

    @property
    def evicted(self) -> int:
        return int(self._store.read("global").get("namespaces", 0))

    @evicted.setter
    def evicted(self, value: int) -> None:
        """Do nothing: the store counts."""

    def _create(self, name: str) -> Namespace:
        clock = self._clocks.get(name)
        if clock is None or clock.closed:
            clock = self._clocks[name] = SharedClock(name, self._store, self.frozen_at)
        return Namespace(name, clock, SharedJournal(name, self.journal_pool, self._store))


def _record(number: int, raw: bytes) -> Record:
    (
        when, seconds, method, path, query, headers, body, length, status, fields, out, sent, decision,
        delay, fault, operation, resource, key, violations,
    ) = _unpack(raw)  # fmt: skip
    request = Request(method, path, query, headers, _cut(body, length))
    response = Response(
        status, [(field, value) for field, value in fields], _cut(out, sent), decision, delay, fault, None,
        operation, resource, key, tuple(msgspec.convert(violation, Violation) for violation in violations),
    )  # fmt: skip
    return number, when, seconds, request, response, len(raw)


def _cut(body: bytes, length: int) -> bytes:
    if len(body) == length:
        return body
    truncated = TruncatedBody(body)
    truncated.length = length
    return truncated
