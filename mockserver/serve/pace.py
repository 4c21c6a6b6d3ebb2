"""How long an answer takes: delays drawn by the seed, and bodies that dribble."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from random import Random

from mockserver.plan import Delay, Dribble
from mockserver.providers.identifiers import join
from mockserver.serve.clock import Clock

LONGEST = 86_400_000
"""A day, in milliseconds: no draw is longer."""


def length(delay: Delay, *identity: str) -> int:
    """Milliseconds; the same for the same ``identity``, which begins with the seed."""
    if delay.kind == "fixed":
        return delay.low
    dice = Random(join("delay", *identity))
    if delay.kind == "uniform":
        return dice.randint(delay.low, delay.high)
    return min(LONGEST, round(delay.low * math.exp(dice.gauss(0.0, delay.sigma))))


async def dribbled(body: bytes, dribble: Dribble, clock: Clock) -> AsyncIterator[bytes]:
    """``body`` in its chunks: the first at once, the last when the time is over."""
    count = max(1, min(dribble.chunks, len(body)))
    pause = dribble.over // max(1, count - 1)
    for index in range(count):
        if index and pause:
            await clock.sleep(pause)
        yield body[index * len(body) // count : (index + 1) * len(body) // count]
