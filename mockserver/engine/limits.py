"""Rate limits, concurrency limits and random failures of an operation.

Rejected requests do not change resource state. Time windows follow the clock of the namespace. Random
failures follow the seed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from mockserver.engine.resources.conditions import Read, reader
from mockserver.messages import Request
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import Concurrency, Flaky, Limit, Resource, Role
from mockserver.providers.ids import join
from mockserver.state.machine import roll
from mockserver.state.protocol import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Headers = list[tuple[str, str]]


class _Bucket(Struct, frozen=True):
    """A limit and the name of its counter. A limit of the file counts all operations together."""

    limit: Limit
    name: str
    read: Read | None


class Verdict(Struct, frozen=True):
    """The result of the rate limits for a call; ``over`` is the limit that the call exceeds."""

    over: Limit | None
    headers: Headers
    """RateLimit fields (draft-ietf-httpapi-ratelimit-headers), and Retry-After above a limit."""
    retry_after: int = 0
    """Seconds until the window of the limit ends."""


class _Queue(Struct):
    """The calls of one namespace: how many are in progress, and those that wait, first in first out."""

    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Guard:
    """The limits and random failures of one operation of one resource."""

    def __init__(self, resource: Resource, alias: str, key: Read, seed: str) -> None:
        role = resource.roles.get(alias, Role())
        self.concurrency: Concurrency | None = role.concurrency
        self.flaky: Flaky | None = role.flaky or resource.flaky
        self._resource = resource.name
        self._alias = alias
        self._seed = seed
        self._key = key
        self._buckets = [
            *_buckets(resource.limits, "*", key),
            *_buckets(role.limits, alias, key),
        ]
        self._queues: dict[str, _Queue] = {}

    def limited(
        self, request: Request, path: dict[str, str], body: Any, world: Namespace, now: int, store: Store
    ) -> Verdict | None:
        """Count a call in its time windows. Return None if the operation has no limits."""
        tightest: tuple[int, Limit, int] | None = None
        for bucket in self._buckets:
            value = bucket.read(request, path, body) if bucket.read is not None else ""
            if value is None:
                continue
            limit = bucket.limit
            name = f"{bucket.name}={value}"
            count, began = store.counters.window(world.name, self._resource, name, now, limit.window)
            left, reset = limit.most - count, -(-(began + limit.window - now) // 1000)
            if tightest is None or left < tightest[0]:
                tightest = left, limit, reset
            if left < 0:
                break
        if tightest is None:
            return None
        left, limit, reset = tightest
        seconds = -(-limit.window // 1000)
        headers = [
            ("ratelimit-policy", f"{limit.most};w={seconds}"),
            ("ratelimit-limit", str(limit.most)),
            ("ratelimit-remaining", str(max(left, 0))),
            ("ratelimit-reset", str(reset)),
        ]
        if left >= 0:
            return Verdict(None, headers)
        return Verdict(limit, [*headers, ("retry-after", str(reset))], reset)

    def random_failure(
        self, request: Request, path: dict[str, str], body: Any, world: Namespace, store: Store
    ) -> str:
        """Return the random failure of a call: a state, a status or a fault. Empty: the call succeeds.

        The result is a function of the seed, the key and the number of the call.
        """
        flaky = self.flaky
        if flaky is None:
            return ""
        key = self._key(request, path, body) or ""
        number = store.counters.tally(world.name, self._resource, f"{self._alias}={key}")
        identity = join("flaky", self._seed, world.name, self._resource, self._alias, key).decode(
            "utf-8", "replace"
        )
        if roll(identity, number) >= flaky.rate:
            return ""
        return flaky.answers[int(roll(f"{identity}answer", number) * len(flaky.answers))]

    @asynccontextmanager
    async def turn(self, concurrency: Concurrency, world: Namespace) -> AsyncIterator[bool]:
        """Enter the queue of a namespace. Yield whether the call is within ``concurrency``."""
        queue = self._queues.setdefault(world.name, _Queue())
        admitted = queue.busy < concurrency.most
        if admitted:
            queue.busy += 1
        elif concurrency.wait:
            admitted = await self._wait(queue, concurrency.wait, world)
        try:
            yield admitted
        finally:
            if admitted:
                self._leave(queue, world.name)

    @staticmethod
    async def _wait(queue: _Queue, wait: int, world: Namespace) -> bool:
        """Wait until another call ends. Return False after ``wait`` milliseconds."""
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiting.append(slot)
        timer = asyncio.ensure_future(world.clock.sleep(wait))
        try:
            await asyncio.wait((slot, timer), return_when=asyncio.FIRST_COMPLETED)
            return slot.done()
        except asyncio.CancelledError:
            if slot.done():
                _release(queue)
            raise
        finally:
            timer.cancel()
            if not slot.done():
                slot.cancel()
                queue.waiting.remove(slot)

    def _leave(self, queue: _Queue, world: str) -> None:
        _release(queue)
        if not queue.busy and not queue.waiting:
            self._queues.pop(world, None)


def _release(queue: _Queue) -> None:
    """Pass the slot of a call that ended to the next waiting call, or release it."""
    if queue.waiting:
        queue.waiting.popleft().set_result(None)
    else:
        queue.busy -= 1


def _buckets(limits: Sequence[Limit], name: str, key: Read) -> Iterator[_Bucket]:
    for number, limit in enumerate(limits):
        read: Callable[..., str | None] | None = None
        if limit.by is not None:
            read = key if limit.by.part == "key" else reader(limit.by)
        yield _Bucket(limit, f"{name}#{number}", read)


def guard_of(resource: Resource, alias: str, key: Read, seed: str) -> Guard | None:
    """Return the guard of an operation; None if it has no limits and no random failures."""
    role = resource.roles.get(alias, Role())
    if resource.limits or resource.flaky or role.limits or role.flaky or role.concurrency:
        return Guard(resource, alias, key, seed)
    return None
