from __future__ import annotations

import asyncio

from mockserver.messages import Deferred, Response

ANSWER = Response(200, [], b"")


def test_who_waits_is_called_when_it_comes() -> None:
    deferred, told = Deferred[Response](), list[Response]()
    deferred.then(told.append)
    assert told == []
    deferred.resolve(ANSWER)
    assert told == [ANSWER]


def test_who_comes_late_is_called_at_once() -> None:
    deferred, told = Deferred[Response](), list[Response]()
    deferred.resolve(ANSWER)
    deferred.then(told.append)
    assert told == [ANSWER]


def test_who_has_left_is_not_called() -> None:
    deferred, told = Deferred[Response](), list[Response]()
    deferred.then(told.append)
    deferred.cancel()
    deferred.resolve(ANSWER)
    assert told == []


def test_it_is_awaitable_before_and_after() -> None:
    async def waited(late: bool) -> Response:
        deferred = Deferred[Response]()
        if late:
            deferred.resolve(ANSWER)
        else:
            asyncio.get_running_loop().call_soon(deferred.resolve, ANSWER)
        return await deferred

    assert [asyncio.run(waited(late)) for late in (False, True)] == [ANSWER, ANSWER]


def test_who_awaits_and_leaves_is_not_waited_for() -> None:
    async def leave() -> bool:
        deferred = Deferred[Response]()

        async def wait() -> Response:
            return await deferred

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        deferred.resolve(ANSWER)
        return task.cancelled()

    assert asyncio.run(leave())
