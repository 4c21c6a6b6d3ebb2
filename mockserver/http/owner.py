"""What a connection needs of its server, and the limits that the server sets to its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from mockserver.http.hosts import ANY, Hosts, is_loopback
from mockserver.http.sections import Sections
from mockserver.messages import Deferred, Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.memory import Memory

if TYPE_CHECKING:
    from mockserver.http.connection import Connection

Handler = Callable[[Request], "Response | Awaitable[Response]"]


class Limits(Struct, frozen=True):
    """The limits of what a client may send, in bytes, and of how long it may take, in seconds."""

    head: int = 64 * 1024
    headers: int = 100
    target: int = 16 * 1024
    body: int = 10 * 1024 * 1024
    client_connections: int = 0
    """Connections from one address; 0: any number. Connections from loopback are not counted."""
    head_time: float = 10.0
    body_time: float = 30.0
    idle_time: float = 120.0
    stall_time: float = 300.0
    """The longest time that the ``stall`` fault keeps a connection open."""


class Turn:
    """Work that waits for its turn in the event loop, and can be cancelled."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Callable[[], None] | None = work

    def take(self) -> None:
        """Do the work, unless it was cancelled."""
        if self._work is not None:
            self._work()

    def cancel(self) -> None:
        """Drop the work."""
        self._work = None


class ConnectionOwner:
    """The interface of a server that its connections use."""

    connections: set[Connection]
    limits: Limits
    hosts: Hosts = Hosts((ANY,))
    """The names of the server."""
    draining: bool
    """Whether the server is stopping: connections close after the response in progress."""
    memory: Memory
    """The memory that all connections take."""
    clients: dict[str, int]
    """The number of connections by client address, where the server counts by client."""
    tells_clients_apart: bool
    """Whether the server counts connections and memory by client."""
    sections: Sections
    """Header sections that were parsed."""
    handle: Handler
    read_heavy: Callable[[Request], Deferred[bytes] | None]
    """Starts to read a request elsewhere, if that takes long. The result becomes ``Request.checked``."""
    log_access: Callable[[Request, Response, float], None] | None

    def time(self) -> float:
        """Return the time of the event loop in seconds."""
        raise NotImplementedError

    def in_turn(self, work: Callable[[], None]) -> Turn:
        """Schedule ``work`` that may take long."""
        raise NotImplementedError

    def clock_of(self, request: Request | None) -> Clock:
        """Return the clock of a request's namespace; that of the default one if it does not exist."""
        raise NotImplementedError


def client_of(transport: asyncio.BaseTransport) -> str:
    """Return the address of a client; empty for loopback, which may be a proxy of many clients."""
    peer = transport.get_extra_info("peername")
    host = str(peer[0]) if isinstance(peer, tuple) else ""
    return "" if is_loopback(host) else host
