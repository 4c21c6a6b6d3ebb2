"""Clients that call at once: every connection is open before the first request is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from tests.live import PATIENCE

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class _Racer(asyncio.Protocol):
    """Sends requests one after the other, each when the one before is answered."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._read = b""
        self.answers: list[bytes] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def start(self) -> None:
        self._transport.write(self._requests[0])

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(_END)) >= 0:
            head = self._read[:end]
            length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0])
            whole = end + len(_END) + length
            if len(self._read) < whole:
                return
            self.answers.append(self._read[:whole])
            self._read = self._read[whole:]
            if len(self.answers) == len(self._requests):
                self._transport.close()
                self.done.set_result(None)
                return
            self._transport.write(self._requests[len(self.answers)])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or EOFError(f"after {len(self.answers)} answers"))


def race(
    ports: Sequence[int], works: Sequence[Sequence[bytes]], patience: float = PATIENCE
) -> list[list[bytes]]:
    """The answers to the requests of each client; clients are spread over the ports in turn."""

    async def racing() -> list[list[bytes]]:
        loop = asyncio.get_running_loop()
        racers = []
        for number, requests in enumerate(works):
            port = ports[number % len(ports)]
            _, racer = await loop.create_connection(partial(_Racer, requests), "127.0.0.1", port)
            racers.append(racer)
        for racer in racers:
            racer.start()
        async with asyncio.timeout(patience):
            await asyncio.gather(*(racer.done for racer in racers))
        return [racer.answers for racer in racers]

    return asyncio.run(racing())


def request(method: str, target: str, body: bytes = b"") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
