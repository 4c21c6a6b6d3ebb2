"""``clock``: travel in time. Holds, timestamps, certificates and delays of the namespace follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said
from mockserver.admin.faults import ControlError
from mockserver.duration import milliseconds
from mockserver.plan import JSON
from mockserver.serve.clock import Clock, iso, parse_time

if TYPE_CHECKING:
    import flask

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
