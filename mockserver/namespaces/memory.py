"""The memory of the server: a limit in bytes for each kind of content, and the return of free memory.

Above its limit, the least recently used content of a kind is removed.
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
"""Above the limit, 1/64 more is freed than needed, so that it does not happen for each response."""


class MemoryLimits(Struct, frozen=True):
    """The maximum number of bytes of each kind of content. The defaults are also the maximum of a share."""

    journals: int = 64 * _MEBI
    """Recorded calls."""
    resources: int = 1024 * _MEBI
    """Keys and states."""
    creations: int = 256 * _MEBI
    """Requests that created resources, handles, and the data of inferred resources."""
    counts: int = 128 * _MEBI
    """Counters of rate limits and random decisions."""
    cache: int = 48 * _MEBI
    """Rendered responses."""
    unfinished: int = 256 * _MEBI
    """Requests that are not complete or not yet processed."""
    unsent: int = 256 * _MEBI
    """Responses that clients have not read yet."""
    delayed: int = 64 * _MEBI
    """Bodies of responses that wait for their delay."""
    response: int = 64 * _MEBI
    """The body of one response."""

    @classmethod
    def of(cls, total: int) -> MemoryLimits:
        """Return the limits if all kinds together may take ``total`` bytes."""
        maxima = asdict(cls())
        return cls(**{kind: min(maxima[kind], total * part // _PARTS) for kind, part in SHARES.items()})


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
"""The share of each kind, as a number of ``_PARTS``."""


class Reader(Protocol):
    """A connection whose client has not read all of its responses yet."""

    taken: float
    """When the client last read something."""
    unsent: int
    """The number of bytes that the client has not read yet."""

    def abort(self) -> None:
        """Close the connection. Its memory is free some moments later."""
        ...


class Memory:
    """The memory that the requests and responses of a process take, and the limits of all content."""

    def __init__(
        self, limits: MemoryLimits | None = None, *, max_waiting: int = 10_000, max_client_waiting: int = 0
    ) -> None:
        """``max_client_waiting`` limits the delayed responses of one client. 0 means no limit."""
        self.limits = limits or MemoryLimits()
        self.max_waiting = max_waiting
        self.max_client_waiting = max_client_waiting
        self.unfinished = 0
        self.unsent = 0
        self.readers: set[Reader] = set()
        """The connections whose clients have not read all of their responses yet."""
        self.leaving = 0
        """The part of ``unsent`` that belongs to aborted connections."""
        self.delayed = 0
        self.waiting = 0
        """The number of responses that wait for their delay."""
        self.cut_off = 0
        """The number of clients that were disconnected because they did not read their responses."""
        self.client = ""
        """The address of the client whose request is being processed, if clients have a limit."""
        self._by_client: dict[str, int] = {}

    def make_room(self, size: int = 0, but: Reader | None = None) -> bool:
        """Return whether a response of ``size`` more bytes may wait for its client to read it.

        If not, abort the connections whose clients have not read for the longest time, except ``but``.
        Then there may be room for the next response.
        """
        limit = self.limits.unsent
        if self.unsent + size <= limit:
            return True
        for reader in sorted(self.readers, key=lambda reader: reader.taken):
            if self.unsent - self.leaving + size <= limit - limit // _SLACK:
                break
            if reader is not but:
                self.leaving += reader.unsent
                self.readers.discard(reader)
                reader.abort()
                self.cut_off += 1
        return False

    def may_wait(self, size: int = 0) -> bool:
        """Return whether one more response, with a body of ``size`` bytes, may wait for its delay."""
        return (
            self.waiting < self.max_waiting
            and self.delayed + size <= self.limits.delayed
            and not (self.client and self._by_client.get(self.client, 0) >= self.max_client_waiting)
        )

    @contextmanager
    def wait(self, size: int, client: str = "") -> Iterator[None]:
        """Count a response as waiting for its delay while the block runs."""
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
_MIN_GROWTH = 16 * 1024 * 1024
"""The growth of the resident set, in bytes, after which free memory is returned."""
_INTERVAL = 10
"""Beats between two checks. One check takes some milliseconds."""


class Heap:
    """Returns free memory to the system, some time after the process has grown."""

    def __init__(self) -> None:
        self._min_resident = resident_bytes()
        """The resident set after the last check, in bytes."""
        self._beats = 0

    def beat(self) -> None:
        """Check once in ``_INTERVAL`` calls. Called each second."""
        self._beats += 1
        if self._beats < _INTERVAL:
            return
        self._beats = 0
        now = resident_bytes()
        if now > self._min_resident + _MIN_GROWTH:
            trim_heap()
            now = resident_bytes()
        self._min_resident = now


def resident_bytes() -> int:
    """Return the resident set of this process in bytes, or 0 if the system does not provide it."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def trim_heap() -> None:
    """Return free memory to the system, if the C library can (glibc's ``malloc_trim``)."""
    import ctypes  # slow to import, and most servers never need it

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        _LOG.debug("this C library has no malloc_trim, so free memory is not returned")
