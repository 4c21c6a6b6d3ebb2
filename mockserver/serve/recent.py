"""Values kept for as long as they are among the most recently used, within two bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A least-recently-used mapping, bounded by entries and by the bytes its user says they weigh.

    For a single thread of control, as the engine is.
    """

    def __init__(self, *, entries: int, size: int) -> None:
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._entries = entries
        self._size = self._room = size

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """What all values weigh."""
        return self._size - self._room

    def get(self, key: Key) -> Value | None:
        """The value under ``key``, now the most recent one."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Keep ``value`` unless it alone is too large; the oldest ones go where a bound is exceeded."""
        if (replaced := self._kept.pop(key, None)) is not None:
            self._room += replaced[1]
        if size > self._size:
            return
        self._kept[key] = value, size
        self._room -= size
        while self._room < 0 or len(self._kept) > self._entries:
            _, (_, freed) = self._kept.popitem(last=False)
            self._room += freed
