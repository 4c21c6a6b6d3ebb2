"""One account of the memory that the server holds, and of what it gives back to the system.

Each kind of content has a bound in bytes. At its bound the least recently used content goes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import asdict

_MEBI = 1024 * 1024
_PARTS = 32
_SLACK = 64
"""One in so many bytes is let go beyond what is too much: room is not made for each answer."""


class MemoryLimits(Struct, frozen=True):
    """Bytes that each kind may take. The defaults are what a share is at most."""

    journals: int = 64 * _MEBI
    """Calls that are kept."""
    resources: int = 1024 * _MEBI
    """Keys and states."""
    creations: int = 256 * _MEBI
    """Requests that created resources, and handles."""
    counts: int = 128 * _MEBI
    """Windows of limits, and throws of dice."""
    cache: int = 48 * _MEBI
    """Answers that are kept ready."""
    unfinished: int = 256 * _MEBI
    """Requests that are arriving or waiting their turn."""
    unsent: int = 256 * _MEBI
    """Answers that clients have not taken."""
    delayed: int = 64 * _MEBI
    """Bodies of answers that are waiting for their delay."""
    response: int = 64 * _MEBI
    """The body of one answer."""

    @classmethod
    def of(cls, total: int) -> MemoryLimits:
        """The shares of so many bytes."""
        most = asdict(cls())
        return cls(**{kind: min(most[kind], total * part // _PARTS) for kind, part in SHARES.items()})


SHARES = {
    "journals": 6,
    "resources": 5,
    "creations": 4,
    "counts": 1,
    "cache": 2,
    "unfinished": 6,
    "unsent": 4,
    "delayed": 2,
    "response": 2,
}
"""Of ``_PARTS``."""


class Reader(Protocol):
    """A connection whose client has not taken all that it was answered."""

    taken: float
    """When the client last took something."""
    unsent: int
    """Bytes that are held for it."""

    def abort(self) -> None:
        """Break it off. What is held for it is gone some moments later."""
        ...


class Memory:
    """What is under way, of all connections of a process, and the bounds of all that it holds."""

    def __init__(
        self, limits: MemoryLimits | None = None, *, max_waiting: int = 10_000, max_client_waiting: int = 0
    ) -> None:
        """``max_client_waiting`` 0: clients are not told apart."""
        self.limits = limits or MemoryLimits()
        self.max_waiting = max_waiting
        self.max_client_waiting = max_client_waiting
        self.unfinished = 0
        self.unsent = 0
        self.readers: set[Reader] = set()
        """Whose clients have not taken all that they were answered."""
        self.leaving = 0
        """Bytes of ``unsent`` that are held for connections which were broken off."""
        self.delayed = 0
        self.waiting = 0
        """Answers that are waiting for their delay."""
        self.cut_off = 0
        """Clients that were disconnected because they did not take their answers."""
        self.client = ""
        """The address of whoever is being answered, where clients are told apart."""
        self._by_client: dict[str, int] = {}

    def make_room(self, size: int = 0, but: Reader | None = None) -> bool:
        """Whether so many more bytes of an answer may be untaken.

        If not, connections are broken off whose clients have taken nothing for longest, ``but`` for one:
        there may be room for the next.
        """
        most = self.limits.unsent
        if self.unsent + size <= most:
            return True
        stale = sorted(self.readers, key=lambda each: each.taken)
        for reader in stale:
            if self.unsent - self.leaving + size <= most - most // _SLACK:
                break
            if reader is not but:
                self.leaving += reader.unsent
                self.readers.discard(reader)
                reader.abort()
                self.cut_off += 1
        return False

    def may_wait(self, size: int = 0) -> bool:
        """Whether one more answer, with a body of so many bytes, may wait for its delay."""
        return (
            self.waiting < self.max_waiting
            and self.delayed + size <= self.limits.delayed
            and not (self.client and self._by_client.get(self.client, 0) >= self.max_client_waiting)
        )

    @contextmanager
    def wait(self, size: int, client: str = "") -> Iterator[None]:
        """Count an answer as waiting for its delay."""
        self.waiting += 1
        self.delayed += size
        if client:
            self._by_client[client] = self._by_client.get(client, 0) + 1
        try:
            yield
        finally:
            self.waiting -= 1
            self.delayed -= size
            if client:
                self._by_client[client] -= 1
                if not self._by_client[client]:
                    del self._by_client[client]


_LOG = logging.getLogger("mockserver.heap")
_STATM = Path("/proc/self/statm")
_WORTH = 16 * 1024 * 1024
"""Bytes by which the resident set has grown before it is looked for what can be given back."""
_PAUSE = 10
"""Beats between two looks: one takes some milliseconds."""


class Heap:
    """Gives back what it can, some time after much was taken."""

    def __init__(self) -> None:
        self._least = resident()
        """The resident set after the last time, or less."""
        self._beats = 0

    def beat(self) -> None:
        """Called each second."""
        self._beats += 1
        if self._beats < _PAUSE:
            return
        self._beats = 0
        now = resident()
        if now > self._least + _WORTH:
            give_back()
            now = resident()
        self._least = now


def resident() -> int:
    """Bytes of this process that are in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def give_back() -> None:
    """Give the system what is free, where the C library can."""
    import ctypes  # takes a while, and most servers never need it

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        _LOG.debug("this C library gives no memory back")
