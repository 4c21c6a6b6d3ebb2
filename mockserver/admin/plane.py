"""``/__admin``: what the engine calls for every control request, after it has checked who may control.

Control takes a token where one is set. It refuses pages of other sites and host names that were
rebound to this machine.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import msgspec

from mockserver import problem
from mockserver.diagnostics import UsageError
from mockserver.engine.engine import ADMIN, Engine
from mockserver.engine.health import Health
from mockserver.http.egress import MARK
from mockserver.http.hosts import Hosts
from mockserver.inputs import Inputs
from mockserver.messages import Request, Response
from mockserver.plan import JSON

if TYPE_CHECKING:
    from mockserver.admin.app import App, Gateway
    from mockserver.admin.control import Control
    from mockserver.admin.events import Events
    from mockserver.admin.reloader import Reloader
    from mockserver.engine.routing import Router


_PUBLIC = (f"{ADMIN}/", f"{ADMIN}/docs", f"{ADMIN}/openapi.json")
"""Pages without anything to keep: a browser cannot send a token when it is pointed at one."""
_OWN_HEADERS = [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
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

    def response(self, request: Request) -> Response | Awaitable[Response]:
        """The answer to a request whose path begins with ``/__admin``. Called on the engine's loop."""
        response = self._answer(request)
        return (
            _with_own_headers(response)
            if isinstance(response, Response)
            else self._with_own_headers_later(response)
        )

    @staticmethod
    async def _with_own_headers_later(deferred: Awaitable[Response]) -> Response:
        return _with_own_headers(await deferred)

    def _answer(self, request: Request) -> Response | Awaitable[Response]:
        path = request.raw_path
        if MARK in request.headers:
            return problem.problem(403, "webhooks do not reach the control plane", decision="admin")
        if path == f"{ADMIN}/health":
            return self._health.response(request)
        if path == ADMIN:
            return Response(308, [("location", f"{ADMIN}/")], b"", "admin")
        if not path.startswith(f"{ADMIN}/"):
            return problem.unknown_path(request.method, path)
        refusal = self._guard.refusal(request, public=path in _PUBLIC or path.startswith(f"{ADMIN}/docs/"))
        if refusal is not None:
            return refusal
        if path == f"{ADMIN}/events":
            return self.events.response(request)
        if self._gateway is None:
            self._gateway = self._build()
        return self._gateway.response(request)

    def close(self) -> None:
        """The server stops: nothing that has no end may keep it."""
        if "events" in self.__dict__:
            self.events.close()

    async def watch(self, report: Callable[[str], None]) -> None:
        """Serve what is on the disk whenever it changes. ``report`` tells the user what became of it."""
        from mockserver.admin.reloader import watch

        await watch(self._require_reloader(), self._control, self.events.publish, report)

    async def wait_for_documents(self, report: Callable[[str], None]) -> None:
        """Serve the documents as soon as they are on the disk."""
        from mockserver.admin.reloader import wait_for_documents

        await wait_for_documents(self._require_reloader(), self._control, self.events.publish, report)

    def take(self, inputs: bytes) -> None:
        """Go on from the inputs that another process changed."""
        from mockserver.compile.process import Job

        if self._inputs is not None:
            self._inputs = msgspec.msgpack.decode(inputs, type=Job).inputs()
            if self.__dict__.get("_reloader") is not None:
                self._require_reloader().take(self._inputs)

    @cached_property
    def events(self) -> Events:
        from mockserver.admin.events import Events

        return Events(self._engine)

    @cached_property
    def _guard(self) -> Guard:

        return Guard(self._token, self._hosts)

    @cached_property
    def _control(self) -> Control:
        from mockserver.admin.control import Control

        return Control(self._engine)

    @cached_property
    def _reloader(self) -> Reloader | None:
        from mockserver.admin.reloader import Reloader

        return None if self._inputs is None else Reloader(self._inputs)

    def _require_reloader(self) -> Reloader:
        if self._reloader is None:
            raise UsageError("there are no files to watch: what is served was compiled elsewhere.")
        return self._reloader

    def _build(self) -> Gateway:
        from mockserver.admin.app import Gateway

        return Gateway(partial(self._app, self._control, self.events, self._reloader))

    def _app(self, control: Control, events: Events, reloader: Reloader | None) -> tuple[App, Router[str]]:
        """On the control plane's own thread: this is where the time for imports goes."""
        from mockserver.admin import (
            app,
            metrics,
            namespaces,
            requests,
            resources,
            sources,
        )

        def publish_event(kind: str, data: dict[str, JSON]) -> None:
            control.run(lambda: events.publish(kind, data))

        return app.build(
            {
                "requests": requests.Requests(control),
                "resources": resources.Resources(control, publish_event),
                "assignments": resources.Assignments(control),
                "scenarios": resources.Scenarios(control, publish_event),
                "clocks": namespaces.Clocks(control),
                "namespaces": namespaces.Namespaces(control, publish_event),
                "notices": requests.Webhooks(control),
                "sources": sources.Sources(control, reloader, publish_event),
                "metrics": metrics.Metrics(control, events),
                "pages": app.Pages(),
                "stopping": namespaces.Stopping(control, self._stop),
            }
        )


def _with_own_headers(response: Response) -> Response:
    """An answer that pages of other sites cannot take in, as an image or as a script."""
    response.headers += _OWN_HEADERS
    return response


MAX_BODY = 10 * 1024 * 1024
_SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
_TYPES = frozenset(["application/json", "application/yaml", "application/x-yaml", "text/yaml"])


@dataclass(frozen=True, slots=True)
class Guard:
    """``token`` empty asks for none. ``hosts`` are names by which the server may be called."""

    token: str = ""
    hosts: Collection[str] = ()

    def refusal(self, request: Request, *, public: bool) -> Response | None:
        """What to answer instead; None where the request may pass. ``public`` asks for no token."""
        headers = request.headers
        known = self._knows(headers.get("authorization", ""))
        if not known and not Hosts(self.hosts).serves(headers.get("host", "")):
            return _refused(403, f"Host: {headers.get('host', '')[:200]} is no name of this server")
        if _is_foreign(request):
            return _refused(403, "the request was made by a page of another site")
        if self.token and not public and not known:
            return problem.problem(
                401,
                "control requests need the token that the server was started with, as Authorization: Bearer",
                decision="admin",
                headers=[("www-authenticate", "Bearer")],
            )
        if len(request.body) > MAX_BODY:
            return _refused(413, f"the body is over {MAX_BODY:,} bytes")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method not in _SAFE and (request.body or media) and media not in _TYPES:
            return _refused(415, f"Content-Type: {media[:200] or 'none'} is not taken; send application/json")
        return None

    def _knows(self, authorization: str) -> bool:
        if not self.token:
            return False
        scheme, _, token = authorization.partition(" ")
        given, wanted = token.strip().encode("utf-8", "replace"), self.token.encode("utf-8", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, wanted)


def _is_foreign(request: Request) -> bool:
    """Whether a browser says that a page of another origin made the request."""
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return True
    site = headers.get("sec-fetch-site")
    return request.method not in _SAFE and site not in (None, "same-origin", "none")


def _refused(status: int, detail: str) -> Response:
    return problem.problem(status, detail, decision="admin")
