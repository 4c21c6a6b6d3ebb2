"""The choices of one generated value: numbers from 0 to 63 that are a function of its identity."""

from __future__ import annotations

from hashlib import blake2b

DAY = 86_400_000
CHOICES = 64
"""The number of different values that one choice selects from."""

_TO_CHOICE = bytes(number % CHOICES for number in range(256))


class Stream:
    """An endless sequence of choices, and what is known about the value so far.

    Dates depend on the day alone, so that prepared values last for a day.
    """

    __slots__ = ("_block", "_choices", "_next", "day", "depth", "size")

    def __init__(self, identity: str, now_ms: int) -> None:
        """``now_ms``: milliseconds since the epoch."""
        self._block = blake2b(identity.encode("utf-8", "surrogatepass")).digest()
        self._choices = self._block.translate(_TO_CHOICE)
        self._next = 0
        self.day = now_ms - now_ms % DAY
        self.depth = 0
        """How many objects and arrays enclose the current part."""
        self.size = 0
        """The number of parts so far."""

    def take(self, count: int) -> bytes:
        """Return the next ``count`` choices."""
        start = self._next
        self._next = end = start + count
        choices = self._choices[start:end]
        return choices if len(choices) == count else self._extend(start, end)

    def one(self) -> int:
        """Return the next choice."""
        at = self._next
        if at < len(self._choices):
            self._next = at + 1
            return self._choices[at]
        return self.take(1)[0]

    def _extend(self, start: int, end: int) -> bytes:
        known = self._choices[start:]
        while len(known) < end - start:
            self._block = blake2b(self._block).digest()
            known += self._block.translate(_TO_CHOICE)
        self._choices, self._next = known, end - start
        return known[: self._next]
