"""Servers of several processes that share their state, and connections of which one knows who answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live import Process, Reply, Wire, children

LOOPS = """
openapi: 3.0.3
info: {title: Loops, version: '1'}
paths:
  /loops/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: turn
      responses:
        '200':
          description: where it stands
          content: &loop {application/json: {schema: {$ref: '#/components/schemas/Loop'}}}
        '429': {description: too often, content: *loop}
        '503': {description: later, content: *loop}
  /limited/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: hit
      responses:
        '200': {description: fine, content: *loop}
        '429': {description: too often, content: *loop}
  /times:
    get:
      operationId: times
      responses:
        '200':
          description: now
          content: {application/json: {schema: {type: object, properties: {at: {type: string}}}}}
components:
  schemas:
    Loop: {type: object, required: [state], properties: {state: {type: string}, at: {type: string}}}
"""
LOOP = """
resource: loop
key: path.id
operations: {turn: turn}
states:
  one: {body: {state: one}}
  two: {body: {state: two}}
  three: {body: {state: three}}
  four: {body: {state: four}}
defaults: {at: "{{ now }}"}
scenarios:
  loop: [{state: one, until: {calls: 1}}, {state: two, until: {calls: 1}}, {state: three, until: {calls: 1}},
         {state: four, until: {calls: 1}, next: one}]
  once: [one: 1, two]
  slow: [one: 30s, two]
select: [{id: "once-*", scenario: once}, {id: "slow-*", scenario: slow}, {scenario: loop}]
"""
LIMIT = """
resource: limited
key: path.id
operations: {hit: {operation: hit, limit: 10/1h}}
states: {fine: {body: {state: fine}}}
scenarios: {fine: [fine]}
"""


class Line(Wire):
    """A connection that is kept, with requests in words."""

    def ask(self, method: str, target: str, body: Any = None, **fields: str) -> Reply:
        """The answer to a request; header names with underscores for hyphens."""
        self.put(method, target, body, **fields)
        return self.reply(to_head=method == "HEAD")

    def put(self, method: str, target: str, body: Any = None, **fields: str) -> None:
        """Send a request, whose answer is to be read with ``reply``."""
        data, kind = b"", "application/json"
        if isinstance(body, str):
            data, kind = body.encode(), "application/yaml"
        elif body is not None:
            data = json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if data:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
        self.send("\r\n".join([*lines, "", ""]).encode() + data)


class Workers(Process):
    """``mockserver serve --store … --workers N`` on the documents of this module."""

    def __init__(
        self,
        redis: str,
        prefix: str,
        folder: Path,
        *arguments: str,
        workers: int = 2,
        write: bool = True,
        inputs: bool = True,
    ) -> None:
        """``write`` says whether the documents are to be written first, ``inputs`` whether any are served."""
        given: list[str | Path] = []
        if inputs:
            documents, scenarios = written(folder) if write else _places(folder)
            given = [*documents, "--scenarios", scenarios]
        self.count = workers
        several = ("--workers", str(workers)) if workers > 1 else ()
        super().__init__(
            *given, "--store", redis, "--store-prefix", prefix, "--store-timeout", "20s", *several,
            *arguments, cache=folder / "cache",
        )  # fmt: skip

    @property
    def process(self) -> int:
        return self._process.pid

    def workers(self) -> list[int]:
        """The processes that answer, once there are so many as there are to be."""
        while len(found := children(self.process)) < self.count:
            pass  # nothing tells of a process that another one makes
        return found

    def lines(self) -> list[Line]:
        """A connection to each worker, in the order of ``workers``: the kernel chooses, so many are tried."""
        found: dict[int, Line] = {}
        workers = self.workers()
        while len(found) < len(workers):
            line = Line(self.port)
            assert line.ask("GET", "/__admin/health").status == 200
            worker = owner(line, workers)
            found.setdefault(worker, line)
            if found[worker] is not line:
                line.socket.close()
        return [found[each] for each in workers]

    def errors(self) -> Iterator[str]:
        """The lines of standard error, as they come."""
        assert self._process.stderr is not None
        return iter(self._process.stderr.readline, "")


def written(folder: Path) -> tuple[list[Path], Path]:
    """The documents and the folder of scenario files, written to the disk."""
    from tests.engine.resources.test_stateful import FILE
    from tests.fixtures import DOCUMENT

    texts = {
        "loops.yaml": LOOPS, "things.yaml": DOCUMENT,
        "life/loop.yaml": LOOP, "life/limit.yaml": LIMIT, "life/thing.yaml": FILE,
    }  # fmt: skip
    (folder / "life").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return _places(folder)


def _places(folder: Path) -> tuple[list[Path], Path]:
    return [folder / "loops.yaml", folder / "things.yaml"], folder / "life"


def owner(line: Wire, processes: list[int]) -> int:
    """Which process holds the other end of a connection (Linux)."""
    ours = f"{line.socket.getsockname()[1]:04X}"
    theirs = f"{line.socket.getpeername()[1]:04X}"
    for entry in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = entry.split()
        if fields[1].endswith(":" + theirs) and fields[2].endswith(":" + ours):
            wanted = f"socket:[{fields[9]}]"
            for process in processes:
                for handle in Path(f"/proc/{process}/fd").iterdir():
                    if _target(handle) == wanted:
                        return process
    raise AssertionError("nobody holds the other end")


def _target(handle: Path) -> str:
    try:
        return str(handle.readlink())
    except FileNotFoundError:  # it was closed meanwhile
        return ""
