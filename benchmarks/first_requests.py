"""The first request of each operation: what is made ready when it is first asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import quantiles

from benchmarks import judging
from benchmarks.bench import Bench, Contender, StartError
from benchmarks.load import Figures, Request
from benchmarks.peers import Server
from benchmarks.trial import Results
from benchmarks.wire import Connection

COMPARED = ("ours", "steady")
_BASIC = ("Authorization: Basic dGVzdDp0ZXN0",)
_PUBLISHED = {
    "box": ("box.json", Request("/users/me")),
    "discord": ("discord.json", Request("/gateway")),
    "twilio": ("twilio-messaging.json", Request("/v1/Services", fields=_BASIC)),
}
"""Name → document of the corpus, and a request that needs no parameter."""
_IDLE = 3
"""Seconds after the start in which a server can prepare itself."""
LATER = f", {_IDLE} s after the start"
LOADS = tuple(f"first GETs of {name}{when}" for name in _PUBLISHED for when in ("", LATER))
_PATIENCE = 30


def run(bench: Bench, servers: Sequence[Server], results: Results, number: int) -> None:
    """One round: start each server anew on each document, and ask for each GET once, at once or later."""
    for name, (file, first) in _PUBLISHED.items():
        if not (document := bench.published(file)):
            continue
        for server in servers:
            if server.name not in COMPARED:
                continue
            for load in (f"first GETs of {name}", f"first GETs of {name}{LATER}"):
                bench.say(f"round {number}/{bench.rounds}: {load}: {server.name}")
                contender = Contender(server.name, server, document)
                try:
                    with bench.started(contender, first) as running:
                        time.sleep(_IDLE if load.endswith(LATER) else 0)
                        figures = _ask(running.port, _targets(document))
                        if causes := judging.faults([document], running.port, _targets(document)):
                            told = results.faults if server.name == "ours" else results.invalid
                            told[f"{len(causes)} answers of {server.name}, {load}"] = causes[0]
                    results.add(load, server.name, figures)
                except (StartError, OSError) as reason:
                    results.faults[f"{server.name}, {load}"] = str(reason)
                    bench.say(f"{server.name}, {load}: {reason}")


def _ask(port: int, requests: Sequence[Request]) -> Figures:
    times, failed = [], 0
    with Connection(port, timeout=_PATIENCE) as connection:
        for request in requests:
            began = time.perf_counter()
            response = connection.ask(request)
            times.append((time.perf_counter() - began) * 1e6)
            failed += response.status >= 400
    cuts = quantiles(times, n=100, method="inclusive")
    return {"asked": len(times), "p50": cuts[49], "p99": cuts[98], "most": max(times), "failed": failed}


@cache
def _targets(document: Path) -> Sequence[Request]:
    return list(judging.targets(document, "GET"))
