"""Resource state on Redis or Valkey, shared by any number of workers and replicas.

The hot path is one script (``poll``). Everything else runs the engine's own
code against what was read before: where it asks for more, it is begun again
with that at hand, and what it changes is committed by one script if what it
read is still so. Nothing is decided twice, and nothing is half done.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from mockserver.plan import Resource, Step
from mockserver.scenario import Decision, ResourceState, begin, decide
from mockserver.store.births import Birth
from mockserver.store.counters import MOST
from mockserver.store.link import Done, Link
from mockserver.store.protocol import Timelines
from mockserver.store.talk import Word
from mockserver.store.unavailable import Unavailable

Result = TypeVar("Result")
Read = tuple[str, ...]
"""What was read: its kind, then the namespace, resource and so on."""

_PATIENCE = 1.0
"""Seconds for which work is begun again at least, where others change what it reads."""
_RESERVED = 100
"""Milliseconds for which resources are kept from others then."""
_PAUSE = 0.001
"""Seconds until a call to a resource that is reserved is tried again."""
_MARK = ord("!")
"""Begins what the script answers to a call that it did not count."""
_pack = msgspec.msgpack.encode
_unpack = msgspec.msgpack.decode


class Absent(BaseException):
    """What the work asked for has not been read yet."""

    def __init__(self, *wanted: Read) -> None:
        self.wanted = wanted


class PlanChanged(Exception):  # noqa: N818
    """Another worker serves another Plan by now; nothing was changed."""


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
    moved: list[str]


class Polled(msgspec.Struct, frozen=True):
    """What the script answers to a call."""

    now: int
    step: int
    call: int
    changed: int
    created: int
    clock: str
    scenario: str


class RedisStore:
    """States by namespace, resource and key, under the link's prefix.

    Reading and writing is for the work of ``atomically``, and belongs to its
    thread; a value that was not read yet raises Absent out of the work.
    """

    def __init__(self, link: Link, max_resources: int = 1_000_000, max_namespaces: int = 1001) -> None:
        self.link = link
        self.max_resources = max_resources
        self.max_namespaces = max_namespaces
        self.plan = ""
        """The hash of the Plan that the scripts must find served."""
        self.on_meta: Callable[[str, Mapping[str, str]], None] = lambda namespace, meta: None
        """Called with what is true of a namespace when work begins: its clock, above all."""
        self.serves: Callable[[str, ResourceState], bool] = lambda resource, state: True
        """Whether the Plan that is served has the place where a resource stands."""
        self.births = _Births(self)
        self.counters = _Counters(self)
        self._assigned: dict[str, dict[str, str]] = {}
        self._known: dict[Read, Any] | None = None
        self._seen: dict[Read, Any] = {}
        """What the work wrote itself, before what was read."""
        self._read: set[Read] = set()
        self._drawn: dict[Read, int] = {}
        self._writes: list[list[Any]] = []
        self._checks: list[list[Any]] = []
        self._after: list[Callable[[], None]] = []
        self._touched: dict[tuple[str, str], None] = {}
        self._turn = asyncio.Lock()
        self._turns = itertools.count()
        self._heard: dict[str, asyncio.Semaphore] = {}
        self._moved: list[str] = []
        """Namespaces whose clocks the work moves."""

    # The hot path

    def poll(
        self, namespace: str, resource: str, key: str, operation: str, chosen: str, untouched: int, done: Done
    ) -> None:
        """Spend one call on a key. ``done`` gets Polled, PlanChanged or Unavailable.

        ``untouched`` is the time of a clock that was never touched.
        """

        began = 0.0

        def answered(reply: Any) -> None:
            nonlocal began
            if type(reply) is not bytes:
                done(reply)
            elif reply[0] != _MARK:
                now, step, call, changed, created, clock, scenario = reply.decode().split(" ", 6)
                done(Polled(int(now), int(step), int(call), int(changed), int(created), clock, scenario))
            elif reply == b"!plan":
                done(PlanChanged())
            elif not began or time.monotonic() < began + self.link.timeout:
                began = began or time.monotonic()
                asyncio.get_running_loop().call_later(_PAUSE, send)
            else:
                done(Unavailable("the resource was reserved for others again and again"))

        def send() -> None:
            words: tuple[Word, ...] = (
                namespace, resource, self.plan, _wall(), untouched, _octets(key), operation, chosen,
                self.max_resources, self.max_namespaces,
            )  # fmt: skip
            self.link.send(words, answered, script="poll")

        send()

    # Work of several steps

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
                for read in [each for each in known if each[0] not in _DRAWN]:
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
                wanted = list(dict.fromkeys(each for read in absent.wanted for each in _beside(read)))
            else:
                break
            finally:
                draft = self._end()
            await self._load(known, [each for each in wanted if _place(each) not in known])
        if draft.writes:
            await self._commit(draft, known, who)
        for follow in draft.after:
            follow()
        for namespace in dict.fromkeys(draft.moved):
            with contextlib.suppress(Unavailable):  # it is moved, whoever has heard
                await self.tell(f"clock {namespace}")
        return result

    async def _commit(self, draft: _Draft, known: Mapping[Read, Any], who: str) -> None:
        checked = [read for read in draft.reads if read[0] in _CHECKED]
        places = [word for place in sorted({read[1:3] for read in checked}) for word in place]
        checks = draft.checks + [_check(self.link.prefix, read, known[read]) for read in checked]
        words: list[Word] = [self.plan, _wall(), who, len(places) // 2, *places, len(checks)]
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
        self._checks, self._moved = [], []
        for read, value in known.items():
            if read[0] == "meta":
                self._mirror(read[1], value)

    def _end(self) -> _Draft:
        self._known = None
        # Last, so that all is there whose time to live they set.
        touches = [["!touch", *place, self.max_namespaces] for place in self._touched]
        return _Draft(self._read, self._checks, [*self._writes, *touches], self._after, self._moved)

    def _mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        for assigned in self._assigned.values():
            assigned.pop(namespace, None)
        for name, value in meta.items():
            if name.startswith("a/"):
                self._assigned.setdefault(name[2:], {})[namespace] = value
        self.on_meta(namespace, meta)

    def read(self, *wanted: str) -> Any:
        """What was read before; raises Absent where it was not."""
        if wanted in self._seen:
            return self._seen[wanted]
        if self._known is None:
            raise RuntimeError(f"{wanted} is read outside of atomic work")
        place = _place(wanted)
        if place not in self._known:
            raise Absent(wanted)
        self._read.add(place)
        return self._known[place]

    def need(self, wanted: Iterable[Read]) -> None:
        """Say what will be read, so that all of it is asked for at once."""
        known = self._known or {}
        absent = [each for each in wanted if _place(each) not in known]
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
        self._moved.append(namespace)
        self.touch(namespace)

    def name(self, kind: str, *parts: str) -> str:
        return "/".join((self.link.prefix, kind, *parts))

    def touch(self, namespace: str, resource: str = "") -> None:
        """Say that a namespace is used, and a resource of it."""
        self._touched[namespace, resource] = None

    @property
    def resources(self) -> list[str]:
        """The names of those that are served, or were."""
        return list(self._assigned)

    @property
    def active(self) -> bool:
        """Whether work is being done right now."""
        return self._known is not None

    # Reading from Redis

    async def _load(self, known: dict[Read, Any], wanted: Sequence[Read]) -> None:
        """Read all of it in one round trip."""
        answers = await asyncio.gather(*(self._fetch(read) for read in wanted))
        known.update(zip(map(_place, wanted), answers, strict=True))

    async def _fetch(self, read: Read) -> Any:
        ask, kind = self.link.ask, read[0]
        place = read[1:3]
        match kind:
            case "meta":
                return _texts(await ask("HGETALL", self.name("m", read[1])))
            case "state":
                return await ask("HGET", self.name("s", *place), _octets(read[3]))
            case "birth":
                return await ask("HGET", self.name("b", *place), _octets(read[3]))
            case "handles":
                return await ask("HGET", self.name("h", *place), _octets(read[3]))
            case "named":
                return await ask("HGET", self.name("k", *place), _octets(read[3]))
            case "items":
                keys, states = await asyncio.gather(
                    ask("ZRANGE", self.name("u", *place), 0, -1), ask("HGETALL", self.name("s", *place))
                )
                found = dict(_pairs(states))
                return [(_text(key), _state(found[key])) for key in keys if key in found]
            case "births":
                found = await ask("HGETALL", self.name("b", *place))
                return {_text(key): value for key, value in _pairs(found)}
            case "count":
                return await ask("HLEN", self.name("s", *place))
            case "run":
                return await ask(*place, f"#{read[3]}", 0, *self._times(), script="tally")
            case "tally":
                return await ask(*place, _octets(read[3]), MOST, *self._times(), script="tally")
            case "window":
                count, began = await ask(
                    *place, _octets(read[3]), read[4], read[5], MOST, *self._times(), script="window"
                )
                return count, int(began)
            case "namespaces":
                return [_text(each) for each in await ask("ZRANGE", self.name("ns"), 0, -1)]
            case "global":
                return _texts(await ask("HGETALL", self.name("g")))
            case "records":  # are sent without waiting
                return await self.tell("records")
            case "length":
                return await ask("XLEN", self.name("j", read[1]))
            case "journal":
                return await ask("XRANGE", self.name("j", read[1]), "-", "+")
        raise AssertionError(read)

    def _times(self) -> tuple[int, int]:
        """What scripts want to know that say of a namespace that it is used."""
        return _wall(), self.max_namespaces

    # What the engine asks

    @property
    def evicted(self) -> int:
        return int(self.read("global").get("evicted", 0))

    def assignments(self, resource: str) -> Mapping[str, str]:
        return self._assigned.setdefault(resource, {})

    def assign(self, namespace: str, resource: str, scenario: str | None) -> None:
        self.read("meta", namespace)
        if scenario is None:
            self.write("HDEL", self.name("m", namespace), f"a/{resource}")
            self._assigned.setdefault(resource, {}).pop(namespace, None)
        else:
            self.write("HSET", self.name("m", namespace), f"a/{resource}", scenario)
            self._assigned.setdefault(resource, {})[namespace] = scenario
        self.touch(namespace)

    def call(
        self,
        namespace: str,
        resource: str,
        key: str,
        now: int,
        operation: str,
        steps: Timelines,
        choose: Callable[..., str],
        about: tuple[Any, ...] = (),
        facts: Sequence[bool] = (),
        dice: str = "",
    ) -> Decision:
        state = self.peek(namespace, resource, key)
        timeline = steps(state.scenario) if state is not None else None
        if timeline is None or state is None or state.step >= len(timeline):
            state = begin(choose(*about), now)
            timeline = steps(state.scenario) or ()
        decision = decide(timeline, state, now, operation, facts, dice)
        self.put(namespace, resource, key, decision.state)
        return decision

    def peek(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        raw = self.read("state", namespace, resource, key)
        state = None if raw is None else _state(raw)
        return state if state is not None and self.serves(resource, state) else None

    def glance(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        return None

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        self.peek(namespace, resource, key)
        raw = _written(state)
        self._seen["state", namespace, resource, key] = raw
        self.write("!put", namespace, resource, self.max_resources, _octets(key), raw)
        self.touch(namespace, resource)

    def create(self, namespace: str, resource: str, key: str, state: ResourceState, birth: Birth) -> None:
        self.put(namespace, resource, key, state)
        raw = _pack(tuple(birth))
        self._seen["birth", namespace, resource, key] = raw
        self.write("HSET", self.name("b", namespace, resource), _octets(key), raw)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        known = self.peek(namespace, resource, key)
        handles = self.read("handles", namespace, resource, key)
        field = _octets(key)
        for kind in "subh":
            command = "ZREM" if kind == "u" else "HDEL"
            self.write(command, self.name(kind, namespace, resource), field)
        for each in handles.split() if handles else ():
            name = bytes.fromhex(each.decode())
            self.write("HDEL", self.name("k", namespace, resource), name)
            self._seen["named", namespace, resource, _text(name)] = None
        for kind in ("state", "birth", "handles"):
            self._seen[kind, namespace, resource, key] = None
        return known is not None

    def retire(self, resource: str, steps: Timelines) -> None:
        """Nothing: a state whose place is no longer served is not seen, and begun anew when it is called."""

    def items(self, namespace: str, resource: str) -> Iterator[tuple[str, ResourceState]]:
        for key, state in self.read("items", namespace, resource):
            if self.serves(resource, state):
                yield key, state

    def count(self, namespace: str, resource: str) -> int:
        return int(self.read("count", namespace, resource))

    def reset(self, namespace: str, resource: str | None = None) -> None:
        if resource is None:
            self.write("!drop", namespace, 0)
            for assigned in self._assigned.values():
                assigned.pop(namespace, None)
        else:
            self.write("!forget", namespace, resource)

    def after(self, work: Callable[[], None]) -> None:
        self._after.append(work)

    # The Plan

    async def publish(
        self, plan: str, resources: Mapping[str, Resource], before: str | None = None, origin: str = ""
    ) -> bool:
        """Let a Plan be the one that is served, and the scripts know its timelines. Raises Unavailable.

        False where ``before`` is given, and another one than that is served by now.
        ``origin`` is the Plan that processes of this prefix are started with.
        """
        place = self.name("t", plan)
        words: list[Word] = []
        for resource in resources.values():
            for scenario, timeline in resource.scenarios.items():
                words += [f"{resource.name}\0{scenario}", packed_timeline(timeline.steps)]
        await self.link.ask("HSET", place, "", "", *words)
        await self.link.ask("EXPIRE", place, 30 * 86_400)
        if before is None:
            await self.link.ask("HSET", self.name("g"), "plan", plan)
        elif await self.link.ask(before, plan, origin, script="adopt") == b"!plan":
            return False
        self.plan = plan
        return True

    # What processes tell each other

    async def tell(self, what: str) -> None:
        """Return when every process has heard ``what`` and has done so; at the latest when time is over.

        Raises Unavailable.
        """
        token = str(next(self._turns))
        heard = self._heard[token] = asyncio.Semaphore(0)
        try:
            count = await self.link.ask("PUBLISH", self.name("said"), f"{self.link.name} {token} {what}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.link.timeout):
                    for _ in range(count):
                        await heard.acquire()
        finally:
            del self._heard[token]

    async def hear(self) -> AsyncIterator[str]:
        """What processes tell, this one among them; whoever asks for the next has done as the last one says.

        Nothing, ``""``, says that something may have been missed.
        """
        ours = self.name("said", self.link.name)
        async for message in self.link.listen(self.name("said"), ours):
            who, _, rest = message.decode().partition(" ")
            token, _, what = rest.partition(" ")
            if not rest:
                if (heard := self._heard.get(who)) is not None:
                    heard.release()
                elif not who:
                    yield ""
                continue
            yield what
            # On the link that everything goes by, so that all is done that went before.
            self.link.send(("PUBLISH", self.name("said", who), token))

    def drawn(self, kind: str, *parts: str) -> Any:
        """A number that was drawn for this work: the n-th time it asks, the n-th that was drawn."""
        wanted = (kind, *parts)
        place = _place(wanted)
        order = self._drawn[place] = self._drawn.get(place, 0) + 1
        return self.read(*wanted, f"@{order}")


_CHECKED = {"state": "s", "birth": "b", "handles": "h", "named": "k"}
_DRAWN = frozenset(["run", "tally", "window"])


def _check(prefix: str, read: Read, value: Any) -> list[Any]:
    name = "/".join((prefix, _CHECKED[read[0]], *read[1:3]))
    return [name, _octets(read[3]), int(value is not None), value or b""]


def _place(read: Read) -> Read:
    """Where the value of a reading is kept: a call is counted in its window once, though time goes on."""
    return (*read[:4], *read[5:]) if read[0] == "window" else read


def _beside(wanted: Read) -> list[Read]:
    """What is likely to be asked for next, to be read along."""
    found = [wanted]
    if len(wanted) > 1:
        found.append(("meta", wanted[1]))
    if wanted[0] == "state":
        found += [("birth", *wanted[1:]), ("handles", *wanted[1:])]
    elif wanted[0] == "items":
        found.append(("births", *wanted[1:]))
    return found


class _Births:
    """Births and handles, as the work sees them."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    def get(self, namespace: str, resource: str, key: str) -> Birth | None:
        store = self._store
        if store.has_read("births", namespace, resource):
            raw = store.read("births", namespace, resource).get(key)
        else:
            raw = store.read("birth", namespace, resource, key)
        return None if raw is None else Birth(*_unpack(raw))

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        store = self._store
        names = [_octets(f"{name}\0{value}") for name, value in handles.items()]
        told = " ".join(each.hex() for each in names).encode()
        store.write("HSET", store.name("h", namespace, resource), _octets(key), told)
        for each in names:
            store.write("HSET", store.name("k", namespace, resource), each, _octets(key))
            store.see(_octets(key), "named", namespace, resource, _text(each))
        store.see(told, "handles", namespace, resource, key)

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return self._store.read("handles", namespace, resource, key) is not None

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        raw = self._store.read("named", namespace, resource, f"{handle}\0{value}")
        return None if raw is None else _text(raw)


