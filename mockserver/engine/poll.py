"""A cache in front of the engine: requests whose header fields were validated before.

Everything that depends on the header section of a request is the same for the next request with that
section: the namespace, the preferences and the credentials. The cache stores valid requests that use no
special feature. A later request that differs only in the key, at the end of the path, goes directly to
its resource. The engine handles every other request in the normal order of its stages.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from time import perf_counter
from typing import TYPE_CHECKING

from mockserver import problem
from mockserver.diagnostics import MockServerError
from mockserver.engine.request.parameters import Forgiven, Refused
from mockserver.engine.resources.calls import Call
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.service import Route
from mockserver.messages import Request, Response

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine

_MAX_SECTIONS = 1024
"""Header sections in the cache. At this number, the cache is cleared."""
_MAX_PATHS = 256
_UNUSUAL = (Refused, Forgiven)


class Polls:
    """The cached requests of an engine: by the identity of a header section, then by path."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int, tuple[dict[str, str], dict[str, _Poll]]] = {}
        """It contains the header sections, so that no other object can get the identity of one."""

    def response(self, request: Request) -> Response | None:
        """Return the response to a repeated request; None if it is not in the cache."""
        known = self._known.get(id(request.headers))
        if known is None or request.query_string or request.method != "GET":
            return None
        parent, _, last = request.raw_path.rpartition("/")
        poll = known[1].get(parent)
        if poll is None or not last or "%" in last or last in poll.literals:
            return None
        if poll.read is not None and type(poll.read(last)) in _UNUSUAL:
            return None
        engine = self._engine
        namespace = engine.worlds.default
        started = perf_counter()
        now = namespace.clock.now()
        route, runtime = poll.route, poll.runtime
        key = last if poll.normal is None else poll.normal(last)
        try:
            response = engine.resources.advance(
                route, runtime, key, {runtime.key_name: last}, None, request, namespace, now, is_final=True
            )
        except MockServerError as error:
            response = problem.failed(request, error)
        return engine.finish(request, response, route, namespace, None, started, now)

    def remember(self, call: Call, raw_path: dict[str, str]) -> None:
        """Cache a valid call to a plain resource. ``raw_path``: the path parameters as they were sent."""
        request, runtime, service = call.request, call.runtime, call.route.service
        parent, _, last = request.raw_path.rpartition("/")
        if (
            request.method != "GET"
            or call.route.operation.method != "GET"
            or request.query_string
            or call.body is not None
            or not parent
            or parent.startswith("/__")
            or service is not self._engine.services[0]
            or runtime.key_part != "path"
            or raw_path != {runtime.key_name: last}
            or (literals := service.router.beside(parent)) is None
        ):
            return
        known = self._known.get(id(request.headers))
        if known is None:
            if len(self._known) >= _MAX_SECTIONS:
                self._known.clear()
            known = self._known[id(request.headers)] = request.headers, {}
        if len(known[1]) < _MAX_PATHS:
            known[1][parent] = _Poll(call.route, runtime, literals, is_validated=self._engine.judges)


class _Poll:
    """A path with one header section, for the requests that differ only in the last segment."""

    __slots__ = ("literals", "normal", "read", "route", "runtime")

    def __init__(
        self, route: Route, runtime: ResourceRuntime, literals: Container[str], *, is_validated: bool
    ) -> None:
        self.route = route
        self.runtime = runtime
        self.literals = literals
        """The last segments of other paths of the document, which are not keys."""
        self.normal: Callable[[str], str] | None = runtime.normal if runtime.resource.key.fold else None
        self.read = route.checker.path_reader(runtime.key_name) if is_validated else None
