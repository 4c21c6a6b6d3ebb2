"""Tables beside the state of resources: creations, handles and counters, each with a limit in bytes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
_SLACK = 64
"""Eviction frees 1/64 of the limit more than needed, so that it does not run for each new item."""


class ByteBudget(Generic[Key]):
    """The bytes that buckets take, by key, and the ``limit`` of their sum."""

    __slots__ = ("_sizes", "limit", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._sizes: dict[Key, int] = {}

    def grow(self, key: Key, by: int) -> None:
        """Add ``by`` bytes to a bucket. A negative number subtracts."""
        self.total += by
        self._sizes[key] = size = self._sizes.get(key, 0) + by
        if not size:
            del self._sizes[key]

    def forget(self, key: Key) -> None:
        """Subtract all bytes of a deleted bucket."""
        self.total -= self._sizes.pop(key, 0)

    def relieve(self, evict: Callable[[Key], int]) -> None:
        """If the sum is above the limit, evict from the largest bucket until it is below.

        ``evict`` removes the least recently used items of a bucket and returns how many it removed; 0 ends
        the eviction.
        """
        if self.total > self.limit:
            enough = self.limit - self.limit // _SLACK
            while self.total > enough and self._sizes:
                if not evict(max(self._sizes, key=self._sizes.__getitem__)):
                    return


def text_size(text: str) -> int:
    """Return the maximum number of bytes of a text's characters. It is constant for a text."""
    return len(text) if text.isascii() else 4 * len(text)


MAX_BYTES = 256 * 1024 * 1024
"""The default limit for creations with handles, and for counters. Above it the least recently used go."""
_CREATION_OVERHEAD = 512
_HANDLE_OVERHEAD = 480
"""Bytes of a handle in both tables, without its characters."""

BucketKey = tuple[str, str]
"""Namespace and resource."""


class CreationRecord(NamedTuple):
    """The request that created a resource."""

    number: int
    """Counts the creations of a namespace and resource from 1."""
    request: bytes
    """JSON: method, path, query, headers, body."""
    csr: str = ""
    """The certificate signing request (PEM), if the scenario file says which field has it."""
    common_name: str = ""

    @property
    def size(self) -> int:
        """The bytes that the record takes in memory."""
        return len(self.request) + text_size(self.csr) + text_size(self.common_name) + _CREATION_OVERHEAD


class Item(NamedTuple):
    """The stored data of one item of a collection."""

    number: int
    """Counts the items of a namespace and resource from 1, in the order of creation."""
    created: int
    changed: int
    version: int
    body: bytes
    """The value as JSON; ``null`` for a singleton that was deleted."""

    @property
    def is_deleted(self) -> bool:
        """Whether a singleton was deleted."""
        return self.body == b"null"


