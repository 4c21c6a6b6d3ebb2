"""Work of several steps on Redis as one atomic step, with the tables that it reads and writes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from mockserver.state.protocol import PlanChanged, Unavailable
from mockserver.state.redis.broadcast import Broadcast
from mockserver.state.redis.codec import CHECKED, DRAWN, Read, Reader, beside, check, octets, place_of, text
from mockserver.state.redis.connection import Link
from mockserver.state.redis.handshake import Word
from mockserver.state.tables import CreationRecord

Result = TypeVar("Result")
_PATIENCE = 1.0
"""Seconds for which work is begun again at least, where others change what it reads."""
_RESERVED = 100
"""Milliseconds for which resources are kept from others then."""


class Absent(BaseException):
    """What the work asked for has not been read yet."""

    def __init__(self, *wanted: Read) -> None:
        self.wanted = wanted


class _Conflict(Exception):  # noqa: N818
    """What was read is no longer so; ``places`` are namespaces and resources, one after the other."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = places


class _Draft(NamedTuple):
    """What an attempt came to: what it read, and what it wants to be done if that is still so."""

    reads: set[Read]
    checks: list[list[Any]]
    writes: list[list[Any]]
    after: list[Callable[[], None]]
    messages: list[str]


class Transaction:
    """Does work on what is under a link's prefix.

    Reading and writing is for the work of ``atomically``, and belongs to its
    thread; a value that was not read yet raises Absent out of the work.
    """

    def __init__(self, link: Link, max_namespaces: int) -> None:
        self.link = link
        self.max_namespaces = max_namespaces
        self.assembly = Broadcast(link)
        self.plan = ""
        """The hash of the Plan that the scripts must find served."""
        self._reader = Reader(link, self.assembly, max_namespaces)
        self._known: dict[Read, Any] | None = None
        self._seen: dict[Read, Any] = {}
        """What the work wrote itself, before what was read."""
        self._read: set[Read] = set()
        self._drawn: dict[Read, int] = {}
        self._writes: list[list[Any]] = []
        self._checks: list[list[Any]] = []
        self._after: list[Callable[[], None]] = []
        self._touched: dict[tuple[str, str], None] = {}
        self._messages: list[str] = []
        """What other processes are to be told of the work."""
        self._turn = asyncio.Lock()
        self._turns = itertools.count()

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        """Take note of what is true of a namespace when work begins."""

    async def atomically(self, work: Callable[[], Result], *needs: Read) -> Result:
        """What ``work`` returns or raises, as one atomic step. It may be begun several times.

        Raises Unavailable, and PlanChanged.
        """
        known: dict[Read, Any] = {}
        try:
            return await self._try(work, known, needs)
        except _Conflict:
            pass
        async with self._turn:  # from here on one at a time, so that somebody gets through
            who = f"{self.link.name}:{next(self._turns)}"
            end = time.monotonic() + max(self.link.timeout, _PATIENCE)
            while time.monotonic() < end:
                for read in [each for each in known if each[0] not in DRAWN]:
                    del known[read]
                try:
                    return await self._try(work, known, needs, who)
                except _Conflict as conflict:
                    await self.link.ask(who, _RESERVED, *conflict.places, script="reserve")
        raise Unavailable("the store was changed by others again and again")

    async def _try(
        self, work: Callable[[], Result], known: dict[Read, Any], needs: Sequence[Read], who: str = ""
    ) -> Result:
        """One attempt. Raises _Conflict where what it read was changed meanwhile."""
        if needs:
            await self._load(known, needs)
        while True:
            self._begin(known)
            try:
                result = work()
            except Absent as absent:
                wanted = list(dict.fromkeys(each for read in absent.wanted for each in beside(read)))
            else:
                break
            finally:
                draft = self._end()
            await self._load(known, [each for each in wanted if place_of(each) not in known])
        if draft.writes:
            await self._commit(draft, known, who)
        for follow in draft.after:
            follow()
        for message in dict.fromkeys(draft.messages):
            with contextlib.suppress(Unavailable):  # it is done, whoever has heard
                await self.assembly.tell(message)
        return result

    async def _commit(self, draft: _Draft, known: Mapping[Read, Any], who: str) -> None:
        checked = [read for read in draft.reads if read[0] in CHECKED]
        places = [word for place in sorted({read[1:3] for read in checked}) for word in place]
        checks = draft.checks + [check(self.link.prefix, read, known[read]) for read in checked]
        words: list[Word] = [self.plan, self.link.now(), who, len(places) // 2, *places, len(checks)]
        for each in checks:
            words += each
        for write in draft.writes:
            words += [len(write), *write]
        reply = await self.link.ask(*words, script="commit")
        if reply == b"!plan":
            raise PlanChanged
        if reply == b"!conflict":
            raise _Conflict(places)

    def _begin(self, known: dict[Read, Any]) -> None:
        self._known = known
        self._seen, self._read, self._drawn = {}, set(), {}
        self._writes, self._after, self._touched = [], [], {}
        self._checks, self._messages = [], []
        for read, value in known.items():
            if read[0] == "meta":
                self.mirror(read[1], value)

    def _end(self) -> _Draft:
        self._known = None
        # Last, so that all is there whose time to live they set.
        touches = [["!touch", *place, self.max_namespaces] for place in self._touched]
        return _Draft(self._read, self._checks, [*self._writes, *touches], self._after, self._messages)

    def read(self, *wanted: str) -> Any:
        """What was read before; raises Absent where it was not."""
        if wanted in self._seen:
            return self._seen[wanted]
        if self._known is None:
            raise RuntimeError(f"{wanted} is read outside of atomic work")
        place = place_of(wanted)
        if place not in self._known:
            raise Absent(wanted)
        self._read.add(place)
        return self._known[place]

    def need(self, wanted: Iterable[Read]) -> None:
        """Say what will be read, so that all of it is asked for at once."""
        known = self._known or {}
        absent = [each for each in wanted if place_of(each) not in known]
        if absent:
            raise Absent(*absent)

    def has_read(self, *wanted: str) -> bool:
        return wanted in (self._known or {})

    def see(self, value: Any, *wanted: str) -> None:
        """Let the work read from now on what it wrote itself."""
        self._seen[wanted] = value

    def write(self, *words: Any) -> None:
        """Add a command to what will be committed. Names are full, values text, octets or whole numbers."""
        self._writes.append(list(words))

    def set_clock(self, namespace: str, clock: str) -> None:
        """Let a namespace's clock be another, unless somebody else moves it meanwhile."""
        before = self.read("meta", namespace).get("c")
        place = self.name("m", namespace)
        if not any(each[0] == place for each in self._checks):
            self._checks.append([place, "c", int(before is not None), before or ""])
        self.write("HSET", place, "c", clock)
        self.say(f"clock {namespace}")
        self.touch(namespace)

    def say(self, message: str) -> None:
        """Tell all processes once the step is certain; the step is over when they have done as it says."""
        self._messages.append(message)

    def name(self, kind: str, *parts: str) -> str:
        return "/".join((self.link.prefix, kind, *parts))

    def touch(self, namespace: str, resource: str = "") -> None:
        """Say that a namespace is used, and a resource of it."""
        self._touched[namespace, resource] = None

    @property
    def active(self) -> bool:
        """Whether work is being done right now."""
        return self._known is not None

    def drawn(self, kind: str, *parts: str) -> Any:
        """A number that was drawn for this work: the n-th time it asks, the n-th that was drawn."""
        wanted = (kind, *parts)
        place = place_of(wanted)
        order = self._drawn[place] = self._drawn.get(place, 0) + 1
        return self.read(*wanted, f"@{order}")

    def after(self, work: Callable[[], None]) -> None:
        """Do something once the step is certain."""
        self._after.append(work)

    async def _load(self, known: dict[Read, Any], wanted: Sequence[Read]) -> None:
        """Read all of it in one round trip."""
        answers = await asyncio.gather(*(self._reader.fetch(read) for read in wanted))
        known.update(zip(map(place_of, wanted), answers, strict=True))


class SharedCreations:
    """Births and handles, as the work sees them."""

    def __init__(self, store: Transaction) -> None:
        self._store = store

    def get(self, namespace: str, resource: str, key: str) -> CreationRecord | None:
        store = self._store
        if store.has_read("births", namespace, resource):
            raw = store.read("births", namespace, resource).get(key)
        else:
            raw = store.read("birth", namespace, resource, key)
        return None if raw is None else CreationRecord(*msgspec.msgpack.decode(raw))

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        store = self._store
        names = [octets(f"{name}\0{value}") for name, value in handles.items()]
        told = " ".join(each.hex() for each in names).encode()
        store.write("HSET", store.name("h", namespace, resource), octets(key), told)
        for each in names:
            store.write("HSET", store.name("k", namespace, resource), each, octets(key))
            store.see(octets(key), "named", namespace, resource, text(each))
        store.see(told, "handles", namespace, resource, key)

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return self._store.read("handles", namespace, resource, key) is not None

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        raw = self._store.read("named", namespace, resource, f"{handle}\0{value}")
        return None if raw is None else text(raw)


class SharedCounters:
    """Counters: a number that was drawn stays drawn, however often the work is begun again."""

    def __init__(self, store: Transaction) -> None:
        self._store = store

    def run(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("run", namespace, resource, name))

    def tally(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("tally", namespace, resource, name))

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]:
        self._store.read("meta", namespace)  # or the time might be another worker's past
        found = self._store.drawn("window", namespace, resource, name, str(now), str(length))
        return cast("tuple[int, int]", found)
