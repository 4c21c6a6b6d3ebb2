"""One inferred resource at run time: its items in the store, their keys and the schemas of responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from mockserver.diagnostics import MockServerError
from mockserver.engine.data.bases import Origin
from mockserver.engine.data.fields import RequestFields
from mockserver.engine.data.patch import merged
from mockserver.engine.data.projection import Projection, Projections
from mockserver.engine.data.references import Address, References, decoded, key_text
from mockserver.engine.fresh_keys import FreshKeys
from mockserver.engine.routing import PARAMETER
from mockserver.engine.service import Service
from mockserver.jsonschema import SchemaError
from mockserver.jsonschema.keywords import NUMERIC
from mockserver.jsonschema.references import pointer, tokens
from mockserver.media.coercion import scalars
from mockserver.media.json import encode_json, merge_patch
from mockserver.media.shapes import Shapes
from mockserver.plan import JSON, DataOperation, DataResource, SchemaRef
from mockserver.state.protocol import Store
from mockserver.state.tables import Item

if TYPE_CHECKING:
    from mockserver.engine.resources.stored_data import StoredData

_SEEDED = "seeds"
"""The name of a table in the store: the resources that have got their seeds."""
_MAX_ATTEMPTS = 100
"""The keys that are tried for a new item."""
_MAX_CHECKED = 1000
"""The items of a resource that are validated when another Plan is served."""
SINGLETON = "-"
"""The key of a singleton."""


class DataRuntime:
    """Reads and writes the items of one resource."""

    def __init__(
        self, resource: DataResource, service: Service, shapes: Shapes, store: Store, seed: str
    ) -> None:
        self.resource = resource
        self.name = resource.name
        self.service = service
        self.below: list[DataRuntime] = []
        """The resources that are nested in this one."""
        self.above: DataRuntime | None = None
        """The resource in whose items this one is nested."""
        self.references = References(self, {})
        self.stored: StoredData | None = None
        """The lifecycles of the items, if a scenario file describes them."""
        self.fields = RequestFields(resource, service.schemas, shapes)
        self._store = store
        self._seed = seed
        self._projections = Projections(service, shapes)
        self._keys: FreshKeys | None = None

    # Addresses

    def address(
        self, operation: DataOperation, namespace: str, path: Mapping[str, str], body: JSON = None
    ) -> Address:
        """Return the place that a request is about."""
        parent = "/".join(quote(path.get(name, ""), safe="") for name in operation.parents)
        if self.resource.is_singleton:
            return Address(namespace, parent, SINGLETON)
        if operation.keyed_by_body:
            value = body.get(self.resource.key_field) if isinstance(body, dict) else None
            return Address(namespace, parent, self.normal(key_text(value)))
        return Address(namespace, parent, self.normal(path.get(operation.key, "")))

    def normal(self, key: str) -> str:
        """Return a key as it is stored."""
        return key.lower() if self.resource.ignore_case else key

    def fresh(self, address: Address) -> str:
        """Return an unused key in a collection. If every possible key is in use, the oldest item goes."""
        keys = self._fresh_keys()
        counters, data = self._store.counters, self._store.data
        try:
            _, key = keys.fresh(
                lambda: counters.next_in_sequence(address.namespace, self.name, "keys"),
                lambda key: (
                    data.get(address.namespace, self.name, address.parent, self.normal(key)) is not None
                ),
                address.namespace,
                _MAX_ATTEMPTS,
            )
        except MockServerError:
            oldest = self.page(address, 0, 1)
            if not oldest:
                raise
            key = oldest[0][0]
            self.remove(address._replace(key=key))
        return key

    def key_value(self, key: str) -> JSON:
        """Return a key in the type of its field."""
        ref = self.resource.key_field_schema
        if ref is None:
            return key
        try:
            value = self._fresh_keys().typed(ref, key)
        except SchemaError:
            return key
        return key if value is None else value

    def _fresh_keys(self) -> FreshKeys:
        if self._keys is None:
            resource = self.resource
            refs = (*resource.key_schemas, *filter(None, [resource.key_field_schema]))
            self._keys = FreshKeys(self.name, refs, self.service.schemas, self.service.fakes, self._seed)
        return self._keys

    @cached_property
    def _item_path(self) -> tuple[str, DataOperation] | None:
        """The path of items and an operation with it: the one that reads, if there is one."""
        verbs = ("reads", "replaces", "merges", "deletes")
        found = [
            (verbs.index(operation.verb), index, operation)
            for index, operation in self.resource.operations.items()
            if operation.key and operation.verb in verbs
        ]
        if not found:
            return None
        _, index, operation = min(found, key=itemgetter(0, 1))
        return self.service.document.operations[index].path, operation

    def location(
        self, creation: DataOperation, template: str, raw_path: str, path: Mapping[str, str], key: str
    ) -> str | None:
        """Return the path of a new item, or None. ``template`` and ``path`` are those of the creation."""
        if self._item_path is None:
            return None
        item, operation = self._item_path
        names = zip(creation.parents, operation.parents, strict=False)
        known = {name: path.get(own, "") for own, name in names}
        template = template.rstrip("/")
        below = PARAMETER.sub("{}", item).removeprefix(f"{PARAMETER.sub('{}', template)}/")
        if below.rstrip("/") == "{}":  # the common case, with the path as the client has written it
            return f"{raw_path.rstrip('/')}/{quote(key, safe='')}{below[2:]}"
        parts = raw_path.rstrip("/").split("/")
        known[operation.key] = key
        base = "/".join(parts[: len(parts) - template.count("/")])
        return base + PARAMETER.sub(lambda found: quote(known.get(found[1], ""), safe=""), item)

    def is_below(self, other: DataRuntime) -> bool:
        """Return whether this resource is nested in the items of another one."""
        prefix = f"{other.resource.path}/{{"
        return self.resource.document == other.resource.document and self.resource.path.startswith(prefix)

    def is_directly_below(self, other: DataRuntime) -> bool:
        """Return whether this resource is nested in the items of another one, without one between."""
        rest = self.resource.path.removeprefix(f"{other.resource.path}/")
        return self.is_below(other) and rest.count("{") == 1 and "/" in rest and not rest.endswith("}")

    def text_key(self, sent: Mapping[str, JSON]) -> str:
        """Return the key that a client sent in the body of a creation; empty without one."""
        value = sent.get(self.resource.key_field) if self.resource.key_field else None
        return "" if isinstance(value, dict | list) else key_text(value)

    def is_possible(self, key: str) -> bool:
        """Return whether the path of an item can have a key."""
        if "\0" in key:  # no path can have it, whatever its schema says
            return False
        keys = self._fresh_keys()
        try:
            return all(keys.typed(ref, key) is not None for ref in self.resource.key_schemas)
        except SchemaError:
            return False

    def key_hints(self, key: str) -> dict[str, JSON]:
        """Return the values that generated fields with the names of the key repeat."""
        names = {operation.key for operation in self.resource.operations.values() if operation.key}
        return dict.fromkeys(names, key)

    def set_key(self, value: dict[str, JSON], key: str) -> None:
        """Set the field with the key, unless the key is empty."""
        if self.resource.key_field and key:
            value[self.resource.key_field] = self.key_value(key)
            for name, ref in self.resource.key_aliases.items():
                value[name] = self._fresh_keys().typed(ref, key)

    def keep_key(self, value: dict[str, JSON], known: Mapping[str, JSON]) -> None:
        """Keep the key of an item whatever a client sent."""
        for field in (self.resource.key_field, *self.resource.key_aliases):
            if field and field in known:
                value[field] = known[field]

    # Items of other resources

    def set_path_fields(
        self, value: dict[str, JSON], operation: DataOperation, path: Mapping[str, str]
    ) -> None:
        """Set the fields of a new item that path parameters of its creation name."""
        for name, field in operation.fields.items():
            text = path.get(name, "")
            for offer in (text, *scalars(text, NUMERIC)):
                if self.is_allowed({**value, field: offer}):
                    value[field] = offer
                    break

    @staticmethod
    def is_in(value: Mapping[str, JSON], operation: DataOperation, path: Mapping[str, str]) -> bool:
        """Return whether an item is in the list of an operation, by the path parameters of the request."""
        return all(key_text(value.get(field)) == path.get(name) for name, field in operation.fields.items())

    def has_parent(self, address: Address) -> bool:
        """Return whether the item exists in which a collection is nested, as far as it is inferred."""
        if self.above is None:
            return True
        *rest, key = address.parent.split("/")
        item = self.above.get(Address(address.namespace, "/".join(rest), unquote(key)))
        return item is not None

    # Items

    def get(self, address: Address) -> Item | None:
        """Return an item, or None."""
        return self._store.data.get(address.namespace, self.name, address.parent, address.key)

    def put(self, address: Address, value: JSON, now: int, known: Item | None = None) -> Item:
        """Store a value: of a new item, or in place of a ``known`` one."""
        body = encode_json(value)
        if known is None:
            number = self._store.counters.next_in_sequence(address.namespace, self.name, "items")
            item = Item(number, now, now, 1, body)
        else:
            item = Item(known.number, known.created, now, known.version + 1, body)
        self._store.data.put(address.namespace, self.name, address.parent, address.key, item)
        return item

    def remove(self, address: Address) -> None:
        """Delete an item, with the items that are nested below it."""
        data = self._store.data
        if self.resource.is_singleton:
            self.put(address, None, 0, self.get(address))
            return
        data.remove(address.namespace, self.name, address.parent, address.key)
        if self.stored is not None:
            self.stored.forget(address.namespace, address.key)
        inner = quote(address.key, safe="")
        parent = f"{address.parent}/{inner}" if address.parent else inner
        for runtime in self.below:
            if runtime.stored is not None:
                for other, key, _ in data.all(address.namespace, runtime.name):
                    if other == parent or other.startswith(f"{parent}/"):
                        runtime.stored.forget(address.namespace, key)
            data.remove_below(address.namespace, runtime.name, parent)

    def get_all(self, namespace: str, keys: Sequence[str]) -> dict[str, Item]:
        """Return the items with these keys that exist, of a resource that is not nested."""
        return self._store.data.get_all(namespace, self.name, "", keys)

    def page(self, address: Address, offset: int = 0, limit: int | None = None) -> Sequence[tuple[str, Item]]:
        """Return keys and items of a collection in the order of creation."""
        found = self._store.data.page(address.namespace, self.name, address.parent, offset, limit)
        return found if self.stored is None else self.stored.current(address.namespace, found)

    def all(self, namespace: str) -> Sequence[tuple[str, str, Item]]:
        """Return the parents, keys and items of all collections."""
        found = self._store.data.all(namespace, self.name)
        if self.stored is None:
            return found
        items = self.stored.current(namespace, ((key, item) for _, key, item in found))
        return [(parent, key, item) for (parent, _, _), (key, item) in zip(found, items, strict=True)]

    def count(self, address: Address) -> int:
        """Return the number of items of a collection."""
        return self._store.data.count(address.namespace, self.name, address.parent)

    # Seeds

    def seed(self, namespace: str, now: int) -> None:
        """Store the items that the resource has at first, once in a namespace."""
        data = self._store.data
        if data.get(namespace, _SEEDED, "", self.name) is not None:
            return
        data.put(namespace, _SEEDED, "", self.name, Item(0, now, now, 1, b"{}"))
        for seed in self.resource.seeds:
            parents = dict(zip(self.resource.parents, map(unquote, seed.parent.split("/")), strict=False))
            address = Address(namespace, seed.parent, SINGLETON)
            key = ""
            if not self.resource.is_singleton:
                stated = seed.value.get(self.resource.key_field) if self.resource.key_field else None
                key = key_text(stated) or self.fresh(address)
                address = address._replace(key=self.normal(key))
            value = self.new_value(address, {**parents, **self.key_hints(key)}, now, seed.value)
            if key:
                self.set_key(value, key)
            self.stamped(value, now, now, seed.value)
            self.put(address, value, now, self.get(address))

    def export(self, namespace: str) -> JSON:
        """Return the items in the form of a file of seeds: a list, or lists by the keys of their parents."""
        found: dict[str, list[JSON]] = {}
        for parent, _, item in self.all(namespace):
            if not item.is_deleted:
                found.setdefault(parent, []).append(decoded(item))
        if self.resource.is_singleton:
            single: dict[str, JSON] = {parent: values[0] for parent, values in found.items()}
            return single if self.resource.parents else single.get("", {})
        return found if self.resource.parents else found.get("", [])

    def invalid_keys(self, namespace: str) -> list[str]:
        """Return the keys of items with fields that cannot be read. Only the first items are looked at."""
        ref = self.resource.schema
        if ref is None:
            return []
        projection, found = self.projection(ref), []
        for parent, key, item in self.all(namespace)[:_MAX_CHECKED]:
            address = Address(namespace, parent, key)
            if not item.is_deleted and self._is_lost(projection, address, item):
                found.append(key)
        return found

    def _is_lost(self, projection: Projection, address: Address, item: Item) -> bool:
        seed = self.seed_of(address)
        try:
            projected = projection.project(decoded(item), Origin(seed, {}, item.created))
        except MockServerError:
            return True
        return bool(projected.lost)

    # Values

    def projection(self, ref: SchemaRef) -> Projection:
        """Return the projection of stored values to the schema of a response."""
        return self._projections.of(ref)

    def new_value(
        self, address: Address, hints: Mapping[str, JSON], now: int, sent: Mapping[str, JSON]
    ) -> dict[str, JSON]:
        """Return the value of a new item: what a client sent over a generated value, as it is read."""
        ref = self.resource.schema
        if ref is None:
            return dict(sent)
        try:
            return self.projection(ref).fill(sent, Origin(self.seed_of(address), hints, now))
        except MockServerError:  # the schema permits no value: `check` reports it
            return dict(sent)

    def merged(
        self, known: dict[str, JSON], sent: Mapping[str, JSON], address: Address, created: int
    ) -> dict[str, JSON]:
        """Return the value of an item after a merge patch."""
        value: dict[str, JSON] = merge_patch(known, sent)
        if self.resource.schema is not None and not self.is_allowed(value):
            with suppress(MockServerError):  # the schema permits no value
                origin = Origin(self.seed_of(address), {}, created)
                value = merged(known, sent, self.projection(self.resource.schema), origin)
        return value

    def completed(self, value: dict[str, JSON], address: Address, created: int) -> dict[str, JSON]:
        """Return a changed value whose parts have the members that the schema requires."""
        if self.resource.schema is None or self.is_allowed(value):
            return value
        try:
            return self.projection(self.resource.schema).complete(
                value, Origin(self.seed_of(address), {}, created)
            )
        except MockServerError:
            return value

    def agree(
        self,
        value: dict[str, JSON],
        operation: DataOperation,
        address: Address,
        hints: Mapping[str, JSON],
        now: int,
        sent: Mapping[str, JSON],
    ) -> None:
        """Store what the response to a creation has to show, where its schema is not that of the item."""
        if operation.schema is None or self.resource.schema is None:
            return
        seed, projection = self.seed_of(address), self.projection(operation.schema)
        if projection is self.projection(self.resource.schema):
            return
        try:
            shown = projection.project(value, Origin(seed, hints, now))
        except MockServerError:
            return
        own = {*sent, self.resource.key_field, *self.resource.key_aliases, *self.resource.times}
        for name, member in shown.value.items() if isinstance(shown.value, dict) else ():
            is_free = name not in own and (name not in value or name in shown.lost_fields)
            if is_free and self.is_allowed({**value, name: member}):
                value[name] = member

    def is_allowed(self, value: dict[str, JSON]) -> bool:
        """Return whether the schema of the item allows a value."""
        if self.resource.schema is None:
            return True
        projection = self.projection(self.resource.schema)
        return projection.is_valid(projection.visible(value))

    def seed_of(self, address: Address) -> str:
        """Return the key of the generated values of an item."""
        return "\n".join((self.name, address.namespace, address.parent, address.key))

    def set_listed(self, value: dict[str, JSON], sent: Mapping[str, JSON]) -> None:
        """Give a new item the values that its list is asked for, but not in fields that were ``sent``."""
        for name, member in self.resource.listed.items():
            if name not in sent and self.is_allowed({**value, name: member}):
                value[name] = member

    def stamped(self, value: dict[str, JSON], created: int, changed: int, sent: Mapping[str, JSON]) -> None:
        """Set the fields with the times of the item, except those that the client ``sent``."""
        for name, kind in self.resource.times.items():
            if name in value and name not in sent:
                value[name] = _timestamp(created if kind == "created" else changed)

    def new_violations(
        self,
        known: Mapping[str, JSON],
        value: Mapping[str, JSON],
        address: Address,
        operation: DataOperation,
        now: int,
    ) -> list[tuple[str, str, str]]:
        """Return what a change makes invalid in the item: location, keyword and message.

        Fields that the client cannot know, and that a response generates, are not counted. Those of a
        replacement are not counted if a response can show some of their parts.
        """
        if self.resource.schema is None:
            return []
        projection, seed = self.projection(self.resource.schema), self.seed_of(address)
        broken = projection.violations(value)
        new = broken - projection.violations(known) if broken else set()
        if not new:
            return []
        projected = projection.project(value, Origin(seed, {}, now))
        documented = self.fields.documented(operation.request_schema)
        lost = projected.lost_fields
        if operation.verb == "replaces":
            lost = frozenset(name for name in lost if pointer([name]) in projected.lost)
        shown = projected.value if isinstance(projected.value, dict) else {}
        for name in known.keys() - value.keys() & shown.keys():  # of a branch, where ``new`` says less
            new.add(("", "required", f'"{name}" is a required property'))
        bad = lost | (projected.converted_fields - documented)
        return sorted(
            violation
            for violation in new
            if (violation[0] and tokens(violation[0])[0] in bad)
            or (violation[1] == "required" and not violation[0] and known.keys() - value.keys())
        )


@lru_cache(maxsize=64)
def _timestamp(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
