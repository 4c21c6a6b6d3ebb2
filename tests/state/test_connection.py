"""The link alone, to a Redis that does not answer for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mockserver.state.protocol import Unavailable
from mockserver.state.redis.connection import Link, within
from mockserver.state.redis.handshake import read_address
from tests.live import PATIENCE
from tests.redis import Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as found:
        yield found


@asynccontextmanager
async def linked(redis: Redis, *, seconds: float = 60.0, wait: bool = False) -> AsyncIterator[Link]:
    link = Link(read_address(redis.url), prefix="link", timeout=seconds, wait=wait)
    await link.open()
    try:
        yield link
    finally:
        await link.close()


async def said(link: Link) -> Unavailable:
    with pytest.raises(Unavailable) as found:
        await link.ask("PING")
    return found.value


async def becomes(link: Link, *, connected: bool) -> None:
    async with asyncio.timeout(PATIENCE):
        while link.connected is not connected:  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0)


def test_more_than_the_kernel_takes_is_sent_when_it_can_be(redis: Redis) -> None:
    async def run() -> list[Any]:
        async with linked(redis) as link:
            redis.freeze()
            answers = []
            for number in range(500):
                answers.append(asyncio.ensure_future(link.ask("ECHO", str(number).encode() * 20_000)))
                await asyncio.sleep(0)  # for it to be sent
            redis.thaw()
            found = await asyncio.gather(*answers)
            assert link.connections == 1
            return [reply[:5] for reply in found]

    assert asyncio.run(run()) == [(str(number).encode() * 5)[:5] for number in range(500)]


@pytest.mark.parametrize("wait", [False, True])
def test_what_was_silent_is_heard_again(redis: Redis, wait: bool) -> None:
    async def run() -> None:
        async with linked(redis, seconds=0.2, wait=wait) as link:
            redis.freeze()
            first = await said(link)
            assert (first.counted, link.connected) == ("unknown", False)
            second = await said(link)
            assert second.counted == ("unknown" if wait else "no")  # who waits has sent it
            redis.thaw()
            await becomes(link, connected=True)
            assert await link.ask("PING") == b"PONG"
            assert link.connections == 1

    asyncio.run(run())


def test_a_server_that_nobody_calls_knows_that_its_store_is_silent(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis, seconds=0.2) as link:
            redis.freeze()
            await becomes(link, connected=False)
            assert (await said(link)).counted == "no"
            redis.thaw()
            await becomes(link, connected=True)

    asyncio.run(run())


def test_several_questions_have_one_time(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis) as link:
            with within(60):
                assert await link.ask("PING") == b"PONG"
            with within(0):
                assert "too slow" in str(await said(link))
            redis.freeze()
            with within(0.1):
                assert (await said(link)).counted == "unknown"
            redis.thaw()
            assert await link.ask("PING") == b"PONG"

    asyncio.run(run())


def test_a_clock_that_was_set_is_read_anew(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis, wait=True) as link:
            link._ahead -= 3_600_000  # as if Redis's clock had been an hour behind, and was put right
            assert await link.ask("link", "name", "#n", 0, 0, 10, script="tally") == 1
            assert link.connections == 2

    asyncio.run(run())


@pytest.mark.parametrize(("wait", "most"), [(False, 0), (True, 512)])
def test_no_more_answers_are_kept_than_may_be_asked_for(redis: Redis, wait: bool, most: int) -> None:
    async def run() -> int:
        async with linked(redis, wait=wait) as link:
            for _ in range(600):
                assert await link.ask("", 0, "", 0, 0, script="commit") == b"done"
            known = await link.ask("HKEYS", f"link/w/{link.name}")
            return sum(field.startswith(b"a") for field in known)

    assert asyncio.run(run()) == most
