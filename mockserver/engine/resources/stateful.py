"""Resources whose file tells more than a timeline: born, listed, moved by operations, ended.

The stage between validation and rendering for such resources; those that are a
key and a timeline alone never come here. Every call is one atomic step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mockserver.engine.request.validation import Checked, Objection
from mockserver.engine.resources.context import Context, Makers, Subject
from mockserver.engine.resources.create import Creation
from mockserver.engine.resources.listing import Listing
from mockserver.engine.resources.runtime import Lifecycle, decided, documented, paced, refused, rendered
from mockserver.engine.resources.templates import compile_template
from mockserver.engine.resources.webhooks import Notifier
from mockserver.engine.service import Route
from mockserver.messages import Answer, Request
from mockserver.namespaces.namespaces import World
from mockserver.state.machine import Decision, ResourceState, begin, settle
from mockserver.state.protocol import Store
from mockserver.state.tables import Birth


class Call(NamedTuple):
    """One request at one resource's file, with what the stages before found."""

    route: Route
    lifecycle: Lifecycle
    request: Request
    path: dict[str, str]
    checked: Checked
    world: World
    now: int

    @property
    def alias(self) -> str:
        return self.route.alias

    @property
    def body(self) -> Any:
        return self.checked.body


class Lives:
    """Answers for the resources of an engine."""

    def __init__(self, store: Store, makers: Makers, notifier: Notifier, validation: str) -> None:
        """``validation``: off, warn or strict."""
        self._store = store
        self._validation = validation
        self._notifier = notifier
        self._makers = makers
        self._creations: dict[str, Creation] = {}
        self._listings: dict[tuple[str, str], Listing] = {}

    def answer(self, call: Call, scenario: str | None) -> Answer:
        """The answer of an operation; ``scenario`` is the one that the client prefers.

        Raises Objection, and MockServerError for what cannot be answered.
        """
        role = call.lifecycle.role(call.alias)
        if role.lists is not None:
            listing = self._listing(call)
            self._check_page(listing, call)
            return listing.answer(call.request, call.path, call.checked, call.world, call.now, self._store)
        if role.creates:
            return self._created(call, scenario)
        key = self.key(call)
        if key is None:
            return self._unknown(call, "")
        known = self._store.peek(call.world.name, call.lifecycle.name, key)
        if scenario is not None:
            if known is None or known.scenario != scenario:
                known = begin(scenario, call.now)
                self._store.put(call.world.name, call.lifecycle.name, key, known)
        elif known is None and call.lifecycle.resource.unknown:
            return self._unknown(call, key)
        if call.request.method == "HEAD" and call.route.operation.method != "HEAD":
            return self._looked_at(call, key, known)
        return self._asked(call, key, is_new=known is None)

    def key(self, call: Call) -> str | None:
        """The key that a request means, by itself or by a handle; None where it means none."""
        lifecycle, role = call.lifecycle, call.lifecycle.role(call.alias)
        if role.creates:
            return self._creation(lifecycle).key(call.world.name, 0)
        stated = lifecycle.read_key(call.alias, call.request, call.path, call.body)
        if stated is None or not role.handle:
            return stated
        return self._store.births.named(call.world.name, lifecycle.name, role.handle, stated)

    def birth(self, call: Call, key: str) -> Birth | None:
        """What created the resource of a call: its own request where it is one that creates.

        What that one wants certified is left aside: nobody has looked whether it can be.
        """
        if call.lifecycle.role(call.alias).creates:
            birth = self._creation(call.lifecycle).birth(0, call.request, call.path, call.body)
            return birth._replace(csr="", common_name="")
        return self._store.births.get(call.world.name, call.lifecycle.name, key)

    # One of several operations each

    def _asked(self, call: Call, key: str, *, is_new: bool) -> Answer:
        """A call to a resource: decided, counted, answered."""
        lifecycle, name = call.lifecycle, call.world.name
        facts = lifecycle.facts(call.request, call.path, call.body)
        decision = self._store.call(
            name, lifecycle.name, key, call.now, call.alias, lifecycle.steps,
            lifecycle.selection.choose, (call.request, call.path, call.body),
            facts, lifecycle.dice(name, key),
        )  # fmt: skip
        if lifecycle.resource.handles and not self._store.births.has_name(name, lifecycle.name, key):
            self._name(call, key, decision.state)
        self._entered(call, key, decision, is_new=is_new)
        left = decision.state
        step = lifecycle.timeline(left.scenario)[decision.step]
        if not decision.answered:
            return self._unanswered(call, key, step.state, left)
        subject = self._subject(call, key, step.state, left, decision.call, decision.changed)
        answer = self._rendered(call, subject)
        if step.delay is not None or step.dribble is not None:
            paced(answer, step.delay, step.dribble, subject, self._makers.seed, call.world)
        answer.fault = step.fault or answer.fault
        if lifecycle.role(call.alias).deletes and answer.status < 300:
            self._store.delete(name, lifecycle.name, key)
        return answer

    def _looked_at(self, call: Call, key: str, known: ResourceState | None) -> Answer:
        """HEAD: what GET would answer, and nothing moves."""
        lifecycle = call.lifecycle
        if known is None:
            known = begin(lifecycle.selection.choose(call.request, call.path, call.body), call.now)
        steps = lifecycle.timeline(known.scenario)
        state = settle(steps, known, call.now, lifecycle.dice(call.world.name, key))
        step = steps[state.step]
        if step.answers and call.alias not in step.answers:
            return self._unanswered(call, key, step.state, state)
        return self._rendered(
            call, self._subject(call, key, step.state, state, state.calls + 1, state.changed)
        )

    def _created(self, call: Call, scenario: str | None) -> Answer:
        """A resource comes into being, unless the state that it would begin with refuses."""
        lifecycle, name = call.lifecycle, call.world.name
        creation = self._creation(lifecycle)
        objection = creation.objection(creation.birth(0, call.request, call.path, call.body))
        if objection is not None:
            raise Objection(objection)
        number, key = creation.fresh(self._store, name)
        birth = creation.birth(number, call.request, call.path, call.body)
        chosen = scenario or lifecycle.selection.choose(call.request, call.path, call.body)
        state = begin(chosen, call.now)
        step = lifecycle.timeline(chosen)[0]
        subject = self._subject(call, key, step.state, state, 0, call.now, birth)
        answer = self._rendered(call, subject)
        if step.delay is not None or step.dribble is not None:
            paced(answer, step.delay, step.dribble, subject, self._makers.seed, call.world)
        answer.fault = step.fault or answer.fault
        if answer.status < 300:
            self._store.create(name, lifecycle.name, key, state, birth)
            self._name(call, key, state)
            self._entered(call, key, Decision(0, 0, call.now, 0, state), is_new=True)
        return answer

    def _unknown(self, call: Call, key: str) -> Answer:
        """Nothing of that key exists, and asking for it creates nothing."""
        shown = f" {key}" if key else ""
        return self._apart(
            call, key, call.lifecycle.resource.unknown or "404", "unknown",
            f"there is no {call.lifecycle.name}{shown}",
        )  # fmt: skip

    def _unanswered(self, call: Call, key: str, state: str, left: ResourceState) -> Answer:
        detail = f"the {call.lifecycle.name} {key} is {state}, which has no answer to {call.alias}"
        return self._apart(
            call, key, call.lifecycle.resource.unanswered, f"unanswered; state={state}", detail, left
        )

    def _apart(
        self, call: Call, key: str, by: str, why: str, detail: str, left: ResourceState | None = None
    ) -> Answer:
        """An answer beside the timeline: a state's, or a status in the document's words."""
        renderer = call.lifecycle.renderer(by, call.alias)
        if renderer is not None:
            state = left or begin("", call.now)
            subject = self._subject(call, key, by, state, 0, state.changed)
            return rendered(renderer, subject, f"{why}; by={by}", self._makers.seed, call.world)
        status = int(by) if by.isdigit() else 409 if left is not None else 404
        return refused(call.route, call.request, call.now, status, detail, f"{why}; status={status}")

    # What they share

    def _rendered(self, call: Call, subject: Subject) -> Answer:
        renderer = call.lifecycle.renderer(subject.state, call.alias)
        if renderer is None:
            return documented(call.route, call.path, call.request, call.now)
        decision = decided(subject.scenario, subject.state, subject.call)
        return rendered(renderer, subject, decision, self._makers.seed, call.world)

    def _subject(
        self,
        call: Call,
        key: str,
        state: str,
        left: ResourceState,
        number: int,
        changed: int,
        birth: Birth | None = None,
    ) -> Subject:
        lifecycle = call.lifecycle
        return Subject(
            call.world.name, lifecycle.name, key, state, left.scenario, number, left.created, changed,
            call.now, call.request, call.path, call.body,
            birth=birth or self._store.births.get(call.world.name, lifecycle.name, key), moves=left.moves,
        )  # fmt: skip

    def _name(self, call: Call, key: str, state: ResourceState) -> None:
        """Let a new resource be known by its handles."""
        lifecycle = call.lifecycle
        handles = lifecycle.resource.handles
        if handles:
            subject = self._subject(call, key, "", state, 0, state.changed)
            context = Context(subject, self._makers)
            names = {
                name: lifecycle.normal(str(compile_template(source)(context)))
                for name, source in handles.items()
            }
            self._store.births.name(call.world.name, lifecycle.name, key, names)

    def _entered(self, call: Call, key: str, decision: Decision, *, is_new: bool) -> None:
        """Let those who wait for it know of the states that were entered."""
        if call.lifecycle.resource.notices:
            state = decision.state
            born = [(0, state.created)] if is_new else []
            self._notifier.entered(call.lifecycle, call.world, key, state, (*born, *decision.entered))

    def _check_page(self, listing: Listing, call: Call) -> None:
        """Refuse a page that there cannot be, or tell of it, as requests that break the document are."""
        violation = listing.violation(call.request) if self._validation != "off" else None
        if violation is None:
            return
        if self._validation == "strict":
            raise Objection(violation)
        call.checked.violations = (*call.checked.violations, violation)
        call.checked.status = call.checked.status or 422

    def _creation(self, lifecycle: Lifecycle) -> Creation:
        known = self._creations.get(lifecycle.name)
        if known is None:
            service = lifecycle.service
            known = Creation(lifecycle.resource, service.schemas, service.fakes, self._makers)
            self._creations[lifecycle.name] = known
        return known

    def _listing(self, call: Call) -> Listing:
        place = call.lifecycle.name, call.alias
        known = self._listings.get(place)
        if known is None:
            role, operation = call.lifecycle.role(call.alias), call.route.operation
            known = Listing(call.lifecycle, call.alias, role, operation)
            self._listings[place] = known
        return known
