"""How long an answer takes: delays drawn by the seed, and bodies that dribble."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from random import Random

from mockserver import inputs
from mockserver.namespaces.clock import Clock
from mockserver.plan import Delay, Dribble
from mockserver.providers.ids import join

LONGEST = 86_400_000
"""A day, in milliseconds: no draw is longer."""
MAX_WAIT = 120_000
"""Milliseconds that a client can have its answer wait, by default; a scenario file may say more."""


def length(delay: Delay, *identity: str) -> int:
    """Milliseconds; the same for the same ``identity``, which begins with the seed."""
    if delay.kind == "fixed":
        return delay.low
    dice = Random(join("delay", *identity))
    if delay.kind == "uniform":
        return dice.randint(delay.low, delay.high)
    return min(LONGEST, round(delay.low * math.exp(dice.gauss(0.0, delay.sigma))))


def stated(text: str) -> Delay:
    """A delay as options take it: ``200ms``, ``100ms..2s`` (uniform), ``200ms~0.5`` (median and sigma).

    Raises ValueError with what is wrong.
    """
    low, uniform, high = text.partition("..")
    median, spread, sigma = text.partition("~")
    if uniform:
        delay = Delay("uniform", inputs.parse_duration(low), inputs.parse_duration(high))
    elif spread:
        delay = Delay("lognormal", inputs.parse_duration(median), sigma=float(sigma))
    else:
        delay = Delay(low=inputs.parse_duration(text))
    if (
        (uniform and delay.low > delay.high)
        or not 0 <= delay.sigma <= 5
        or max(delay.low, delay.high) > LONGEST
    ):
        raise ValueError(f"{text!r} is no delay that can be")
    return delay


async def dribbled(body: bytes, dribble: Dribble, clock: Clock) -> AsyncIterator[bytes]:
    """``body`` in its chunks: the first at once, the last when the time is over."""
    count = max(1, min(dribble.chunks, len(body)))
    pause = dribble.over // max(1, count - 1)
    for index in range(count):
        if index and pause:
            await clock.sleep(pause)
        yield body[index * len(body) // count : (index + 1) * len(body) // count]
