"""The benchmark on documents of many operations: starts, routing, and the validation of bodies."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import generated, load
from benchmarks.load import Load
from benchmarks.peers import ROOT, Server, Start
from benchmarks.process import LOAD_CORE, Process, pin
from benchmarks.start import StartError, first_answer, free_port
from benchmarks.wire import Response

CORPUS = ROOT.parent / "shared" / "corpus"
OPERATIONS = (1, 100, 1000)
STARTED = ("ours", "steady", "prism")
TARGETS = 1000
"""Different requests of each load on routes, whatever the number of operations they are for."""
NO_BODY, BODY = "no body", "2 KB of JSON"
_PUBLIC = {"box": "/users/me", "discord": "/gateway"}
"""A path that needs no parameter; the credentials of most schemes are sent along."""
_FIELDS = ("Authorization: Bearer benchmark",)
_TURNS = 4
"""Loads on each of the servers that are measured in turn, within one round."""
_SETTLED = 0.5


@dataclass(slots=True)
class Outcome:
    """What was measured; ``failures`` says what could not be."""

    starts: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Document → server → milliseconds to the first answer; the first of them had no cache."""
    routing: dict[int, list[Load]] = field(default_factory=dict)
    """Number of operations in the document → loads, the same requests for one of them."""
    spread: list[Load] = field(default_factory=list)
    """Loads on every operation of the largest document in turn: too much to stay in a processor's cache."""
    bodies: dict[str, dict[str, list[Load]]] = field(default_factory=dict)
    """Server → with and without a body → loads on one operation, taken in turn."""
    failures: dict[str, str] = field(default_factory=dict)


def run(
    servers: Sequence[Server],
    *,
    seconds: int,
    connections: int,
    rounds: int,
    logs: Path,
    say: Callable[[str], None],
) -> Outcome:
    """Starts of every server on every document, then the loads on ours."""
    pin(LOAD_CORE)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        bench = _Bench(Path(scratch), logs)
        documents = bench.documents()
        for number in range(1, rounds + 1):
            for name, (document, target) in documents.items():
                for server in servers:
                    # Prism keeps nothing: one start of it is like another
                    if server.name not in STARTED or (server.name == "prism" and number > 1):
                        continue
                    say(f"round {number}/{rounds}: start of {server.name} on {name}")
                    _starts(bench, server, document, target, outcome.starts.setdefault(name, {}), outcome)
        ours = next((server for server in servers if server.name == "ours"), None)
        if ours is not None:
            say("routing")
            try:
                _routing(bench, ours, _Pace(seconds, connections, rounds * _TURNS), outcome)
            except (StartError, OSError, RuntimeError) as reason:
                outcome.failures["routing"] = str(reason)
        for server in servers:
            if server.name in STARTED:
                say(f"validation of bodies: {server.name}")
                try:
                    outcome.bodies[server.name] = _bodies(bench, server, _Pace(seconds, connections, rounds))
                except (StartError, OSError, RuntimeError) as reason:
                    outcome.failures[f"bodies, {server.name}"] = str(reason)
    for what, reason in outcome.failures.items():
        say(f"{what} failed: {reason}")
    return outcome


@dataclass(frozen=True, slots=True)
class _Pace:
    seconds: int
    connections: int
    turns: int


