"""What is kept of how resources came into being: a side table, for those that an operation created.

Most resources have no entry here, so that a state stays as small as it is.
Handles are the other names by which clients know a resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from mockserver.store.sizes import Sizes, text_size

MOST_BYTES = 256 * 1024 * 1024
"""Bytes that the requests of creation and the handles take together; then the longest unused resources go."""
_OVERHEAD = 512
_HANDLE = 480
"""Bytes of a handle in both tables, but for its characters."""

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
        """Bytes that it takes."""
        return len(self.request) + text_size(self.csr) + text_size(self.common_name) + _OVERHEAD


class Births:
    """Births and handles by namespace, resource and key."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.sizes: Sizes[_Shelf] = Sizes(most)
        self.on_growth: Callable[[str, str], None] = lambda namespace, resource: None
        """Called with the namespace and resource of which more is kept."""
        self._births: dict[_Shelf, dict[str, Birth]] = {}
        self._keys: dict[_Shelf, dict[tuple[str, str], str]] = {}
        self._handles: dict[_Shelf, dict[str, tuple[tuple[str, str], ...]]] = {}

    def put(self, namespace: str, resource: str, key: str, birth: Birth) -> None:
        shelf = namespace, resource
        self.drop(namespace, resource, (key,))
        self._births.setdefault(shelf, {})[key] = birth
        self.sizes.grow(shelf, birth.size)
        self.on_growth(namespace, resource)

    def get(self, namespace: str, resource: str, key: str) -> Birth | None:
        return self._births.get((namespace, resource), {}).get(key)

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        """Let a resource be known by its handles: name → value."""
        shelf = namespace, resource
        names = tuple(handles.items())
        self._unname(shelf, key)
        self._handles.setdefault(shelf, {})[key] = names
        self._keys.setdefault(shelf, {}).update(dict.fromkeys(names, key))
        self.sizes.grow(shelf, _size(names))
        self.on_growth(namespace, resource)

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return key in self._handles.get((namespace, resource), ())

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        """The key of the resource that a handle's value names."""
        return self._keys.get((namespace, resource), {}).get((handle, value))

    def drop(self, namespace: str, resource: str, keys: Iterable[str]) -> None:
        """Forget resources that are gone."""
        shelf = namespace, resource
        births, handles = self._births.get(shelf), self._handles.get(shelf)
        if not births and not handles:
            return
        for key in keys:
            if births and (birth := births.pop(key, None)) is not None:
                self.sizes.grow(shelf, -birth.size)
            self._unname(shelf, key)

    def reset(self, namespace: str, resource: str | None = None) -> None:
        for shelf in {*self._births, *self._handles}:
            if shelf[0] == namespace and resource in (None, shelf[1]):
                self._births.pop(shelf, None)
                self._handles.pop(shelf, None)
                self._keys.pop(shelf, None)
                self.sizes.forget(shelf)

    def _unname(self, shelf: _Shelf, key: str) -> None:
        names = self._handles.get(shelf, {}).pop(key, ())
        if not names:
            return
        for name in names:
            if self._keys[shelf].get(name) == key:
                del self._keys[shelf][name]
        self.sizes.grow(shelf, -_size(names))


def _size(names: Iterable[tuple[str, str]]) -> int:
    return sum(_HANDLE + text_size(value) for _, value in names)
