"""One resource of a scenario file at run time: its key, its scenarios and its responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec.structs import replace

from mockserver.diagnostics import Violation
from mockserver.engine import delays
from mockserver.engine.prefer import NONE, Preference
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.conditions import Holds, Read, Selection, condition, reader
from mockserver.engine.resources.context import Providers, RenderContext
from mockserver.engine.resources.create import CreatedFields
from mockserver.engine.resources.render import Renderer, ResponseCache, ResponseSpec, Verdict
from mockserver.engine.response.negotiation import Choice, is_json, negotiate, response_for
from mockserver.engine.service import Route, Service
from mockserver.media.codec import Encoded
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Delay, Dribble, MediaType, Operation, Resource, ResponseTemplate, Role, Step
from mockserver.providers.ids import derive_identity
from mockserver.state.machine import ResourceState, advance_time

if TYPE_CHECKING:
    from mockserver.engine.resources.stored_data import StoredData, StoredFields


class ResourceRuntime:
    """Serves one resource of the Plan. Renderers are created at their first use."""

    def __init__(
        self,
        resource: Resource,
        service: Service,
        providers: Providers,
        cache: ResponseCache,
        delay: Delay | None = None,
    ) -> None:
        """Compile the resource. ``delay`` is for responses without a delay of their own."""
        self.resource = resource
        self.name = resource.name
        self.service = service
        self.key = reader(resource.key)
        self.key_part = resource.key.part
        self.key_name = resource.key.name
        default = next(iter(resource.scenarios), "")
        self.selection = Selection(resource.rules, default, resource.scenarios)
        self._providers = providers
        self._cache = cache
        self._steps = {name: scenario.steps for name, scenario in resource.scenarios.items()}
        self.steps = self._steps.get
        by_id = {operation.id: operation for operation in service.document.operations}
        self.normal: Callable[[str], str] = str.lower if resource.key.ignore_case else str
        self._operations = {alias: by_id[wanted] for alias, wanted in resource.operations.items()}
        self._renderers: dict[tuple[str, str], Renderer] = {}
        self.stored: StoredData | None = None
        """The stored data, if the file has operations that update it or states that write it."""
        self._delay = delay
        self._creates = any(role.creates for role in resource.roles.values())
        self._keys: dict[str, Read] = {
            alias: reader(role.key) for alias, role in resource.roles.items() if role.key is not None
        }
        self._predicates: list[list[Holds]] = [
            [condition(part) for part in conditions] for conditions in resource.predicates
        ]
        self._has_random = any(
            branch.weight
            for scenario in resource.scenarios.values()
            for step in scenario.steps
            for branch in step.branches
        )
        self.is_plain = not (
            resource.predicates or self._has_random or resource.unknown or resource.unanswered
            or resource.webhooks or resource.handles or resource.data
            or any(
                role.creates or role.lists is not None or role.deletes or role.key
                for role in resource.roles.values()
            )
        )  # fmt: skip
        """Whether a key and a timeline decide every call."""

    def role(self, alias: str) -> Role:
        """Return the role of an operation; an empty one if the file gives it none."""
        return self.resource.roles.get(alias) or _NO_ROLE

    def operation(self, alias: str) -> Operation:
        """Return the operation with an alias of the file."""
        return self._operations[alias]

    def read_key(self, alias: str, request: Request, path: dict[str, str], body: Any) -> str | None:
        """Return the key, or the handle, in a request to an operation; None if it has none."""
        key = self._keys.get(alias, self.key)(request, path, body)
        return None if key is None else self.normal(key)

    def predicates(self, request: Request, path: dict[str, str], body: Any) -> Sequence[bool]:
        """Return which predicates of the file's branches are true for a request."""
        return [all(holds(request, path, body) for holds in conditions) for conditions in self._predicates]

    def branch_seed(self, namespace: str, key: str) -> str:
        """Return the seed of the random branches of a resource; empty if the file has none."""
        return derive_identity(self._providers.seed, namespace, self.name, key) if self._has_random else ""

    def timeline(self, scenario: str) -> tuple[Step, ...]:
        """Return the steps of a scenario. Raises KeyError."""
        return self._steps[scenario]

    def has_step(self, state: ResourceState) -> bool:
        """Return whether the Plan has the step of a state."""
        steps = self._steps.get(state.scenario)
        return steps is not None and state.step < len(steps)

    def at(
        self,
        now: int,
        state: ResourceState,
        namespace: str,
        key: str,
        trail: list[tuple[int, int]] | None = None,
    ) -> ResourceState:
        """Return the state of a resource at ``now``, as ``advance_time`` does."""
        seed = self.branch_seed(namespace, key)
        return advance_time(self.timeline(state.scenario), state, now, seed, trail)

    def renderer(self, state: str, alias: str) -> Renderer | None:
        """Return the renderer of a state's response to an operation; None if it has none."""
        try:
            return self._renderers[state, alias]
        except KeyError:
            found = self.resource.states.get(state)
            recipe = found.answers.get(alias) if found is not None else None
            if recipe is None:
                return None
            certify = self.resource.certify
            spec = spec_of(
                recipe,
                self._operations[alias],
                self.service,
                certifies=certify is not None and certify.csr is not None,
                identifier=self.key_name if self.key_part == "path" else "",
                key_name=self.key_name if self._creates else "",
                stored=None if self.stored is None else partial(self.stored.fields, alias),
            )
            if recipe.delay is None and self._delay is not None:
                recipe = replace(recipe, delay=self._delay)
            renderer = Renderer(f"{self.name}.{state}", recipe, spec, self._providers, self._cache)
            return self._renderers.setdefault((state, alias), renderer)

    def location(self, alias: str, key: str, raw_path: str) -> str | None:
        """Return the path at which a created resource is read; None if no operation reads it there."""
        if self.key_part != "path":
            return None
        parameter = f"{{{self.key_name}}}"
        for other, operation in self._operations.items():
            role = self.role(other)
            if (
                operation.method != "GET"
                or role.lists is not None
                or role.key
                or parameter not in operation.path
            ):
                continue
            stem = self._operations[alias].path.rstrip("/")
            if operation.path == f"{stem}/{parameter}":
                return f"{raw_path.rstrip('/')}/{quote(key, safe='')}"
        return None

    def state_with_status(self, status: int, alias: str) -> str | None:
        """Return the first state whose response to an operation has ``status``; else None.

        A state of a list operation describes an item, not a response.
        """
        for name, state in self.resource.states.items():
            recipe = state.answers.get(alias)
            if recipe is not None and recipe.status == status and not recipe.schema:
                return name
        return None


