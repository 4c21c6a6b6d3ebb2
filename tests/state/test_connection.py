"""The link alone, to a Redis that does not answer for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mockserver.state.protocol import Unavailable
from mockserver.state.redis.connection import Connection, time_limit
from mockserver.state.redis.handshake import read_address
from tests.live import PATIENCE
from tests.redis import Redis


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as found:
        yield found


@asynccontextmanager
async def linked(redis: Redis, *, seconds: float = 60.0, wait: bool = False) -> AsyncIterator[Connection]:
    connection = Connection(read_address(redis.url), prefix="link", timeout=seconds, wait=wait)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


async def said(connection: Connection) -> Unavailable:
    with pytest.raises(Unavailable) as found:
        await connection.ask("PING")
    return found.value


async def becomes(connection: Connection, *, connected: bool) -> None:
    async with asyncio.timeout(PATIENCE):
        while connection.connected is not connected:  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0)


def test_more_than_the_kernel_takes_is_sent_when_it_can_be(redis: Redis) -> None:
    async def run() -> list[Any]:
        async with linked(redis) as connection:
            redis.freeze()
            answers = []
            for number in range(500):
                answers.append(asyncio.ensure_future(connection.ask("ECHO", str(number).encode() * 20_000)))
                await asyncio.sleep(0)  # for it to be sent
            redis.thaw()
            found = await asyncio.gather(*answers)
            assert connection.connections == 1
            return [reply[:5] for reply in found]

    assert asyncio.run(run()) == [(str(number).encode() * 5)[:5] for number in range(500)]


@pytest.mark.parametrize("wait", [False, True])
def test_connection_that_stopped_replying_is_used_again_when_redis_replies(redis: Redis, wait: bool) -> None:
    async def run() -> None:
        async with linked(redis, seconds=0.2, wait=wait) as connection:
            redis.freeze()
            first = await said(connection)
            assert (first.counted, connection.connected) == ("unknown", False)
            second = await said(connection)
            assert second.counted == ("unknown" if wait else "no")  # who waits has sent it
            redis.thaw()
            await becomes(connection, connected=True)
            assert await connection.ask("PING") == b"PONG"
            assert connection.connections == 1

    asyncio.run(run())


def test_a_server_that_nobody_calls_knows_that_its_store_is_silent(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis, seconds=0.2) as connection:
            redis.freeze()
            await becomes(connection, connected=False)
            assert (await said(connection)).counted == "no"
            redis.thaw()
            await becomes(connection, connected=True)

    asyncio.run(run())


def test_time_limit_covers_several_commands_in_total(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis) as connection:
            with time_limit(60):
                assert await connection.ask("PING") == b"PONG"
            with time_limit(0):
                assert "too slow" in str(await said(connection))
            redis.freeze()
            with time_limit(0.1):
                assert (await said(connection)).counted == "unknown"
            redis.thaw()
            assert await connection.ask("PING") == b"PONG"

    asyncio.run(run())


def test_redis_clock_that_was_set_is_read_again(redis: Redis) -> None:
    async def run() -> None:
        async with linked(redis, wait=True) as connection:
            connection._ahead -= 3_600_000  # as if Redis's clock had been an hour behind, and was put right
            assert await connection.ask("link", "name", "#n", 0, 0, 10, script="counter") == 1
            assert connection.connections == 2

    asyncio.run(run())


@pytest.mark.parametrize(("wait", "most"), [(False, 0), (True, 512)])
def test_stored_replies_are_bounded_by_the_waiting_commands(redis: Redis, wait: bool, most: int) -> None:
    async def run() -> int:
        async with linked(redis, wait=wait) as connection:
            for _ in range(600):
                assert await connection.ask("", 0, "", 0, 0, script="commit") == b"done"
            known = await connection.ask("HKEYS", f"link/w/{connection.name}")
            return sum(field.startswith(b"a") for field in known)

    assert asyncio.run(run()) == most
