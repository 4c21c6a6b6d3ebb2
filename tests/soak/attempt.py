"""One poll, as its client saw it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Outcome = Literal["answered", "refused", "unknown", "cut", "unsent"]
"""What a client knows of its poll:

answered   an answer of the resource came: counted, and here is with what
refused    503, and it says that the call was not counted
unknown    503, and it says that nobody knows
cut        the connection broke after the request was sent: nobody knows
unsent     the connection broke before anything of the request was sent
"""


class Attempt(Struct, frozen=True, array_like=True):
    """``start`` and ``end`` are nanoseconds of one monotonic clock that all clients share."""

    client: int
    key: str
    start: int
    end: int
    outcome: Outcome
    status: int = 0
    body: str = ""
    """Of an answer; the detail of a 503."""
    instance: int = 0
    """Which connection of the client it was, from 1."""
