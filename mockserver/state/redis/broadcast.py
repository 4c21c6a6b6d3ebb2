"""What the processes on a store tell each other, and when all have heard it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

from mockserver.state.redis.connection import Link


class Broadcast:
    """The processes that share a prefix, as one of them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel = f"{link.prefix}/said"
        self._tokens = itertools.count()
        self._heard: dict[str, asyncio.Semaphore] = {}

    async def tell(self, what: str) -> None:
        """Return when every process has heard ``what`` and has done so; at the latest when time is over.

        Raises Unavailable.
        """
        token = str(next(self._tokens))
        heard = self._heard[token] = asyncio.Semaphore(0)
        try:
            count = await self._link.ask("PUBLISH", self._channel, f"{self._link.name} {token} {what}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._link.timeout):
                    for _ in range(count):
                        await heard.acquire()
        finally:
            del self._heard[token]

    async def hear(self) -> AsyncIterator[str]:
        """What processes tell, this one among them; whoever asks for the next has done as the last one says.

        Nothing, ``""``, says that something may have been missed.
        """
        ours = f"{self._channel}/{self._link.name}"
        async for message in self._link.listen(self._channel, ours):
            who, _, rest = message.decode().partition(" ")
            token, _, what = rest.partition(" ")
            if not rest:
                if (heard := self._heard.get(who)) is not None:
                    heard.release()
                elif not who:
                    yield ""
                continue
            yield what
            # On the link that everything goes by, so that all is done that went before.
            self._link.send(("PUBLISH", f"{self._channel}/{who}", token))
