"""``clock``: travel in time. Holds, timestamps, certificates and delays of the namespace follow."""

from __future__ import annotations

from collections.abc import Callable

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said
from mockserver.admin.faults import ControlError
from mockserver.duration import milliseconds
from mockserver.plan import JSON
from mockserver.serve.clock import Clock, iso, parse_time

_LATEST = parse_time("9000-01-01T00:00:00Z")
"""Room beyond it for what lies in the future of an answer, such as the end of a certificate."""


class Clocks:
    """The clock of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def get(self) -> flask.Response:
        return self._change(lambda clock: None)

    def freeze(self, body: dict[str, JSON] | None = None) -> flask.Response:
        at = _moment(body["at"]) if body and "at" in body else None
        return self._change(lambda clock: clock.freeze(at))

    def set(self, body: dict[str, JSON]) -> flask.Response:
        at = _moment(body["at"])
        return self._change(lambda clock: clock.set(at))

    def advance(self, body: dict[str, JSON]) -> flask.Response:
        try:
            by = milliseconds(body["by"])
        except ValueError as error:
            raise ControlError(422, f"{error}", "/by") from None

        def advance(clock: Clock) -> None:
            if clock.now() + by > _LATEST:
                raise ControlError(422, f"that is beyond {iso(_LATEST)}", "/by")
            clock.advance(by)

        return self._change(advance)

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


def _moment(text: str) -> int:
    try:
        moment = parse_time(text)
    except (ValueError, OverflowError):
        raise ControlError(422, f"{text!r} is no date-time such as 2026-01-01T00:00:00Z", "/at") from None
    if not 0 <= moment <= _LATEST:
        raise ControlError(422, f"the clock goes from 1970 to {iso(_LATEST)}", "/at")
    return moment
