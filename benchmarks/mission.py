"""The benchmark on the mission's document: polls of certificate requests, one key and many."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load
from benchmarks.load import Load
from benchmarks.peers import COLLECTION, KEY, MADE_UP, Samples, Server, Start
from benchmarks.process import LOAD_CORE, Memory, Process, pin
from benchmarks.start import StartError, first_answer, free_port
from benchmarks.wire import Connection

ONE_KEY: load.Kind = "one key"
NEW_KEYS: load.Kind = "new keys"
CONNECTIONS: load.Kind = "a connection each"
PATHS = {
    ONE_KEY: f"{COLLECTION}/{KEY}",
    NEW_KEYS: COLLECTION,
    CONNECTIONS: f"{COLLECTION}/{KEY}",
}
LOADS = (ONE_KEY, NEW_KEYS)
"""On connections that stay open."""
CONNECTING = ("ours", "steady", "nginx")
"""The servers that are also asked on a connection for each request."""
_SETTLED = 0.5
_POLLS_UNTIL_ISSUED = 3
_WARM_KEYS = 1000
_TOGETHER = 25


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how often, with how much."""

    seconds: int
    connections: int
    rounds: int
    further_keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One start of one server and the loads after it."""

    start: float
    """Milliseconds from spawning it to its first valid answer."""
    memory: Memory
    loads: dict[load.Kind, Load]


@dataclass(slots=True)
class Outcome:
    """All rounds of all servers; ``failures`` says for each server that has none why."""

    plan: Plan
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    added_memory: dict[int, int] = field(default_factory=dict)
    """Number of keys → bytes that so many added to ours."""
    samples: Samples = MADE_UP


@dataclass(frozen=True, slots=True)
class _Running:
    process: Process
    port: int
    start: float

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def run(servers: Sequence[Server], plan: Plan, logs: Path, say: Callable[[str], None]) -> Outcome:
    """Every server in turn, ``plan.rounds`` times."""
    pin(LOAD_CORE)
    outcome = Outcome(plan)
    # A cache of this run's own: the first round is a first start ever, the others are not.
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        for number in range(1, plan.rounds + 1):
            for server in servers:
                if server.name in outcome.failures:
                    continue
                say(f"round {number}/{plan.rounds}: {server.name}")
                try:
                    done = _round(server, outcome, Path(scratch), logs)
                    outcome.rounds.setdefault(server.name, []).append(done)
                except (StartError, OSError, RuntimeError) as reason:
                    outcome.failures[server.name] = str(reason)
                    say(f"{server.name} failed: {reason}")
        for server in servers:
            if server.name == "ours" and "ours" in outcome.rounds:
                say("further keys: ours")
                try:
                    outcome.added_memory = _added_memory(server, outcome, Path(scratch), logs)
                except (StartError, OSError) as reason:
                    outcome.failures[server.name] = f"further keys: {reason}"
    return outcome


def _round(server: Server, outcome: Outcome, scratch: Path, logs: Path) -> Round:
    plan = outcome.plan
    with _started(server, outcome.samples, scratch, logs) as running:
        time.sleep(_SETTLED)
        memory = running.process.memory()
        if server.name == "ours":
            outcome.samples = _samples(running.port)
        loads = {
            kind: load.put(
                running.process,
                running.url(PATHS[kind]),
                kind,
                warm_up=server.warm_up,
                seconds=plan.seconds,
                connections=plan.connections,
            )
            for kind in (*LOADS, *([CONNECTIONS] if server.name in CONNECTING else []))
        }
    return Round(running.start, memory, loads)


@contextmanager
def _started(server: Server, samples: Samples, scratch: Path, logs: Path) -> Iterator[_Running]:
    environment = os.environ | {"XDG_CACHE_HOME": str(scratch / "cache")}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        port = free_port()
        command = server.command(Start(port, Path(folder), samples))
        spawned = time.perf_counter()
        with Process(command, environment, logs / f"{server.name}.log") as process:
            first_answer(process, port, f"{COLLECTION}/{KEY}")
            yield _Running(process, port, (time.perf_counter() - spawned) * 1000)


def _samples(port: int) -> Samples:
    """What the first poll of a key gets, and what its polls settle on."""
    path = f"{COLLECTION}/{uuid.uuid4()}"
    with Connection(port, timeout=10) as connection:
        answers = [connection.get(path) for _ in range(_POLLS_UNTIL_ISSUED)]
    return Samples(pending=answers[0], issued=answers[-1])


def _added_memory(server: Server, outcome: Outcome, scratch: Path, logs: Path) -> dict[int, int]:
    """Bytes that one poll each of many new keys leaves behind, after enough of them to be warm."""
    amounts: dict[int, int] = {}
    with (
        _started(server, outcome.samples, scratch, logs) as running,
        Connection(running.port, timeout=10) as connection,
    ):
        _poll_new_keys(connection, _WARM_KEYS)
        before, polled = running.process.memory(), 0
        for count in outcome.plan.further_keys:
            _poll_new_keys(connection, count - polled)
            polled = count
            time.sleep(_SETTLED)
            after = running.process.memory()
            amounts[count] = after.pss - before.pss if after.pss else after.rss - before.rss
    return amounts


def _poll_new_keys(connection: Connection, count: int) -> None:
    for start in range(0, count, _TOGETHER):
        connection.get_all([f"{COLLECTION}/{uuid.uuid4()}" for _ in range(min(_TOGETHER, count - start))])