class MemoryCreations:
    """Creations and handles by namespace, resource and key. See ``protocol.CreationTable``."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self.sizes: ByteBudget[BucketKey] = ByteBudget(limit)
        self.on_growth: Callable[[str, str], None] = lambda namespace, resource: None
        """Called with the namespace and resource whose bucket has grown."""
        self._records: dict[BucketKey, dict[str, CreationRecord]] = {}
        self._keys: dict[BucketKey, dict[tuple[str, str], str]] = {}
        self._handles: dict[BucketKey, dict[str, tuple[tuple[str, str], ...]]] = {}

    def put(self, namespace: str, resource: str, key: str, creation: CreationRecord) -> None:
        """Store the creation of a resource, and delete its old creation and handles."""
        bucket = namespace, resource
        self.drop(namespace, resource, (key,))
        self._records.setdefault(bucket, {})[key] = creation
        self.sizes.grow(bucket, creation.size)
        self.on_growth(namespace, resource)

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None:
        return self._records.get((namespace, resource), {}).get(key)

    def set_handles(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        bucket = namespace, resource
        pairs = tuple(handles.items())
        self._remove_handles(bucket, key)
        self._handles.setdefault(bucket, {})[key] = pairs
        self._keys.setdefault(bucket, {}).update(dict.fromkeys(pairs, key))
        self.sizes.grow(bucket, _handles_size(pairs))
        self.on_growth(namespace, resource)

    def has_handles(self, namespace: str, resource: str, key: str) -> bool:
        return key in self._handles.get((namespace, resource), ())

    def find_key(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        return self._keys.get((namespace, resource), {}).get((handle, value))

    def drop(self, namespace: str, resource: str, keys: Iterable[str]) -> None:
        """Delete the creations and handles of resources."""
        bucket = namespace, resource
        records, handles = self._records.get(bucket), self._handles.get(bucket)
        if not records and not handles:
            return
        for key in keys:
            if records and (creation := records.pop(key, None)) is not None:
                self.sizes.grow(bucket, -creation.size)
            self._remove_handles(bucket, key)

    def reset(self, namespace: str, resource: str | None = None) -> None:
        """Delete all creations and handles of a resource, or of all resources of a namespace."""
        for bucket in {*self._records, *self._handles}:
            if bucket[0] == namespace and resource in (None, bucket[1]):
                self._records.pop(bucket, None)
                self._handles.pop(bucket, None)
                self._keys.pop(bucket, None)
                self.sizes.forget(bucket)

    def _remove_handles(self, bucket: BucketKey, key: str) -> None:
        pairs = self._handles.get(bucket, {}).pop(key, ())
        if not pairs:
            return
        for pair in pairs:
            if self._keys[bucket].get(pair) == key:
                del self._keys[bucket][pair]
        self.sizes.grow(bucket, -_handles_size(pairs))


def _handles_size(handles: Iterable[tuple[str, str]]) -> int:
    return sum(_HANDLE_OVERHEAD + text_size(value) for _, value in handles)


MAX_COUNTERS = 100_000
"""The maximum number of windows, and of counters, per resource and namespace."""
_COUNTER_OVERHEAD = 320
"""Bytes of a counter and its name, without the characters."""

_TableKey = tuple[str, BucketKey]


class MemoryCounters:
    """Counters by namespace, resource and name. See ``protocol.CounterTable``."""

    def __init__(self, max_counters: int = MAX_COUNTERS, max_bytes: int = MAX_BYTES) -> None:
        self._max_counters = max_counters
        self.sizes: ByteBudget[_TableKey] = ByteBudget(max_bytes)
        self._sequences: dict[BucketKey, dict[str, int]] = {}
        self._counters: dict[BucketKey, dict[str, int]] = {}
        self._windows: dict[BucketKey, dict[str, tuple[int, int]]] = {}
        self._bounded: Mapping[str, dict[BucketKey, dict[str, Any]]] = {
            "counters": self._counters,
            "windows": self._windows,
        }

    def next_in_sequence(self, namespace: str, resource: str, name: str) -> int:
        sequences = self._sequences.setdefault((namespace, resource), {})
        sequences[name] = number = sequences.get(name, 0) + 1
        return number

    def increment(self, namespace: str, resource: str, name: str) -> int:
        counters = self._counters.setdefault((namespace, resource), {})
        number = counters.pop(name, 0) + 1
        self._put("counters", (namespace, resource), name, number, is_new=number == 1)
        return number

    def count_in_window(
        self, namespace: str, resource: str, name: str, now: int, length: int
    ) -> tuple[int, int]:
        windows = self._windows.setdefault((namespace, resource), {})
        known = windows.pop(name, None)
        count, began = known or (0, now)
        if not began - length < now < began + length:
            count, began = 0, now
        began = min(began, now)
        self._put("windows", (namespace, resource), name, (count + 1, began), is_new=known is None)
        return count + 1, began

    def reset(self, namespace: str, resource: str | None = None) -> None:
        """Delete all counters of a resource, or of all resources of a namespace."""
        for kind, table in (("", self._sequences), *self._bounded.items()):
            for bucket in [key for key in table if key[0] == namespace and resource in (None, key[1])]:
                del table[bucket]
                self.sizes.forget((kind, bucket))

    def _put(self, kind: str, bucket: BucketKey, name: str, count: object, *, is_new: bool) -> None:
        """Store a counter as the most recently used one."""
        table = self._bounded[kind][bucket]
        if is_new:
            if len(table) >= self._max_counters:
                self._evict((kind, bucket))
            self.sizes.grow((kind, bucket), _COUNTER_OVERHEAD + text_size(name))
            self.sizes.relieve(self._evict)
        table[name] = count

    def _evict(self, key: _TableKey) -> int:
        """Remove the least recently used hundredth of a table, at least one. Return how many."""
        kind, bucket = key
        table = self._bounded[kind][bucket]
        oldest = list(islice(table, max(1, min(len(table), self._max_counters) // 100)))
        for name in oldest:
            del table[name]
        self.sizes.grow(key, -sum(_COUNTER_OVERHEAD + text_size(name) for name in oldest))
        return len(oldest)
