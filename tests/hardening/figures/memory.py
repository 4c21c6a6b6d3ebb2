"""A server of 512 MB lives through a thousand hostile requests of each kind, beside which others are served.

The address space of its processes is bounded (``prlimit --as``), so that what
goes beyond ends it. All kinds come to one server, one after the other; what it
keeps of them is within its bounds, and memory comes back to where it was.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop

from tests.connections import Connection, connect, gather
from tests.live import get
from tests.measured import MEBI, Served, need_descriptors, percentile, served, until
from tests.verdict import Verdict

TIMES = 1000
LIMIT = 512 * MEBI
_BOUNDED = ("sh", "-c", f'exec prlimit --as={LIMIT} "$@" 2>/dev/null', "sh")
"""Starts the server. Nobody reads its log, and a pipe that is full would hold up the event loop."""
SLOWEST = 0.25
BACK = 50 * MEBI
_AT_ONCE = 10
_PAUSE = 0.005
_DOCUMENT = """
openapi: 3.0.3
info: {title: Memory, version: '1'}
paths:
  /things/{id}:
    parameters: &id [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: read
      responses: {'200': {description: it, content: &any {application/json: {schema: {type: object}}}}}
  /grown/{id}:
    parameters: *id
    get: {operationId: grow, responses: {'200': {description: it, content: *any}}}
  /orders/{id}:
    parameters: *id
    get: {operationId: track, responses: {'200': {description: it, content: *any}}}
  /orders:
    post:
      operationId: order
      requestBody: {content: *any}
      responses:
        '201':
          description: it
          content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}
  /bodies:
    post:
      operationId: take
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {a: {type: array, items: {type: string}}}}
          application/x-www-form-urlencoded: &object {schema: {type: object}}
          application/xml: *object
          multipart/form-data: *object
      responses: {'204': {description: taken}}
  /large:
    get:
      operationId: large
      responses:
        '200':
          description: it
          content: {application/json: {schema: {type: string}, example: LARGE}}
"""
_THING = """
resource: thing
key: path.id
operations: {read: read}
states: {there: {body: {state: there}}}
scenarios: {usual: [there]}
"""
_GROWN = """
resource: grown
key: path.id
operations: {grow: grow}
states:
  there:
    body: {state: "{% set n = request.query.n | default(1) | int %}{{ 'x' * n ~ [[1] * n] * n }}"}
