"""Ten thousand idle connections while others are served; a thousand slow senders, all ended in time.

The server is one process with its default bounds. Clients are one process
beside it: what they take is not counted, but their work is done on the same
processors.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import repeat

import uvloop

from tests.connections import gather
from tests.hardening.load import busy, drip, fresh, poll, polled
from tests.measured import MEBI, Served, need_descriptors, percentile, served
from tests.verdict import Verdict

IDLE, FRESH_P99, MEMORY = 10_000, 0.050, 250 * MEBI
SLOW, SLOW_SECONDS = 1_000, 35.0
_FRESH, _CLIENTS, _EACH = 2_000, 16, 5_000
_HEAD = b"POST /a HTTP/1.1\r\nHost: localhost\r\n"


def run() -> Verdict:
    verdict = Verdict(f"{IDLE:,} idle connections, {SLOW:,} slow senders")
    need_descriptors(IDLE + 1_000)
    with served() as server:
        uvloop.run(_idle(server, verdict))
    with served() as server:
        uvloop.run(_slow_senders(server, verdict))
    return verdict


async def _idle(server: Served, verdict: Verdict) -> None:
    await fresh(server.port, 100)
    descriptors = server.descriptors
    alone = await _work(server)
    before = percentile(await fresh(server.port, _FRESH), 0.99)
    clients = await polled(server.port, IDLE)
    verdict.hold(len(clients) == IDLE, f"{len(clients):,} clients have polled a key of their own and stay")
    took = await fresh(server.port, _FRESH)
    p99 = percentile(took, 0.99)
    verdict.hold(
        p99 < FRESH_P99,
        f"a fresh connection and its answer: p50 {_ms(percentile(took, 0.5))}, p99 {_ms(p99)}, "
        f"longest {_ms(max(took))} of {_FRESH:,} (p99 without the idle: {_ms(before)})",
    )
    beside = await _work(server)
    verdict.say(
        f"{_CLIENTS} clients without a pause: {beside[0]:,.0f} requests/s, {beside[1]:.1f} µs of the "
        f"server's processor each (without the idle: {alone[0]:,.0f}, {alone[1]:.1f} µs)"
    )
    memory = server.memory
    verdict.hold(
        memory < MEMORY, f"resident memory: {memory / MEBI:.0f} MiB, {server.peak / MEBI:.0f} at its peak"
    )
    open_ = sum(not client.closed.done() for client in clients)

    async def again(index: int) -> bool:
        return (await clients[index].ask(poll(index))).status == 200

    answered = await gather(map(again, range(IDLE)))
    verdict.hold(open_ == answered == IDLE, f"{open_:,} were still open, {answered:,} are answered once more")
    for client in clients:
        client.transport.close()
    await asyncio.sleep(0)
    back = await asyncio.to_thread(server.comes_back_to, descriptors)
    verdict.hold(back, f"descriptors: {descriptors} before, {server.descriptors} after")


async def _work(server: Served) -> tuple[float, float]:
    """Requests a second, and microseconds of the server's processor for each."""
    worked = server.worked
    rate = await asyncio.to_thread(busy, server.port, _CLIENTS, _EACH)
    return rate, (server.worked - worked) / (_CLIENTS * _EACH) * 1e6


async def _slow_senders(server: Served, verdict: Verdict) -> None:
    await fresh(server.port, 100)
    descriptors, memory = server.descriptors, server.memory
    kinds = {
        "a byte of a first line": (b"GET /", lambda: repeat(b"a")),
        "a byte of a field": (_HEAD + b"X: ", lambda: repeat(b"y")),
        "a field": (_HEAD, lambda: (b"X-%d: y\r\n" % index for index in range(90))),
        "nothing": (b"", lambda: iter(())),
        "a byte of a body": (_HEAD + b"Content-Length: 1000\r\n\r\n", lambda: repeat(b"z")),
        "no byte of a body": (_HEAD + b"Content-Length: 1000\r\n\r\n", lambda: iter(())),
        "a chunk": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda: repeat(b"1\r\nz\r\n")),
        "a byte of a chunk's size": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", lambda: repeat(b"0")),
        "a byte of a trailer": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", lambda: repeat(b"y")),
        "the end of a first line": (b"GET /a HTTP/1.1\r", lambda: iter(())),
    }  # fmt: skip
    names = [name for name, _ in zip(_again(kinds), range(SLOW), strict=False)]
    slow = [asyncio.ensure_future(drip(server.port, *kinds[name], 1.0)) for name in names]
    await asyncio.sleep(5)
    took = await fresh(server.port, 1_000, pause=0.005)
    peak = server.memory
    ended, _ = await asyncio.wait(slow, timeout=SLOW_SECONDS + 10)
    told: dict[str, list[tuple[float, bytes]]] = {name: [] for name in kinds}
    for name, each in zip(names, slow, strict=True):
        if each in ended:
            told[name].append(each.result())
        else:
            each.cancel()
    for name, found in told.items():
        wanted, longest = names.count(name), max((seconds for seconds, _ in found), default=0.0)
        said = Counter(response[9:12].decode() or "a close" for _, response in found)
        listed = ", ".join(f"{what} {number}" for what, number in said.items())
        verdict.hold(
            len(found) == wanted and longest <= SLOW_SECONDS,
            f"{name} a second: {len(found)} of {wanted} ended within {longest:.1f} s ({listed})",
        )
    p99 = percentile(took, 0.99)
    verdict.hold(p99 < FRESH_P99, f"a fresh connection beside them: p99 {_ms(p99)}, longest {_ms(max(took))}")
    verdict.say(f"resident memory: {memory / MEBI:.0f} MiB before, {peak / MEBI:.0f} MiB with them")
    back = await asyncio.to_thread(server.comes_back_to, descriptors)
    verdict.hold(back, f"descriptors: {descriptors} before, {server.descriptors} after")


def _again(names: Iterable[str]) -> Iterator[str]:
    while True:
        yield from names


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
