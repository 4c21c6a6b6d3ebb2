"""``namespaces`` and ``reset``: the worlds that tests keep apart by ``X-Mock-Namespace``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.admin.clocks import shown
from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said, segment
from mockserver.admin.faults import ControlError
from mockserver.plan import JSON
from mockserver.serve.engine import Engine
from mockserver.serve.world import DEFAULT, World

if TYPE_CHECKING:
    import flask

    from mockserver.admin.resources import Notify


def renew(engine: Engine, world: World) -> None:
    """Make a namespace as it was at first. On the loop only."""
    engine.reset(world.name)
    world.journal.clear()
    world.clock.reset()
    if engine.worlds.frozen_at is not None:
        world.clock.freeze(engine.worlds.frozen_at)


class Namespaces:
    """All of them, the default one first."""

    def __init__(self, control: Control, notify: Notify) -> None:
        self._control = control
        self._notify = notify

    def index(self) -> flask.Response:
        worlds = self._control.engine.worlds

        def work() -> dict[str, JSON]:
            found = [self._shown(each) for each in worlds]
            return {
                "namespaces": found,
                "meta": {"total": len(found), "most": worlds.most + 1, "evicted": worlds.evicted},
            }

        return said(self._control.run(work))

    def get(self, name: str) -> flask.Response:
        return said(self._control.run(lambda: self._shown(self._known(segment(name)))))

    def delete(self, name: str) -> flask.Response:
        """Let a namespace go, with its state, journal, clock and assignments."""
        name = segment(name)

        def work() -> None:
            if name == DEFAULT:
                raise ControlError(409, "the default namespace stays; POST /__admin/reset empties it")
            self._known(name)
            self._control.engine.worlds.drop(name)

        self._control.run(work)
        self._notify("reset", {"namespace": name, "deleted": True})
        return said({})

    def reset(self) -> flask.Response:
        """Make the namespace as it was at first: no resources, no calls, the first time on its clock."""
        name = namespace()
        self._control.in_world(name, lambda world: renew(self._control.engine, world))
        self._notify("reset", {"namespace": name, "deleted": False})
        return said({})

    def _known(self, name: str) -> World:
        world = self._control.engine.worlds.known(name)
        if world is None:
            raise ControlError(404, f"there is no namespace {name[:200]!r}")
        return world

    def _shown(self, world: World) -> dict[str, JSON]:
        engine = self._control.engine
        return {
            "name": world.name,
            "resources": sum(engine.store.count(world.name, each) for each in engine.lifecycles),
            "journal": {"calls": len(world.journal), "lost": world.journal.lost},
            "clock": shown(world.clock),
        }
