"""The data of inferred resources in the memory of this process. See ``protocol.DataTable``."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from itertools import islice

from mockserver.state.tables import BucketKey, ByteBudget, Item, text_size

_OVERHEAD = 640
"""Bytes of an item and its key in all tables, without its octets and characters."""

_Place = tuple[str, str]
"""The parent and the key of an item."""


class _Bucket:
    """The items of one resource in one namespace."""

    __slots__ = ("items", "orders")

    def __init__(self) -> None:
        self.items: dict[_Place, Item] = {}
        """The least recently used first."""
        self.orders: dict[str, list[tuple[int, str]]] = {}
        """Parent → the numbers and keys of its items, in order."""

    def pop(self, place: _Place) -> Item | None:
        item = self.items.pop(place, None)
        if item is not None:
            parent, key = place
            order = self.orders[parent]
            del order[bisect_left(order, (item.number, key))]
            if not order:
                del self.orders[parent]
        return item


class MemoryData:
    """Items by namespace, resource, parent and key, bounded by number and bytes."""

    def __init__(
        self,
        max_items: int,
        sizes: ByteBudget[BucketKey],
        on_growth: Callable[[str, str], None],
        on_eviction: Callable[[int], None],
    ) -> None:
        """Create the table.

        ``max_items``: for one resource in one namespace. ``on_growth`` is called with the namespace and
        resource whose bucket has grown, ``on_eviction`` with the number of evicted items.
        """
        self.max_items = max_items
        self.sizes = sizes
        self._on_growth = on_growth
        self._on_eviction = on_eviction
        self._buckets: dict[BucketKey, _Bucket] = {}

    def get(self, namespace: str, resource: str, parent: str, key: str) -> Item | None:
        bucket = self._buckets.get((namespace, resource))
        item = bucket.items.pop((parent, key), None) if bucket is not None else None
        if bucket is not None and item is not None:
            bucket.items[parent, key] = item
        return item

    def get_all(self, namespace: str, resource: str, parent: str, keys: Sequence[str]) -> dict[str, Item]:
        found = {key: self.get(namespace, resource, parent, key) for key in keys}
        return {key: item for key, item in found.items() if item is not None}

    def put(self, namespace: str, resource: str, parent: str, key: str, item: Item) -> None:
        bucket_key = namespace, resource
        bucket = self._buckets.get(bucket_key)
        if bucket is None:
            bucket = self._buckets[bucket_key] = _Bucket()
        known = bucket.items.pop((parent, key), None)
        if known is None:
            if len(bucket.items) >= self.max_items:
                self.evict(bucket_key)
            insort(bucket.orders.setdefault(parent, []), (item.number, key))
            self.sizes.grow(bucket_key, _size(parent, key, item))
        else:
            item = item._replace(number=known.number)
            self.sizes.grow(bucket_key, len(item.body) - len(known.body))
        bucket.items[parent, key] = item
        self._on_growth(namespace, resource)

    def remove(self, namespace: str, resource: str, parent: str, key: str) -> bool:
        bucket = self._buckets.get((namespace, resource))
        item = bucket.pop((parent, key)) if bucket is not None else None
        if item is None:
            return False
        self.sizes.grow((namespace, resource), -_size(parent, key, item))
        return True

    def remove_below(self, namespace: str, resource: str, parent: str) -> None:
        bucket = self._buckets.get((namespace, resource))
        if bucket is None:
            return
        below = f"{parent}/"
        for name in [name for name in bucket.orders if name == parent or name.startswith(below)]:
            for _, key in list(bucket.orders[name]):
                self.remove(namespace, resource, name, key)

    def page(
        self, namespace: str, resource: str, parent: str, offset: int = 0, limit: int | None = None
    ) -> Sequence[tuple[str, Item]]:
        bucket = self._buckets.get((namespace, resource))
        if bucket is None:
            return []
        order = bucket.orders.get(parent, [])[offset : None if limit is None else offset + limit]
        return [(key, bucket.items[parent, key]) for _, key in order]

    def count(self, namespace: str, resource: str, parent: str) -> int:
        bucket = self._buckets.get((namespace, resource))
        return len(bucket.orders.get(parent, ())) if bucket is not None else 0

    def all(self, namespace: str, resource: str) -> Sequence[tuple[str, str, Item]]:
        bucket = self._buckets.get((namespace, resource))
        if bucket is None:
            return []
        return [
            (parent, key, bucket.items[parent, key])
            for parent in sorted(bucket.orders)
            for _, key in bucket.orders[parent]
        ]

    def reset(self, namespace: str, resource: str | None = None) -> None:
        """Delete the items of a resource, or of all resources of a namespace."""
        for bucket_key in list(self._buckets):
            if bucket_key[0] == namespace and resource in (None, bucket_key[1]):
                del self._buckets[bucket_key]
                self.sizes.forget(bucket_key)

    def size(self, bucket_key: BucketKey) -> int:
        """Return the number of items of a resource in a namespace."""
        bucket = self._buckets.get(bucket_key)
        return len(bucket.items) if bucket is not None else 0

    def evict(self, bucket_key: BucketKey) -> int:
        """Remove the least recently used hundredth of a bucket, at least one. Return how many."""
        bucket = self._buckets[bucket_key]
        oldest = list(islice(bucket.items, max(1, min(len(bucket.items), self.max_items) // 100)))
        for place in oldest:
            item = bucket.pop(place)
            if item is not None:
                self.sizes.grow(bucket_key, -_size(*place, item))
        self._on_eviction(len(oldest))
        return len(oldest)


def _size(parent: str, key: str, item: Item) -> int:
    return _OVERHEAD + text_size(parent) + text_size(key) + len(item.body)
