"""The store in the memory of this process. One thread uses it, so every step is atomic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from mockserver.plan import Step
from mockserver.state.data import MemoryData
from mockserver.state.machine import Decision, ResourceState, decide, initial_state
from mockserver.state.tables import (
    BucketKey,
    ByteBudget,
    CreationRecord,
    MemoryCounters,
    MemoryCreations,
    text_size,
)

MAX_BYTES = 1024 * 1024 * 1024
"""The default limit for the states and keys of all namespaces."""
_STATE_OVERHEAD = 320
"""Bytes of a state and its key, without the characters."""

Result = TypeVar("Result")


class MemoryStore:
    """States by namespace, resource and key. See ``protocol.Store``.

    A dict keeps insertion order. Each call removes the state and inserts it
    again, so the first keys are the least recently used. Eviction removes a
    hundredth of them at once, because to find the first key of a dict means to
    walk over all keys deleted before it. The total size has a limit too: above
    it, the least recently used keys of the largest bucket are evicted.
    """

    def __init__(
        self,
        max_resources: int = 1_000_000,
        max_bytes: int = MAX_BYTES,
        creations: MemoryCreations | None = None,
        counters: MemoryCounters | None = None,
    ) -> None:
        self.max_resources = max_resources
        self.evicted = 0
        self.sizes: ByteBudget[BucketKey] = ByteBudget(max_bytes)
        self.creations = creations or MemoryCreations()
        self.creations.on_growth = self._evict_for_creations
        self.counters = counters or MemoryCounters()
        self.data = MemoryData(
            max_resources, self.creations.sizes, self._evict_for_creations, self._count_evicted
        )
        self._first_decisions: dict[str, tuple[int, str, Sequence[Step], Decision]] = {}
        self._buckets: dict[BucketKey, dict[str, ResourceState]] = {}
        self._assigned: dict[str, dict[str, str]] = {}

    def memory_usage(self) -> Iterator[tuple[str, int, int]]:

        yield "resources", self.sizes.total, self.sizes.limit
        yield "creations", self.creations.sizes.total, self.creations.sizes.limit
        yield "counts", self.counters.sizes.total, self.counters.sizes.limit

    def assignments(self, resource: str) -> dict[str, str]:
        return self._assigned.setdefault(resource, {})

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        if scenario is None:
            self.assignments(resource).pop(namespace, None)
        else:
            self.assignments(resource)[namespace] = scenario

    def advance(
        self,
        namespace: str,
        resource: str,
        key: str,
        now: int,
        operation: str,
        steps: Callable[[str], Sequence[Step] | None],
        choose: Callable[..., str],
        about: tuple[Any, ...] = (),
        predicates: Sequence[bool] = (),
        branch_seed: str = "",
    ) -> Decision:

        bucket = self._bucket(namespace, resource)
        state = bucket.pop(key, None)
        timeline = steps(state.scenario) if state is not None else None
        if timeline is None or state is None or state.step >= len(timeline):
            scenario = choose(*about)
            if state is None:
                self._make_room(namespace, resource, key)
            if predicates or branch_seed:
                decision = decide(
                    steps(scenario) or (),
                    initial_state(scenario, now),
                    now,
                    operation,
                    predicates,
                    branch_seed,
                )
            else:
                decision = self._decide_first(scenario, now, operation, steps)
        else:
            decision = decide(timeline, state, now, operation, predicates, branch_seed)
        bucket[key] = decision.state
        return decision

    def _decide_first(
        self, scenario: str, now: int, operation: str, steps: Callable[[str], Sequence[Step] | None]
    ) -> Decision:
        """Return the decision for a new key.

        It depends only on the scenario and the time. So keys that are first
        called in the same millisecond share one decision and its state.
        """
        timeline = steps(scenario) or ()
        known = self._first_decisions.get(scenario)
        if known is not None and known[0] == now and known[1] == operation and known[2] is timeline:
            return known[3]
        decision = decide(timeline, initial_state(scenario, now), now, operation)
        self._first_decisions[scenario] = (now, operation, timeline, decision)
        return decision

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        bucket = self._buckets.get((namespace, resource))
        return bucket.get(key) if bucket is not None else None

    def peek_cached(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        return self.peek(namespace, resource, key)

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        bucket = self._bucket(namespace, resource)
        if bucket.pop(key, None) is None:
            self._make_room(namespace, resource, key)
        bucket[key] = state

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, creation: CreationRecord
    ) -> None:
        self.put(namespace, resource, key, state)
        self.creations.put(namespace, resource, key, creation)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        self.creations.drop(namespace, resource, (key,))
        bucket = self._buckets.get((namespace, resource))
        if bucket is None or bucket.pop(key, None) is None:
            return False
        self.sizes.grow((namespace, resource), -_STATE_OVERHEAD - text_size(key))
        return True

    def prune(self, resource: str, steps: Callable[[str], Sequence[Step] | None]) -> None:
        assigned = self.assignments(resource)
        for namespace in [name for name, scenario in assigned.items() if steps(scenario) is None]:
            del assigned[namespace]
        for (namespace, name), bucket in self._buckets.items():
            if name == resource:
                scenarios = {state.scenario for state in bucket.values()}
                lengths = {scenario: len(steps(scenario) or ()) for scenario in scenarios}
                for key in [key for key, state in bucket.items() if state.step >= lengths[state.scenario]]:
                    self.delete(namespace, name, key)

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]:
        yield from self._buckets.get((namespace, resource), {}).items()

    def count(self, namespace: str, resource: str) -> int:
        return len(self._buckets.get((namespace, resource), ()))

    def reset(self, namespace: str, resource: str | None = None) -> None:
        self.creations.reset(namespace, resource)
        self.counters.reset(namespace, resource)
        self.data.reset(namespace, resource)
        for assigned in self._assigned.values() if resource is None else ():
            assigned.pop(namespace, None)
        for bucket_key in list(self._buckets):
            if bucket_key[0] == namespace and resource in (None, bucket_key[1]):
                del self._buckets[bucket_key]
                self.sizes.forget(bucket_key)

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        return work()

    def on_commit(self, work: Callable[[], None]) -> None:
        work()

    def _bucket(self, namespace: str, resource: str) -> dict[str, ResourceState]:
        try:
            return self._buckets[namespace, resource]
        except KeyError:
            return self._buckets.setdefault((namespace, resource), {})

    def _make_room(self, namespace: str, resource: str, key: str) -> None:
        """Count the bytes of a new key, and evict old keys above a limit."""
        bucket_key = namespace, resource
        if len(self._buckets[bucket_key]) >= self.max_resources:
            self._evict(bucket_key)
        self.sizes.grow(bucket_key, _STATE_OVERHEAD + text_size(key))
        self.sizes.relieve(self._evict)

    def _evict_for_creations(self, namespace: str, resource: str) -> None:
        """Evict old resources if creations are above their limit, but not the one that has just grown."""
        grown = namespace, resource
        self.creations.sizes.relieve(
            lambda key: (
                0 if key == grown and self.count(*key) + self.data.size(key) == 1 else self._evict(key)
            )
        )

    def _evict(self, bucket_key: BucketKey) -> int:
        """Remove the least recently used hundredth of a bucket, at least one. Return how many."""
        if self.data.size(bucket_key):
            return self.data.evict(bucket_key)
        bucket = self._buckets.get(bucket_key, {})
        oldest = list(islice(bucket, max(1, min(len(bucket), self.max_resources) // 100)))
        for key in oldest:
            del bucket[key]
        self.sizes.grow(bucket_key, -sum(_STATE_OVERHEAD + text_size(key) for key in oldest))
        self.creations.drop(*bucket_key, oldest)
        self.evicted += len(oldest)
        return len(oldest)

    def _count_evicted(self, number: int) -> None:
        self.evicted += number
