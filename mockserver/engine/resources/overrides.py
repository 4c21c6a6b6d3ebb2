"""Responses beside a timeline: states for ``Prefer``, for invalid requests and for rejected calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mockserver import problem
from mockserver.engine.limits import Guard
from mockserver.engine.prefer import Preference
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.context import Subject
from mockserver.engine.resources.runtime import Lifecycle, documented, refused, rendered
from mockserver.engine.resources.stateful import Call, Lives
from mockserver.engine.service import Route
from mockserver.messages import Answer, Request
from mockserver.namespaces.namespaces import World
from mockserver.state.protocol import Store


class Beside:
    """Answers for an engine's resources as they are, or as if they were first seen now."""

    def __init__(self, store: Store, lives: Lives, seed: str) -> None:
        self._store = store
        self._lives = lives
        self._seed = seed

    def preferred(
        self,
        prefer: Preference,
        route: Route,
        checked: Checked,
        path: dict[str, str],
        request: Request,
        world: World,
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
            return documented(route, path, request, world.clock.now(), prefer) if prefer.is_direct else None
        if state is None and prefer.code is not None and prefer.example is None and not prefer.dynamic:
            state = lifecycle.state_with_status(prefer.code, route.alias)
        if state is None:
            return documented(route, path, request, world.clock.now(), prefer) if prefer.is_direct else None
        if lifecycle.role(route.alias).lists is not None:
            detail = f"Prefer: state={state} cannot be of {route.operation.id}, which lists many"
            return problem.problem(400, detail, decision="prefer")
        call = Call(route, lifecycle, request, path, checked, world, world.clock.now())
        pinned = self.state(call, state, f"prefer; state={state}")
        if pinned is None:
            known = ", ".join(lifecycle.resource.states)
            return problem.problem(400, f"Prefer: state={state} is none of {known}", decision="prefer")
        return pinned

    def refused(
        self, route: Route, checked: Checked, path: dict[str, str], request: Request, world: World
    ) -> Answer:
        """A request that breaks the document, answered by the file or in the document's own words."""
        lifecycle: Lifecycle | None = route.lifecycle  # type: ignore[assignment]
        answer = None
        if lifecycle is not None and lifecycle.resource.invalid and checked.status == 422:
            state = lifecycle.resource.invalid
            call = Call(route, lifecycle, request, path, checked, world, world.clock.now())
            answer = self.state(call, state, f"invalid; state={state}")
        if answer is None:
            answer = route.service.documented.refusals.answer(
                route.operation,
                status=checked.status,
                violations=checked.violations,
                accept=request.headers.get("accept"),
                key=request.raw_path,
                now_ms=world.clock.now(),
                challenges=checked.challenges,
                instance=request.raw_path,
            )
        answer.violations = checked.violations
        return answer

    def state(self, call: Call, state: str, decision: str) -> Answer | None:
        """A state's answer to a call; None where it has none."""
        lifecycle, world, now = call.lifecycle, call.world, call.now
        renderer = lifecycle.renderer(state, call.alias)
        if renderer is None or renderer.recipe.schema:  # which is one of a list, and no answer
            return None
        key = self._lives.key(call) or ""
        known = self._store.peek(world.name, lifecycle.name, key)
        created, changed = (now, now) if known is None else (known.created, known.changed)
        birth = None if lifecycle.is_plain else self._lives.birth(call, key)
        subject = Subject(
            world.name, lifecycle.name, key, state, "", 0, created, changed, now, call.request, call.path,
            call.body, call.checked.violations, birth,
        )  # fmt: skip
        return rendered(renderer, subject, decision, self._seed, world)


Fields = Sequence[tuple[str, str]]


def set_fields(answer: Answer, fields: Fields, but: Collection[str] = ()) -> None:
    """Put ``fields`` in place of those of the same names that were made up, save those named in ``but``."""
    ours = [each for each in fields if each[0] not in but]
    names = {name for name, _ in ours}
    answer.headers = [*(each for each in answer.headers if each[0] not in names), *ours]


class Admission:
    """Asks the guards of an engine's operations, and answers for them."""

    def __init__(self, store: Store, beside: Beside) -> None:
        self._store = store
        self._beside = beside

    def ask(self, guard: Guard, call: Call) -> tuple[Answer | None, Fields]:
        """The answer to a call that does not come through, else None; and header fields for its answer."""
        verdict = guard.limited(call.request, call.path, call.body, call.world, call.now, self._store)
        fields: Fields = ()
        if verdict is not None:
            fields = verdict.headers
            if verdict.over is not None:
                detail = f"rate limit exceeded; try again in {verdict.retry_after} s"
                answer = self.held(call, verdict.over.state, 429, detail, "limit")
                set_fields(answer, fields, self._stated(call, verdict.over.state, 429))
                return answer, ()
        mishap = guard.mishap(call.request, call.path, call.body, call.world, self._store)
        return (self._mishap(call, mishap) if mishap else None), fields

    def busy(self, guard: Guard, call: Call) -> Answer:
        """The answer to a call that is one too many at once."""
        concurrency = guard.concurrency
        assert concurrency is not None  # noqa: S101 - else nothing is too many
        detail = f"{concurrency.most} calls are under way already"
        return self.held(call, concurrency.state, 503, detail, "busy")

    @staticmethod
    def _stated(call: Call, state: str, status: int) -> Collection[str]:
        """The header fields that the file itself gives an answer, which stand before ours."""
        state = state or call.lifecycle.state_with_status(status, call.alias) or ""
        renderer = call.lifecycle.renderer(state, call.alias)
        return () if renderer is None else {name.lower() for name in renderer.recipe.headers}

    def held(self, call: Call, state: str, status: int, detail: str, why: str) -> Answer:
        """The answer of the state named, else of one with that status, else the document's."""
        state = state or call.lifecycle.state_with_status(status, call.alias) or ""
        answer = self._beside.state(call, state, f"{why}; state={state}")
        if answer is not None:
            return answer
        return refused(call.route, call.request, call.now, status, detail, f"{why}; status={status}")

    def _mishap(self, call: Call, mishap: str) -> Answer:
        """What is answered by chance: a state, a status, or a fault of the network."""
        if mishap.isdigit():
            return self.held(call, "", int(mishap), "by chance", "flaky")
        if call.lifecycle.renderer(mishap, call.alias) is not None:
            return self.held(call, mishap, 500, "by chance", "flaky")
        answer = documented(call.route, call.path, call.request, call.now)
        answer.decision, answer.fault = f"flaky; fault={mishap}", mishap
        return answer
