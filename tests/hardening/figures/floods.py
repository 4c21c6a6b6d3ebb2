"""Clients that send without end and take nothing: each is refused or held up, and memory stays bounded.

A hundred clients at once send what each kind of flood sends, as fast as the
server takes it, up to 16 MiB each or until it closes. Bodies that are allowed
one by one are the worst of it: all of them together are bounded too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import uvloop

from tests.hardening.load import fresh, poll
from tests.measured import MEBI, Served, percentile, served
from tests.verdict import Verdict

CLIENTS, EACH = 100, 16 * MEBI
_FRESH, _SECONDS = 20, 4.0
UNFINISHED = 64 * MEBI
MEMORY = 2 * UNFINISHED
"""How far the resident set may grow: what may be unfinished, and as much again for all else."""
_POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_SLOW = poll(1).replace(b"\r\n\r\n", b"\r\nPrefer: wait=60\r\n\r\n")
_BODY = _POST + b"Content-Length: 8000000\r\n\r\n" + b"x" * 8_000_000
KINDS = {
    "bodies that do not end": (_POST + b"Content-Length: 10000000\r\n\r\n", b"x" * 9_900_000, 1),
    "bodies in chunks that do not end": (_CHUNKED, b"3e8\r\n" + b"x" * 1000 + b"\r\n", 9_900),
    "bodies in chunks of two bytes": (_CHUNKED, b"2\r\nxx\r\n" * 10_000, 490),
    "fields that do not end": (_POST, b"X: y\r\n", 0),
    "a field that does not end": (_POST + b"X: ", b"y" * 1000, 0),
    "a target that does not end": (b"GET /", b"a" * 1000, 0),
    "a chunk's extension that does not end": (_CHUNKED + b"1;", b"a" * 1000, 0),
    "extensions of chunks": (_CHUNKED, b"1;" + b"a" * 1000 + b"\r\nx\r\n", 0),
    "trailers that do not end": (_CHUNKED + b"0\r\n", b"X: y\r\n", 0),
    "requests whose answers are not taken": (b"", poll(2), 0),
    "requests behind an answer that takes its time": (_SLOW, poll(2), 0),
    "bodies behind an answer that takes its time": (_SLOW, _BODY, 0),
    "empty lines": (b"", b"\r\n", 0),
}
"""What is sent first, what is sent again and again, and how often (0: until it is enough)."""


def run() -> Verdict:
    verdict = Verdict(f"Floods of {CLIENTS} clients, {EACH // MEBI} MiB each")
    for name, (first, again, times) in KINDS.items():
        with served(f"--max-unfinished={UNFINISHED}") as server:
            uvloop.run(_flood(server, verdict, name, first, again, times))
    return verdict


async def _flood(server: Served, verdict: Verdict, name: str, first: bytes, again: bytes, times: int) -> None:
    await fresh(server.port, 50)
    before = server.memory
    piece = again * max(1, 65_536 // len(again))
    rest = [again] * times if times else [piece] * (EACH // len(piece) + 1)
    floods = [asyncio.ensure_future(_send(server.port, first, rest)) for _ in range(CLIENTS)]
    await asyncio.sleep(0.5)
    took = await fresh(server.port, _FRESH)
    await asyncio.wait(floods, timeout=_SECONDS)
    for each in floods:
        each.cancel()
    told = await asyncio.gather(*floods, return_exceptions=True)
    grown = server.peak - before
    taken = sum(each for each in told if isinstance(each, int))
    verdict.hold(
        grown <= MEMORY and server.lives,
        f"{name}: {grown / MEBI:.0f} MiB more at the peak, {taken / MEBI:,.0f} MiB sent; "
        f"a fresh client beside them: {_ms(took, 0.5)}, at most {_ms(took, 1)}",
    )


def _ms(took: list[float], share: float) -> str:
    return f"{percentile(took, share) * 1000:.0f} ms"


async def _send(port: int, first: bytes, rest: Iterable[bytes]) -> int:
    """Send until it is enough, the server closes, or this is cancelled; how many bytes it took of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    with suppress(OSError, asyncio.CancelledError):
        for each in (first, *rest):
            writer.write(each)
            await writer.drain()
            sent += len(each)
        await asyncio.sleep(60)
    writer.transport.abort()
    return sent
