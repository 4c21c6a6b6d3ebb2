"""Clients by the thousand: those that stay, those that come anew, those that take their time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress

import uvloop

from tests.connections import Connection, connect, gather
from tests.live import MISSION

_KEYS = 1 << 100
"""Away from the keys that mean something."""


def poll(number: int, *, close: bool = False) -> bytes:
    """A poll of a key of its own."""
    key = uuid.UUID(int=_KEYS + number, version=4)
    head = f"GET {MISSION}/{key} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer any\r\n"
    return f"{head}{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n".encode()


async def polled(port: int, number: int) -> list[Connection]:
    """So many clients that have polled once and stay. Raises OSError or EOFError where one cannot."""
    clients: list[Connection] = []

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
        if response.status != 200:
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

    async def work(client: Connection) -> None:
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
