"""One connection that polls, and writes down what came of it. Raw asyncio, to be faster than the server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from tests.soak import timelines
from tests.soak.attempt import Attempt, Outcome

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_COUNTED = b"; counted="
_SAID: dict[bytes, Outcome] = {b"no": "refused", b"unknown": "unknown"}


class Client:
    """Polls one key at a time. A connection that breaks is made anew with the next poll."""

    def __init__(self, number: int, port: int, write: Callable[[Attempt], None]) -> None:
        self._number = number
        self._port = port
        self._write = write
        self._wire: _Wire | None = None
        self._instance = 0

    async def poll(self, key: str) -> Attempt:
        """One attempt, which is written down. It waits for as long as the server does."""
        start = time.monotonic_ns()
        if self._wire is None or self._wire.is_closed:
            self._instance += 1
            loop = asyncio.get_running_loop()
            _, self._wire = await loop.create_connection(_Wire, "127.0.0.1", self._port)
        outcome: Outcome
        status, head, body = 0, b"", b""
        if self._wire.is_closed:
            outcome = "unsent"
        else:
            status, head, body = await self._wire.ask(key)
            outcome = "answered"
            if not status:
                outcome = "cut"
            elif status == 503 and _COUNTED in head:
                outcome = _SAID[head.partition(_COUNTED)[2].partition(b"\r\n")[0]]
        told = json.loads(body)["detail"] if outcome in _SAID.values() else body.decode()
        end = time.monotonic_ns()
        attempt = Attempt(self._number, key, start, end, outcome, status, told, self._instance)
        self._write(attempt)
        return attempt

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()


class _Wire(asyncio.Protocol):
    """One request after the other; answers have a Content-Length."""

    def __init__(self) -> None:
        self.is_closed = False
        self._read = b""
        self._answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, b"", b""))

    def ask(self, key: str) -> asyncio.Future[tuple[int, bytes, bytes]]:
        """Status, header section and body; a status of 0 where the connection breaks."""
        self._answer = self._loop.create_future()
        self._transport.write(f"GET {timelines.PATH}{key} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
        return self._answer

    def data_received(self, data: bytes) -> None:
        read = self._read + data if self._read else data
        end = read.find(_END)
        if end >= 0:
            at = read.find(_LENGTH, 0, end)
            until = end + 4 + int(read[at + len(_LENGTH) : read.find(b"\r", at, end + 1)])
            if len(read) >= until:
                assert self._answer is not None, read
                self._answer.set_result((int(read[9:12]), read[:end], read[end + 4 : until]))
                self._answer = None
                self._read = read[until:]
                return
        self._read = read

    def close(self) -> None:
        self._transport.close()
