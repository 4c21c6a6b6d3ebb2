"""Where the resources of a namespace stand, and putting them elsewhere. Everything here runs on the loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mockserver.admin.exchange import ControlError
from mockserver.engine.engine import Engine
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.inputs import written
from mockserver.namespaces.clock import iso
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Step
from mockserver.state.machine import ResourceState, advance_time, initial_state

_PINNED = "state:"
"""What the compiler calls the scenario of one state that holds for ever."""


class Standing(NamedTuple):
    """A resource at one moment. May be read by any thread."""

    namespace: str
    runtime: ResourceRuntime
    key: str
    known: ResourceState
    now: int

    @property
    def current(self) -> ResourceState:
        """Where it stands once the steps are passed whose time has run out."""
        steps = self.runtime.timeline(self.known.scenario)
        return advance_time(steps, self.known, self.now, self.runtime.dice(self.namespace, self.key))

    @property
    def state(self) -> str:
        current = self.current
        return self.runtime.timeline(current.scenario)[current.step].state

    def json(self) -> dict[str, JSON]:
        """Where it stands, since when, and what comes next and when."""
        current, runtime = self.current, self.runtime
        steps = runtime.timeline(current.scenario)
        step = steps[current.step]
        return {
            "namespace": self.namespace,
            "resource": runtime.name,
            "key": self.key,
            "scenario": current.scenario,
            "state": step.state,
            "calls": current.calls,
            "since": iso(current.entered),
            "created": iso(current.created),
            "changed": iso(current.changed),
            "next": self._next(steps, step, current),
        }

    def _next(self, steps: tuple[Step, ...], step: Step, current: ResourceState) -> dict[str, JSON] | None:
        operations = self.runtime.resource.operations
        following: dict[str, JSON] = {}
        if step.calls or step.after or step.operation:
            following["state"] = steps[step.next].state
        if step.calls:
            following["afterCalls"] = step.calls - current.calls
        if step.calls and step.counted:
            following["ofOperation"] = operations[step.counted]
        if step.after:
            due = current.entered + step.after
            following |= {"at": iso(due), "in": written(max(0, due - self.now))}
        if step.operation:
            following["onOperation"] = operations[step.operation]
        if step.branches:
            following["branches"] = [
                {
                    "state": steps[each.next].state,
                    **({"onOperation": operations[each.operation]} if each.operation else {}),
                    **({"weight": each.weight} if each.weight else {}),
                    **({"conditional": True} if each.fact >= 0 else {}),
                }
                for each in step.branches
            ]
        return following or None


def lifecycle_of(engine: Engine, name: str) -> ResourceRuntime:
    """The resource of that name. Raises ControlError where there is none."""
    runtime = engine.lifecycles.get(name)
    if runtime is None:
        known = ", ".join(engine.lifecycles) or "none"
        raise ControlError(404, f"there is no resource {name[:200]!r}; there is {known}")
    return runtime


def standing(engine: Engine, world: Namespace, runtime: ResourceRuntime, key: str) -> Standing:
    """One resource. Raises ControlError where it has not been seen."""
    key = runtime.normal(key)
    known = engine.store.peek(world.name, runtime.name, key)
    if known is None or not _is_served(runtime, known):
        raise ControlError(404, f"no {runtime.name} of the key {key[:200]!r} has been seen")
    return Standing(world.name, runtime, key, known, world.clock.now())


def standings(engine: Engine, world: Namespace, lifecycles: Iterable[ResourceRuntime]) -> list[Standing]:
    """Every resource that has been seen, least recently called first."""
    now = world.clock.now()
    return [
        Standing(world.name, runtime, key, known, now)
        for runtime in lifecycles
        for key, known in engine.store.items(world.name, runtime.name)
        if _is_served(runtime, known)
    ]


def put(
    engine: Engine,
    world: Namespace,
    runtime: ResourceRuntime,
    key: str,
    scenario: str | None,
    state: str | None,
) -> None:
    """Put a resource on a scenario, in a state, or both. Raises ControlError, and then nothing is changed."""
    store, now, key = engine.store, world.clock.now(), runtime.normal(key)
    known = store.peek(world.name, runtime.name, key)
    if scenario is not None:
        check_scenario(runtime, scenario)
    if state is None:
        store.put(world.name, runtime.name, key, initial_state(str(scenario), now))
        return
    if state not in runtime.resource.states:
        there_is = ", ".join(runtime.resource.states)
        raise ControlError(422, f"there is no state {state!r}; there is {there_is}", "/state")
    if scenario is None:
        current = known.scenario if known is not None and _is_served(runtime, known) else None
        scenario = current if current and _step_of(runtime, current, state) is not None else _PINNED + state
    step = _step_of(runtime, scenario, state)
    if step is None:
        raise ControlError(422, f"the scenario {scenario!r} never is in the state {state!r}", "/state")
    created = known.created if known is not None else now
    store.put(world.name, runtime.name, key, ResourceState(scenario, step, 0, now, created, now))


def check_scenario(runtime: ResourceRuntime, scenario: str) -> None:
    """Raises ControlError where a resource has no such scenario."""
    if runtime.steps(scenario) is None:
        there_is = ", ".join(each for each in runtime.resource.scenarios if not each.startswith(_PINNED))
        raise ControlError(422, f"there is no scenario {scenario!r}; there is {there_is}", "/scenario")


def _is_served(runtime: ResourceRuntime, known: ResourceState) -> bool:
    """Whether the Plan that is served now still has the place where a resource stands."""
    steps = runtime.steps(known.scenario)
    return steps is not None and known.step < len(steps)


def _step_of(runtime: ResourceRuntime, scenario: str, state: str) -> int | None:
    steps = runtime.timeline(scenario)
    return next((index for index, step in enumerate(steps) if step.state == state), None)
