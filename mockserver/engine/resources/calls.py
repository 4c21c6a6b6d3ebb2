"""Calls to resources: a step of the timeline decides each one and renders its response.

A plain resource is a key and a timeline. Others are created, listed, transitioned by operations and
deleted, are known by handles, or send webhooks. Every call is one atomic step of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mockserver.engine.prefer import PreferenceError
from mockserver.engine.request.validation import Checked, InvalidCsr
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.create import KeyFactory
from mockserver.engine.resources.listing import Listing
from mockserver.engine.resources.runtime import (
    ResourceRuntime,
    apply_delay,
    decision_text,
    documented,
    refused,
    rendered,
    set_location,
)
from mockserver.engine.resources.templates import compile_template
from mockserver.engine.resources.webhooks import WebhookSender
from mockserver.engine.service import Route
from mockserver.media.json import encode_json
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Step
from mockserver.state.machine import Decision, ResourceState, initial_state
from mockserver.state.protocol import Store
from mockserver.state.tables import CreationRecord, Item

if TYPE_CHECKING:
    from mockserver.engine.resources.stored_data import DataChange, StoredData


class Call(NamedTuple):
    """A request to an operation of a resource, with the results of the previous stages."""

    route: Route
    runtime: ResourceRuntime
    request: Request
    path: dict[str, str]
    checked: Checked
    namespace: Namespace
    now: int

    @property
    def alias(self) -> str:
        """The name of the operation in the scenario file."""
        return self.route.alias

    @property
    def body(self) -> Any:
        """The decoded body of the request."""
        return self.checked.body


class Resources:
    """Handles the calls to the resources of an engine."""

    def __init__(self, store: Store, providers: Providers, webhooks: WebhookSender, validation: str) -> None:
        """Create the stage. ``validation``: off, warn or strict."""
        self._store = store
        self._validation = validation
        self._webhooks = webhooks
        self._providers = providers
        self._key_factories: dict[str, KeyFactory] = {}
        self._listings: dict[tuple[str, str], Listing] = {}

    def call_resource(self, call: Call, scenario: str | None) -> Response:
        """Return the response to a call; ``scenario`` is the one that the client prefers.

        Raises InvalidCsr, PreferenceError for an unknown scenario, and MockServerError for what cannot
        be rendered.
        """
        runtime = call.runtime
        if scenario is not None and runtime.steps(scenario) is None:
            names = ", ".join(name for name in runtime.resource.scenarios if ":" not in name)
            raise PreferenceError(f"Prefer: scenario={scenario} is none of {names}")
        role = runtime.role(call.alias)
        if runtime.stored is not None:
            runtime.stored.prepare(call.namespace.name, call.now)
        if role.lists is not None:
            listing = self._listing(call)
            self._check_page(listing, call)
            return listing.response(
                call.request, call.path, call.checked, call.namespace, call.now, self._store
            )
        if role.creates:
            return self._create(call, scenario)
        key = self.key(call)
        if key is None:
            if runtime.is_plain:
                return documented(call.route, call.path, call.request, call.now, checked=call.checked)
            return self._missing(call, "")
        is_head = call.request.method == "HEAD" and call.route.operation.method != "HEAD"
        if is_head or scenario is not None or not runtime.is_plain:
            known = self._store.peek(call.namespace.name, runtime.name, key)
            if scenario is not None and (known is None or known.scenario != scenario):
                known = initial_state(scenario, call.now)
                self._store.put(call.namespace.name, runtime.name, key, known)
                if runtime.stored is not None:
                    runtime.stored.write(call.namespace.name, key, known, [(0, call.now)])
            if known is None and runtime.resource.unknown and self.data(call, key) is None:
                return self._missing(call, key)
            if is_head:
                return self._respond_to_head(call, key, known)
            if not runtime.is_plain:
                return self._advance_stateful(call, key, is_new=known is None)
        return self.advance(
            call.route, runtime, key, call.path, call.body, call.request, call.namespace, call.now
        )

    def advance(
        self,
        route: Route,
        runtime: ResourceRuntime,
        key: str,
        path: dict[str, str],
        body: JSON,
        request: Request,
        namespace: Namespace,
        now: int,
    ) -> Response:
        """Count one call to a plain resource and return the response of its step."""
        decision = self._store.advance(
            namespace.name, runtime.name, key, now, route.alias, runtime.steps, runtime.selection.choose,
            (request, path, body),
        )  # fmt: skip
        state = decision.state
        position = state.scenario, decision.call, state.created, decision.changed
        return self.render_step(
            route, runtime, decision.step, position, key, path, body, request, namespace, now
        )

    def render_step(
        self,
        route: Route,
        runtime: ResourceRuntime,
        index: int,
        position: tuple[str, int, int, int],
        key: str,
        path: dict[str, str],
        body: JSON,
        request: Request,
        namespace: Namespace,
        now: int,
    ) -> Response:
        """Return the response of a step of a plain resource.

        ``position``: the scenario, the number of the call, and the times of the creation and of the last
        state change in milliseconds.
        """
        scenario, number, created, changed = position
        step = runtime.timeline(scenario)[index]
        context = RenderContext(
            namespace.name, runtime.name, key, step.state, scenario, number, created, changed, now, request,
            path, body,
        )  # fmt: skip
        return self._render(route, runtime, step, context, namespace)

    def _render(
        self, route: Route, runtime: ResourceRuntime, step: Step, context: RenderContext, namespace: Namespace
    ) -> Response:
        """Return the response of a step, with the delay and the fault of the step."""
        renderer = runtime.renderer(step.state, route.alias)
        if renderer is None:
            assert context.request is not None  # noqa: S101 - a call has one
            return documented(route, dict(context.path), context.request, context.now)
        decision = decision_text(context.scenario, context.state, context.call)
        response = rendered(renderer, context, decision, self._providers.seed, namespace)
        if step.delay is not None or step.dribble is not None:
            apply_delay(response, step.delay, step.dribble, context, self._providers.seed, namespace)
        if step.fault:
            response.fault = step.fault
        return response

    def key(self, call: Call) -> str | None:
        """Return the key in a request, given directly or by a handle; None if there is none."""
        runtime, role = call.runtime, call.runtime.role(call.alias)
        if role.creates:
            return self._key_factory(runtime).key(call.namespace.name, 0)
        stated = runtime.read_key(call.alias, call.request, call.path, call.body)
        if stated is None or not role.handle:
            return stated
        return self._store.creations.find_key(call.namespace.name, runtime.name, role.handle, stated)

    def creation(self, call: Call, key: str) -> CreationRecord | None:
        """Return the record of the request that created the resource of a call.

        For a call that creates, it is the call itself, without its CSR and its name: they are not
        validated yet.
        """
        if call.runtime.role(call.alias).creates:
            creation = self._key_factory(call.runtime).record(0, call.request, call.path, call.body)
            return creation._replace(csr="", common_name="")
        return self._store.creations.get(call.namespace.name, call.runtime.name, key)

    # Calls to resources that are not plain

    def _advance_stateful(self, call: Call, key: str, *, is_new: bool) -> Response:
        """Advance a resource by a call, send its webhooks, and return the response."""
        runtime, name, stored = call.runtime, call.namespace.name, call.runtime.stored
        change: DataChange | None = None
        item: Item | None = None
        if stored is not None:
            begun = self._begin_change(stored, call, key)
            if isinstance(begun, Response):
                return begun
            change = begun
        predicates = runtime.predicates(call.request, call.path, call.body)
        decision = self._store.advance(
            name, runtime.name, key, call.now, call.alias, runtime.steps,
            runtime.selection.choose, (call.request, call.path, call.body),
            predicates, runtime.branch_seed(name, key),
        )  # fmt: skip
        if runtime.resource.handles and not self._store.creations.has_handles(name, runtime.name, key):
            self._store_handles(call, key, decision.state)
        reached = decision.state
        step = runtime.timeline(reached.scenario)[decision.step]
        renderer = runtime.renderer(step.state, call.alias)
        context = self._context(call, key, step.state, reached, decision.call, decision.changed)
        accepts = decision.answered and (renderer is None or renderer.recipe.status < 300)
        if stored is not None and change is not None:
            item = stored.commit(change, context, decision, accepts=accepts)
            context = context._replace(data=item.body)
        self._notify(call, key, decision, is_new=is_new)
        if not decision.answered:
            return self._unanswered(call, key, step.state, reached)
        response = self._render(call.route, runtime, step, context, call.namespace)
        if stored is not None and change is not None and item is not None:
            stored.finish(response, change, item)
        if runtime.role(call.alias).deletes and response.status < 300:
            if stored is not None:
                stored.remove(name, key, call.path)
            self._store.delete(name, runtime.name, key)
        return response

    def _begin_change(self, stored: StoredData, call: Call, key: str) -> DataChange | Response:
        """Return what a call will do to the stored data, or its refusal. A new key gets its first state."""
        namespace, runtime = call.namespace, call.runtime
        state = known = stored.settle(namespace, key, call.now)
        if state is None:
            state = initial_state(runtime.selection.choose(call.request, call.path, call.body), call.now)
        change = stored.begin(
            call.route, call.request, call.path, call.checked, namespace.name, key, state, call.now,
            is_new=known is None,
        )  # fmt: skip
        if known is None and not isinstance(change, Response):
            self._store.put(namespace.name, runtime.name, key, state)
        return change

    def _respond_to_head(self, call: Call, key: str, known: ResourceState | None) -> Response:
        """Return the response to HEAD: that of GET, without a change of the state."""
        runtime = call.runtime
        if runtime.stored is not None:
            known = runtime.stored.settle(call.namespace, key, call.now)
        if known is None:
            known = initial_state(runtime.selection.choose(call.request, call.path, call.body), call.now)
        state = runtime.at(call.now, known, call.namespace.name, key)
        step = runtime.timeline(state.scenario)[state.step]
        if step.answers and call.alias not in step.answers:
            return self._unanswered(call, key, step.state, state)
        context = self._context(call, key, step.state, state, state.calls + 1, state.changed)
        context = context._replace(data=self.data(call, key))
        return self._render(call.route, runtime, step, context, call.namespace)

    def _create(self, call: Call, scenario: str | None) -> Response:
        """Create a resource and return the response. An error response of its first state creates none.

        Raises InvalidCsr.
        """
        runtime, name, stored = call.runtime, call.namespace.name, call.runtime.stored
        factory = self._key_factory(runtime)
        violation = factory.csr_violation(factory.record(0, call.request, call.path, call.body))
        if violation is not None:
            raise InvalidCsr(violation)
        number, key = factory.fresh(self._store, name, lambda key: self.data(call, key) is not None)
        creation = factory.record(number, call.request, call.path, call.body)
        chosen = scenario or runtime.selection.choose(call.request, call.path, call.body)
        state = initial_state(chosen, call.now)
        step = runtime.timeline(chosen)[0]
        context = self._context(call, key, step.state, state, 0, call.now, creation)
        change: DataChange | None = None
        if stored is not None:
            begun = stored.begin_creation(
                call.route, call.request, call.path, call.checked, name, key, call.now, context
            )
            if isinstance(begun, Response):
                return begun
            change = begun
            context = context._replace(data=encode_json(change.value))
        response = self._render(call.route, runtime, step, context, call.namespace)
        if response.status < 300:
            self._locate(call, step.state, key, response)
            self._store.create(name, runtime.name, key, state, creation)
            if stored is not None and change is not None:
                stored.finish(response, change, stored.create(change), "data=created")
            self._store_handles(call, key, state)
            self._notify(call, key, Decision(0, 0, call.now, 0, state), is_new=True)
        return response

    @staticmethod
    def _locate(call: Call, state: str, key: str, response: Response) -> None:
        """Set ``Location`` of a creation to the path that reads it, unless the state sets the field."""
        renderer = call.runtime.renderer(state, call.alias)
        if renderer is not None and "location" in map(str.lower, renderer.recipe.headers):
            return
        is_documented = any(name == "location" for name, _ in response.headers)
        target = call.runtime.location(call.alias, key, call.request.raw_path)
        if target is not None and (is_documented or response.status == 201):
            set_location(call.route, call.request, response, target)

    def _missing(self, call: Call, key: str) -> Response:
        """Return the response to a call whose resource does not exist and is not created by the call."""
        shown = f" {key}" if key else ""
        return self._override(
            call, key, call.runtime.resource.unknown or "404", "unknown",
            f"there is no {call.runtime.name}{shown}",
        )  # fmt: skip

    def _unanswered(self, call: Call, key: str, state: str, reached: ResourceState) -> Response:
        """Return the response to a call for which the current state has no response."""
        detail = f"the {call.runtime.name} {key} is {state}, which has no response to {call.alias}"
        return self._override(
            call, key, call.runtime.resource.unanswered, f"unanswered; state={state}", detail, reached
        )

    def _override(
        self, call: Call, key: str, by: str, cause: str, detail: str, reached: ResourceState | None = None
    ) -> Response:
        """Return a response outside of the timeline: of the state or the status ``by``."""
        renderer = call.runtime.renderer(by, call.alias)
        if renderer is not None:
            state = reached or initial_state("", call.now)
            context = self._context(call, key, by, state, 0, state.changed)
            context = context._replace(data=self.data(call, key) if key else None)
            return rendered(renderer, context, f"{cause}; by={by}", self._providers.seed, call.namespace)
        status = int(by) if by.isdigit() else 409 if reached is not None else 404
        return refused(call.route, call.request, call.now, status, detail, f"{cause}; status={status}")

    # Common parts

    def data(self, call: Call, key: str) -> bytes | None:
        """Return the stored data of the resource of a call; None if it has none."""
        stored = call.runtime.stored
        item = stored.item(call.namespace.name, key, call.path) if stored is not None else None
        return item.body if item is not None else None

    def _context(
        self,
        call: Call,
        key: str,
        state: str,
        reached: ResourceState,
        number: int,
        changed: int,
        creation: CreationRecord | None = None,
    ) -> RenderContext:
        runtime = call.runtime
        return RenderContext(
            call.namespace.name, runtime.name, key, state, reached.scenario, number, reached.created, changed,
            call.now, call.request, call.path, call.body,
            creation=creation or self._store.creations.get(call.namespace.name, runtime.name, key),
            transitions=reached.transitions,
        )  # fmt: skip

    def _store_handles(self, call: Call, key: str, state: ResourceState) -> None:
        """Render the handles of a new resource and store them."""
        runtime = call.runtime
        handles = runtime.resource.handles
        if handles:
            context = self._context(call, key, "", state, 0, state.changed)
            values = TemplateValues(context, self._providers)
            names = {
                name: runtime.normal(str(compile_template(source)(values)))
                for name, source in handles.items()
            }
            self._store.creations.set_handles(call.namespace.name, runtime.name, key, names)

    def _notify(self, call: Call, key: str, decision: Decision, *, is_new: bool) -> None:
        """Send the webhooks of the states that a resource entered."""
        if call.runtime.resource.webhooks:
            state = decision.state
            born = [(0, state.created)] if is_new else []
            self._webhooks.entered(call.runtime, call.namespace, key, state, (*born, *decision.entered))

    def _check_page(self, listing: Listing, call: Call) -> None:
        """Validate the cursor of a request to a list operation.

        Raises InvalidCsr if validation is strict; else adds the violation to the call.
        """
        violation = listing.violation(call.request) if self._validation != "off" else None
        if violation is None:
            return
        if self._validation == "strict":
            raise InvalidCsr(violation)
        call.checked.violations = (*call.checked.violations, violation)
        call.checked.status = call.checked.status or 422

    def _key_factory(self, runtime: ResourceRuntime) -> KeyFactory:
        factory = self._key_factories.get(runtime.name)
        if factory is None:
            service = runtime.service
            factory = KeyFactory(runtime.resource, service.schemas, service.fakes, self._providers)
            self._key_factories[runtime.name] = factory
        return factory

    def _listing(self, call: Call) -> Listing:
        operation_key = call.runtime.name, call.alias
        listing = self._listings.get(operation_key)
        if listing is None:
            role, operation = call.runtime.role(call.alias), call.route.operation
            listing = Listing(call.runtime, call.alias, role, operation)
            self._listings[operation_key] = listing
        return listing
