"""Starts: from spawning a server to its first valid answer, with no cache and with its own."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import generated
from benchmarks.bench import Bench, Contender, StartError
from benchmarks.load import Request
from benchmarks.peers import DOCUMENT, Server
from benchmarks.polls import POLL
from benchmarks.trial import Results

MISSION, GENERATED, TWICE = "mission", "generated, 3 MB", "generated, 6 MB"
COMPARED = ("ours", "steady", "prism")
_REPEATING = ("wiremock", "nginx")
"""They read no document."""
_OPERATIONS = {GENERATED: 1000, TWICE: 2000}
_PUBLISHED = {"box": ("box.json", "/users/me"), "discord": ("discord.json", "/gateway")}
"""Name → document of the corpus, and a target that needs no parameter."""
_SETTLED = 0.5


def run(bench: Bench, servers: Sequence[Server], results: Results, number: int) -> None:
    """One round: each server on each document without a cache, and again."""
    for name, (document, first) in _documents(bench).items():
        by = COMPARED[:1] if name == TWICE else COMPARED
        for server in servers:
            if server.name not in (*by, *(_REPEATING if name == MISSION else ())):
                continue
            bench.say(f"round {number}/{bench.rounds}: starts on {name}: {server.name}")
            contender = Contender(server.name, server, document)
            try:
                for when in ("first start", "start again"):
                    with bench.started(contender, first, cache=f"cache-{name}-{number}") as running:
                        time.sleep(_SETTLED)
                        memory = running.process.memory()
                        figures = {"start": running.start, "idle": float(memory.pss or memory.rss)}
                        results.add(f"{when}, {name}", server.name, figures)
            except (StartError, OSError) as reason:
                results.faults[f"{server.name} on {name}"] = str(reason)
                bench.say(f"{server.name} on {name}: {reason}")


def _documents(bench: Bench) -> dict[str, tuple[Path, Request]]:
    documents = {MISSION: (DOCUMENT, POLL)}
    for name, operations in _OPERATIONS.items():
        made = bench.write(f"{operations}-operations.json", json.dumps(generated.document(operations)))
        documents[name] = (made, Request(generated.target(0)))
    for name, (file, target) in _PUBLISHED.items():
        if document := bench.published(file):
            documents[name] = (document, Request(target))
    return documents
