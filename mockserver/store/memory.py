"""Resource state in this process: exact by a single thread of control, and bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from mockserver.plan import Step
from mockserver.scenario import Decision, ResourceState, begin, decide
from mockserver.store.births import Birth, Births
from mockserver.store.counters import Counters

Result = TypeVar("Result")


class MemoryStore:
    """States by namespace, resource and key.

    A plain dict keeps insertion order: a state is taken out and put back with
    every call, so the first keys are those not used for longest. They are
    dropped a hundredth at a time, because finding the first of a dict walks
    over all that was deleted before it.
    """

    def __init__(self, max_resources: int = 1_000_000) -> None:
        self.max_resources = max_resources
        self.evicted = 0
        self.births = Births()
        self.counters = Counters()
        self._fresh: dict[str, tuple[int, str, Sequence[Step], Decision]] = {}
        self._shelves: dict[tuple[str, str], dict[str, ResourceState]] = {}
        self._assigned: dict[str, dict[str, str]] = {}

    def assignments(self, resource: str) -> dict[str, str]:
        """Namespace → the scenario that every new key of the resource begins with."""
        return self._assigned.setdefault(resource, {})

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        """Let every new key begin with a scenario, or with what the file's rules say."""
        if scenario is None:
            self.assignments(resource).pop(namespace, None)
        else:
            self.assignments(resource)[namespace] = scenario

    def call(
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
            if len(shelf) >= self.max_resources:
                self._evict(namespace, resource)
            scenario = choose(*about)
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
        if key not in shelf and len(shelf) >= self.max_resources:
            self._evict(namespace, resource)
        shelf.pop(key, None)
        shelf[key] = state

    def create(self, namespace: str, resource: str, key: str, state: ResourceState, birth: Birth) -> None:
        """Bring a resource into being by a request.

        Where the requests of all namespaces take too much, old resources make
        room where they take most of it.
        """
        self.put(namespace, resource, key, state)
        self.births.put(namespace, resource, key, birth)
        while self.births.is_full:
            fullest = self.births.fullest()
            if fullest == (namespace, resource) and self.count(*fullest) == 1:
                break  # it is this one alone
            self._evict(*fullest)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        self.births.drop(namespace, resource, (key,))
        shelf = self._shelves.get((namespace, resource))
        return shelf is not None and shelf.pop(key, None) is not None

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

    def _evict(self, namespace: str, resource: str) -> None:
        shelf = self._shelves[namespace, resource]
        oldest = list(islice(shelf, max(1, min(len(shelf), self.max_resources) // 100)))
        for key in oldest:
            del shelf[key]
        self.births.drop(namespace, resource, oldest)
        self.evicted += len(oldest)
