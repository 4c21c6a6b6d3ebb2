"""``notices``: what was sent when resources entered states, and what became of it."""

from __future__ import annotations

import flask

from mockserver.admin.control import Control
from mockserver.admin.exchange import namespace, said
from mockserver.plan import JSON
from mockserver.serve.clock import iso
from mockserver.serve.notify import Outcome


class Notices:
    """The notices of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self, limit: int = 100) -> flask.Response:
        """Newest first."""
        found = self._control.in_world(
            namespace(), lambda world: [_told(each) for each in self._engine.notifier.outcomes(world.name)]
        )
        return said({"notices": found[::-1][:limit], "meta": {"total": len(found)}})


def _told(outcome: Outcome) -> dict[str, JSON]:
    return {
        "resource": outcome.resource,
        "key": outcome.key,
        "state": outcome.state,
        "entered": iso(outcome.when),
        "method": outcome.method,
        "url": outcome.url,
        "headers": dict(outcome.headers),
        "body": outcome.body.decode("utf-8", "replace"),
        "attempts": list(outcome.attempts),
        "done": outcome.done,
        "delivered": outcome.delivered,
    }
