"""An answer that is not there yet, without a task: whoever waits is called when it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator

from mockserver.serve.answer import Answer


class Coming:
    """Awaitable; or give ``then`` a function. It comes once, from the event loop."""

    __slots__ = ("_answer", "_then")

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._then: Callable[[Answer], None] | None = None

    def resolve(self, answer: Answer) -> None:
        self._answer = answer
        if self._then is not None:
            self._then(answer)

    def then(self, work: Callable[[Answer], None]) -> None:
        """Call ``work`` with the answer when it comes; now if it is there."""
        self._then = work
        if self._answer is not None:
            work(self._answer)

    def cancel(self) -> None:
        """Nobody waits any longer."""
        self._then = None

    def __await__(self) -> Generator[object, None, Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.then(lambda answer: None if future.done() else future.set_result(answer))
        return (yield from future)
