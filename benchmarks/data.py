"""Stateful data: reads, lists of many items, and writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from benchmarks import generated
from benchmarks.bench import Bench, Contender, Running
from benchmarks.load import DIFFERENT, Request
from benchmarks.peers import DOCUMENT, Server
from benchmarks.polls import POLL
from benchmarks.trial import Load, Results, Trial
from benchmarks.wire import Connection

ITEMS = 10_000
READ, FIRST_PAGE, LAST_PAGE = "a read", "the first page of 100 items", "the last page of 100 items"
CREATE, MERGE = "a creation", "a merge"
SCENARIO = "a scenario's poll"
COMPARED = ("ours", "steady")
_OPTIONS = ("--stateful", "--max-resources", "5000000")
_TOGETHER = 50
_COLLECTION = "/orders"


def trials(bench: Bench, servers: Sequence[Server]) -> Iterable[Trial]:
    """Ours with data, next to a poll of ours with a scenario, and to Steady for the writes."""
    document = bench.document("data", generated.stored())
    body = bench.write("an order.json", json.dumps(generated.STORED))
    change = bench.write("a change.json", json.dumps({"note": "ring twice"}))
    json_fields = (*DIFFERENT, "Content-Type: application/json")
    create = Request(_COLLECTION, "POST", json_fields, body)
    page = f"{_COLLECTION}?limit=100&page="
    loads = (
        Load(READ, (Request(f"{_COLLECTION}/1"),), by=("ours",)),
        Load(FIRST_PAGE, (Request(f"{page}1"),), by=("ours",)),
        Load(LAST_PAGE, (Request(f"{page}{ITEMS // 100}"),), by=("ours",)),
        Load(MERGE, (Request(f"{_COLLECTION}/1", "PATCH", json_fields, change),), by=("ours",)),
        Load(CREATE, (create,)),
    )
    contenders = [
        Contender(each.name, each, document, _OPTIONS if each.name == "ours" else ())
        for each in servers
        if each.name in COMPARED
    ]

    def fill(contender: Contender, running: Running, _: Results) -> None:
        if contender.name == "ours":
            with Connection(running.port, timeout=60) as connection:
                for _start in range(0, ITEMS, _TOGETHER):
                    connection.ask_all([create] * _TOGETHER)

    yield Trial(contenders, loads, Request(_COLLECTION), prepare=fill)
    polled = [Contender(SCENARIO, each, DOCUMENT) for each in servers if each.name == "ours"]
    yield Trial(polled, [Load(READ, (POLL,))], POLL)
