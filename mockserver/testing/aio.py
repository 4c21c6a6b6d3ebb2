"""The same for coroutines: each verb waits on a thread, so that the event loop goes on.

In this process a verb takes microseconds and may as well be called as it is;
this is for servers elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from mockserver.testing.calls import Calls
from mockserver.testing.clock import Clock
from mockserver.testing.namespace import Namespace

P = ParamSpec("P")
Result = TypeVar("Result")
Subject = TypeVar("Subject")


class _Apart(Generic[Subject]):
    """Stands for ``subject``, whose methods it calls on another thread."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject


def _apart(
    method: Callable[Concatenate[Subject, P], Result],
) -> Callable[Concatenate[_Apart[Subject], P], Coroutine[Any, Any, Result]]:
    @wraps(method)
    async def call(self: _Apart[Subject], /, *given: P.args, **named: P.kwargs) -> Result:
        __tracebackhide__ = True
        return await asyncio.to_thread(method, self._subject, *given, **named)

    return call


class AsyncClock(_Apart[Clock]):
    """``Clock`` for coroutines."""

    freeze = _apart(Clock.freeze)
    set = _apart(Clock.set)
    advance = _apart(Clock.advance)
    resume = _apart(Clock.resume)
    reset = _apart(Clock.reset)

    async def now(self) -> datetime:
        """The time shown."""
        return await asyncio.to_thread(lambda: self._subject.now)


class AsyncNamespace(_Apart[Namespace]):
    """``Namespace`` for coroutines."""

    scenario = _apart(Namespace.scenario)
    state = _apart(Namespace.state)
    resource = _apart(Namespace.resource)
    verify = _apart(Namespace.verify)
    reset = _apart(Namespace.reset)
    drop = _apart(Namespace.drop)

    @property
    def clock(self) -> AsyncClock:
        return AsyncClock(self._subject.clock)

    async def calls(self) -> Calls:
        """The calls as they are now, oldest first."""
        return await asyncio.to_thread(lambda: self._subject.calls)
