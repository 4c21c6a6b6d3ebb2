"""Calls to resources: a step of the timeline decides each one and renders its response.

A plain resource is a key and a timeline. Others are created, listed, transitioned by operations and
deleted, are known by handles, or send webhooks. Every call is one atomic step of the store.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mockserver.engine.prefer import PreferenceError
from mockserver.engine.request.validation import Checked, InvalidCsr
from mockserver.engine.resources.context import Context, Providers, RenderContext
from mockserver.engine.resources.create import KeyFactory
from mockserver.engine.resources.listing import Listing
from mockserver.engine.resources.runtime import (
    ResourceRuntime,
    apply_delay,
    decision_text,
    documented,
    refused,
    rendered,
)
from mockserver.engine.resources.templates import compile_template
from mockserver.engine.resources.webhooks import WebhookSender
from mockserver.engine.service import Route
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Step
from mockserver.state.machine import Decision, ResourceState, advance_time, initial_state
from mockserver.state.protocol import Store
from mockserver.state.tables import CreationRecord


class Call(NamedTuple):
    """One request at one resource's file, with what the stages before found."""

    route: Route
    runtime: ResourceRuntime
    request: Request
    path: dict[str, str]
    checked: Checked
    namespace: Namespace
    now: int

    @property
    def alias(self) -> str:
        return self.route.alias

    @property
    def body(self) -> Any:
        return self.checked.body


