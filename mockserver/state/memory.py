"""Resource state in this process: exact by a single thread of control, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from mockserver.plan import Step
from mockserver.state.machine import Decision, ResourceState, begin, decide
from mockserver.state.tables import Counters, CreationRecord, Creations, Sizes, text_size

MOST_BYTES = 1024 * 1024 * 1024
"""Bytes that the states and keys of all namespaces take."""
_EACH = 320
"""Bytes of a state and its key, but for the characters."""

Result = TypeVar("Result")


class MemoryStore:
    """States by namespace, resource and key.

    A plain dict keeps insertion order: a state is taken out and put back with
    every call, so the first keys are those not used for longest. They are
    dropped a hundredth at a time, because finding the first of a dict walks
    over all that was deleted before it. What all of them take is bounded, too:
    the longest unused make room where there are most.
    """

    def __init__(
        self,
        max_resources: int = 1_000_000,
        max_bytes: int = MOST_BYTES,
        births: Creations | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.max_resources = max_resources
        self.evicted = 0
        self.sizes: Sizes[tuple[str, str]] = Sizes(max_bytes)
        self.births = births or Creations()
        self.births.on_growth = self._relieve_births
        self.counters = counters or Counters()
        self._fresh: dict[str, tuple[int, str, Sequence[Step], Decision]] = {}
        self._shelves: dict[tuple[str, str], dict[str, ResourceState]] = {}
        self._assigned: dict[str, dict[str, str]] = {}

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """The kinds of things that there are, with the bytes that they take and may take."""
        yield "resources", self.sizes.total, self.sizes.most
        yield "creations", self.births.sizes.total, self.births.sizes.most
        yield "counts", self.counters.sizes.total, self.counters.sizes.most

    def assignments(self, resource: str) -> dict[str, str]:
        """Namespace → the scenario that every new key of the resource begins with."""
        return self._assigned.setdefault(resource, {})

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        """Let every new key begin with a scenario, or with what the file's rules say."""
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
        facts: Sequence[bool] = (),
        dice: str = "",
    ) -> Decision:
        """Spend one call on a key. ``choose(*about)`` names the scenario of one that is first seen.

        ``steps`` gives the timeline of a scenario, or None where it is no longer served.
        ``facts`` and ``dice`` are for timelines with branches.
        """
        shelf = self._shelf(namespace, resource)
        state = shelf.pop(key, None)
        timeline = steps(state.scenario) if state is not None else None
        if timeline is None or state is None or state.step >= len(timeline):
            scenario = choose(*about)
            if state is None:
                self._make_room(namespace, resource, key)
            if facts or dice:
                decision = decide(steps(scenario) or (), begin(scenario, now), now, operation, facts, dice)
            else:
                decision = self._first(scenario, now, operation, steps)
        else:
            decision = decide(timeline, state, now, operation, facts, dice)
        shelf[key] = decision.state
        return decision

    def _first(
        self, scenario: str, now: int, operation: str, steps: Callable[[str], Sequence[Step] | None]
    ) -> Decision:
        """The decision for a key that is first seen.

        It follows from the scenario and the time alone, so that keys which are
        first seen in the same millisecond share one, and the state in it.
        """
        timeline = steps(scenario) or ()
        known = self._fresh.get(scenario)
        if known is not None and known[0] == now and known[1] == operation and known[2] is timeline:
            return known[3]
        decision = decide(timeline, begin(scenario, now), now, operation)
        self._fresh[scenario] = (now, operation, timeline, decision)
        return decision

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        shelf = self._shelves.get((namespace, resource))
        return shelf.get(key) if shelf is not None else None

    def glance(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        return self.peek(namespace, resource, key)

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        shelf = self._shelf(namespace, resource)
        if shelf.pop(key, None) is None:
            self._make_room(namespace, resource, key)
        shelf[key] = state

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, birth: CreationRecord
    ) -> None:
        """Bring a resource into being by a request."""
        self.put(namespace, resource, key, state)
        self.births.put(namespace, resource, key, birth)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        self.births.drop(namespace, resource, (key,))
        shelf = self._shelves.get((namespace, resource))
        if shelf is None or shelf.pop(key, None) is None:
            return False
        self.sizes.grow((namespace, resource), -_EACH - text_size(key))
        return True

    def retire(self, resource: str, steps: Callable[[str], Sequence[Step] | None]) -> None:
        """Forget the states and assignments whose scenario or step is no longer served."""
        assigned = self.assignments(resource)
        for namespace in [each for each, scenario in assigned.items() if steps(scenario) is None]:
            del assigned[namespace]
        for (namespace, name), shelf in self._shelves.items():
            if name == resource:
                lengths = {each.scenario: len(steps(each.scenario) or ()) for each in shelf.values()}
                for key in [key for key, state in shelf.items() if state.step >= lengths[state.scenario]]:
                    self.delete(namespace, name, key)

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]:
        yield from self._shelves.get((namespace, resource), {}).items()

    def count(self, namespace: str, resource: str) -> int:
        return len(self._shelves.get((namespace, resource), ()))

    def reset(self, namespace: str, resource: str | None = None) -> None:
        self.births.reset(namespace, resource)
        self.counters.reset(namespace, resource)
        for assigned in self._assigned.values() if resource is None else ():
            assigned.pop(namespace, None)
        for shelf in list(self._shelves):
            if shelf[0] == namespace and resource in (None, shelf[1]):
                del self._shelves[shelf]
                self.sizes.forget(shelf)

    async def atomically(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        """What ``work`` returns or raises: nothing comes between its steps in a single thread."""
        return work()

    def after(self, work: Callable[[], None]) -> None:
        """Every step is certain here."""
        work()

    def _shelf(self, namespace: str, resource: str) -> dict[str, ResourceState]:
        try:
            return self._shelves[namespace, resource]
        except KeyError:
            return self._shelves.setdefault((namespace, resource), {})

    def _make_room(self, namespace: str, resource: str, key: str) -> None:
        """Count a key that is about to be kept; old ones go where there are too many."""
        shelf = namespace, resource
        if len(self._shelves[shelf]) >= self.max_resources:
            self._evict(shelf)
        self.sizes.grow(shelf, _EACH + text_size(key))
        self.sizes.relieve(self._evict)

    def _relieve_births(self, namespace: str, resource: str) -> None:
        """Where creations take too much, old resources make room, but not the only one of theirs."""
        grown = namespace, resource
        self.births.sizes.relieve(
            lambda shelf: 0 if shelf == grown and self.count(*shelf) == 1 else self._evict(shelf)
        )

    def _evict(self, place: tuple[str, str]) -> int:
        """Let the longest unused of a namespace and resource go; how many they were."""
        shelf = self._shelves.get(place, {})
        oldest = list(islice(shelf, max(1, min(len(shelf), self.max_resources) // 100)))
        for key in oldest:
            del shelf[key]
        self.sizes.grow(place, -sum(_EACH + text_size(key) for key in oldest))
        self.births.drop(*place, oldest)
        self.evicted += len(oldest)
        return len(oldest)
