"""``resources``, ``assignments`` and WireMock's ``scenarios``: the state of resources, and setting it."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import flask

from mockserver.admin.control import Control
from mockserver.admin.http import ControlError, decode_segment, json_response, requested_namespace
from mockserver.admin.resource_view import (
    ResourceView,
    check_scenario,
    find_runtime,
    list_views,
    put,
    read_resource,
)
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON

PublishEvent = Callable[[str, dict[str, JSON]], None]
"""Tells whoever follows the events: the kind of event, and what happened."""


class Resources:
    """The resources of the namespace that a control request names."""

    def __init__(self, control: Control, publish_event: PublishEvent) -> None:
        self._control = control
        self._engine = control.engine
        self._publish_event = publish_event

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

        def work(namespace: Namespace) -> tuple[list[ResourceView], int]:
            known = self._engine.lifecycles
            lifecycles = known.values() if resource is None else [find_runtime(self._engine, resource)]
            return list_views(self._engine, namespace, lifecycles), self._engine.store.evicted

        seen, evicted = self._control.in_namespace(requested_namespace(), work)
        found = [
            view
            for view in seen
            if (key is None or fnmatchcase(view.key, key))
            and (scenario is None or view.known.scenario == scenario)
            and (state is None or view.state == state)
        ]
        shown = [view.json() for view in found[offset : offset + limit]]
        meta = {"total": len(found), "offset": offset, "evicted": evicted}
        return json_response({"resources": shown, "meta": meta})

    def get(self, resource: str, key: str) -> flask.Response:
        """One resource."""
        resource, key = decode_segment(resource), decode_segment(key)
        return json_response(
            self._control.in_namespace(
                requested_namespace(), lambda namespace: self._read(namespace, resource, key)
            )
        )

    def assign(self, resource: str, key: str, body: dict[str, JSON]) -> flask.Response:
        """Let a resource begin a scenario, or stand in a state, whether or not it has been seen before."""
        resource, key = decode_segment(resource), decode_segment(key)
        scenario, state = body.get("scenario"), body.get("state")
        if scenario is None and state is None:
            raise ControlError(422, "give a scenario, a state, or both", "")

        def work(namespace: Namespace) -> dict[str, JSON]:
            put(self._engine, namespace, find_runtime(self._engine, resource), key, scenario, state)
            return self._read(namespace, resource, key)

        found = self._control.in_namespace(requested_namespace(), work)
        self._publish_event("state", {"cause": "assigned", **found})
        return json_response(found)

    def delete(self, resource: str, key: str) -> flask.Response:
        """Forget a resource: the next call finds it as if first seen."""
        name, resource, key = requested_namespace(), decode_segment(resource), decode_segment(key)

        def work(namespace: Namespace) -> bool:
            runtime = find_runtime(self._engine, resource)
            return self._engine.store.delete(namespace.name, runtime.name, runtime.normal(key))

        if not self._control.in_namespace(name, work):
            raise ControlError(404, f"no {resource} of the key {key[:200]!r} has been seen")
        self._publish_event(
            "state", {"cause": "deleted", "namespace": name, "resource": resource, "key": key}
        )
        return json_response({})

    def clear(self, resource: str | None = None) -> flask.Response:
        """Forget all resources, or all of one kind."""
        name = requested_namespace()

        def work(namespace: Namespace) -> None:
            if resource is not None:
                find_runtime(self._engine, resource)
            self._engine.store.reset(namespace.name, resource)

        self._control.in_namespace(name, work)
        self._publish_event("state", {"cause": "cleared", "namespace": name, "resource": resource})
        return json_response({})

    def _read(self, namespace: Namespace, resource: str, key: str) -> dict[str, JSON]:
        return read_resource(self._engine, namespace, find_runtime(self._engine, resource), key).json()


class Assignments:
    """The scenario that every new key of a resource begins with, whatever the file's rules say."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self) -> flask.Response:
        """Those of the namespace."""

        def work(namespace: Namespace) -> list[dict[str, str]]:
            return [
                {"resource": name, "scenario": assigned[namespace.name]}
                for name in self._engine.lifecycles
                if namespace.name in (assigned := self._engine.store.assignments(name))
            ]

        return json_response({"assignments": self._control.in_namespace(requested_namespace(), work)})

    def put(self, resource: str, body: dict[str, JSON]) -> flask.Response:
        """Resources that have been seen go on as they are."""
        resource, scenario = decode_segment(resource), body["scenario"]

        def work(namespace: Namespace) -> None:
            runtime = find_runtime(self._engine, resource)
            check_scenario(runtime, scenario)
            self._engine.store.assign(namespace.name, runtime.name, scenario)

        self._control.in_namespace(requested_namespace(), work)
        return json_response({"resource": resource, "scenario": scenario})

    def delete(self, resource: str) -> flask.Response:
        """Let the file's rules decide again."""
        resource = decode_segment(resource)

        def work(namespace: Namespace) -> str | None:
            store, runtime = self._engine.store, find_runtime(self._engine, resource)
            assigned = store.assignments(runtime.name).get(namespace.name)
            store.assign(namespace.name, runtime.name, None)
            return assigned

        if self._control.in_namespace(requested_namespace(), work) is None:
            raise ControlError(404, f"no scenario is assigned to every new {resource}")
        return json_response({})


class Scenarios:
    """The scenarios of the namespace that a control request names."""

    def __init__(self, control: Control, publish_event: PublishEvent) -> None:
        self._control = control
        self._engine = control.engine
        self._publish_event = publish_event

    def index(self, limit: int = 1000) -> flask.Response:
        """Those last called."""
        found = self._control.in_namespace(
            requested_namespace(),
            lambda namespace: list_views(self._engine, namespace, self._engine.lifecycles.values()),
        )
        shown = [
            {
                "id": f"{view.runtime.name}:{view.key}",
                "name": f"{view.runtime.name}:{view.key}",
                "state": view.state,
                "possibleStates": list(view.runtime.resource.states),
            }
            for view in found[-limit:]
        ]
        return json_response({"scenarios": shown, "meta": {"total": len(found)}})

    def set_state(self, name: str, body: dict[str, JSON] | None = None) -> flask.Response:
        """Stand in ``state``, or begin anew where none is given."""
        name, state = decode_segment(name), (body or {}).get("state")

        def work(namespace: Namespace) -> None:
            runtime, key = self._find_named(name)
            if state is None:
                self._engine.store.delete(namespace.name, runtime.name, runtime.normal(key))
            else:
                put(self._engine, namespace, runtime, key, None, state)

        self._control.in_namespace(requested_namespace(), work)
        self._publish_event(
            "state",
            {"cause": "assigned", "namespace": requested_namespace(), "scenario": name, "state": state},
        )
        return json_response({})

    def reset(self) -> flask.Response:
        """Forget all resources."""
        name = requested_namespace()
        self._control.in_namespace(name, lambda namespace: self._engine.store.reset(namespace.name))
        self._publish_event("state", {"cause": "cleared", "namespace": name, "resource": None})
        return json_response({})

    def _find_named(self, name: str) -> tuple[ResourceRuntime, str]:
        for runtime in self._engine.lifecycles.values():
            if name.startswith(f"{runtime.name}:"):
                return runtime, name.removeprefix(f"{runtime.name}:")
        known = ", ".join(f"{resource}:KEY" for resource in self._engine.lifecycles) or "none"
        raise ControlError(404, f"{name[:200]!r} is no scenario; there is {known}")
