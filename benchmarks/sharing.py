"""Shared state: polls with the state in memory and on Redis, with one to four workers.

Servers, Redis and the load share the machine's cores, so that what a
configuration costs is told by processor time; requests/s tell of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.bench import Bench, Contender
from benchmarks.peers import DOCUMENT, Server
from benchmarks.polls import NEW_KEY, POLL
from benchmarks.trial import Load, Trial

WORKERS = (1, 2, 4)
CONNECTIONS = 64
ONE_KEY, NEW_KEYS = f"one key, {CONNECTIONS} connections", f"new keys, {CONNECTIONS} connections"


def trials(_: Bench, servers: Sequence[Server]) -> Iterable[Trial]:
    """Ours in memory and on Redis, and Steady, which has no state."""
    contenders = []
    for server in servers:
        if server.name in ("ours", "steady"):
            contenders.append(Contender(server.name, server, DOCUMENT, pinned=False))
        if server.name == "ours":
            contenders += [
                Contender(
                    on_redis(each), server, DOCUMENT, ("--workers", str(each)), redis=True, pinned=False
                )
                for each in WORKERS
            ]
    loads = [
        Load(name, (request,), connections=CONNECTIONS)
        for name, request in ((ONE_KEY, POLL), (NEW_KEYS, NEW_KEY))
    ]
    yield Trial(contenders, loads, POLL)


def on_redis(workers: int) -> str:
    """The name of the contender of so many workers."""
    return f"Redis, {workers} worker{'s' * (workers > 1)}"
