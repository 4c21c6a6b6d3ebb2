"""Many connections at once, by asyncio: for load, races and long runs. ``tests.live`` has single ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import NamedTuple

from tests.live import PATIENCE

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_AT_ONCE = 200


class Answer(NamedTuple):
    """One whole answer. ``head`` is the status line and the fields, without the empty line."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head[9:12])


class Connection(asyncio.Protocol):
    """One request after the other; every answer has a Content-Length.

    ``closed`` is done when the connection is; ``received`` is what came beyond the last whole answer.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.received = b""
        self._answer: asyncio.Future[Answer] | None = None

    @property
    def is_closed(self) -> bool:
        return self.closed.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or EOFError(self.received))

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request. The result raises OSError or EOFError where the connection breaks first."""
        self._answer = self._loop.create_future()
        self.transport.write(request)
        return self._answer

    async def ask(self, request: bytes) -> Answer:
        """As ``send``; raises TimeoutError where nothing comes for long."""
        return await asyncio.wait_for(self.send(request), PATIENCE)

    def data_received(self, data: bytes) -> None:
        read = self.received + data if self.received else data
        end = read.find(_END)
        if end >= 0 and self._answer is not None and not self._answer.done():
            start = read.find(_LENGTH, 0, end)
            until = end + 4 + (int(read[start + len(_LENGTH) : read.find(b"\r", start)]) if start > 0 else 0)
            if len(read) >= until:
                self.received = read[until:]
                self._answer.set_result(Answer(read[:end], read[end + 4 : until]))
                return
        self.received = read


async def connect(port: int) -> Connection:
    """Raises OSError where the server does not accept."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def gather(works: Iterable[Awaitable[bool]], at_once: int = _AT_ONCE) -> int:
    """Count the works that return true. So many are done at a time."""
    egress = asyncio.Semaphore(at_once)

    async def one(work: Awaitable[bool]) -> bool:
        async with egress:
            return await work

    return sum(await asyncio.gather(*map(one, works)))


def race(
    ports: Sequence[int], works: Sequence[Sequence[bytes]], patience: float = PATIENCE
) -> list[list[Answer]]:
    """Return the answers to the requests of each client; clients are spread over the ports in turn.

    Every connection is open before the first request is sent. Then each client
    sends its requests one after the other.
    """

    async def racing() -> list[list[Answer]]:
        connections = [await connect(ports[number % len(ports)]) for number in range(len(works))]

        async def run(connection: Connection, requests: Sequence[bytes]) -> list[Answer]:
            answers = [await connection.send(each) for each in requests]
            connection.transport.close()
            return answers

        async with asyncio.timeout(patience):
            return await asyncio.gather(*map(run, connections, works))

    return asyncio.run(racing())


def request(method: str, target: str, body: bytes = b"") -> bytes:
    """The octets of a request, with a JSON body if there is one."""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
