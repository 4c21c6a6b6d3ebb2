"""Responses that the client of one connection has not read yet, while their number is above a limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.http.connection import Connection

WRITE_BUFFER = 4096
"""Octets of responses that a client may leave unread. Above it, they are counted and reading pauses."""


class UnreadResponses:
    """From ``pause_writing`` to ``resume_writing`` of asyncio: counts what the client leaves unread."""

    __slots__ = ("_connection", "_left", "_read", "_server", "taken", "unsent")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._server = connection.server
        self._read = asyncio.Event()
        self.unsent = 0
        """Octets of responses that the client has not read and that ``memory.unsent`` contains."""
        self._left = 0
        """Octets in the write buffer of the transport when they were last counted."""
        self.taken = 0.0
        """The time at which the client last read a part of them, in seconds of the event loop."""

    def count(self, size: int) -> None:
        """Count a response of ``size`` octets: it takes memory until all of it is read."""
        left = self._connection.transport.get_write_buffer_size()
        held = max(size, left)
        memory = self._server.memory
        if held > self.unsent and not self._connection.transport.is_closing():
            memory.unsent += held - self.unsent
            self.unsent, self._left, self.taken = held, left, self._server.time()
            memory.readers.add(self)
            memory.make_room(but=self)

    def release(self) -> None:
        """Subtract the responses from the memory in use, and end ``wait``."""
        if self.unsent:
            memory = self._server.memory
            memory.unsent -= self.unsent
            if self in memory.readers:
                memory.readers.discard(self)
            else:
                memory.leaving -= self.unsent
            self.unsent = 0
        self._read.set()

    async def wait(self) -> None:
        """Wait until the client reads again, or the connection is lost."""
        await self._read.wait()

    def look(self) -> None:
        """Note the time if the client has read a part of the responses since the last call."""
        left = self._connection.transport.get_write_buffer_size()
        if left < self._left:
            self._left, self.taken = left, self._server.time()

    def abort(self) -> None:
        """Close without waiting until the client has read the responses."""
        self._connection.abort()
