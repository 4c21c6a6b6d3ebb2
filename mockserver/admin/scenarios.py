"""WireMock's ``scenarios`` over resources: each resource that has been seen is one, as ``resource:key``."""

from __future__ import annotations

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said, segment
from mockserver.admin.faults import ControlError
from mockserver.admin.resources import Notify
from mockserver.admin.standing import put, standings
from mockserver.plan import JSON
from mockserver.serve.lifecycle import Lifecycle
from mockserver.serve.world import World


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
                "id": f"{each.lifecycle.name}:{each.key}",
                "name": f"{each.lifecycle.name}:{each.key}",
                "state": each.state,
                "possibleStates": list(each.lifecycle.resource.states),
            }
            for each in found[-limit:]
        ]
        return said({"scenarios": shown, "meta": {"total": len(found)}})

    def set_state(self, name: str, body: dict[str, JSON] | None = None) -> flask.Response:
        """Stand in ``state``, or begin anew where none is given."""
        name, state = segment(name), (body or {}).get("state")

        def work(world: World) -> None:
            lifecycle, key = self._named(name)
            if state is None:
                self._engine.store.delete(world.name, lifecycle.name, lifecycle.normal(key))
            else:
                put(self._engine, world, lifecycle, key, None, state)

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

    def _named(self, name: str) -> tuple[Lifecycle, str]:
        for lifecycle in self._engine.lifecycles.values():
            if name.startswith(f"{lifecycle.name}:"):
                return lifecycle, name.removeprefix(f"{lifecycle.name}:")
        known = ", ".join(f"{each}:KEY" for each in self._engine.lifecycles) or "none"
        raise ControlError(404, f"{name[:200]!r} is no scenario; there is {known}")
