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
