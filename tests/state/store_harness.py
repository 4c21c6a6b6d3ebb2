"""Stores as tests use them: every method is one atomic step, and has come to its end when it returns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from mockserver.namespaces.cluster import SharedNamespaces
from mockserver.namespaces.journal import Journal, JournalPool
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import Lookup, Resource, Scenario, Step
from mockserver.state.machine import Decision, ResourceState
from mockserver.state.memory import MemoryStore
from mockserver.state.protocol import RemoteDecision, Store, Unavailable
from mockserver.state.redis.connection import Connection
from mockserver.state.redis.handshake import read_address
from mockserver.state.redis.store import PollResult, RedisStore
from mockserver.state.tables import MAX_BYTES, MemoryCreations
from tests.redis import Redis

Value = TypeVar("Value")
Timelines = Mapping[str, Sequence[Step]]
_PLANS = itertools.count()


class StoreHarness:
    """A MemoryStore, and what the suite asks of any store."""

    store: Store
    namespaces: Namespaces

    def __init__(
        self,
        most: int = 1_000_000,
        *,
        journal: int = 10_000,
        journal_bytes: int = 2**26,
        data_bytes: int = MAX_BYTES,
    ) -> None:
        self.store = MemoryStore(most, creations=MemoryCreations(data_bytes))
        self.namespaces = Namespaces(0, journal_pool=JournalPool(journal, journal_bytes))

    def do(self, work: Callable[[], Value]) -> Value:
        """What ``work`` returns or raises, as one atomic step of the store."""
        return work()

    def call(
        self,
        key: str,
        timelines: Timelines,
        scenario: str,
        *,
        world: str = "default",
        resource: str = "request",
        now: int = 0,
        operation: str = "poll",
    ) -> Decision:
        """Spend one call on a key, whose scenario is the one given if it is first seen."""
        return self.do(
            lambda: self.store.advance(
                world,
                resource,
                key,
                now,
                operation,
                timelines.get,
                lambda: self.chosen(world, resource, scenario),
            )
        )

    def chosen(self, world: str, resource: str, scenario: str) -> str:
        return self.store.assignments(resource).get(world, scenario)

    def serve(self, resource: str, timelines: Timelines) -> None:
        """Serve these timelines of a resource from now on."""
        self.store.prune(resource, timelines.get)

    # One step each

    def peek(self, key: str, world: str = "default", resource: str = "request") -> ResourceState | None:
        return self.do(lambda: self.store.peek(world, resource, key))

    def put(self, key: str, state: ResourceState, world: str = "default", resource: str = "request") -> None:
        self.do(lambda: self.store.put(world, resource, key, state))

    def delete(self, key: str, world: str = "default", resource: str = "request") -> bool:
        return self.do(lambda: self.store.delete(world, resource, key))

    def items(self, world: str = "default", resource: str = "request") -> list[tuple[str, ResourceState]]:
        return self.do(lambda: list(self.store.items(world, resource)))

    def keys(self, world: str = "default", resource: str = "request") -> list[str]:
        """Longest unused first."""
        return [key for key, _ in self.items(world, resource)]

    def count(self, world: str = "default", resource: str = "request") -> int:
        return self.do(lambda: self.store.count(world, resource))

    def reset(self, world: str = "default", resource: str | None = None) -> None:
        self.do(lambda: self.store.reset(world, resource))

    def evicted(self) -> int:
        return self.do(lambda: self.store.evicted)

    def journal(self, world: str = "default") -> Journal:
        found = self.namespaces.get_or_create(world)
        assert found is not None
        return found.journal


class RedisHarness(StoreHarness):
    """A RedisStore under a prefix, on a loop that runs while something is done."""

    store: RedisStore

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        most: int = 1_000_000,
        *,
        journal: int = 10_000,
        journal_bytes: int = 2**26,
        namespaces: int = 1001,
        data_bytes: int = MAX_BYTES,
    ) -> None:
        self._runner = asyncio.Runner()
        self._served: dict[str, Timelines] = {}

        async def opened() -> RedisStore:
            connection = Connection(read_address(redis.url), prefix=prefix, timeout=20)
            await connection.open()
            return RedisStore(connection, most, namespaces, data_bytes)

        self.store = self.run(opened())
        self.namespaces = SharedNamespaces(self.store, 0, journal_pool=JournalPool(journal, journal_bytes))

    def run(self, deferred: Any) -> Any:
        return self._runner.run(deferred)

    def do(self, work: Callable[[], Value]) -> Value:
        found: Value = self.run(self.store.atomically(work))
        return found

    def chosen(self, world: str, resource: str, scenario: str) -> str:
        self.store.read("meta", world)
        return super().chosen(world, resource, scenario)

    def serve(self, resource: str, timelines: Timelines) -> None:
        self._served[resource] = timelines
        self.store.serves = self._serves
        self.store.plan = plan = f"plan-{next(_PLANS)}"
        self.run(
            self.store.publish_plan(
                plan, {name: _resource(name, each) for name, each in self._served.items()}
            )
        )

    def _serves(self, resource: str, state: ResourceState) -> bool:
        served = self._served.get(resource)
        return served is None or state.step < len(served.get(state.scenario, ()))

    def close(self) -> None:
        self.run(self.store.connection.close())
        self._runner.close()


class PollHarness(RedisHarness):
    """The same, where a call is the script of the hot path."""

    def call(
        self,
        key: str,
        timelines: Timelines,
        scenario: str,
        *,
        world: str = "default",
        resource: str = "request",
        now: int = 0,
        operation: str = "poll",
    ) -> Decision:
        if self._served.get(resource) != timelines:
            self.serve(resource, timelines)
        polled = self.poll(key, scenario, world=world, resource=resource, now=now, operation=operation)
        left = self.peek(key, world, resource)
        assert left is not None
        assert (left.created, left.scenario) == (polled.created, polled.scenario)
        return Decision(polled.step, polled.call, polled.changed, 0, left)

    def poll(
        self, key: str, scenario: str, *, world: str, resource: str, now: int, operation: str
    ) -> RemoteDecision:
        async def polled() -> PollResult:
            return await self.store.poll(world, resource, key, operation, scenario)

        self.store.frozen_at = now
        found = self.run(polled())
        if isinstance(found, Unavailable):
            raise found
        assert isinstance(found, RemoteDecision), found
        return found


def _resource(name: str, timelines: Timelines) -> Resource:
    scenarios = {each: Scenario(each, tuple(steps)) for each, steps in timelines.items()}
    return Resource(name, "", "", Lookup("path", "id"), {}, {}, scenarios, ())


STORE_KINDS = ("memory", "redis by steps", "redis by poll")


class HarnessFactory:
    """Makes stores of one kind, each empty, and closes them."""

    def __init__(self, kind: str, redis: Redis, prefix: str) -> None:
        self._kind = kind
        self._redis = redis
        self._prefix = prefix
        self._made: list[RedisHarness] = []

    def __call__(self, most: int = 1_000_000, **bounds: int) -> StoreHarness:
        if self._kind == "memory":
            return StoreHarness(most, **bounds)
        make = PollHarness if self._kind == "redis by poll" else RedisHarness
        harness = make(self._redis, f"{self._prefix}-{len(self._made)}", most, **bounds)
        self._made.append(harness)
        return harness

    def close(self) -> None:
        for each in self._made:
            each.close()


@contextmanager
def harness_factory(kind: str, redis: Redis, prefix: str) -> Iterator[HarnessFactory]:
    harnesses = HarnessFactory(kind, redis, prefix)
    try:
        yield harnesses
    finally:
        harnesses.close()


def prefix_of(request: pytest.FixtureRequest) -> str:
    """Of the names of one test."""
    return f"test-{abs(hash(request.node.nodeid)):x}"
