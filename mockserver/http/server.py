"""The server of the command line: asyncio on uvloop, HTTP/1.1 by llhttp.

This project has its own server because of its budget of processor time: an empty response takes 32 µs
on Granian and 13 µs here, and a whole poll may take 33 µs (machine: ``benchmarks/README.md``). The
server also gives the raw path to the routing, and the socket to the network faults.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable

from mockserver.http.connection import Connection
from mockserver.http.hosts import Hosts
from mockserver.http.listener import BACKLOG
from mockserver.http.owner import ConnectionOwner, Handler, Limits, Turn
from mockserver.http.sections import Sections
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.memory import Heap
from mockserver.namespaces.namespaces import DEFAULT, Namespaces

_LOG = logging.getLogger("mockserver.server")
_RESERVED_DESCRIPTORS = 32
"""Descriptors that are not connections: standard streams, the listener, the store, files."""
_SWEEP_INTERVAL = 1.0
_ACCEPTED = 8
"""Connections that are accepted in one round of the event loop: libuv accepts one for each descriptor."""
_CLOSING_ROUNDS = 100
"""Turns of the event loop in which aborted connections close."""


class Server(ConnectionOwner):
    """Serves a handler on one listening socket until ``stop``."""

    def __init__(
        self,
        handle: Handler,
        namespaces: Namespaces,
        *,
        limits: Limits | None = None,
        hosts: Hosts | None = None,
        log_access: Callable[[Request, Response, float], None] | None = None,
        drain_time: float = 10.0,
    ) -> None:
        self.handle = handle
        self.read_heavy = lambda request: None
        self.namespaces = namespaces
        self.limits = limits or Limits()
        if hosts is not None:
            self.hosts = hosts
        self.log_access = log_access
        self.drain_time = drain_time
        self.connections: set[Connection] = set()
        self.sections = Sections(self.limits)
        self.memory = namespaces.memory
        self._turns: deque[Turn] = deque()
        self.clients: dict[str, int] = {}
        self.tells_clients_apart = self.limits.client_connections > 0 or self.memory.max_client_waiting > 0
        self._cut_off = 0
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._has_warned = False
        self.draining = False
        self.on_stop: Callable[[], None] = lambda: None
        """Called when no new connections are accepted, to end streams that would not end by themselves."""
        self.on_beat: Callable[[], None] = lambda: None
        """Called each second, to show that the event loop runs."""
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time  # type: ignore[method-assign]

    async def run(self, listener: socket.socket, ready: Callable[[], None], *, signals: bool = True) -> None:
        """Serve until ``stop``; call ``ready`` when connections are accepted.

        ``signals``: stop on SIGTERM and SIGINT, too.
        """
        servers = [
            await self._loop.create_server(lambda: Connection(self), sock=each, backlog=BACKLOG)
            for each in (listener, *(listener.dup() for _ in range(_ACCEPTED - 1)))
        ]
        sweeper = self._loop.create_task(self._sweep())
        # Only the main thread receives signals.
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.stop)
        ready()
        try:
            await self._stopping.wait()
            self.draining = True
            for server in servers:
                server.close()
            self.on_stop()
            await self._drain()
        finally:
            sweeper.cancel()
            for connection in list(self.connections):
                connection.abort()
            for _ in range(_CLOSING_ROUNDS):  # the event loop cannot close before its connections
                if self.connections:
                    await asyncio.sleep(0)

    def stop(self) -> None:
        """Accept no new connections, complete the requests in progress, and return from ``run``."""
        self._stopping.set()

    async def _drain(self) -> None:
        end = self.time() + self.drain_time
        while self.connections and self.time() < end:
            for connection in [connection for connection in self.connections if connection.idle]:
                connection.close()
            await asyncio.sleep(0.01)
        if self.connections:
            _LOG.warning(
                "%d connections were still busy after %.0f s", len(self.connections), self.drain_time
            )

    async def _sweep(self) -> None:
        """Expire connections once a second: one loop over all of them instead of a timer for each."""
        heap = Heap()
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL)
            self.on_beat()
            self.expire()
            heap.beat()

    def expire(self) -> None:
        """Expire every connection whose deadline is over, and log refused clients."""
        now = self.time()
        for connection in self.connections:
            if connection.unread is not None:
                connection.unread.look()
        if self.memory.cut_off > self._cut_off:
            _LOG.warning(
                "%d clients that did not read their responses were disconnected; unread responses may take "
                "%d bytes by --max-memory",
                self.memory.cut_off - self._cut_off,
                self.memory.limits.unsent,
            )
            self._cut_off = self.memory.cut_off
        for connection in [connection for connection in self.connections if connection.deadline < now]:
            connection.expire()
        if len(self.connections) > self.descriptors - _RESERVED_DESCRIPTORS and not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "%d connections are open, and this process may have %d descriptors: more connections are "
                "refused; raise the limit with ulimit -n", len(self.connections), self.descriptors,
            )  # fmt: skip

    def in_turn(self, work: Callable[[], None]) -> Turn:
        """Schedule ``work`` that may take long: one in each turn of the event loop, between other events."""
        turn = Turn(work)
        self._turns.append(turn)
        if len(self._turns) == 1:
            self._loop.call_soon(self._take_turn)
        return turn

    def _take_turn(self) -> None:
        turn = self._turns.popleft()
        if self._turns:
            self._loop.call_soon(self._take_turn)
        turn.take()

    def clock_of(self, request: Request | None) -> Clock:
        """Return the clock of a request's namespace; that of the default one if it does not exist."""
        name = DEFAULT if request is None else request.headers.get("x-mock-namespace", DEFAULT)
        return self.namespaces.get_or_default(name).clock
