"""A cache in front of the engine: requests whose header fields were validated before.

Everything that depends on the header section of a request is the same for the next request with that
section: the namespace, the preferences and the credentials. The cache stores valid requests that use no
special feature. A later request that differs only in the key, at the end of the path, and in header fields
that no stage before the response reads, goes directly to its resource, or to the response of the document.
The engine handles every other request in the normal order of its stages.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import cached_property
from itertools import takewhile
from time import perf_counter
from typing import TYPE_CHECKING

from mockserver import problem
from mockserver.diagnostics import MockServerError
from mockserver.engine.request.parameters import Forgiven, Refused
from mockserver.engine.request.validation import NOTHING, Checked
from mockserver.engine.resources.render import Quick
from mockserver.engine.resources.runtime import ResourceRuntime, decision_text, documented
from mockserver.engine.service import Route
from mockserver.http.wire import first_part
from mockserver.messages import Deferred, Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON
from mockserver.state.protocol import RemoteDecision

if TYPE_CHECKING:
    from mockserver.engine.cluster import Cluster
    from mockserver.engine.data.calls import DataCalls
    from mockserver.engine.engine import Engine

_MAX_SECTIONS = 1024
"""Header sections in the cache. At this number, the cache is cleared."""
_MAX_PATHS = 256
_UNUSUAL = (Refused, Forgiven)
_ALWAYS_READ = frozenset(
    (
        "accept",
        "access-control-request-headers",
        "access-control-request-method",
        "authorization",
        "content-encoding",
        "content-type",
        "cookie",
        "host",
        "if-match",
        "if-none-match",
        "origin",
        "prefer",
        "sec-fetch-site",
        "x-mock-namespace",
    )
)
"""The header fields that the stages read for every document."""


class Polls:
    """The cached requests of an engine: by the identity of a header section, then by path."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[int, tuple[dict[str, str], dict[str, _Poll | _DocumentedPath | _DataPath]]] = {}
        """It contains the header sections, so that no other object can get the identity of one."""

    @cached_property
    def _names_read(self) -> frozenset[str]:
        """The names of the header fields that the stages before the resources read."""
        return _ALWAYS_READ.union(*(service.header_names for service in self._engine.services))

    def response(self, request: Request) -> Response | Deferred[Response] | None:
        """Return the response to a request like an earlier one; None if it is not in the cache."""
        known = self._known.get(id(request.section))
        if known is None or request.query_string or request.method != "GET":
            return None
        if request.differing and not self._names_read.isdisjoint(request.differing):
            return None
        parent, _, last = request.raw_path.rpartition("/")
        poll = known[1].get(parent)
        if poll is None or not last or "%" in last or last in poll.literals:
            return None
        value: JSON | Refused | Forgiven = last
        if poll.read is not None and type(value := poll.read(last)) in _UNUSUAL:
            return None
        engine = self._engine
        namespace = engine.namespaces.default
        started = perf_counter()
        now = namespace.clock.now()
        if not isinstance(poll, _Poll):
            try:
                response = poll.response(request, last, value, namespace, now)
            except MockServerError as error:
                response = problem.failed(request, error)
            return engine.finish(request, response, poll.route, namespace, None, started, now)
        path = {poll.key_name: last}
        key = last if poll.normal is None else poll.normal(last)
        if engine.cluster is not None:
            return self._respond_later(engine.cluster, poll, request, path, key, started)
        decision = engine.store.advance(
            namespace.name, poll.name, key, now, poll.alias, poll.steps, poll.choose, (request, path, None)
        )
        state = decision.state
        response = self._rendered(
            poll, request, path, key, now,
            state.scenario, decision.step, decision.call, state.created, decision.changed,
        )  # fmt: skip
        return engine.finish(request, response, poll.route, namespace, None, started, now)

    def _respond_later(
        self, cluster: Cluster, poll: _Poll, request: Request, path: dict[str, str], key: str, started: float
    ) -> Deferred[Response]:
        """Return the response of a step that a store outside this process decides."""

        def respond(decision: RemoteDecision) -> Response:
            now, step, call, changed, created, scenario = decision
            return self._rendered(poll, request, path, key, now, scenario, step, call, created, changed)

        namespace = self._engine.namespaces.default
        chosen = poll.choose(request, path, None)
        return cluster.poll(request, poll.route, poll.runtime, key, chosen, namespace, None, started, respond)

    def _rendered(
        self, poll: _Poll, request: Request, path: dict[str, str], key: str, now: int,
        scenario: str, index: int, call: int, created: int, changed: int,
    ) -> Response:  # fmt: skip
        """Return the response of a step."""
        engine = self._engine
        namespace = engine.namespaces.default
        place = scenario, index
        step = poll.constants.get(place) or poll.constant(*place)
        octets = step.body and step.body(namespace.name, key, created, changed, now)
        if octets is not None:
            return Response(
                step.status, step.headers, octets, f"{step.decision}{call}", 0, "", None,
                "", poll.name, key, (), step.head,
            )  # fmt: skip
        try:
            return engine.resources.render_step(
                poll.route, poll.runtime, index, (scenario, call, created, changed), key, path, None,
                request, namespace, now,
            )  # fmt: skip
        except MockServerError as error:
            return problem.failed(request, error)

    def remember(self, request: Request, route: Route, raw_path: dict[str, str]) -> None:
        """Cache a valid call without a body: to a plain resource, or without one.

        ``raw_path``: the path parameters as they were sent.
        """
        service, runtime = route.service, route.runtime
        if request.section is None or not self._names_read.isdisjoint(request.differing):
            return
        parent, _, last = request.raw_path.rpartition("/")
        if (
            request.method != "GET"
            or route.operation.method != "GET"
            or request.query_string
            or not parent
            or parent.startswith("/__")
            or (runtime is not None and (runtime.key_part, runtime.key_name) != ("path", *raw_path))
            or [*raw_path.values()] != [last]
            or (literals := service.router.beside(parent)) is None
            or any(
                earlier.router.has_below(parent)
                for earlier in takewhile(lambda other: other is not service, self._engine.services)
            )
        ):
            return
        known = self._known.get(id(request.section))
        if known is None:
            if len(self._known) >= _MAX_SECTIONS:
                self._known.clear()
            known = self._known[id(request.section)] = request.section, {}
        if len(known[1]) < _MAX_PATHS:
            (key_name,) = raw_path
            is_validated = self._engine.validates
            is_shared = self._engine.cluster is not None
            if runtime is not None:
                found: _Poll | _DocumentedPath | _DataPath = _Poll(
                    route, runtime, literals, is_validated=is_validated, is_shared=is_shared
                )
            elif route.data is not None and self._engine.data is not None:
                found = _DataPath(route, key_name, literals, self._engine.data)
            else:
                found = _DocumentedPath(route, key_name, literals, request, is_validated=is_validated)
            known[1][parent] = found