class _Bench:
    """A place for files, with a cache of its own: nothing is in it at first."""

    def __init__(self, scratch: Path, logs: Path) -> None:
        self._scratch = scratch
        self._logs = logs

    def write(self, name: str, text: str) -> Path:
        path = self._scratch / name
        path.write_text(text)
        return path

    def documents(self) -> dict[str, tuple[Path, str]]:
        """Name → document and the path of its first answer; public ones where they are."""
        made = self.write("generated.json", json.dumps(generated.document(OPERATIONS[-1])))
        found = {f"generated ({OPERATIONS[-1]:,} operations)": (made, generated.target(0))}
        for name, target in _PUBLIC.items():
            if (path := CORPUS / f"{name}.json").exists():
                document: dict[str, Any] = json.loads(path.read_text())
                document.pop("servers", None)  # peers take the path of a base URL differently
                found[name] = (self.write(f"{name}.json", json.dumps(document)), target)
        return found

    @contextmanager
    def started(
        self, server: Server, document: Path, target: str, is_meant: Callable[[Response], bool]
    ) -> Iterator[tuple[Process, int, float]]:
        """The process, its port, and the milliseconds that it took to its first answer."""
        environment = os.environ | {"XDG_CACHE_HOME": str(self._scratch / "cache")}
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            port = free_port()
            command = server.command(Start(port, Path(folder), document=document))
            log = self._logs / f"{server.name}-{document.stem}.log"
            spawned = time.perf_counter()
            with Process(command, environment, log) as process:
                first_answer(process, port, target, *_FIELDS, is_meant=is_meant)
                yield process, port, (time.perf_counter() - spawned) * 1000


def _starts(
    bench: _Bench,
    server: Server,
    document: Path,
    target: str,
    found: dict[str, list[float]],
    outcome: Outcome,
) -> None:
    try:
        with bench.started(server, document, target, _is_success) as (_, _, start):
            found.setdefault(server.name, []).append(start)
    except (StartError, OSError) as reason:
        outcome.failures[f"{server.name} on {document.name}"] = str(reason)


def _is_success(response: Response) -> bool:
    return response.status == 200


def _routing(bench: _Bench, ours: Server, pace: _Pace, outcome: Outcome) -> None:
    same = _targets(bench, "same", [0])
    with ExitStack() as stack:
        running = {}
        for count in OPERATIONS:
            document = bench.write(f"of-{count}.json", json.dumps(generated.document(count)))
            started = bench.started(ours, document, generated.target(0), _is_success)
            process, port, _ = stack.enter_context(started)
            running[count] = (process, port)
        time.sleep(_SETTLED)
        for turn in range(pace.turns):
            warm = ours.warm_up * (turn == 0)
            # The order turns, so that none is always measured after the same one
            for count in OPERATIONS if turn % 2 else OPERATIONS[::-1]:
                measured = _load(*running[count], same, pace, warm=warm)
                outcome.routing.setdefault(count, []).append(measured)
            every = _targets(bench, "every", range(OPERATIONS[-1]))
            outcome.spread.append(_load(*running[OPERATIONS[-1]], every, pace, warm=warm))


def _targets(bench: _Bench, name: str, operations: Sequence[int]) -> Path:
    """A file of as many different requests, for these operations in turn."""
    targets = [generated.target(operations[at % len(operations)], at) for at in range(TARGETS)]
    return bench.write(f"{name}.txt", "".join(f"GET {target}\n" for target in targets))


def _bodies(bench: _Bench, server: Server, pace: _Pace) -> dict[str, list[Load]]:
    document = bench.write("orders.json", json.dumps(generated.order()))
    body = bench.write("order.json", json.dumps(generated.order_body(), separators=(",", ":")))
    targets = {
        NO_BODY: bench.write("orders-without.txt", "POST /orders\n"),
        BODY: bench.write("orders-with.txt", f"POST /orders {body}\n"),
    }
    found: dict[str, list[Load]] = {name: [] for name in targets}
    # There is no GET: whatever says so has read the document
    with bench.started(server, document, "/orders", lambda response: response.status >= 400) as (
        process,
        port,
        _,
    ):
        for turn in range(pace.turns):
            for name in targets:
                found[name].append(
                    _load(process, port, targets[name], pace, warm=server.warm_up * (turn == 0))
                )
    return found


def _load(process: Process, port: int, targets: Path, pace: _Pace, *, warm: int) -> Load:
    return load.put(
        process,
        f"http://127.0.0.1:{port}",
        "targets",
        warm_up=warm,
        seconds=max(1, pace.seconds // 2),
        connections=pace.connections,
        targets=targets,
    )