_NO_ROLE = Role()
SelectFields = Callable[[RenderContext], Mapping[str, JSON]]
_LOWEST_REDIRECT = 300


def spec_of(
    recipe: ResponseTemplate,
    operation: Operation,
    service: Service,
    *,
    certifies: bool = False,
    identifier: str = "",
    key_name: str = "",
    stored: Callable[..., StoredFields] | None = None,
) -> ResponseSpec:
    """Return what the document says of the response of a template, as functions.

    ``identifier``: the path parameter with the key. ``key_name``: the name of the key, if a request
    creates the resource. ``stored``: selects the fields of the stored data.
    """
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
    if recipe.example is not None and media is not None:
        media = replace(media, examples=(recipe.example,))
    choice = Choice(media or MediaType(recipe.media_type), recipe.media_type)

    def fake(key: str, hints: Mapping[str, JSON], now: int) -> JSON:
        if recipe.example is not None:
            # heavy; only named examples need it
            from mockserver.engine.response.keyed_examples import AskedKey

            asked = AskedKey(hints, identifier if identifier in hints else "")
            return service.documented.bodies.example_value(choice, recipe.example.name, asked)
        status = 0 if recipe.schema else recipe.status
        return service.documented.bodies.base_body(choice, key=key, hints=hints, now_ms=now, status=status)

    def encode(value: JSON) -> Encoded:
        return service.documented.bodies.stated(choice, value)

    sent: SelectFields | None = None
    fields: StoredFields | None = None
    if media is not None and media.schema and recipe.status < _LOWEST_REDIRECT:
        if stored is not None:
            fields = stored(media.schema, is_item=bool(recipe.schema))
            sent = fields.select
        elif key_name:
            sent = CreatedFields(service, media.schema, key_name).select
    is_other = recipe.has_body and not is_json(recipe.media_type)
    violations: Callable[[JSON], tuple[Violation, ...]] | None = None
    if media is not None and is_other:

        def violations(value: JSON) -> tuple[Violation, ...]:
            return service.documented.bodies.violations(choice, value)

    elif media is not None and media.schema is not None:
        violations = service.schemas.validator(media.schema, "response").violations

    def validate(value: JSON) -> Verdict:
        found = violations(value) if violations is not None else ()
        return Verdict(*service.documented.bodies.avoidable(choice, found)) if found else Verdict()

    return ResponseSpec(
        fake if media is not None and recipe.partial else None,
        validate if violations is not None else None,
        encode if is_other else None,
        headers,
        certifies,
        sent,
        identifier if key_name else "",
        fields.fill if fields is not None else None,
    )


