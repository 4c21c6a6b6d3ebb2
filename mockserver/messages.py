"""A request and a response as every part of the server sees them, and a response that is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Sequence

from msgspec import Struct, field

from mockserver.diagnostics import Violation


class Request(Struct, gc=False):
    """One HTTP request, complete with its body. It holds no cycle, so the collector need not look at it.

    ``raw_path`` and ``query_string`` are as sent (percent-encoded, latin-1);
    header names are lower case, repeated fields joined by ``", "`` (RFC 9110
    section 5.3; ``cookie`` by ``"; "``).
    """

    method: str
    raw_path: str
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    repeats: bool = False
    """Whether it has no body, and ``headers`` is the same object as for others with that header section."""


class BodyLimits(Struct, frozen=True):
    """What the body of a request may be."""

    octets: int = 10 * 1024 * 1024
    """On the wire, and decompressed."""
    nodes: int = 500_000
    """Values in it: of JSON each counts for one, anything else for more."""
    ratio: int = 100
    """How many times what was sent it may be once it is decompressed."""

    def unpacked(self, sent: int) -> int:
        """The octets that a compressed body of so many may be."""
        return min(self.octets, max(_ALWAYS_OCTETS, sent * self.ratio))

    def unpacked_nodes(self, sent: int) -> int:
        """The values that a compressed body of so many octets may hold."""
        return min(self.nodes, max(_ALWAYS_NODES, sent * self.ratio // _OCTETS_A_NODE))


_ALWAYS_OCTETS = 1024 * 1024
"""A small body compresses well, and costs little however well."""
_ALWAYS_NODES = 10_000
_OCTETS_A_NODE = 70


class Response(Struct):
    """Status, header fields and body; ``Content-Length`` and ``Date`` are the adapter's.

    Header names are lower case. ``decision`` says what decided the answer and
    is sent as ``X-Mock-Decision``. ``delay`` is in milliseconds of the clock.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    decision: str = ""
    delay: int = 0
    fault: str = ""
    stream: AsyncIterator[bytes] | None = None
    """The body in chunks, instead of ``body``, for what has no end yet."""
    operation: str = ""
    """Id of the operation that answered; empty where none did. This and what follows is for the journal."""
    resource: str = ""
    key: str = ""
    violations: Sequence[Violation] = ()
    head: bytes = b""
    """Status line and header fields as they are sent, where that is known; for nobody to change them then."""
    warnings: Sequence[str] = ()
    """What had to be forgiven, of the request or of the document; sent as ``X-Mock-Warning``."""


class Deferred:
    """Awaitable; or give ``then`` a function. It comes once, from the event loop."""

    __slots__ = ("_answer", "_then")

    def __init__(self) -> None:
        self._answer: Response | None = None
        self._then: Callable[[Response], None] | None = None

    def resolve(self, response: Response) -> None:
        self._answer = response
        if self._then is not None:
            self._then(response)

    def then(self, work: Callable[[Response], None]) -> None:
        """Call ``work`` with the answer when it comes; now if it is there."""
        self._then = work
        if self._answer is not None:
            work(self._answer)

    def cancel(self) -> None:
        """Nobody waits any longer."""
        self._then = None

    def __await__(self) -> Generator[object, None, Response]:
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.then(lambda response: None if future.done() else future.set_result(response))
        return (yield from future)
