"""One resource of a scenario file, ready to be served: its key, its first scenario, its responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from mockserver.engine import delays
from mockserver.engine.prefer import NONE, Preference
from mockserver.engine.resources.conditions import Holds, Read, Selection, condition, reader
from mockserver.engine.resources.context import Providers, RenderContext
from mockserver.engine.resources.render import Quick, Renderer, ResponseCache, ResponseSpec, Verdict
from mockserver.engine.response.negotiation import Choice, is_json, negotiate, response_for
from mockserver.engine.service import Route, Service
from mockserver.http.wire import first_part
from mockserver.jsonschema import SchemaViolation
from mockserver.media.codec import Encoded
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Delay, Dribble, MediaType, Operation, Resource, ResponseTemplate, Role, Step
from mockserver.providers.ids import derive_identity


class ResourceRuntime:
    """Runs one resource of the Plan. Renderers are made when first needed."""

    def __init__(
        self,
        resource: Resource,
        service: Service,
        providers: Providers,
        kept: ResponseCache,
        delay: Delay | None = None,
    ) -> None:
        """``delay`` is that of answers which have none of their own."""
        self.resource = resource
        self.name = resource.name
        self.service = service
        self.key = reader(resource.key)
        self.key_part = resource.key.part
        self.key_name = resource.key.name
        default = next(iter(resource.scenarios), "")
        self.selection = Selection(resource.rules, default, resource.scenarios)
        self._makers = providers
        self._kept = kept
        self._steps = {name: scenario.steps for name, scenario in resource.scenarios.items()}
        self.steps = self._steps.get
        by_id = {operation.id: operation for operation in service.document.operations}
        self.normal: Callable[[str], str] = str.lower if resource.key.ignore_case else str
        self._operations = {alias: by_id[wanted] for alias, wanted in resource.operations.items()}
        self._renderers: dict[tuple[str, str], Renderer] = {}
        self._delay = delay
        self._constants: dict[tuple[str, int, str], ConstantStep] = {}
        self._keys: dict[str, Read] = {
            alias: reader(role.key) for alias, role in resource.roles.items() if role.key is not None
        }
        self._facts: list[list[Holds]] = [[condition(each) for each in fact] for fact in resource.predicates]
        self._drawn = any(
            branch.weight
            for scenario in resource.scenarios.values()
            for step in scenario.steps
            for branch in step.branches
        )
        self.is_plain = not (
            resource.predicates or self._drawn or resource.unknown or resource.unanswered or resource.webhooks
            or resource.handles
            or any(
                role.creates or role.lists is not None or role.deletes or role.key
                for role in resource.roles.values()
            )
        )  # fmt: skip
        """Whether a call is a matter of a key and a timeline alone."""

    def role(self, alias: str) -> Role:
        return self.resource.roles.get(alias) or _NO_ROLE

    def operation(self, alias: str) -> Operation:
        return self._operations[alias]

    def read_key(self, alias: str, request: Request, path: dict[str, str], body: Any) -> str | None:
        """The key, or the handle, that a request to an operation names."""
        key = self._keys.get(alias, self.key)(request, path, body)
        return None if key is None else self.normal(key)

    def facts(self, request: Request, path: dict[str, str], body: Any) -> Sequence[bool]:
        """What is true of a request, of all that branches ask."""
        return [all(holds(request, path, body) for holds in fact) for fact in self._facts]

    def dice(self, namespace: str, key: str) -> str:
        """What throws for a resource are made from; empty where nothing is drawn."""
        return derive_identity(self._makers.seed, namespace, self.name, key) if self._drawn else ""

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
            certify = self.resource.certify
            ground = spec_of(
                recipe,
                self._operations[alias],
                self.service,
                certifies=certify is not None and certify.csr is not None,
            )
            if recipe.delay is None and self._delay is not None:
                recipe = replace(recipe, delay=self._delay)
            renderer = Renderer(f"{self.name}.{state}", recipe, ground, self._makers, self._kept)
            return self._renderers.setdefault((state, alias), renderer)

    def constant(self, scenario: str, index: int, alias: str) -> ConstantStep:
        """Return the constant part of the response of a step to an operation."""
        place = scenario, index, alias
        found = self._constants.get(place)
        if found is None:
            found = self._constants[place] = ConstantStep(self, scenario, index, alias)
        return found

    def state_with_status(self, status: int, alias: str) -> str | None:
        """The first state that answers an operation with ``status``; one of a list is no answer."""
        for name, state in self.resource.states.items():
            recipe = state.answers.get(alias)
            if recipe is not None and recipe.status == status and not recipe.schema:
                return name
        return None


class ConstantStep:
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


_NO_ROLE = Role()


def spec_of(
    recipe: ResponseTemplate, operation: Operation, service: Service, *, certifies: bool = False
) -> ResponseSpec:
    """What the document says of a recipe's response, as functions."""
    documented_response = None if recipe.undocumented else response_for(operation, recipe.status)
    headers = None
    if documented_response is not None and documented_response.headers:
        known = documented_response

        def headers(key: str, now: int) -> list[tuple[str, str]]:
            return service.documented.headers.fields(known, key=key, now_ms=now)

    media = None
    if recipe.schema:
        media = MediaType(recipe.media_type, recipe.schema)
    elif documented_response is not None and documented_response.content and recipe.has_body:
        negotiated = negotiate(documented_response.content, recipe.media_type)
        media = negotiated.media if negotiated is not None else documented_response.content[0]
    choice = Choice(media or MediaType(recipe.media_type), recipe.media_type)

    def fake(key: str, hints: Mapping[str, JSON], now: int) -> JSON:
        status = 0 if recipe.schema else recipe.status
        return service.documented.bodies.base_body(choice, key=key, hints=hints, now_ms=now, status=status)

    def encode(value: JSON) -> Encoded:
        return service.documented.bodies.stated(choice, value)

    is_other = recipe.has_body and not is_json(recipe.media_type)
    violations: Callable[[JSON], tuple[SchemaViolation, ...]] | None = None
    if media is not None and is_other:

        def violations(value: JSON) -> tuple[SchemaViolation, ...]:
            return service.documented.bodies.violations(choice, value)

    elif media is not None and media.schema is not None:
        violations = service.schemas.validator(media.schema, "response").violations

    def judge(value: JSON) -> Verdict:
        found = violations(value) if violations is not None else ()
        return Verdict(*service.documented.bodies.avoidable(choice, found)) if found else Verdict()

    return ResponseSpec(
        fake if media is not None and recipe.partial else None,
        judge if violations is not None else None,
        encode if is_other else None,
        headers,
        certifies,
    )


