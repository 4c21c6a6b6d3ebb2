"""``resources`` and WireMock's ``scenarios``: where things stand, and where a test puts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said, segment
from mockserver.admin.faults import ControlError
from mockserver.duration import written
from mockserver.plan import JSON
from mockserver.scenario import ResourceState, begin, settle
from mockserver.serve.clock import iso
from mockserver.serve.lifecycle import Lifecycle
from mockserver.serve.world import World

Entry = tuple[Lifecycle, str, ResourceState]
Notify = Callable[[str, dict[str, JSON]], None]
"""Tells whoever follows the events: the kind of event, and what happened."""
_PINNED = "state:"
"""What the compiler calls the scenario of one state that holds for ever."""


class Resources:
    """The resources of the namespace that a control request names."""

    def __init__(self, control: Control, notify: Notify) -> None:
        self._control = control
        self._notify = notify

    def index(
        self,
        resource: str | None = None,
        key: str | None = None,
        scenario: str | None = None,
        state: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> flask.Response:
        """``key`` may hold ``*``, ``?`` and ``[…]``. Least recently called first."""
        name = namespace()
        entries, now = self._entries(name, resource)
        found = []
        for entry in entries:
            lifecycle, found_key, known = entry
            if key is not None and not fnmatchcase(found_key, key):
                continue
            current = settle(lifecycle.timeline(known.scenario), known, now)
            if scenario is not None and current.scenario != scenario:
                continue
            if state is not None and _state(lifecycle, current) != state:
                continue
            found.append((lifecycle, found_key, current))
        shown = [described(name, *each, now) for each in found[offset : offset + limit]]
        meta = {"total": len(found), "offset": offset, "evicted": self._control.engine.store.evicted}
        return said({"resources": shown, "meta": meta})

    def get(self, resource: str, key: str) -> flask.Response:
        name, key = namespace(), segment(key)
        return said(self._control.in_world(name, lambda world: self._read(world, segment(resource), key)))

    def assign(self, resource: str, key: str, body: dict[str, JSON]) -> flask.Response:
        """Let a resource begin a scenario, or stand in a state, whether or not it has been seen before."""
        name, key, resource = namespace(), segment(key), segment(resource)
        scenario, state = body.get("scenario"), body.get("state")
        if scenario is None and state is None:
            raise ControlError(422, "give a scenario, a state, or both", "")

        def work(world: World) -> dict[str, JSON]:
            lifecycle = self._lifecycle(resource)
            put(self._control, world, lifecycle, lifecycle.normal(key), scenario, state)
            return self._read(world, resource, key)

        found = self._control.in_world(name, work)
        self._notify("state", {"cause": "assigned", **found})
        return said(found)

    def delete(self, resource: str, key: str) -> flask.Response:
        """Forget a resource: the next call finds it as if first seen."""
        name, key, resource = namespace(), segment(key), segment(resource)

        def work(world: World) -> bool:
            lifecycle = self._lifecycle(resource)
            return self._control.engine.store.delete(world.name, lifecycle.name, lifecycle.normal(key))

        if not self._control.in_world(name, work):
            raise ControlError(404, f"no {resource} of the key {key[:200]!r} has been seen")
        self._notify("state", {"cause": "deleted", "namespace": name, "resource": resource, "key": key})
        return said({})

    def clear(self, resource: str | None = None) -> flask.Response:
        """Forget all resources, or all of one kind."""
        name = namespace()

        def work(world: World) -> None:
            if resource is not None:
                self._lifecycle(resource)
            self._control.engine.store.reset(world.name, resource)

        self._control.in_world(name, work)
        self._notify("state", {"cause": "cleared", "namespace": name, "resource": resource})
        return said({})

    def reset_scenarios(self) -> flask.Response:
        """WireMock's: forget all resources."""
        return self.clear()

    def scenarios(self, limit: int = 1000) -> flask.Response:
        """WireMock's scenarios: each resource that has been seen is one."""
        name = namespace()
        entries, now = self._entries(name, None)
        shown = []
        for lifecycle, key, known in entries[-limit:]:
            current = settle(lifecycle.timeline(known.scenario), known, now)
            shown.append(
                {
                    "id": f"{lifecycle.name}:{key}",
                    "name": f"{lifecycle.name}:{key}",
                    "state": _state(lifecycle, current),
                    "possibleStates": list(lifecycle.resource.states),
                }
            )
        return said({"scenarios": shown, "meta": {"total": len(entries)}})

    def set_scenario_state(self, name: str, body: dict[str, JSON] | None = None) -> flask.Response:
        """WireMock's: stand in ``state``, or begin anew where none is given."""
        world_name = namespace()
        state = (body or {}).get("state")

        def work(world: World) -> None:
            lifecycle, key = self._named(segment(name))
            if state is None:
                self._control.engine.store.delete(world.name, lifecycle.name, key)
            else:
                put(self._control, world, lifecycle, key, None, state)

        self._control.in_world(world_name, work)
        self._notify(
            "state", {"cause": "assigned", "namespace": world_name, "scenario": name, "state": state}
        )
        return said({})

    def _named(self, name: str) -> tuple[Lifecycle, str]:
        for lifecycle in self._control.engine.lifecycles.values():
            if name.startswith(f"{lifecycle.name}:"):
                return lifecycle, lifecycle.normal(name.removeprefix(f"{lifecycle.name}:"))
        known = ", ".join(f"{each}:KEY" for each in self._control.engine.lifecycles)
        raise ControlError(404, f"{name[:200]!r} is no scenario; they are called {known}")

    def _lifecycle(self, name: str) -> Lifecycle:
        lifecycle = self._control.engine.lifecycles.get(name)
        if lifecycle is None:
            known = ", ".join(self._control.engine.lifecycles) or "none"
            raise ControlError(404, f"there is no resource {name[:200]!r}; there is {known}")
        return lifecycle

    def _read(self, world: World, resource: str, key: str) -> dict[str, JSON]:
        lifecycle = self._lifecycle(resource)
        key, now = lifecycle.normal(key), world.clock.now()
        known = self._control.engine.store.peek(world.name, lifecycle.name, key)
        if known is None or not _is_served(lifecycle, known):
            raise ControlError(404, f"no {resource} of the key {key[:200]!r} has been seen")
        return described(
            world.name, lifecycle, key, settle(lifecycle.timeline(known.scenario), known, now), now
        )

    def _entries(self, name: str, resource: str | None) -> tuple[list[Entry], int]:
        """Every resource as it is now, and the time; read at one moment, for a reader on another thread."""

        def each(world: World, lifecycles: Iterable[Lifecycle]) -> Iterator[Entry]:
            for lifecycle in lifecycles:
                for key, known in self._control.engine.store.items(world.name, lifecycle.name):
                    if _is_served(lifecycle, known):
                        yield lifecycle, key, known

        def work(world: World) -> tuple[list[Entry], int]:
            known = self._control.engine.lifecycles
            lifecycles = known.values() if resource is None else [self._lifecycle(resource)]
            return list(each(world, lifecycles)), world.clock.now()

        return self._control.in_world(name, work)


