"""Redis frozen and killed again and again: how soon calls are refused and answered, whether any is lost.

Clients poll keys of their own all the while, each on a connection of its own
and at a pace that leaves the processors idle. The judge of ``tests.soak`` is
given all that they saw.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.live import Process
from tests.redis import Redis
from tests.soak import timelines
from tests.soak.attempt import Attempt
from tests.soak.client import Client
from tests.soak.judge import Judge
from tests.verdict import Verdict

REFUSED, RECOVERED = 1.0, 2.0
"""Seconds: what the figure allows."""
FREEZES = (0.3, 0.7, 1.2, 2.0, 6.0) * 2
"""Seconds for which Redis is frozen; after the longest, servers have given up its connection."""
KILLS = (0.0, 0.2, 0.5, 1.0, 2.0) * 2
"""Seconds from its death until it is started again."""
_WORKERS, _CLIENTS, _KEYS = 2, 8, 4
_PACE = 0.004
"""Seconds that a client waits between two polls."""
_BETWEEN = 500
"""Answers between two outages."""
_SECOND = 1_000_000_000


@dataclass
class Load:
    """The clients at work, and what they saw."""

    port: int
    seen: list[Attempt] = field(default_factory=list)
    ends: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._poll(number) for number in range(_CLIENTS)))

    async def _poll(self, number: int) -> None:
        client = Client(number, self.port, self.seen.append)
        for key in itertools.cycle([f"ladder-{number}-{each}" for each in range(_KEYS)]):
            if self.ends:
                break
            await client.poll(key)
            await asyncio.sleep(_PACE)
        client.close()

    async def answers(self, count: int) -> None:
        """Wait for so many more answers."""
        at = len(self.seen)
        while sum(each.outcome == "answered" for each in self.seen[at:]) < count:  # noqa: ASYNC110 - it is no hurry
            await asyncio.sleep(0.1)

    async def all_answered(self, since: int) -> float:
        """Seconds until every client has an answer to a poll that it began after ``since``."""
        answered: dict[int, int] = {}
        at = len(self.seen)
        while len(answered) < _CLIENTS:
            await asyncio.sleep(_PACE)
            for each in self.seen[at:]:
                if each.outcome == "answered" and each.start >= since:
                    answered.setdefault(each.client, each.end)
            at = len(self.seen)
        return (max(answered.values()) - since) / _SECOND


@dataclass(frozen=True)
class Outage:
    """``recovery`` is the seconds from its end until all clients were answered."""

    kind: str
    recovery: float


def run() -> Verdict:
    verdict = Verdict(
        "Redis frozen or killed: 503 within 1 s, recovered within 2 s, nothing lost (AOF always)"
    )
    for down in ("fail", "wait"):
        _hold(verdict, down)
    return verdict


def _hold(verdict: Verdict, down: str) -> None:
    with _served(down) as (redis, server):
        load, outages = asyncio.run(_measured(redis, server.port))
    found = Judge(timelines.body, _SECOND).judge(load.seen)
    refused = [each for each in load.seen if each.outcome != "answered"]
    slowest = max((each.end - each.start for each in load.seen), default=0) / _SECOND
    until = max((each.end - each.start for each in refused), default=0) / _SECOND
    what = f"--store-down {down}"
    verdict.say(
        f"{what}: {len(FREEZES)} freezes of {min(FREEZES)} to {max(FREEZES)} s, {len(KILLS)} kills; "
        f"{found.outcomes['answered']:,} answers, {len(refused):,} refusals"
    )
    verdict.hold(
        bool(refused) and slowest <= REFUSED,
        f"{what}: the slowest 503 took {until:.3f} s, the slowest call of all {slowest:.3f} s",
    )
    freezes, kills = (
        max(each.recovery for each in outages if each.kind == kind) for kind in ("freeze", "kill")
    )
    verdict.hold(
        max(freezes, kills) <= RECOVERED,
        f"{what}: all clients were answered {freezes:.3f} s after a thaw, {kills:.3f} s after a start, "
        f"at the latest",
    )
    verdict.hold(
        found.exact,
        f"{what}: {len(found.violations)} of {found.keys} keys' sequences broken {found.kinds or ''}; "
        f"of {found.outcomes['unknown']} calls of unknown outcome {found.unknown_spent} were counted",
    )


@contextmanager
def _served(down: str) -> Iterator[tuple[Redis, Process]]:
    with tempfile.TemporaryDirectory() as folder, Redis(durable=True) as redis:
        document, scenarios = timelines.write(Path(folder))
        options = ("--workers", _WORKERS, "--store-down", down)
        cache = Path(folder) / "cache"
        with Process(
            document, "--scenarios", scenarios, "--store", redis.url, *options, cache=cache
        ) as server:
            yield redis, server


async def _measured(redis: Redis, port: int) -> tuple[Load, list[Outage]]:
    load = Load(port)
    working = asyncio.ensure_future(load.run())
    outages = []
    for frozen, killed in zip(FREEZES, KILLS, strict=True):
        outages.append(await _outage(load, "freeze", redis.freeze, frozen, redis.thaw))
        outages.append(await _outage(load, "kill", redis.kill, killed, redis.start))
    load.ends = True
    await working
    return load, outages


async def _outage(
    load: Load, kind: str, begin: Callable[[], None], seconds: float, end: Callable[[], None]
) -> Outage:
    await load.answers(_BETWEEN)
    await asyncio.to_thread(begin)
    await asyncio.sleep(seconds)
    ended = time.monotonic_ns()
    ending = asyncio.ensure_future(asyncio.to_thread(end))
    recovery = await load.all_answered(ended)
    await ending
    return Outage(kind, recovery)
