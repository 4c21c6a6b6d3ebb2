"""A bench: a folder with a cache of its own, and the servers that run on it."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Request
from benchmarks.peers import MADE_UP, ROOT, Samples, Server, Start
from benchmarks.process import SERVER_CORE, Process
from benchmarks.wire import Connection
from mockserver.compile.source import read

CORPUS = ROOT.parent / "shared" / "corpus"
"""Where the documents are that others have published."""
TIMEOUT = 120.0
"""Seconds until the first answer of a server is given up."""
_POLL = 0.001
_REDIS = ("redis-server", "--bind", "127.0.0.1", "--save", "")


class StartError(Exception):
    """The server ended, or gave no valid answer in time; the text holds what it printed."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those that are compared: a server, what it serves, and how it is started."""

    name: str
    server: Server
    document: Path
    options: tuple[str, ...] = ()
    further: tuple[Path, ...] = ()
    """Documents that it serves besides."""
    requests: tuple[Request, ...] = ()
    """Its own in place of those of a load."""
    redis: bool = False
    """Whether it has its state on a Redis of its own."""
    pinned: bool = True
    """Whether it is kept on one core."""


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that answers; ``redis`` is the process that has its state."""

    process: Process
    port: int
    start: float
    """Milliseconds from spawning it to its first answer."""
    redis: Process | None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run puts its files, how long and how often it measures; ``say`` tells how far it is."""

    folder: Path
    """Empty at first."""
    logs: Path
    corpus: Path
    seconds: int
    connections: int
    rounds: int
    say: Callable[[str], None]

    def write(self, name: str, content: str | bytes) -> Path:
        """A file of this run."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def document(self, name: str, content: Any) -> Path:
        """A document of this run, without its servers: each peer takes the path of a base URL differently."""
        return self.write(f"{name}.json", json.dumps(_rooted(content)))

    def published(self, file: str) -> Path | None:
        """A document of the corpus; None where it is not there."""
        path = self.corpus / file
        if path.exists():
            return self.document(path.stem, read(path, file).value)
        self.say(f"{path} is not there: its loads are left out (--documents names another folder)")
        return None

    @contextmanager
    def started(
        self, contender: Contender, first: Request, samples: Samples = MADE_UP, cache: str = "cache"
    ) -> Iterator[Running]:
        """The contender from its answer of 200 to the ``first`` request on. StartError: it gives none."""
        environment = os.environ | {"XDG_CACHE_HOME": str(self.folder / cache)}
        core = SERVER_CORE if contender.pinned else None
        log = self.logs / f"{contender.server.name}-{contender.document.stem}.log"
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self.folder)))
            options, redis = (*contender.options, *map(str, contender.further)), None
            if contender.redis:
                store = free_port()
                command = [*_REDIS, "--port", str(store), "--dir", str(folder)]
                redis = stack.enter_context(Process(command, environment, self.logs / "redis.log", core=None))
                _connected(redis, store)
                options += ("--store", f"redis://127.0.0.1:{store}")
            port = free_port()
            command = contender.server.command(Start(port, folder, samples, contender.document, options))
            spawned = time.perf_counter()
            process = stack.enter_context(Process(command, environment, log, core))
            _first_answer(process, port, first)
            yield Running(process, port, (time.perf_counter() - spawned) * 1000, redis)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _rooted(content: Any) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "servers"}


def _connected(process: Process, port: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.running:
        try:
            socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
        except OSError:
            time.sleep(_POLL)
        else:
            return
    raise StartError(f"nothing listens:\n{process.output()}")


def _first_answer(process: Process, port: int, request: Request) -> None:
    """Wait for an answer of 200, asking anew every millisecond."""
    deadline = time.monotonic() + TIMEOUT
    last = "nothing listens"
    while time.monotonic() < deadline:
        if not process.running:
            raise StartError(f"it ended before the first answer:\n{process.output()}")
        try:
            with Connection(port, timeout=TIMEOUT) as connection:
                response = connection.ask(request)
            if response.status == 200:
                return
            last = f"it answers {response.status} {response.body[:200]!r}"
        except (OSError, ValueError) as reason:
            last = str(reason)
        time.sleep(_POLL)
    raise StartError(f"no valid answer within {TIMEOUT:.0f} s ({last}):\n{process.output()}")
