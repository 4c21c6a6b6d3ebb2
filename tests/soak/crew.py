"""All clients, and which of them has which key."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence

from tests.soak.attempt import Attempt
from tests.soak.client import Client

_PAUSE = 0.05
"""Seconds that a client waits after it got no answer. The server says one second; these are impatient."""
_MAX_IN_A_ROW = 5
_CROWD = 0.1
"""How often a client polls one of the keys that all poll, before it takes its next own."""


class Crew:
    """Polls every key ``polls`` times until it was answered so often.

    A key is in the hands of one client at a time, who polls it a few times in a
    row and hands it on; so its calls follow each other, and go through all
    workers. ``crowded`` keys are polled by all clients at the same time.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        keys: Sequence[str],
        polls: int,
        crowded: Sequence[str],
        seed: int = 0,
    ) -> None:
        self._clients = clients
        self._left = deque(
            (key, polls // len(keys) + (number < polls % len(keys))) for number, key in enumerate(keys)
        )
        self._crowded = list(crowded)
        self._random = random.Random(seed)
        self._random.shuffle(self._left)
        self.answered = 0
        """Attempts that were answered, of all clients."""
        self.refused = 0
        """Attempts that were not."""
        self.on_answered: Callable[[int], None] = lambda answered: None

    async def work(self) -> None:
        await asyncio.gather(*(self._work(client) for client in self._clients))

    async def _work(self, client: Client) -> None:
        draw = self._random.random
        while self._left:
            key, left = self._left.popleft()
            turn = min(left, 1 + int(draw() * _MAX_IN_A_ROW))
            for _ in range(turn):
                while not await self._poll(client, key):  # noqa: ASYNC110 - a client that tries again
                    await asyncio.sleep(_PAUSE)
            if left > turn:
                self._left.append((key, left - turn))
            if self._crowded and draw() < _CROWD:
                await self._poll(client, self._crowded[int(draw() * len(self._crowded))])

    async def _poll(self, client: Client, key: str) -> bool:
        attempt: Attempt = await client.poll(key)
        if attempt.outcome != "answered":
            self.refused += 1
            return False
        self.answered += 1
        self.on_answered(self.answered)
        return True
