"""Delays of responses, drawn by the seed, and bodies that are sent slowly in chunks."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from random import Random

from mockserver import inputs
from mockserver.namespaces.clock import Clock
from mockserver.plan import Delay, Dribble
from mockserver.providers.ids import join

LONGEST = 86_400_000
"""The longest delay in milliseconds: one day."""
MAX_WAIT = 120_000
"""The default of the longest wait in milliseconds that a client may ask for."""


def length(delay: Delay, *identity: str) -> int:
    """Return the length of a delay in milliseconds.

    It is a function of ``identity``, whose first part is the seed.
    """
    if delay.kind == "fixed":
        return delay.low
    random = Random(join("delay", *identity))
    if delay.kind == "uniform":
        return random.randint(delay.low, delay.high)
    return min(LONGEST, round(delay.low * math.exp(random.gauss(0.0, delay.sigma))))


def stated(text: str) -> Delay:
    """Parse the delay of an option: ``200ms``, ``100ms..2s`` (uniform), ``200ms~0.5`` (median and sigma).

    Raises ValueError.
    """
    low, uniform, high = text.partition("..")
    median, spread, sigma = text.partition("~")
    if uniform:
        delay = Delay("uniform", inputs.milliseconds(low), inputs.milliseconds(high))
    elif spread:
        delay = Delay("lognormal", inputs.milliseconds(median), sigma=float(sigma))
    else:
        delay = Delay(low=inputs.milliseconds(text))
    if (
        (uniform and delay.low > delay.high)
        or not 0 <= delay.sigma <= 5
        or max(delay.low, delay.high) > LONGEST
    ):
        raise ValueError(f"{text!r} is not a valid delay")
    return delay


async def dribbled(body: bytes, dribble: Dribble, clock: Clock) -> AsyncIterator[bytes]:
    """Yield ``body`` in chunks: the first at once, the last after ``dribble.over`` milliseconds."""
    count = max(1, min(dribble.chunks, len(body)))
    pause = dribble.over // max(1, count - 1)
    for index in range(count):
        if index and pause:
            await clock.sleep(pause)
        yield body[index * len(body) // count : (index + 1) * len(body) // count]
