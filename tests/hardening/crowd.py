"""Clients by the thousand: those that stay, those that come anew, those that take their time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import uvloop

from tests.live import MISSION, PATIENCE

_AT_ONCE = 200
_KEYS = 1 << 100
"""Away from the keys that mean something."""


def poll(number: int, *, close: bool = False) -> bytes:
    """A poll of a key of its own."""
    key = uuid.UUID(int=_KEYS + number, version=4)
    head = f"GET {MISSION}/{key} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer any\r\n"
    return f"{head}{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n".encode()


class Client(asyncio.Protocol):
    """One connection. ``ask`` sends and waits for one whole answer; it knows when the server closes."""

    def __init__(self) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self.received = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if found and self._answer is not None and not self._answer.done():
            length = int(head.lower().rpartition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(body) >= length:
                self.received = b""
                self._answer.set_result(head + found + body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or EOFError(self.received))

    async def ask(self, sent: bytes) -> bytes:
        """Raises OSError or EOFError where no answer comes."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(sent)
        return await asyncio.wait_for(self._answer, PATIENCE)


async def connect(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


async def gather(works: Iterator[Awaitable[bool]] | list[Awaitable[bool]], at_once: int = _AT_ONCE) -> int:
    """How many are true, of works of which so many are done at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(work: Awaitable[bool]) -> bool:
        async with gate:
            return await work

    return sum(await asyncio.gather(*map(one, works)))


async def crowd(port: int, number: int) -> list[Client]:
    """So many clients that have polled once and stay. Raises OSError or EOFError where one cannot."""
    clients: list[Client] = []

    async def join(index: int) -> bool:
        client = await connect(port)
        await client.ask(poll(index))
        clients.append(client)
        return True

    await gather(map(join, range(number)))
    return clients


async def fresh(port: int, number: int, pause: float = 0.0) -> list[float]:
    """Seconds from before each connection to its answer, one after the other."""
    took = []
    for index in range(number):
        began = time.perf_counter()
        client = await connect(port)
        response = await client.ask(poll(1_000_000 + index, close=True))
        took.append(time.perf_counter() - began)
        if not response.startswith(b"HTTP/1.1 200 "):
            raise EOFError(response)
        client.transport.close()
        await asyncio.sleep(pause)
    return took


def busy(port: int, clients: int, each: int) -> float:
    """Requests a second by so many clients that poll one key without a pause, in a process of their own."""
    command = [sys.executable, "-m", __name__, *map(str, (port, clients, each))]
    return float(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


async def _busy(port: int, clients: int, each: int) -> float:
    group = [await connect(port) for _ in range(clients)]

    async def work(client: Client) -> None:
        for _ in range(each):
            await client.ask(poll(2_000_000))

    began = time.perf_counter()
    await asyncio.gather(*map(work, group))
    seconds = time.perf_counter() - began
    for client in group:
        client.transport.close()
    return clients * each / seconds


async def drip(
    port: int, first: bytes, rest: Callable[[], Iterator[bytes]], pause: float
) -> tuple[float, bytes]:
    """Send a piece now and again; seconds until the server closes, and what it said."""
    began = time.perf_counter()
    client = await connect(port)
    client.transport.write(first)
    for piece in rest():
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(client.closed), pause)
        if client.closed.done() or client.transport.is_closing():
            break
        client.transport.write(piece)
    await client.closed
    return time.perf_counter() - began, client.received


if __name__ == "__main__":
    sys.stdout.write(str(uvloop.run(_busy(*map(int, sys.argv[1:])))))
