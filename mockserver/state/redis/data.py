"""The data of inferred resources in Redis. See ``protocol.DataTable``."""

from __future__ import annotations

from collections.abc import Sequence

from mockserver.state.redis.codec import decode_item, encode_item, to_bytes
from mockserver.state.redis.handshake import Word
from mockserver.state.redis.transaction import Transaction
from mockserver.state.tables import Item


class RedisData:
    """Items in Redis. What a transaction reads of an item is compared when it commits."""

    def __init__(self, store: Transaction, max_items: int, max_bytes: int) -> None:
        """``max_items`` and ``max_bytes``: for one resource in one namespace."""
        self._store = store
        self._max_items = max_items
        self._max_bytes = max_bytes

    def get(self, namespace: str, resource: str, parent: str, key: str) -> Item | None:
        field = _field(parent, key)
        raw = self._store.read("item", namespace, resource, field)
        if raw is None:
            return None
        name, connection = self._store.name("q", namespace, resource), self._store.connection
        words: tuple[Word, ...] = "ZADD", name, "XX", "GT", connection.now() * 1000 + 999, to_bytes(field)
        self._store.on_commit(lambda: connection.send(words))  # nobody waits for it
        return decode_item(raw)

    def get_all(self, namespace: str, resource: str, parent: str, keys: Sequence[str]) -> dict[str, Item]:
        self._store.prefetch(
            ("item", namespace, resource, _field(parent, key)) for key in dict.fromkeys(keys)
        )
        found = {key: self.get(namespace, resource, parent, key) for key in keys}
        return {key: item for key, item in found.items() if item is not None}

    def put(self, namespace: str, resource: str, parent: str, key: str, item: Item) -> None:
        known = self.get(namespace, resource, parent, key)
        if known is not None:
            item = item._replace(number=known.number)
        raw, field = encode_item(item), _field(parent, key)
        self._store.override(raw, "item", namespace, resource, field)
        limits = self._max_items, self._max_bytes
        self._store.write("!keep", namespace, resource, *limits, to_bytes(field), raw)
        self._store.touch(namespace, resource)

    def remove(self, namespace: str, resource: str, parent: str, key: str) -> bool:
        known = self.get(namespace, resource, parent, key)
        field = _field(parent, key)
        self._store.override(None, "item", namespace, resource, field)
        self._store.write("!remove", namespace, resource, to_bytes(field))
        return known is not None

    def remove_below(self, namespace: str, resource: str, parent: str) -> None:
        self._store.write("!below", namespace, resource, parent)

    def page(
        self, namespace: str, resource: str, parent: str, offset: int = 0, limit: int | None = None
    ) -> Sequence[tuple[str, Item]]:
        words = parent, str(offset), str(-1 if limit is None else limit)
        found: Sequence[tuple[str, Item]] = self._store.read("page", namespace, resource, *words)
        return found

    def count(self, namespace: str, resource: str, parent: str) -> int:
        return int(self._store.read("size", namespace, resource, parent))

    def all(self, namespace: str, resource: str) -> Sequence[tuple[str, str, Item]]:
        found: Sequence[tuple[str, str, Item]] = self._store.read("data", namespace, resource)
        return found


def _field(parent: str, key: str) -> str:
    return f"{parent}\0{key}"
