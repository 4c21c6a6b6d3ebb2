"""Reads and sets the scenario and state of resources. All functions run on the engine's loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mockserver.admin.http import ControlError
from mockserver.engine.engine import Engine
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.inputs import format_duration
from mockserver.namespaces.clock import iso
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Step
from mockserver.state.machine import ResourceState, initial_state

_STATE_SCENARIO = "state:"
"""Prefix of scenarios that the compiler adds: one state without an end."""


class ResourceView(NamedTuple):
    """A resource at one moment. All threads can read it."""

    namespace: str
    runtime: ResourceRuntime
    key: str
    known: ResourceState
    now: int

    @property
    def current(self) -> ResourceState:
        """The state of the resource now, after the steps whose time is over."""
        return self.runtime.at(self.now, self.known, self.namespace, self.key)

    @property
    def state(self) -> str:
        """The name of the current state."""
        current = self.current
        return self.runtime.timeline(current.scenario)[current.step].state

    def json(self) -> dict[str, JSON]:
        """Return the resource as JSON: its scenario, its state with times, and the next state."""
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
            following |= {"at": iso(due), "in": format_duration(max(0, due - self.now))}
        if step.operation:
            following["onOperation"] = operations[step.operation]
        if step.branches:
            following["branches"] = [
                {
                    "state": steps[branch.next].state,
                    **({"onOperation": operations[branch.operation]} if branch.operation else {}),
                    **({"weight": branch.weight} if branch.weight else {}),
                    **({"conditional": True} if branch.predicate >= 0 else {}),
                }
                for branch in step.branches
            ]
        return following or None


def find_runtime(engine: Engine, name: str) -> ResourceRuntime:
    """Return the resource kind ``name``. Raise ControlError 404 for an unknown one."""
    runtime = engine.runtimes.get(name)
    if runtime is None:
        known = ", ".join(engine.runtimes) or "none"
        raise ControlError(404, f"there is no resource {name[:200]!r}; there is {known}")
    return runtime


def read_resource(engine: Engine, namespace: Namespace, runtime: ResourceRuntime, key: str) -> ResourceView:
    """Return the resource with a key. Raise ControlError 404 if there is none."""
    key = runtime.normal(key)
    known = engine.store.peek(namespace.name, runtime.name, key)
    if known is None or not runtime.has_step(known):
        raise ControlError(404, f"no {runtime.name} of the key {key[:200]!r} has been seen")
    return ResourceView(namespace.name, runtime, key, known, namespace.clock.now())


def list_views(
    engine: Engine, namespace: Namespace, runtimes: Iterable[ResourceRuntime]
) -> list[ResourceView]:
    """Return all resources of some kinds, least recently called first."""
    now = namespace.clock.now()
    return [
        ResourceView(namespace.name, runtime, key, known, now)
        for runtime in runtimes
        for key, known in engine.store.items(namespace.name, runtime.name)
        if runtime.has_step(known)
    ]


def set_resource(
    engine: Engine,
    namespace: Namespace,
    runtime: ResourceRuntime,
    key: str,
    scenario: str | None,
    state: str | None,
) -> None:
    """Set the scenario, the state or both of a resource, which need not exist.

    Raise ControlError 422 for an unknown one. Then nothing has changed.
    """
    store, now, key = engine.store, namespace.clock.now(), runtime.normal(key)
    known = store.peek(namespace.name, runtime.name, key)
    if scenario is not None:
        _check_scenario(runtime, scenario)
    if state is None:
        _put(engine, namespace, runtime, key, initial_state(str(scenario), now))
        return
    if state not in runtime.resource.states:
        there_is = ", ".join(runtime.resource.states)
        raise ControlError(422, f"there is no state {state!r}; there is {there_is}", "/state")
    if scenario is None:
        current = known.scenario if known is not None and runtime.has_step(known) else None
        scenario = (
            current if current and _step_of(runtime, current, state) is not None else _STATE_SCENARIO + state
        )
    step = _step_of(runtime, scenario, state)
    if step is None:
        raise ControlError(422, f"the scenario {scenario!r} has no state {state!r}", "/state")
    created = known.created if known is not None else now
    _put(engine, namespace, runtime, key, ResourceState(scenario, step, 0, now, created, now))


def _put(
    engine: Engine, namespace: Namespace, runtime: ResourceRuntime, key: str, state: ResourceState
) -> None:
    """Store the state of a resource, and what the state writes into its data."""
    engine.store.put(namespace.name, runtime.name, key, state)
    if runtime.stored is not None:
        runtime.stored.write(namespace.name, key, state, [(state.step, state.entered)])


def delete_resource(engine: Engine, namespace: Namespace, runtime: ResourceRuntime, key: str) -> bool:
    """Delete a resource with its data. Return whether it had a state."""
    key = runtime.normal(key)
    existed = engine.store.delete(namespace.name, runtime.name, key)
    if runtime.stored is not None:
        runtime.stored.remove(namespace.name, key, {})
    return existed


def assign_scenario(engine: Engine, namespace: Namespace, resource: str, scenario: str) -> None:
    """Set the scenario of all new keys of a resource kind. Raise ControlError for an unknown one."""
    runtime = find_runtime(engine, resource)
    _check_scenario(runtime, scenario)
    engine.store.assign(namespace.name, runtime.name, scenario)


def _check_scenario(runtime: ResourceRuntime, scenario: str) -> None:
    """Raise ControlError 422 if a resource kind does not have the scenario."""
    if runtime.steps(scenario) is None:
        there_is = ", ".join(
            known for known in runtime.resource.scenarios if not known.startswith(_STATE_SCENARIO)
        )
        raise ControlError(422, f"there is no scenario {scenario!r}; there is {there_is}", "/scenario")


def _step_of(runtime: ResourceRuntime, scenario: str, state: str) -> int | None:
    steps = runtime.timeline(scenario)
    return next((index for index, step in enumerate(steps) if step.state == state), None)
