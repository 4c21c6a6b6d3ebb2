"""Messages between the processes that share a store, with acknowledgement (Redis PUBLISH and SUBSCRIBE)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

from mockserver.state.redis.connection import Connection


class Broadcast:
    """Sends messages to all processes that share a prefix, this one included."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel = f"{connection.prefix}/said"
        self._tokens = itertools.count()
        self._acknowledged: dict[str, asyncio.Semaphore] = {}

    async def publish(self, message: str) -> None:
        """Send ``message``, and return when every process has handled it, or after the timeout.

        Raises Unavailable.
        """
        token = str(next(self._tokens))
        acknowledged = self._acknowledged[token] = asyncio.Semaphore(0)
        try:
            count = await self._connection.ask(
                "PUBLISH", self._channel, f"{self._connection.name} {token} {message}"
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._connection.timeout):
                    for _ in range(count):
                        await acknowledged.acquire()
        finally:
            del self._acknowledged[token]

    async def subscribe(self) -> AsyncIterator[str]:
        """Yield the messages of all processes, for ever. Requesting the next one acknowledges the previous.

        An empty message means that messages may have been lost.
        """
        own_channel = f"{self._channel}/{self._connection.name}"
        async for raw in self._connection.listen(self._channel, own_channel):
            sender, _, rest = raw.decode().partition(" ")
            token, _, message = rest.partition(" ")
            if not rest:  # an acknowledgement, which is a token alone
                if (acknowledged := self._acknowledged.get(sender)) is not None:
                    acknowledged.release()
                elif not sender:
                    yield ""
                continue
            yield message
            # On the connection of all commands, so that earlier commands are executed first.
            self._connection.send(("PUBLISH", f"{self._channel}/{sender}", token))