class Resources:
    """Responds for the resources of an engine."""

    def __init__(self, store: Store, providers: Providers, webhooks: WebhookSender, validation: str) -> None:
        """``validation``: off, warn or strict."""
        self._store = store
        self._validation = validation
        self._webhooks = webhooks
        self._makers = providers
        self._creations: dict[str, KeyFactory] = {}
        self._listings: dict[tuple[str, str], Listing] = {}

    def call_resource(self, call: Call, scenario: str | None) -> Response:
        """Return the response to a call; ``scenario`` is the one that the client prefers.

        Raises InvalidCsr, PreferenceError for an unknown scenario, and MockServerError for what cannot
        be rendered.
        """
        runtime = call.runtime
        if scenario is not None and runtime.steps(scenario) is None:
            known = ", ".join(name for name in runtime.resource.scenarios if ":" not in name)
            raise PreferenceError(f"Prefer: scenario={scenario} is none of {known}")
        role = runtime.role(call.alias)
        if role.lists is not None:
            listing = self._listing(call)
            self._check_page(listing, call)
            return listing.response(
                call.request, call.path, call.checked, call.namespace, call.now, self._store
            )
        if role.creates:
            return self._created(call, scenario)
        key = self.key(call)
        if key is None:
            if runtime.is_plain:
                return documented(call.route, call.path, call.request, call.now)
            return self._unknown(call, "")
        is_head = call.request.method == "HEAD" and call.route.operation.method != "HEAD"
        if runtime.is_plain and scenario is None and not is_head:
            return self.advance(
                call.route, runtime, key, call.path, call.body, call.request, call.namespace, call.now
            )
        known_state = self._store.peek(call.namespace.name, runtime.name, key)
        if scenario is not None:
            if known_state is None or known_state.scenario != scenario:
                known_state = initial_state(scenario, call.now)
                self._store.put(call.namespace.name, runtime.name, key, known_state)
        elif known_state is None and runtime.resource.unknown:
            return self._unknown(call, key)
        if is_head:
            return self._looked_at(call, key, known_state)
        if runtime.is_plain:
            return self.advance(
                call.route, runtime, key, call.path, call.body, call.request, call.namespace, call.now
            )
        return self._asked(call, key, is_new=known_state is None)

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
        *,
        is_final: bool = False,
    ) -> Response:
        """Spend one call on a plain resource and return the response of its step.

        ``is_final`` says that nobody changes the header fields of the response, so that constant ones
        can be shared.
        """
        decision = self._store.advance(
            namespace.name, runtime.name, key, now, route.alias, runtime.steps, runtime.selection.choose,
            (request, path, body),
        )  # fmt: skip
        state = decision.state
        if is_final:
            step = runtime.constant(state.scenario, decision.step, route.alias)
            octets = step.body and step.body(namespace.name, key, state.created, decision.changed, now)
            if octets is not None:
                return Response(
                    step.status, step.headers, octets, f"{step.decision}{decision.call}", 0, "", None,
                    route.operation.id, runtime.name, key, (), step.head,
                )  # fmt: skip
        place = state.scenario, decision.call, state.created, decision.changed
        return self.render_step(
            route, runtime, decision.step, place, key, path, body, request, namespace, now
        )

    def render_step(
        self,
        route: Route,
        runtime: ResourceRuntime,
        index: int,
        place: tuple[str, int, int, int],
        key: str,
        path: dict[str, str],
        body: JSON,
        request: Request,
        namespace: Namespace,
        now: int,
    ) -> Response:
        """Return the response of a step of a plain resource.

        ``place``: the scenario, the number of the call, when the resource was created and when its
        state changed (milliseconds).
        """
        scenario, number, created, changed = place
        step = runtime.timeline(scenario)[index]
        subject = RenderContext(
            namespace.name, runtime.name, key, step.state, scenario, number, created, changed, now, request,
            path, body,
        )  # fmt: skip
        return self._render(route, runtime, step, subject, namespace)

    def _render(
        self, route: Route, runtime: ResourceRuntime, step: Step, subject: RenderContext, namespace: Namespace
    ) -> Response:
        """Return the response of a step, with the delay and the fault of the step."""
        renderer = runtime.renderer(step.state, route.alias)
        if renderer is None:
            assert subject.request is not None  # noqa: S101 - a call has one
            return documented(route, dict(subject.path), subject.request, subject.now)
        decision = decision_text(subject.scenario, subject.state, subject.call)
        response = rendered(renderer, subject, decision, self._makers.seed, namespace)
        if step.delay is not None or step.dribble is not None:
            apply_delay(response, step.delay, step.dribble, subject, self._makers.seed, namespace)
        if step.fault:
            response.fault = step.fault
        return response

    def key(self, call: Call) -> str | None:
        """The key that a request means, by itself or by a handle; None where it means none."""
        runtime, role = call.runtime, call.runtime.role(call.alias)
        if role.creates:
            return self._creation(runtime).key(call.namespace.name, 0)
        stated = runtime.read_key(call.alias, call.request, call.path, call.body)
        if stated is None or not role.handle:
            return stated
        return self._store.creations.find_key(call.namespace.name, runtime.name, role.handle, stated)

    def birth(self, call: Call, key: str) -> CreationRecord | None:
        """What created the resource of a call: its own request where it is one that creates.

        What that one wants certified is left aside: nobody has looked whether it can be.
        """
        if call.runtime.role(call.alias).creates:
            birth = self._creation(call.runtime).birth(0, call.request, call.path, call.body)
            return birth._replace(csr="", common_name="")
        return self._store.creations.get(call.namespace.name, call.runtime.name, key)

    # One of several operations each

    def _asked(self, call: Call, key: str, *, is_new: bool) -> Response:
        """A call to a resource: decided, counted, answered."""
        runtime, name = call.runtime, call.namespace.name
        facts = runtime.facts(call.request, call.path, call.body)
        decision = self._store.advance(
            name, runtime.name, key, call.now, call.alias, runtime.steps,
            runtime.selection.choose, (call.request, call.path, call.body),
            facts, runtime.dice(name, key),
        )  # fmt: skip
        if runtime.resource.handles and not self._store.creations.has_handles(name, runtime.name, key):
            self._name(call, key, decision.state)
        self._entered(call, key, decision, is_new=is_new)
        left = decision.state
        step = runtime.timeline(left.scenario)[decision.step]
        if not decision.answered:
            return self._unanswered(call, key, step.state, left)
        subject = self._subject(call, key, step.state, left, decision.call, decision.changed)
        response = self._render(call.route, runtime, step, subject, call.namespace)
        if runtime.role(call.alias).deletes and response.status < 300:
            self._store.delete(name, runtime.name, key)
        return response

    def _looked_at(self, call: Call, key: str, known: ResourceState | None) -> Response:
        """HEAD: what GET would answer, and nothing moves."""
        runtime = call.runtime
        if known is None:
            known = initial_state(runtime.selection.choose(call.request, call.path, call.body), call.now)
        steps = runtime.timeline(known.scenario)
        state = advance_time(steps, known, call.now, runtime.dice(call.namespace.name, key))
        step = steps[state.step]
        if step.answers and call.alias not in step.answers:
            return self._unanswered(call, key, step.state, state)
        subject = self._subject(call, key, step.state, state, state.calls + 1, state.changed)
        return self._render(call.route, runtime, step, subject, call.namespace)

    def _created(self, call: Call, scenario: str | None) -> Response:
        """A resource comes into being, unless the state that it would initial_state with refuses."""
        runtime, name = call.runtime, call.namespace.name
        creation = self._creation(runtime)
        objection = creation.objection(creation.birth(0, call.request, call.path, call.body))
        if objection is not None:
            raise InvalidCsr(objection)
        number, key = creation.fresh(self._store, name)
        birth = creation.birth(number, call.request, call.path, call.body)
        chosen = scenario or runtime.selection.choose(call.request, call.path, call.body)
        state = initial_state(chosen, call.now)
        step = runtime.timeline(chosen)[0]
        subject = self._subject(call, key, step.state, state, 0, call.now, birth)
        response = self._render(call.route, runtime, step, subject, call.namespace)
        if response.status < 300:
            self._store.create(name, runtime.name, key, state, birth)
            self._name(call, key, state)
            self._entered(call, key, Decision(0, 0, call.now, 0, state), is_new=True)
        return response

    def _unknown(self, call: Call, key: str) -> Response:
        """Nothing of that key exists, and asking for it creates nothing."""
        shown = f" {key}" if key else ""
        return self._apart(
            call, key, call.runtime.resource.unknown or "404", "unknown",
            f"there is no {call.runtime.name}{shown}",
        )  # fmt: skip

    def _unanswered(self, call: Call, key: str, state: str, left: ResourceState) -> Response:
        detail = f"the {call.runtime.name} {key} is {state}, which has no answer to {call.alias}"
        return self._apart(
            call, key, call.runtime.resource.unanswered, f"unanswered; state={state}", detail, left
        )

    def _apart(
        self, call: Call, key: str, by: str, why: str, detail: str, left: ResourceState | None = None
    ) -> Response:
        """An answer beside the timeline: a state's, or a status in the document's words."""
        renderer = call.runtime.renderer(by, call.alias)
        if renderer is not None:
            state = left or initial_state("", call.now)
            subject = self._subject(call, key, by, state, 0, state.changed)
            return rendered(renderer, subject, f"{why}; by={by}", self._makers.seed, call.namespace)
        status = int(by) if by.isdigit() else 409 if left is not None else 404
        return refused(call.route, call.request, call.now, status, detail, f"{why}; status={status}")

    # What they share

    def _subject(
        self,
        call: Call,
        key: str,
        state: str,
        left: ResourceState,
        number: int,
        changed: int,
        birth: CreationRecord | None = None,
    ) -> RenderContext:
        runtime = call.runtime
        return RenderContext(
            call.namespace.name, runtime.name, key, state, left.scenario, number, left.created, changed,
            call.now, call.request, call.path, call.body,
            birth=birth or self._store.creations.get(call.namespace.name, runtime.name, key),
            moves=left.transitions,
        )  # fmt: skip

    def _name(self, call: Call, key: str, state: ResourceState) -> None:
        """Let a new resource be known by its handles."""
        runtime = call.runtime
        handles = runtime.resource.handles
        if handles:
            subject = self._subject(call, key, "", state, 0, state.changed)
            context = Context(subject, self._makers)
            names = {
                name: runtime.normal(str(compile_template(source)(context)))
                for name, source in handles.items()
            }
            self._store.creations.set_handles(call.namespace.name, runtime.name, key, names)

    def _entered(self, call: Call, key: str, decision: Decision, *, is_new: bool) -> None:
        """Let those who wait for it know of the states that were entered."""
        if call.runtime.resource.webhooks:
            state = decision.state
            born = [(0, state.created)] if is_new else []
            self._webhooks.entered(call.runtime, call.namespace, key, state, (*born, *decision.entered))

    def _check_page(self, listing: Listing, call: Call) -> None:
        """Refuse a page that there cannot be, or tell of it, as requests that break the document are."""
        violation = listing.violation(call.request) if self._validation != "off" else None
        if violation is None:
            return
        if self._validation == "strict":
            raise InvalidCsr(violation)
        call.checked.violations = (*call.checked.violations, violation)
        call.checked.status = call.checked.status or 422

    def _creation(self, runtime: ResourceRuntime) -> KeyFactory:
        known = self._creations.get(runtime.name)
        if known is None:
            service = runtime.service
            known = KeyFactory(runtime.resource, service.schemas, service.fakes, self._makers)
            self._creations[runtime.name] = known
        return known

    def _listing(self, call: Call) -> Listing:
        place = call.runtime.name, call.alias
        known = self._listings.get(place)
        if known is None:
            role, operation = call.runtime.role(call.alias), call.route.operation
            known = Listing(call.runtime, call.alias, role, operation)
            self._listings[place] = known
        return known
