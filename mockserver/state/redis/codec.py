"""How texts, states and timelines are written on Redis, and what a transaction reads of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mockserver.plan import Step
from mockserver.state.machine import ResourceState, rows
from mockserver.state.redis.broadcast import Broadcast
from mockserver.state.redis.connection import Link
from mockserver.state.tables import MOST


def packed_timeline(steps: Sequence[Step]) -> bytes:
    """A timeline as ``poll.lua`` reads it: its rows, where ``answers`` is a set, or false for all."""
    return msgspec.msgpack.encode(
        [row._replace(answers=dict.fromkeys(row.answers, True) or False) for row in rows(steps)]  # type: ignore[arg-type]
    )


def written(state: ResourceState) -> bytes:
    """A state as the scripts write it."""
    scenario, step, calls, entered, created, changed, moves = state
    return octets(f"{step} {calls} {entered} {created} {changed} {moves} {scenario}")


def standing(raw: bytes) -> ResourceState:
    """The state that is written so."""
    step, calls, entered, created, changed, moves, scenario = text(raw).split(" ", 6)
    return ResourceState(
        scenario, int(step), int(calls), int(entered), int(created), int(changed), int(moves)
    )


def pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Fields and values of a hash."""
    return zip(flat[::2], flat[1::2], strict=True)


def texts(flat: Sequence[bytes]) -> dict[str, str]:
    """A hash whose values are text."""
    return {text(name): text(value) for name, value in pairs(flat)}


def octets(said: str) -> bytes:
    """Any text as octets: a key may hold what is no Unicode."""
    return said.encode("utf-8", "surrogatepass")


def text(said: bytes) -> str:
    """The text of ``octets``."""
    return said.decode("utf-8", "surrogatepass")


Read = tuple[str, ...]
"""What is read: its kind, then the namespace, resource and so on."""
CHECKED = {"state": "s", "birth": "b", "handles": "h", "named": "k"}
"""Kinds of which it is looked after whether they are still so, and where they stand."""
DRAWN = frozenset(["run", "tally", "window"])
"""Kinds that are counted by being read."""


def check(prefix: str, read: Read, value: Any) -> list[Any]:
    """The words by which ``commit.lua`` looks whether what was read is still so."""
    name = "/".join((prefix, CHECKED[read[0]], *read[1:3]))
    return [name, octets(read[3]), int(value is not None), value or b""]


def place_of(read: Read) -> Read:
    """Where the value of a reading is kept: a call is counted in its window once, though time goes on."""
    return (*read[:4], *read[5:]) if read[0] == "window" else read


def beside(wanted: Read) -> list[Read]:
    """What is likely to be asked for next, to be read along."""
    found = [wanted]
    if len(wanted) > 1:
        found.append(("meta", wanted[1]))
    if wanted[0] == "state":
        found += [("birth", *wanted[1:]), ("handles", *wanted[1:])]
    elif wanted[0] == "items":
        found.append(("births", *wanted[1:]))
    return found


class Reader:
    """Fetches from Redis."""

    def __init__(self, link: Link, assembly: Broadcast, max_namespaces: int) -> None:
        self._link = link
        self._assembly = assembly
        self._max_namespaces = max_namespaces

    async def fetch(self, read: Read) -> Any:
        """The value of a reading. Raises Unavailable."""
        ask, kind = self._link.ask, read[0]
        place = read[1:3]
        match kind:
            case "meta":
                return texts(await ask("HGETALL", self._name("m", read[1])))
            case "state":
                return await ask("HGET", self._name("s", *place), octets(read[3]))
            case "birth":
                return await ask("HGET", self._name("b", *place), octets(read[3]))
            case "handles":
                return await ask("HGET", self._name("h", *place), octets(read[3]))
            case "named":
                return await ask("HGET", self._name("k", *place), octets(read[3]))
            case "items":
                keys, states = await asyncio.gather(
                    ask("ZRANGE", self._name("u", *place), 0, -1), ask("HGETALL", self._name("s", *place))
                )
                found = dict(pairs(states))
                return [(text(key), standing(found[key])) for key in keys if key in found]
            case "births":
                found = await ask("HGETALL", self._name("b", *place))
                return {text(key): value for key, value in pairs(found)}
            case "count":
                return await ask("HLEN", self._name("s", *place))
            case "run":
                return await ask(*place, f"#{read[3]}", 0, *self._times(), script="tally")
            case "tally":
                return await ask(*place, octets(read[3]), MOST, *self._times(), script="tally")
            case "window":
                count, began = await ask(
                    *place, octets(read[3]), read[4], read[5], MOST, *self._times(), script="window"
                )
                return count, int(began)
            case "namespaces":
                return [text(each) for each in await ask("ZRANGE", self._name("ns"), 0, -1)]
            case "global":
                return texts(await ask("HGETALL", self._name("g")))
            case "records":  # are sent without waiting
                return await self._assembly.tell("records")
            case "length":
                return await ask("XLEN", self._name("j", read[1]))
            case "journal":
                return await ask("XRANGE", self._name("j", read[1]), "-", "+")
        raise AssertionError(read)

    def _times(self) -> tuple[int, int]:
        """What scripts want to know that say of a namespace that it is used."""
        return self._link.now(), self._max_namespaces

    def _name(self, kind: str, *parts: str) -> str:
        return "/".join((self._link.prefix, kind, *parts))
