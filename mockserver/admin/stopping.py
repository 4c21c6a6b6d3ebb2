"""``shutdown``: an end that answers what is in flight first."""

from __future__ import annotations

from collections.abc import Callable

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import said
from mockserver.admin.faults import ControlError


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
