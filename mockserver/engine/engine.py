"""The engine: a request in, an answer out. No server, no socket, no framework.

``handle`` calls one stage after the other and each returns to it: route,
validate, resource state, decide, render. What is wrong with a request arrives
as values, so that a scenario may answer it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mockserver import problem
from mockserver.diagnostics import MockServerError
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

ADMIN = "/__admin"
_RESERVED = "/__"
_LONGEST_WARNING = 1000
_LARGE = 16 * 1024
"""Bytes of an answer for which there may be no room while clients do not take theirs."""


class Options(Struct, frozen=True):
    """How requests are judged."""

    validation: str = "strict"
    """off: violations are passed over; warn: they are named in a header; strict: they are answered."""
    security: str = "presence"
    """off: none are asked for; presence: any will do; strict: they have the form of their scheme."""
    max_body: int = 10 * 1024 * 1024
    """Bytes of a request body, on the wire and decompressed."""
    base_path: str | None = None
    cors: tuple[str, ...] = ()
    """Origins whose pages may call the mocked operations."""
    delay: Delay | None = None
    """Of every answer of an operation that has none of its own."""
    callbacks: tuple[str, ...] = ()
    """Hosts beside loopback that notices may be sent to."""
    styles: str = "any"
    """strict: arrays and objects are written in the documented style; any: in any that can be told apart."""
    max_nodes: int = BodyLimits().nodes
    max_ratio: int = BodyLimits().ratio
    max_delay: int = MAX_WAIT
    """Milliseconds that ``Prefer: wait`` may ask for; of more, so many are waited."""

    @property
    def body(self) -> BodyLimits:
        return BodyLimits(self.max_body, self.max_nodes, self.max_ratio)


class Engine:
    """Runs a Plan. Single-threaded: every call to ``handle`` is one atomic step."""

    def __init__(
        self, plan: Plan, *, store: Store, namespaces: Namespaces, options: Options | None = None
    ) -> None:
        self.plan = plan
        self.store = store
        self.namespaces = namespaces
        self.options = options or Options()
        self.control: Callable[[Request], Response | Awaitable[Response]] = _no_control
        self.unrouted: Tally = {}
        """Calls that led to no operation."""
        self.cluster: Cluster | None = None
        """Takes over where the state of resources is shared with other processes."""
        self.namespaces.on_drop = self.reset
        self.providers = providers = Providers(plan.seed)
        limits = namespaces.memory.limits
        self._max_answer = limits.response
        self._large_answer = min(_LARGE, limits.response)
        self._kept = kept = response_cache(limits.cache * 2 // 3)
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
            service = next(each for each in self.services if each.document.name == resource.document)
            runtime = ResourceRuntime(resource, service, providers, kept, self.options.delay)
            runtime.selection.assigned = store.assignments(resource.name)
            self.runtimes[resource.name] = runtime
            aliases = {wanted: alias for alias, wanted in resource.operations.items()}
            for route in service.routes:
                if route.operation.id in aliases:
                    route.runtime, route.alias = runtime, aliases[route.operation.id]
                    route.guard = guard_of(resource, route.alias, runtime.key, plan.seed)
        self.egress = Egress(self.options.callbacks)
        """What leaves goes through it; it is to know the sockets on which this engine is served."""
        self.webhooks = WebhookSender(store, providers, self.egress, self.runtimes)
        self._stages()
        self._has_admin_paths = any(
            base + operation.path for document in plan.documents for base in document.base_paths
            for operation in document.operations if (base + operation.path).startswith(ADMIN)
        )  # fmt: skip
        self._cors = Cors(self.options.cors) if self.options.cors else None
        self.validates = self.options.validation != "off"
        self.strict = self.options.validation == "strict"

    def _stages(self) -> None:
        """Build the stages that belong to one Plan."""
        self.resources = Resources(self.store, self.providers, self.webhooks, self.options.validation)
        self._overrides = Overrides(self.store, self.resources, self.plan.seed)
        self.admission = Admission(self.store, self._overrides)
        self._polls = Polls(self)

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Return the response to a request. It never raises for what a request says."""
        if request.repeats and (polled := self._polls.response(request)) is not None:
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
        if response.delay or response.warnings or len(response.body) > self._large_answer:
            self._bound(response)
            _warn(response)
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
        """Return the namespace of a request that leads where ``found`` says, or a response without one."""
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
                400, f"X-Mock-Namespace: {name} is no name for a namespace", decision="namespace"
            )
        return namespace

    def without_namespace(self, name: str, request: Request, found: Found[Route] | None) -> Response | None:
        """The answer to a request that does not make the namespace which it names; None where it makes one.

        None is made by what no operation answers, nor by a page of another site: whoever makes
        many has others go.
        """
        if found is None or found.target is None:
            return self.not_found(request, found)
        if not is_cross_site(request.headers) or self._may_call(request):
            return None
        return problem.problem(
            403,
            f"the namespace {name} is not there, and a page of another site does not make one; "
            "allow its origin by --cors, or make the namespace by a control request",
            decision="namespace",
        )

    def count_unrouted(self, response: Response, found: Found[Route] | None) -> None:
        """Count a call that leaves no other trace, if it led to no operation."""
        if found is None or found.target is None:
            self.unrouted.setdefault(response.status, [0, 0.0])[0] += 1

    def _may_call(self, request: Request) -> bool:
        """Whether the page that made a request is one that may call the mocked operations."""
        return self._cors is not None and self._cors.allows(request.headers.get("origin", ""))

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """What things of each kind take in this process, and may take: bytes."""
        memory = self.namespaces.memory
        limits = memory.limits
        yield "journals", self.namespaces.journal_pool.size, self.namespaces.journal_pool.max_bytes
        yield from self.store.memory_usage()
        cached = self._kept.size + sum(each.cached for each in self.services)
        yield "cache", cached, limits.cache
        yield "unfinished", memory.unfinished, limits.unfinished
        yield "unsent", memory.unsent, limits.unsent
        yield "delayed", memory.delayed, limits.delayed

    def _bound(self, response: Response) -> None:
        """Put a refusal in place of an answer that there is no room for."""
        memory, size = self.namespaces.memory, len(response.body)
        if size > self._max_answer:
            instead = problem.internal(
                f"the answer has {size:,} bytes, and one may have {self._max_answer:,} by --max-memory"
            )
        elif response.delay and not memory.may_wait(size):
            instead = _too_many_wait()
        elif size > _LARGE and not memory.make_room(size):
            instead = problem.unavailable("other clients do not take their answers; try again later")
        else:
            return
        response.status, response.headers, response.body = instead.status, instead.headers, instead.body
        response.decision, response.delay, response.fault = instead.decision, 0, ""
        response.stream, response.head = None, b""

    async def with_concurrency(
        self, guard: Guard, namespace: Namespace, respond: Callable[..., Awaitable[Response]]
    ) -> Response:
        """Respond where only so many calls may be in progress; a call is until its delay is over.

        ``respond`` takes ``admitted``: False for a call that is one too many.
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
        """What a request says, and the verdict on it where requests are judged. ``path`` is as sent."""
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
        """The answer of an operation: asked for, refused, documented, or that of a resource.

        A call that is not ``admitted`` is one too many at once.
        """
        headers = request.headers
        prefer = NONE
        if "prefer" in headers or PREFIX in request.query_string:
            prefer = preferences(headers, request.query_string, route.operation)
            if prefer.wait and not self.namespaces.memory.may_wait():
                return _too_many_wait()
        raw = path
        if "%" in request.raw_path:
            if "%00" in request.raw_path:
                return problem.undecodable(request.method, request.raw_path)
            path = _decoded(path)
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
                    return _forgiven(self._waited(direct, prefer), warnings)
            if route.guard is not None and runtime is not None and checked.status != 401:
                held, fields = self.admission.ask(route.guard, call)
            if held is not None:
                response = held
            elif checked.status and self.strict:
                response = self._overrides.refused(route, checked, path, request, namespace)
                response = self.apply_default_delay(response, route, request, namespace)
            else:
                response = self._admitted(request, route, path, raw, checked, prefer, namespace, now)
        except PreferenceError as error:
            response = problem.problem(400, str(error), decision="prefer")
        except MockServerError as error:
            response = problem.failed(request, error)
        if fields:
            set_fields(response, fields)
        if warnings:
            _forgiven(response, warnings)
        return response if prefer is NONE else self._waited(response, prefer)

    def _admitted(
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
        """The answer to a call that nothing keeps from its operation. ``raw``: the path as it was sent."""
        runtime = route.runtime
        if runtime is None:
            response = self.apply_default_delay(
                documented(route, path, request, now), route, request, namespace
            )
        else:
            call = Call(route, runtime, request, path, checked, namespace, now)
            if request.repeats and prefer is NONE and self._may_be_cached(call):
                self._polls.remember(call, raw)
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

    def _may_be_cached(self, call: Call) -> bool:
        """Whether the header section of a call decides the same for every other call with it."""
        return (
            call.runtime.is_plain
            and call.route.guard is None
            and not (call.checked.status or call.checked.warnings)
            and call.namespace is self.namespaces.default
            and self.cluster is None
            and (self._cors is None or "origin" not in call.request.headers)
        )

    def _waited(self, response: Response, prefer: Preference) -> Response:
        """The answer when the client said to wait: ``Prefer: wait=`` goes before any other delay."""
        if prefer.wait:
            response.delay = min(prefer.wait, self.options.max_delay)
            response.headers.append(("preference-applied", f"wait={response.delay / 1000:g}"))
        return response

    def apply_default_delay(
        self, response: Response, route: Route, request: Request, namespace: Namespace
    ) -> Response:
        """Give an answer without a state the server's own delay."""
        delay = self.options.delay
        if delay is not None:
            name = f"{route.operation.id} {request.raw_path}"
            number = 0 if delay.kind == "fixed" else self.store.counters.increment(namespace.name, "", name)
            subject = RenderContext(namespace.name, "", name, "", "", number, 0, 0, 0)
            apply_delay(response, delay, None, subject, self.plan.seed, namespace)
        return response

    def adopt(self, other: Engine) -> None:
        """Serve what ``other`` was made for, from the next request on; state, clocks and journals stay.

        A resource whose scenario is no longer served begins anew.
        """
        tallies = {
            (each.document.name, route.operation.id): route.tally
            for each in self.services
            for route in each.routes
        }
        for service in other.services:
            for route in service.routes:
                route.tally = tallies.get((service.document.name, route.operation.id), route.tally)
        for name, runtime in other.runtimes.items():
            self.store.prune(name, runtime.steps)
        self.plan, self.services, self.runtimes = other.plan, other.services, other.runtimes
        self._has_admin_paths, self.providers = other._has_admin_paths, other.providers
        self._kept = other._kept
        self.providers.stream = self.cluster.stream if self.cluster is not None else ""
        self.webhooks.serve(self.runtimes, self.providers, self.namespaces.local())
        self._stages()
        self.namespaces.on_drop = self.reset

    def reset(self, namespace: str) -> None:
        """Forget every resource of a namespace; its tokens begin anew."""
        self.store.reset(namespace)
        self.let_go(namespace)
        if self.cluster is not None:
            self.cluster.tell_reset(namespace)

    def let_go(self, namespace: str) -> None:
        """End what this process has under way for the resources of a namespace, which are gone."""
        self.providers.restart(namespace)
        self.webhooks.reset(namespace)
        for local in self.namespaces.local():
            if local.name == namespace:
                local.clock.release()

    def _is_mocked(self, request: Request) -> bool:
        """Whether a path under ``/__admin`` is the document's own, which goes before ours."""
        return (
            self._has_admin_paths and (found := self.find(request)) is not None and found.target is not None
        )

    def find(self, request: Request) -> Found[Route] | None:
        """Where a request leads. A HEAD that is not documented goes where GET does."""
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
            if not_found is not None and found is not None:  # the methods of all documents that know the path
                found = Found(None, {}, tuple(dict.fromkeys(not_found.allowed + found.allowed)))
            not_found = found or not_found
        return not_found

    def not_found(self, request: Request, found: Found[Route] | None) -> Response:
        if not self.services:
            return problem.unavailable(f"no document is served yet; PUT one to {ADMIN}/document")
        if found is None:
            if request.method == "OPTIONS" and request.raw_path == "*":
                return Response(
                    200, [("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")], b"", "options"
                )
            if "%00" in request.raw_path or decode(request.raw_path) is None:
                return problem.undecodable(request.method, request.raw_path)
            nearby = [each for service in self.services for each in service.router.nearby(request.raw_path)]
            return problem.unknown_path(request.method, request.raw_path, nearby[:5])
        allowed = sorted({*found.allowed, "OPTIONS", *(["HEAD"] if "GET" in found.allowed else [])})
        if request.method == "OPTIONS":
            return Response(204, [("allow", ", ".join(allowed))], b"", "options")
        return problem.unknown_method(request.method, request.raw_path, allowed)


def _warn(response: Response) -> None:
    """Tell in a header field what was forgiven."""
    if response.warnings:
        text = problem.shortened("; ".join(response.warnings), _LONGEST_WARNING)
        response.headers.append(("x-mock-warning", text))


def _too_many_wait() -> Response:
    """503: as many answers wait for their delay as may."""
    return problem.unavailable("too many answers wait for their delay already; try again later")


def _forgiven(response: Response, warnings: tuple[str, ...]) -> Response:
    """The answer, which also tells what was forgiven of the request."""
    response.warnings = (*warnings, *response.warnings)
    return response


def _decoded(path: dict[str, str]) -> dict[str, str]:
    """Path parameters as they are meant: ``%41`` and ``A`` are the same (RFC 3986 section 6.2.2.2)."""
    return {name: text if (plain := decode(text)) is None else plain for name, text in path.items()}


def _no_control(request: Request) -> Response:
    return problem.unknown_path(request.method, request.raw_path)