def decision_text(scenario: str, state: str, call: int | str) -> str:
    """What decided a state's answer, as ``X-Mock-Decision`` tells it."""
    return f"scenario={scenario}; state={state}; call={call}"


def rendered(
    renderer: Renderer, subject: RenderContext, decision: str, seed: str, namespace: Namespace
) -> Response:
    """What a state answers."""
    parts = renderer.render(subject)
    recipe = renderer.recipe
    response = Response(
        parts.status, list(parts.headers), parts.body, decision, 0, recipe.fault,
        resource=subject.resource, key=subject.key, warnings=parts.warnings,
    )  # fmt: skip
    if recipe.delay is not None or recipe.dribble is not None:
        apply_delay(response, recipe.delay, recipe.dribble, subject, seed, namespace)
    return response


def apply_delay(
    response: Response,
    delay: Delay | None,
    dribble: Dribble | None,
    subject: RenderContext,
    seed: str,
    namespace: Namespace,
) -> None:
    """Give an answer its delay, drawn for this call of this resource, and its dribble."""
    if delay is not None:
        response.delay = delays.length(
            delay, seed, subject.namespace, subject.resource, subject.key,
            f"{subject.state}/{subject.call}/{subject.moves}",
        )  # fmt: skip
    if dribble is not None and response.body:
        response.stream = delays.dribbled(response.body, dribble, namespace.clock)


def documented(
    route: Route, path: dict[str, str], request: Request, now: int, prefer: Preference = NONE
) -> Response:
    """The answer straight from the document: the same under every server's prefix."""
    template = route.operation.path
    return route.service.documented.response(
        route.operation,
        accept=request.headers.get("accept"),
        key="\n".join((template, *path.values())) if path else template,
        hints=path,
        now_ms=now,
        code=prefer.code,
        example=prefer.example,
        dynamic=prefer.dynamic,
    )


def refused(route: Route, request: Request, now: int, status: int, detail: str, decision: str) -> Response:
    """A refusal in the document's own words where it has any for the status."""
    response = route.service.documented.refusals.response(
        route.operation,
        status=status,
        detail=detail,
        accept=request.headers.get("accept"),
        key=request.raw_path,
        now_ms=now,
        instance=request.raw_path,
    )
    response.decision = decision
    return response
