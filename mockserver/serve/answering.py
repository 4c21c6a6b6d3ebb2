"""The ways to an answer that the engine's stages share: rendered, documented, refused."""

from __future__ import annotations

from mockserver.plan import Delay, Dribble
from mockserver.serve import pace
from mockserver.serve.answer import Answer
from mockserver.serve.context import Subject
from mockserver.serve.prefer import NONE, Preference
from mockserver.serve.render import Renderer
from mockserver.serve.request import Request
from mockserver.serve.service import Route
from mockserver.serve.world import World


def decided(scenario: str, state: str, call: int | str) -> str:
    """What decided a state's answer, as ``X-Mock-Decision`` tells it."""
    return f"scenario={scenario}; state={state}; call={call}"


def rendered(renderer: Renderer, subject: Subject, decision: str, seed: str, world: World) -> Answer:
    """What a state answers."""
    parts = renderer.render(subject)
    recipe = renderer.recipe
    answer = Answer(
        parts.status, list(parts.headers), parts.body, decision, 0, recipe.fault,
        resource=subject.resource, key=subject.key, warnings=(parts.warning,) if parts.warning else (),
    )  # fmt: skip
    if recipe.delay is not None or recipe.dribble is not None:
        paced(answer, recipe.delay, recipe.dribble, subject, seed, world)
    return answer


def paced(
    answer: Answer, delay: Delay | None, dribble: Dribble | None, subject: Subject, seed: str, world: World
) -> None:
    """Give an answer its delay, drawn for this call of this resource, and its dribble."""
    if delay is not None:
        answer.delay = pace.length(
            delay, seed, subject.namespace, subject.resource, subject.key,
            f"{subject.state}/{subject.call}/{subject.moves}",
        )  # fmt: skip
    if dribble is not None and answer.body:
        answer.stream = pace.dribbled(answer.body, dribble, world.clock)


def documented(
    route: Route, path: dict[str, str], request: Request, now: int, prefer: Preference = NONE
) -> Answer:
    """The answer straight from the document: the same under every server's prefix."""
    template = route.operation.path
    return route.service.documented.answer(
        route.operation,
        accept=request.headers.get("accept"),
        key="\n".join((template, *path.values())) if path else template,
        hints=path,
        now_ms=now,
        code=prefer.code,
        example=prefer.example,
        dynamic=prefer.dynamic,
    )


def refused(route: Route, request: Request, now: int, status: int, detail: str, decision: str) -> Answer:
    """A refusal in the document's own words where it has any for the status."""
    answer = route.service.documented.refusals.answer(
        route.operation,
        status=status,
        detail=detail,
        accept=request.headers.get("accept"),
        key=request.raw_path,
        now_ms=now,
        instance=request.raw_path,
    )
    answer.decision = decision
    return answer
