"""``/__admin``: what the engine calls for every control request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import cached_property, partial
from typing import TYPE_CHECKING

import msgspec

from mockserver.errors import UsageError
from mockserver.inputs import Inputs
from mockserver.plan import JSON
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.engine import ADMIN, Engine
from mockserver.serve.health import Health
from mockserver.serve.outgoing import MARK
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
_OWN = [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
"""Headers of all that the control plane sends."""


class ControlPlane:
    """Answers health checks at once, and builds everything else when it is first asked for.

    ``token`` is asked for where it is not empty; ``hosts`` are names by which
    the server may be called; ``inputs`` are what the Plan was made from, where
    it may be replaced; ``stop`` ends the server, where there is one to end.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        token: str = "",
        hosts: Collection[str] = (),
        inputs: Inputs | None = None,
        stop: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._health = Health(engine)
        self._token = token
        self._hosts = hosts
        self._inputs = inputs
        self._stop = stop
        self._gateway: Gateway | None = None

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """The answer to a request whose path begins with ``/__admin``. Called on the engine's loop."""
        answer = self._answer(request)
        return _own(answer) if isinstance(answer, Answer) else self._own_later(answer)

    @staticmethod
    async def _own_later(coming: Awaitable[Answer]) -> Answer:
        return _own(await coming)

    def _answer(self, request: Request) -> Answer | Awaitable[Answer]:
        path = request.raw_path
        if MARK in request.headers:
            return problem.problem(403, "webhooks do not reach the control plane", decision="admin")
        if path == f"{ADMIN}/health":
            return self._health.answer(request)
        if path == ADMIN:
            return Answer(308, [("location", f"{ADMIN}/")], b"", "admin")
        if not path.startswith(f"{ADMIN}/"):
            return problem.unknown_path(request.method, path)
        refusal = self._guard.refusal(request, public=path in _PUBLIC or path.startswith(f"{ADMIN}/docs/"))
        if refusal is not None:
            return refusal
        if path == f"{ADMIN}/events":
            return self.events.answer(request)
        if self._gateway is None:
            self._gateway = self._build()
        return self._gateway.answer(request)

    def close(self) -> None:
        """The server stops: nothing that has no end may keep it."""
        if "events" in self.__dict__:
            self.events.close()

    async def watch(self, say: Callable[[str], None]) -> None:
        """Serve what is on the disk whenever it changes. ``say`` tells the user what became of it."""
        from mockserver.admin.watching import watch

        await watch(self._needed_workshop(), self._control, self.events.publish, say)

    async def wait_for_documents(self, say: Callable[[str], None]) -> None:
        """Serve the documents as soon as they are on the disk."""
        from mockserver.admin.watching import wait_for_documents

        await wait_for_documents(self._needed_workshop(), self._control, self.events.publish, say)

    def take(self, inputs: bytes) -> None:
        """Go on from the inputs that another process changed."""
        from mockserver.admin.compiling import Job

        if self._inputs is not None:
            self._inputs = msgspec.msgpack.decode(inputs, type=Job).inputs()
            if self.__dict__.get("_workshop") is not None:
                self._needed_workshop().take(self._inputs)

    @cached_property
    def events(self) -> Events:
        from mockserver.admin.events import Events

        return Events(self._engine)

    @cached_property
    def _guard(self) -> Guard:
        from mockserver.admin.guard import Guard

        return Guard(self._token, self._hosts)

    @cached_property
    def _control(self) -> Control:
        from mockserver.admin.control import Control

        return Control(self._engine)

    @cached_property
    def _workshop(self) -> Workshop | None:
        from mockserver.admin.workshop import Workshop

        return None if self._inputs is None else Workshop(self._inputs)

    def _needed_workshop(self) -> Workshop:
        if self._workshop is None:
            raise UsageError("there are no files to watch: what is served was compiled elsewhere.")
        return self._workshop

    def _build(self) -> Gateway:
        from mockserver.admin.gateway import Gateway

        return Gateway(partial(self._app, self._control, self.events, self._workshop))

    def _app(self, control: Control, events: Events, workshop: Workshop | None) -> tuple[App, Router[str]]:
        """On the control plane's own thread: this is where the time for imports goes."""
        from mockserver.admin import (
            app,
            clocks,
            metrics,
            namespaces,
            notices,
            pages,
            requests,
            resources,
            scenarios,
            sources,
            stopping,
        )

        def notify(kind: str, data: dict[str, JSON]) -> None:
            control.run(lambda: events.publish(kind, data))

        return app.build(
            {
                "requests": requests.Requests(control),
                "resources": resources.Resources(control, notify),
                "assignments": resources.Assignments(control),
                "scenarios": scenarios.Scenarios(control, notify),
                "clocks": clocks.Clocks(control),
                "namespaces": namespaces.Namespaces(control, notify),
                "notices": notices.Notices(control),
                "sources": sources.Sources(control, workshop, notify),
                "metrics": metrics.Metrics(control, events),
                "pages": pages.Pages(),
                "stopping": stopping.Stopping(control, self._stop),
            }
        )


def _own(answer: Answer) -> Answer:
    """An answer that pages of other sites cannot take in, as an image or as a script."""
    answer.headers += _OWN
    return answer