scenarios: {usual: [there]}
"""
_ORDER = """
resource: order
key: path.id
operations: {track: track, order: {operation: order, creates: body.id}}
states: {placed: {order: {status: 201, body: {id: "{{ resource.key }}"}}, track: {body: {state: placed}}}}
scenarios: {usual: [placed]}
"""
_HEAD = "Host: localhost\r\n"
Work = Callable[[int, int], Coroutine[Any, Any, bool]]
"""One hostile request, by the port and its number; whether it was answered or ended as it should be."""


def run() -> Verdict:
    need_descriptors(TIMES + 200)
    verdict = Verdict(f"{TIMES:,} hostile requests of each kind, at a server with {LIMIT // MEBI} MB")
    with TemporaryDirectory() as made:
        arguments = _written(Path(made))
        with served(*arguments, cache=Path(made), by=_BOUNDED) as server:
            for work in KINDS.values():  # what is imported when it is first needed is no matter of attacks
                uvloop.run(work(server.port, 0))
            _reset(server)
            first = server.memory
            for name, work in KINDS.items():
                _attack(server, verdict, name, work, first)
                _reset(server)
            verdict.say(f"at the peak of all {server.peak / MEBI:.0f} MiB, at first {first / MEBI:.0f}")
    return verdict


def _attack(server: Served, verdict: Verdict, name: str, work: Work, first: int) -> None:
    process = server.id
    began = time.perf_counter()
    with _honest(server.port) as told:
        done = uvloop.run(_all(server.port, work))
    took = time.perf_counter() - began
    until(lambda: server.memory - first <= BACK, patience=5)
    grown, waits = server.memory - first, told["took"]
    slow = percentile(waits, 0.99)
    lives = server.lives and server.id == process
    verdict.hold(
        lives and not told["failed"] and slow <= SLOWEST and grown <= BACK,
        f"{name}: {'it lives' if lives else 'IT IS GONE'}, {done:,} of {TIMES:,} as they should be, "
        f"{took:.0f} s; an honest client: {len(waits):,} answers, {told['failed']} failed, "
        f"p99 {slow * 1000:.0f} ms, at most {max(waits) * 1000:.0f} ms; {grown / MEBI:+.0f} MiB then",
    )


async def _all(port: int, work: Work) -> int:
    if work in _STAYING:  # all at once, until none is to come
        return await gather([work(port, number) for number in range(TIMES)], at_once=TIMES)
    return await gather((work(port, number) for number in range(TIMES)), at_once=_AT_ONCE)


# What comes


async def _asked(port: int, head: str, body: bytes = b"") -> int:
    """The status of the one answer to a request on a connection of its own; 0 where none comes."""
    client = await connect(port)
    try:
        return (await client.ask(head.encode("latin-1") + body)).status
    except (OSError, EOFError):
        return _status(client.received)
    finally:
        client.transport.abort()


def _status(response: bytes) -> int:
    return int(response[9:12]) if response.startswith(b"HTTP/1.1 ") else 0


async def _header(port: int, number: int) -> bool:
    field = f"X-A: {number:08d}{'y' * 59_900}\r\n"
    return await _asked(port, f"GET /things/1 HTTP/1.1\r\n{_HEAD}{field}\r\n") == 200


async def _fields(port: int, number: int) -> bool:
    fields = "".join(f"X{number}-{each}: {each}\r\n" for each in range(90))
    return await _asked(port, f"GET /things/1 HTTP/1.1\r\n{_HEAD}{fields}\r\n") == 200


async def _key(port: int, number: int) -> bool:
    return await _asked(port, f"GET /things/{number:015000d} HTTP/1.1\r\n{_HEAD}\r\n") == 200


async def _namespace(port: int, number: int) -> bool:
    field = f"X-Mock-Namespace: n{number}\r\n"
    return await _asked(port, f"GET /things/{number:015000d} HTTP/1.1\r\n{_HEAD}{field}\r\n") == 200


async def _creation(port: int, number: int) -> bool:
    body = b'{"a": "%060000d"}' % number
    return await _asked(port, _post("/orders", "application/json", body), body) == 201


async def _reader(port: int, number: int) -> bool:
    """Ask for 3 MB and take nothing; for a while, or until the server has enough of it."""
    await asyncio.sleep(number * _PAUSE)
    client = await connect(port)
    client.transport.pause_reading()
    client.transport.write(f"GET /large HTTP/1.1\r\n{_HEAD}\r\n".encode())
    await asyncio.sleep(5)
    client.transport.abort()
    return True


async def _unfinished(port: int, number: int) -> bool:
    """Send all of a body but its end, and stay."""
    client = await connect(port)
    client.transport.write(f"POST /bodies HTTP/1.1\r\n{_HEAD}Content-Length: 1000000\r\n\r\n".encode())
    client.transport.write(b"x" * 999_000)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(client.closed), 5)
    client.transport.abort()
    return True


async def _waiting(port: int, number: int) -> bool:
    """Have an answer wait, with a body that is not to be held meanwhile, for as long as this takes."""
    body = b'{"a": ["%0100000d"]}' % number
    client = await connect(port)
    head = _post("/bodies", "application/json", body, "Prefer: wait=9999\r\n")
    client.transport.write(head.encode() + body)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(client.closed), 5)
    client.transport.abort()
    return client.received.startswith((b"", b"HTTP/1.1 503"))


async def _template(port: int, number: int) -> bool:
    sizes = 10**9, 10**6, 60_000, 5_000
    target = f"/grown/{number}?n={sizes[number % len(sizes)]}"
    return await _asked(port, f"GET {target} HTTP/1.1\r\n{_HEAD}\r\n") in (200, 500)


async def _listing(port: int, number: int) -> bool:
    if number % 10:  # a journal that is full, to be listed
        return await _header(port, number)
    return await _asked(port, f"GET /__admin/requests HTTP/1.1\r\n{_HEAD}\r\n") == 200


def _post(path: str, kind: str, body: bytes, more: str = "") -> str:
    head = f"POST {path} HTTP/1.1\r\n{_HEAD}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n"


def _bomb(kind: str, body: bytes, *, packed: bool = True) -> Work:
    sent = gzip.compress(body, mtime=0) if packed else body
    head = _post("/bodies", kind, sent, "Content-Encoding: gzip\r\n" if packed else "")

    async def work(port: int, number: int) -> bool:
        return await _asked(port, head, sent) in (400, 413, 415, 422, 503)

    return work


_JSON, _FORM, _XML = "application/json", "application/x-www-form-urlencoded", "application/xml"
_PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
KINDS: dict[str, Work] = {
    "header fields of 60 kB": _header,
    "ninety new header fields": _fields,
    "keys of 15 kB": _key,
    "keys of 15 kB in namespaces of their own": _namespace,
    "creations of 60 kB": _creation,
    "answers of 3 MB that are not taken": _reader,
    "bodies of 1 MB without their end": _unfinished,
    "Prefer: wait=9999, with bodies of 100 kB": _waiting,
    "templates that grow": _template,
    "a tenth of it lists the calls": _listing,
    "gzip of JSON that breaks the document 5,000,000 times": _bomb(
        _JSON, b'{"a":[' + b"1," * 5_000_000 + b"1]}"
    ),
    "gzip of JSON, 3,400,000 lists": _bomb(_JSON, b"[" + b"[]," * 3_400_000 + b"[]]"),
    "JSON of 1 MB with 500,000 values": _bomb(_JSON, b'{"a":[' + b"1," * 499_990 + b"1]}", packed=False),
    "gzip of a form of 900,000 fields": _bomb(_FORM, b"&".join(b"a%d=" % each for each in range(900_000))),
    "gzip of XML, 2,600,000 elements": _bomb(_XML, b"<a>" + b"<b/>" * 2_600_000 + b"</a>"),
    "gzip of 150,000 parts": _bomb("multipart/form-data; boundary=x", _PARTS * 150_000 + b"--x--\r\n"),
}
_STAYING = (_reader, _unfinished, _waiting)


def _written(folder: Path) -> list[str | Path]:
    document = folder / "memory.yaml"
    document.write_text(_DOCUMENT.replace("LARGE", "x" * 3_000_000))
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    for name, text in (("thing", _THING), ("grown", _GROWN), ("order", _ORDER)):
        (scenarios / f"{name}.yaml").write_text(text)
    return [document, "--scenarios", scenarios]


def _reset(server: Served) -> None:
    """Empty the journal and forget the resources."""
    assert get(server.port, "/__admin/reset", method="POST").status == 200


# Honest clients, in a process of their own


@contextmanager
def _honest(port: int) -> Iterator[dict[str, list[float]]]:
    """An honest client beside what is done within; what it met is told at the end."""
    told: dict[str, list[float]] = {}
    command = [sys.executable, "-m", __name__, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        yield told
        told |= json.loads(process.communicate("")[0])


async def _polling(port: int) -> dict[str, object]:
    """Poll until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    took: list[float] = []
    failed = 0
    client: Connection | None = await connect(port)
    sys.stdout.write("\n")
    sys.stdout.flush()
    while not ended.is_set():
        began = time.perf_counter()
        try:
            client = client or await connect(port)
            response = await client.ask(f"GET /things/honest HTTP/1.1\r\n{_HEAD}\r\n".encode())
            failed += response.status != 200
        except (OSError, EOFError, TimeoutError):
            client, failed = None, failed + 1
        took.append(time.perf_counter() - began)
        await asyncio.sleep(_PAUSE)
    return {"took": took, "failed": failed}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(_polling(int(sys.argv[1])))))
