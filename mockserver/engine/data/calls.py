"""Calls to the operations of inferred resources: they create, read, list, change and delete data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.diagnostics import Violation
from mockserver.engine.data.listing import DataListing
from mockserver.engine.data.patch import PatchError, foreign_operations, is_json_patch, patched
from mockserver.engine.data.references import Address, References, decoded
from mockserver.engine.data.responses import DataResponses
from mockserver.engine.data.runtime import DataRuntime
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources.runtime import refused
from mockserver.engine.service import Route, Service
from mockserver.jsonschema.references import tokens
from mockserver.media.shapes import Shapes
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, DataOperation, Plan
from mockserver.state.protocol import Store
from mockserver.state.tables import Item

_LOG = logging.getLogger("mockserver.data")
_MAX_SHOWN = 5
"""The keys of invalid items that are logged."""


class DataCall(NamedTuple):
    """A request to an operation of an inferred resource."""

    route: Route
    runtime: DataRuntime
    operation: DataOperation
    request: Request
    path: dict[str, str]
    checked: Checked
    address: Address
    now: int

    @property
    def body(self) -> Any:
        """The item in the body of the request."""
        value = self.checked.body
        for name in self.operation.request_path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


class Changed(NamedTuple):
    """The value of an item after a change, and the decision for ``X-Mock-Decision``."""

    value: dict[str, JSON]
    decision: str
    warning: str = ""
    """What was not changed."""


class DataCalls:
    """Handles the calls to the inferred resources of an engine."""

    def __init__(
        self,
        plan: Plan,
        services: Sequence[Service],
        store: Store,
        cache: int,
        *,
        strict: bool,
        references: bool,
    ) -> None:
        """Give each operation of the Plan's inferred resources its route.

        ``cache``: bytes of cached responses; ``strict``: refuse bad cursors; ``references``: refuse keys
        of other resources that do not exist.
        """
        self.runtimes: list[DataRuntime] = []
        self._strict = strict
        self._checks_references = references
        self._store = store
        self._seeded: set[str] = set()
        self._has_seeds = any(resource.seeds for resource in plan.data)
        self.responses = DataResponses(cache)
        self._listings: dict[int, DataListing] = {}
        by_name = {service.document.name: service for service in services}
        shapes = {name: Shapes(service.schemas) for name, service in by_name.items()}
        for resource in plan.data:
            service = by_name[resource.document]
            runtime = DataRuntime(resource, service, shapes[resource.document], store, plan.seed)
            self.runtimes.append(runtime)
            for index, operation in resource.operations.items():
                service.routes[index].data = runtime, operation
        for runtime in self.runtimes:
            runtime.below = [other for other in self.runtimes if other.is_below(runtime)]
            for other in runtime.below:
                if other.is_directly_below(runtime) and not runtime.resource.is_singleton:
                    other.above = runtime
            names = runtime.resource.references.items()
            targets = {field: other for field, name in names for other in self.runtimes if other.name == name}
            runtime.references = References(runtime, targets)

    def call(
        self,
        route: Route,
        request: Request,
        path: dict[str, str],
        checked: Checked,
        namespace: Namespace,
        now: int,
    ) -> Response:
        """Return the response to a valid request."""
        assert route.data is not None  # noqa: S101 - the engine has looked
        runtime, operation = route.data
        if not self.has_seeds(namespace.name):
            self.seed(namespace.name, now)
        address = runtime.address(operation, namespace.name, path, checked.body)
        call = DataCall(route, runtime, operation, request, path, checked, address, now)
        if runtime.stored is not None and operation.verb not in ("creates", "lists"):
            runtime.stored.settle(namespace, address.key, now)
        if self._checks_references and not runtime.has_parent(address):
            return self._unknown_parent(call)
        match operation.verb:
            case "creates":
                return self._create(call)
            case "lists":
                return self._list(call)
        item = self._item(call)
        if item is None and not (operation.verb == "replaces" and self._may_create(call)):
            return self._unknown(call)
        early = self.responses.precondition(call, item)
        if early is not None:
            return early
        match operation.verb:
            case "reads":
                assert item is not None  # noqa: S101 - looked above
                return self.responses.read(call, item)
            case "replaces":
                return self._replace(call, item)
            case "deletes":
                assert item is not None  # noqa: S101 - looked above
                runtime.remove(address)
                return self.responses.item(call, item, operation.status, "data=deleted")
        assert item is not None  # noqa: S101 - looked above
        return self._change(call, item)

    @property
    def cached(self) -> int:
        """The bytes of cached responses."""
        return self.responses.cached

    def has_seeds(self, namespace: str) -> bool:
        """Return whether this process knows that the resources of a namespace have got their seeds."""
        return namespace in self._seeded or not self._has_seeds

    def seed(self, namespace: str, now: int) -> None:
        """Store the items that the resources of a namespace have at first."""
        for runtime in self.runtimes:
            if runtime.resource.seeds:
                runtime.seed(namespace, now)
        self._store.on_commit(lambda: self._seeded.add(namespace))

    def forget(self, namespace: str) -> None:
        """Give the resources of a namespace their seeds again: it was reset."""
        self._seeded.discard(namespace)

    def report_invalid(self, namespaces: Iterable[str]) -> None:
        """Log which stored items the schemas of a new Plan do not allow. They are kept."""
        for namespace in namespaces:
            for runtime in self.runtimes:
                keys = runtime.invalid_keys(namespace)
                if keys:
                    shown = ", ".join(keys[:_MAX_SHOWN]) + (" …" if len(keys) > _MAX_SHOWN else "")
                    _LOG.warning(
                        "namespace %s: items of %s are not valid by the new document: %s",
                        namespace,
                        runtime.name,
                        shown,
                    )

    def export(self, namespace: str) -> dict[str, JSON]:
        """Return the data of a namespace, by the names of files of seeds."""
        return {runtime.resource.file: runtime.export(namespace) for runtime in self.runtimes}

    def _item(self, call: DataCall) -> Item | None:
        """Return the item of a call. A singleton exists from the first call on, until it is deleted."""
        runtime, address = call.runtime, call.address
        item = runtime.get(address)
        if runtime.resource.is_singleton:
            if item is None and call.operation.verb != "replaces":
                value = runtime.new_value(address, call.path, call.now, {})
                runtime.stamped(value, call.now, call.now, {})
                item = runtime.put(address, value, call.now)
            elif item is not None and item.is_deleted:
                return None
        return item

    def _create(self, call: DataCall) -> Response:
        runtime, resource = call.runtime, call.runtime.resource
        sent = self.sent(call)
        if isinstance(sent, Response):
            return sent
        stated = runtime.text_key(sent)
        if stated and runtime.is_possible(stated):
            address = call.address._replace(key=runtime.normal(stated))
            if runtime.get(address) is not None and self._documents(call, 409):
                detail = f"{resource.name} already has an item with the key {stated}"
                return self._refused(call, 409, detail, "data=exists")
            key = stated
        else:
            key = runtime.fresh(call.address)
            address = call.address._replace(key=runtime.normal(key))
        item = self._new_item(call, address, key, sent)
        response = self.responses.item(
            call._replace(address=address), item, call.operation.status, "data=created"
        )
        template, raw_path = call.route.operation.path, call.request.raw_path
        target = runtime.location(call.operation, template, raw_path, call.path, key)
        if target is not None:
            self.responses.locate(call, response, target)
        return response

    def _new_item(self, call: DataCall, address: Address, key: str, sent: Mapping[str, JSON]) -> Item:
        """Store a new item: what the client sent, over a generated value."""
        return call.runtime.put(address, self.new_value(call, address, key, sent), call.now)

    @staticmethod
    def new_value(call: DataCall, address: Address, key: str, sent: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return the value of a new item: what the client sent, over a generated value."""
        runtime = call.runtime
        value = runtime.new_value(address, {**call.path, **runtime.key_hints(key)}, call.now, sent)
        runtime.set_key(value, key)
        runtime.references.complete(value, address, sent)
        runtime.set_listed(value, sent)
        runtime.set_path_fields(value, call.operation, call.path)
        runtime.stamped(value, call.now, call.now, sent)
        runtime.agree(value, call.operation, address, call.path, call.now, sent)
        return value

    def sent(self, call: DataCall) -> dict[str, JSON] | Response:
        """Return the fields of a request that are stored, or the refusal of a reference to a missing item."""
        sent = call.runtime.fields.writable(call.body, call.operation.request_schema)
        named = {field: call.path.get(name, "") for name, field in call.operation.fields.items()}
        return self._unknown_reference(call, sent | named) or sent

    def _may_create(self, call: DataCall) -> bool:
        """Return whether PUT to an unknown key creates the item."""
        if call.runtime.resource.is_singleton or self._documents(call, 201):
            return True
        return call.operation.keyed_by_body or not any(
            operation.verb == "creates" for operation in call.runtime.resource.operations.values()
        )

    def _replace(self, call: DataCall, item: Item | None) -> Response:
        runtime, address = call.runtime, call.address
        if item is not None and not item.is_deleted:
            return self._change(call, item)
        if isinstance(call.body, list):  # a JSON Patch, whatever the method is
            return self._unknown(call)
        sent = self.sent(call)
        if isinstance(sent, Response):
            return sent
        key = "" if runtime.resource.is_singleton else call.path.get(call.operation.key, address.key)
        item = self._new_item(call, address, key, sent)
        status = 201 if self._documents(call, 201) else call.operation.status
        response = self.responses.item(call, item, status, "data=created")
        if status == 201:
            self.responses.locate(call, response, call.request.raw_path)
        return response

    def _change(self, call: DataCall, item: Item) -> Response:
        """Store the new value of an item, unless it makes the item invalid."""
        changed = self.changed(call, decoded(item), item.created)
        if isinstance(changed, Response):
            return changed
        item = call.runtime.put(call.address, changed.value, call.now, item)
        response = self.responses.item(call, item, call.operation.status, changed.decision)
        if changed.warning:
            response.warnings = (*response.warnings, changed.warning)
        return response

    def changed(self, call: DataCall, known: dict[str, Any], created: int) -> Changed | Response:
        """Return the value of an item after a request that replaces or merges it, or its refusal.

        ``known``: the value before; ``created``: the time of its creation.
        """
        if call.operation.verb == "replaces" and not isinstance(call.body, list):
            sent = self.sent(call)
            if isinstance(sent, Response):
                return sent
            value = call.runtime.fields.server_set(known, call.operation.request_schema) | sent
            return self._checked(call, created, known, value, sent, "data=replaced")
        return self._merged(call, created, known)

    def _merged(self, call: DataCall, created: int, known: dict[str, Any]) -> Changed | Response:
        runtime, body = call.runtime, call.body
        sent: Mapping[str, JSON] = {}
        try:
            if is_json_patch(body, call.request.headers.get("content-type", "")):
                foreign = foreign_operations(body)
                if foreign and runtime.fields.patch_operations(call.operation.request_schema).issuperset(
                    foreign
                ):
                    names = ", ".join(dict.fromkeys(foreign))
                    return Changed(
                        known, "data=merged", f"the item is as it was: what {names} does is not known"
                    )
                value = patched(known, body)
            else:
                sent = runtime.fields.writable(body, call.operation.request_schema)
                value = runtime.merged(known, sent, call.address, created)
        except PatchError as error:
            return self._refused(call, 422, str(error), "data=refused", error.violations)
        changed = value if isinstance(value, dict) else {}
        changed = {name: member for name, member in changed.items() if known.get(name) != member}
        if (refusal := self._unknown_reference(call, changed)) is not None:
            return refusal
        if call.operation.verb == "acts":
            broken = not isinstance(value, dict) or runtime.new_violations(
                known, value, call.address, call.operation, call.now
            )
            return self._checked(call, created, known, known if broken else value, sent, "data=acted")
        return self._checked(call, created, known, value, sent, "data=merged")

    def _checked(
        self,
        call: DataCall,
        created: int,
        known: dict[str, Any],
        value: JSON,
        sent: Mapping[str, JSON],
        decision: str,
    ) -> Changed | Response:
        """Return the new value of an item with its key and times, or the refusal of an invalid one."""
        runtime = call.runtime
        if not isinstance(value, dict):
            return self._refused(call, 422, "the result is not an object", "data=refused")
        runtime.keep_key(value, known)
        runtime.stamped(value, created, call.now, sent)
        broken = runtime.new_violations(known, value, call.address, call.operation, call.now)
        if broken and call.operation.verb == "merges":
            violations = tuple(
                Violation("body", "", pointer, keyword, message, None) for pointer, keyword, message in broken
            )
            detail = f"the result breaks the document at {broken[0][0] or '/'}: {broken[0][2]}"
            return self._refused(call, 422, detail, "data=refused", violations)
        kept = {name: known[name] for name in _top_fields(broken) if name in known}
        value |= kept  # no valid response can show what was sent
        warning = ""
        if kept:
            warning = "the item keeps a field as it was; its schema does not allow the value of the request: "
            warning += ", ".join(kept)
        return Changed(runtime.completed(value, call.address, created), decision, warning)

    def _list(self, call: DataCall) -> Response:
        listing = self._listings.get(id(call.route))
        if listing is None:
            listing = self._listings[id(call.route)] = DataListing(call.route, call.runtime, call.operation)
        return listing.response(call, self.responses, strict=self._strict)

    # Refusals

    def _unknown_reference(self, call: DataCall, sent: Mapping[str, JSON]) -> Response | None:
        """Return the refusal of a write that names an item that does not exist, or None."""
        found = call.runtime.references.unknown(call.address, sent) if self._checks_references else None
        if found is None:
            return None
        pointer, field, key = found
        detail = f"{call.runtime.references.targets[field].name} has no item with the key {key}"
        violation = Violation("body", "", pointer, "reference", detail, key)
        return self._refused(call, 422, detail, "data=refused", (violation,))

    def _unknown_parent(self, call: DataCall) -> Response:
        above = call.runtime.above
        assert above is not None  # noqa: S101 - `has_parent` has looked
        detail = f"{above.name} has no item with the key {call.address.parent.rpartition('/')[2]}"
        return self._refused(call, 404, detail, "data=unknown")

    def _unknown(self, call: DataCall) -> Response:
        name = call.runtime.resource.name
        shown = "" if call.runtime.resource.is_singleton else f" with the key {call.address.key}"
        return self._refused(call, 404, f"{name} has no item{shown}", "data=unknown")

    @staticmethod
    def _documents(call: DataCall, status: int) -> bool:
        return any(response.status == str(status) for response in call.route.operation.responses)

    @staticmethod
    def _refused(
        call: DataCall, status: int, detail: str, decision: str, violations: Sequence[Violation] = ()
    ) -> Response:
        response = refused(call.route, call.request, call.now, status, detail, decision)
        response.violations = tuple(violations)
        return response


def _top_fields(violations: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the fields of an item with violations."""
    found = [tokens(pointer)[0] for pointer, _, _ in violations if pointer]
    return [*dict.fromkeys(found)]
