"""What things take of memory, by where they are kept: which of those places is to make room."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Place = TypeVar("Place", bound=Hashable)
_SLACK = 64
"""One in so many of the bytes is given up beyond what is too much: room is not made for each thing."""


class Sizes(Generic[Place]):
    """Bytes by place, and ``most`` that all of them may take."""

    __slots__ = ("_sizes", "most", "total")

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._sizes: dict[Place, int] = {}

    def grow(self, place: Place, by: int) -> None:
        """Count more bytes, or less."""
        self.total += by
        self._sizes[place] = size = self._sizes.get(place, 0) + by
        if not size:
            del self._sizes[place]

    def forget(self, place: Place) -> None:
        """Count nothing of a place that is gone."""
        self.total -= self._sizes.pop(place, 0)

    def relieve(self, evict: Callable[[Place], int]) -> None:
        """Where there is too much, let the fullest place give things up until there is enough room.

        ``evict`` lets the longest unused of a place go; how many they were: 0 ends it.
        """
        if self.total > self.most:
            enough = self.most - self.most // _SLACK
            while self.total > enough and self._sizes:
                if not evict(max(self._sizes, key=self._sizes.__getitem__)):
                    return


def text_size(text: str) -> int:
    """Bytes of a text's characters, at most. Always the same for the same text."""
    return len(text) if text.isascii() else 4 * len(text)
