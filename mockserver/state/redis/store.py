"""Resource state on Redis or Valkey, shared by any number of workers and replicas.

The hot path is one script (``poll``); everything else is ``work``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mockserver.plan import Resource
from mockserver.state.machine import Decision, ResourceState, begin, decide
from mockserver.state.protocol import PlanChanged, Timelines, Unavailable
from mockserver.state.redis.codec import octets, packed_timeline, standing, text, written
from mockserver.state.redis.connection import Done, Link, within
from mockserver.state.redis.handshake import Word
from mockserver.state.redis.transaction import SharedCounters, SharedCreations, Transaction
from mockserver.state.tables import CreationRecord

_PATIENCE = 1.0
"""Seconds for which the question whether it can be used waits."""
_PAUSE = 0.001
"""Seconds until a call to a resource that is reserved is tried again."""
LIFETIME = 30 * 86_400
"""Seconds that Redis keeps a Plan which nobody serves."""
_MARK = ord("!")
"""Begins what the script answers to a call that it did not count."""


class Polled(msgspec.Struct, frozen=True):
    """What the script answers to a call."""

    now: int
    step: int
    call: int
    changed: int
    created: int
    clock: str
    scenario: str


class RedisStore(Transaction):
    """States by namespace, resource and key, under the link's prefix."""

    def __init__(self, link: Link, max_resources: int = 1_000_000, max_namespaces: int = 1001) -> None:
        super().__init__(link, max_namespaces)
        self.max_resources = max_resources
        self.on_meta: Callable[[str, Mapping[str, str]], None] = lambda namespace, meta: None
        """Called with what is true of a namespace when work begins: its clock, above all."""
        self.serves: Callable[[str, ResourceState], bool] = lambda resource, state: True
        """Whether the Plan that is served has the place where a resource stands."""
        self.births = SharedCreations(self)
        self.counters = SharedCounters(self)
        self._assigned: dict[str, dict[str, str]] = {}

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
                namespace, resource, self.plan, self.link.now(), untouched, octets(key), operation, chosen,
                self.max_resources, self.max_namespaces,
            )  # fmt: skip
            self.link.send(words, answered, script="poll")

        send()

    # What the engine asks

    def stay(self, namespace: str) -> None:
        """Let a namespace go for want of room no more, until it is deleted: a control request is about it."""
        if "x" not in self.read("meta", namespace):
            self.write("!stay", namespace)
            self.touch(namespace)

    @property
    def evicted(self) -> int:
        return int(self.read("global").get("evicted", 0))

    def memory(self) -> Iterator[tuple[str, int, int]]:
        """None: what there is takes the memory of Redis."""
        yield from ()

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

    def advance(
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
        state = None if raw is None else standing(raw)
        return state if state is not None and self.serves(resource, state) else None

    def glance(self, namespace: str, resource: str, key: str) -> ResourceState | None:
        return None

    def put(self, namespace: str, resource: str, key: str, state: ResourceState) -> None:
        self.peek(namespace, resource, key)
        raw = written(state)
        self.see(raw, "state", namespace, resource, key)
        self.write("!put", namespace, resource, self.max_resources, octets(key), raw)
        self.touch(namespace, resource)

    def create(
        self, namespace: str, resource: str, key: str, state: ResourceState, birth: CreationRecord
    ) -> None:
        if self.peek(namespace, resource, key) is not None:
            self._unname(namespace, resource, key)
        self.put(namespace, resource, key, state)
        raw = msgspec.msgpack.encode(tuple(birth))
        self.see(raw, "birth", namespace, resource, key)
        self.write("HSET", self.name("b", namespace, resource), octets(key), raw)

    def delete(self, namespace: str, resource: str, key: str) -> bool:
        known = self.peek(namespace, resource, key)
        self._unname(namespace, resource, key)
        for kind in "sub":
            command = "ZREM" if kind == "u" else "HDEL"
            self.write(command, self.name(kind, namespace, resource), octets(key))
        for kind in ("state", "birth"):
            self.see(None, kind, namespace, resource, key)
        return known is not None

    def _unname(self, namespace: str, resource: str, key: str) -> None:
        """Let a resource be known by its key alone."""
        handles = self.read("handles", namespace, resource, key)
        for each in handles.split() if handles else ():
            name = bytes.fromhex(each.decode())
            self.write("HDEL", self.name("k", namespace, resource), name)
            self.see(None, "named", namespace, resource, text(name))
        self.write("HDEL", self.name("h", namespace, resource), octets(key))
        self.see(None, "handles", namespace, resource, key)

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

    # The Plan

    async def trouble(self, resources: Iterable[str]) -> str:
        """What keeps it from being used, by a real operation on it; empty where nothing does."""
        try:
            with within(min(self.link.timeout, _PATIENCE)):
                found: bytes = await self.link.ask(self.plan, "", *resources, script="ready")
        except Unavailable as error:
            return str(error)
        return text(found)

    async def publish(
        self, plan: str, resources: Mapping[str, Resource], before: str | None = None, origin: str = ""
    ) -> bool:
        """Let a Plan be the one that is served, and the scripts know its timelines. Raises Unavailable.

        Calls go by ``plan`` as before: they are to be answered by what decided them.

        False where ``before`` is given, and another one than that is served by now.
        ``origin`` is the Plan that processes of this prefix are started with.
        """
        place = self.name("t", plan)
        words: list[Word] = []
        for resource in resources.values():
            for scenario, timeline in resource.scenarios.items():
                words += [f"{resource.name}\0{scenario}", packed_timeline(timeline.steps)]
        await self.link.ask("HSET", place, "", "", *words)
        await self.link.ask("EXPIRE", place, LIFETIME)
        if before is None:
            started = ("origin", origin) if origin else ()
            await self.link.ask("HSET", self.name("g"), "plan", plan, *started)
        elif await self.link.ask(before, plan, origin, script="adopt") == b"!plan":
            return False
        return True

    @property
    def resources(self) -> list[str]:
        """The names of those that are served, or were."""
        return list(self._assigned)

    def mirror(self, namespace: str, meta: Mapping[str, str]) -> None:
        for assigned in self._assigned.values():
            assigned.pop(namespace, None)
        for name, value in meta.items():
            if name.startswith("a/"):
                self._assigned.setdefault(name[2:], {})[namespace] = value
        self.on_meta(namespace, meta)
