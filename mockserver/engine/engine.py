"""The engine: it takes a request and returns a response. It has no server, socket or framework.

``handle`` calls the stages one after the other, and each stage returns to it: route, validate, advance
the resource, render. Violations of a request are values, so that a scenario can respond to an invalid
request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mockserver import problem
from mockserver.diagnostics import MockServerError
from mockserver.engine import heavy
from mockserver.engine.delays import MAX_WAIT
from mockserver.engine.limits import Guard, guard_of
from mockserver.engine.poll import Polls
from mockserver.engine.prefer import NONE, PREFIX, Preference, PreferenceError, preferences
from mockserver.engine.request.validation import Checked, InvalidCsr
from mockserver.engine.resources.calls import Call, Resources
from mockserver.engine.resources.context import Providers, RenderContext
from mockserver.engine.resources.overrides import Admission, Fields, Overrides, set_fields
from mockserver.engine.resources.render import response_cache
from mockserver.engine.resources.runtime import ResourceRuntime, apply_delay, documented
from mockserver.engine.resources.webhooks import WebhookSender
from mockserver.engine.routing import Found
from mockserver.engine.service import Route, Service, Tally
from mockserver.http.egress import Egress
from mockserver.http.hosts import Cors, is_cross_site
from mockserver.media.styles import decode
from mockserver.messages import BodyLimits, Request, Response
from mockserver.namespaces.namespaces import (
    DEFAULT,
    Namespace,
    Namespaces,
    is_valid_name,
    strip_namespace_prefix,
)
from mockserver.plan import Delay, Plan
from mockserver.state.protocol import NamespacesFull, Store

if TYPE_CHECKING:
    from mockserver.engine.cluster import Cluster
    from mockserver.engine.data.calls import DataCalls

ADMIN = "/__admin"
_RESERVED = "/__"
_MAX_WARNING = 1000
_LARGE = 16 * 1024
"""Bytes of a body above which unread responses of other clients can make it a 503."""


class Options(Struct, frozen=True):
    """The options of an engine."""

    validation: str = "strict"
    """off: ignore violations; warn: list them in a header field; strict: respond with an error."""
    security: str = "presence"
    """off: require no credentials; presence: accept any; strict: check the form of the scheme."""
    max_body: int = 10 * 1024 * 1024
    """Bytes of a request body, as sent and decompressed."""
    base_path: str | None = None
    cors: tuple[str, ...] = ()
    """Origins whose pages may call the mocked operations."""
    delay: Delay | None = None
    """The delay of every response of an operation that has no delay of its own."""
    callbacks: tuple[str, ...] = ()
    """Hosts to which webhooks may be sent, in addition to loopback."""
    styles: str = "any"
    """strict: accept arrays and objects in the documented style only; any: in every unambiguous style."""
    max_nodes: int = BodyLimits().nodes
    max_ratio: int = BodyLimits().ratio
    max_delay: int = MAX_WAIT
    """The longest wait in milliseconds for ``Prefer: wait``. A longer wait is cut to it."""
    references: bool = False
    """Whether a write of data that names an item that does not exist is refused."""

    @property
    def body(self) -> BodyLimits:
        """The limits of a request body."""
        return BodyLimits(self.max_body, self.max_nodes, self.max_ratio)


class Engine:
    """Serves a Plan. It is single-threaded: every call of ``handle`` is one atomic step."""

    def __init__(
        self, plan: Plan, *, store: Store, namespaces: Namespaces, options: Options | None = None
    ) -> None:
        self.plan = plan
        self.store = store
        self.namespaces = namespaces
        self.options = options or Options()
        self.control: Callable[[Request], Response | Awaitable[Response]] = _no_control
        self.unrouted: Tally = {}
        """The counts of calls without an operation."""
        self.cluster: Cluster | None = None
        """Handles the requests if other processes share the state of the resources."""
        self.namespaces.on_drop = self.reset
        self.validates = self.options.validation != "off"
        self.strict = self.options.validation == "strict"
        self.providers = providers = Providers(plan.seed)
        limits = namespaces.memory.limits
        self._max_response = limits.response
        self._large_response = min(_LARGE, limits.response)
        self._cache = cache = response_cache(limits.cache // 2 if plan.data else limits.cache * 2 // 3)
        self.services = [
            Service(
                document,
                plan.seed,
                security=self.options.security,
                styles=self.options.styles,
                limits=self.options.body,
                base_path=self.options.base_path,
                cache=limits.cache // 3 // len(plan.documents),
            )
            for document in plan.documents
        ]
        self.runtimes: dict[str, ResourceRuntime] = {}
        for resource in plan.resources:
            service = next(service for service in self.services if service.document.name == resource.document)
            runtime = ResourceRuntime(resource, service, providers, cache, self.options.delay)
            runtime.selection.assigned = store.assignments(resource.name)
            self.runtimes[resource.name] = runtime
            aliases = {wanted: alias for alias, wanted in resource.operations.items()}
            for route in service.routes:
                if route.operation.id in aliases:
                    route.runtime, route.alias = runtime, aliases[route.operation.id]
                    route.guard = guard_of(resource, route.alias, runtime.key, plan.seed)
        self.data = self._data_calls(providers)
        self.egress = Egress(self.options.callbacks)
        """Sends the outgoing requests. Its ``exclude`` has to get the sockets that serve this engine."""
        self.webhooks = WebhookSender(store, providers, self.egress, self.runtimes)
        self._create_stages()
        self._has_admin_paths = any(
            base + operation.path for document in plan.documents for base in document.base_paths
            for operation in document.operations if (base + operation.path).startswith(ADMIN)
        )  # fmt: skip
        self._cors = Cors(self.options.cors) if self.options.cors else None

    def _data_calls(self, providers: Providers) -> DataCalls | None:
        """Return the stage of the stored data; None if the Plan has none."""
        if not self.plan.data:
            return None
        # Heavy; only for a server that stores data
        from mockserver.engine.data.calls import DataCalls
        from mockserver.engine.resources.stored_data import StoredData

        calls = DataCalls(
            self.plan, self.services, self.store, self.namespaces.memory.limits.cache // 6,
            strict=self.strict, references=self.options.references,
        )  # fmt: skip
        by_name = {runtime.name: runtime for runtime in calls.runtimes}
        for runtime in self.runtimes.values():
            if data := by_name.get(runtime.resource.data):
                runtime.stored = StoredData(runtime, data, calls, self.store, self.namespaces, providers)
        return calls

    def _create_stages(self) -> None:
        """Create the stages that belong to the current Plan."""
        self.resources = Resources(self.store, self.providers, self.webhooks, self.options.validation)
        self._overrides = Overrides(self.store, self.resources, self.plan.seed)
        self.admission = Admission(self.store, self._overrides)
        self._polls = Polls(self)
        for runtime in self.runtimes.values():
            if runtime.stored is not None:
                runtime.stored.webhooks = self.webhooks

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Return the response to a request. No request makes it raise an error."""
        if request.section is not None and (polled := self._polls.response(request)) is not None:
            return polled
        if request.raw_path.startswith(_RESERVED):
            if not request.raw_path.startswith(ADMIN):
                strip_namespace_prefix(request)
            elif not self._is_mocked(request):
                return self.control(request)
        cors = self._cors if "origin" in request.headers else None
        if cors is not None and (preflight := cors.preflight(request)) is not None:
            return preflight
        started = perf_counter()
        found = self.find(request)
        namespace = self._namespace(request, found)
        if isinstance(namespace, Response):
            if cors is not None:
                cors.allow(request, namespace)
            return namespace
        if self.cluster is not None:
            return self.cluster.handle(request, found, namespace, cors, started)
        now = namespace.clock.now()
        route = found.target if found is not None else None
        if found is None or route is None:
            return self.finish(request, self.not_found(request, found), None, namespace, cors, started, now)
        path = found.parameters
        if route.guard is not None and route.guard.concurrency is not None:

            async def respond(*, admitted: bool) -> Response:
                started, now = perf_counter(), namespace.clock.now()
                response = self.respond(request, route, path, namespace, now, admitted=admitted)
                return self.finish(request, response, route, namespace, cors, started, now)

            return self.with_concurrency(route.guard, namespace, respond)
        response = self.respond(request, route, path, namespace, now)
        return self.finish(request, response, route, namespace, cors, started, now)

    def finish(
        self,
        request: Request,
        response: Response,
        route: Route | None,
        namespace: Namespace,
        cors: Cors | None,
        started: float,
        now: int,
    ) -> Response:
        """Complete a response: CORS, the bounds of memory, warnings, the journal and the counts.

        ``route`` is None where no operation responds. ``started`` is of ``perf_counter``, ``now`` in
        milliseconds of the namespace's clock.
        """
        if route is None:
            tally = self.unrouted
        else:
            tally = route.tally
            response.operation = route.operation.id
        if cors is not None:
            cors.allow(request, response)
        if response.delay or response.warnings or len(response.body) > self._large_response:
            self._limit_memory(response)
            _add_warning_field(response)
        seconds = perf_counter() - started
        namespace.journal.write(request, response, now, seconds)
        try:
            counts = tally[response.status]
        except KeyError:
            counts = tally[response.status] = [0, 0.0]
        counts[0] += 1
        counts[1] += seconds
        return response

    def _namespace(self, request: Request, found: Found[Route] | None) -> Namespace | Response:
        """Return the namespace of a request with the route ``found``, or an error response."""
        namespaces = self.namespaces
        name = request.headers.get("x-mock-namespace")
        if name is None:
            return namespaces.default
        if (
            self.cluster is None
            and name != DEFAULT
            and namespaces.get_or_default(name) is namespaces.default
            and is_valid_name(name)
        ):
            response = self.without_namespace(name, request, found)
            if response is not None:
                self.count_unrouted(response, found)
                return response
        try:
            namespace = namespaces.get_or_create(name)
        except NamespacesFull as error:
            return problem.unavailable(str(error))
        if namespace is None:
            return problem.problem(
                400, f"X-Mock-Namespace: {name} is not a valid name of a namespace", decision="namespace"
            )
        return namespace

    def without_namespace(self, name: str, request: Request, found: Found[Route] | None) -> Response | None:
        """Return the response to a request that must not create its namespace ``name``; else None.

        A request without an operation creates no namespace, and neither does a page of another site: many
        new namespaces would push out the existing ones.
        """
        if found is None or found.target is None:
            return self.not_found(request, found)
        if not is_cross_site(request.headers) or self._may_call(request):
            return None
        return problem.problem(
            403,
            f"the namespace {name} does not exist, and a page of another site cannot create one; "
            "allow its origin with --cors, or create the namespace with a control request",
            decision="namespace",
        )

    def count_unrouted(self, response: Response, found: Found[Route] | None) -> None:
        """Count a call without an operation that is not in a journal."""
        if found is None or found.target is None:
            self.unrouted.setdefault(response.status, [0, 0.0])[0] += 1

    def _may_call(self, request: Request) -> bool:
        """Return whether ``--cors`` allows the page that sent a request."""
        return self._cors is not None and self._cors.allows(request.headers.get("origin", ""))

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """Yield each kind of memory in this process: its name, its size and its limit in bytes."""
        memory = self.namespaces.memory
        limits = memory.limits
        yield "journals", self.namespaces.journal_pool.size, self.namespaces.journal_pool.max_bytes
        yield from self.store.memory_usage()
        cached = self._cache.size + sum(service.cached for service in self.services)
        cached += self.data.cached if self.data is not None else 0
        yield "cache", cached, limits.cache
        yield "unfinished", memory.unfinished, limits.unfinished
        yield "unsent", memory.unsent, limits.unsent
        yield "delayed", memory.delayed, limits.delayed

    def _limit_memory(self, response: Response) -> None:
        """Replace a response by an error if it exceeds the limits of memory."""
        memory, size = self.namespaces.memory, len(response.body)
        if size > self._max_response:
            instead = problem.internal(
                f"the response has {size:,} bytes; the limit by --max-memory is {self._max_response:,} bytes"
            )
        elif response.delay and not memory.may_wait(size):
            instead = _too_many_delays()
        elif size > _LARGE and not memory.make_room(size):
            instead = problem.unavailable("other clients do not read their responses; try again later")
        else:
            return
        response.status, response.headers, response.body = instead.status, instead.headers, instead.body
        response.decision, response.delay, response.fault = instead.decision, 0, ""
        response.stream, response.head = None, b""

    async def with_concurrency(
        self, guard: Guard, namespace: Namespace, respond: Callable[..., Awaitable[Response]]
    ) -> Response:
        """Return the response of an operation that limits the calls in progress.

        A call is in progress until its delay is over. ``respond`` takes ``admitted``: False for a call
        above the limit.
        """
        assert guard.concurrency is not None  # noqa: S101 - the caller has looked
        async with guard.turn(guard.concurrency, namespace) as admitted:
            response = await respond(admitted=admitted)
            if not response.delay:
                return response
            with self.namespaces.memory.wait(len(response.body)):
                await namespace.clock.sleep(response.delay)
            return replace(response, delay=0)

    def read(self, request: Request, route: Route, path: dict[str, str]) -> Checked:
        """Read and validate a request; ``path`` is as sent. Without validation, drop the violations."""
        checked = heavy.checked(request, route, path) if request.checked is not None else None
        if checked is None:
            checked = route.checker.check(request, path)
        if not self.validates and checked.status:
            checked.violations, checked.status, checked.challenges = (), 0, ()
        return checked

    def respond(
        self,
        request: Request,
        route: Route,
        path: dict[str, str],
        namespace: Namespace,
        now: int,
        *,
        admitted: bool = True,
    ) -> Response:
        """Return the response of an operation.

        It comes, in this order, from ``Prefer``, a limit, an error, or the resource or the document.
        ``admitted`` is False for a call above the limit of calls in progress.
        """
        headers = request.headers
        prefer = NONE
        if "prefer" in headers or PREFIX in request.query_string:
            prefer = preferences(headers, request.query_string, route.operation)
            if prefer.wait and not self.namespaces.memory.may_wait():
                return _too_many_delays()
        raw = path
        if "%" in request.raw_path:
            if "%00" in request.raw_path:
                return problem.undecodable(request.method, request.raw_path)
            path = _decode_path(path)
        fields: Fields = ()
        warnings: tuple[str, ...] = ()
        try:
            checked = self.read(request, route, raw)
            warnings = checked.warnings
            runtime = route.runtime
            held = None
            if route.guard is not None and runtime is not None:
                call = Call(route, runtime, request, path, checked, namespace, now)
                if not admitted:
                    return self.admission.busy(route.guard, call)
            if prefer is not NONE:
                direct = self._overrides.preferred(prefer, route, checked, path, request, namespace)
                if direct is not None:
                    return _add_warnings(self._apply_wait(direct, prefer), warnings)
            if route.guard is not None and runtime is not None and checked.status != 401:
                held, fields = self.admission.ask(route.guard, call)
            if held is not None:
                response = held
            elif checked.status and self.strict:
                response = self._overrides.refused(route, checked, path, request, namespace)
                response = self.apply_default_delay(response, route, request, namespace)
            else:
                response = self._call_operation(request, route, path, raw, checked, prefer, namespace, now)
        except PreferenceError as error:
            response = problem.problem(400, str(error), decision="prefer")
        except MockServerError as error:
            response = problem.failed(request, error)
        if fields:
            set_fields(response, fields)
        if warnings:
            _add_warnings(response, warnings)
        return response if prefer is NONE else self._apply_wait(response, prefer)

    def _call_operation(
        self,
        request: Request,
        route: Route,
        path: dict[str, str],
        raw: dict[str, str],
        checked: Checked,
        prefer: Preference,
        namespace: Namespace,
        now: int,
    ) -> Response:
        """Return the response to a call that reaches its operation. ``raw``: the parameters as sent."""
        runtime = route.runtime
        if prefer is NONE:
            self.remember(request, route, raw, checked, namespace)
        if runtime is None:
            if route.data is None or self.data is None:
                response = documented(route, path, request, now, checked=checked)
            else:
                try:
                    response = self.data.call(route, request, path, checked, namespace, now)
                except InvalidCsr as error:
                    checked.violations, checked.status = (error.violation,), 422
                    return self._overrides.refused(route, checked, path, request, namespace)
            response = self.apply_default_delay(response, route, request, namespace)
        else:
            call = Call(route, runtime, request, path, checked, namespace, now)
            try:
                response = self.resources.call_resource(call, prefer.scenario)
            except InvalidCsr as error:
                checked.violations, checked.status = (error.violation,), 422
                return self._overrides.refused(route, checked, path, request, namespace)
        if checked.status:
            response.violations = checked.violations
            response.headers.append(
                ("x-mock-violations", problem.shortened(problem.sentence(checked.violations), 1000))
            )
        return response

    def remember(
        self, request: Request, route: Route, raw: dict[str, str], checked: Checked, namespace: Namespace
    ) -> None:
        """Cache a call, if every call with the same header section is validated and routed alike."""
        if request.section is not None and self._may_be_cached(request, route, checked, namespace):
            self._polls.remember(request, route, raw)

    def _may_be_cached(self, request: Request, route: Route, checked: Checked, namespace: Namespace) -> bool:
        """Return whether every call with the same header section is validated and routed alike."""
        if route.runtime is not None:
            is_plain = route.runtime.is_plain
        else:
            is_plain = self.options.delay is None and route.pairs is None
            if route.data is not None and self.data is not None:
                reads = route.data[1].verb == "reads" and self.validates and self.cluster is None
                is_plain = is_plain and reads and not (checked.query or checked.header or checked.cookie)
        return (
            is_plain
            and route.guard is None
            and not (checked.status or checked.warnings)
            and checked.body is None
            and namespace is self.namespaces.default
            and (self._cors is None or "origin" not in request.headers)
        )

    def _apply_wait(self, response: Response, prefer: Preference) -> Response:
        """Set the delay to ``Prefer: wait=``, if the client sent it. It replaces any other delay."""
        if prefer.wait:
            response.delay = min(prefer.wait, self.options.max_delay)
            response.headers.append(("preference-applied", f"wait={response.delay / 1000:g}"))
        return response

    def apply_default_delay(
        self, response: Response, route: Route, request: Request, namespace: Namespace
    ) -> Response:
        """Give a response without a state the delay of the server's options."""
        delay = self.options.delay
        if delay is not None:
            name = f"{route.operation.id} {request.raw_path}"
            number = 0 if delay.kind == "fixed" else self.store.counters.increment(namespace.name, "", name)
            context = RenderContext(namespace.name, "", name, "", "", number, 0, 0, 0)
            apply_delay(response, delay, None, context, self.plan.seed, namespace)
        return response

    def adopt(self, other: Engine) -> None:
        """Serve the Plan of ``other`` from the next request on; keep the state, the clocks and the journals.

        A resource whose scenario no longer exists starts again.
        """
        tallies = {
            (service.document.name, route.operation.id): route.tally
            for service in self.services
            for route in service.routes
        }
        for service in other.services:
            for route in service.routes:
                route.tally = tallies.get((service.document.name, route.operation.id), route.tally)
        for name, runtime in other.runtimes.items():
            self.store.prune(name, runtime.steps)
        self.plan, self.services, self.runtimes = other.plan, other.services, other.runtimes
        self._has_admin_paths, self.providers = other._has_admin_paths, other.providers
        self._cache, self.data = other._cache, other.data
        self.providers.stream = self.cluster.stream if self.cluster is not None else ""
        self.webhooks.serve(self.runtimes, self.providers, self.namespaces.local())
        self._create_stages()
        if self.data is not None and self.cluster is None:
            self.data.report_invalid([namespace.name for namespace in self.namespaces.local()])
        self.namespaces.on_drop = self.reset

    def reset(self, namespace: str) -> None:
        """Delete every resource of a namespace, and restart its tokens."""
        self.store.reset(namespace)
        self.release_namespace(namespace)
        if self.cluster is not None:
            self.cluster.tell_reset(namespace)

    def release_namespace(self, namespace: str) -> None:
        """End the webhooks, delays and tokens of a namespace in this process: its resources are deleted."""
        self.providers.restart(namespace)
        self.webhooks.reset(namespace)
        if self.data is not None:
            self.data.forget(namespace)
        for local in self.namespaces.local():
            if local.name == namespace:
                local.clock.release()

    def _is_mocked(self, request: Request) -> bool:
        """Return whether a path under ``/__admin`` is in the document, which has precedence."""
        return (
            self._has_admin_paths and (found := self.find(request)) is not None and found.target is not None
        )

    def find(self, request: Request) -> Found[Route] | None:
        """Return the route of a request. HEAD takes the route of GET where it is not documented."""
        not_found = None
        for service in self.services:
            found = service.router.find(request.method, request.raw_path)
            if (
                found is not None
                and found.target is None
                and request.method == "HEAD"
                and "GET" in found.allowed
            ):
                found = service.router.find("GET", request.raw_path)
            if found is not None and found.target is not None:
                if service.has_variants and found.target.variants is not None:
                    found.target = found.target.variants.choose(request)
                return found
            if not_found is not None and found is not None:  # join the methods of all documents with the path
                found = Found(None, {}, tuple(dict.fromkeys(not_found.allowed + found.allowed)))
            not_found = found or not_found
        return not_found

    def not_found(self, request: Request, found: Found[Route] | None) -> Response:
        """Return the response to a request without an operation: 404, 405, 400, or that to OPTIONS."""
        if not self.services:
            return problem.unavailable(f"no document is served yet; PUT one to {ADMIN}/document")
        if found is None:
            if request.method == "OPTIONS" and request.raw_path == "*":
                return Response(
                    200, [("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")], b"", "options"
                )
            if "%00" in request.raw_path or decode(request.raw_path) is None:
                return problem.undecodable(request.method, request.raw_path)
            nearby = [near for service in self.services for near in service.router.nearby(request.raw_path)]
            return problem.unknown_path(request.method, request.raw_path, nearby[:5])
        allowed = sorted({*found.allowed, "OPTIONS", *(["HEAD"] if "GET" in found.allowed else [])})
        if request.method == "OPTIONS":
            return Response(204, [("allow", ", ".join(allowed))], b"", "options")
        return problem.unknown_method(request.method, request.raw_path, allowed)


def _add_warning_field(response: Response) -> None:
    """Add the warnings of a response as a header field."""
    if response.warnings:
        text = problem.shortened("; ".join(response.warnings), _MAX_WARNING)
        response.headers.append(("x-mock-warning", text))


def _too_many_delays() -> Response:
    """Return a 503 for a delay above the limit of delayed responses."""
    return problem.unavailable("too many delayed responses are waiting already; try again later")


def _add_warnings(response: Response, warnings: tuple[str, ...]) -> Response:
    """Add the warnings about the request to a response, and return it."""
    response.warnings = (*warnings, *response.warnings)
    return response


def _decode_path(path: dict[str, str]) -> dict[str, str]:
    """Decode path parameters: ``%41`` and ``A`` are equivalent (RFC 3986 section 6.2.2.2)."""
    return {name: text if (plain := decode(text)) is None else plain for name, text in path.items()}


def _no_control(request: Request) -> Response:
    return problem.unknown_path(request.method, request.raw_path)
