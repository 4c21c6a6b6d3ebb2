"""Polls of the mission's document: certificate requests by one key, by new keys, by a connection each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.bench import Bench, Contender
from benchmarks.load import DIFFERENT, EQUAL, Request, filled
from benchmarks.peers import COLLECTION, DOCUMENT, KEY, Samples, Server
from benchmarks.trial import Load, Trial
from benchmarks.wire import Connection

ONE_KEY, NEW_KEYS = "one key", "new keys"
EQUAL_FIELDS = "new keys, equal fields"
CONNECTIONS = "a connection each"
POLL = Request(f"{COLLECTION}/{KEY}")
NEW_KEY = Request(f"{COLLECTION}/{{uuid}}")
_POLLS_UNTIL_ISSUED = 3


def trials(_: Bench, servers: Sequence[Server]) -> Iterable[Trial]:
    """All servers, with the scenario for ours."""
    contenders = [Contender(server.name, server, DOCUMENT) for server in servers]
    closing = Request(POLL.target, fields=(*DIFFERENT, "Connection: close"))
    loads = (
        Load(ONE_KEY, (POLL,)),
        Load(NEW_KEYS, (NEW_KEY,)),
        Load(EQUAL_FIELDS, (Request(NEW_KEY.target, fields=EQUAL),), by=("ours", "steady", "nginx")),
        Load(CONNECTIONS, (closing,), by=("ours", "steady", "nginx")),
    )
    yield Trial(contenders, loads, POLL, _samples)


def _samples(port: int) -> Samples:
    """What the first poll of a key gets, and what its polls settle on."""
    with Connection(port, timeout=10) as connection:
        key = Request(filled(NEW_KEY.target))
        answers = [connection.ask(key) for _ in range(_POLLS_UNTIL_ISSUED)]
    return Samples(pending=answers[0], issued=answers[-1])
