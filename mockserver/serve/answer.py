"""An answer as the engine gives it to an adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct, field

from mockserver.errors import Violation


class Answer(Struct):
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