def put(
    control: Control, world: World, lifecycle: Lifecycle, key: str, scenario: str | None, state: str | None
) -> None:
    """Put a resource on a scenario, in a state, or both. On the loop only."""
    store, now = control.engine.store, world.clock.now()
    known = store.peek(world.name, lifecycle.name, key)
    if scenario is not None and lifecycle.steps(scenario) is None:
        there_is = ", ".join(each for each in lifecycle.resource.scenarios if not each.startswith(_PINNED))
        raise ControlError(422, f"there is no scenario {scenario!r}; there is {there_is}", "/scenario")
    if state is not None and state not in lifecycle.resource.states:
        there_is = ", ".join(lifecycle.resource.states)
        raise ControlError(422, f"there is no state {state!r}; there is {there_is}", "/state")
    if state is None:
        store.put(world.name, lifecycle.name, key, begin(str(scenario), now))
        return
    if scenario is None:
        current = known.scenario if known is not None and _is_served(lifecycle, known) else None
        scenario = current if current and _step_of(lifecycle, current, state) is not None else _PINNED + state
    step = _step_of(lifecycle, scenario, state)
    if step is None:
        raise ControlError(422, f"the scenario {scenario!r} never is in the state {state!r}", "/state")
    created = known.created if known is not None else now
    store.put(world.name, lifecycle.name, key, ResourceState(scenario, step, 0, now, created, now))


def described(
    namespace: str, lifecycle: Lifecycle, key: str, current: ResourceState, now: int
) -> dict[str, JSON]:
    """A resource as JSON: where it stands, since when, and what comes next and when."""
    steps = lifecycle.timeline(current.scenario)
    step = steps[current.step]
    following: dict[str, JSON] | None = None
    if step.calls or step.after or step.operation:
        following = {"state": steps[step.next].state}
        if step.calls:
            following["afterCalls"] = step.calls - current.calls
        if step.after:
            due = current.entered + step.after
            following |= {"at": iso(due), "in": written(max(0, due - now))}
        if step.operation:
            following["onOperation"] = lifecycle.resource.operations[step.operation]
    return {
        "namespace": namespace,
        "resource": lifecycle.name,
        "key": key,
        "scenario": current.scenario,
        "state": step.state,
        "calls": current.calls,
        "since": iso(current.entered),
        "created": iso(current.created),
        "changed": iso(current.changed),
        "next": following,
    }


def _state(lifecycle: Lifecycle, current: ResourceState) -> str:
    return lifecycle.timeline(current.scenario)[current.step].state


def _is_served(lifecycle: Lifecycle, known: ResourceState) -> bool:
    """Whether the Plan that is served now still has the place where a resource stands."""
    steps = lifecycle.steps(known.scenario)
    return steps is not None and known.step < len(steps)


def _step_of(lifecycle: Lifecycle, scenario: str, state: str) -> int | None:
    steps = lifecycle.timeline(scenario)
    return next((index for index, step in enumerate(steps) if step.state == state), None)
