"""A server in this process: an engine with its own event loop and daemon thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from mockserver.admin.control import Control
from mockserver.admin.plane import ControlPlane
from mockserver.diagnostics import UsageError
from mockserver.engine.engine import Engine, Options
from mockserver.http.listener import bind
from mockserver.http.server import Server
from mockserver.inputs import Inputs
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import Plan
from mockserver.state.memory import MemoryStore

Result = TypeVar("Result")
_TIMEOUT = 60.0
_DRAIN = 0.2
"""Seconds that responses have to complete when the server stops. No test waits for them then."""


@dataclass(frozen=True, slots=True)
class Address:
    """The address to listen on. Port 0 is a free port."""

    host: str
    port: int


class Host:
    """A server that runs until ``stop``. All threads except its own can call the methods."""

    def __init__(
        self, plan: Plan, inputs: Inputs, options: Options, frozen_at: int | None, address: Address
    ) -> None:
        """Start the server. Raise UsageError if the address is not available."""
        self._listener = bind(address.host, address.port)
        shown = f"[{address.host}]" if ":" in address.host else address.host
        self.url = f"http://{shown}:{self._listener.getsockname()[1]}"
        self.engine = Engine(plan, store=MemoryStore(), namespaces=Namespaces(frozen_at), options=options)
        self.engine.egress.exclude(self._listener)
        self._plane = ControlPlane(self.engine, hosts=(address.host,), inputs=inputs)
        self.engine.control = self._plane.response
        self._runner = asyncio.Runner(loop_factory=_new_loop)
        self._loop = self._runner.get_loop()
        self._running: Future[tuple[Server, Control]] = Future()
        self._thread = threading.Thread(target=self._run, name="mockserver", daemon=True)
        self._thread.start()
        self._server, self.control = self._running.result(_TIMEOUT)

    def stop(self) -> None:
        """Close the socket and end the thread."""
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(_TIMEOUT)

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine on the loop. Raise UsageError if the server was stopped."""
        if not self._thread.is_alive():
            work.close()
            raise UsageError("the mock server was stopped.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def response(self, request: Request) -> Response:
        """Return the response to a request without a socket, after its delay. Call it on the loop only."""
        deferred = self.engine.handle(request)
        response = await deferred if isinstance(deferred, Awaitable) else deferred
        if response.delay:
            with self.engine.namespaces.memory.wait(len(response.body)):
                await self._server.clock_of(request).sleep(response.delay)
        return response

    def _run(self) -> None:
        with self._runner:  # cancels the remaining tasks at the end
            self._runner.run(self._serve())

    async def _serve(self) -> None:
        server = Server(self.engine.handle, self.engine.namespaces, drain_time=_DRAIN)
        server.on_stop = self._plane.close
        control = Control(self.engine)
        await server.run(self._listener, lambda: self._running.set_result((server, control)), signals=False)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make()
