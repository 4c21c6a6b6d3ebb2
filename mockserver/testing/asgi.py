"""A server in this process as an ASGI application, for all event loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mockserver.diagnostics import UsageError
from mockserver.engine.asgi import AsgiApp, Message, Receive, Send
from mockserver.http.faults import stated

if TYPE_CHECKING:
    from mockserver.testing.host import Host


class AsgiBridge:
    """Runs requests on the engine's loop and passes the responses on.

    A response is passed on when it is complete. Responses without an end, such as the events of the
    control plane, need a socket.
    """

    def __init__(self, host: Host) -> None:
        """Raise UsageError if scenario files use wire faults, which need a socket."""
        if locations := list(stated(host.engine.plan)):
            raise UsageError(
                "wire faults need a socket. Use the url of the server, or adapter() with requests. "
                f"They are used at {'; '.join(locations)}."
            )
        self._host = host
        self._app = AsgiApp(host.engine)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrived: list[Message] = []
        while not arrived or arrived[-1].get("more_body", False):
            arrived.append(await receive())
        for message in await asyncio.wrap_future(self._host.submit(self._call(scope, arrived))):
            await send(message)

    async def _call(self, scope: Message, arrived: list[Message]) -> list[Message]:
        sent: list[Message] = []
        deferred = iter(arrived)

        async def receive() -> Message:
            return next(deferred, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent
