"""The server of the command line: asyncio on uvloop, HTTP/1.1 by llhttp.

Written for this job because it decides the budgets: on the machine of
``benchmarks/README.md`` Granian takes 32 µs of processor time for an empty
answer, this 13 µs, where all of a poll may take 33. It also hands over the raw
path and the socket, which routing and wire faults need.
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

from mockserver.http.connection import Connection, ConnectionOwner, Handler, Limits, Turn
from mockserver.http.hosts import Hosts
from mockserver.http.listener import BACKLOG
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import Clock
from mockserver.namespaces.memory import Heap
from mockserver.namespaces.namespaces import DEFAULT, Namespaces

_LOG = logging.getLogger("mockserver.server")
_KEPT = 32
"""Descriptors that are no client's: standard streams, the listener, the store, files."""
_SWEEP = 1.0
_ROUNDS = 100
"""Of the event loop, in which connections that were broken off are gone."""


class Server(ConnectionOwner):
    """Serves a handler on one listening socket until told to stop."""

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
        self.namespaces = namespaces
        self.limits = limits or Limits()
        if hosts is not None:
            self.hosts = hosts
        self.log_access = log_access
        self.drain_time = drain_time
        self.connections: set[Connection] = set()
        self.sections = {}
        self.memory = namespaces.memory
        self._turns: deque[Turn] = deque()
        self.clients: dict[str, int] = {}
        self.tells_clients_apart = self.limits.client_connections > 0 or self.memory.max_client_waiting > 0
        self._cut_off = 0
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._has_told = False
        self.draining = False
        self.on_stop: Callable[[], None] = lambda: None
        """Called when no new connections are taken: for what must end so that the others can."""
        self.on_beat: Callable[[], None] = lambda: None
        """Called each second, to show that the event loop turns."""
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time  # type: ignore[method-assign]

    async def run(self, listener: socket.socket, ready: Callable[[], None], *, signals: bool = True) -> None:
        """Serve until ``stop``; ``ready`` is called when connections are taken."""
        server = await self._loop.create_server(lambda: Connection(self), sock=listener, backlog=BACKLOG)
        sweeper = self._loop.create_task(self._sweep())
        # No other thread than the main one is told of signals.
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.stop)
        ready()
        try:
            await self._stopping.wait()
            self.draining = True
            server.close()
            self.on_stop()
            await self._drain()
        finally:
            sweeper.cancel()
            for connection in list(self.connections):
                connection.abort()
            for _ in range(_ROUNDS):  # an event loop does not close while they are open
                if self.connections:
                    await asyncio.sleep(0)

    def stop(self) -> None:
        """Take no new connections, answer what is in flight, return from ``run``."""
        self._stopping.set()

    async def _drain(self) -> None:
        end = self.time() + self.drain_time
        while self.connections and self.time() < end:
            for connection in [each for each in self.connections if each.idle]:
                connection.close()
            await asyncio.sleep(0.01)
        if self.connections:
            _LOG.warning(
                "%d connections were still busy after %.0f s", len(self.connections), self.drain_time
            )

    async def _sweep(self) -> None:
        """Close connections whose time is over: one look at all of them, instead of a timer for each."""
        heap = Heap()
        while True:
            await asyncio.sleep(_SWEEP)
            self.on_beat()
            self.expire()
            heap.beat()

    def expire(self) -> None:
        """Close every connection whose time is over by now."""
        now = self.time()
        for reader in [each for each in self.connections if each.unsent]:
            reader.look()
        if self.memory.cut_off > self._cut_off:
            _LOG.warning(
                "%d clients that did not take their answers were disconnected, which may have %d bytes by "
                "--max-memory",
                self.memory.cut_off - self._cut_off,
                self.memory.limits.unsent,
            )
            self._cut_off = self.memory.cut_off
        for connection in [each for each in self.connections if each.deadline < now]:
            connection.expire()
        if len(self.connections) > self.descriptors - _KEPT and not self._has_told:
            self._has_told = True
            _LOG.warning(
                "%d connections are open, and this process may have %d descriptors: more clients are turned "
                "away at once; raise the limit with ulimit -n", len(self.connections), self.descriptors,
            )  # fmt: skip

    def in_turn(self, work: Callable[[], None]) -> Turn:
        """Do ``work`` that may take long, one such in each turn of the event loop: others come between."""
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
        name = DEFAULT if request is None else request.headers.get("x-mock-namespace", DEFAULT)
        return self.namespaces.get_or_default(name).clock
