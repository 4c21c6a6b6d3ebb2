"""How the tool for stateful data sends requests, and where their bodies come from."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.generation import GenerationMode

from benchmarks.judging import time_limit
from mockserver.compile.source import read
from mockserver.engine.engine import Engine, Options
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import Operation, Plan
from mockserver.state.memory import MemoryStore

Send = Callable[[Request], Response]
Bodies = Callable[[Operation, str], Any]
"""Returns a body of an operation in a media type, or None."""
_BODY_TIME, _ANSWER_TIME = 8, 60
"""Seconds until making bodies of an operation, or waiting for a response, is given up."""
MAX_BODIES = 8
"""The bodies that are made of an operation."""


@contextmanager
def in_process(plan: Plan) -> Iterator[Send]:
    """Call an engine of this process, with its data in memory."""
    engine = Engine(
        plan, store=MemoryStore(1000), namespaces=Namespaces(None), options=Options(security="off")
    )
    yield lambda request: cast("Response", engine.handle(request))


@contextmanager
def on_store(document: Path, store: str) -> Iterator[Send]:
    """Send to two workers that share their data on Redis; each request has a connection of its own."""
    command = [
        sys.executable, "-m", "mockserver", "serve", str(document), "--stateful", "--port", "0",
        "--security", "off", "--workers", "2", "--store", store, "--store-prefix", f"trip-{uuid.uuid4()}",
        "--store-timeout", "20s",
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if "http://" not in line:
                log.seek(0)
                raise SystemExit(f"the server does not start: {log.read().decode()[:500]}")
            address = urlsplit(line[line.index("http://") :].strip())
            yield lambda request: _send(address.netloc, request)
        finally:
            server.terminate()
            server.wait(_ANSWER_TIME)


def _send(address: str, request: Request) -> Response:
    connection = HTTPConnection(address, timeout=_ANSWER_TIME)
    target = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
    try:
        connection.request(request.method, target, request.body or None, dict(request.headers))
        reply = connection.getresponse()
        headers = [(name.lower(), value) for name, value in reply.getheaders()]
        return Response(reply.status, headers, reply.read(), dict(headers).get("x-mock-decision", ""))
    finally:
        connection.close()


class SchemathesisBodies:
    """Bodies that Schemathesis makes of a document: the largest of some for each operation."""

    def __init__(self, document: Path) -> None:
        content = (
            json.loads(document.read_text("utf-8"))
            if document.suffix == ".json"
            else read(document, document.name).value
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._schema = schemathesis.openapi.from_dict(content)
        self._made: dict[str, list[Any]] = {}

    def __call__(self, operation: Operation, media_type: str) -> Any:
        """Return a body, another one at each call as long as there are some."""
        cases = self._made.get(operation.id)
        if cases is None:
            cases = self._made[operation.id] = self._cases(operation, media_type)
        return cases.pop() if len(cases) > 1 else cases[0] if cases else None

    def _cases(self, operation: Operation, media_type: str) -> list[Any]:
        found: list[Any] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with time_limit(_BODY_TIME):
                    _make(self._schema[operation.path][operation.method], media_type, found)
            except (Exception, BaseExceptionGroup):  # noqa: BLE001 - what was made counts
                pass
        return sorted(found, key=lambda body: len(json.dumps(body)))


def _make(operation: Any, media_type: str, found: list[Any]) -> None:
    @seed(7)
    @settings(
        max_examples=MAX_BODIES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def make(case: Any) -> None:
        if case.media_type == media_type and isinstance(case.body, dict | list):
            found.append(json.loads(json.dumps(case.body)))

    make()
