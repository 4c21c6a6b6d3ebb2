"""The stored data of a resource of a scenario file: its operations update it, and its states write it.

It is the data of ``mockserver.engine.data``. The timeline decides each response; the data fills what the
state leaves open. What a state writes is stored in the atomic step of the transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from mockserver.engine.data.bases import Origin
from mockserver.engine.data.calls import Changed, DataCall, DataCalls
from mockserver.engine.data.references import Address, decoded
from mockserver.engine.data.responses import place, set_entity_tag
from mockserver.engine.data.runtime import DataRuntime
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues, data_fields
from mockserver.engine.resources.render import builder
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.resources.webhooks import WebhookSender
from mockserver.engine.service import Route
from mockserver.media.json import encode_json, merge_patch
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace, Namespaces
from mockserver.plan import JSON, SchemaRef
from mockserver.state.machine import Decision, ResourceState
from mockserver.state.protocol import Store
from mockserver.state.tables import Item

Entries = Sequence[tuple[int, int]]
"""The steps that a resource entered, and when: indices and milliseconds."""


class DataChange(NamedTuple):
    """What a call does to the stored data, before the timeline has decided."""

    call: DataCall
    known: Item | None
    value: dict[str, Any]
    """The value before the request."""
    changed: Changed | None
    """The value after the request, if its operation updates the data."""


class StoredData:
    """Reads and writes the data of one resource of a scenario file."""

    def __init__(
        self,
        runtime: ResourceRuntime,
        data: DataRuntime,
        calls: DataCalls,
        store: Store,
        namespaces: Namespaces,
        providers: Providers,
    ) -> None:
        self.webhooks: WebhookSender | None = None
        """Sends the webhooks of states that are entered by time."""
        self._runtime = runtime
        self._data = data
        self._calls = calls
        self._store = store
        self._namespaces = namespaces
        self._providers = providers
        states = runtime.resource.states.values()
        self._writes = {state.name: builder(state.writes) for state in states if state.writes}
        self._is_timed = bool(self._writes) and any(
            step.after for scenario in runtime.resource.scenarios.values() for step in scenario.steps
        )
        data.stored = self

    # Items

    def address(self, namespace: str, key: str, path: Mapping[str, str]) -> Address:
        """Return the place of an item; ``path``: the parameters of a request that may name its parents."""
        data, key = self._data, self._data.normal(key)
        parents = data.resource.parents
        if all(name in path for name in parents):
            return Address(namespace, "/".join(quote(path[name], safe="") for name in parents), key)
        entries = self._store.data.all(namespace, data.name)
        return Address(namespace, next((parent for parent, other, _ in entries if other == key), ""), key)

    def item(self, namespace: str, key: str, path: Mapping[str, str]) -> Item | None:
        """Return the item of a resource, or None."""
        return self._data.get(self.address(namespace, key, path))

    def items(self, namespace: str) -> dict[str, Item]:
        """Return all items of a namespace by key, as they are now."""
        return {key: item for _, key, item in self._data.all(namespace)}

    def remove(self, namespace: str, key: str, path: Mapping[str, str]) -> None:
        """Delete the item of a resource, and its state."""
        self._data.remove(self.address(namespace, key, path))

    def forget(self, namespace: str, key: str) -> None:
        """Delete the state of an item that was deleted."""
        self._store.delete(namespace, self._runtime.name, self._runtime.normal(key))

    def clear(self, namespace: str) -> None:
        """Delete all items of a namespace."""
        self._store.reset(namespace, self._data.name)

    def prepare(self, namespace: str, now: int) -> None:
        """Store the data at first of a namespace, if it has not got it."""
        if not self._calls.has_seeds(namespace):
            self._calls.seed(namespace, now)

    # The time

    def settle(self, namespace: Namespace, key: str, now: int) -> ResourceState | None:
        """Let a resource enter the steps whose time has come, and return its state; None if it has none."""
        runtime, key = self._runtime, self._runtime.normal(key)
        known = self._store.peek(namespace.name, runtime.name, key)
        if known is None or not runtime.has_step(known):
            return None
        trail: list[tuple[int, int]] = []
        state = runtime.at(now, known, namespace.name, key, trail)
        if trail:
            self._store.put(namespace.name, runtime.name, key, state)
            self.write(namespace.name, key, state, trail)
            if self.webhooks is not None:
                self.webhooks.entered(runtime, namespace, key, state, trail)
        return state

    def current(self, namespace: str, entries: Iterable[tuple[str, Item]]) -> list[tuple[str, Item]]:
        """Return items with what the states write that time has let them enter since the last call."""
        found = list(entries)
        if not self._is_timed or not found:
            return found
        runtime, now = self._runtime, self._namespaces.get_or_default(namespace).clock.now()
        states = dict(self._store.items(namespace, runtime.name))
        for index, (key, item) in enumerate(found):
            name = runtime.normal(key)
            known = states.get(name)
            if known is None or not runtime.has_step(known):
                continue
            trail: list[tuple[int, int]] = []
            state = runtime.at(now, known, namespace, name, trail)
            before = decoded(item)
            value = self._entered(before, self._context(namespace, name, state), trail)
            if value != before:
                body = encode_json(value)
                found[index] = key, item._replace(body=body, changed=now, version=item.version + 1)
        return found

    # A call

    def begin(
        self, route: Route, request: Request, path: dict[str, str], checked: Checked, namespace: str,
        key: str, state: ResourceState, now: int, *, is_new: bool,
    ) -> DataChange | Response:  # fmt: skip
        """Return what a call will do to the data, or the response that refuses it. Nothing is stored.

        ``state``: the state of the resource when the call arrives; ``is_new``: the call begins it.
        """
        call, item = self._call(route, request, path, checked, namespace, key, now)
        if item is not None and (early := self._calls.responses.precondition(call, item)) is not None:
            return early
        value = decoded(item) if item is not None else self._calls.new_value(call, call.address, key, {})
        if item is None or is_new:
            context = self._context(namespace, key, state)
            context = context._replace(request=request, path=path, body=checked.body)
            value = self._entered(value, context, [(state.step, state.entered)])
        changed = None
        if self._runtime.role(route.alias).updates:
            created = item.created if item is not None else now
            found = self._calls.changed(call, value, created)
            if isinstance(found, Response):
                return found
            changed = found
        return DataChange(call, item, value, changed)

    def begin_creation(
        self, route: Route, request: Request, path: dict[str, str], checked: Checked, namespace: str,
        key: str, now: int, context: RenderContext,
    ) -> DataChange | Response:  # fmt: skip
        """Return the data of a new resource in its first state, or the response that refuses it."""
        call, _ = self._call(route, request, path, checked, namespace, key, now)
        sent = self._calls.sent(call)
        if isinstance(sent, Response):
            return sent
        value = self._calls.new_value(call, call.address, key, sent)
        return DataChange(call, None, self._entered(value, context, [(0, now)]), None)

    def create(self, change: DataChange) -> Item:
        """Store the data of a new resource."""
        return self._data.put(change.call.address, change.value, change.call.now)

    def commit(
        self, change: DataChange, context: RenderContext, decision: Decision, *, accepts: bool
    ) -> Item:
        """Store the data after a call, and return the item that its response shows.

        ``accepts``: whether the state responds with a success, so that the update of the request counts.
        """
        call, value = change.call, change.value
        if change.changed is not None and accepts:
            value = change.changed.value
        step = self._runtime.timeline(decision.state.scenario)[decision.step]
        has_ended = decision.answered and bool(step.calls) and decision.call >= step.calls
        split = len(decision.entered) - has_ended
        shown = self._entered(value, context, decision.entered[:split])
        item = self._put(call.address, shown, call.now, change.known)
        after = self._entered(shown, context, decision.entered[split:])
        self._put(call.address, after, call.now, item)
        return item

    @staticmethod
    def finish(response: Response, change: DataChange, item: Item, decision: str = "") -> None:
        """Add what was done to the data to the decision of a response, and the entity tag of the item."""
        decision = change.changed.decision if change.changed is not None else decision
        if decision and 200 <= response.status < 300:
            response.decision = f"{response.decision}; {decision}"
        set_entity_tag(response, change.call.route.operation, item)

    # States

    def write(self, namespace: str, key: str, state: ResourceState, entries: Entries) -> None:
        """Store what entered states write into the data of a resource, if it has an item."""
        if not self._writes:
            return
        address = self.address(namespace, key, {})
        item = self._data.get(address)
        if item is not None:
            value = self._entered(decoded(item), self._context(namespace, key, state), entries)
            self._put(address, value, entries[-1][1] if entries else item.changed, item)

    def _entered(self, value: dict[str, Any], context: RenderContext, entries: Entries) -> dict[str, Any]:
        """Return a value after what the states write that a resource entered."""
        for index, moment in entries if self._writes else ():
            name = self._runtime.timeline(context.scenario)[index].state
            writes = self._writes.get(name)
            if writes is None:
                continue
            entered = context._replace(
                state=name, call=0, changed=moment, now=moment, data=encode_json(value)
            )
            patch: dict[str, Any] = writes(TemplateValues(entered, self._providers))
            known, value = value, merge_patch(value, patch)
            self._data.keep_key(value, known)
            self._data.stamped(value, context.created, moment, patch)
        return value

    # Responses

    def fields(self, alias: str, schema: SchemaRef, *, is_item: bool) -> StoredFields:
        """Return what responses of an operation show of the data.

        ``schema``: of the body; ``is_item``: the body is one item of a list.
        """
        operations = self._runtime.service.document.operations
        wanted = self._runtime.resource.operations[alias]
        found = self._data.resource.operations.items()
        operation = next(operation for index, operation in found if operations[index].id == wanted)
        if is_item or operation.schema is None or not operation.path:
            return StoredFields(self._data, schema, ())
        return StoredFields(self._data, operation.schema, operation.path)

    # Common parts

    def _call(
        self, route: Route, request: Request, path: dict[str, str], checked: Checked, namespace: str,
        key: str, now: int,
    ) -> tuple[DataCall, Item | None]:  # fmt: skip
        assert route.data is not None  # noqa: S101 - the Plan names every operation
        address = self.address(namespace, key, path)
        call = DataCall(route, self._data, route.data[1], request, path, checked, address, now)
        return call, self._data.get(address)

    def _put(self, address: Address, value: dict[str, Any], now: int, known: Item | None) -> Item:
        """Store a value, unless it is the known one."""
        if known is not None and known.body == encode_json(value):
            return known
        return self._data.put(address, value, now, known)

    def _context(self, namespace: str, key: str, state: ResourceState) -> RenderContext:
        creation = self._store.creations.get(namespace, self._runtime.name, key)
        return RenderContext(
            namespace, self._runtime.name, key, "", state.scenario, 0, state.created, state.changed,
            state.changed, creation=creation, transitions=state.transitions,
        )  # fmt: skip


class StoredFields:
    """What a response shows of the stored data of its resource."""

    def __init__(self, data: DataRuntime, schema: SchemaRef, path: tuple[str, ...]) -> None:
        """``path``: where the item with this schema is in the body."""
        self._data = data
        self._path = path
        self._projection = data.projection(schema)

    def select(self, context: RenderContext) -> dict[str, JSON]:
        """Return the fields of the data that the body may have."""
        placed = place({}, self._path, self._projection.visible(data_fields(context)))
        return placed if isinstance(placed, dict) else {}

    def fill(self, generated: JSON, context: RenderContext) -> JSON:
        """Return a generated body with the data in it: optional fields that the data lacks are not there."""
        seed = self._data.seed_of(Address(context.namespace, "", context.key))
        hints = {**context.path, **self._data.key_hints(context.key)}
        found = self._projection.project(data_fields(context), Origin(seed, hints, context.created))
        return place(generated, self._path, found.value)
