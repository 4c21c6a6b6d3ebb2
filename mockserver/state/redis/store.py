"""The store on Redis or Valkey, shared by any number of workers and replicas.

A call to a plain resource is one script (``poll``). Everything else is a transaction.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from mockserver.messages import Deferred
from mockserver.plan import Resource
from mockserver.state.machine import Decision, ResourceState, decide, initial_state
from mockserver.state.protocol import PlanChanged, RemoteDecision, Timelines, Unavailable
from mockserver.state.redis.batch import Batch, ReplyPart
from mockserver.state.redis.codec import decode_state, encode_state, packed_timeline, to_bytes, to_text
from mockserver.state.redis.connection import Connection, time_limit
from mockserver.state.redis.data import RedisData
from mockserver.state.redis.handshake import Word
from mockserver.state.redis.transaction import RedisCounters, RedisCreations, Transaction
from mockserver.state.tables import MAX_BYTES, CreationRecord

_READY_TIMEOUT = 1.0
"""The maximum number of seconds that ``find_problem`` waits."""
_RETRY_DELAY = 0.001
"""Seconds until a call to a reserved resource is sent again."""
LIFETIME = 30 * 86_400
"""Seconds that Redis stores a Plan that no process serves."""
_NOT_COUNTED = ord("!")
"""The first byte of the script's replies to calls that it has not counted."""


PollResult = RemoteDecision | PlanChanged | Unavailable


class RedisStore(Transaction):
    """States by namespace, resource and key, under the connection's prefix. See ``protocol.Store``."""

    def __init__(
        self,
        connection: Connection,
        max_resources: int = 1_000_000,
        max_namespaces: int = 1001,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """``max_resources`` and ``max_bytes`` (of data): for one resource in one namespace."""
        super().__init__(connection, max_namespaces)
        self.max_resources = max_resources
        self.on_meta: Callable[[str, Mapping[str, str]], None] = lambda namespace, meta: None
        """Called with the fields of a namespace when work begins, such as its clock."""
        self.serves: Callable[[str, ResourceState], bool] = lambda resource, state: True
        """Returns whether the served Plan has the scenario and step of a state."""
        self.on_clock: Callable[[str, str], None] = lambda namespace, clock: None
        """Called with the clock of a namespace, encoded, when a call to it was counted."""
        self.frozen_at: int | None = None
        """The time of clocks that no control request has moved; None: that of Redis."""
        self.journal_limits = 0, 0
        """The numbers of calls and of bytes in the journal of a namespace."""
        self.polls = Batch(connection, "poll", self._first_words_of_polls)
        self._records = Batch(connection, "record", self._first_words_of_records)
        self.creations = RedisCreations(self)
        self.counters = RedisCounters(self)
        self.data = RedisData(self, max_resources, max_bytes)
        self._assigned: dict[str, dict[str, str]] = {}

    # The hot path

    def poll(
        self, namespace: str, resource: str, key: str, operation: str, chosen: str
    ) -> Deferred[PollResult]:
        """Count one call, as ``advance`` does in an atomic step, in one round trip.

        ``chosen`` is the scenario of a new key, unless one is assigned.
        """
        deferred: Deferred[PollResult] = Deferred()
        _Call(self, (namespace, resource, operation, chosen), to_bytes(key), deferred).send()
        return deferred

    def _first_words_of_polls(self) -> tuple[Word, ...]:
        untouched = "" if self.frozen_at is None else self.frozen_at
        now = self.connection.now()
        return self.plan, now, untouched, self.max_resources, self.max_namespaces

    def record(
        self, namespace: str, record: bytes, callback: Callable[[int | Unavailable], None] | None
    ) -> None:
        """Write a call to the journal of a namespace. ``callback`` is called with its number."""
        done = None if callback is None else partial(_read_number, callback)
        self._records.add((namespace,), record, done)

    def _first_words_of_records(self) -> tuple[Word, ...]:
        return (*self.journal_limits, self.connection.now(), self.max_namespaces)

    # The interface of a store

    def retain(self, namespace: str) -> None:
        """Never evict a namespace again, because a control request has used it."""
        if "x" not in self.read("meta", namespace):
            self.write("!stay", namespace)
            self.touch(namespace)

    @property
    def evicted(self) -> int:
        return int(self.read("global").get("evicted", 0))

    def memory_usage(self) -> Iterator[tuple[str, int, int]]:
        """Yield nothing: the content is in the memory of Redis."""
        yield from ()

    def assignments(self, resource: str) -> Mapping[str, str]:
        return self._assigned.setdefault(resource, {})

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        self.read("meta", namespace)
        if scenario is None:
            self.write("HDEL", self.name("m", namespace), f"a/{resource}")
            self._assigned.setdefault(resource, {}).pop(namespace, None)
        else:
            self.write("HSET", self.name("m", namespace), f"a/{resource}", scenario)
            self._assigned.setdefault(resource, {})[namespace] = scenario
        self.touch(namespace)

    def advance(
        self,
        namespace: str,
        resource: str,
        key: str,
        now: int,
        operation: str,
        steps: Timelines,
        choose: Callable[..., str],
        about: tuple[Any, ...] = (),
        predicates: Sequence[bool] = (),
        branch_seed: str = "",
    ) -> Decision:
        state = self.peek(namespace, resource, key)
        timeline = steps(state.scenario) if state is not None else None
        if timeline is None or state is None or state.step >= len(timeline):
            state = initial_state(choose(*about), now)
            timeline = steps(state.scenario) or ()
        decision = decide(timeline, state, now, operation, predicates, branch_seed)
        self.put(namespace, resource, key, decision.state)
        return decision

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        raw = self.read("state", namespace, resource, key)
        state = None if raw is None else decode_state(raw)
        return state if state is not None and self.serves(resource, state) else None

    def peek_cached(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        return None

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        self.peek(namespace, resource, key)
        raw = encode_state(state)
        self.override(raw, "state", namespace, resource, key)
        self.write("!put", namespace, resource, self.max_resources, to_bytes(key), raw)
        self.touch(namespace, resource)

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, creation: CreationRecord
    ) -> None:
        if self.peek(namespace, resource, key) is not None:
            self._remove_handles(namespace, resource, key)
        self.put(namespace, resource, key, state)
        raw = msgspec.msgpack.encode(tuple(creation))
        self.override(raw, "creation", namespace, resource, key)
        self.write("HSET", self.name("b", namespace, resource), to_bytes(key), raw)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        known = self.peek(namespace, resource, key)
        self._remove_handles(namespace, resource, key)
        for kind in "sub":
            command = "ZREM" if kind == "u" else "HDEL"
            self.write(command, self.name(kind, namespace, resource), to_bytes(key))
        for kind in ("state", "creation"):
            self.override(None, kind, namespace, resource, key)
        return known is not None

    def _remove_handles(self, namespace: str, resource: str, key: str) -> None:
        packed = self.read("handles", namespace, resource, key)
        for hexadecimal in packed.split() if packed else ():
            field = bytes.fromhex(hexadecimal.decode())
            self.write("HDEL", self.name("k", namespace, resource), field)
            self.override(None, "handle", namespace, resource, to_text(field))
        self.write("HDEL", self.name("h", namespace, resource), to_bytes(key))
        self.override(None, "handles", namespace, resource, key)

    def prune(self, resource: str, steps: Timelines) -> None:
        """Do nothing: ``serves`` hides old states, and the next call to their key starts again."""

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]:
        for key, state in self.read("items", namespace, resource):
            if self.serves(resource, state):
                yield key, state

    def count(self, namespace: str, resource: str) -> int:
        return int(self.read("count", namespace, resource))

    def reset(self, namespace: str, resource: str | None = None) -> None:
        if resource is None:
            self.write("!drop", namespace, 0)
            for assigned in self._assigned.values():
                assigned.pop(namespace, None)
        else:
            self.write("!forget", namespace, resource)

    # The Plan

    async def find_problem(self, resources: Iterable[str]) -> str:
        """Return why the store cannot be used, by a real operation on it, or an empty text."""
        try:
            with time_limit(min(self.connection.timeout, _READY_TIMEOUT)):
                found: bytes = await self.connection.ask(self.plan, "", *resources, script="ready")
        except Unavailable as error:
            return str(error)
        return to_text(found)

    async def publish_plan(
        self, plan: str, resources: Mapping[str, Resource], before: str | None = None, origin: str = ""
    ) -> bool:
        """Store the timelines of a Plan, and make it the served one. Return whether it is served.

        It is not served if ``before`` is given and is no longer the served Plan. ``origin`` is the Plan
        with which processes of this prefix are started. ``plan``, ``before`` and ``origin`` are hashes.
        Calls of this process still require ``self.plan``.

        Raises Unavailable.
        """
        timelines = self.name("t", plan)
        words: list[Word] = []
        for resource in resources.values():
            for scenario, timeline in resource.scenarios.items():
                words += [f"{resource.name}\0{scenario}", packed_timeline(timeline.steps)]
        await self.connection.ask("HSET", timelines, "", "", *words)
        await self.connection.ask("EXPIRE", timelines, LIFETIME)
        if before is None:
            started = ("origin", origin) if origin else ()
            await self.connection.ask("HSET", self.name("g"), "plan", plan, *started)
        elif await self.connection.ask(before, plan, origin, script="adopt") == b"!plan":
            return False
        return True

    @property
    def resources(self) -> list[str]:
        """The names of all resources that this process has served."""
        return list(self._assigned)

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        for assigned in self._assigned.values():
            assigned.pop(namespace, None)
        for name, value in meta.items():
            if name.startswith("a/"):
                self._assigned.setdefault(name[2:], {})[namespace] = value
        self.on_meta(namespace, meta)


