"""One resource, ready to be served: its key, the scenario it begins with, how its states answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mockserver.plan import JSON, AnswerRecipe, Operation, Resource, Step
from mockserver.serve.context import Makers
from mockserver.serve.matching import Selection, reader
from mockserver.serve.negotiation import Choice, is_json
from mockserver.serve.render import Ground, Kept, Renderer
from mockserver.serve.responses import response_for
from mockserver.serve.service import Service


class Lifecycle:
    """Runs one resource of the Plan. Renderers are made when first needed."""

    def __init__(self, resource: Resource, service: Service, makers: Makers, kept: Kept) -> None:
        self.resource = resource
        self.name = resource.name
        self.service = service
        self.key = reader(resource.key)
        self.key_part = resource.key.part
        self.key_name = resource.key.name
        default = next(iter(resource.scenarios), "")
        self.selection = Selection(resource.rules, default)
        self._makers = makers
        self._kept = kept
        self._steps = {name: scenario.steps for name, scenario in resource.scenarios.items()}
        self.steps = self._steps.get
        by_id = {operation.id: operation for operation in service.document.operations}
        self.normal: Callable[[str], str] = str.lower if resource.key.fold else str
        self._operations = {alias: by_id[wanted] for alias, wanted in resource.operations.items()}
        self._renderers: dict[tuple[str, str], Renderer] = {}

    def timeline(self, scenario: str) -> tuple[Step, ...]:
        return self._steps[scenario]

    def renderer(self, state: str, alias: str) -> Renderer | None:
        """The renderer of a state's answer to an operation; None where it has none."""
        try:
            return self._renderers[state, alias]
        except KeyError:
            found = self.resource.states.get(state)
            recipe = found.answers.get(alias) if found is not None else None
            if recipe is None:
                return None
            ground = ground_of(recipe, self._operations[alias], self.service)
            renderer = Renderer(f"{self.name}.{state}", recipe, ground, self._makers, self._kept)
            return self._renderers.setdefault((state, alias), renderer)

    def state_with_status(self, status: int, alias: str) -> str | None:
        """The first state that answers an operation with ``status``."""
        for name, state in self.resource.states.items():
            recipe = state.answers.get(alias)
            if recipe is not None and recipe.status == status:
                return name
        return None


def ground_of(recipe: AnswerRecipe, operation: Operation, service: Service) -> Ground:
    """What the document says of a recipe's response, as functions."""
    response = None if recipe.undocumented else response_for(operation, recipe.status)
    documented = service.documented
    headers = None
    if response is not None and response.headers:
        known = response

        def headers(key: str, now: int) -> list[tuple[str, str]]:
            return documented.headers.fields(known, key=key, now_ms=now)

    media = None
    if response is not None and recipe.has_body:
        named = [each for each in response.content if each.name == recipe.media_type]
        media = next(iter(named or response.content), None)
    if media is None:
        return Ground(None, None, None, headers)
    choice = Choice(media, recipe.media_type)

    def fake(key: str, hints: Mapping[str, JSON], now: int) -> JSON:
        return documented.bodies.base_body(media, key=key, hints=hints, now_ms=now)

    def encode(value: JSON) -> bytes:
        return documented.bodies.encode(choice, value).data

    violations: Any = None
    if media.schema is not None:
        violations = service.schemas.validator(media.schema, "response").violations
    return Ground(
        fake if recipe.partial else None,
        violations,
        None if is_json(choice.content_type) else encode,
        headers,
    )
