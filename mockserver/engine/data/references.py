"""Addresses of items, and the fields of items that hold keys of other ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from mockserver.jsonschema.references import pointer
from mockserver.media.json import decode_json
from mockserver.plan import JSON
from mockserver.state.tables import Item

if TYPE_CHECKING:
    from mockserver.engine.data.runtime import DataRuntime


class Address(NamedTuple):
    """The place of an item, or of a collection, in a namespace. See ``protocol.DataTable``."""

    namespace: str
    parent: str
    key: str


class References:
    """The references in the items of one resource. ``targets``: field → the resource whose key it holds."""

    def __init__(self, runtime: DataRuntime, targets: Mapping[str, DataRuntime]) -> None:
        self._runtime = runtime
        self.targets = targets

    def unknown(self, address: Address, sent: Mapping[str, JSON]) -> tuple[str, str, str] | None:
        """Return where a reference to an item that does not exist is: pointer, field and key. Else None."""
        for field, target in self.targets.items():
            value = sent.get(field)
            keys = [key_text(key) for key in value] if isinstance(value, list) else [key_text(value)]
            items = target.get_all(address.namespace, [target.normal(key) for key in keys if key])
            for index, key in enumerate(keys):
                if key and target.normal(key) not in items:
                    return pointer([field, index] if isinstance(value, list) else [field]), field, key
        return None

    def complete(self, value: dict[str, JSON], address: Address, sent: Mapping[str, JSON]) -> None:
        """Set generated references in a new value to keys that exist: the one in the path, or the first."""
        for field, target in self.targets.items():
            if field not in value or field in sent:
                continue
            member = value[field]
            known = self._known_keys(target, address, len(member) if isinstance(member, list) else 1)
            if not known and not isinstance(member, list):
                continue
            offer = known if isinstance(member, list) else known[0]
            if self._runtime.is_allowed({**value, field: offer}):
                value[field] = offer

    def _known_keys(self, target: DataRuntime, address: Address, count: int) -> list[JSON]:
        """Return keys of existing items of another resource, at most ``count``."""
        if self._runtime.is_below(target):
            return [target.key_value(unquote(address.parent.split("/")[len(target.resource.parents)]))]
        entries = target.page(Address(address.namespace, "", ""), 0, count) if count else ()
        return [decoded(item).get(target.resource.key_field) for _, item in entries]


def decoded(item: Item) -> dict[str, Any]:
    """Return the stored value of an item."""
    value = decode_json(item.body)
    return value if isinstance(value, dict) else {}


def key_text(value: JSON) -> str:
    """Return a key as text; empty for null."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
