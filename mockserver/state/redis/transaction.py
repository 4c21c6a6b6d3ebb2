"""Transactions on Redis: optimistic, repeated when another client changes what was read."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from mockserver.state.protocol import PlanChanged, Unavailable
from mockserver.state.redis.broadcast import Broadcast
from mockserver.state.redis.codec import (
    CHECKED_KINDS,
    COUNTED_KINDS,
    Reader,
    ReadKey,
    cache_key,
    check,
    to_bytes,
    to_text,
    with_related,
)
from mockserver.state.redis.connection import Connection, own_work
from mockserver.state.redis.handshake import Word
from mockserver.state.tables import CreationRecord

Result = TypeVar("Result")
_MIN_RETRY_TIME = 1.0
"""The minimum number of seconds for which a transaction with conflicts is repeated."""
_RESERVATION = 100
"""Milliseconds for which its resources are reserved then."""


class ReadRequired(BaseException):
    """Raised out of the work when it needs values that have not been read yet."""

    def __init__(self, *wanted: ReadKey) -> None:
        self.wanted = wanted


class _Conflict(Exception):  # noqa: N818
    """Another client changed what was read. ``resources`` are namespaces and resources, in turn."""

    def __init__(self, resources: Sequence[str]) -> None:
        self.resources = resources


class _Draft(NamedTuple):
    """The result of one attempt: what it read, and what to do if that has not changed."""

    reads: set[ReadKey]
    checks: list[list[Any]]
    writes: list[list[Any]]
    on_commit: list[Callable[[], None]]
    messages: list[str]


class Transaction:
    """Runs work on the keys under a connection's prefix.

    Only the work of ``atomically`` reads and writes, on the thread of the event
    loop. If it reads a value that is not cached, ReadRequired ends the work.
    Then the value is read from Redis, and the work runs again.
    """

    def __init__(self, connection: Connection, max_namespaces: int) -> None:
        self.connection = connection
        self.max_namespaces = max_namespaces
        self.broadcast = Broadcast(connection)
        self.plan = ""
        """The hash of the Plan. Scripts change nothing while another Plan is served."""
        self._reader = Reader(connection, self.broadcast, max_namespaces)
        self._known: dict[ReadKey, Any] | None = None
        self._overrides: dict[ReadKey, Any] = {}
        """Values that the work wrote itself. They replace those that were read."""
        self._read: set[ReadKey] = set()
        self._drawn: dict[ReadKey, int] = {}
        self._writes: list[list[Any]] = []
        self._checks: list[list[Any]] = []
        self._on_commit: list[Callable[[], None]] = []
        self._touched: dict[tuple[str, str], None] = {}
        self._messages: list[str] = []
        """Messages for all processes, sent after the commit."""
        self._retry_lock = asyncio.Lock()
        self._retries = itertools.count()

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        """Called with the fields of a namespace when work begins."""

    async def atomically(self, work: Callable[[], Result], *needs: ReadKey) -> Result:
        """Run ``work`` as one atomic step. See ``protocol.Store.atomically``."""
        known: dict[ReadKey, Any] = {}
        try:
            return await self._try(work, known, needs)
        except _Conflict:
            pass
        async with self._retry_lock:  # one at a time, so that one succeeds
            owner = f"{self.connection.name}:{next(self._retries)}"
            end = time.monotonic() + max(self.connection.timeout, _MIN_RETRY_TIME)
            while time.monotonic() < end:
                for read in [read for read in known if read[0] not in COUNTED_KINDS]:
                    del known[read]
                try:
                    return await self._try(work, known, needs, owner)
                except _Conflict as conflict:
                    await self.connection.ask(owner, _RESERVATION, *conflict.resources, script="reserve")
        raise Unavailable("other clients changed the same resources at every attempt")

    async def _try(
        self, work: Callable[[], Result], known: dict[ReadKey, Any], needs: Sequence[ReadKey], owner: str = ""
    ) -> Result:
        """Make one attempt. Raises _Conflict if another client has changed what it read."""
        if needs:
            await self._load(known, needs)
        while True:
            self._begin(known)
            try:
                with own_work():  # the first of its kind compiles schemas
                    result = work()
            except ReadRequired as required:
                wanted = list(dict.fromkeys(key for read in required.wanted for key in with_related(read)))
            else:
                break
            finally:
                draft = self._end()
            await self._load(known, [read for read in wanted if cache_key(read) not in known])
        if draft.writes:
            await self._commit(draft, known, owner)
        for callback in draft.on_commit:
            callback()
        for message in dict.fromkeys(draft.messages):
            with contextlib.suppress(Unavailable):  # the commit stands, even if the message is lost
                await self.broadcast.publish(message)
        return result

    async def _commit(self, draft: _Draft, known: Mapping[ReadKey, Any], owner: str) -> None:
        checked = [read for read in draft.reads if read[0] in CHECKED_KINDS]
        resources = [word for pair in sorted({read[1:3] for read in checked}) for word in pair]
        checks = draft.checks + [check(self.connection.prefix, read, known[read]) for read in checked]
        words: list[Word] = [
            self.plan,
            self.connection.now(),
            owner,
            len(resources) // 2,
            *resources,
            len(checks),
        ]
        for check_words in checks:
            words += check_words
        for write in draft.writes:
            words += [len(write), *write]
        reply = await self.connection.ask(*words, script="commit")
        if reply == b"!plan":
            raise PlanChanged
        if reply == b"!conflict":
            raise _Conflict(resources)

    def _begin(self, known: dict[ReadKey, Any]) -> None:
        self._known = known
        self._overrides, self._read, self._drawn = {}, set(), {}
        self._writes, self._on_commit, self._touched = [], [], {}
        self._checks, self._messages = [], []
        for read, value in known.items():
            if read[0] == "meta":
                self.mirror(read[1], value)

    def _end(self) -> _Draft:
        self._known = None
        # Last, because they set the time to live of keys that other writes create.
        touches = [["!touch", *used, self.max_namespaces] for used in self._touched]
        return _Draft(self._read, self._checks, [*self._writes, *touches], self._on_commit, self._messages)

    def read(self, *wanted: str) -> Any:
        """Return a value: the one that the work wrote, or the cached one. Else raise ReadRequired."""
        if wanted in self._overrides:
            return self._overrides[wanted]
        if self._known is None:
            raise RuntimeError(f"{wanted} is read outside of atomic work")
        key = cache_key(wanted)
        if key not in self._known:
            raise ReadRequired(wanted)
        self._read.add(key)
        return self._known[key]

    def prefetch(self, wanted: Iterable[ReadKey]) -> None:
        """Read several values from Redis in one round trip. Raises ReadRequired if one is not cached."""
        known = self._known or {}
        missing = [read for read in wanted if cache_key(read) not in known]
        if missing:
            raise ReadRequired(*missing)

    def is_cached(self, *wanted: str) -> bool:
        """Return whether a value was read from Redis for this work."""
        return wanted in (self._known or {})

    def override(self, value: Any, *wanted: str) -> None:
        """Let later reads in the same work return ``value``."""
        self._overrides[wanted] = value

    def write(self, *words: Any) -> None:
        """Add a command to the commit. Keys are complete; values are texts, bytes or integers."""
        self._writes.append(list(words))

    def set_clock(self, namespace: str, clock: str) -> None:
        """Set the clock of a namespace. If another client sets it at the same time, the work is repeated."""
        before = self.read("meta", namespace).get("c")
        meta = self.name("m", namespace)
        if not any(words[0] == meta for words in self._checks):
            self._checks.append([meta, "c", int(before is not None), before or ""])
        self.write("HSET", meta, "c", clock)
        self.announce(f"clock {namespace}")
        self.touch(namespace)

    def announce(self, message: str) -> None:
        """Send a message to all processes after the commit. ``atomically`` waits for their handling."""
        self._messages.append(message)

    def name(self, kind: str, *parts: str) -> str:
        """Return the name of a Redis key under the prefix. ``shared.lua`` lists the kinds."""
        return "/".join((self.connection.prefix, kind, *parts))

    def touch(self, namespace: str, resource: str = "") -> None:
        """Mark a namespace, and a resource of it, as used when the work commits."""
        self._touched[namespace, resource] = None

    @property
    def active(self) -> bool:
        """Whether work is running."""
        return self._known is not None

    def draw(self, kind: str, *parts: str) -> Any:
        """Count a counter and return the result. A repeated work gets the results of its first attempt."""
        wanted = (kind, *parts)
        key = cache_key(wanted)
        order = self._drawn[key] = self._drawn.get(key, 0) + 1
        return self.read(*wanted, f"@{order}")

    def on_commit(self, work: Callable[[], None]) -> None:
        """Call ``work`` after the commit."""
        self._on_commit.append(work)

    async def _load(self, known: dict[ReadKey, Any], wanted: Sequence[ReadKey]) -> None:
        """Read values in one round trip."""
        answers = await asyncio.gather(*(self._reader.fetch(read) for read in wanted))
        known.update(zip(map(cache_key, wanted), answers, strict=True))


class RedisCreations:
    """Creations and handles in Redis. See ``protocol.CreationTable``."""

    def __init__(self, store: Transaction) -> None:
        self._store = store

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None:
        store = self._store
        if store.is_cached("creations", namespace, resource):
            raw = store.read("creations", namespace, resource).get(key)
        else:
            raw = store.read("creation", namespace, resource, key)
        return None if raw is None else CreationRecord(*msgspec.msgpack.decode(raw))

    def set_handles(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        store = self._store
        fields = [to_bytes(f"{name}\0{value}") for name, value in handles.items()]
        packed = " ".join(field.hex() for field in fields).encode()
        store.write("HSET", store.name("h", namespace, resource), to_bytes(key), packed)
        for field in fields:
            store.write("HSET", store.name("k", namespace, resource), field, to_bytes(key))
            store.override(to_bytes(key), "handle", namespace, resource, to_text(field))
        store.override(packed, "handles", namespace, resource, key)

    def has_handles(self, namespace: str, resource: str, key: str) -> bool:
        return self._store.read("handles", namespace, resource, key) is not None

    def find_key(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        raw = self._store.read("handle", namespace, resource, f"{handle}\0{value}")
        return None if raw is None else to_text(raw)


class RedisCounters:
    """Counters in Redis. See ``protocol.CounterTable``. Repeated work does not count again."""

    def __init__(self, store: Transaction) -> None:
        self._store = store

    def next_in_sequence(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.draw("sequence", namespace, resource, name))

    def increment(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.draw("counter", namespace, resource, name))

    def count_in_window(
        self, namespace: str, resource: str, name: str, now: int, length: int
    ) -> tuple[int, int]:
        self._store.read("meta", namespace)  # sets the clock first; without it ``now`` may be out of date
        found = self._store.draw("window", namespace, resource, name, str(now), str(length))
        return cast("tuple[int, int]", found)
