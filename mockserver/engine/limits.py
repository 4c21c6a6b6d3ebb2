"""What stands before an operation: limits, a queue, and answers that are another by chance.

None of it touches the state of a resource: who is turned away has not called.
Windows of time follow the world's clock, chance follows the seed.
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
from mockserver.state.machine import random_fraction
from mockserver.state.protocol import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Headers = list[tuple[str, str]]


class _Bucket(Struct, frozen=True):
    """A limit with where it counts: the file's limits count all its operations together."""

    limit: Limit
    name: str
    read: Read | None


class Verdict(Struct, frozen=True):
    """What the limits say of a call: ``over`` is the one that it goes beyond."""

    over: Limit | None
    headers: Headers
    """RateLimit fields (draft-ietf-httpapi-ratelimit-headers), and Retry-After where it is over."""
    retry_after: int = 0
    """Seconds."""


class _Line(Struct):
    """The calls of one namespace that are under way, and those that wait, first come first."""

    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Guard:
    """Stands before one operation of one resource."""

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
        self._lines: dict[str, _Line] = {}

    def limited(
        self, request: Request, path: dict[str, str], body: Any, namespace: Namespace, now: int, store: Store
    ) -> Verdict | None:
        """Count a call in its windows; None where there are no limits."""
        tightest: tuple[int, Limit, int] | None = None
        for bucket in self._buckets:
            value = bucket.read(request, path, body) if bucket.read is not None else ""
            if value is None:
                continue
            limit = bucket.limit
            name = f"{bucket.name}={value}"
            count, began = store.counters.count_in_window(
                namespace.name, self._resource, name, now, limit.window
            )
            left, reset = limit.max_calls - count, -(-(began + limit.window - now) // 1000)
            if tightest is None or left < tightest[0]:
                tightest = left, limit, reset
            if left < 0:
                break
        if tightest is None:
            return None
        left, limit, reset = tightest
        seconds = -(-limit.window // 1000)
        headers = [
            ("ratelimit-policy", f"{limit.max_calls};w={seconds}"),
            ("ratelimit-limit", str(limit.max_calls)),
            ("ratelimit-remaining", str(max(left, 0))),
            ("ratelimit-reset", str(reset)),
        ]
        if left >= 0:
            return Verdict(None, headers)
        return Verdict(limit, [*headers, ("retry-after", str(reset))], reset)

    def random_failure(
        self, request: Request, path: dict[str, str], body: Any, namespace: Namespace, store: Store
    ) -> str:
        """What is answered instead, by chance; empty for nothing. The n-th call of a key is always alike."""
        flaky = self.flaky
        if flaky is None:
            return ""
        key = self._key(request, path, body) or ""
        number = store.counters.increment(namespace.name, self._resource, f"{self._alias}={key}")
        dice = join("flaky", self._seed, namespace.name, self._resource, self._alias, key).decode(
            "utf-8", "replace"
        )
        if random_fraction(dice, number) >= flaky.rate:
            return ""
        return flaky.answers[int(random_fraction(f"{dice}answer", number) * len(flaky.answers))]

    @asynccontextmanager
    async def turn(self, concurrency: Concurrency, namespace: Namespace) -> AsyncIterator[bool]:
        """Take part in the queue; yields whether the call may go on."""
        line = self._lines.setdefault(namespace.name, _Line())
        admitted = line.busy < concurrency.max_calls
        if admitted:
            line.busy += 1
        elif concurrency.wait:
            admitted = await self._wait(line, concurrency.wait, namespace)
        try:
            yield admitted
        finally:
            if admitted:
                self._leave(line, namespace.name)

    @staticmethod
    async def _wait(line: _Line, most: int, namespace: Namespace) -> bool:
        """Wait until somebody leaves, who gives the place over; False when that takes too long."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(place)
        alarm = asyncio.ensure_future(namespace.clock.sleep(most))
        try:
            await asyncio.wait((place, alarm), return_when=asyncio.FIRST_COMPLETED)
            return place.done()
        except asyncio.CancelledError:
            if place.done():
                _pass_on(line)
            raise
        finally:
            alarm.cancel()
            if not place.done():
                place.cancel()
                line.waiting.remove(place)

    def _leave(self, line: _Line, namespace: str) -> None:
        _pass_on(line)
        if not line.busy and not line.waiting:
            self._lines.pop(namespace, None)


def _pass_on(line: _Line) -> None:
    """Give a place to the next that waits, or give it back."""
    if line.waiting:
        line.waiting.popleft().set_result(None)
    else:
        line.busy -= 1


def _buckets(limits: Sequence[Limit], name: str, key: Read) -> Iterator[_Bucket]:
    for number, limit in enumerate(limits):
        read: Callable[..., str | None] | None = None
        if limit.by is not None:
            read = key if limit.by.part == "key" else reader(limit.by)
        yield _Bucket(limit, f"{name}#{number}", read)


def guard_of(resource: Resource, alias: str, key: Read, seed: str) -> Guard | None:
    """The guard of an operation; None where nothing stands before it."""
    role = resource.roles.get(alias, Role())
    if resource.limits or resource.flaky or role.limits or role.flaky or role.concurrency:
        return Guard(resource, alias, key, seed)
    return None
