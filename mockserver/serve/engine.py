"""The engine: a request in, an answer out. No server, no socket, no framework.

``handle`` calls one stage after the other and each returns to it: route,
validate, resource state, decide, render. What is wrong with a request arrives
as values, so that a scenario may answer it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from mockserver.errors import MockServerError, Violation
from mockserver.media.percent import decode
from mockserver.plan import JSON, Plan
from mockserver.scenario import begin, settle
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.context import Makers, Subject
from mockserver.serve.cors import Cors
from mockserver.serve.lifecycle import Lifecycle
from mockserver.serve.prefer import NONE, Preference, parse_prefer
from mockserver.serve.render import Renderer, kept_answers
from mockserver.serve.request import Request
from mockserver.serve.routing import Found
from mockserver.serve.service import Route, Service, Tally
from mockserver.serve.validation import NOTHING, Checked
from mockserver.serve.world import World, Worlds
from mockserver.store.memory import MemoryStore

ADMIN = "/__admin"


@dataclass(frozen=True, slots=True)
class Options:
    """How requests are judged."""

    validation: str = "strict"
    """off: nothing is judged; warn: violations are named in a header; strict: they are answered."""
    security: bool = True
    max_body: int = 10 * 1024 * 1024
    """Bytes of a request body, on the wire and decompressed."""
    base_path: str | None = None
    cors: tuple[str, ...] = ()
    """Origins whose pages may call the mocked operations."""


class Engine:
    """Runs a Plan. Single-threaded: every call to ``handle`` is one atomic step."""

    def __init__(
        self, plan: Plan, *, store: MemoryStore, worlds: Worlds, options: Options | None = None
    ) -> None:
        self.plan = plan
        self.store = store
        self.worlds = worlds
        self.options = options or Options()
        self.control: Callable[[Request], Answer | Awaitable[Answer]] = _no_control
        self.unrouted: Tally = {}
        """Calls that led to no operation."""
        self.worlds.dropped = self.reset
        self._makers = makers = Makers(plan.seed)
        kept = kept_answers()
        self.services = [
            Service(
                document,
                plan.seed,
                security=self.options.security,
                max_body=self.options.max_body,
                base_path=self.options.base_path,
            )
            for document in plan.documents
        ]
        self.lifecycles: dict[str, Lifecycle] = {}
        for resource in plan.resources:
            service = next(each for each in self.services if each.document.name == resource.document)
            lifecycle = Lifecycle(resource, service, makers, kept)
            self.lifecycles[resource.name] = lifecycle
            aliases = {wanted: alias for alias, wanted in resource.operations.items()}
            for route in service.routes:
                if route.operation.id in aliases:
                    route.lifecycle, route.alias = lifecycle, aliases[route.operation.id]
        self._has_admin_paths = any(
            base + operation.path for document in plan.documents for base in document.base_paths
            for operation in document.operations if (base + operation.path).startswith(ADMIN)
        )  # fmt: skip
        self._cors = Cors(self.options.cors) if self.options.cors else None
        self._judges = self.options.validation != "off"
        self._strict = self.options.validation == "strict"

    def handle(self, request: Request) -> Answer | Awaitable[Answer]:
        """The answer to a request; never raises for what a request says."""
        headers = request.headers
        if request.raw_path.startswith(ADMIN) and not self._is_mocked(request):
            return self.control(request)
        name = headers.get("x-mock-namespace")
        world = self.worlds.default if name is None else self.worlds.find(name)
        if world is None:
            return problem.problem(
                400, f"X-Mock-Namespace: {name} is no name for a namespace", decision="namespace"
            )
        cors = self._cors
        if cors is not None:
            if "origin" not in headers:
                cors = None
            elif (asked := cors.preflight(request)) is not None:
                return asked
        started = perf_counter()
        now = world.clock.now()
        found = self.find(request)
        if found is None or found.target is None:
            answer, tally = self._unrouted(request, found), self.unrouted
        else:
            route = found.target
            answer, tally = self._answer(request, route, found.parameters, world, now), route.tally
            answer.operation = route.operation.id
        if cors is not None:
            cors.allow(request, answer)
        seconds = perf_counter() - started
        world.journal.write(request, answer, now, seconds)
        try:
            counts = tally[answer.status]
        except KeyError:
            counts = tally[answer.status] = [0, 0.0]
        counts[0] += 1
        counts[1] += seconds
        return answer

    def _answer(
        self, request: Request, route: Route, path: dict[str, str], world: World, now: int
    ) -> Answer:
        """The answer of an operation: asked for, refused, documented, or that of a resource."""
        headers = request.headers
        prefer = NONE if "prefer" not in headers else parse_prefer(headers["prefer"])
        raw, path = path, path if "%" not in request.raw_path else _decoded(path)
        try:
            if prefer is not NONE:
                direct = self._preferred(prefer, route, path, request, world)
                if direct is not None:
                    return direct
            checked = (
                route.checker.check(request, raw)
                if self._judges
                else Checked(path, NOTHING, NOTHING, NOTHING)
            )
            if checked.status and self._strict:
                answer = self._refused(route, checked, path, request, world)
                answer.violations = checked.violations
                return answer
            if route.lifecycle is None:
                answer = self._documented(route, path, request, world, NONE)
            else:
                answer = self._lived(route, path, checked, prefer, request, world, now)
        except PreferenceError as error:
            return problem.problem(400, str(error), decision="prefer")
        except MockServerError as error:
            return problem.internal(str(error))
        if checked.status:
            answer.violations = checked.violations
            answer.headers.append(
                ("x-mock-violations", problem.shortened(problem.sentence(checked.violations), 1000))
            )
        return answer

    def adopt(self, other: Engine) -> None:
        """Serve what ``other`` was made for, from the next request on; state, clocks and journals stay."""
        self.plan, self.services, self.lifecycles = other.plan, other.services, other.lifecycles
        self._has_admin_paths, self._makers = other._has_admin_paths, other._makers
        self.worlds.dropped = self.reset

    def reset(self, namespace: str) -> None:
        """Forget every resource of a namespace; its tokens begin anew."""
        self.store.reset(namespace)
        self._makers.restart(namespace)

    def _is_mocked(self, request: Request) -> bool:
        """Whether a path under ``/__admin`` is the document's own, which goes before ours."""
        return (
            self._has_admin_paths and (found := self.find(request)) is not None and found.target is not None
        )

    def find(self, request: Request) -> Found[Route] | None:
        """Where a request leads. A HEAD that is not documented goes where GET does."""
        missed = None
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
                return found
            missed = missed or found
        return missed

    def _lived(
        self,
        route: Route,
        path: dict[str, str],
        checked: Checked,
        prefer: Preference,
        request: Request,
        world: World,
        now: int,
    ) -> Answer:
        """The answer of a resource at the point of its life where it stands."""
        lifecycle: Lifecycle = route.lifecycle  # type: ignore[assignment]
        key = self._key(lifecycle, path, checked.body, request)
        if key is None:
            return self._documented(route, path, request, world, NONE)
        if prefer.scenario is not None:
            self._assign(lifecycle, world.name, key, prefer.scenario, now)
        choose, about = lifecycle.selection.choose, (request, path, checked.body)
        if request.method == "HEAD" and route.operation.method != "HEAD":
            state = self.store.peek(world.name, lifecycle.name, key) or begin(choose(*about), now)
            steps = lifecycle.timeline(state.scenario)
            state = settle(steps, state, now)
            step, call, changed, created, scenario = (
                steps[state.step],
                state.calls + 1,
                state.changed,
                state.created,
                state.scenario,
            )
        else:
            decision = self.store.call(
                world.name, lifecycle.name, key, now, route.alias, lifecycle.steps, choose, about
            )
            left = decision.state
            scenario, created, changed, call = left.scenario, left.created, decision.changed, decision.call
            step = lifecycle.timeline(scenario)[decision.step]
        renderer = lifecycle.renderer(step.state, route.alias)
        if renderer is None:
            return self._documented(route, path, request, world, NONE)
        subject = Subject(
            world.name,
            lifecycle.name,
            key,
            step.state,
            scenario,
            call,
            created,
            changed,
            now,
            request,
            path,
            checked.body,
        )
        answer = self._rendered(renderer, subject, f"scenario={scenario}; state={step.state}; call={call}")
        if step.delay or step.fault:
            answer.delay, answer.fault = step.delay or answer.delay, step.fault or answer.fault
        return answer

    @staticmethod
    def _rendered(renderer: Renderer, subject: Subject, decision: str) -> Answer:
        rendered = renderer.render(subject)
        recipe = renderer.recipe
        return Answer(
            rendered.status, list(rendered.headers), rendered.body, decision, recipe.delay, recipe.fault,
            resource=subject.resource, key=subject.key,
        )  # fmt: skip

    def _key(self, lifecycle: Lifecycle, path: dict[str, str], body: JSON, request: Request) -> str | None:
        key = (
            path.get(lifecycle.key_name)
            if lifecycle.key_part == "path"
            else lifecycle.key(request, path, body)
        )
        return None if key is None else lifecycle.normal(key)

    def _assign(self, lifecycle: Lifecycle, world: str, key: str, scenario: str, now: int) -> None:
        """Let a key begin a scenario, unless it is on it already."""
        if lifecycle.steps(scenario) is None:
            known = ", ".join(each for each in lifecycle.resource.scenarios if ":" not in each)
            raise PreferenceError(f"Prefer: scenario={scenario} is none of {known}")
        state = self.store.peek(world, lifecycle.name, key)
        if state is None or state.scenario != scenario:
            self.store.put(world, lifecycle.name, key, begin(scenario, now))

    def _preferred(
        self, prefer: Preference, route: Route, path: dict[str, str], request: Request, world: World
    ) -> Answer | None:
        """The answer that ``Prefer`` asks for without touching any state; None where it asks for none."""
        if prefer.problem:
            return problem.problem(400, prefer.problem, decision="prefer")
        lifecycle: Lifecycle | None = route.lifecycle  # type: ignore[assignment]
        state = prefer.state
        if lifecycle is None or prefer.scenario is not None:
            if lifecycle is None and (state or prefer.scenario):
                return problem.problem(
                    400,
                    f"Prefer: {request.headers['prefer']}: no scenario file names {route.operation.id}",
                    decision="prefer",
                )
            return self._documented(route, path, request, world, prefer) if prefer.is_direct else None
        if state is None and prefer.code is not None and prefer.example is None and not prefer.dynamic:
            state = lifecycle.state_with_status(prefer.code, route.alias)
        if state is None:
            return self._documented(route, path, request, world, prefer) if prefer.is_direct else None
        renderer = lifecycle.renderer(state, route.alias)
        if renderer is None:
            known = ", ".join(lifecycle.resource.states)
            return problem.problem(400, f"Prefer: state={state} is none of {known}", decision="prefer")
        return self._rendered(
            renderer, self._subject(route, lifecycle, state, path, request, world), f"prefer; state={state}"
        )

    def _subject(
        self,
        route: Route,
        lifecycle: Lifecycle,
        state: str,
        path: dict[str, str],
        request: Request,
        world: World,
        violations: Sequence[Violation] = (),
    ) -> Subject:
        """A subject for an answer outside any timeline: the resource as it is, or as if first seen now."""
        now = world.clock.now()
        key = self._key(lifecycle, path, None, request) or ""
        known = self.store.peek(world.name, lifecycle.name, key)
        created = known.created if known is not None else now
        changed = known.changed if known is not None else now
        return Subject(
            world.name,
            lifecycle.name,
            key,
            state,
            "",
            0,
            created,
            changed,
            now,
            request,
            path,
            None,
            violations,
        )

    def _refused(
        self, route: Route, checked: Checked, path: dict[str, str], request: Request, world: World
    ) -> Answer:
        """A request that breaks the document, answered by the file or in the document's own words."""
        lifecycle: Lifecycle | None = route.lifecycle  # type: ignore[assignment]
        if lifecycle is not None and lifecycle.resource.invalid and checked.status == 422:
            state = lifecycle.resource.invalid
            renderer = lifecycle.renderer(state, route.alias)
            if renderer is not None:
                subject = self._subject(route, lifecycle, state, path, request, world, checked.violations)
                return self._rendered(renderer, subject, f"invalid; state={state}")
        return route.service.documented.refusals.answer(
            route.operation,
            status=checked.status,
            violations=checked.violations,
            accept=request.headers.get("accept"),
            key=request.raw_path,
            now_ms=world.clock.now(),
            challenges=checked.challenges,
            instance=request.raw_path,
        )

    @staticmethod
    def _documented(
        route: Route, path: dict[str, str], request: Request, world: World, prefer: Preference
    ) -> Answer:
        return route.service.documented.answer(
            route.operation,
            accept=request.headers.get("accept"),
            key=request.raw_path,
            hints=path,
            now_ms=world.clock.now(),
            code=prefer.code,
            example=prefer.example,
            dynamic=prefer.dynamic,
        )

    def _unrouted(self, request: Request, found: Found[Route] | None) -> Answer:
        if not self.services:
            return problem.unavailable(f"no document is served yet; PUT one to {ADMIN}/document")
        if found is None:
            if request.method == "OPTIONS" and request.raw_path == "*":
                return Answer(
                    204, [("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")], b"", "options"
                )
            nearby = [each for service in self.services for each in service.router.nearby(request.raw_path)]
            return problem.unknown_path(request.method, request.raw_path, nearby[:5])
        allowed = sorted({*found.allowed, "OPTIONS", *(["HEAD"] if "GET" in found.allowed else [])})
        if request.method == "OPTIONS":
            return Answer(204, [("allow", ", ".join(allowed))], b"", "options")
        return problem.unknown_method(request.method, request.raw_path, allowed)


def _decoded(path: dict[str, str]) -> dict[str, str]:
    """Path parameters as they are meant: ``%41`` and ``A`` are the same (RFC 3986 section 6.2.2.2)."""
    return {name: text if (plain := decode(text)) is None else plain for name, text in path.items()}


class PreferenceError(MockServerError):
    """A ``Prefer`` header that names what does not exist."""


def _no_control(request: Request) -> Answer:
    return problem.unknown_path(request.method, request.raw_path)
