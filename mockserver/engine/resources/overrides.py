"""Responses beside a timeline: states for ``Prefer``, for invalid requests and for rejected calls."""

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
    """Answers for an engine's resources as they are, or as if they were first seen now."""

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
        """The answer that ``Prefer`` asks for without touching any state; None where it asks for none."""
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
            detail = f"Prefer: state={state} cannot be of {route.operation.id}, which lists many"
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
        """A request that breaks the document, answered by the file or in the document's own words."""
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
        """A state's answer to a call; None where it has none."""
        runtime, namespace, now = call.runtime, call.namespace, call.now
        renderer = runtime.renderer(state, call.alias)
        if renderer is None or renderer.recipe.schema:  # which is one of a list, and no answer
            return None
        key = self._resources.key(call) or ""
        known = self._store.peek(namespace.name, runtime.name, key)
        created, changed = (now, now) if known is None else (known.created, known.changed)
        birth = None if runtime.is_plain else self._resources.birth(call, key)
        subject = RenderContext(
            namespace.name, runtime.name, key, state, "", 0, created, changed, now, call.request, call.path,
            call.body, call.checked.violations, birth,
        )  # fmt: skip
        return rendered(renderer, subject, decision, self._seed, namespace)


Fields = Sequence[tuple[str, str]]


def set_fields(response: Response, fields: Fields, but: Collection[str] = ()) -> None:
    """Put ``fields`` in place of those of the same names that were made up, save those named in ``but``."""
    ours = [each for each in fields if each[0] not in but]
    names = {name for name, _ in ours}
    response.headers = [*(each for each in response.headers if each[0] not in names), *ours]


class Admission:
    """Asks the guards of an engine's operations, and answers for them."""

    def __init__(self, store: Store, beside: Overrides) -> None:
        self._store = store
        self._overrides = beside

    def ask(self, guard: Guard, call: Call) -> tuple[Response | None, Fields]:
        """The answer to a call that does not come through, else None; and header fields for its answer."""
        verdict = guard.limited(call.request, call.path, call.body, call.namespace, call.now, self._store)
        fields: Fields = ()
        if verdict is not None:
            fields = verdict.headers
            if verdict.over is not None:
                detail = f"rate limit exceeded; try again in {verdict.retry_after} s"
                response = self.held(call, verdict.over.state, 429, detail, "limit")
                set_fields(response, fields, self._stated(call, verdict.over.state, 429))
                return response, ()
        random_failure = guard.random_failure(call.request, call.path, call.body, call.namespace, self._store)
        return (self._mishap(call, random_failure) if random_failure else None), fields

    def busy(self, guard: Guard, call: Call) -> Response:
        """The answer to a call that is one too many at once."""
        concurrency = guard.concurrency
        assert concurrency is not None  # noqa: S101 - else nothing is too many
        detail = f"{concurrency.max_calls} calls are under way already"
        return self.held(call, concurrency.state, 503, detail, "busy")

    @staticmethod
    def _stated(call: Call, state: str, status: int) -> Collection[str]:
        """The header fields that the file itself gives an answer, which stand before ours."""
        state = state or call.runtime.state_with_status(status, call.alias) or ""
        renderer = call.runtime.renderer(state, call.alias)
        return () if renderer is None else {name.lower() for name in renderer.recipe.headers}

    def held(self, call: Call, state: str, status: int, detail: str, why: str) -> Response:
        """The answer of the state named, else of one with that status, else the document's."""
        state = state or call.runtime.state_with_status(status, call.alias) or ""
        response = self._overrides.state(call, state, f"{why}; state={state}")
        if response is not None:
            return response
        return refused(call.route, call.request, call.now, status, detail, f"{why}; status={status}")

    def _mishap(self, call: Call, random_failure: str) -> Response:
        """What is answered by chance: a state, a status, or a fault of the network."""
        if random_failure.isdigit():
            return self.held(call, "", int(random_failure), "by chance", "flaky")
        if call.runtime.renderer(random_failure, call.alias) is not None:
            return self.held(call, random_failure, 500, "by chance", "flaky")
        response = documented(call.route, call.path, call.request, call.now)
        response.decision, response.fault = f"flaky; fault={random_failure}", random_failure
        return response
