"""``resources``, ``assignments`` and WireMock's ``scenarios``: the state of resources, and setting it."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import ControlError, namespace, said, segment
from mockserver.admin.standing import Standing, check_scenario, lifecycle_of, put, standing, standings
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON

Notify = Callable[[str, dict[str, JSON]], None]
"""Tells whoever follows the events: the kind of event, and what happened."""


class Resources:
    """The resources of the namespace that a control request names."""

    def __init__(self, control: Control, notify: Notify) -> None:
        self._control = control
        self._engine = control.engine
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

        def work(world: Namespace) -> tuple[list[Standing], int]:
            known = self._engine.lifecycles
            lifecycles = known.values() if resource is None else [lifecycle_of(self._engine, resource)]
            return standings(self._engine, world, lifecycles), self._engine.store.evicted

        seen, evicted = self._control.in_world(namespace(), work)
        found = [
            each
            for each in seen
            if (key is None or fnmatchcase(each.key, key))
            and (scenario is None or each.known.scenario == scenario)
            and (state is None or each.state == state)
        ]
        shown = [each.json() for each in found[offset : offset + limit]]
        meta = {"total": len(found), "offset": offset, "evicted": evicted}
        return said({"resources": shown, "meta": meta})

    def get(self, resource: str, key: str) -> flask.Response:
        """One resource."""
        resource, key = segment(resource), segment(key)
        return said(self._control.in_world(namespace(), lambda world: self._read(world, resource, key)))

    def assign(self, resource: str, key: str, body: dict[str, JSON]) -> flask.Response:
        """Let a resource begin a scenario, or stand in a state, whether or not it has been seen before."""
        resource, key = segment(resource), segment(key)
        scenario, state = body.get("scenario"), body.get("state")
        if scenario is None and state is None:
            raise ControlError(422, "give a scenario, a state, or both", "")

        def work(world: Namespace) -> dict[str, JSON]:
            put(self._engine, world, lifecycle_of(self._engine, resource), key, scenario, state)
            return self._read(world, resource, key)

        found = self._control.in_world(namespace(), work)
        self._notify("state", {"cause": "assigned", **found})
        return said(found)

    def delete(self, resource: str, key: str) -> flask.Response:
        """Forget a resource: the next call finds it as if first seen."""
        name, resource, key = namespace(), segment(resource), segment(key)

        def work(world: Namespace) -> bool:
            runtime = lifecycle_of(self._engine, resource)
            return self._engine.store.delete(world.name, runtime.name, runtime.normal(key))

        if not self._control.in_world(name, work):
            raise ControlError(404, f"no {resource} of the key {key[:200]!r} has been seen")
        self._notify("state", {"cause": "deleted", "namespace": name, "resource": resource, "key": key})
        return said({})

    def clear(self, resource: str | None = None) -> flask.Response:
        """Forget all resources, or all of one kind."""
        name = namespace()

        def work(world: Namespace) -> None:
            if resource is not None:
                lifecycle_of(self._engine, resource)
            self._engine.store.reset(world.name, resource)

        self._control.in_world(name, work)
        self._notify("state", {"cause": "cleared", "namespace": name, "resource": resource})
        return said({})

    def _read(self, world: Namespace, resource: str, key: str) -> dict[str, JSON]:
        return standing(self._engine, world, lifecycle_of(self._engine, resource), key).json()


class Assignments:
    """The scenario that every new key of a resource begins with, whatever the file's rules say."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self) -> flask.Response:
        """Those of the namespace."""

        def work(world: Namespace) -> list[dict[str, str]]:
            return [
                {"resource": name, "scenario": assigned[world.name]}
                for name in self._engine.lifecycles
                if world.name in (assigned := self._engine.store.assignments(name))
            ]

        return said({"assignments": self._control.in_world(namespace(), work)})

    def put(self, resource: str, body: dict[str, JSON]) -> flask.Response:
        """Resources that have been seen go on as they are."""
        resource, scenario = segment(resource), body["scenario"]

        def work(world: Namespace) -> None:
            runtime = lifecycle_of(self._engine, resource)
            check_scenario(runtime, scenario)
            self._engine.store.assign(world.name, runtime.name, scenario)

        self._control.in_world(namespace(), work)
        return said({"resource": resource, "scenario": scenario})

    def delete(self, resource: str) -> flask.Response:
        """Let the file's rules decide again."""
        resource = segment(resource)

        def work(world: Namespace) -> str | None:
            store, runtime = self._engine.store, lifecycle_of(self._engine, resource)
            assigned = store.assignments(runtime.name).get(world.name)
            store.assign(world.name, runtime.name, None)
            return assigned

        if self._control.in_world(namespace(), work) is None:
            raise ControlError(404, f"no scenario is assigned to every new {resource}")
        return said({})


class Scenarios:
    """The scenarios of the namespace that a control request names."""

    def __init__(self, control: Control, notify: Notify) -> None:
        self._control = control
        self._engine = control.engine
        self._notify = notify

    def index(self, limit: int = 1000) -> flask.Response:
        """Those last called."""
        found = self._control.in_world(
            namespace(), lambda world: standings(self._engine, world, self._engine.lifecycles.values())
        )
        shown = [
            {
                "id": f"{each.runtime.name}:{each.key}",
                "name": f"{each.runtime.name}:{each.key}",
                "state": each.state,
                "possibleStates": list(each.runtime.resource.states),
            }
            for each in found[-limit:]
        ]
        return said({"scenarios": shown, "meta": {"total": len(found)}})

    def set_state(self, name: str, body: dict[str, JSON] | None = None) -> flask.Response:
        """Stand in ``state``, or begin anew where none is given."""
        name, state = segment(name), (body or {}).get("state")

        def work(world: Namespace) -> None:
            runtime, key = self._named(name)
            if state is None:
                self._engine.store.delete(world.name, runtime.name, runtime.normal(key))
            else:
                put(self._engine, world, runtime, key, None, state)

        self._control.in_world(namespace(), work)
        self._notify(
            "state", {"cause": "assigned", "namespace": namespace(), "scenario": name, "state": state}
        )
        return said({})

    def reset(self) -> flask.Response:
        """Forget all resources."""
        name = namespace()
        self._control.in_world(name, lambda world: self._engine.store.reset(world.name))
        self._notify("state", {"cause": "cleared", "namespace": name, "resource": None})
        return said({})

    def _named(self, name: str) -> tuple[ResourceRuntime, str]:
        for runtime in self._engine.lifecycles.values():
            if name.startswith(f"{runtime.name}:"):
                return runtime, name.removeprefix(f"{runtime.name}:")
        known = ", ".join(f"{each}:KEY" for each in self._engine.lifecycles) or "none"
        raise ControlError(404, f"{name[:200]!r} is no scenario; there is {known}")
