"""``namespaces``, ``clock``, ``reset`` and ``shutdown``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import flask

from mockserver.admin.control import Control
from mockserver.admin.http import ControlError, decode_segment, json_response, requested_namespace
from mockserver.engine.engine import Engine
from mockserver.inputs import parse_duration
from mockserver.namespaces.clock import Clock, iso, parse_time
from mockserver.namespaces.namespaces import DEFAULT, Namespace
from mockserver.plan import JSON

if TYPE_CHECKING:
    import flask

    from mockserver.admin.resources import PublishEvent


_LATEST = parse_time("9000-01-01T00:00:00Z")
"""The latest time of a clock. Responses can have later times, such as the end of a certificate."""


class Clocks:
    """The clock of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def get(self) -> flask.Response:
        """Return the clock."""
        return self._change(lambda clock: None)

    def freeze(self, body: dict[str, JSON] | None = None) -> flask.Response:
        """Freeze the clock, at a time or now."""
        at = parse_moment(body["at"]) if body and "at" in body else None
        return self._change(lambda clock: clock.freeze(at))

    def set(self, body: dict[str, JSON]) -> flask.Response:
        """Set the clock to a time."""
        at = parse_moment(body["at"])
        return self._change(lambda clock: clock.set(at))

    def advance(self, body: dict[str, JSON]) -> flask.Response:
        """Advance the clock by a duration."""
        return self._change(lambda clock: advance_clock(clock, body["by"]))

    def resume(self) -> flask.Response:
        """Let a frozen clock run."""
        return self._change(lambda clock: clock.resume())

    def reset(self) -> flask.Response:
        """Set the clock to the time of the machine."""
        return self._change(lambda clock: clock.reset())

    def _change(self, change: Callable[[Clock], None]) -> flask.Response:
        def work(clock: Clock) -> dict[str, JSON]:
            change(clock)
            return clock_json(clock)

        return json_response(
            self._control.in_namespace(requested_namespace(), lambda namespace: work(namespace.clock))
        )


def clock_json(clock: Clock) -> dict[str, JSON]:
    """Return a clock as JSON."""
    now = clock.now()
    return {"now": iso(now), "milliseconds": now, "frozen": clock.frozen}


def parse_moment(text: str) -> int:
    """Return the milliseconds of a date-time. Raise ControlError 422 for one that a clock cannot show."""
    try:
        found = parse_time(text)
    except (ValueError, OverflowError):
        raise ControlError(422, f"{text!r} is not a date-time such as 2026-01-01T00:00:00Z", "/at") from None
    if not 0 <= found <= _LATEST:
        raise ControlError(422, f"the time must be between 1970 and {iso(_LATEST)}", "/at")
    return found


def advance_clock(clock: Clock, by: str) -> None:
    """Advance a clock. Raise ControlError 422 for an invalid duration or a time after the latest."""
    try:
        length = parse_duration(by)
    except ValueError as error:
        raise ControlError(422, f"{error}", "/by") from None
    if clock.now() + length > _LATEST:
        raise ControlError(422, f"the time would be after {iso(_LATEST)}", "/by")
    clock.advance(length)


def reset_namespace(engine: Engine, namespace: Namespace) -> None:
    """Reset the resources, calls and clock of a namespace. Call it on the loop only."""
    engine.reset(namespace.name)
    namespace.journal.clear()
    namespace.clock.reset()
    if engine.namespaces.frozen_at is not None:
        namespace.clock.freeze(engine.namespaces.frozen_at)


def find_namespace(engine: Engine, name: str) -> Namespace:
    """Return a namespace. Raise ControlError 404 for an unknown one. Call it on the loop only."""
    namespace = engine.namespaces.get(name)
    if namespace is None:
        raise ControlError(404, f"there is no namespace {name[:200]!r}")
    return namespace


def delete_namespace(engine: Engine, name: str) -> None:
    """Delete a namespace. Raise ControlError for the default one and an unknown one. On the loop only."""
    if name == DEFAULT:
        raise ControlError(409, "the default namespace cannot be deleted. Use POST /__admin/reset")
    find_namespace(engine, name)
    engine.namespaces.drop(name)


class Namespaces:
    """The namespaces of the server."""

    def __init__(self, control: Control, publish_event: PublishEvent) -> None:
        self._control = control
        self._publish_event = publish_event

    def index(self) -> flask.Response:
        """Return all namespaces, the default one first."""
        namespaces = self._control.engine.namespaces

        def work() -> dict[str, JSON]:
            found = [self._shown(namespace) for namespace in namespaces]
            return {
                "namespaces": found,
                "meta": {
                    "total": len(found),
                    "most": namespaces.max_namespaces + 1,
                    "evicted": namespaces.evicted,
                },
            }

        return json_response(self._control.run(work))

    def get(self, name: str) -> flask.Response:
        """Return one namespace. Raise ControlError 404 for an unknown one."""
        return json_response(
            self._control.run(lambda: self._shown(find_namespace(self._control.engine, decode_segment(name))))
        )

    def delete(self, name: str) -> flask.Response:
        """Delete a namespace with its state, journal, clock and assignments."""
        name = decode_segment(name)
        self._control.run(lambda: delete_namespace(self._control.engine, name))
        self._publish_event("reset", {"namespace": name, "deleted": True})
        return json_response({})

    def reset(self) -> flask.Response:
        """Delete the resources, calls and assignments of the namespace, and reset its clock."""
        name = requested_namespace()
        self._control.in_namespace(name, lambda namespace: reset_namespace(self._control.engine, namespace))
        self._publish_event("reset", {"namespace": name, "deleted": False})
        return json_response({})

    def _shown(self, namespace: Namespace) -> dict[str, JSON]:
        engine = self._control.engine
        return {
            "name": namespace.name,
            "resources": sum(engine.store.count(namespace.name, resource) for resource in engine.runtimes),
            "journal": {"calls": len(namespace.journal), "lost": namespace.journal.lost},
            "clock": clock_json(namespace.clock),
        }


class Data:
    """The data of the inferred resources of a namespace."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def get(self) -> flask.Response:
        """Return the data in the form of seed files: name of the file → its content."""

        data = self._control.engine.data
        if data is None:
            raise ControlError(
                409,
                "no data is stored: start the server with --stateful, "
                "or write `updates` or `set` in a scenario file",
            )
        in_namespace, name = self._control.in_namespace, requested_namespace()
        if not data.has_seeds(name):
            in_namespace(name, lambda namespace: data.seed(name, namespace.clock.now()))
        return json_response(in_namespace(name, lambda _: data.export(name)))


class Shutdown:
    """The end of the server. ``stop`` is None if another server runs this application."""

    def __init__(self, control: Control, stop: Callable[[], None] | None) -> None:
        self._control = control
        self._stop = stop

    def shutdown(self) -> flask.Response:
        """Stop the server. Raise ControlError 409 if it cannot be stopped here."""
        if self._stop is None:
            raise ControlError(
                409, "this server was not started by `mockserver serve`. Stop the process that started it"
            )
        self._control.run(self._stop)
        return json_response({"status": "stopping"}, 202)
