"""How texts, states and timelines are encoded in Redis, and how a transaction reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mockserver.plan import Step
from mockserver.state.machine import ResourceState, rows
from mockserver.state.redis.broadcast import Broadcast
from mockserver.state.redis.connection import Connection
from mockserver.state.tables import MAX_COUNTERS, Item


def packed_timeline(steps: Sequence[Step]) -> bytes:
    """A timeline as ``poll.lua`` reads it: its rows, where ``answers`` is a set, or false for all."""
    return msgspec.msgpack.encode(
        [row._replace(answers=dict.fromkeys(row.answers, True) or False) for row in rows(steps)]  # type: ignore[arg-type]
    )


def encode_state(state: ResourceState) -> bytes:
    """Return a state as the scripts write it: numbers and the scenario, with spaces between."""
    scenario, step, calls, entered, created, changed, transitions = state
    return to_bytes(f"{step} {calls} {entered} {created} {changed} {transitions} {scenario}")


def decode_state(raw: bytes) -> ResourceState:
    """Return the state that ``encode_state`` encoded."""
    step, calls, entered, created, changed, transitions, scenario = to_text(raw).split(" ", 6)
    return ResourceState(
        scenario, int(step), int(calls), int(entered), int(created), int(changed), int(transitions)
    )


def encode_item(item: Item) -> bytes:
    """Return an item of data as the scripts store it: numbers and the body, with spaces between."""
    return b"%d %d %d %d %b" % item


def decode_item(raw: bytes) -> Item:
    """Return the item that ``encode_item`` encoded."""
    number, created, changed, version, body = raw.split(b" ", 4)
    return Item(int(number), int(created), int(changed), int(version), body)


def pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields and values of a hash from a flat list."""
    return zip(flat[::2], flat[1::2], strict=True)


def texts(flat: Sequence[bytes]) -> dict[str, str]:
    """Return a hash whose values are text as a dict."""
    return {to_text(name): to_text(value) for name, value in pairs(flat)}


def to_bytes(text: str) -> bytes:
    """Return a text as UTF-8. A key may contain lone surrogates, so these are encoded too."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """Return the text that ``to_bytes`` encoded."""
    return data.decode("utf-8", "surrogatepass")


ReadKey = tuple[str, ...]
"""Says what to read: its kind, then namespace, resource, key and so on, depending on the kind."""
CHECKED_KINDS = {"state": "s", "creation": "b", "handles": "h", "handle": "k", "item": "d"}
"""Kinds whose values are compared when the transaction commits, with the letter of their hash."""
COUNTED_KINDS = frozenset(["sequence", "counter", "window"])
"""Kinds of counters: to read one counts it."""


def check(prefix: str, read: ReadKey, value: Any) -> list[Any]:
    """Return the arguments with which ``commit.lua`` checks that a value has not changed."""
    name = "/".join((prefix, CHECKED_KINDS[read[0]], *read[1:3]))
    return [name, to_bytes(read[3]), int(value is not None), value or b""]


def cache_key(read: ReadKey) -> ReadKey:
    """Return the key of a value in the cache of a transaction.

    The key of a window has no time in it, so that a repeated transaction counts a call once.
    """
    return (*read[:4], *read[5:]) if read[0] == "window" else read


def with_related(wanted: ReadKey) -> list[ReadKey]:
    """Return what to read together with ``wanted``, because it is likely to be needed next."""
    found = [wanted]
    if len(wanted) > 1:
        found.append(("meta", wanted[1]))
    if wanted[0] == "state":
        found += [("creation", *wanted[1:]), ("handles", *wanted[1:])]
    elif wanted[0] == "items":
        found.append(("creations", *wanted[1:]))
    return found


class Reader:
    """Reads values from Redis."""

    def __init__(self, connection: Connection, broadcast: Broadcast, max_namespaces: int) -> None:
        self._connection = connection
        self._broadcast = broadcast
        self._max_namespaces = max_namespaces

    async def fetch(self, read: ReadKey) -> Any:
        """Return the value that ``read`` describes. Its type depends on the kind. Raises Unavailable."""
        ask, kind = self._connection.ask, read[0]
        bucket = read[1:3]
        match kind:
            case "meta":
                return texts(await ask("HGETALL", self._name("m", read[1])))
            case "state":
                return await ask("HGET", self._name("s", *bucket), to_bytes(read[3]))
            case "creation":
                return await ask("HGET", self._name("b", *bucket), to_bytes(read[3]))
            case "handles":
                return await ask("HGET", self._name("h", *bucket), to_bytes(read[3]))
            case "handle":
                return await ask("HGET", self._name("k", *bucket), to_bytes(read[3]))
            case "item":
                return await ask("HGET", self._name("d", *bucket), to_bytes(read[3]))
            case "page":
                flat = await ask(*bucket, *read[3:6], script="page")
                return [(to_text(key), decode_item(item)) for key, item in pairs(flat)]
            case "data":
                flat = await ask("HGETALL", self._name("d", *bucket))
                items = [(*to_text(field).split("\0", 1), decode_item(item)) for field, item in pairs(flat)]
                return sorted(items, key=lambda entry: (entry[0], entry[2].number))
            case "size":
                low, high = b"[" + to_bytes(read[3]) + b"\0", b"(" + to_bytes(read[3]) + b"\1"
                return await ask("ZLEXCOUNT", self._name("o", *bucket), low, high)
            case "items":
                keys, states = await asyncio.gather(
                    ask("ZRANGE", self._name("u", *bucket), 0, -1), ask("HGETALL", self._name("s", *bucket))
                )
                found = dict(pairs(states))
                return [(to_text(key), decode_state(found[key])) for key in keys if key in found]
            case "creations":
                found = await ask("HGETALL", self._name("b", *bucket))
                return {to_text(key): value for key, value in pairs(found)}
            case "count":
                return await ask("HLEN", self._name("s", *bucket))
            case "sequence":
                return await ask(*bucket, f"#{read[3]}", 0, *self._times(), script="counter")
            case "counter":
                return await ask(*bucket, to_bytes(read[3]), MAX_COUNTERS, *self._times(), script="counter")
            case "window":
                count, began = await ask(
                    *bucket,
                    to_bytes(read[3]),
                    read[4],
                    read[5],
                    MAX_COUNTERS,
                    *self._times(),
                    script="window",
                )
                return count, int(began)
            case "namespaces":
                return [to_text(name) for name in await ask("ZRANGE", self._name("ns"), 0, -1)]
            case "global":
                return texts(await ask("HGETALL", self._name("g")))
            case "records":  # they are sent without waiting: after this, all of them are stored
                return await self._broadcast.publish("records")
            case "length":
                return await ask("LLEN", self._name("r", read[1]))
            case "journal":
                last, records = await ask(read[1], script="journal")
                numbered = enumerate(records, last - len(records) + 1)
                return [(number, record) for number, record in numbered if record]
        raise AssertionError(read)

    def _times(self) -> tuple[int, int]:
        """Return the arguments of scripts that mark a namespace as used: the time and the limit."""
        return self._connection.now(), self._max_namespaces

    def _name(self, kind: str, *parts: str) -> str:
        return "/".join((self._connection.prefix, kind, *parts))
