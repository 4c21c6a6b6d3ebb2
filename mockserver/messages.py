"""Requests, responses and deferred responses, as all parts of the server use them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

from mockserver.diagnostics import Violation

Value = TypeVar("Value")
MAX_DIFFERING = 256
"""Characters of a header field that differs from that of a section."""


class Request(Struct, gc=False):
    """One HTTP request with its body.

    ``raw_path`` and ``query_string`` are as the client sent them (percent-encoded, Latin-1). Header
    names are lower case. Repeated fields are joined by ``", "`` (RFC 9110 section 5.3), ``cookie`` by
    ``"; "``. It is not tracked by the garbage collector, because it is not part of a reference cycle.
    """

    method: str
    raw_path: str
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    section: dict[str, str] | None = None
    """The header fields of an earlier request whose header section is like this one. Both have no body."""
    differing: tuple[str, ...] = ()
    """The names of the header fields whose values, of at most MAX_DIFFERING, differ from ``section``."""
    checked: bytes | None = None
    """What another process read of this request, which was heavy; see ``engine.heavy``."""


class BodyLimits(Struct, frozen=True):
    """The limits of the body of a request."""

    octets: int = 10 * 1024 * 1024
    """Octets of the body, as sent and after decompression."""
    nodes: int = 500_000
    """Values in the body. A JSON value counts as one, a value of another format as more."""
    ratio: int = 100
    """The size after decompression in relation to the size as sent."""

    def unpacked(self, sent: int) -> int:
        """Return the limit in octets of a decompressed body that has ``sent`` compressed octets."""
        return min(self.octets, max(_ALWAYS_OCTETS, sent * self.ratio))

    def unpacked_nodes(self, sent: int) -> int:
        """Return the limit in values of a decompressed body that has ``sent`` compressed octets."""
        return min(self.nodes, max(_ALWAYS_NODES, sent * self.ratio // _OCTETS_A_NODE))


_ALWAYS_OCTETS = 1024 * 1024
"""Octets to which every compressed body may expand, whatever its ratio: they take little time."""
_ALWAYS_NODES = 10_000
_OCTETS_A_NODE = 70


class Response(Struct):
    """One HTTP response without ``Content-Length`` and ``Date``, which the server adds.

    Header names are lower case. ``decision`` says why this response was chosen; it is sent as
    ``X-Mock-Decision``. ``delay`` is in milliseconds of the namespace's clock. ``fault`` is the name of
    a network fault, or empty.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    decision: str = ""
    delay: int = 0
    fault: str = ""
    stream: AsyncIterator[bytes] | None = None
    """The body in chunks, instead of ``body``, for a body whose length is unknown."""
    operation: str = ""
    """The id of the operation, or empty. The journal records it, and the resource, key and violations."""
    resource: str = ""
    key: str = ""
    violations: Sequence[Violation] = ()
    head: bytes = b""
    """The encoded status line and header fields, or empty. If set, ``headers`` must not change any more."""
    warnings: Sequence[str] = ()
    """Faults of the request or the document that were tolerated; sent as ``X-Mock-Warning``."""


class Deferred(Generic[Value]):
    """A value that arrives later, such as a response. Await it, or pass a function to ``then``."""

    __slots__ = ("_then", "_value")

    def __init__(self) -> None:
        self._value: Value | None = None
        self._then: Callable[[Value], None] | None = None

    def resolve(self, value: Value) -> None:
        """Set the value. Call it once, in the event loop."""
        self._value = value
        if self._then is not None:
            self._then(value)

    def then(self, work: Callable[[Value], None]) -> None:
        """Call ``work`` with the value when it arrives; at once if it has arrived."""
        self._then = work
        if self._value is not None:
            work(self._value)

    def cancel(self) -> None:
        """Drop the function that waits for the value."""
        self._then = None

    def __await__(self) -> Generator[object, None, Value]:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self.then(lambda value: None if future.done() else future.set_result(value))
        return (yield from future)
