"""Servers to talk to, and ways to talk to them: the engine in a thread, the command line, raw sockets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop

from mockserver import inputs
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.engine.engine import Engine, Options
from mockserver.engine.health import Health
from mockserver.http.listener import bind
from mockserver.http.owner import Handler, Limits
from mockserver.http.server import Server
from mockserver.messages import Request, Response
from mockserver.namespaces.clock import parse_time
from mockserver.namespaces.memory import Memory
from mockserver.namespaces.namespaces import Namespaces
from mockserver.plan import Plan
from mockserver.state.memory import MemoryStore

Value = TypeVar("Value")
Write = Callable[[str, str], Path]
"""Writes a file of the given name and text into a test's own folder."""

MISSION = "/api/v1/cert-manager/certificates/certificate-requests"
NOON = "2026-01-01T00:00:00Z"
CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of httpx that are made often: each reads those of the system else, which takes long."""
PATIENCE = 60.0
"""Seconds until a test gives up on an answer; nothing is measured by it."""


def compiled(*documents: Path, scenarios: Sequence[Path] = (), seed: str = "0") -> Plan:
    return compile_plan(Inputs(documents, tuple(scenarios), seed)).plan


def mission_plan(seed: str = "0") -> Plan:
    return compiled(inputs.DOCUMENT, scenarios=(inputs.SCENARIOS,), seed=seed)


def engine_of(
    plan: Plan,
    *,
    clock: str | None = NOON,
    options: Options | None = None,
    most: int = 1_000_000,
    memory: Memory | None = None,
) -> Engine:
    namespaces = Namespaces(parse_time(clock) if clock else None, memory=memory)
    engine = Engine(plan, store=MemoryStore(most), namespaces=namespaces, options=options)
    engine.control = Health(engine).response
    return engine


def ask(
    engine: Engine,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """An answer of the engine, without a server."""
    path, _, query = target.partition("?")
    response = engine.handle(Request(method, path, query, headers or {}, body))
    assert isinstance(response, Response)
    return response


class Live:
    """A server of ours in a thread of its own."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        self.server = server
        self.listener = listener
        self.port: int = listener.getsockname()[1]
        self._loop = loop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, work: Callable[[], Value]) -> Value:
        """The value of ``work``, done by the server's own thread."""

        async def working() -> Value:
            return work()

        return self.wait(working())

    def wait(self, deferred: Coroutine[Any, Any, Value]) -> Value:
        """What a coroutine of the server's own loop comes to."""
        return asyncio.run_coroutine_threadsafe(deferred, self._loop).result(PATIENCE)


@contextmanager
def serving(
    handle: Handler, *, namespaces: Namespaces | None = None, limits: Limits | None = None
) -> Iterator[Live]:
    """``handle`` behind a real socket."""
    listener = bind("127.0.0.1", 0)
    found: list[Live] = []
    ready = threading.Event()

    async def run() -> None:
        server = Server(handle, namespaces or Namespaces(), limits=limits, drain_time=0)
        found.append(Live(server, asyncio.get_running_loop(), listener))
        await server.run(listener, ready.set)

    thread = threading.Thread(target=lambda: uvloop.run(run()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    [live] = found
    try:
        yield live
    finally:
        live.run(live.server.stop)
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def serving_engine(engine: Engine, *, limits: Limits | None = None) -> Iterator[Live]:
    with serving(engine.handle, namespaces=engine.namespaces, limits=limits) as live:
        live.run(lambda: engine.egress.exclude(live.listener))
        yield live


@dataclass(frozen=True)
class Reply:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A client that sends exactly the bytes it is given."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._read = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def finish(self) -> None:
        """Say that nothing more is coming."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """Everything until the server closes; what came before a reset, if it does so rudely."""
        while True:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                found, self._read = self._read, b""
                return found
            self._read += data

    def reply(self, *, to_head: bool = False) -> Reply:
        """The next answer, interim ones included. Raises EOFError where none comes."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) [^\r\n]*", line)
        assert found is not None, line
        headers: dict[str, str] = {}
        for field in fields:
            name, _, value = field.partition(": ")
            assert name.lower() not in headers, f"{name} is given twice"
            headers[name.lower()] = value
        length = 0 if to_head else int(headers.get("content-length", 0))
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return Reply(int(found[1]), headers, body, head)

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(self._read)
        self._read += data


def get(port: int, target: str, *fields: str, method: str = "GET") -> Reply:
    """One request on a connection of its own."""
    with Wire(port) as wire:
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields, "", ""]
        wire.send("\r\n".join(lines).encode("latin-1"))
        reply = wire.reply(to_head=method == "HEAD")
        assert wire.rest() == b""
        return reply


class Process:
    """``mockserver serve`` as users start it, on a free port."""

    def __init__(self, *arguments: str | int | Path, cache: Path, by: Sequence[str] = ()) -> None:
        """``by``: the command that starts it, such as ``prlimit``."""
        self._is_supervised = "--no-supervisor" not in arguments
        command = [
            *by,
            sys.executable,
            "-W",
            "error",
            "-m",
            "mockserver",
            "serve",
            "--port",
            "0",
            *map(str, arguments),
        ]
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip())
        if found is None:
            raise AssertionError(line + self.stop()[1])
        self.port = int(found[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def id(self) -> int:
        """Of the process that serves, which is a child of the one that was started if that supervises it."""
        return next(iter(children(self.pid)), self.pid) if self._is_supervised else self.pid

    def limit(self, kind: int) -> tuple[int, int]:
        """Soft and hard limit of a resource."""
        return resource.prlimit(self.id, kind)

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """The exit code and what was written to standard error, after ``number`` if one is given."""
        if number is not None:
            self.tell(number)
        _, errors = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, errors


def children(pid: int) -> list[int]:
    """The processes that a process has started (Linux)."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
