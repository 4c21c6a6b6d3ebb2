"""``resources``, ``assignments`` and WireMock's ``scenarios``: reads and sets the state of resources."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

import flask

from mockserver.admin.control import Control
from mockserver.admin.http import ControlError, decode_segment, json_response, requested_namespace
from mockserver.admin.resource_view import (
    ResourceView,
    assign_scenario,
    delete_resource,
    find_runtime,
    list_views,
    read_resource,
    set_resource,
)
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON

PublishEvent = Callable[[str, dict[str, JSON]], None]
"""Sends an event to the subscribers: its kind and its data."""


class Resources:
    """The resources of the namespace of a control request."""

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
        """Return resources, least recently called first. ``key`` can have ``*``, ``?`` and ``[…]``."""

        def work(namespace: Namespace) -> tuple[list[ResourceView], int]:
            known = self._engine.runtimes
            runtimes = known.values() if resource is None else [find_runtime(self._engine, resource)]
            return list_views(self._engine, namespace, runtimes), self._engine.store.evicted

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
        """Return one resource. Raise ControlError 404 if there is none."""
        resource, key = decode_segment(resource), decode_segment(key)
        return json_response(
            self._control.in_namespace(
                requested_namespace(), lambda namespace: self._read(namespace, resource, key)
            )
        )

    def assign(self, resource: str, key: str, body: dict[str, JSON]) -> flask.Response:
        """Set the scenario, the state or both of a resource, which need not exist."""
        resource, key = decode_segment(resource), decode_segment(key)
        scenario, state = body.get("scenario"), body.get("state")
        if scenario is None and state is None:
            raise ControlError(422, "a scenario or a state is required", "")

        def work(namespace: Namespace) -> dict[str, JSON]:
            set_resource(self._engine, namespace, find_runtime(self._engine, resource), key, scenario, state)
            return self._read(namespace, resource, key)

        found = self._control.in_namespace(requested_namespace(), work)
        self._publish_event("state", {"cause": "assigned", **found})
        return json_response(found)

    def delete(self, resource: str, key: str) -> flask.Response:
        """Delete a resource. The next call with its key is its first call."""
        name, resource, key = requested_namespace(), decode_segment(resource), decode_segment(key)

        def work(namespace: Namespace) -> bool:
            runtime = find_runtime(self._engine, resource)
            return delete_resource(self._engine, namespace, runtime, key)

        if not self._control.in_namespace(name, work):
            raise ControlError(404, f"no {resource} of the key {key[:200]!r} has been seen")
        self._publish_event(
            "state", {"cause": "deleted", "namespace": name, "resource": resource, "key": key}
        )
        return json_response({})

    def clear(self, resource: str | None = None) -> flask.Response:
        """Delete all resources, or all of one kind."""
        name = requested_namespace()

        def work(namespace: Namespace) -> None:
            stored = find_runtime(self._engine, resource).stored if resource is not None else None
            if stored is not None:
                stored.clear(namespace.name)
            self._engine.store.reset(namespace.name, resource)

        self._control.in_namespace(name, work)
        self._publish_event("state", {"cause": "cleared", "namespace": name, "resource": resource})
        return json_response({})

    def _read(self, namespace: Namespace, resource: str, key: str) -> dict[str, JSON]:
        return read_resource(self._engine, namespace, find_runtime(self._engine, resource), key).json()


class Assignments:
    """The scenarios of new keys that replace the ``select`` rules of a scenario file."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self) -> flask.Response:
        """Return the assignments of the namespace."""

        def work(namespace: Namespace) -> list[dict[str, str]]:
            return [
                {"resource": name, "scenario": assigned[namespace.name]}
                for name in self._engine.runtimes
                if namespace.name in (assigned := self._engine.store.assignments(name))
            ]

        return json_response({"assignments": self._control.in_namespace(requested_namespace(), work)})

    def put(self, resource: str, body: dict[str, JSON]) -> flask.Response:
        """Set the scenario of all new keys. Existing resources do not change."""
        resource, scenario = decode_segment(resource), body["scenario"]

        self._control.in_namespace(
            requested_namespace(),
            lambda namespace: assign_scenario(self._engine, namespace, resource, scenario),
        )
        return json_response({"resource": resource, "scenario": scenario})

    def delete(self, resource: str) -> flask.Response:
        """Delete an assignment, so that the rules of the file select the scenario again."""
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
    """The resources of the namespace of a control request, as scenarios of WireMock."""

    def __init__(self, control: Control, publish_event: PublishEvent) -> None:
        self._control = control
        self._engine = control.engine
        self._publish_event = publish_event

    def index(self, limit: int = 1000) -> flask.Response:
        """Return the last called resources."""
        found = self._control.in_namespace(
            requested_namespace(),
            lambda namespace: list_views(self._engine, namespace, self._engine.runtimes.values()),
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
        """Set the state of a resource. Without a state, delete the resource."""
        name, state = decode_segment(name), (body or {}).get("state")

        def work(namespace: Namespace) -> None:
            runtime, key = self._find_named(name)
            if state is None:
                delete_resource(self._engine, namespace, runtime, key)
            else:
                set_resource(self._engine, namespace, runtime, key, None, state)

        self._control.in_namespace(requested_namespace(), work)
        self._publish_event(
            "state",
            {"cause": "assigned", "namespace": requested_namespace(), "scenario": name, "state": state},
        )
        return json_response({})

    def reset(self) -> flask.Response:
        """Delete all resources."""
        name = requested_namespace()
        self._control.in_namespace(name, lambda namespace: self._engine.store.reset(namespace.name))
        self._publish_event("state", {"cause": "cleared", "namespace": name, "resource": None})
        return json_response({})

    def _find_named(self, name: str) -> tuple[ResourceRuntime, str]:
        for runtime in self._engine.runtimes.values():
            if name.startswith(f"{runtime.name}:"):
                return runtime, name.removeprefix(f"{runtime.name}:")
        known = ", ".join(f"{resource}:KEY" for resource in self._engine.runtimes) or "none"
        raise ControlError(404, f"{name[:200]!r} is not a scenario; there is {known}")