class _KnownPath:
    """A path with one header section, for the requests that differ only in the last segment."""

    __slots__ = ("key_name", "literals", "read", "route")

    def __init__(self, route: Route, key_name: str, literals: Container[str], *, is_validated: bool) -> None:
        self.route = route
        self.key_name = key_name
        self.literals = literals
        """The last segments of other paths of the document, which are not keys."""
        self.read = route.checker.path_reader(key_name) if is_validated else None


class _DocumentedPath(_KnownPath):
    """Such a path without a resource."""

    __slots__ = ("quick",)

    def __init__(
        self, route: Route, key_name: str, literals: Container[str], request: Request, *, is_validated: bool
    ) -> None:
        super().__init__(route, key_name, literals, is_validated=is_validated)
        accept = request.headers.get("accept")
        self.quick = route.service.documented.quick(route.operation, accept, key_name)

    def response(
        self, request: Request, last: str, value: object, namespace: Namespace, now: int
    ) -> Response:
        """Return the response. ``value``: the last segment as its schema reads it. Raises MockServerError."""
        response = self.quick(last, now)
        return documented(self.route, {self.key_name: last}, request, now) if response is None else response


class _DataPath(_KnownPath):
    """Such a path that reads an item of an inferred resource."""

    __slots__ = ("_call",)

    def __init__(self, route: Route, key_name: str, literals: Container[str], data: DataCalls) -> None:
        super().__init__(route, key_name, literals, is_validated=True)
        self._call = data.call

    def response(
        self, request: Request, last: str, value: object, namespace: Namespace, now: int
    ) -> Response:
        """Return the response. ``value``: the last segment as its schema reads it. Raises MockServerError."""
        checked = Checked({self.key_name: value}, NOTHING, NOTHING, NOTHING)
        return self._call(self.route, request, {self.key_name: last}, checked, namespace, now)


class _Poll(_KnownPath):
    """Such a path of a resource."""

    __slots__ = ("alias", "choose", "constants", "name", "normal", "runtime", "steps")

    def __init__(
        self, route: Route, runtime: ResourceRuntime, literals: Container[str], *, is_validated: bool,
        is_shared: bool,
    ) -> None:  # fmt: skip
        super().__init__(route, runtime.key_name, literals, is_validated=is_validated)
        self.runtime = runtime
        self.name = runtime.name
        self.alias = route.alias
        self.steps = runtime.steps
        self.choose = runtime.selection.by_rules if is_shared else runtime.selection.choose
        self.constants: dict[tuple[str, int], _ConstantStep] = {}
        """By scenario and index of the step: what ``constant`` returned."""
        self.normal: Callable[[str], str] | None = (
            runtime.normal if runtime.resource.key.ignore_case else None
        )

    def constant(self, scenario: str, index: int) -> _ConstantStep:
        """Return the constant part of the response of a step."""
        found = self.constants[scenario, index] = _ConstantStep(self.runtime, scenario, index, self.alias)
        return found


class _ConstantStep:
    """The part of the response of a step that is the same for every key and call."""

    __slots__ = ("body", "decision", "head", "headers", "status")

    def __init__(self, runtime: ResourceRuntime, scenario: str, index: int, alias: str) -> None:
        step = runtime.timeline(scenario)[index]
        self.decision = decision_text(scenario, step.state, "")
        self.body: Quick | None = None
        """Joins the octets of the body; None where more than keys and times differ between responses."""
        self.status, self.headers, self.head = 0, list[tuple[str, str]](), b""
        renderer = runtime.renderer(step.state, alias)
        if renderer is None or step.delay is not None or step.dribble is not None or step.fault:
            return
        self.body = renderer.quick()
        if self.body is not None:
            self.status, self.headers = renderer.recipe.status, list(renderer.fixed)
            self.head = first_part(self.status, tuple(self.headers))
