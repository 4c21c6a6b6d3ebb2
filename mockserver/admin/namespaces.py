"""``namespaces``, ``clock``, ``reset`` and ``shutdown``: a test's own namespace, its time and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import ControlError, namespace, said, segment
from mockserver.engine.engine import Engine
from mockserver.inputs import milliseconds
from mockserver.namespaces.clock import Clock, iso, parse_time
from mockserver.namespaces.namespaces import DEFAULT, Namespace
from mockserver.plan import JSON

if TYPE_CHECKING:
    import flask

    from mockserver.admin.resources import Notify


_LATEST = parse_time("9000-01-01T00:00:00Z")
"""Room beyond it for what lies in the future of an answer, such as the end of a certificate."""


class Clocks:
    """The clock of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def get(self) -> flask.Response:
        return self._change(lambda clock: None)

    def freeze(self, body: dict[str, JSON] | None = None) -> flask.Response:
        at = moment(body["at"]) if body and "at" in body else None
        return self._change(lambda clock: clock.freeze(at))

    def set(self, body: dict[str, JSON]) -> flask.Response:
        at = moment(body["at"])
        return self._change(lambda clock: clock.set(at))

    def advance(self, body: dict[str, JSON]) -> flask.Response:
        return self._change(lambda clock: move_on(clock, body["by"]))

    def resume(self) -> flask.Response:
        return self._change(lambda clock: clock.resume())

    def reset(self) -> flask.Response:
        return self._change(lambda clock: clock.reset())

    def _change(self, change: Callable[[Clock], None]) -> flask.Response:
        def work(clock: Clock) -> dict[str, JSON]:
            change(clock)
            return shown(clock)

        return said(self._control.in_world(namespace(), lambda world: work(world.clock)))


def shown(clock: Clock) -> dict[str, JSON]:
    """A clock as JSON."""
    now = clock.now()
    return {"now": iso(now), "milliseconds": now, "frozen": clock.frozen}


def moment(text: str) -> int:
    """The milliseconds of a time that a clock can show. Raises ControlError for another."""
    try:
        found = parse_time(text)
    except (ValueError, OverflowError):
        raise ControlError(422, f"{text!r} is no date-time such as 2026-01-01T00:00:00Z", "/at") from None
    if not 0 <= found <= _LATEST:
        raise ControlError(422, f"the clock goes from 1970 to {iso(_LATEST)}", "/at")
    return found


def move_on(clock: Clock, by: str) -> None:
    """Advance a clock by a duration. Raises ControlError for what is none, and beyond what it can show."""
    try:
        length = milliseconds(by)
    except ValueError as error:
        raise ControlError(422, f"{error}", "/by") from None
    if clock.now() + length > _LATEST:
        raise ControlError(422, f"that is beyond {iso(_LATEST)}", "/by")
    clock.advance(length)


def renew(engine: Engine, world: Namespace) -> None:
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
                "meta": {"total": len(found), "most": worlds.max_namespaces + 1, "evicted": worlds.evicted},
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

    def _known(self, name: str) -> Namespace:
        world = self._control.engine.worlds.get(name)
        if world is None:
            raise ControlError(404, f"there is no namespace {name[:200]!r}")
        return world

    def _shown(self, world: Namespace) -> dict[str, JSON]:
        engine = self._control.engine
        return {
            "name": world.name,
            "resources": sum(engine.store.count(world.name, each) for each in engine.lifecycles),
            "journal": {"calls": len(world.journal), "lost": world.journal.lost},
            "clock": shown(world.clock),
        }


class Stopping:
    """``stop`` is None where another server runs this application: its end is not ours to decide."""

    def __init__(self, control: Control, stop: Callable[[], None] | None) -> None:
        self._control = control
        self._stop = stop

    def shutdown(self) -> flask.Response:
        if self._stop is None:
            raise ControlError(409, "this server was not started by `mockserver serve`; stop it where it was")
        self._control.run(self._stop)
        return said({"status": "stopping"}, 202)
