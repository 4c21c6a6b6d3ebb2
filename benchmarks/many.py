"""Many operations, documents, namespaces and keys in one server, next to one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

from benchmarks import generated
from benchmarks.bench import Bench, Contender, Running
from benchmarks.load import DIFFERENT, Request
from benchmarks.peers import COLLECTION, DOCUMENT, Server
from benchmarks.polls import NEW_KEY, POLL
from benchmarks.trial import Load, Results, Trial
from benchmarks.wire import Connection

ONE = "one"
OPERATIONS, DOCUMENTS, NAMESPACES = 10_000, 100, 1_000
OF_OPERATIONS, IN_TURN = "an operation of many", "operations in turn"
IN_NAMESPACES, BESIDE_KEYS = "new keys in namespaces", "new keys beside others"
OF_KEYS = "a thousand keys again"
MEMORY = "keys, one call each"
MANY = {
    OF_OPERATIONS: (f"{OPERATIONS:,} operations", f"{DOCUMENTS} documents"),
    IN_NAMESPACES: (f"{NAMESPACES:,} namespaces",),
}
"""Load → contenders that are held against one."""
FEW = 1_000
"""Keys that are there before memory is looked at, and all that the contender with few of them has."""
_ROOM = ("--max-resources", "5000000")
"""So that new keys push out none."""
_TOGETHER = 25
_SETTLED = 0.5
_KEY = f"{COLLECTION}/5b1c0a52-6a0e-4f1c-8f4c-"


def trials(bench: Bench, servers: Sequence[Server], keys: Sequence[int]) -> Iterable[Trial]:
    """Ours alone, as one and as many of each kind."""
    ours = next((server for server in servers if server.name == "ours"), None)
    if ours is None:
        return
    yield _operations(bench, ours)
    yield Trial(
        [
            Contender(name, ours, DOCUMENT, requests=(Request(NEW_KEY.target, fields=(*DIFFERENT, field)),))
            for name, field in (
                (ONE, "X-Mock-Namespace: n0"),
                (MANY[IN_NAMESPACES][0], f"X-Mock-Namespace: n{{number {NAMESPACES}}}"),
            )
        ],
        [Load(IN_NAMESPACES)],
        POLL,
    )
    counts = (FEW, keys[-1])
    yield Trial(
        [Contender(of_keys(count), ours, DOCUMENT, _ROOM) for count in counts],
        [Load(BESIDE_KEYS, (NEW_KEY,)), Load(OF_KEYS, (Request(f"{_KEY}{{key {FEW}}}"),))],
        POLL,
        prepare=lambda contender, running, results: _fill(
            running, [] if contender.name == of_keys(FEW) else keys, results
        ),
    )


def of_keys(count: int) -> str:
    """The name of the contender that has so many keys."""
    return f"{count:,} keys"


def _operations(bench: Bench, ours: Server) -> Trial:
    """One operation for all but the many documents, of which each has its own; then all of them in turn."""
    each = [
        bench.write(f"document-{number}.json", json.dumps(generated.document(1, number)))
        for number in range(DOCUMENTS)
    ]
    all_operations = bench.write("many-operations.json", json.dumps(generated.document(OPERATIONS)))
    many, documents = MANY[OF_OPERATIONS]
    in_turn = tuple(Request(generated.target(number)) for number in range(OPERATIONS))
    return Trial(
        [
            Contender(ONE, ours, each[0]),
            Contender(many, ours, all_operations),
            Contender(documents, ours, each[0], further=tuple(each[1:]), requests=in_turn[:DOCUMENTS]),
        ],
        [Load(OF_OPERATIONS, in_turn[:1]), Load(IN_TURN, in_turn, by=(many,))],
        in_turn[0],
    )


def _fill(running: Running, counts: Sequence[int], results: Results) -> None:
    """Poll so many keys once each, and tell what memory a key took after the first few."""
    with Connection(running.port, timeout=60) as connection:
        _poll(connection, 0, FEW)
        before = running.process.memory()
        polled = FEW
        for count in counts:
            _poll(connection, polled, count)
            polled = count
            time.sleep(_SETTLED)
            after = running.process.memory()
            added = after.pss - before.pss if after.pss else after.rss - before.rss
            results.add(MEMORY, of_keys(count), {"added": added, "a_key": added / (count - FEW)})


def _poll(connection: Connection, first: int, end: int) -> None:
    for start in range(first, end, _TOGETHER):
        numbers = range(start, min(start + _TOGETHER, end))
        connection.ask_all([Request(f"{_KEY}{number:012x}", fields=("Accept: */*",)) for number in numbers])
