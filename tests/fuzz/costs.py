"""Search for the inputs that cost most: ``python -m tests.fuzz.costs READER SECONDS``.

An input is some octets, a piece that is repeated, and some octets more. The search keeps
those that take the largest share of what they may, and changes them: another piece, twice
as many, half as many. Half of the time the inputs have at most 10 kB on the wire, then as
many octets as the reader allows; the first that takes too much ends it.

What a server reads is sent to one, as users start it; its processor time and the peak of
its resident set are the system's own figures. What is read in a process that may be
killed (documents, scenario files) or rendered (templates) is read in a fork of this one.

Beside the smaller inputs an honest client polls on a schedule, so that a request which
has to wait counts for all that should have been asked meanwhile.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import click

from tests.fuzz.__main__ import KEPT
from tests.fuzz.readers import DOCUMENT, READERS, Reader, Shape
from tests.measured import Served, percentile, served

WIRE = 10_000
"""Octets for which the bounds below hold; for larger inputs they grow, up to the most."""
SECONDS, MAX_SECONDS = 0.05, 2.0
MEMORY, MAX_MEMORY = 20e6, 300e6
BESIDE = 0.1
"""Seconds within which 99 of 100 others are answered."""
_KEPT = 12
_EVERY = 0.05
_PATIENCE = 60


class Cost(NamedTuple):
    wire: int
    """Octets."""
    seconds: float
    """Of processor time."""
    memory: float
    """Bytes by which the peak of the resident set was higher than before."""
    is_apart: bool = False
    """Whether it is read in a process of its own, which may take the most at once: it holds nobody up."""

    @property
    def share(self) -> float:
        """Of what it may take; over 1 is a finding."""
        times = MAX_SECONDS / SECONDS if self.is_apart else -(-self.wire // WIRE)
        return max(
            self.seconds / min(MAX_SECONDS, SECONDS * times), self.memory / min(MAX_MEMORY, MEMORY * times)
        )

    def __str__(self) -> str:
        return (
            f"{self.wire:,} octets: {self.seconds * 1000:.0f} ms, {self.memory / 1e6:.1f} MB "
            f"({self.share:.2f} of what they may take)"
        )


Measure = Callable[[bytes], Cost]


def main(name: str, seconds: str) -> int:
    reader = READERS[name]
    late = 0.0
    with measuring(reader) as (measure, server):
        half = float(seconds) / 2
        if server is None:
            worst, data = _search(reader, measure, half, smaller(reader))
        else:
            with others(server.port) as took:
                worst, data = _search(reader, measure, half, smaller(reader))
            late = percentile(took, 0.99)
            click.echo(f"  others meanwhile: p99 {late * 1000:.1f} ms")
        if worst.share <= 1:
            worst, data = max(
                (worst, data), _search(reader, measure, half, reader.most), key=lambda each: each[0].share
            )
    click.echo(f"  worst: {worst}, {data[:100]!r}")
    if worst.share <= 1 and late <= BESIDE:
        return 0
    place = KEPT / "findings" / f"cost-{name}" / f"cost-{hashlib.sha256(data).hexdigest()[:40]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return 1


def replay(name: str, data: bytes) -> bool:
    """Whether an input takes no more than it may."""
    with measuring(READERS[name]) as (measure, _):
        cost = least_cost(measure, data)
    click.echo(f"  {cost}")
    return cost.share <= 1


def _search(reader: Reader, measure: Measure, seconds: float, most: int) -> tuple[Cost, bytes]:
    """The input of at most so many octets that takes the largest share, or the first that takes too much.

    What takes too much does so three times out of three.
    """
    chance = random.Random(0)  # the same search each time
    kept: list[tuple[float, Shape]] = []
    worst, found = Cost(1, 0, 0), b""
    waiting = list(reader.starts)
    end, made = time.monotonic() + seconds, 0
    while time.monotonic() < end and worst.share <= 1:
        shape = waiting.pop() if waiting else _changed(chance, reader, [each for _, each in kept])
        data = shape.octets(most)
        cost = least_cost(measure, data)
        made += 1
        kept.append((cost.share, shape))
        kept.sort(key=lambda each: -each[0])
        del kept[_KEPT:]
        if cost.share > worst.share:
            worst, found = cost, data
    click.echo(f"  {made:,} inputs of at most {most:,} octets")
    return worst, found


def least_cost(measure: Measure, data: bytes) -> Cost:
    """What an input takes; the least of three where the first is too much."""
    cost = measure(data)
    if cost.share <= 1:
        return cost
    return min((cost, measure(data), measure(data)), key=lambda each: each.share)


def smaller(reader: Reader) -> int:
    """So many octets that at most 10 kB are on the wire, or more where they are compressed there."""
    if reader.send is not None and reader.send(bytes(WIRE)).size < WIRE // 2:
        return reader.most
    return min(WIRE - 100, reader.most)


def _changed(chance: random.Random, reader: Reader, kept: list[Shape]) -> Shape:
    shape = chance.choice(kept)
    other = chance.choice(kept)
    piece = chance.choice(reader.pieces)
    match chance.randrange(9):
        case 0:
            return shape._replace(piece=piece, times=1 << 20)
        case 1:
            return shape._replace(piece=shape.piece + piece)
        case 2:
            return shape._replace(piece=piece + shape.piece)
        case 3:
            return shape._replace(times=max(1, min(shape.times, 1 << 20) // chance.choice([2, 16, 256])))
        case 4:
            return shape._replace(times=min(1 << 20, shape.times * chance.choice([2, 16])))
        case 5:
            return shape._replace(before=shape.before + piece)
        case 6:
            return shape._replace(after=piece + shape.after)
        case 7:
            return shape._replace(piece=other.piece)
        case _:
            return shape._replace(
                before=shape.before + shape.piece * chance.choice([1, 10, 100]), piece=other.piece
            )


@contextmanager
def measuring(reader: Reader) -> Iterator[tuple[Measure, Served | None]]:
    """How to measure an input, and the server that reads it, where one does."""
    if reader.send is None:
        with tempfile.TemporaryDirectory() as folder:
            yield forks(reader, Path(folder)), None
    else:
        with served(DOCUMENT, "--no-supervisor") as server:
            yield _requests(reader, server), server


@contextmanager
def others(port: int) -> Iterator[list[float]]:
    """An honest client in a process of its own; afterwards, the seconds that each of its requests took."""
    here, there = multiprocessing.Pipe()
    honest = multiprocessing.get_context("spawn").Process(target=_poll, args=(port, there), daemon=True)
    honest.start()
    here.recv()
    took: list[float] = []
    yield took
    here.send(None)
    took += here.recv()
    honest.join()


def _requests(reader: Reader, server: Served) -> Measure:
    assert reader.send is not None
    send = reader.send

    def measure(data: bytes) -> Cost:
        sent = send(data)
        server.forget_peak()
        memory, worked = server.memory, server.worked
        asked = HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
        with server.readers_watched() as grown:
            try:
                asked.request(sent.method, sent.path, sent.body, sent.headers)
                asked.getresponse().read()
            except (HTTPException, ConnectionError):
                pass  # closed while it was sent, which is an answer as well
            finally:
                asked.close()
        return Cost(sent.size, server.worked - worked, server.peak - memory + grown[0])

    for _ in range(3):
        measure(b"{}")
    return measure


def forks(reader: Reader, folder: Path) -> Measure:
    assert reader.read is not None
    read = reader.read

    def spent(work: Callable[[], object]) -> tuple[float, int]:
        """Seconds of processor time of a fork that does ``work``, and bytes by which it grows."""
        before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if not (child := os.fork()):
            try:
                work()
            finally:
                os._exit(0)
        _, _, used = os.wait4(child, 0)
        return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 - before

    first = reader.starts[0]._replace(times=1).octets(reader.most)
    read(first, folder)()  # so that what is imported late is here before
    seconds, memory = map(min, zip(*(spent(lambda: None) for _ in range(3)), strict=True))

    def measure(data: bytes) -> Cost:
        took, grown = spent(read(data, folder))
        return Cost(len(data), max(0.0, took - seconds), max(0, grown - memory), reader.is_apart)

    return measure


def _poll(port: int, told: Connection) -> None:
    """Ask twenty times a second until something is sent; then send how long each took since it was due."""
    asked = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    took: list[float] = []
    told.send(None)
    due = time.perf_counter()
    while not told.poll():
        due += _EVERY
        time.sleep(max(0.0, due - time.perf_counter()))
        asked.request("GET", "/small")
        asked.getresponse().read()
        took.append(time.perf_counter() - due)
    told.send(took)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