def decision_text(scenario: str, state: str, call: int | str) -> str:
    """Return the value of ``X-Mock-Decision`` for the response of a state."""
    return f"scenario={scenario}; state={state}; call={call}"


def rendered(
    renderer: Renderer, context: RenderContext, decision: str, seed: str, namespace: Namespace
) -> Response:
    """Return the response of a state. Raises RenderError and TemplateError."""
    parts = renderer.render(context)
    recipe = renderer.recipe
    response = Response(
        parts.status, list(parts.headers), parts.body, decision, 0, recipe.fault,
        resource=context.resource, key=context.key, warnings=parts.warnings,
    )  # fmt: skip
    if recipe.delay is not None or recipe.dribble is not None:
        apply_delay(response, recipe.delay, recipe.dribble, context, seed, namespace)
    return response


def apply_delay(
    response: Response,
    delay: Delay | None,
    dribble: Dribble | None,
    context: RenderContext,
    seed: str,
    namespace: Namespace,
) -> None:
    """Set the delay of a response, drawn for this call of this resource, and its slow body."""
    if delay is not None:
        response.delay = delays.length(
            delay, seed, context.namespace, context.resource, context.key,
            f"{context.state}/{context.call}/{context.transitions}",
        )  # fmt: skip
    if dribble is not None and response.body:
        response.stream = delays.dribbled(response.body, dribble, namespace.clock)


def documented(
    route: Route,
    path: dict[str, str],
    request: Request,
    now: int,
    prefer: Preference = NONE,
    checked: Checked | None = None,
) -> Response:
    """Return the response from the document. It is the same under the base path of every server.

    ``checked``: the decoded request, if an example of a request may choose that of the response.
    """
    template = route.operation.path
    paired = None if route.pairs is None or checked is None else route.pairs.find(checked)
    return route.service.documented.response(
        route.operation,
        accept=request.headers.get("accept"),
        key="\n".join((template, *path.values())) if path else template,
        hints=path,
        now_ms=now,
        code=prefer.code,
        example=prefer.example,
        dynamic=prefer.dynamic,
        paired=paired,
    )


def refused(route: Route, request: Request, now: int, status: int, detail: str, decision: str) -> Response:
    """Return an error response: in the document's form if it documents ``status``, else a problem."""
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


def set_location(route: Route, request: Request, response: Response, target: str) -> None:
    """Set ``Location`` of a creation: relative, unless the document requires an absolute URL."""
    found = response_for(route.operation, response.status)
    header = next((h for h in found.headers if h.name.lower() == "location"), None) if found else None
    if header is not None and header.schema is not None:
        validator = route.service.schemas.validator(header.schema, "response")
        if not validator.is_valid(target):
            target = f"http://{request.headers.get('host', 'localhost')}{target}"
    response.headers = [
        *(field for field in response.headers if field[0] != "location"),
        ("location", target),
    ]
