from __future__ import annotations

import asyncio

from mockserver.messages import Answer, Coming

ANSWER = Answer(200, [], b"")


def test_who_waits_is_called_when_it_comes() -> None:
    coming, told = Coming(), list[Answer]()
    coming.then(told.append)
    assert told == []
    coming.resolve(ANSWER)
    assert told == [ANSWER]


def test_who_comes_late_is_called_at_once() -> None:
    coming, told = Coming(), list[Answer]()
    coming.resolve(ANSWER)
    coming.then(told.append)
    assert told == [ANSWER]


def test_who_has_left_is_not_called() -> None:
    coming, told = Coming(), list[Answer]()
    coming.then(told.append)
    coming.cancel()
    coming.resolve(ANSWER)
    assert told == []


def test_it_is_awaitable_before_and_after() -> None:
    async def waited(late: bool) -> Answer:
        coming = Coming()
        if late:
            coming.resolve(ANSWER)
        else:
            asyncio.get_running_loop().call_soon(coming.resolve, ANSWER)
        return await coming

    assert [asyncio.run(waited(late)) for late in (False, True)] == [ANSWER, ANSWER]


def test_who_awaits_and_leaves_is_not_waited_for() -> None:
    async def leave() -> bool:
        coming = Coming()

        async def wait() -> Answer:
            return await coming

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        coming.resolve(ANSWER)
        return task.cancelled()

    assert asyncio.run(leave())
