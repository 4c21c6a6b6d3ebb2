"""What breaks on the way, and when: after so many answers, not after so much time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from tests.live import PATIENCE, Process, children
from tests.redis import Redis

_MAX_REFUSED = 8


@dataclass
class Fault:
    """``at`` answers; seconds of a monotonic clock from its beginning until its end."""

    kind: str
    at: int
    what: str = ""
    seconds: float = 0.0

    def shown(self) -> dict[str, object]:
        return asdict(self)


class Faults:
    """Faults of each kind, so many, spread over ``polls``; one at a time, in turns.

    ``kill`` a worker, ``restart`` Redis, ``cut`` all connections to Redis, ``freeze`` it until
    some clients were refused.
    """

    def __init__(self, redis: Redis, server: Process, counts: Mapping[str, int], polls: int) -> None:
        self._redis = redis
        self._server = server
        self.refused: Callable[[], int] = lambda: 0
        """How many attempts were not answered."""
        turns = max(counts.values(), default=0)
        kinds = [kind for turn in range(turns) for kind, count in counts.items() if turn < count]
        gap = polls / (len(kinds) + 1)
        self._left = [Fault(kind, int(gap * (number + 1))) for number, kind in enumerate(kinds)]
        self.done: list[Fault] = []
        self._running: asyncio.Task[None] | None = None

    def after(self, answered: int) -> None:
        """Let the next fault happen if it is time."""
        if self._left and answered >= self._left[0].at and self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._happen(self._left.pop(0)))

    async def finish(self) -> None:
        """Until every fault has happened."""
        while self._running is not None:
            await self._running
        assert not self._left, f"there was no progress to break: {self._left}"

    async def _happen(self, fault: Fault) -> None:
        began = time.monotonic()
        happen: dict[str, Callable[[], str]] = {
            "kill": self._kill, "restart": self._restart, "cut": self._cut, "freeze": self._freeze,
        }  # fmt: skip
        fault.what = await asyncio.to_thread(happen[fault.kind])
        fault.seconds = round(time.monotonic() - began, 3)
        self.done.append(fault)
        self._running = None

    def _kill(self) -> str:
        before = children(self._server.pid)
        worker = before[len(self.done) % len(before)]
        os.kill(worker, signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while len(now := children(self._server.pid)) < len(before) or worker in now:
            assert time.monotonic() < end, "no other worker takes its place"
            time.sleep(0.005)  # nothing tells of the children of another process
        return f"worker {before.index(worker) + 1} of {len(before)} killed by SIGKILL; another was started"

    def _restart(self) -> str:
        self._redis.kill()
        self._redis.start()
        return "Redis killed by SIGKILL and started again on its append-only file"

    def _cut(self) -> str:
        self._redis.say("CLIENT", "KILL", "TYPE", "normal")
        return "all connections to Redis cut"

    def _freeze(self) -> str:
        enough = self.refused() + _MAX_REFUSED
        self._redis.freeze()
        end = time.monotonic() + PATIENCE
        while self.refused() < enough:
            assert time.monotonic() < end, "no client is refused"
            time.sleep(0.005)  # what is counted in another thread
        self._redis.thaw()
        return f"Redis frozen by SIGSTOP until {_MAX_REFUSED} calls were refused"