class _Call:
    """A poll on its way to Redis. It is no function that sends itself again: that is a reference cycle.

    Cycles are left to the garbage collector, whose passes delay all clients.
    """

    __slots__ = ("_began", "_deferred", "_group", "_store", "_word")

    def __init__(
        self, store: RedisStore, group: tuple[str, str, str, str], word: bytes, deferred: Deferred[PollResult]
    ) -> None:
        self._store = store
        self._group = group
        self._word = word
        self._deferred = deferred
        self._began = 0.0

    def send(self) -> None:
        """Add the call to the next batch."""
        self._store.polls.add(self._group, self._word, self._answered)

    def _answered(self, part: ReplyPart) -> None:
        if not isinstance(part, bytes):
            self._deferred.resolve(part)
        elif part[0] != _NOT_COUNTED:
            now, step, call, changed, created, clock, scenario = part.decode().split(" ", 6)
            self._store.on_clock(self._group[0], clock)
            self._deferred.resolve(
                RemoteDecision(int(now), int(step), int(call), int(changed), int(created), scenario)
            )
        elif part == b"!plan":
            self._deferred.resolve(PlanChanged())
        elif not self._began or time.monotonic() < self._began + self._store.connection.timeout:
            self._began = self._began or time.monotonic()
            asyncio.get_running_loop().call_later(_RETRY_DELAY, self.send)
        else:
            message = "the resource was reserved for other requests until the timeout"
            self._deferred.resolve(Unavailable(message))


def _read_number(callback: Callable[[int | Unavailable], None], part: ReplyPart) -> None:
    callback(int(part) if isinstance(part, bytes) else part)