class _Counters:
    """Counters: a number that was drawn stays drawn, however often the work is begun again."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    def run(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("run", namespace, resource, name))

    def tally(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("tally", namespace, resource, name))

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]:
        self._store.read("meta", namespace)  # or the time might be another worker's past
        found = self._store.drawn("window", namespace, resource, name, str(now), str(length))
        return cast("tuple[int, int]", found)


def packed_timeline(steps: Sequence[Step]) -> bytes:
    """A timeline as ``poll.lua`` reads it; states by name."""
    return _pack(
        [
            (
                step.state, step.calls, step.after, step.operation, step.next, step.counted,
                list(step.answers) or False, [(each.operation, each.next) for each in step.branches],
            )
            for step in steps
        ]
    )  # fmt: skip


def _written(state: ResourceState) -> bytes:
    scenario, step, calls, entered, created, changed, moves = state
    return _octets(f"{step} {calls} {entered} {created} {changed} {moves} {scenario}")


def _state(raw: bytes) -> ResourceState:
    step, calls, entered, created, changed, moves, scenario = _text(raw).split(" ", 6)
    return ResourceState(
        scenario, int(step), int(calls), int(entered), int(created), int(changed), int(moves)
    )


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in _pairs(flat)}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")


def _wall() -> int:
    """Milliseconds of the machine's clock."""
    return time.time_ns() // 1_000_000
