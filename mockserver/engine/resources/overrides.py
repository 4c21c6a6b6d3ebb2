"""Responses outside of a timeline: for ``Prefer``, for invalid requests and for rejected calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mockserver import problem
from mockserver.engine.limits import Guard
from mockserver.engine.prefer import Preference
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.calls import Call, Resources
from mockserver.engine.resources.context import RenderContext
from mockserver.engine.resources.runtime import documented, refused, rendered
from mockserver.engine.service import Route
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.state.protocol import Store


class Overrides:
    """Renders responses for resources in their current state, without a change of the state."""

    def __init__(self, store: Store, resources: Resources, seed: str) -> None:
        self._store = store
        self._resources = resources
        self._seed = seed

    def preferred(
        self,
        prefer: Preference,
        route: Route,
        checked: Checked,
        path: dict[str, str],
        request: Request,
        namespace: Namespace,
    ) -> Response | None:
        """Return the response that ``Prefer`` asks for; None if it asks for none.

        It does not change the state of a resource.
        """
        if prefer.problem:
            return problem.problem(400, prefer.problem, decision="prefer")
        runtime = route.runtime
        state = prefer.state
        if runtime is None or prefer.scenario is not None:
            if runtime is None and (state or prefer.scenario):
                return problem.problem(
                    400,
                    f"Prefer: {request.headers['prefer']}: no scenario file names {route.operation.id}",
                    decision="prefer",
                )
            return (
                documented(route, path, request, namespace.clock.now(), prefer) if prefer.is_direct else None
            )
        if state is None and prefer.code is not None and prefer.example is None and not prefer.dynamic:
            state = runtime.state_with_status(prefer.code, route.alias)
        if state is None:
            return (
                documented(route, path, request, namespace.clock.now(), prefer) if prefer.is_direct else None
            )
        if runtime.role(route.alias).lists is not None:
            detail = f"Prefer: state={state} is impossible for {route.operation.id}, a list operation"
            return problem.problem(400, detail, decision="prefer")
        call = Call(route, runtime, request, path, checked, namespace, namespace.clock.now())
        pinned = self.state(call, state, f"prefer; state={state}")
        if pinned is None:
            known = ", ".join(runtime.resource.states)
            return problem.problem(400, f"Prefer: state={state} is none of {known}", decision="prefer")
        return pinned

    def refused(
        self, route: Route, checked: Checked, path: dict[str, str], request: Request, namespace: Namespace
    ) -> Response:
        """Return the response to an invalid request: of the file's ``invalid`` state or of the document."""
        runtime = route.runtime
        response = None
        if runtime is not None and runtime.resource.invalid and checked.status == 422:
            state = runtime.resource.invalid
            call = Call(route, runtime, request, path, checked, namespace, namespace.clock.now())
            response = self.state(call, state, f"invalid; state={state}")
        if response is None:
            response = route.service.documented.refusals.response(
                route.operation,
                status=checked.status,
                violations=checked.violations,
                accept=request.headers.get("accept"),
                key=request.raw_path,
                now_ms=namespace.clock.now(),
                challenges=checked.challenges,
                instance=request.raw_path,
            )
        response.violations = checked.violations
        return response

    def state(self, call: Call, state: str, decision: str) -> Response | None:
        """Return the response of a state to a call; None if it has none."""
        runtime, namespace, now = call.runtime, call.namespace, call.now
        renderer = runtime.renderer(state, call.alias)
        if renderer is None or renderer.recipe.schema:  # it describes an item of a list, not a response
            return None
        key = self._resources.key(call) or ""
        known = self._store.peek(namespace.name, runtime.name, key)
        created, changed = (now, now) if known is None else (known.created, known.changed)
        creation = None if runtime.is_plain else self._resources.creation(call, key)
        context = RenderContext(
            namespace.name, runtime.name, key, state, "", 0, created, changed, now, call.request, call.path,
            call.body, call.checked.violations, creation, data=self._resources.data(call, key),
        )  # fmt: skip
        return rendered(renderer, context, decision, self._seed, namespace)


Fields = Sequence[tuple[str, str]]


def set_fields(response: Response, fields: Fields, but: Collection[str] = ()) -> None:
    """Set header fields of a response and replace those of the same names, except the names in ``but``."""
    ours = [field for field in fields if field[0] not in but]
    names = {name for name, _ in ours}
    response.headers = [*(field for field in response.headers if field[0] not in names), *ours]


class Admission:
    """Applies the limits and random failures of operations, and returns the responses to rejected calls."""

    def __init__(self, store: Store, beside: Overrides) -> None:
        self._store = store
        self._overrides = beside

    def ask(self, guard: Guard, call: Call) -> tuple[Response | None, Fields]:
        """Return the response to a rejected call, else None, and header fields for the response."""
        verdict = guard.limited(call.request, call.path, call.body, call.namespace, call.now, self._store)
        fields: Fields = ()
        if verdict is not None:
            fields = verdict.headers
            if verdict.over is not None:
                detail = f"rate limit exceeded; try again in {verdict.retry_after} s"
                response = self.held(call, verdict.over.state, 429, detail, "limit")
                set_fields(response, fields, self._own_fields(call, verdict.over.state, 429))
                return response, ()
        random_failure = guard.random_failure(call.request, call.path, call.body, call.namespace, self._store)
        return (self._fail(call, random_failure) if random_failure else None), fields

    def busy(self, guard: Guard, call: Call) -> Response:
        """Return the response to a call above the limit of calls in progress."""
        concurrency = guard.concurrency
        assert concurrency is not None  # noqa: S101 - only a limit rejects calls
        detail = f"{concurrency.max_calls} calls are in progress already"
        return self.held(call, concurrency.state, 503, detail, "busy")

    @staticmethod
    def _own_fields(call: Call, state: str, status: int) -> Collection[str]:
        """Return the header fields that the file sets in a response; they have precedence over ours."""
        state = state or call.runtime.state_with_status(status, call.alias) or ""
        renderer = call.runtime.renderer(state, call.alias)
        return () if renderer is None else {name.lower() for name in renderer.recipe.headers}

    def held(self, call: Call, state: str, status: int, detail: str, cause: str) -> Response:
        """Return the response of ``state``, else of a state with ``status``, else of the document."""
        state = state or call.runtime.state_with_status(status, call.alias) or ""
        response = self._overrides.state(call, state, f"{cause}; state={state}")
        if response is not None:
            return response
        return refused(call.route, call.request, call.now, status, detail, f"{cause}; status={status}")

    def _fail(self, call: Call, random_failure: str) -> Response:
        """Return the response of a random failure: a state, a status or a network fault."""
        if random_failure.isdigit():
            return self.held(call, "", int(random_failure), "random failure", "flaky")
        if call.runtime.renderer(random_failure, call.alias) is not None:
            return self.held(call, random_failure, 500, "random failure", "flaky")
        response = documented(call.route, call.path, call.request, call.now)
        response.decision, response.fault = f"flaky; fault={random_failure}", random_failure
        return response
