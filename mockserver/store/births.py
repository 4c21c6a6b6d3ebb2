"""What is kept of how resources came into being: a side table, for those that an operation created.

Most resources have no entry here, so that a state stays as small as it is.
Handles are the other names by which clients know a resource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

MOST_BYTES = 256 * 1024 * 1024
"""Bytes that the requests of creation take together, after which the longest unused resources go."""
_OVERHEAD = 512

_Shelf = tuple[str, str]


class Birth(NamedTuple):
    """The request that created a resource."""

    number: int
    """Counts the creations of a namespace and resource from 1."""
    request: bytes
    """JSON: method, path, query, headers, body."""
    csr: str = ""
    """The certificate signing request in it, where the scenario file says where it stands."""
    common_name: str = ""

    @property
    def size(self) -> int:
        return len(self.request) + len(self.csr) + _OVERHEAD


class Births:
    """Births and handles by namespace, resource and key."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.size = 0
        self._sizes: dict[_Shelf, int] = {}
        self._births: dict[_Shelf, dict[str, Birth]] = {}
        self._keys: dict[_Shelf, dict[tuple[str, str], str]] = {}
        self._handles: dict[_Shelf, dict[str, tuple[tuple[str, str], ...]]] = {}

    @property
    def is_full(self) -> bool:
        return self.size > self.most

    def fullest(self) -> _Shelf:
        """The namespace and resource whose births take most."""
        return max(self._sizes, key=lambda shelf: self._sizes[shelf])

    def put(self, namespace: str, resource: str, key: str, birth: Birth) -> None:
        shelf = namespace, resource
        self.drop(namespace, resource, (key,))
        self._births.setdefault(shelf, {})[key] = birth
        self._grow(shelf, birth.size)

    def get(self, namespace: str, resource: str, key: str) -> Birth | None:
        return self._births.get((namespace, resource), {}).get(key)

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        """Let a resource be known by its handles: name → value."""
        shelf = namespace, resource
        names = tuple(handles.items())
        self._handles.setdefault(shelf, {})[key] = names
        self._keys.setdefault(shelf, {}).update(dict.fromkeys(names, key))

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return key in self._handles.get((namespace, resource), ())

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        """The key of the resource that a handle's value names."""
        return self._keys.get((namespace, resource), {}).get((handle, value))

    def drop(self, namespace: str, resource: str, keys: Iterable[str]) -> None:
        """Forget resources that are gone."""
        shelf = namespace, resource
        births, handles = self._births.get(shelf), self._handles.get(shelf)
        for key in keys:
            if births and (birth := births.pop(key, None)) is not None:
                self._grow(shelf, -birth.size)
            if handles:
                for name in handles.pop(key, ()):
                    self._keys[shelf].pop(name, None)

    def reset(self, namespace: str, resource: str | None = None) -> None:
        for shelf in {*self._births, *self._handles}:
            if shelf[0] == namespace and resource in (None, shelf[1]):
                self._births.pop(shelf, None)
                self._grow(shelf, -self._sizes.get(shelf, 0))
                self._handles.pop(shelf, None)
                self._keys.pop(shelf, None)

    def _grow(self, shelf: _Shelf, by: int) -> None:
        self.size += by
        self._sizes[shelf] = size = self._sizes.get(shelf, 0) + by
        if not size:
            del self._sizes[shelf]
