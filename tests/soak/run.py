"""One run: a server and its Redis, clients, faults, and the judge's verdict of what the clients wrote."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.live import Process
from tests.redis import Redis
from tests.soak import history, timelines
from tests.soak.client import Client
from tests.soak.crew import Crew
from tests.soak.faults import Fault, Faults
from tests.soak.judge import Judge, Judgement

HISTORY = "history.jsonl.gz"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much of everything. ``timeout`` is the server's ``--store-timeout``, in milliseconds."""

    workers: int = 4
    connections: int = 64
    keys: int = 10_000
    polls: int = 1_000_000
    restarts: int = 2
    kills: int = 2
    cuts: int = 2
    freezes: int = 2
    crowded: int = 10
    down: str = "fail"
    timeout: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """What was done and found. ``seconds`` are those of the clients' work."""

    settings: Settings
    faults: list[Fault]
    judgement: Judgement
    seconds: float
    errors: str
    """What the server wrote to standard error."""


def run(settings: Settings, folder: Path) -> Run:
    """Serve, poll, break and judge. The history is written to ``folder``."""
    files = timelines.write(folder)
    with (
        Redis(durable=True) as redis,
        Process(
            files[0], "--scenarios", files[1], "--store", redis.url, "--workers", settings.workers,
            "--store-down", settings.down, "--store-timeout", f"{settings.timeout}ms", cache=folder / "cache",
        ) as server,
    ):  # fmt: skip
        faults, seconds = uvloop.run(_work(settings, folder, redis, server))
        _, errors = server.stop(signal.SIGTERM)
    return Run(settings, faults, judged(settings, folder), seconds, errors)


async def _work(settings: Settings, folder: Path, redis: Redis, server: Process) -> tuple[list[Fault], float]:
    with history.History(folder / HISTORY) as written:
        clients = [Client(number, server.port, written.write) for number in range(settings.connections)]
        crew = Crew(
            clients, timelines.keys(settings.keys), settings.polls, timelines.crowded(settings.crowded),
            settings.seed,
        )  # fmt: skip
        counts = {
            "kill": settings.kills,
            "restart": settings.restarts,
            "cut": settings.cuts,
            "freeze": settings.freezes,
        }
        faults = Faults(redis, server, counts, settings.polls)
        faults.refused = lambda: crew.refused
        crew.on_answered = faults.after
        began = time.monotonic()
        await crew.work()
        await faults.finish()
        seconds = time.monotonic() - began
        for client in clients:
            client.close()
    return faults.done, seconds


def judged(settings: Settings, folder: Path) -> Judgement:
    """What the judge finds in the history alone."""
    crowd = set(timelines.crowded(settings.crowded))
    judge = Judge(timelines.body, settings.timeout * 1_000_000, crowd.__contains__)
    return judge.judge(history.read(folder / HISTORY))
