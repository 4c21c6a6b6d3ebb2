"""A request as the engine sees it: no server, no socket, no framework."""

from __future__ import annotations

from msgspec import Struct, field


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
_OCTETS_A_NODE = 50
