"""Octets as a client sends them: answers of HTTP, none of them a 500, and no exception."""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import Any

from mockserver import inputs
from mockserver.engine.engine import Engine
from mockserver.http.connection import Connection
from mockserver.http.owner import Limits
from mockserver.http.server import Server
from tests.fuzz.targets.documents import EVERYTHING
from tests.live import MISSION, compiled, engine_of

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
_TURNS = 6
"""Of the event loop, after the last octet."""


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, pieces: Any) -> None:
        for each in pieces:
            self.write(each)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_reading(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


@cache
def _loop() -> tuple[asyncio.AbstractEventLoop, Engine]:
    engine = engine_of(compiled(inputs.DOCUMENT, EVERYTHING, scenarios=(inputs.SCENARIOS,)))
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(_raise)
    return loop, engine


_failures: list[BaseException] = []


def _raise(_: object, context: dict[str, Any]) -> None:
    _failures.append(context.get("exception") or AssertionError(context["message"]))


def seeds() -> list[bytes]:
    host = b"Host: a\r\n"
    poll = b"GET %b HTTP/1.1\r\n%b" % (f"{MISSION}/11111111-1111-4111-8111-111111111111".encode(), host)
    body = b'{"id": "a", "kind": "a", "list": [3]}'
    form = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n'
    post = b"POST /v1/things HTTP/1.1\r\n" + host
    return [
        b"\x00" + poll + b"Authorization: Bearer x\r\n\r\n",
        b"\x10" + poll + b"Prefer: state=pending, code=404\r\n\r\n" + poll + b"Prefer: dynamic\r\n\r\n",
        b"\x40GET /v1/things/a.b.c?q=1%202&deep[a]=b&j={} HTTP/1.1\r\n" + host + b"X-H: a,1\r\nCookie: c=d\r\n"
        b"Accept: text/plain;q=0.5, */*\r\n\r\n",
        b"\x80" + post + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body,
        b"\x80" + post + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\na=b&o=c",
        b"\x80" + post + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(form)
        + form,
        b"\x80" + post + b"Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"\x01" + post + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"\x20OPTIONS * HTTP/1.1\r\n" + host + b"\r\nHEAD /things HTTP/1.0\r\n\r\n",
        b"\x20GET /__ns/a/things HTTP/1.1\r\n" + host + b"X-Mock-Namespace: b\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ]  # fmt: skip


def check(data: bytes) -> None:
    """The first octet says where the rest is cut in two."""
    if not data:
        return
    loop, engine = _loop()
    _failures.clear()
    written = loop.run_until_complete(_spoken(engine, data[1:], data[0] / 256))
    if _failures:
        raise _failures[0]
    statuses = [int(each) for each in _STATUS.findall(written)]
    assert 500 not in statuses, written[-500:]
    assert not written or written.startswith(b"HTTP/1.1 "), written[:100]


async def _spoken(engine: Engine, data: bytes, cut: float) -> bytes:
    server = Server(
        engine.handle, engine.namespaces, limits=Limits(head=4_000, headers=30, target=1_000, body=4_000)
    )
    transport = _Transport()
    connection = Connection(server)
    connection.connection_made(transport)
    where = int(len(data) * cut)
    for piece in (data[:where], data[where:]):
        if piece and not transport.closed:
            connection.data_received(piece)
        await asyncio.sleep(0)
    if not transport.closed:
        connection.eof_received()
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    for _ in range(2):
        await asyncio.sleep(0)
    return bytes(transport.written)
