"""``/__admin``: what the engine calls for every control request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from mockserver.plan import JSON
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.engine import ADMIN, Engine
from mockserver.serve.health import Health
from mockserver.serve.request import Request

if TYPE_CHECKING:
    from mockserver.admin.control import Control
    from mockserver.admin.events import Events
    from mockserver.admin.gateway import App, Gateway
    from mockserver.admin.guard import Guard
    from mockserver.admin.workshop import Workshop
    from mockserver.serve.routing import Router

_PUBLIC = (f"{ADMIN}/", f"{ADMIN}/docs", f"{ADMIN}/openapi.json")
"""Pages without anything to keep: a browser cannot send a token when it is pointed at one."""


class ControlPlane:
    """Answers health checks at once, and builds everything else when it is first asked for.

    ``stop`` ends the server, where there is one to end.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        guard: Guard | None = None,
        workshop: Workshop | None = None,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._health = Health(engine)
        self._guard = guard
        self._workshop = workshop
        self._stop = stop
        self._gateway: Gateway | None = None
        self._events: Events | None = None

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """The answer to a request whose path begins with ``/__admin``. Called on the engine's loop."""
        path = request.raw_path
        if path == f"{ADMIN}/health":
            return self._health.answer(request)
        if path == ADMIN:
            return Answer(308, [("location", f"{ADMIN}/")], b"", "admin")
        if not path.startswith(f"{ADMIN}/"):
            return problem.unknown_path(request.method, path)
        guard = self._guard or self._open()
        refusal = guard.refusal(request, public=path in _PUBLIC or path.startswith(f"{ADMIN}/docs/"))
        if refusal is not None:
            return refusal
        if path == f"{ADMIN}/events":
            return self.events.answer(request)
        if self._gateway is None:
            self._gateway = self._build()
        return self._gateway.answer(request)

    @property
    def events(self) -> Events:
        if self._events is None:
            from mockserver.admin.events import Events

            self._events = Events(self._engine)
        return self._events

    def close(self) -> None:
        """The server stops: nothing that has no end may keep it."""
        if self._events is not None:
            self._events.close()

    def _open(self) -> Guard:
        from mockserver.admin.guard import Guard

        self._guard = Guard()
        return self._guard

    def _build(self) -> Gateway:
        from mockserver.admin.control import Control
        from mockserver.admin.gateway import Gateway

        control = Control(self._engine)
        return Gateway(partial(self._app, control, self.events))

    def _app(self, control: Control, events: Events) -> tuple[App, Router[str]]:
        """On the control plane's own thread: this is where the time for imports goes."""
        from mockserver.admin import (
            app,
            clocks,
            metrics,
            namespaces,
            pages,
            requests,
            resources,
            sources,
            stopping,
        )

        def notify(kind: str, data: dict[str, JSON]) -> None:
            control.run(lambda: events.publish(kind, data))

        return app.build(
            {
                "requests": requests.Requests(control),
                "resources": resources.Resources(control, notify),
                "clocks": clocks.Clocks(control),
                "namespaces": namespaces.Namespaces(control, notify),
                "sources": sources.Sources(control, self._workshop, notify),
                "metrics": metrics.Metrics(control, events),
                "pages": pages.Pages(),
                "stopping": stopping.Stopping(control, self._stop),
            }
        )
