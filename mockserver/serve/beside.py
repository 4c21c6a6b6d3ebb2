"""Answers beside a timeline: a state that ``Prefer`` pins, or that answers a broken request."""

from __future__ import annotations

from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.answering import documented, rendered
from mockserver.serve.context import Subject
from mockserver.serve.lifecycle import Lifecycle
from mockserver.serve.lives import Call, Lives
from mockserver.serve.prefer import Preference
from mockserver.serve.request import Request
from mockserver.serve.service import Route
from mockserver.serve.validation import Checked
from mockserver.serve.world import World
from mockserver.store.protocol import Store


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
