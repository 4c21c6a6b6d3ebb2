"""The entry of control requests (``/__admin``): checks them and passes them to the application.

Control requests need the token if there is one. Requests of pages of other sites and requests with a
foreign host name (DNS rebinding) are refused.
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
"""Pages without secrets. They need no token, because a browser cannot send one when it opens a page."""
_OWN_HEADERS = [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
"""Header fields of all responses of the control plane."""


class ControlPlane:
    """Responds to control requests. Health checks work at once; the first other request loads the rest.

    ``token``: the token that requests need; empty for none. ``hosts``: names that the Host header
    field can have. ``inputs``: the inputs of the Plan; None if it cannot be replaced. ``stop``: stops
    the server; None if this object cannot stop it.
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
        """Return the response to a request whose path starts with ``/__admin``. Call it on the loop."""
        response = self._respond(request)
        if isinstance(response, Response):
            return _with_own_headers(response)
        return self._with_own_headers_later(response)

    @staticmethod
    async def _with_own_headers_later(deferred: Awaitable[Response]) -> Response:
        return _with_own_headers(await deferred)

    def _respond(self, request: Request) -> Response | Awaitable[Response]:
        path = request.raw_path
        if MARK in request.headers:
            return problem.problem(403, "webhooks cannot call the control plane", decision="admin")
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
        """End the streams of events, because the server stops."""
        if "events" in self.__dict__:
            self.events.close()

    async def watch(self, report: Callable[[str], None]) -> None:
        """Reload when a file changes. ``report`` prints the result for the user."""
        from mockserver.admin.reloader import watch

        await watch(self._require_reloader(), self._control, self.events.publish, report)

    async def wait_for_documents(self, report: Callable[[str], None]) -> None:
        """Serve the documents as soon as their files exist."""
        from mockserver.admin.reloader import wait_for_documents

        await wait_for_documents(self._require_reloader(), self._control, self.events.publish, report)

    def set_inputs(self, inputs: bytes) -> None:
        """Use the inputs that another process has published."""
        from mockserver.compile.process import Job

        if self._inputs is not None:
            self._inputs = msgspec.msgpack.decode(inputs, type=Job).inputs()
            if self.__dict__.get("_reloader") is not None:
                self._require_reloader().set_inputs(self._inputs)

    @cached_property
    def events(self) -> Events:
        """The streams of events."""
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
            raise UsageError("there are no files to watch: another process compiled the documents.")
        return self._reloader

    def _build(self) -> Gateway:
        from mockserver.admin.app import Gateway

        return Gateway(partial(self._app, self._control, self.events, self._reloader))

    def _app(self, control: Control, events: Events, reloader: Reloader | None) -> tuple[App, Router[str]]:
        """Build the application on the thread of the control plane, where the imports delay no request."""
        from mockserver.admin import app, metrics, namespaces, requests, resources, sources

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
                "data": namespaces.Data(control),
                "stopping": namespaces.Shutdown(control, self._stop),
            }
        )


def _with_own_headers(response: Response) -> Response:
    """Add the header fields that stop other sites from loading a response as an image or a script."""
    response.headers += _OWN_HEADERS
    return response


MAX_BODY = 10 * 1024 * 1024
_SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
_TYPES = frozenset(["application/json", "application/yaml", "application/x-yaml", "text/yaml"])


@dataclass(frozen=True, slots=True)
class Guard:
    """The checks of control requests. ``token``: empty for none. ``hosts``: names of the server."""

    token: str = ""
    hosts: Collection[str] = ()

    def refusal(self, request: Request, *, public: bool) -> Response | None:
        """Return an error response, or None if the request is allowed. ``public``: without a token."""
        headers = request.headers
        has_token = self._has_token(headers.get("authorization", ""))
        if not has_token and not Hosts(self.hosts).serves(headers.get("host", "")):
            return _refused(403, f"Host: {headers.get('host', '')[:200]} is not a name of this server")
        if _is_foreign(request):
            return _refused(403, "a page of another site made the request")
        if self.token and not public and not has_token:
            return problem.problem(
                401,
                "control requests need the token of the server: Authorization: Bearer TOKEN",
                decision="admin",
                headers=[("www-authenticate", "Bearer")],
            )
        if len(request.body) > MAX_BODY:
            return _refused(413, f"the body has more than {MAX_BODY:,} bytes")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method not in _SAFE and (request.body or media) and media not in _TYPES:
            return _refused(
                415, f"Content-Type: {media[:200] or 'none'} is not supported. Use application/json"
            )
        return None

    def _has_token(self, authorization: str) -> bool:
        if not self.token:
            return False
        scheme, _, token = authorization.partition(" ")
        given, wanted = token.strip().encode("utf-8", "replace"), self.token.encode("utf-8", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, wanted)


def _is_foreign(request: Request) -> bool:
    """Return whether a page of another origin made the request, by the header fields of the browser."""
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return True
    site = headers.get("sec-fetch-site")
    return request.method not in _SAFE and site not in (None, "same-origin", "none")


def _refused(status: int, detail: str) -> Response:
    return problem.problem(status, detail, decision="admin")
