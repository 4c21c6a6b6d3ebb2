"""A petstore whose data is stored, and a client of it over a real socket."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.engine.engine import Engine, Options
from mockserver.plan import Plan
from tests.live import NOON, PATIENCE, engine_of, serving_engine
from tests.redis import Redis
from tests.workers import Workers

Ask = Callable[..., Any]
"""Sends a request: method, target, body, header fields. Returns the response."""
PETSTORE = Path(__file__).with_name("engine") / "data" / "pets.yaml"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def decision(self) -> str:
        return self.headers["x-mock-decision"]


class Client:
    """Sends JSON and reads JSON, on one connection."""

    def __init__(self, port: int, engine: Engine) -> None:
        self.engine = engine
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __call__(self, method: str, target: str, body: Any = None, **fields: str) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        self._connection.request(method, target, data, headers)
        reply = self._connection.getresponse()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def close(self) -> None:
        self._connection.close()


def stateful_plan(*documents: Path, **options: Any) -> Plan:
    return compile_plan(Inputs(documents, stateful=True, **options)).plan


@contextmanager
def stateful(
    document: Path = PETSTORE, *, options: Options | None = None, most: int = 1_000_000, **inputs: Any
) -> Iterator[Client]:
    """A server that stores the data of a document, with a frozen clock."""
    engine = engine_of(stateful_plan(document, **inputs), clock=NOON, options=options, most=most)
    with serving_engine(engine) as live:
        client = Client(live.listener.getsockname()[1], engine)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def stateful_workers(redis: Redis, document: Path, *arguments: str) -> Iterator[Ask]:
    """Two workers that share the data of a document on Redis, and answer in turn."""
    folder = document.parent
    words = (str(document), "--stateful", "--clock", "2026-01-01T00:00:00Z", *arguments)
    with Workers(redis.url, document.stem, folder, *words, inputs=False) as workers:
        lines = workers.lines()
        turns = itertools.cycle(lines)
        yield lambda *words, **fields: next(turns).ask(*words, **fields)
        for line in lines:
            line.socket.close()


@contextmanager
def stateful_on(store: str, redis: Redis, document: Path, *, strict: bool = False) -> Iterator[Ask]:
    """One server with the data in memory, or two workers on Redis. ``strict``: keys have to exist."""
    if store == "memory":
        with stateful(document, options=Options(references=strict)) as client:
            yield client
    else:
        with stateful_workers(redis, document, *(["--stateful=strict"] if strict else [])) as ask:
            yield ask


def in_namespace(ask: Ask, name: str) -> Ask:
    """The same server, in a namespace of its own."""
    return lambda *words: ask(*words, X_Mock_Namespace=name)
