"""A server in this process as an ASGI application, whatever loop it is called on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mockserver.diagnostics import UsageError
from mockserver.engine.asgi import AsgiApp, Message, Receive, Send
from mockserver.http.faults import stated

if TYPE_CHECKING:
    from mockserver.testing.host import Host


class AsgiBridge:
    """Hands requests over to the engine's loop, where all of its state belongs, and answers back.

    An answer is passed on when it is whole: what has no end, such as the
    control plane's events, takes a socket.
    """

    def __init__(self, host: Host) -> None:
        """Raises UsageError where the scenario files have the network break, which takes a socket."""
        if places := list(stated(host.engine.plan)):
            raise UsageError(
                "wire faults cannot be made without a socket: go by the server's url, or by adapter() of "
                f"requests. They are used at {'; '.join(places)}."
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
