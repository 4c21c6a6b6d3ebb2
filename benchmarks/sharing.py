"""The benchmark on shared state: the mission's polls on memory and on Redis, with one and two workers.

Servers, Redis and the load share the machine's cores, so that what a
configuration costs is told by processor time; requests/s tell of this machine.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load
from benchmarks.load import Load
from benchmarks.mission import LOADS, PATHS
from benchmarks.peers import COLLECTION, KEY, SERVERS, Start
from benchmarks.process import LOAD_CORE, Process, pin
from benchmarks.start import first_answer, free_port

CONFIGURATIONS: dict[str, tuple[str, ...]] = {
    "memory": (),
    "Redis, 1 worker": ("--store",),
    "Redis, 2 workers": ("--store", "--workers", "2"),
}
_SETTLED = 0.5


@dataclass(frozen=True, slots=True)
class Shared:
    """One load, and the microseconds of Redis's processor time for each request."""

    load: Load
    redis: float


@dataclass(slots=True)
class Outcome:
    rounds: dict[str, dict[load.Kind, list[Shared]]] = field(default_factory=dict)
    """Configuration → kind of load → one outcome a round."""


def run(*, seconds: int, connections: int, rounds: int, logs: Path, say: Callable[[str], None]) -> Outcome:
    """Every configuration in turn, ``rounds`` times."""
    pin(LOAD_CORE)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        for number in range(1, rounds + 1):
            for name, options in CONFIGURATIONS.items():
                say(f"round {number}/{rounds}: {name}")
                kinds = outcome.rounds.setdefault(name, {kind: [] for kind in LOADS})
                for kind, found in _round(options, Path(scratch), logs, seconds, connections).items():
                    kinds[kind].append(found)
    return outcome


def _round(
    options: tuple[str, ...], scratch: Path, logs: Path, seconds: int, connections: int
) -> dict[load.Kind, Shared]:
    environment = os.environ | {"XDG_CACHE_HOME": str(scratch / "cache")}
    store, port = free_port(), free_port()
    command = SERVERS["ours"].command(Start(port, scratch))
    for option in options:
        command += [option, f"redis://127.0.0.1:{store}"] if option == "--store" else [option]
    settings = ["--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    redis_command = ["redis-server", "--port", str(store), *settings]
    found: dict[load.Kind, Shared] = {}
    with Process(redis_command, environment, logs / "redis.log", core=None) as redis:
        time.sleep(_SETTLED)
        with Process(command, environment, logs / "shared.log", core=None) as process:
            first_answer(process, port, f"{COLLECTION}/{KEY}")
            for kind in LOADS:
                url = f"http://127.0.0.1:{port}{PATHS[kind]}"
                load.put(process, url, kind, warm_up=0, seconds=1, connections=connections)
                before = redis.processor_seconds()
                done = load.put(process, url, kind, warm_up=0, seconds=seconds, connections=connections)
                spent = redis.processor_seconds() - before
                found[kind] = Shared(done, spent / max(done.requests, 1) * 1e6)
    return found
